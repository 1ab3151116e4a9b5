"""The examples run, and say what they should."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(name: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / name)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_digits_cnn():
    assert "accuracy   9" in run("digits_cnn.py")


def test_handmade_network():
    # The spike moves on by one neuron a timestep.
    assert "timestep, neuron: 0, 0, 1, 1, 2, 2, 3, 3" in run("handmade_network.py")
