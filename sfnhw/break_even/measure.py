"""One point of a break-even chart: a network with its activity, mapped on a chip, simulated and priced."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from sfnhw.actions import ACTION_INDEX
from sfnhw.activity import Recording
from sfnhw.chip import Chip
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.reports.overhead import needed_unit_area
from sfnhw.reports.ratio import ratio_band
from sfnhw.run import Run
from sfnhw.sim import price, simulate

Tell = Callable[[str], None]
BAND = ("value", "low", "high")


def measure(network: Network, chip: Chip, recording: Recording, fidelity: str, placer: str) -> Run:
    """Map, simulate and price.

    Raises
    ------
    MappingError : the network does not fit on the chip.
    """
    mapping = map_network(network, chip, placer=placer, activity=recording.activity)
    result = simulate(mapping, recording.activity, fidelity=fidelity)
    return Run(network, chip, recording, mapping, result, price(result))


def figures(run: Run) -> dict[str, Any]:
    """Return what a run says, per inference: energy_j (``{value, low, high}``), static_energy_j, latency_s, accuracy,
    spikes, packets, flit_hops (flits over links), cores_used, threshold_unit_area_mm2 (units and registers needed)."""
    n, totals = run.samples, run.result.totals()
    area = astuple(needed_unit_area(run))
    return {
        "energy_j": run.cost.total.as_joules(n),
        "static_energy_j": run.cost.static.as_joules(n)["value"],
        "latency_s": run.result.latency_s,
        "accuracy": run.recording.accuracy,
        "spikes": int(run.result.counts.sent.sum()) / n,
        "packets": int(run.result.actions.core[ACTION_INDEX["packet"]].sum()) / n,
        "flit_hops": totals["link_flit"] / n,
        "cores_used": run.mapping.cores_used,
        "threshold_unit_area_mm2": dict(zip(BAND, area, strict=True)),
    }


def relative(run: Run, to: Run) -> dict[str, float]:
    """Return the energy of a run over another's, ``{value, low, high}``; see `sfnhw.reports.ratio`."""
    return ratio_band(to.cost, to.samples, run.cost, run.samples)
