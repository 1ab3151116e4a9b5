"""Compiled kernels that Numba keeps on disk, after a change in a file that they are made of."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KERNEL = """
import numba
from constants import FACTOR

@numba.njit(cache=True)
def times(x):
    return FACTOR * x
"""
CALL = """
from sfnhw.kernel_cache import drop_stale
from kernel import times
drop_stale(times, "constants")
print(times(10))
"""


def test_a_change_beside_the_kernel_is_seen(tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)  # it is looked for beside the kernel

    def call(factor: int, later: int) -> tuple[str, set[Path]]:
        constants = tmp_path / "constants.py"
        constants.write_text(f"FACTOR = {factor}\n")
        now = constants.stat().st_mtime + later
        os.utime(constants, (now, now))
        done = subprocess.run(
            [sys.executable, "-c", CALL], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return done.stdout.strip(), set(tmp_path.rglob("*.nbi"))

    (tmp_path / "kernel.py").write_text(KERNEL)
    first, kept = call(2, -60)
    assert first == "20"
    assert len(kept) == 1, "it is kept"
    index = next(iter(kept))
    written = index.stat().st_mtime_ns
    assert call(2, -60)[0] == "20"
    assert index.stat().st_mtime_ns == written, "and used again while nothing changed"
    assert call(3, 60)[0] == "30"
