"""The command line: one file a command, each imported when it is called."""

from sfnhw.cli.entry import main

__all__ = ["main"]
