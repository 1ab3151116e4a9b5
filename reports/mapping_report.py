"""The mapping beside its bounds: as plain values for run.json, and in a sentence."""

from collections.abc import Mapping
from typing import Any

from sfnhw.mapping.balance import balance
from sfnhw.mapping.objectives import FEWEST
from sfnhw.mapping.quality import quality
from sfnhw.run import Run

CROSSING = "flits from chip to chip"


def mapping_report(run: Run) -> dict[str, Any]:
    """Return ``placer``, ``objective`` (that layers were cut for; None: unknown), ``slices`` (on cores), ``bounds``: what is achieved beside what none can beat (`Quality.as_json`), and ``layers``.

    ``layers``: for each the ``unit`` of a core that works longest for any of its slices, and its ``cycles`` an inference.
    """
    work = balance(run.mapping, run.recording.activity)
    return {
        "placer": run.mapping.placer,
        "objective": run.mapping.objective,
        "slices": int((run.mapping.terminals != run.mapping.io).sum()),
        "bounds": quality(run.mapping, run.recording.activity, work).as_json(),
        "layers": [{"layer": name, **row} for name, row in work.layers().items()],
    }


def cut_text(objective: str | None, asked: str | None = None) -> str:
    """Return what layers were cut for, e.g. ``layers cut for cores: the fewest slices; cut otherwise by --objective energy|latency|throughput``.

    objective : of the mapping; ``""`` comes of None, where nobody knows it. asked : for this run; the way to others is shown to
        who did not ask for one.
    """
    if objective is None:
        return ""
    text = f"layers cut for {objective}" + (": the fewest slices" if objective == FEWEST else "")
    return text + ("; --objective energy|latency|throughput cuts otherwise" if objective == asked == FEWEST else "")


def run_cut_text(run: Mapping[str, Any]) -> str:
    """Return `cut_text` of run.json; ``""`` for runs of older versions, which do not know.

    Where the fewest slices are more than the cores there are no other cuts to point to.
    """
    found = run.get("mapping", {})
    free = found.get("slices", 0) <= run["cores_available"]
    return cut_text(found.get("objective"), run["provenance"].get("objective") if free else None)


def bounds_text(found: Mapping[str, Any]) -> str:
    """Return e.g. ``placed by hilbert; achieved / bound: cores 1.05, flits over links 1.41``."""
    # Between chips the bound says little more than that something must pass.
    shown = [row for row in found["bounds"] if row["ratio"] is not None and row["quantity"] != CROSSING]
    parts = [f"{row['quantity']} {row['ratio']:.2f}" for row in shown]
    return f"placed by {found['placer']}" + (f"; achieved / bound: {', '.join(parts)}" if parts else "")
