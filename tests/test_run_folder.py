"""The run folder where it is named in unusual ways, and after a crash."""

import os
import re
import subprocess
import sys

import pytest

import sfnhw
from sfnhw.errors import InputError
from sfnhw.reports import check_output_folder
from sfnhw.reports.run_folder import load_run_json
from tests.networks import chain, random_inputs

pytestmark = pytest.mark.usefixtures("few_figures")


@pytest.fixture(scope="module")
def run():
    network = chain([3, 4, 2])
    return sfnhw.estimate(network, "reference", random_inputs(network, 1), fidelity="analytic", baselines=())


def hidden(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_into_the_folder_one_stands_in(run, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for _ in range(2):  # empty, then an earlier run
        run.save(".")
        assert os.path.samefile(".", here)
        assert (here / "run.json").is_file()
        assert (here / "figures").is_dir()
    assert not hidden(tmp_path)


def test_a_link_stays_a_link(run, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for _ in range(2):
        run.save(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "run.json").is_file()


@pytest.mark.parametrize("length", [250, 300])
def test_names_that_are_too_long_are_refused_before_any_work(tmp_path, length):
    with pytest.raises(InputError, match=r"cannot be written \(File name too long\)"):
        check_output_folder(tmp_path / ("n" * length))


def test_what_a_killed_process_left_is_cleared_and_what_it_moved_is_put_back(run, tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = int(gone.stdout)
    run.save(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out").rename(tmp_path / f".out.{dead}.old")
    (tmp_path / f".out.{dead}.new").mkdir()
    (tmp_path / f".out.{os.getppid()}.new").mkdir()  # alive: left alone
    run.save(tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert hidden(tmp_path) == [f".out.{os.getppid()}.new"]


def test_folders_around_a_file_are_made(tmp_path):
    chain([3, 2]).save(tmp_path / "a" / "b" / "net.sfn")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["net.sfn"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        chain([3, 2]).save(tmp_path / "file" / "net.sfn")


def test_a_file_in_place_of_a_folder_is_told_from_nothing(tmp_path):
    (tmp_path / "lonely.txt").write_text("")
    (tmp_path / "run").mkdir()
    for name in ("run.json", "events.parquet"):
        (tmp_path / "run" / name).write_text("{}")
    for path, said in (
        (tmp_path / "lonely.txt", "lonely.txt: is a file, not a folder, expected a run folder, as `sfnhw"),
        (
            tmp_path / "run" / "events.parquet",
            f"is a file, not a folder, expected the run folder that it is in, {tmp_path / 'run'}",
        ),
        (tmp_path / "nowhere", "nowhere: no such folder, expected a run folder"),
    ):
        with pytest.raises(InputError, match=re.escape(said)):
            load_run_json(path)
