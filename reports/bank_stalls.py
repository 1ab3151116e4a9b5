"""What synapse lanes and threshold units wait for banks of memory: as plain values for run.json, and in a sentence."""

from collections.abc import Mapping
from typing import Any

from sfnhw.reports.text import count, elide, percent
from sfnhw.run import Run
from sfnhw.sim import UNITS
from sfnhw.sim.bank_stalls import bank_stalls


def bank_stall_report(run: Run) -> dict[str, Any] | None:
    """Return the waits for banks, per inference, or None where the chip does not say how many banks it has.

    synapse, threshold : ``cycles`` of all cores, their ``share_of_busy`` of that unit's busy cycles (None: it never worked), and
        the ``core`` where most are, with its ``layers`` and ``core_share_of_busy`` there (None, [] and None: there are none).
    layers : for each that waits its ``layer``, ``synapse_cycles`` and ``threshold_cycles``.
    """
    found = bank_stalls(run.result, run.recording.activity)
    if found is None:
        return None
    mapping = run.mapping
    out: dict[str, Any] = {}
    for unit in ("synapse", "threshold"):
        waits, busy = getattr(found, unit), run.result.timing.busy[: run.chip.cores, UNITS.index(unit)]
        core = int(waits.argmax()) if waits.any() else None
        here = [s.population for s in mapping.slices if mapping.terminals[s.index] == core]
        out[unit] = {
            "cycles": int(waits.sum()) / run.samples,
            "share_of_busy": int(waits.sum()) / int(busy.sum()) if busy.any() else None,
            "core": core,
            "layers": list(dict.fromkeys(here)),
            "core_share_of_busy": None if core is None else int(waits[core]) / int(busy[core]),
        }
    out["layers"] = [
        {"layer": name, "synapse_cycles": a / run.samples, "threshold_cycles": b / run.samples}
        for name, (a, b) in found.layers.items()
        if a or b
    ]
    return out


def bank_stall_text(found: Mapping[str, Any]) -> str:
    """Return e.g. ``waits for memory banks: 23 % of the synapse lanes' busy cycles (most: core 12, conv1), none of the
    threshold units'``."""
    parts = []
    for unit, name in (("synapse", "synapse lanes"), ("threshold", "threshold units")):
        own = found[unit]
        if not own["cycles"]:
            parts.append(f"none of the {name}'")
            continue
        layers = own["layers"]
        what = elide(layers[0], 24, "..") + (f" +{len(layers) - 1}" if len(layers) > 1 else "")
        parts.append(f"{percent(own['share_of_busy'])} of the {name}' busy cycles (most: core {own['core']}, {what})")
    return f"waits for memory banks: {', '.join(parts)}"


def bank_stall_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Return a row a layer that waits: its name, cycles of lanes and of threshold units, an inference."""
    return [[row["layer"], count(row["synapse_cycles"]), count(row["threshold_cycles"])] for row in found["layers"]]
