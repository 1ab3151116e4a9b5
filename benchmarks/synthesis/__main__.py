"""Threshold units synthesised with yosys, held against the gate model: the table of docs/threshold-units.md.

python -m benchmarks.synthesis [--thresholds 1,2,4] [--no-widths] [--fit] [--json] [-o FILE]

Each circuit is synthesised, its netlist checked against the codings' NumPy reference, and its gates counted. Exit code 1
where a netlist answers wrongly, or the model is off by more than 15 % at 16 bits.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.synthesis.check import wrong_answers, wrong_scales
from benchmarks.synthesis.designs import OTHER_WIDTHS, SCALES, THRESHOLDS, WIDTH, Design, designs
from benchmarks.synthesis.fit import fit
from benchmarks.synthesis.yosys import Synthesised, available, cell_areas, synthesise, version
from sfnhw.chip.gate_model import scale_gates, unit_gates
from sfnhw.files import write_text

TOLERANCE = 0.15
WORKERS = 2
SCALE_KIND = "sfn scale: "


def main() -> int:
    """Synthesise, check, compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthesis", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--thresholds", type=_numbers, default=THRESHOLDS, metavar="N,N..", help="at 16 bits")
    parser.add_argument("--no-widths", action="store_true", help="16 bits only")
    parser.add_argument("--fit", action="store_true", help="fit the model's blocks to the netlists, and print them")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write what was measured (measured.json)")
    options = parser.parse_args()
    if not available():
        message = "threshold units: not synthesised, yosys is not installed (Debian: apt-get install yosys)"
        print(json.dumps({"skipped": message}) if options.json else message)
        return 0
    measured = _measure(designs(not options.no_widths, options.thresholds))
    rows = [_row(design, made, wrong) for design, made, wrong in measured]
    rows += _scale_rows((WIDTH,) if options.no_widths else (WIDTH, *OTHER_WIDTHS))
    worst = _worst(rows)
    if options.output:
        write_text(options.output, _measured_text(rows))
    bad = [r for r in rows if r["wrong"] or (r["width_bits"] == WIDTH and max(_errors(r)) > TOLERANCE)]
    fitted = _fitted(measured) if options.fit else None
    if options.json:
        print(
            json.dumps({"yosys": version(), "rows": rows, "worst": worst, "fit": fitted, "failed": bool(bad)}, indent=2)
        )
    else:
        _print(rows, worst, fitted)
    for r in bad:
        reason = "; ".join(r["wrong"]) or f"the model is off by {100 * max(_errors(r)):.1f} %"
        print(f"failed: {r['kind']} N = {r['thresholds']}, {r['width_bits']} bits: {reason}", file=sys.stderr)
    return 1 if bad else 0


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("expected whole numbers from 1")
    return numbers


def _measured_text(rows: list[dict[str, Any]]) -> str:
    """What does not depend on the model, a row a line."""
    kept = [{k: v for k, v in r.items() if k != "wrong" and not k.startswith("model_")} for r in rows]
    lines = ",\n".join(json.dumps(r | {"gate_equivalents": round(r["gate_equivalents"], 2)}) for r in kept)
    return f'{{"yosys": {json.dumps(version())}, "rows": [\n{lines}\n]}}\n'


def _measure(wanted: list[Design]) -> list[tuple[Design, Synthesised, list[str]]]:
    """Synthesise and check each; circuits that several kinds share are made once."""
    keys = [(d.module, tuple(d.parameters.items())) for d in wanted]
    with ThreadPoolExecutor(WORKERS) as pool:
        unique = list(dict.fromkeys(keys))
        made = dict(zip(unique, pool.map(lambda key: synthesise(key[0], dict(key[1])), unique), strict=True))
    return [(d, made[key], wrong_answers(d, made[key])) for d, key in zip(wanted, keys, strict=True)]


def _row(design: Design, made: Synthesised, wrong: list[str]) -> dict[str, Any]:
    model = unit_gates(design.kind, design.thresholds, design.width_bits, design.signed)
    return {
        "kind": design.kind,
        "signed": design.signed,
        "thresholds": design.thresholds,
        "width_bits": design.width_bits,
        "gates": made.gates.gate_count(),
        "model_gates": model.gates,
        "gate_equivalents": made.cells.gate_equivalents(_areas()),
        "model_gate_equivalents": model.equivalents,
        "flip_flops": sum(n for kind, n in made.cells.counts().items() if kind.startswith("$_DFF")),
        "cycles": design.cycles,
        "wrong": wrong,
    }


def _scale_rows(widths: tuple[int, ...]) -> list[dict[str, Any]]:
    rows = []
    for step, (multiply, _) in SCALES.items():
        for width in widths:
            made = synthesise("scale", {"W": width, "M": 8, "MULTIPLY": multiply})
            model = scale_gates(step, width)
            rows.append(
                {
                    "kind": SCALE_KIND + step,
                    "signed": True,
                    "thresholds": 0,
                    "width_bits": width,
                    "gates": made.gates.gate_count(),
                    "model_gates": model.gates,
                    "gate_equivalents": made.cells.gate_equivalents(_areas()),
                    "model_gate_equivalents": model.equivalents,
                    "flip_flops": width,
                    "cycles": 1,
                    "wrong": wrong_scales(step, width, made.gates) + wrong_scales(step, width, made.cells),
                }
            )
    return rows


@cache
def _areas() -> dict[str, float]:
    return cell_areas()


def _errors(row: dict[str, Any]) -> tuple[float, float]:
    gates, equivalents = (abs(row[f"model_{name}"] / row[name] - 1) for name in ("gates", "gate_equivalents"))
    return gates, equivalents


def _worst(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Largest errors of each kind, at 16 bits and at the other widths."""
    out = []
    for kind in dict.fromkeys(r["kind"] for r in rows):
        row: dict[str, Any] = {"kind": kind}
        for label, here in (("16_bits", True), ("other_widths", False)):
            errors = [_errors(r) for r in rows if r["kind"] == kind and (r["width_bits"] == WIDTH) == here]
            row[f"gates_{label}"] = max((e[0] for e in errors), default=None)
            row[f"gate_equivalents_{label}"] = max((e[1] for e in errors), default=None)
        out.append(row)
    return out


def _fitted(measured: list[tuple[Design, Synthesised, list[str]]]) -> dict[str, dict[str, float]]:
    return {
        "gates": fit([(d, float(made.gates.gate_count())) for d, made, _ in measured], "gates"),
        "equivalents": fit([(d, made.cells.gate_equivalents(_areas())) for d, made, _ in measured], "equivalents"),
    }


def _print(rows: list[dict[str, Any]], worst: list[dict[str, Any]], fitted: dict[str, dict[str, float]] | None) -> None:
    print(f"threshold units in generic gates, {version()}; every netlist checked against the NumPy reference")
    print(f"{'kind':20}{'':8}{'N':>3}{'W':>4}{'gates':>7}{'model':>7}{'':8}{'GE':>7}{'model':>7}{'':8}")
    for r in rows:
        gates, equivalents = (r[f"model_{name}"] / r[name] - 1 for name in ("gates", "gate_equivalents"))
        print(
            f"{r['kind']:20}{'signed' if r['signed'] else '':8}{r['thresholds']:>3}{r['width_bits']:>4}"
            f"{r['gates']:>7}{r['model_gates']:>7.0f}{100 * gates:>+6.1f} %"
            f"{r['gate_equivalents']:>7.0f}{r['model_gate_equivalents']:>7.0f}{100 * equivalents:>+6.1f} %"
        )
    print("\nworst error of the model, gates and gate equivalents (at most 15 % at 16 bits)")
    for w in worst:
        shown = [f"{100 * v:>6.1f} %" if v is not None else "       -" for k, v in w.items() if k != "kind"]
        print(f"{w['kind']:20} 16 bits {shown[0]} {shown[1]}    8, 24, 32 bits {shown[2]} {shown[3]}")
    if fitted:
        print("\nfitted blocks: two-input gates, gate equivalents")
        for name, value in fitted["gates"].items():
            print(f"{name:24}{value:>7.2f}{fitted['equivalents'][name]:>7.2f}")


if __name__ == "__main__":
    raise SystemExit(main())
