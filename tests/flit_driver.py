"""Packets through the network of `sfnhw.sim.flits` alone: trees and times given by hand, no cores."""

import numpy as np

from sfnhw.sim.channels import channels_of, vc_classes
from sfnhw.sim.flits.cycle import busy, enqueue, step
from sfnhw.sim.flits.state import empty_network
from sfnhw.sim.flits.wires import build_wires
from sfnhw.sim.kernel_state import FREE, NEXT_NEURON, NEXT_READY, PENDING, begin
from sfnhw.sim.packed import pack
from sfnhw.sim.parts import WINDOWS, PartTable
from sfnhw.sim.route_nodes import NodeTable, links_of
from sfnhw.sim.stream import empty_tally
from sfnhw.sim.tables import Fabric, RowTable, SliceTable, Tables
from sfnhw.sim.wheel import BORN, FRAME, INDEX, NEXT, WHAT, WHEEL

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))


def ints(values=()):
    return np.array(values, np.int64)


def words(values=()):
    return np.array(values, np.int32)


def tree(chip, start, goals):
    """Nested dictionaries {direction: subtree, "exits": [cores]} of the dimension-order paths from core to cores."""
    C, tile = chip.columns, chip.noc.cores_per_router
    root = {"router": start // tile, "exits": []}
    for goal in goals:
        at = root
        while at["router"] != goal // tile:
            (x, y), (gx, gy) = divmod(at["router"], C)[::-1], divmod(goal // tile, C)[::-1]
            along = [0 if gx > x else 1] if gx != x else []
            down = [2 if gy > y else 3] if gy != y else []
            order = along + down if chip.noc.routing == "xy" else down + along
            dx, dy = SIDES[order[0]]
            at = at.setdefault(order[0], {"router": x + dx + C * (y + dy), "exits": []})
        at["exits"].append(goal)
    return root


def tables_of(chip, packets):
    """Tables with a slice for each packet (source core, goals, flits, cycle); a slice's packets are as long as its own."""
    nodes = {k: [] for k in ("owner", "router", "link", "children", "exits")}
    child_first, exit_first, roots = [0], [0], []

    def add(owner, at, link):
        mine = [(owner, at, link)]
        flat = []
        while mine:  # level by level; children get their numbers as they are met
            flat.append(mine.pop(0))
            mine += [
                (owner, at_, 4 * flat[-1][1]["router"] + side)
                for side, at_ in flat[-1][1].items()
                if side in (0, 1, 2, 3)
            ]
        first = len(nodes["owner"])
        number = {id(at): first + k for k, (_, at, _) in enumerate(flat)}
        for o, at, into in flat:
            nodes["owner"].append(o)
            nodes["router"].append(at["router"])
            nodes["link"].append(into)
            nodes["children"] += [number[id(at[side])] for side in (0, 1, 2, 3) if side in at]
            nodes["exits"] += at["exits"]
            child_first.append(len(nodes["children"]))
            exit_first.append(len(nodes["exits"]))
        return first

    for k, (start, goals, _, _) in enumerate(packets):
        roots.append(add(k, tree(chip, start, goals), -1))
    n, noc = len(packets), chip.noc
    zeros = np.zeros(n, np.int64)
    slices = SliceTable(
        zeros, ints([p[0] for p in packets]), zeros + 1, np.arange(n + 1), *[zeros] * 8, zeros > 0,
        ints([p[2] for p in packets]), *[zeros] * 4, zeros > 0, zeros > 0,
    )  # fmt: skip
    rows = RowTable(
        *[words()] * 9, np.zeros(0, np.uint16), np.zeros(0, np.int32), np.zeros((0, 4), np.int64), *[ints() > 0] * 3
    )
    table = NodeTable(
        words(nodes["owner"]), words(nodes["router"]), words(nodes["link"]), **links_of(chip),
        child_first=words(child_first), children=words(nodes["children"]),
        exit_first=words(exit_first), exits=words(nodes["exits"]),
        row_first=np.zeros(len(nodes["exits"]) + 1, np.int32), rows=words(),
        root_first=np.arange(n + 1), starts=words(roots), ready_root_first=np.zeros(n + 1, np.int64), ready_roots=words(),
        packet_nodes=len(nodes["owner"]), copy_first=ints(),
        vc_class=vc_classes(chip, words(nodes["link"]), words(child_first), words(nodes["children"])),
    )  # fmt: skip
    fabric = Fabric(
        chip.cores, chip.routers, noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles,
        max(0, noc.interface_cycles - 1), min(1, noc.interface_cycles), noc.port_cycles,
        channels_of(chip), 1, True, False, False, 1, 1, 0,
        noc.flit_bits, 1, 1, False, 0, 1, 1, 0,
    )  # fmt: skip
    parts = PartTable(
        np.arange(n + 1), np.arange(n), zeros + 1, *[zeros] * 3, *[np.zeros((n, WINDOWS), np.int64)] * 2,
        np.zeros(1, np.int64), ints(), *[words()] * 5,
    )  # fmt: skip
    return Tables(slices, rows, table, parts, fabric, 1)


def deliveries(chip, packets, most=20_000, hold=None):
    """{(packet, core): cycle of its last flit there}, and the network as it is left.

    packets : (source core, goals, flits, cycle), in order of time. hold : cycles that a packet stays in an input buffer.
    """
    tables = tables_of(chip, packets)
    packed, wires, T = pack(tables), build_wires(chip, tables, np.ones((1, 1, len(packets)), np.uint8)), 1
    network, tally = empty_network(wires), empty_tally(tables, 1, 1)
    state = begin(1, 4 * len(packets) + 4 * wires.routers * wires.ports, tables.slices, packed, tables.fabric, None)
    state.slices.reshape(-1, 32)[:, [NEXT_NEURON, NEXT_READY]] = 0
    out, todo, back = {}, list(enumerate(packets)), []
    now = 0
    while todo or busy(network) or state.clock[PENDING]:
        assert now < most, "stuck"
        while todo and todo[0][1][3] == now:
            k, (core, *_rest) = todo.pop(0)
            root = int(tables.nodes.roots[k]) << 1
            state.clock[FREE] = enqueue(
                wires, network, state, state.clock[FREE], core, root, 0, 0, packets[k][2], now, now
            )
            state.clock[PENDING] += 1
        for when, port in [b for b in back if b[0] == now]:
            network.entries[port] += 1
            back.remove((when, port))
        for exit_, born in popped(state, now):
            assert born <= now
            out[int(np.searchsorted(tables.nodes.exit_first, exit_, "right")) - 1, int(tables.nodes.exits[exit_])] = now
            state.clock[PENDING] -= 1
            if wires.exit_entry[exit_] >= 0:
                back.append((now + (hold or 0) + wires.entry_back, int(wires.exit_entry[exit_])))
        step(wires, network, packed, tables.slices, state, tally, T, now)
        now += 1
    owner = tables.nodes.owner
    return {(int(owner[node]), core): when for (node, core), when in out.items()}, network, tables, tally


def popped(state, now):
    """Exits, and births, of the packets that are out in this cycle."""
    from sfnhw.sim.wheel import LISTS, TURN_BITS, deal

    if now and now % WHEEL == 0:
        deal(state.when_born, state.events, state.tail, state.many, np.zeros(LISTS, np.int64), now >> TURN_BITS)
    events, births = state.events.reshape(-1, 8), state.when_born.reshape(-1, 4)
    bucket, found = now % WHEEL, []
    while events[bucket, NEXT] >= 0:
        e = int(events[bucket, NEXT])
        found.append((int(events[e, WHAT]) >> 3, int(births[e, BORN])))
        assert events[e, INDEX] == 0
        assert events[e, FRAME] == 0
        events[bucket, NEXT] = events[e, NEXT]
        events[e, NEXT] = state.clock[FREE]
        state.clock[FREE] = e
    state.tail[bucket] = bucket
    return found
