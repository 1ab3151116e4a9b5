"""explore: what is kept through crashes and signals, and every bad input in one sentence."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sfnhw.chip import load_chip
from sfnhw.errors import ActivityError, ChipError, InputError, SfnhwError
from sfnhw.estimate import estimate
from sfnhw.explore import explore
from sfnhw.explore_rows import append_row, read_rows
from tests.networks import chain, random_inputs

pytestmark = pytest.mark.usefixtures("blank_figures")
ROOT = Path(__file__).resolve().parent.parent
GRID = {"core.synapse_lanes": ["1", "8"], "io.router": ["[0, 0]", "[1, 0]"]}


def run(folder, network=None, inputs=None, grid=GRID, **more):
    network = network or chain([3, 4, 2])
    inputs = random_inputs(network, 1) if inputs is None else inputs
    return explore(network, "reference", inputs, grid, folder, fidelity="analytic", workers=1, **more)


def test_values_are_what_the_chip_holds(tmp_path):
    rows = run(tmp_path)
    assert [(r["core.synapse_lanes"], r["io.router"]) for r in rows] == [
        (1, [0, 0]),
        (1, [1, 0]),
        (8, [0, 0]),
        (8, [1, 0]),
    ]
    assert json.loads((tmp_path / "explore.json").read_text())["points"] == rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a whole exploration, to be copied, and its rows."""
    folder = tmp_path_factory.mktemp("explored")
    return folder, run(folder)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        "{",
        "[1]",
        '{"key": 5, "error": null}',
        '{"key": "K", "error": null}',
        '{"key": "K", "error": 5}',
        '{"key": "K", "error": null, "energy_j": "much"}',
        '{"key": "K", "error": null, "energy_j": 1e999}',
    ],
)
def test_a_line_that_is_no_row_is_estimated_again_and_dropped(finished, tmp_path, line):
    folder, rows = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "rows.jsonl"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([line.replace("K", json.loads(first)["key"]), *rest]))
    assert run(tmp_path) == rows
    assert len(path.read_text().splitlines()) == 4
    assert len(read_rows(tmp_path)) == 4


def test_folders_that_are_not_an_explorations_are_left_alone(tmp_path):
    for name, content in (("run", "run.json"), ("other", "mine.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).write_text("{}")
        with pytest.raises(InputError, match="left alone"):
            run(tmp_path / name)
        assert [p.name for p in (tmp_path / name).iterdir()] == [content]
    (tmp_path / "rows" / "rows.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"rows.jsonl: is no file"):
        run(tmp_path / "rows")
    with pytest.raises(InputError, match="cannot be written"):
        run(tmp_path / ("n" * 300))
    with pytest.raises(InputError, match=r"rows.jsonl: cannot be written"):
        append_row(tmp_path / "nowhere", {})


def test_inputs_and_labels_are_checked_before_the_grid_starts(tmp_path):
    with pytest.raises(ActivityError, match="expected numbers of shape"):
        run(tmp_path / "a", inputs=np.zeros((2, 5)))
    with pytest.raises(ActivityError, match="expected class indices from 0 to 1"):
        run(tmp_path / "a", labels=np.array([0, 7]))
    with pytest.raises(InputError, match="found 1000000, expected at most 100,000 points"):
        run(tmp_path / "a", grid={"noc.columns": range(1, 1001), "noc.rows": range(1, 1001)})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (
            {"noc.rows": ["2", "8"], "noc.columns": ["4", "8", "4"]},
            "noc.columns: the same value twice, found 4, expected",
        ),
        (
            {"io.router": ["[0, 0]", "[0,0]"]},
            r"io.router: the same value twice, found \[0, 0\], expected each value once",
        ),
        ({"clock_mhz": ["100", "1e2"], "noc.rows": ["2", "8"]}, r"clock_mhz: the same value twice, found 100.0"),
    ],
)
def test_a_value_given_twice_is_refused(tmp_path, grid, said):
    with pytest.raises(InputError, match=said):
        run(tmp_path / "a", grid=grid)
    assert not (tmp_path / "a").exists()


def test_where_no_point_fits_there_is_an_error_and_no_figure(tmp_path):
    big = chain([4, 3000, 2])
    run(tmp_path, grid={"noc.columns": ["2"]})
    assert (tmp_path / "pareto.svg").is_file()
    with pytest.raises(InputError, match=r"grid: none of 1 points could be estimated \(the network does not fit"):
        run(tmp_path, big, grid={"noc.columns": ["1"]})
    assert not (tmp_path / "pareto.svg").exists()
    assert "does not fit" in (tmp_path / "table.csv").read_text()


MODES = {"execution.mode": ["dataflow", "barrier", "asynchronous"], "execution.granularity": ["layer", "row"]}


def test_a_combination_that_no_chip_has_is_a_row_and_the_others_run(tmp_path):
    # Rows start by themselves, so they go with anything but a barrier: one of the six.
    rows = run(tmp_path, grid=MODES)
    assert [tuple(r[f] for f in MODES) for r in rows] == [
        (m, g) for m in MODES["execution.mode"] for g in ("layer", "row")
    ]
    (bad,) = [r for r in rows if r["error"] is not None]
    assert [bad[f] for f in MODES] == ["barrier", "row"]
    assert re.match(r"execution.granularity: found 'row', expected layer under execution.mode: barrier", bad["error"])
    assert not bad["on_pareto"]
    assert all(r["energy_j"] > 0 for r in rows if r is not bad)
    assert len(read_rows(tmp_path)) == 6
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [r["error"] for r in csv.DictReader(file)] == [r["error"] or "" for r in rows]
    # Resumed without one good and the bad row: both come back, and nothing else is estimated again.
    path = tmp_path / "rows.jsonl"
    kept = [line for line in path.read_text().splitlines() if "expected layer" not in line][1:]
    path.write_text("\n".join(kept))
    assert run(tmp_path, grid=MODES) == rows
    assert len(read_rows(tmp_path)) == 6


def test_another_placer_is_another_exploration_of_the_same_points(tmp_path):
    network = chain([3, 40, 30, 20, 2])
    inputs, grid = random_inputs(network, 1, 3), {"core.synapse_lanes": [1, 8], "core.neurons": [8, 16]}
    rows = {placer: run(tmp_path, network, inputs, grid, placer=placer) for placer in ("hilbert", "random", "hilbert")}
    assert len(read_rows(tmp_path)) == 8, "four of each; those of the first were kept"
    for placer, points in rows.items():
        for point in points:
            chip = load_chip("reference").replace({field: point[field] for field in grid})
            alone = estimate(network, chip, inputs, fidelity="analytic", placer=placer, baselines=())
            assert point["energy_j"] == alone.cost.total.as_joules(3)["value"]
            assert point["latency_s"] == alone.result.latency_s
    assert rows["random"] != rows["hilbert"]
    with pytest.raises(InputError, match=r"placer: found 'randm', expected one of .*did you mean 'random'"):
        run(tmp_path / "a", placer="randm")
    assert not (tmp_path / "a").exists()


def test_where_no_chip_has_any_combination_the_first_sentence_is_the_error(tmp_path):
    grid = {"execution.granularity": ["row"], "execution.mode": ["barrier"], "core.synapse_lanes": [1, 2]}
    with pytest.raises(ChipError, match=r"^execution.granularity: found 'row', expected layer under"):
        run(tmp_path / "a", grid=grid)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"execution.mood": ["row"]}, "no such field of a chip"),
        ({"noc.rows": ["8", "many"]}, "noc.rows: found 'many', expected a whole number"),
        (MODES | {"noc.rows": ["8", "0"]}, "noc.rows: found 0, expected a whole number"),
    ],
)
def test_a_field_or_a_value_that_no_combination_makes_good_is_an_error_at_once(tmp_path, grid, said):
    with pytest.raises(ChipError, match=said):
        run(tmp_path / "a", grid=grid)
    assert not (tmp_path / "a").exists()


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(condition) -> bool:
    """Whether it comes true within a minute or two."""
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)])
def test_signals_end_the_workers_and_finished_points_are_kept(tmp_path, number, code):
    network = chain([60, 200, 200, 10])
    network.save(tmp_path / "net.sfn")
    np.savez(tmp_path / "in.npz", inputs=random_inputs(network, 1, 60))
    lanes = ",".join(map(str, range(1, 201)))
    command = ["explore", tmp_path / "net.sfn", "--inputs", tmp_path / "in.npz", "--set", f"core.synapse_lanes={lanes}"]
    command += ["-o", tmp_path / "grid", "--workers", "2"]
    start = "from sfnhw.cli import main; import sys; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", start, *map(str, command)],
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    rows = tmp_path / "grid" / "rows.jsonl"
    assert soon(lambda: rows.is_file() and len(rows.read_text().splitlines()) >= 3)
    mine = children(process.pid)
    assert len(mine) >= 2
    if number == "SIGINT":  # as a terminal does: to every process of the group
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(getattr(signal, number))
    said = process.communicate(timeout=100)[1]
    assert process.returncode == code
    assert soon(lambda: not any(map(is_running, mine)))
    assert "Traceback" not in said
    kept = len(read_rows(tmp_path / "grid"))
    assert kept >= 3
    if number != "SIGKILL":
        assert f"sfnhw: interrupted: {kept} of 200 points are kept in {tmp_path / 'grid'}" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": "a"}, "threads: found 'a', expected a whole number"),
        ({"threads": -3}, "threads: found -3, expected a whole number"),
        ({"fidelity": 3}, "fidelity: found 3, expected one of packet, flit, auto, analytic"),
        ({"placer": [1]}, r"placer: found \[1\], expected one of hilbert"),
        ({"baselines": None}, "baselines: expected a list of names"),
        ({"baselines": "if"}, "baselines: found 'if', expected a list of names"),
        ({"inputs": [[1, 2, 3], [4]]}, "inputs of 'l0': found .*expected numbers of shape"),
        ({"inputs": {"l0": np.zeros((1, 3)), 5: 1}}, "inputs: found .*expected arrays for"),
    ],
)
def test_arguments_of_the_wrong_kind_are_one_sentence(options, message):
    given = {"inputs": np.zeros((1, 3)), "baselines": ()} | options
    with pytest.raises(SfnhwError, match=message):
        estimate(chain([3, 2]), "reference", **given)
