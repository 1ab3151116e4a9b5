"""What the commands write: JSON on standard output, messages and progress on standard error."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from sfnhw.errors import InputError, Where

BAR_WIDTH = 30


def print_json(value: Any) -> None:
    """Print one JSON object, strict (no NaN), on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def say(message: str) -> None:
    """Print a message for the user on standard error."""
    click.echo(message, err=True)


class Progress:
    """A progress bar on standard error, only where that is a terminal."""

    on_screen: "Progress | None" = None

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self.drawn, self.line = 0, ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Redraw the line."""
        if not self.shown:
            return
        filled = BAR_WIDTH * done // max(total, 1)
        self.line = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done}/{total} {stage}"[:79]
        self._draw(self.line)

    @staticmethod
    def say_meanwhile(text: str) -> None:
        """Show a text in place of the line on the screen, if any; ``""``: no more, and what stood there stands there again."""
        on = Progress.on_screen or Progress()
        if text or on.line:
            on._draw((text or on.line)[:79])
        else:
            on.clear()

    def _draw(self, line: str) -> None:
        before = Progress.on_screen.drawn if Progress.on_screen else 0
        click.echo("\r" + line.ljust(max(self.drawn, before)), nl=False, err=True)
        self.drawn = len(line)
        Progress.on_screen = self

    def clear(self) -> None:
        """Remove the line."""
        if self.drawn:
            click.echo("\r" + " " * self.drawn + "\r", nl=False, err=True)
            self.drawn = 0
        Progress.on_screen = None


def clear_progress() -> None:
    """Remove the line of a command that ends before its time, so that what is said next stands alone."""
    if Progress.on_screen is not None:
        Progress.on_screen.clear()


def check_file(path: Path, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse, before any long work, a file that cannot be written.

    Raises
    ------
    InputError : a folder of that name, another suffix, a name that is too long, or no permission to write.
    """
    where = Where(path)
    try:
        with suppress(FileNotFoundError):  # a new file, as it is most of the time
            path.lstat()
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=where) from None
    if path.is_dir():
        raise InputError("is a folder", where=where, expected="the name of a file")
    if suffixes and path.suffix not in suffixes:
        raise InputError(field="output", found=path.name, expected=f"a name that ends in {' or '.join(suffixes)}")
    _check_writable(path.parent, where)


def _check_writable(folder: Path, where: Where) -> None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", where=where)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"no permission to write in {folder}", where=where)
