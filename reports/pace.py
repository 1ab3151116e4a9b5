"""Power, energy-delay product, and what bounds the throughput: one inference at a time, and back to back."""

from typing import Any

import numpy as np

from sfnhw.run import Run
from sfnhw.sim import UNITS
from sfnhw.sim.link_load import links_taken
from sfnhw.units import seconds

LEAKAGE = ("core_leakage", "gate_leakage", "router_leakage")
UNIT_NAMES = {
    "axon": "axon look-up",
    "synapse": "synapse lanes",
    "threshold": "threshold unit",
    "injection": "injection port",
    "ejection": "output port",
    "link": "link",
}
Band = dict[str, float]


def pace(run: Run) -> dict[str, Any]:
    """Return what follows from energy and time together.

    Keys
    ----
    power_w : ``{value, low, high}`` mean power while inferences run one at a time: energy / latency.
    energy_delay_product_js : ``{value, low, high}`` energy × latency of one inference, in J·s.
    back_to_back : inferences that follow each other without a pause: interval_s between results,
        energy_per_inference_j (leakage for the interval instead of the latency, everything else the same),
        static_energy_per_inference_j and power_w (energy / interval); inferences_measured (different ones that the interval is
        of, see `sfnhw.sim.timing.Timing`), load_of_measured (their mean load over that of all) and fidelity (that the interval is of).
    bottleneck : see `bottleneck`.
    """
    n, latency = run.samples, run.result.latency_s
    interval = seconds(run.result.timing.interval, run.chip.clock_mhz)
    energy = run.cost.total.as_joules(n)
    by_action = run.cost.by_action()
    leakage = [by_action[term].as_joules(n) for term in LEAKAGE]
    static = run.cost.static.as_joules(n)
    # Leakage is power times time, so it goes with the time that one inference has the chip for itself.
    saved = 1 - interval / latency if latency else 0.0
    less = {key: sum(part[key] for part in leakage) * saved for key in energy}
    pipelined = {key: energy[key] - less[key] for key in energy}
    return {
        "power_w": _divided(energy, latency),
        "energy_delay_product_js": {key: value * latency for key, value in energy.items()},
        "back_to_back": {
            "interval_s": interval,
            "inferences_measured": run.result.timing.streamed,
            "load_of_measured": run.result.timing.streamed_load,
            "fidelity": run.result.interval_fidelity,
            "energy_per_inference_j": pipelined,
            "static_energy_per_inference_j": static["value"] - less["value"],
            "power_w": _divided(pipelined, interval),
        },
        "bottleneck": bottleneck(run),
    }


def bottleneck(run: Run) -> dict[str, Any]:
    """Return the unit or link that works most of the time between two results when inferences follow each other.

    Keys: unit (``axon``, ``synapse``, ``threshold``, ``injection``, at the pins ``ejection`` of results, end markers and
    ready tokens, or ``link``), place (``core 12``, ``the pins`` or ``(0, 3) to (0, 4)``), core (None at the pins and for
    links), layers (names, of the core's slices; of `ejection` those that send results), busy_share
    (mean busy cycles of one inference over the interval between results, at most 1; a link counts as busy while it can take no
    other packet: routers and credits may be slower than its flits). A share well below 1 says that no
    unit bounds the throughput: layers wait for each other's buffers.
    """
    timing, mapping = run.result.timing, run.mapping
    busy, links = timing.busy, links_taken(run.result.tables, run.result.counts)
    row, unit = (int(i) for i in np.unravel_index(int(busy.argmax()), busy.shape))
    core: int | None = row
    layers: list[str]
    if timing.pins_busy > max(busy[row, unit], links.max(initial=0)):
        name, core, cycles, place = "ejection", None, timing.pins_busy, "the pins"
        layers = [p.name for p in mapping.network.populations if mapping.network.to_pins(p.name)]
    elif len(links) and links.max() > busy[row, unit]:
        name, core, cycles = "link", None, int(links.max())
        place = _link(run, int(links.argmax()))
        layers = []
    else:
        name, cycles = UNITS[unit], int(busy[row, unit])
        place = f"core {row}" if row != mapping.io else "the pins"
        layers = list(dict.fromkeys(s.population for s in mapping.slices if mapping.terminals[s.index] == row))
        core = None if row == mapping.io else row
    share = cycles / (run.samples * timing.interval) if timing.interval else 0.0
    return {"unit": name, "place": place, "core": core, "layers": layers, "busy_share": share}


def _link(run: Run, link: int) -> str:
    """Both ends of a link; links are numbered 4·router + direction, east, west, south, north."""
    columns = run.chip.columns
    router, direction = divmod(link, 4)
    x, y = router % columns, router // columns
    dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[direction]
    return f"({x}, {y}) to ({x + dx}, {y + dy})"


def _divided(energy: Band, time_s: float) -> Band:
    return {key: value / time_s if time_s else 0.0 for key, value in energy.items()}
