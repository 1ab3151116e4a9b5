"""Settings for all tests, and what several files share."""

from pathlib import Path

import pytest
from hypothesis import settings

# A test must not fail because the machine is busy.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture
def few_figures(monkeypatch):
    """Draw of a run's figures the timeline and what was asked for by an option: all of them take seconds a report.

    For tests of what else is in a report or a run folder; tests/test_report_figures.py draws every figure of several runs, and
    tests/test_cli_commands.py has all of them in a folder.
    """
    from sfnhw.reports import figures

    everything = figures.available
    wanted = {"timeline", "break_even", "sensitivity"}
    monkeypatch.setattr(figures, "available", lambda view: [name for name in everything(view) if name in wanted])


@pytest.fixture
def blank_figures(monkeypatch):
    """Write the figures of explorations as empty files: for tests of rows and folders that explore several times.

    tests/test_cli_commands.py has real ones in a folder, and tests/test_report_figures.py looks at what is drawn.
    """
    from sfnhw.reports import image

    def blank(figure: object, path: Path, suffix: str) -> Path:
        path.touch()
        return path

    monkeypatch.setattr(image, "write_image", blank)
