"""The line that says that kernels are being compiled: the first use of some takes most of a minute."""

import sys
from functools import cache
from typing import Any

from sfnhw.cli.output import Progress


def tell_of_compiling() -> None:
    """From now on have a line on standard error, where that is a terminal, while Numba compiles a kernel.

    Numba tells of it (its event ``numba:compile``), and only where it has not kept the kernel from an earlier run.
    """
    if sys.stderr.isatty():
        _watch()


@cache
def _watch() -> None:
    from numba.core.event import Listener, register

    class Watch(Listener):
        """Shows the kernel whose compilation brings with it that of the functions that it calls."""

        depth = 0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                function = event.data["dispatcher"].py_func
                Progress.say_meanwhile(
                    f"compiling kernels, once: {function.__module__.rpartition('.')[2]}.{function.__name__}"
                )
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                Progress.say_meanwhile("")

    register("numba:compile", Watch())
