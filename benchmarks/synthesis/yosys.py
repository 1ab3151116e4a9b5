"""Yosys, run once for each circuit: to generic two-input gates, and to the cells of cells.genlib."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.synthesis.netlist import Netlist

HERE = Path(__file__).resolve().parent
VERILOG = HERE / "verilog"
CELLS = HERE / "cells.genlib"
SCRIPT = """
read_verilog {sources}
hierarchy -top {module} {parameters}
synth -flatten -noabc
dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01
opt_expr
opt_clean
design -save mapped
abc -g gates
opt_clean -purge
write_json {folder}/gates.json
design -load mapped
abc -genlib {cells}
opt_clean -purge
write_json {folder}/cells.json
"""


def available() -> bool:
    """Whether yosys is on the path."""
    return shutil.which("yosys") is not None


def version() -> str:
    """Return e.g. ``Yosys 0.23``."""
    text = subprocess.run(["yosys", "-V"], capture_output=True, text=True, check=True).stdout
    return " ".join(text.split()[:2])


@dataclass(frozen=True)
class Synthesised:
    """One circuit in two-input gates and in cells of a small library."""

    gates: Netlist
    cells: Netlist


def synthesise(module: str, parameters: dict[str, int]) -> Synthesised:
    """Run yosys on one module.

    Raises
    ------
    RuntimeError : yosys failed; its last lines are in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = SCRIPT.format(
            sources=" ".join(str(path) for path in sorted(VERILOG.glob("*.v"))),
            module=module,
            parameters=" ".join(f"-chparam {name} {value}" for name, value in parameters.items()),
            cells=CELLS,
            folder=folder,
        )
        done = subprocess.run(["yosys", "-q", "-p", script], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"yosys on {module} {parameters}: {(done.stderr or done.stdout).strip()[-500:]}")
        return Synthesised(*(_read(Path(folder) / f"{name}.json") for name in ("gates", "cells")))


def _read(path: Path) -> Netlist:
    modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    top = next(m for m in modules.values() if int(m["attributes"].get("top", "0"), 2))
    return Netlist.read(top)


def cell_areas() -> dict[str, float]:
    """Gate equivalents of each cell of cells.genlib."""
    rows = re.findall(r"^GATE\s+(\S+)\s+(\S+)", CELLS.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: float(area) for name, area in rows}
