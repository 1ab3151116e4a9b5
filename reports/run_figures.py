"""What one run says in a row of a table: energy, time, accuracy and traffic, per inference."""

from typing import Any

from sfnhw.actions import ACTION_INDEX
from sfnhw.reports.overhead import needed_unit_area
from sfnhw.run import Run


def run_figures(run: Run) -> dict[str, Any]:
    """Return energy_j (``{value, low, high}``), latency_s, accuracy, spikes, packets, flit_hops (flits over links),
    cores_used and threshold_unit_area_mm2 (units and registers that the network needs; None where layers requantise: the
    chip file gives no area for that unit)."""
    n = run.samples
    requantises = any(p.coding.need().kind == "requantise" for p in run.network.populations if p.role == "hidden")
    return {
        "energy_j": run.cost.total.as_joules(n),
        "latency_s": run.result.latency_s,
        "accuracy": run.recording.accuracy,
        "spikes": int(run.result.counts.sent_spikes.sum()) / n,
        "packets": int(run.result.actions.core[ACTION_INDEX["packet"]].sum()) / n,
        "flit_hops": run.result.link_hops / n,
        "cores_used": run.mapping.cores_used,
        "threshold_unit_area_mm2": None if requantises else needed_unit_area(run).as_json(),
    }
