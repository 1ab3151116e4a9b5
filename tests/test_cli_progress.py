"""The progress bar, and what is said when a command ends before its time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfnhw.cli import entry
from sfnhw.cli.output import Progress
from sfnhw.errors import InputError


@pytest.mark.parametrize(
    ("stop", "code", "said"),
    [(KeyboardInterrupt(), 130, "sfnhw: interrupted\n"), (InputError("no"), 2, "sfnhw: error: no\n")],
)
def test_the_line_of_progress_is_gone_before_anything_is_said(monkeypatch, capsys, stop, code, said):
    def command(*_, **__):
        progress = Progress()
        progress.shown = True  # as on a terminal
        progress("estimating", 3, 10)
        raise stop

    monkeypatch.setattr(entry.sfnhw, "invoke", command)
    assert entry.main(["chips"]) == code
    drawn, wiped, last = capsys.readouterr().err.split("\r")[1:]
    assert "3/10 estimating" in drawn
    assert wiped == " " * len(drawn)
    assert last == said
    assert Progress.on_screen is None


def test_nothing_is_drawn_where_standard_error_is_no_terminal(capsys):
    Progress()("estimating", 1, 2)
    assert capsys.readouterr().err == ""
    assert Progress.on_screen is None


def test_what_is_said_meanwhile_stands_in_place_of_the_line_until_it_is_over(capsys):
    progress = Progress()
    progress.shown = True
    progress("estimating", 3, 10)
    Progress.say_meanwhile("compiling kernels, once: k.f")
    Progress.say_meanwhile("")
    progress.clear()
    bar, meanwhile, again, wiped, rest = capsys.readouterr().err.split("\r")[1:]
    assert meanwhile.rstrip() == "compiling kernels, once: k.f"
    assert len(meanwhile) == len(bar) == len(again) == len(wiped)
    assert again == bar
    assert wiped.strip() == rest == ""
    assert Progress.on_screen is None


KERNEL = """
import numba

@numba.njit(cache=True)
def inner(x):
    return x + 1

@numba.njit(cache=True)
def outer(x):
    return 2 * inner(x)
"""
CALL = """
from sfnhw.cli.compiling import tell_of_compiling
tell_of_compiling()
from kernel import outer
print(outer(3))
"""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal to write to")
def test_compiling_is_said_on_a_terminal_once_and_only_where_nothing_is_kept(tmp_path):
    (tmp_path / "kernel.py").write_text(KERNEL)
    root = Path(__file__).resolve().parent.parent
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}",
        "NUMBA_CACHE_DIR": str(tmp_path / "kept"),
    }

    def call(terminal: bool) -> str:
        reader, writer = os.openpty() if terminal else os.pipe()
        command = [sys.executable, "-c", CALL]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=writer, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout == "8\n"
        os.write(writer, b"|")
        said = b""
        while not said.endswith(b"|"):
            said += os.read(reader, 1000)
        os.close(reader)
        os.close(writer)
        return said.decode().rstrip("|")

    first, wiped, rest = call(terminal=True).split("\r")[1:]
    assert first == "compiling kernels, once: kernel.outer"
    assert wiped == " " * len(first)
    assert rest == ""
    assert call(terminal=True) == ""
    (tmp_path / "kernel.py").write_text(KERNEL + "\n")  # another date: compiled once more
    assert call(terminal=False) == ""
