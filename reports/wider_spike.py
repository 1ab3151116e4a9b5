"""What a spike that carries a level costs end to end, beside the same spike without it: flits, time and arithmetic.

The network is estimated twice in closed form on the same mapping and the same spikes: once as it is, once with packets
that hold no level. What differs are flits in routers and links, their clock, pins, and the leakage of the longer way.
The arithmetic at the receiving synapses is counted, not estimated (`sfnhw.reports.overhead`).
"""

from typing import Any

import numpy as np

from sfnhw.reports.level_bits import level_bits, without_levels
from sfnhw.run import Run
from sfnhw.sim import price
from sfnhw.sim.simulate import in_closed_form
from sfnhw.sim.tables import PACKING, sent_neurons

Band = dict[str, float]
BAND = ("value", "low", "high")


def wider_spike(run: Run, carriers: set[str], arithmetic_j: Band) -> dict[str, Any]:
    """Return what the level of a spike costs, per inference.

    Parameters
    ----------
    carriers : populations whose spikes carry one of many levels.
    arithmetic_j : energy of looking up, multiplying and shifting at the synapses that they feed.

    Returns
    -------
    packet_flits, packet_flits_without : mean flits of a packet that carries a level, and would without. transport_j,
    arithmetic_j, energy_j : ``{value, low, high}``, transport being routers, links, pins, clock and leakage together.
    share_of_energy : of the run's. latency_s : the longer way, at analytic fidelity (packets of equal length: 0).
    """
    slices = run.mapping.slices
    found = level_bits(run, carriers)
    carried = np.array([s.population in carriers for s in slices])
    packets = run.result.counts.sent[: len(slices)].sum(axis=1) * carried
    latency, transport = 0.0, dict.fromkeys(BAND, 0.0)
    if (found.flits != found.flits_without).any():
        latency, transport = _difference(run, carriers)
    energy = {key: transport[key] + arithmetic_j[key] for key in BAND}
    total = run.cost.total.as_joules(run.samples)["value"]
    sent = max(1, int(packets.sum()))
    return {
        "packet_flits": float(found.flits[carried].sum() / sent),
        "packet_flits_without": float(found.flits_without[carried].sum() / sent),
        "transport_j": transport,
        "arithmetic_j": arithmetic_j,
        "energy_j": energy,
        "share_of_energy": energy["value"] / total if total else 0.0,
        "latency_s": latency,
    }


def _difference(run: Run, carriers: set[str]) -> tuple[float, Band]:
    """(seconds, joules) per inference that the run's own packets take beyond packets without these levels."""
    tables, sent = run.result.tables, sent_neurons(run.mapping, run.recording.activity)
    bare = without_levels(run, carriers)
    packed = {name: getattr(tables.slices, name).copy() for name in PACKING}
    for name, values in packed.items():
        values[: len(bare.neurons)] = getattr(bare, name)
    narrow = tables._replace(slices=tables.slices._replace(**packed))
    wide_, narrow_ = (in_closed_form(run.mapping, t, sent, run.result.formats) for t in (tables, narrow))
    costs = [price(result).total.as_joules(run.samples) for result in (wide_, narrow_)]
    # One table prices both, so its errors go together.
    band = {key: costs[0][key] - costs[1][key] for key in BAND}
    return wide_.latency_s - narrow_.latency_s, band
