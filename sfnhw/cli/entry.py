"""The door of the command line: exit codes, and errors as one line."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from sfnhw.cli.group import sfnhw
from sfnhw.cli.output import clear_progress
from sfnhw.errors import SfnhwError

# 128 + the signal's number for all but the first, as shells report it.
USAGE, INTERRUPTED, BROKEN_PIPE, TERMINATED = 2, 130, 141, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0, 2 (bad input), 130 (interrupted), 141 (the reader of its output went away) or 143 (terminated).
    """
    if arguments is not None:
        return _run(list(arguments))
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(sys.argv[1:])
    finally:
        # The outcome stands: an interrupt while the interpreter ends would only change the exit code.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Terminated(KeyboardInterrupt):
    """SIGTERM: handled as an interrupt, with an exit code of its own."""


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def _run(given: list[str]) -> int:
    try:
        with sfnhw.make_context("sfnhw", given) as context:
            sfnhw.invoke(context)
            sys.stdout.flush()
            return 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except SfnhwError as error:
        return _fail(error, error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), USAGE)
    except (KeyboardInterrupt, click.Abort) as stop:
        clear_progress()
        print("sfnhw: interrupted" + (f": {stop}" if str(stop) else ""), file=sys.stderr)
        return TERMINATED if isinstance(stop.__context__ or stop, _Terminated) else INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout at exit and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _fail(message: Any, code: int) -> int:
    clear_progress()
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(message).split()))
    print("sfnhw: error: " + line, file=sys.stderr)
    return code
