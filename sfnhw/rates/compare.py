"""What rates get wrong: a run on recorded spikes beside one on spikes drawn from rates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfnhw.activity import Activity, Recording
from sfnhw.chip import Chip, load_chip
from sfnhw.mapping import Mapping, map_network
from sfnhw.network import Network
from sfnhw.rates.rates import Rates
from sfnhw.rates.run import sampled_recording
from sfnhw.reports.layers import layer_rows
from sfnhw.run import Run
from sfnhw.sim import price, simulate

# Name → (unit, what it is); of one inference, in the mean over samples, unless it says otherwise.
QUANTITIES = {
    "spikes": "spike packets an inference",
    "packets": "packets an inference, end markers and ready tokens included",
    "synaptic_operations": "synaptic operations an inference",
    "energy_j": "energy an inference, J",
    "latency_s": "total: first input to last result; layer: from its first to its last work, s",
}
ONLY_TOTAL = {
    "latency_max_s": "the slowest sample, s",
    "spikes_std": "standard deviation over samples of the spikes of an inference: how much inferences differ",
}


@dataclass(frozen=True)
class Compared:
    """One quantity on recorded and on sampled spikes; None where a layer never worked."""

    recorded: float | None
    sampled: float | None

    @property
    def relative(self) -> float | None:
        """(sampled − recorded) / recorded; 0 where both are 0, None where only the recorded one is, or one is unknown."""
        if self.recorded is None or self.sampled is None:
            return None
        if self.recorded == 0:
            return 0.0 if self.sampled == 0 else None
        return (self.sampled - self.recorded) / self.recorded

    def as_json(self) -> dict[str, float | None]:
        """Return ``{recorded, sampled, relative}``."""
        return {"recorded": self.recorded, "sampled": self.sampled, "relative": self.relative}


@dataclass(frozen=True)
class RatesComparison:
    """Recorded beside sampled.

    Attributes
    ----------
    total : quantity (`QUANTITIES` and `ONLY_TOTAL`) → both values.
    layers : population → quantity (`QUANTITIES`) → both values, in network order.
    recorded_samples, sampled_samples, seed, source : how both came about.
    """

    total: dict[str, Compared]
    layers: dict[str, dict[str, Compared]]
    recorded_samples: int
    sampled_samples: int
    seed: int
    source: str

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as in run.json under ``rates_comparison``."""
        return {
            "source": self.source,
            "seed": self.seed,
            "recorded_samples": self.recorded_samples,
            "sampled_samples": self.sampled_samples,
            "total": {name: pair.as_json() for name, pair in self.total.items()},
            "layers": {name: {k: v.as_json() for k, v in row.items()} for name, row in self.layers.items()},
        }


def compare(
    network: Network,
    chip: Chip | str | Path,
    recorded: Activity | Recording,
    rates: Rates,
    seed: int = 0,
    *,
    samples: int | None = None,
    fidelity: str = "packet",
    placer: str = "hilbert",
    threads: int | None = None,
) -> RatesComparison:
    """Simulate and price both on the same mapping, and set them side by side.

    Parameters
    ----------
    recorded : what really happened, e.g. `sfnhw.record(...)` with the chip's numerics.
    samples : how many to draw; as many as were recorded if not given.
    placer : as of `estimate`; on the recorded spikes, for both.

    Raises
    ------
    SfnhwError : as `map_network`, `simulate` and `Rates.sample`.
    """
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    if isinstance(recorded, Activity):
        recorded = Recording(recorded, np.zeros((recorded.samples, 0)))
    mapping = map_network(network, chip, placer=placer, activity=recorded.activity)
    drawn = sampled_recording(rates, network, samples or recorded.activity.samples, seed)
    runs = [_run(mapping, recording, fidelity, threads) for recording in (recorded, drawn)]
    return compare_runs(runs[0], runs[1], rates, seed)


def compare_runs(recorded: Run, sampled: Run, rates: Rates, seed: int) -> RatesComparison:
    """Set two runs of one network on one chip side by side: the first on recorded spikes, the second on sampled ones."""
    rows = [{row["name"]: _quantities(row) for row in layer_rows(run)} for run in (recorded, sampled)]
    totals = [_total(run, list(layers.values())) for run, layers in zip((recorded, sampled), rows, strict=True)]
    return RatesComparison(
        _pairs(totals[0], totals[1]),
        {name: _pairs(rows[0][name], rows[1][name]) for name in rows[0]},
        recorded.samples,
        sampled.samples,
        seed,
        rates.source,
    )


def _run(mapping: Mapping, recording: Recording, fidelity: str, threads: int | None) -> Run:
    result = simulate(mapping, recording.activity, fidelity=fidelity, threads=threads)
    return Run(mapping.network, mapping.chip, recording, mapping, result, price(result))


def _quantities(row: dict[str, Any]) -> dict[str, float | None]:
    start, end = row["start_s"], row["end_s"]
    latency = None if start is None or end is None else end - start
    return {key: row[key] for key in QUANTITIES if key != "latency_s"} | {"latency_s": latency}


def _total(run: Run, layers: list[dict[str, float | None]]) -> dict[str, float | None]:
    counts = ("spikes", "packets", "synaptic_operations")
    row: dict[str, float | None] = {key: sum(layer[key] or 0.0 for layer in layers) for key in counts}
    activity, network = run.recording.activity, run.network
    each = sum(activity.sent(network, p.name).sum(axis=(1, 2)) for p in network.populations)
    latency = run.result.timing.latency
    return row | {
        "energy_j": run.cost.total.as_joules(run.samples)["value"],
        "latency_s": run.result.latency_s,
        "latency_max_s": run.result.latency_s * float(latency.max()) / float(latency.mean()),
        "spikes_std": float(np.std(each)),
    }


def _pairs(recorded: dict[str, float | None], sampled: dict[str, float | None]) -> dict[str, Compared]:
    return {key: Compared(recorded[key], sampled[key]) for key in recorded}
