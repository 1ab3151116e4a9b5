"""Flat tables of a network: which channel each output port feeds, and where nodes sit.

Ports of a router: 0 right, 1 left, 2 down (+y), 3 up, then one for each of its nodes. The input port of a number is fed
by the neighbour on that side. A *channel* is what an output port, or a node, sends into: the input port that it feeds, as
router·ports + port, or routers·ports + node where flits leave the network. Virtual channel v of channel c is c·V + v.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.noc.config import NocConfig

Ints = NDArray[np.int32]
RIGHT, LEFT, DOWN, UP, LOCAL = 0, 1, 2, 3, 4
# A flit is a 64-bit word that knows its way, so that a hop looks up nothing:
# bit 0: it is its packet's tail; 1 to 7: the port at the destination's router; 8 to 14 and 15 to 21: the port along y and
# along x, with the class of virtual channels that a torus needs there above it; 22 to 37: the destination's router, x and
# y; from 38: the packet's slot.
PORT_BITS, ENTRY_BITS = 6, 7
EXIT, ALONG_Y, ALONG_X, GOAL, PACKET = 1, 8, 15, 22, 38
IN_X, IN_Y = 0xFF, 0xFF00


class Fabric(NamedTuple):
    """A network as the kernels see it. R routers of P ports, V virtual channels, N nodes."""

    columns: int  # of routers
    rows: int
    wrap: bool  # torus
    routers: int
    ports: int
    nodes: int
    vcs: int
    shift: int  # VCs of all ports are numbered port·2^shift + VC, so that nothing is divided
    depth: int  # flits of a VC's buffer
    shared: int  # mask of the VC that both classes of a torus share, if a packet must have room in it; else 0
    whole: int  # places that it must have then: for all flits of a packet, or all
    route: int  # cycles
    vc_alloc: int
    switch_alloc: int
    flight: int  # cycles from switch allocation to the next router's input
    eject: int  # cycles from switch allocation to the node
    inject: int  # cycles from the node to the router's input
    credit: int  # cycles from switch allocation (or ejection) until the credit counts upstream
    channel: Ints  # (R·P,) channel that an output port feeds; −1 at the edge of a mesh
    port_router: Ints  # (R·P,) router of a port
    node_router: Ints  # (N,)
    node_port: Ints  # (N,) the node's port of its router
    node_vc: Ints  # (N,) that port's first VC
    bit_vc: Ints  # (P·V,) VC of a bit in a router's masks, port·V + VC, as port·2^shift + VC
    router_x: Ints  # (R,)
    router_y: Ints  # (R,)
    router_xy: Ints  # (R,) both, x + 256·y
    entries: int  # which entry of a flit leads on, a byte each: at the goal, along x, along y, or along either


def build(config: NocConfig) -> Fabric:
    """Lay out the network of `config`."""
    C, rows, P, V = config.router_columns, config.router_rows, config.ports, config.virtual_channels
    R, N = C * rows, config.nodes
    shift = (V - 1).bit_length()
    y, x = np.divmod(np.arange(R), C)
    channel = np.full((R, P), -1, np.int32)
    for port, dx, dy in ((RIGHT, 1, 0), (LEFT, -1, 0), (DOWN, 0, 1), (UP, 0, -1)):
        to_x, to_y = x + dx, y + dy
        inside = (to_x >= 0) & (to_x < C) & (to_y >= 0) & (to_y < rows)
        if config.topology == "torus":
            to_x, to_y = to_x % C, to_y % rows
            inside[:] = True
        # Out to the right is in from the left.
        channel[inside, port] = (to_x + to_y * C)[inside] * P + (port ^ 1)
    across, down = config.concentration_columns, config.concentration_rows
    node_y, node_x = np.divmod(np.arange(N), config.columns)
    node_router = node_x // across + (node_y // down) * C
    node_port = LOCAL + node_x % across + (node_y % down) * across
    channel[node_router, node_port] = R * P + np.arange(N)
    return Fabric(
        columns=C,
        rows=rows,
        wrap=config.topology == "torus",
        routers=R,
        ports=P,
        nodes=N,
        vcs=V,
        shift=shift,
        depth=config.buffer_flits,
        shared=1 << V // 2 if config.shares_vc and config.shared_vc == "whole" else 0,
        whole=min(config.packet_flits, config.buffer_flits),
        route=config.route_cycles,
        vc_alloc=config.vc_alloc_cycles,
        switch_alloc=config.switch_alloc_cycles,
        flight=config.switch_cycles + config.link_cycles + 1,
        eject=config.switch_cycles + 2,
        inject=2,
        credit=1 + config.credit_cycles,
        channel=channel.reshape(-1),
        port_router=np.repeat(np.arange(R, dtype=np.int32), P),
        node_router=node_router.astype(np.int32),
        node_port=node_port.astype(np.int32),
        node_vc=((node_router * P + node_port) << shift).astype(np.int32),
        bit_vc=(np.arange(P)[:, None] * (1 << shift) + np.arange(V)).reshape(-1).astype(np.int32),
        router_x=x.astype(np.int32),
        router_y=y.astype(np.int32),
        router_xy=(x + (y << 8)).astype(np.int32),
        entries=EXIT + (ALONG_X << 8) + (ALONG_Y << 16) + ((ALONG_Y if config.routing == "yx" else ALONG_X) << 24),
    )
