"""The rounds of a network larger than the chip: what is on the chip when, and what bringing it there costs."""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy as np

from sfnhw.actions import OFF_CHIP
from sfnhw.mapping.rounds import Load
from sfnhw.reports.text import percent, quantity
from sfnhw.run import Run
from sfnhw.sim.rounds import RoundResult
from sfnhw.units import seconds

KEYS = ("value", "low", "high")
Band = dict[str, float]


def rounds_report(run: Run) -> dict[str, Any] | None:
    """Return the rounds as JSON values, per inference; None where the whole network is on the chip at once.

    Keys
    ----
    number : of rounds.
    load_s, load_share_of_latency : time in which weights are brought to the cores, all rounds.
    load_energy_j : ``{value, low, high}`` of it: reading them off the chip, pins, routers and links, writing them into the
        cores' memories, and leakage meanwhile. load_share_of_energy : of the run's.
    spikes_energy_j : ``{value, low, high}`` writing spikes off the chip for later rounds and reading them again, without
        the pins. spikes_share_of_energy : of the run's.
    rounds : rows of layers (names), slices, cores, load_bits, load_s, run_s (mean over samples, from the end of the load
        until the chip is empty), saved_bits and replayed_bits (of spikes, to and from the memory off the chip).
    """
    if not run.result.rounds:
        return None
    n, clock, latency = run.samples, run.chip.clock_mhz, run.result.latency_cycles
    total = run.cost.total.as_joules(n)["value"]
    loading = sum(r.load.cycles for r in run.result.rounds)
    load_energy = _load_energy(run, loading / latency)
    moved = sum(r.saved_bits + r.replayed_bits for r in run.result.rounds) / n
    spikes = _times(astuple(run.chip.energy_price(OFF_CHIP)), moved)
    return {
        "number": len(run.result.rounds),
        "load_s": seconds(loading, clock),
        "load_share_of_latency": loading / latency,
        "load_energy_j": load_energy,
        "load_share_of_energy": load_energy["value"] / total if total else 0.0,
        "spikes_energy_j": spikes,
        "spikes_share_of_energy": spikes["value"] / total if total else 0.0,
        "rounds": [_row(r, n, clock) for r in run.result.rounds],
    }


def rounds_text(found: Mapping[str, Any]) -> str:
    """Return e.g. ``4 rounds; loading weights takes 93 % of the time and 88 % of the energy (12 µJ)``."""
    return (
        f"{found['number']:,} rounds an inference; loading weights takes {percent(found['load_share_of_latency'])} of the "
        f"time and {percent(found['load_share_of_energy'])} of the energy ({quantity(found['load_energy_j']['value'], 'J')}); "
        f"spikes kept off the chip {percent(found['spikes_share_of_energy'])}"
    )


def _row(r: RoundResult, samples: int, clock_mhz: float) -> dict[str, Any]:
    mapping = r.result.mapping
    names = [s.population for s, at in zip(mapping.slices, mapping.terminals, strict=True) if at != mapping.io]
    return {
        "layers": list(dict.fromkeys(names)),
        "slices": len(names),
        "cores": mapping.cores_used,
        "load_bits": int(r.load.bits.sum()),
        "load_s": seconds(r.load.cycles, clock_mhz),
        "run_s": seconds(r.run_cycles, clock_mhz),
        "saved_bits": r.saved_bits / samples,
        "replayed_bits": r.replayed_bits / samples,
    }


def _load_energy(run: Run, share_of_time: float) -> Band:
    """Joules of one inference's loads: their events, and their share of the leakage, which goes with time."""
    chip = run.chip
    out = dict.fromkeys(KEYS, 0.0)
    for r in run.result.rounds:
        for price, amount in _amounts(run, r.load):
            out = _sum(out, _times(price, amount))
        words = int((r.load.weight_words + r.load.state_words).sum())
        out = _sum(out, _times(astuple(chip.static_price("core_clock")), words))
    by_action = run.cost.by_action()
    for term in ("core_leakage", "gate_leakage", "router_leakage"):
        leaked = by_action[term].as_joules(run.samples)
        out = _sum(out, {key: leaked[key] * share_of_time for key in KEYS})
    return out


def _amounts(run: Run, load: Load) -> list[tuple[tuple[float, ...], int]]:
    """(price [pJ], how often) of what one load does."""
    chip, nodes = run.chip, load.routes
    through = load.flits[nodes.owner]
    linked = nodes.link >= 0
    down = linked & (nodes.link % 4 >= 2)
    amounts = {
        "weight_write": load.weight_words,
        "state_write": load.state_words,
        "io_bit": load.flits * chip.noc.flit_bits,
        OFF_CHIP: load.bits,
        "router_flit": through,
    }
    out = [(astuple(chip.energy_price(name)), int(np.sum(amount))) for name, amount in amounts.items()]
    out.append((astuple(chip.static_price("router_clock")), int(through.sum())))
    out.append((astuple(chip.link_price(False)), int(through[linked & ~down].sum())))
    return [*out, (astuple(chip.link_price(True)), int(through[down].sum()))]


def _times(price_pj: tuple[float, ...], amount: float) -> Band:
    return {key: price * amount * 1e-12 for key, price in zip(KEYS, price_pj, strict=True)}


def _sum(a: Band, b: Band) -> Band:
    return {key: a[key] + b[key] for key in KEYS}
