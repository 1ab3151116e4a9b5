"""Energy over the spike rate: T steps of IF, one step of N = T thresholds, and the quantised network of equal levels.

Spikes are drawn at the same rate in every hidden population (`sfnhw.rates`); the inputs stay as they were recorded. What
neurons really do on these inputs is a point beside each line.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Recording
from sfnhw.break_even.measure import Tell, measure
from sfnhw.break_even.thresholds import IF_STEPS, ONE_STEP, QUANTISED, codings, scaling_for, spacing_of
from sfnhw.chip import Chip
from sfnhw.errors import SfnhwError
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.rates import Rates
from sfnhw.recode import recode
from sfnhw.record import Inputs, record_on_chip
from sfnhw.reports.comparison import network_coding
from sfnhw.reports.run_figures import run_figures

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
STEPS = 5
SAMPLES = 4
# Yan, Bai and Wong, arXiv 2409.08290 v4 (2026), abstract: "under typical neuromorphic hardware conditions, SNNs with
# moderate time windows (T = 5) require an average spike rate below 5.7 % to outperform equivalent QNNs".
PUBLISHED_STEPS, PUBLISHED_RATE = 5, 0.057


def over_spike_rate(
    network: Network,
    chip: Chip,
    inputs: Inputs,
    labels: NDArray[Any] | None,
    rates: Sequence[float],
    steps: int,
    seed: int,
    fidelity: str,
    placer: str,
    tell: Tell,
) -> dict[str, Any]:
    """Return lines, recorded points and break-even rates; energies are J per inference.

    Keys: timesteps (T), rates, lines (way → {energy_j: one a rate, recorded: {rate, energy_j}, fixed_energy_j (at rate 0),
    energy_per_spike_j (slope), coding}), skipped (way → reason), break_even (see `crossings`), published.
    """
    ways: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    spacing = spacing_of(chip.core.threshold_unit.kind)
    for name, options in codings(steps, scaling_for(network), spacing).items():
        tell(f"break-even over the spike rate: {name}")
        try:
            subject = recode(network, **options)
            ways[name] = _line(subject, chip, inputs, labels, rates, seed, fidelity, placer)
        except SfnhwError as error:
            skipped[name] = str(error)
    return {
        "timesteps": steps,
        "rates": list(rates),
        "lines": ways,
        "skipped": skipped,
        "break_even": crossings(ways, list(rates)),
        "published": {
            "timesteps": PUBLISHED_STEPS,
            "rate": PUBLISHED_RATE,
            "source": "Yan, Bai and Wong, arXiv 2409.08290 v4, abstract",
        },
    }


def _line(
    network: Network,
    chip: Chip,
    inputs: Inputs,
    labels: NDArray[Any] | None,
    rates: Sequence[float],
    seed: int,
    fidelity: str,
    placer: str,
) -> dict[str, Any]:
    recording = record_on_chip(network, chip, inputs, labels)
    mapping = map_network(network, chip, placer=placer, activity=recording.activity)
    seen = Rates.of(recording, network, by="population")
    as_recorded = {p.name: seen.populations[p.name] for p in network.inputs}
    drawn = []
    for rate in rates:
        same = Rates({**Rates.given(network, {"*": rate}).populations, **as_recorded}, "one rate for all")
        spikes = Recording(same.sample(network, SAMPLES, seed), np.zeros((SAMPLES, 0)))
        drawn.append(run_figures(measure(mapping, spikes, fidelity)))
    real = measure(mapping, recording, fidelity)
    first, last = drawn[0], drawn[-1]
    more = last["spikes"] - first["spikes"]
    rise = (last["energy_j"]["value"] - first["energy_j"]["value"]) / more if more else 0.0
    return {
        "coding": network_coding(real),
        "energy_j": [point["energy_j"] for point in drawn],
        "recorded": {"rate": hidden_rate(network, recording), **run_figures(real)},
        "fixed_energy_j": first["energy_j"]["value"],
        "energy_per_spike_j": rise,
    }


def hidden_rate(network: Network, recording: Recording) -> float:
    """Return spikes (values that are not zero) per hidden neuron and timestep."""
    hidden = [p for p in network.populations if p.role == "hidden"]
    sent = sum(int(np.count_nonzero(recording.activity.levels[p.name])) for p in hidden)
    places = sum(recording.activity.levels[p.name].size for p in hidden)
    return sent / places if places else 0.0


def crossings(lines: dict[str, dict[str, Any]], rates: list[float]) -> list[dict[str, Any]]:
    """Return the rates at which a spiking network costs as much as a rival.

    Keys: way, rival, rival_rate (at which the rival works: as recorded, or 1, every value sent), rate: below it `way` is
    cheaper; None where it is dearer at any rate, 1 where it is cheaper at any rate.
    """
    out = []
    for way, rival in ((IF_STEPS, QUANTISED), (ONE_STEP, QUANTISED), (IF_STEPS, ONE_STEP)):
        if way not in lines or rival not in lines:
            continue
        line = [e["value"] for e in lines[way]["energy_j"]]
        dense = lines[rival]["energy_j"][-1]["value"]
        recorded = lines[rival]["recorded"]
        for rival_rate, energy in ((recorded["rate"], recorded["energy_j"]["value"]), (rates[-1], dense)):
            out.append({"way": way, "rival": rival, "rival_rate": rival_rate, "rate": crossing(rates, line, energy)})
    return out


def crossing(rates: Sequence[float], energies: Sequence[float], level: float) -> float | None:
    """Return the rate at which a rising line reaches a level, linearly between its points; see `crossings`."""
    if energies[0] >= level:
        return None
    # Where times make a line dip, the first point that is as high counts.
    return float(np.interp(level, np.maximum.accumulate(energies), rates))
