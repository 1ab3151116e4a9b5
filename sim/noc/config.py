"""What a network-on-chip is: its shape, its routers' buffers and the cycles of each stage."""

from dataclasses import asdict, dataclass
from typing import Any

from sfnhw.errors import InputError

TOPOLOGIES = ("mesh", "torus", "cmesh")
ROUTINGS = ("xy", "yx")
SHARED_VCS = ("whole", "any")
# A mask has one bit for each input VC of a router; it is a signed 64-bit integer and stays positive.
MASK_BITS = 62
# Places in all buffers, for which memory is set aside: about 40 B each.
MOST_PLACES = 20_000_000
# Name → (lowest, highest). Without a lookahead route a stage takes one cycle at least.
_LIMITS = {
    "columns": (1, 256),
    "rows": (1, 256),
    "concentration_columns": (1, 8),
    "concentration_rows": (1, 8),
    "virtual_channels": (1, 15),
    "buffer_flits": (1, 65_535),
    "packet_flits": (1, 4096),
    "route_cycles": (0, 1000),
    "vc_alloc_cycles": (1, 1000),
    "switch_alloc_cycles": (1, 1000),
    "switch_cycles": (1, 1000),
    "link_cycles": (1, 1000),
    "credit_cycles": (1, 1000),
}


@dataclass(frozen=True)
class NocConfig:
    """A network of input-queued virtual-channel routers.

    Parameters
    ----------
    topology : `mesh`, `torus`, or `cmesh`, a mesh whose routers serve a block of nodes each.
    columns, rows : nodes across and down; node id = x + columns·y.
    concentration_columns, concentration_rows : nodes of one router across and down; 1 × 1 but on `cmesh` (2 × 2).
    virtual_channels : of each channel, injection and ejection included.
    buffer_flits : depth of each virtual channel's buffer.
    packet_flits : length of every packet.
    route_cycles : route computation; 0 is look-ahead routing, done in the router before.
    vc_alloc_cycles, switch_alloc_cycles, switch_cycles, link_cycles : the other stages of a hop.
    credit_cycles : of a credit on its way back, as `link_cycles` are of a flit.
    routing : `xy` goes along the row first, `yx` along the column.
    shared_vc : of a torus with an odd number of virtual channels, the one that both classes share: `whole` lets a packet
        into it if all of it has room there, or the buffer is empty, and cannot deadlock; `any` asks for nothing, as
        BookSim 2 does, and can. Without meaning elsewhere.

    Raises
    ------
    InputError : a value out of range, or values that do not fit each other.
    """

    topology: str = "mesh"
    columns: int = 8
    rows: int = 8
    concentration_columns: int = 0
    concentration_rows: int = 0
    virtual_channels: int = 4
    buffer_flits: int = 8
    packet_flits: int = 1
    route_cycles: int = 1
    vc_alloc_cycles: int = 1
    switch_alloc_cycles: int = 1
    switch_cycles: int = 1
    link_cycles: int = 1
    credit_cycles: int = 1
    routing: str = "xy"
    shared_vc: str = "whole"

    def __post_init__(self) -> None:
        _one_of("topology", self.topology, TOPOLOGIES)
        _one_of("routing", self.routing, ROUTINGS)
        _one_of("shared_vc", self.shared_vc, SHARED_VCS)
        for name in ("concentration_columns", "concentration_rows"):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, 2 if self.topology == "cmesh" else 1)
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InputError(field=name, found=value, expected=f"a whole number from {low} to {high:,}")
        self._check_shape()

    def _check_shape(self) -> None:
        across, down = self.concentration_columns, self.concentration_rows
        if self.topology != "cmesh" and (across, down) != (1, 1):
            expected = "1 × 1, or topology cmesh"
            raise InputError(field="concentration", found=f"{across} × {down}", expected=expected)
        if self.columns % across or self.rows % down:
            expected = f"columns and rows that blocks of {across} × {down} nodes fill"
            raise InputError(field="size", found=f"{self.columns} × {self.rows}", expected=expected)
        if self.ports * self.virtual_channels > MASK_BITS:
            most = MASK_BITS // self.ports
            expected = f"{most} at most with {self.ports} ports a router"
            raise InputError(field="virtual_channels", found=self.virtual_channels, expected=expected)
        if self.shared_vc == "any" and not self.shares_vc:
            expected = "whole, but on a torus with an odd number of virtual channels"
            raise InputError(field="shared_vc", found=self.shared_vc, expected=expected)
        if self.topology == "torus" and self.virtual_channels < 2:
            expected = "2 at least: a torus with one can deadlock"
            raise InputError(field="virtual_channels", found=self.virtual_channels, expected=expected)

        places = (self.router_columns * self.router_rows * self.ports + self.nodes) * self.virtual_channels
        if places * self.buffer_flits > MOST_PLACES:
            expected = f"{MOST_PLACES // places:,} at most with {places:,} virtual channels in all"
            raise InputError(field="buffer_flits", found=self.buffer_flits, expected=expected)

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.columns * self.rows

    @property
    def router_columns(self) -> int:
        """Routers across."""
        return self.columns // self.concentration_columns

    @property
    def router_rows(self) -> int:
        """Routers down."""
        return self.rows // self.concentration_rows

    @property
    def ports(self) -> int:
        """Ports of a router: four directions and its nodes."""
        return 4 + self.concentration_columns * self.concentration_rows

    @property
    def shares_vc(self) -> bool:
        """Whether both classes of a torus share a virtual channel."""
        return self.topology == "torus" and self.virtual_channels % 2 == 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the network's numbers should know: sentences, none for most networks."""
        if self.topology != "torus" or self.virtual_channels > 2:
            return ()
        return (
            "with 2 virtual channels a packet on a torus may use 1 of them, that of its class, which keeps rings from "
            "deadlock; such a torus can saturate below a mesh with 2",
        )

    @property
    def hop_cycles(self) -> int:
        """Cycles from one router's input to the next one's."""
        stages = self.route_cycles + self.vc_alloc_cycles + self.switch_alloc_cycles
        return stages + self.switch_cycles + self.link_cycles

    @property
    def service_cycles(self) -> int:
        """S: an input VC passes one packet of one flit each S cycles (route, VC and switch allocation)."""
        return self.route_cycles + self.vc_alloc_cycles + self.switch_alloc_cycles

    @property
    def channel_rate(self) -> float:
        """Flits a cycle that a channel passes at most, with buffers that do not limit it: min(1, V·F/(S + F − 1))."""
        packet = self.service_cycles + self.packet_flits - 1
        return min(1.0, self.virtual_channels * self.packet_flits / packet)

    @property
    def body_cycles(self) -> int:
        """Cycles from a packet's first flit to its last, at the end of its path in an empty network.

        A virtual channel sends a flit each `switch_alloc_cycles`, and as many as a buffer holds until their credits are
        back over a link; flits behind the head need neither a route nor a virtual channel. `switch_drag_cycles` are
        in.
        """
        behind, pace = self.packet_flits - 1, self.switch_alloc_cycles
        trip = self.switch_cycles + self.link_cycles + 2 * pace + self.credit_cycles
        stalls = behind // self.buffer_flits * max(0, trip - self.buffer_flits * pace)
        return behind * pace + stalls + self.switch_drag_cycles

    @property
    def switch_drag_cycles(self) -> int:
        """Cycles by which a switch of several cycles delays a packet's last flit more than its first.

        It takes what waits when it is through with what it took before. Flits that come faster than it works leave the
        allocation every `switch_alloc_cycles`, go through it in batches and leave one a cycle.
        """
        behind, pace, cycles = self.packet_flits - 1, self.switch_alloc_cycles, self.switch_cycles
        if behind == 0 or pace >= cycles:
            return 0
        begins = -(-behind * pace // cycles) * cycles
        before_it = behind - 1 - (begins - cycles) // pace
        return begins + before_it - behind * pace

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return asdict(self)


def _one_of(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(field=field, found=value, expected=f"one of {', '.join(known)}")
