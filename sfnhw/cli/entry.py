"""The door of the command line: exit codes, and errors as one line."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from sfnhw.cli.group import sfnhw
from sfnhw.errors import SfnhwError

USAGE, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # 128 + the signal's number for the last two, as shells report it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 (bad input), 130 (interrupted) or 141 (reader went away)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
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
    except (KeyboardInterrupt, click.Abort):
        print("sfnhw: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout at exit and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _fail(message: Any, code: int) -> int:
    print("sfnhw: error: " + " ".join(str(message).split()), file=sys.stderr)
    return code
