"""Energy over the spike rate: T steps of IF, one step of N = T thresholds, and the quantised network of equal levels.

Spikes are drawn at the same rate in every hidden population (`sfnhw.rates`); the inputs stay as they were recorded. What
neurons really do on these inputs is a point beside each line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Recording
from sfnhw.break_even.measure import Tell, figures, measure
from sfnhw.break_even.thresholds import scaling_for
from sfnhw.chip import Chip
from sfnhw.errors import SfnhwError
from sfnhw.network import Network
from sfnhw.rates import Rates
from sfnhw.recode import recode
from sfnhw.record import Inputs, record

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
STEPS = 5
SAMPLES = 4
# Yan, Bai and Wong, arXiv 2409.08290 v4 (2026), abstract: "under typical neuromorphic hardware conditions, SNNs with
# moderate time windows (T = 5) require an average spike rate below 5.7 % to outperform equivalent QNNs".
PUBLISHED_STEPS, PUBLISHED_RATE = 5, 0.057


@dataclass(frozen=True)
class _Way:
    name: str
    network: Network
    chip: Chip
    recording: Recording


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
    for name, options in _options(steps, chip, scaling_for(network)).items():
        tell(f"break-even over the spike rate: {name}")
        try:
            way = _recorded(name, network, chip, inputs, labels, options)
            ways[name] = _line(way, rates, seed, fidelity, placer)
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


def _options(steps: int, chip: Chip, scaling: str) -> dict[str, dict[str, Any]]:
    spacing = "power-of-two" if chip.core.threshold_unit.kind == "power-of-two" else "uniform"
    return {
        "if": {"coding": "if", "timesteps": steps, "scaling": scaling},
        "one step": {"coding": "mtn", "thresholds": steps, "spacing": spacing, "scaling": scaling},
        "graded": {"coding": "graded", "bits": steps.bit_length(), "scaling": scaling},
    }


def _recorded(
    name: str, network: Network, chip: Chip, inputs: Inputs, labels: NDArray[Any] | None, options: dict[str, Any]
) -> _Way:
    subject = recode(network, **options)
    sharing = chip.core.threshold_unit.sharing
    recording = record(subject, inputs, labels=labels, numerics=chip.numerics, threshold_sharing=sharing)
    return _Way(name, subject, chip, recording)


def _line(way: _Way, rates: Sequence[float], seed: int, fidelity: str, placer: str) -> dict[str, Any]:
    from sfnhw.reports.comparison import network_coding

    seen = Rates.of(way.recording, way.network, by="population")
    energies, spikes = [], []
    for rate in rates:
        given = Rates.given(way.network, {"*": rate})
        mixed = {p.name: seen.populations[p.name] for p in way.network.inputs}
        drawn = Rates({**given.populations, **mixed}, "a rate for all").sample(way.network, SAMPLES, seed)
        run = measure(way.network, way.chip, Recording(drawn, np.zeros((SAMPLES, 0))), fidelity, placer)
        told = figures(run)
        energies.append(told["energy_j"])
        spikes.append(told["spikes"])
    real = measure(way.network, way.chip, way.recording, fidelity, placer)
    values = np.array([e["value"] for e in energies])
    rise = (values[-1] - values[0]) / max(spikes[-1] - spikes[0], 1e-300)
    return {
        "coding": network_coding(real),
        "energy_j": energies,
        "recorded": {"rate": hidden_rate(way.network, way.recording), **figures(real)},
        "fixed_energy_j": float(values[0]),
        "energy_per_spike_j": float(rise),
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
    for way, rival in (("if", "graded"), ("one step", "graded"), ("if", "one step")):
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
    for i in range(1, len(rates)):
        if energies[i] >= level:
            share = (level - energies[i - 1]) / (energies[i] - energies[i - 1])
            return float(rates[i - 1] + share * (rates[i] - rates[i - 1]))
    return float(rates[-1])
