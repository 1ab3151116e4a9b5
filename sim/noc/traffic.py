"""Synthetic traffic: who sends to whom, and what that means for an empty network.

Patterns as in Dally and Towles, Principles and Practices of Interconnection Networks (2004), section 3.2.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError
from sfnhw.sim.noc.config import NocConfig

PATTERNS = ("uniform", "transpose", "bit-complement", "neighbor", "hotspot")


@dataclass(frozen=True)
class Traffic:
    """A pattern on the nodes of a network.

    Parameters
    ----------
    config : the network.
    pattern : `uniform` (any node, itself too), `transpose` (x, y) → (y, x), `bit-complement` n → nodes − 1 − n,
        `neighbor` (x, y) → (x + 1, y + 1) modulo the size, or `hotspot`, uniform but for the shares in `hotspots`.
    hotspots : (node, share of all packets) pairs.

    Raises
    ------
    InputError : a pattern that does not fit the network, or hotspots that do not fit it or the pattern.
    """

    config: NocConfig
    pattern: str = "uniform"
    hotspots: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise InputError(field="pattern", found=self.pattern, expected=f"one of {', '.join(PATTERNS)}")
        c = self.config
        if self.pattern == "transpose" and c.columns != c.rows:
            raise InputError(field="pattern", found="transpose", expected=f"a square network, not {c.columns}x{c.rows}")
        if self.pattern == "hotspot" and not self.hotspots:
            raise InputError(field="hotspot", expected="a node and its share, which pattern hotspot needs")
        if self.hotspots and self.pattern != "hotspot":
            found = " ".join(f"{node}:{share:g}" for node, share in self.hotspots)
            raise InputError(
                field="hotspot", found=found, expected=f"none with pattern {self.pattern}, only with hotspot"
            )
        for node, share in self.hotspots:
            if not 0 <= node < c.nodes:
                raise InputError(field="hotspot", found=node, expected=f"a node from 0 to {c.nodes - 1}")
            if not 0 < share <= 1:
                raise InputError(field="hotspot", found=share, expected="a share above 0 and up to 1")
        if sum(share for _, share in self.hotspots) > 1 + 1e-12:
            raise InputError(field="hotspot", expected="shares of 1 in all at most")

    @cached_property
    def target(self) -> NDArray[np.int32]:
        """(nodes,) the node that each sends to; −1 where it is drawn."""
        c = self.config
        node = np.arange(c.nodes)
        y, x = np.divmod(node, c.columns)
        to = {
            "transpose": y + c.columns * x,
            "bit-complement": c.nodes - 1 - node,
            "neighbor": (x + 1) % c.columns + c.columns * ((y + 1) % c.rows),
        }.get(self.pattern, np.full(c.nodes, -1))
        return to.astype(np.int32)

    @cached_property
    def routers_visited(self) -> float:
        """Mean number of routers of a packet's path, both ends included."""
        c = self.config
        node = np.arange(c.nodes)
        x = node % c.columns // c.concentration_columns
        y = node // c.columns // c.concentration_rows
        if self.target[0] >= 0:
            return float(1 + _distance(x, x[self.target], c, "x").mean() + _distance(y, y[self.target], c, "y").mean())
        spread = 1 - sum(share for _, share in self.hotspots)
        mean = 1 + spread * (_mean_distance(x, c, "x") + _mean_distance(y, c, "y"))
        for hot, share in self.hotspots:
            mean += share * float((_distance(x, x[hot], c, "x") + _distance(y, y[hot], c, "y")).mean())
        return mean

    @property
    def zero_load_latency(self) -> float:
        """Mean cycles from creation to ejection of the tail in an empty network (`packet_latency`)."""
        return packet_latency(self.config, self.routers_visited)


def packet_latency(config: NocConfig, routers: float) -> float:
    """Cycles from creation to ejection of a packet alone in the network, over `routers` routers.

    H·(route + VC allocation + switch allocation + switch) + (H − 1)·link + 3 for the head (3: injection and ejection
    channels), and `NocConfig.body_cycles` until the tail: packet_flits − 1 with unit stages and buffers that hold the
    flits of a credit's round trip.
    """
    c = config
    head = routers * (c.service_cycles + c.switch_cycles) + (routers - 1) * c.link_cycles + 3
    return head + c.body_cycles


def _distance(
    here: NDArray[np.int64], there: NDArray[np.int64] | np.int64, c: NocConfig, axis: str
) -> NDArray[np.int64]:
    apart = np.abs(here - there)
    if c.topology == "torus":
        apart = np.minimum(apart, (c.router_columns if axis == "x" else c.router_rows) - apart)
    return apart


def _mean_distance(place: NDArray[np.int64], c: NocConfig, axis: str) -> float:
    """Mean over all pairs, counted by place and not by pair of nodes."""
    count = np.bincount(place).astype(float)
    at = np.arange(len(count))
    apart = _distance(at[:, None], at[None, :], c, axis)
    return float(count @ apart @ count) / len(place) ** 2
