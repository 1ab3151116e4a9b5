"""Who may import whom (docs/architecture.md), and what a light import must not pull in."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL = {
    "errors",
    "kernel_cache",
    "memory",
    "npz_header",
    "units",
    "files",
    "actions",
    "numerics",
    "yaml_source",
    "network",
    "neurons",
    "chip",
    "chips",
    "activity",
    "lowering",
    "record",
    "ideal",
    "inputs",
    "timesteps",
    "numerics_sweep",
    "headroom",
}
EDGE = {"convert", "recode", "digits", "nir"}
TOP = {"estimate", "explore", "explore_points", "explore_rows", "workers", "run", "cli", "rates"}
# Room → rooms of sfnhw that it may import from. `reports` reads a Run, which is a record of everything below it.
ALLOWED = {
    "model": {"model"},
    "edge": {"model", "edge"},
    "mapping": {"model", "mapping"},
    "sim": {"model", "mapping", "sim"},
    "reports": {"model", "mapping", "sim", "reports", "run"},
    "top": {"model", "edge", "mapping", "sim", "reports", "top", "run"},
}


def room(module: str) -> str:
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "top"
    if name == "run":
        return "run"
    if name in ("mapping", "sim", "reports"):
        return name
    return "model" if name in MODEL else "edge" if name in EDGE else "top"


def modules() -> list[tuple[str, Path]]:
    out = []
    for folder, package in (
        ("sfnhw", "sfnhw"),
        ("mapping", "sfnhw.mapping"),
        ("sim", "sfnhw.sim"),
        ("reports", "sfnhw.reports"),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            out.append((".".join([package, *(p for p in parts if p != "__init__")]), path))
    return out


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_arrows_go_one_way(module: str, path: Path) -> None:
    mine = room(module)
    allowed = ALLOWED["top" if mine == "run" else mine]
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            assert name.split(".")[0] not in ("mapping", "sim", "reports"), f"{path}:{node.lineno}: import sfnhw.{name}"
            if not name.startswith("sfnhw") or name == "sfnhw":
                continue
            lazy = mine in ("run", "top") or module == "sfnhw"
            assert lazy or room(name) in allowed, f"{path}:{node.lineno}: {mine} imports {room(name)} ({name})"
            if name.split(".")[0] == "torch":
                assert mine == "edge", f"{path}:{node.lineno}: torch belongs at the edge"


@pytest.mark.parametrize(
    "code",
    [
        "import sfnhw",
        "import sys; sys.argv = ['sfnhw', '--help']\nfrom sfnhw.cli import main\ntry: main()\nexcept SystemExit: pass",
    ],
)
def test_a_light_import_stays_light(code: str) -> None:
    heavy = "import sys; bad = {'torch', 'numba', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules); print('HEAVY', sorted(bad))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{heavy}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout


def test_the_public_name_survives_the_import_of_its_module() -> None:
    code = "import sfnhw\nfrom sfnhw.record import record\nimport sfnhw.recode\nassert sfnhw.record is record and callable(sfnhw.recode)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
