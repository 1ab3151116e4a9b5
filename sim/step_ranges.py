"""Timesteps of one sample on several threads, under a barrier.

A global step begins on an idle chip, but where a link or a port is still taken that one of the step before has used
(`Tally.carried`). So ranges of steps, each run from an empty chip on and set one after the other, are the whole run. What a
slice sends for a frame, and all that it brings about, falls in one global step: threads count in the same arrays, each in
places of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.channel_order import Channels
from sfnhw.sim.kernel_state import Tally, global_steps
from sfnhw.sim.packed import Packed
from sfnhw.sim.running import run_frames
from sfnhw.sim.stream import empty_tally, no_times
from sfnhw.sim.tables import Fabric, Tables

Ints = NDArray[np.int64]

# Of `Tally`, what is counted by frame of a slice. All else is of the range.
SHARED = (
    "by_slice", "by_row", "row_ends", "tree_packets", "node_packets", "node_control", "sent_spikes", "sent_flits", "row_spikes",
    "node_flits",
)  # fmt: skip
_SUMS = ("busy", "link_busy", "latency_histogram", "waits", "by_event", "steps", "carried")


def ranges_each(f: Fabric, samples: int, T: int, threads: int) -> int:
    """Ranges of timesteps that each sample is run in, so that all threads have work: one where samples are enough for that."""
    if not f.barrier or f.window > 1:
        return 1
    return max(1, min(-(-threads // samples), global_steps(f, T)))


@dataclass(frozen=True)
class Sample:
    """A sample that is run in ranges of global steps.

    Attributes
    ----------
    sent : (T, neurons in slice-major order) spikes of each neuron. bounds : of the ranges.
    whole : what the sample counts, at first nothing. wide : count in 64 bits.
    """

    tables: Tables
    packed: Packed
    channels: Channels | None
    sent: NDArray[np.uint8]
    bounds: tuple[int, ...]
    whole: Tally
    wide: bool

    @classmethod
    def of(
        cls, tables: Tables, packed: Packed, channels: Channels | None, sent: NDArray[np.uint8], ranges: int, wide: bool
    ) -> "Sample":
        """Cut a sample into so many ranges."""
        T = len(sent)
        steps = global_steps(tables.fabric, T)
        bounds = tuple(steps * k // ranges for k in range(ranges + 1))
        return cls(tables, packed, channels, sent, bounds, empty_tally(tables, T, T, steps, wide), wide)

    def run(self, k: int) -> Tally:
        """Run the k-th range; returns what it has counted, with times since it began."""
        first, last = self.bounds[k], self.bounds[k + 1] - 1
        T = len(self.sent)
        shared = {name: getattr(self.whole, name) for name in SHARED}
        own = Tally(**shared, **no_times(self.tables, T, T, last - first + 1))
        self._run(own, (first, last))
        return own

    def joined(self, parts: list[Tally]) -> Tally:
        """Return the sample's tally, of those of its ranges: of a new run in one piece, where a range began too early."""
        if any(part.carried[1] for part in parts[:-1]):
            T = len(self.sent)
            again = empty_tally(self.tables, T, T, len(self.whole.step_end), self.wide)
            self._run(again, None)
            return again
        f, begin, whole = self.tables.fabric, 0, self.whole
        finished_in = np.arange(len(self.sent)) * f.interval + f.last_due
        for part, low, high in zip(parts, self.bounds[:-1], self.bounds[1:], strict=True):
            for name in _SUMS:
                mine = getattr(whole, name)
                mine += getattr(part, name)
            whole.latency_total[0] += part.latency_total[0]
            whole.latency_total[1] = max(whole.latency_total[1], part.latency_total[1])
            whole.step_end[low:high] = begin + part.step_end
            here = (low <= finished_in) & (finished_in < high)
            whole.finish[here] = begin + part.finish[here]
            began = part.layer_start >= 0
            earlier = began & ((whole.layer_start < 0) | (begin + part.layer_start < whole.layer_start))
            whole.layer_start[earlier] = begin + part.layer_start[earlier]
            worked = began | (part.layer_end > 0)
            whole.layer_end[worked] = np.maximum(whole.layer_end[worked], begin + part.layer_end[worked])
            whole.occupied[0] = begin + part.occupied[0]
            begin += int(part.step_end[-1])
        whole.carried[1] = parts[-1].carried[1]
        return whole

    def _run(self, tally: Tally, steps: tuple[int, int] | None) -> None:
        t = self.tables
        run_frames(self.sent, len(self.sent), t.slices, self.packed, t.fabric, tally, steps, None, self.channels)
