"""Statistics instead of spikes: with what probability each neuron emits each level."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity, Recording
from sfnhw.errors import ActivityError, nearest
from sfnhw.network import Network
from sfnhw.rates.given import given_rates, refuse_sums
from sfnhw.rates.groups import By, granularity_of
from sfnhw.rates.population import PopulationRates
from sfnhw.rates.recorded import count_levels
from sfnhw.rates.sampling import sample_population

# Levels that are drawn at once: each takes a byte at least, and several while it is drawn.
MOST_LEVELS = 2**32


@dataclass(frozen=True, eq=False)
class Rates:
    """An activity's statistics; `sample` draws an `Activity`, with which every later stage runs.

    Neurons, timesteps and samples are drawn independently of each other: counts are right in the mean, but bursts,
    correlations between neurons and differences between samples are lost (see docs/rates.md).

    Attributes
    ----------
    populations : name → distributions. Output populations have none: a readout sends every value once.
    source : where the numbers come from, for reports.
    """

    populations: Mapping[str, PopulationRates]
    source: str = "given"

    @classmethod
    def of(cls, activity: Activity | Recording, network: Network, by: By = "channel") -> "Rates":
        """Estimate from a recorded activity, each timestep for itself.

        Parameters
        ----------
        by : which neurons share a distribution: a granularity or explicit groups (`sfnhw.rates.group_index`), or a
            mapping from population names to these, with ``"*"`` for all others.

        Raises
        ------
        ActivityError : the activity does not fit the network, or a bad granularity.
        """
        activity = activity.activity if isinstance(activity, Recording) else activity
        activity.check(network)
        refuse_sums(network)
        populations = {}
        for p in network.populations:
            if p.role == "output":
                continue
            name, groups = granularity_of(by, network, p.name)
            populations[p.name] = count_levels(p, network.timesteps, activity.levels[p.name], name, groups)
        return cls(populations, f"recorded on {activity.samples:,} samples of {network.name!r}")

    @classmethod
    def given(cls, network: Network, rates: Mapping[str, Any]) -> "Rates":
        """Take rates from numbers: population name → rate or distribution; see `sfnhw.rates.given`.

        Raises
        ------
        ActivityError : an unknown or missing population, a rate outside [0, 1], a level the coding does not have.
        """
        return cls(given_rates(network, rates))

    def check(self, network: Network) -> None:
        """Raise ActivityError where these are not the rates of this network."""
        refuse_sums(network)
        needed = [p.name for p in network.populations if p.role != "output"]
        for name in self.populations:
            if name not in needed:
                raise ActivityError(
                    "these are the rates of another network: it has no such population (outputs have no rates)",
                    field="rates",
                    found=name,
                    expected=f"one of {', '.join(needed)}{nearest(name, needed)}",
                )
        for name in needed:
            if name not in self.populations:
                raise ActivityError("no rates for this population", field=f"rates[{name!r}]")
            self.populations[name].check(network[name], network.timesteps)

    def sample(self, network: Network, samples: int = 16, seed: int = 0) -> Activity:
        """Draw an activity: independent levels, the same for the same seed whatever else is drawn.

        A static input is drawn once for a sample and stays over its timesteps. A max pool is drawn from its own rates, like
        any population, and need not agree with what its source was drawn to send. Readouts are zeros: all are sent anyway.

        Raises
        ------
        ActivityError : these are not the rates of this network, no samples or more than `MOST_LEVELS` allows, or a negative
            seed.
        """
        self.check(network)
        for field, value, least in (("samples", samples, 1), ("seed", seed, 0)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ActivityError(field=field, found=value, expected=f"an integer ≥ {least}")
        T = network.timesteps
        each = T * sum(p.size for p in network.populations if p.role != "output")
        if samples * each > MOST_LEVELS:
            expected = f"at most {max(1, MOST_LEVELS // each):,} of {each:,} levels each: they are all held in memory"
            raise ActivityError(field="samples", found=f"{samples:,}", expected=expected)
        levels: dict[str, NDArray[Any]] = {}
        for p in network.populations:
            if p.role == "output":
                levels[p.name] = np.broadcast_to(np.zeros((), np.int64), (samples, T, p.size))
            else:
                drawn = sample_population(self.populations[p.name], p, T, int(samples), int(seed))
                if p.role == "input" and network.window > 1:  # sent once, in the first timestep of its window
                    drawn = drawn * (np.arange(T) == 0)[:, None].astype(drawn.dtype)
                levels[p.name] = drawn
        return Activity(levels)

    def expected_spikes(self, network: Network) -> dict[str, float]:
        """Population → expected spikes of one inference, over all timesteps (a readout: each neuron once)."""
        out = {}
        for p in network.populations:
            if p.role == "output":
                out[p.name] = float(p.size)
                continue
            # Where layers work in windows, an input speaks in the first timestep only.
            steps = network.updates if p.role == "input" else network.timesteps
            out[p.name] = self.populations[p.name].mean_packets(p.coding) * p.size * steps
        return out

    def save(self, path: str | Path) -> Path:
        """Write one safe .npz file; see `sfnhw.rates.file`."""
        from sfnhw.rates.file import save_rates

        return save_rates(self, path)

    @classmethod
    def load(cls, path: str | Path, network: Network | None = None) -> "Rates":
        """Read an .npz file of `save`, or a YAML or JSON file of numbers (which needs the network).

        Raises
        ------
        ActivityError : see `sfnhw.rates.file.load_rates`.
        """
        from sfnhw.rates.file import load_rates

        return load_rates(path, network)
