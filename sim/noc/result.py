"""What a simulation of a network tells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.noc.traffic import Traffic

# A network is saturated where the mean latency is beyond this many times that of the empty network.
SATURATION_FACTOR = 3.0


@dataclass(frozen=True)
class NocResult:
    """Latencies are in cycles, from creation to ejection of the tail, the wait in the source's queue included.

    Parameters
    ----------
    traffic : the network and the pattern.
    fidelity : `flit` or `packet`.
    by_events : whether whole packets were moved, event by event; else flits, cycle by cycle (`is_by_events`).
    rate : packets offered per node and cycle; None for a burst.
    burst : packets of each node, all of cycle 0; 0 for random traffic.
    seed, cycles, warmup : of the run; packets created in `cycles` cycles after `warmup` are measured.
    packets : measured packets that arrived.
    undelivered : measured packets that had not arrived when the run ended, as the network is beyond saturation; they
        count in the mean with their age then, which makes it a lower bound.
    mean_latency : None where no packet was measured.
    p50_latency, p99_latency : None where too many packets are undelivered to tell.
    max_latency : of those that arrived.
    accepted_rate : flits that left the network per node and cycle of the window.
    routers_visited : mean over the packets that arrived, both ends included.
    makespan : cycles until the last packet of a burst has arrived; None for random traffic.
    flit_hops : flits through routers in the whole run.
    warning : where the fidelity is beyond what it is good for.
    """

    traffic: Traffic
    fidelity: str
    by_events: bool
    rate: float | None
    burst: int
    seed: int
    cycles: int
    warmup: int
    packets: int
    undelivered: int
    mean_latency: float | None
    p50_latency: int | None
    p99_latency: int | None
    max_latency: int | None
    accepted_rate: float | None
    routers_visited: float | None
    makespan: int | None
    flit_hops: int
    warning: str | None = None

    @property
    def zero_load_latency(self) -> float:
        """Mean latency of the pattern in the empty network."""
        return self.traffic.zero_load_latency

    @property
    def saturated(self) -> bool:
        """Whether the mean latency is beyond three times that of the empty network."""
        late = self.mean_latency is not None and self.mean_latency > SATURATION_FACTOR * self.zero_load_latency
        return self.rate is not None and (late or self.undelivered > 0)

    @property
    def offered_flits(self) -> float | None:
        """Flits offered per node and cycle, of which a node's port passes one at most; None for a burst."""
        return None if self.rate is None else self.rate * self.traffic.config.packet_flits

    def as_json(self) -> dict[str, Any]:
        """Return the result as one JSON object; units are in the names."""
        rate = None if self.rate is None else self.rate
        return {
            "network": self.traffic.config.as_json(),
            "pattern": self.traffic.pattern,
            "hotspots": [{"node": node, "share": share} for node, share in self.traffic.hotspots],
            "fidelity": self.fidelity,
            "by_events": self.by_events,
            "seed": self.seed,
            "rate_packets_per_node_cycle": rate,
            "offered_flits_per_node_cycle": self.offered_flits,
            "burst_packets_per_node": self.burst or None,
            "measured_cycles": self.cycles,
            "warmup_cycles": self.warmup,
            "packets": self.packets,
            "undelivered_packets": self.undelivered,
            "mean_latency_cycles": self.mean_latency,
            "p50_latency_cycles": self.p50_latency,
            "p99_latency_cycles": self.p99_latency,
            "max_latency_cycles": self.max_latency,
            "zero_load_latency_cycles": self.zero_load_latency,
            "accepted_flits_per_node_cycle": self.accepted_rate,
            "mean_routers_visited": self.routers_visited,
            "saturated": self.saturated if self.rate is not None else None,
            "makespan_cycles": self.makespan,
            "flit_hops": self.flit_hops,
            "warning": self.warning,
            "notes": list(self.traffic.config.notes),
        }


def quantile(histogram: NDArray[np.int64], waiting: int, share: float) -> int | None:
    """Latency that `share` of all packets do not exceed, by rank; None beyond the histogram or among those that wait."""
    total = int(histogram.sum()) + waiting
    if total == 0:
        return None
    rank = max(1, int(np.ceil(share * total)))
    place = int(np.searchsorted(np.cumsum(histogram), rank))
    return place if place < len(histogram) - 1 else None
