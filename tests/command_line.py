"""The command line as a user has it: in a process of its own, and a small network with inputs to give it."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.networks import random_inputs, random_network

ROOT = Path(__file__).resolve().parent.parent


def sfnhw(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``sfnhw ARGUMENTS`` and return its exit code and what it printed."""
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
