"""The progress bar, and what is said when a command ends before its time."""

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
