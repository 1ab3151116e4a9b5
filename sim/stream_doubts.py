"""Where the interval of samples back to back at fidelity `packet` is in doubt, those alone being in doubt or not.

Back to back all layers work at once, and packets of one sample wait for those of the next. So it is asked of the run that the
interval comes from what `sfnhw.sim.congestion` asks of samples alone, and what routers leave out is set beside the interval:
bursts of all layers fall into each step between barriers. Limits are measured (`python -m benchmarks.doubts`, docs/noc.md).
"""

from typing import NamedTuple

from sfnhw.sim.counts import Counts
from sfnhw.sim.link_load import link_utilisation
from sfnhw.sim.tables import Tables
from sfnhw.sim.timing import Timing

# Mean time of packets in the network over that of an empty one, back to back, beyond which a loaded link (of as much as is a
# doubt of samples alone) is a doubt of the interval; and share of the interval that routers may take more.
MOST_STREAM_CONGESTION, MOST_MISSED_OF_INTERVAL = 1.05, 0.08


class StreamDoubts(NamedTuple):
    """Why an interval at `packet` is in doubt.

    Attributes
    ----------
    congestion : mean time of packets in the network over that of an empty one, where it is a doubt; else 0.
    utilisation : share of the interval for which the most loaded link is taken; 0 where packets do not wait.
    missed : share of the interval that routers may take more.
    """

    congestion: float
    utilisation: float
    missed: float

    @property
    def any(self) -> bool:
        """Whether it is in doubt."""
        return self.congestion > 0 or self.missed > MOST_MISSED_OF_INTERVAL

    def sentences(self, barrier: bool) -> tuple[str, ...]:
        """Return what a reader of the interval must know; barrier : whether barriers end the steps."""
        told = []
        if self.congestion:
            told.append(
                "the interval of inferences back to back is in doubt: they wait for one another in the network (packets take "
                f"{self.congestion:.2f} times as long through it as through an empty one, and its most loaded link is taken for "
                f"{self.utilisation:.0%} of the interval); fidelity flit (or auto) has finite buffers"
            )
        if self.missed > MOST_MISSED_OF_INTERVAL:
            bursts = "bursts of packets between barriers, " if barrier else ""
            told.append(
                f"{bursts}router stages of several cycles, or buffers of less than two credits' round trips, may make the interval of "
                f"inferences back to back longer by {self.missed:.0%} or so, which fidelity packet does not see; fidelity flit (or "
                "auto) does"
            )
        return tuple(told)


def stream_doubts(
    tables: Tables, counts: Counts, timing: Timing, links: float, limits: tuple[float, float]
) -> StreamDoubts:
    """Look for reasons.

    timing : at fidelity `packet`, with its interval. links : of `missed_by_links`. limits : of samples alone, congestion that is a
    doubt by itself where slices work a row at a time, and utilisation of the most loaded link.
    """
    assert timing.stream_congestion is not None, "an interval of fidelity packet"
    samples, waits, taken = len(timing.latency), timing.stream_congestion, 0.0
    if waits > MOST_STREAM_CONGESTION:  # loads of links are sums over all route nodes: only where they are asked for
        taken = link_utilisation(tables, counts, samples, timing.interval)
    rows = bool(tables.parts.many.max(initial=1) > 1)
    congested = taken > limits[1] or (rows and waits > limits[0])
    return StreamDoubts(waits if congested else 0.0, taken, links / samples / max(1.0, timing.interval))
