"""The command line, as typed: by its door in this process, or in a process of its own; and a small network to give it."""

import contextlib
import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

from sfnhw.cli import main
from tests.networks import random_inputs, random_network

ROOT = Path(__file__).resolve().parent.parent


def sfnhw(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``sfnhw ARGUMENTS`` here and return its exit code and what it printed, Python's warnings too.

    A process of its own would load torch and Numba anew, which takes longer than most commands. What a process has to itself
    is put back: the working folder, where modules are looked for, and modules of the user's.
    """
    given, out, err = list(map(str, arguments)), io.StringIO(), io.StringIO()
    argv, path = sys.argv, list(sys.path)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        if cwd:
            stack.enter_context(contextlib.chdir(cwd))
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = lambda *w, **_: err.write(warnings.formatwarning(*w[:4]))
        warnings.resetwarnings()
        for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", quiet)  # as in a process that is not being debugged
        sys.argv = ["sfnhw", *given]
        try:
            code = main(given)
        finally:
            sys.argv, sys.path[:] = argv, path
            for name in [name for name in sys.modules if name.startswith("_sfnhw_user_")]:
                del sys.modules[name]
    return subprocess.CompletedProcess(given, code, out.getvalue(), err.getvalue())


def sfnhw_process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``sfnhw ARGUMENTS`` as a user does, in a process of its own and with few environment variables."""
    command = [sys.executable, "-c", "from sfnhw.cli import main; import sys; sys.exit(main())", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
    )


def write_case(folder: Path) -> Path:
    """Write net.sfn, and in.npz with three inputs and their labels, into the folder; return it."""
    network = random_network(4)
    network.save(folder / "net.sfn")
    np.savez(folder / "in.npz", inputs=random_inputs(network, 4, 3), labels=np.array([0, 1, 0]))
    return folder
