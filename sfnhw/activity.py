"""What every population emitted on real inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError
from sfnhw.network import Network


@dataclass(frozen=True, eq=False)
class Activity:
    """Levels of every population.

    Attributes
    ----------
    levels : population name → (samples, T, neurons) integers; an input that is presented unchanged at every
        timestep is a broadcast view. A level is what a neuron says at a timestep: a threshold index, a value, ±1; the
        length of a burst (`polarity`); what is left of the window, at the step of the spike (`ttfs`).
    """

    levels: Mapping[str, NDArray[Any]]

    @property
    def samples(self) -> int:
        """Number of inferences."""
        return int(next(iter(self.levels.values())).shape[0])

    @property
    def timesteps(self) -> int:
        """T."""
        return int(next(iter(self.levels.values())).shape[1])

    def check(self, network: Network) -> None:
        """Raise ActivityError where a population is missing or has another shape."""
        if not self.samples:
            raise ActivityError("no samples", field="activity", found=0, expected="at least one sample")
        for population in network.populations:
            if population.name not in self.levels:
                raise ActivityError("no levels recorded", field=f"activity[{population.name!r}]")
            found = self.levels[population.name].shape
            expected = (self.samples, network.timesteps, population.size)
            if found != expected:
                raise ActivityError(
                    field=f"activity[{population.name!r}]", found=found, expected=f"(samples, T, neurons) = {expected}"
                )

    def sent(self, network: Network, name: str) -> NDArray[np.uint8]:
        """(samples, T, neurons) how many packets each neuron sends: one a spike.

        0 or 1, but for a burst, which is as many packets as unit spikes. A readout sends all its values once: after the
        last step, or, where layers work in windows, in the first step of its own window.
        """
        levels = self.levels[name]
        coding = network[name].coding
        sent = coding.packets(levels)
        if coding.only_last_timestep:
            step = 0 if network.window > 1 else levels.shape[1] - 1
            sent[:, np.arange(levels.shape[1]) != step] = 0
        return sent

    def spikes(self, network: Network) -> dict[str, int]:
        """Spikes (packets) of each population, all samples and timesteps."""
        return {p.name: int(self.sent(network, p.name).sum()) for p in network.populations}

    def select(self, samples: slice) -> "Activity":
        """Return some of the samples."""
        return Activity({name: levels[samples] for name, levels in self.levels.items()})


@dataclass(frozen=True, eq=False)
class Recording:
    """An activity with the outputs that came with it.

    Attributes
    ----------
    activity : what every population emitted.
    outputs : (samples, output neurons) real values of the network's output (logits), in the trained network's units;
        of several output populations side by side, in their order.
    labels : (samples,) integers, or None.
    overflows : population → how many accumulators left their range (then saturated or wrapped).
    clipped_inputs : how many input values lay beyond the input coding's range.
    sampled : None, or, where spikes were drawn from `sfnhw.Rates` and not computed, from which and with what seed; then
        outputs has shape (samples, 0).
    """

    activity: Activity
    outputs: NDArray[np.float64]
    labels: NDArray[np.int64] | None = None
    overflows: dict[str, int] = field(default_factory=dict)
    clipped_inputs: int = 0
    sampled: str | None = None

    @property
    def accuracy(self) -> float | None:
        """Share of samples whose largest output is the label; None without labels."""
        if self.labels is None:
            return None
        return float((self.outputs.argmax(axis=1) == self.labels).mean())


def checked(activity: Any, network: Network) -> None:
    """Raise ActivityError where it is no activity (a `Recording` has one), or one of another network."""
    if not isinstance(activity, Activity):
        hint = ": its .activity" if isinstance(activity, Recording) else ""
        raise ActivityError(field="activity", found=type(activity).__name__, expected=f"an Activity{hint}")
    activity.check(network)
