"""The network of fidelity `flit` by itself: against the synthetic referee's twin, against its formula, and to its end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.sim.noc import NocConfig
from tests.flit_driver import deliveries
from tests.naive_flit import Twin
from tests.naive_noc import run_burst

REFERENCE = load_chip("reference")


def mesh(**fields):
    """The reference with fields of its network."""
    return REFERENCE.replace({f"noc.{name}": value for name, value in fields.items()} | {"io.router": (0, 0)})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_unicast_is_the_synthetic_referee_to_the_cycle(data):
    """A burst from every node to one node each: every arrival as in the naive twin of `sfnhw.sim.noc`.

    With any stages: those of several cycles take what waits in batches, here and there. With credits of one cycle: a node's
    take as long as a link's here, and always one there (docs/noc.md).
    """
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    flits = draw(1, 4)
    columns, rows = draw(1, 4), draw(1, 3)
    fields = {
        "columns": columns, "rows": rows, "virtual_channels": draw(1, 4), "buffer_flits": draw(1, 6),
        "route_cycles": draw(0, 3), "vc_alloc_cycles": draw(1, 3), "switch_alloc_cycles": draw(1, 3),
        "switch_cycles": draw(1, 4),
        "link_cycles": draw(1, 3), "credit_cycles": 1,
        "routing": data.draw(st.sampled_from(["xy", "yx"])),
    }  # fmt: skip
    nodes, burst = columns * rows, draw(1, 6)
    targets = data.draw(st.lists(st.integers(0, nodes - 1), min_size=nodes, max_size=nodes))
    expected, _ = run_burst(NocConfig(packet_flits=flits, **fields), targets, burst)
    packets = [(node, [to], flits, 0) for _ in range(burst) for node, to in enumerate(targets)]
    found, *_ = deliveries(mesh(cast="unicast", **fields), packets)
    assert sorted(found.values()) == sorted(expected)


@st.composite
def meshes(draw, most_side=4, most_stage=3):
    """A small mesh with multicast, and the longest packet that it takes."""
    flits = draw(st.integers(1, 4))
    side, stage = st.integers(1, most_side), st.integers(0, most_stage)
    chip = REFERENCE.replace(
        {
            "noc.columns": draw(side), "noc.rows": draw(side), "io.router": (0, 0),
            "noc.cores_per_router": draw(st.integers(1, 2)), "noc.virtual_channels": draw(st.integers(1, 3)),
            "noc.buffer_flits": draw(st.integers(flits, 6)), "noc.route_cycles": draw(stage),
            "noc.vc_alloc_cycles": draw(stage), "noc.switch_alloc_cycles": draw(stage), "noc.switch_cycles": draw(stage),
            "noc.link_cycles": draw(st.integers(1, 3)), "noc.credit_cycles": draw(st.integers(1, 3)),
            "noc.routing": draw(st.sampled_from(["xy", "yx"])),
            "core.input_packets": draw(st.sampled_from([None, 1, 2, 5])),
        }
    )  # fmt: skip
    return chip, flits


def random_packets(draw, chip, flits, most=25):
    """Packets from random cores to random sets of cores, at random times."""
    core = st.integers(0, chip.cores - 1)
    one = st.tuples(
        core, st.lists(core, min_size=1, max_size=6, unique=True), st.integers(1, flits), st.integers(0, 30)
    )
    return sorted(draw(st.lists(one, min_size=1, max_size=most)), key=lambda p: p[3])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_multicast_is_a_naive_twin_to_the_cycle(data):
    """Trees, lengths, stages, buffers and input buffers at random: every arrival at every core as in plain Python."""
    chip, flits = data.draw(meshes())
    packets = random_packets(data.draw, chip, flits)
    hold = data.draw(st.integers(0, 20))
    twin = Twin(chip, packets, hold)
    expected = twin.run()
    assert twin.most <= chip.noc.buffer_flits, "a buffer never holds more than it has room for"
    found, *_ = deliveries(chip, packets, hold=hold)
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_alone_a_packet_takes_the_formula(data):
    """H·(RC+VA+SA+ST) + links + interface + what the tail is behind the head, to each core of a tree.

    That is flits − 1, more where stages of several cycles spread or gather the flits of a packet (`behind`). A slow link between
    chips takes (c − 1)·flits more; there stages are of one cycle, or flits would come further apart than the link has them.
    """
    board = data.draw(st.integers(1, 2))
    chip, flits = data.draw(meshes(most_stage=3 if board == 1 else 1))
    chip = chip.replace(
        {
            "noc.vertical_link_cycles": data.draw(st.sampled_from([None, 1, 4])),
            "noc.interface_cycles": data.draw(st.integers(1, 4)),
            "board.columns": board, "board.link_cycles": data.draw(st.integers(1, 30)),
            "board.flit_cycles": data.draw(st.integers(1, 4)),
        }
    )  # fmt: skip
    [(start, goals, flits, at)] = random_packets(data.draw, chip, flits, most=1)
    found, network, tables, tally = deliveries(chip, [(start, goals, flits, at)])
    noc, columns = chip.noc, chip.columns
    stages = noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles
    down = noc.vertical_link_cycles or noc.link_cycles
    for goal in goals:
        (y, x), (gy, gx) = (divmod(core // noc.cores_per_router, columns) for core in (start, goal))
        crossings = abs(x // noc.columns - gx // noc.columns)
        links = (abs(x - gx) - crossings) * noc.link_cycles + abs(y - gy) * down
        links += crossings * (chip.board.link_cycles + (chip.board.flit_cycles - 1) * flits)
        routers = abs(x - gx) + abs(y - gy) + 1
        tail = behind(noc, routers, flits)
        assert found[0, goal] - at == routers * stages + links + noc.interface_cycles + tail
    assert_empty(chip, network, tables, tally, [flits])


def behind(noc, routers, flits):
    """Cycles from a packet's head to its tail after so many routers, flit by flit: nothing else is on its way."""
    each, crossing = max(1, noc.switch_alloc_cycles), noc.switch_cycles
    times = list(range(flits))  # in which each comes, the head in cycle 0
    for _ in range(routers):
        asked = times[0] + noc.route_cycles + noc.vc_alloc_cycles
        through = []  # switch allocation: one flit each `each` cycles
        for k in range(flits):
            asked = max(asked + each * (k > 0), times[k])
            through.append(asked + noc.switch_alloc_cycles)
        start, line, times = -crossing, -1, []
        for when in through:
            if when > start:  # not of the batch before
                start = max(when, start + crossing)
            line = max(start + crossing, line + 1)
            times.append(line)
        times = [when - times[0] for when in times]
    return times[-1]


def assert_empty(chip, network, tables, tally, flits):
    """All credits and virtual channels are back, and each route node has seen its packet once."""
    from sfnhw.sim.flits.state import COPIES, CREDITS, HOLDS, ON_WAY, OWNER

    vc = network.vc.reshape(-1, 16)
    assert (vc[:, CREDITS] == chip.noc.buffer_flits).all()
    assert (vc[:, OWNER] == -1).all()
    assert (network.branch.reshape(-1, 4)[:, HOLDS] == -1).all()
    assert (network.free == (1 << chip.noc.virtual_channels) - 1).all()
    assert network.listed[COPIES] == network.listed[ON_WAY] == 0
    assert (tally.node_packets == 1).all()


def crowd(seed, chip, packets, flits):
    """Packets from everywhere to everywhere within a few cycles, one in three to all cores."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(packets):
        many = chip.cores if rng.random() < 0.3 else int(rng.integers(1, min(8, chip.cores) + 1))
        goals = rng.choice(chip.cores, many, replace=False).tolist()
        out.append((int(rng.integers(chip.cores)), goals, int(rng.integers(1, flits + 1)), int(rng.integers(0, 10))))
    return sorted(out, key=lambda p: p[3])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), meshes(), st.integers(0, 30))
def test_no_deadlock_with_the_smallest_buffers(seed, mesh_and_flits, hold):
    """As many flits as the longest packet in a buffer, one packet in an input buffer: everything gets everywhere."""
    chip, flits = mesh_and_flits
    chip = chip.replace({"noc.buffer_flits": flits, "core.input_packets": 1})
    packets = crowd(seed, chip, 60, flits)
    found, network, tables, tally = deliveries(chip, packets, hold=hold)
    assert set(found) == {(k, goal) for k, (_, goals, _, _) in enumerate(packets) for goal in goals}
    assert_empty(chip, network, tables, tally, flits)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_no_deadlock_on_a_large_mesh(seed):
    chip = mesh(columns=10, rows=10, virtual_channels=1 + seed % 2, buffer_flits=3).replace({"core.input_packets": 1})
    packets = crowd(seed, chip, 3000, 3)
    found, network, tables, tally = deliveries(chip, packets, most=10**6, hold=5)
    assert len(found) == sum(len(goals) for _, goals, _, _ in packets)
    assert_empty(chip, network, tables, tally, 3)


def test_a_full_input_buffer_pushes_back_worked_by_hand():
    """Core 0 sends two packets to core 1, whose input buffer takes one and keeps it for 100 cycles, then one to core 2.

    Unit stages, one VC of one flit. The first enters router 0 in 2 and router 1 in 2 + 5 = 7, has a VC (and the place in the
    input buffer) in 8 and is at core 1 in 12. Its place is free again in 12 + 100, which router 1 knows 2 cycles later: in 114
    the second one gets its VC and is at core 1 in 118. It wins the switch in 115, and the credit of its buffer is back
    in router 0 in 117. Only then the third one, whose way is free, wins the switch there: in router 1 in 120, in router 2 in
    125, at core 2 in 130.
    """
    chip = mesh(columns=3, rows=1, virtual_channels=1, buffer_flits=1)
    packets = [(0, [1], 1, 0), (0, [1], 1, 0), (0, [2], 1, 0)]
    limited, *_ = deliveries(chip.replace({"core.input_packets": 1}), packets, hold=100)
    assert limited == {(0, 1): 12, (1, 1): 118, (2, 2): 130}
    # With room for all, a buffer of one flit passes a packet each 7 cycles: 5 of a hop, and 2 of a credit.
    free, *_ = deliveries(chip, packets)
    assert free == {(0, 1): 12, (1, 1): 19, (2, 2): 31}


def test_one_flit_goes_to_all_outputs_at_once_and_a_blocked_branch_stops_no_other():
    """One VC: a packet of core 3 holds the core of router 1 while it is worked off; a tree through there goes on beyond."""
    chip = mesh(columns=3, rows=1, virtual_channels=1, buffer_flits=2).replace({"core.input_packets": 1})
    # The first fills core 1; the second forks in router 1: to core 1, and on to core 2.
    packets = [(1, [1], 1, 0), (0, [0, 1, 2], 2, 0)]
    found, *_ = deliveries(chip, packets, hold=50)
    # Core 1: from its own router in 7. Cores 0 and 2 of the tree are there as if it were alone: 4 + 3 + 1, 14 + 3 + 1.
    assert found == {(0, 1): 7, (1, 0): 8, (1, 2): 18, (1, 1): 7 + 50 + 2 + 4 + 1}


def test_packets_that_fork_must_fit_into_a_buffer():
    with pytest.raises(SimulationError, match=r"buffer_flits.*2.*at least 3 flits"):
        deliveries(mesh(buffer_flits=2), [(0, [1, 2], 3, 0)])
    assert deliveries(mesh(buffer_flits=2, cast="unicast"), [(0, [1], 3, 0)])[0]


def test_more_virtual_channels_than_a_router_can_have_are_refused():
    with pytest.raises(SimulationError, match=r"virtual_channels.*62 at most"):
        deliveries(mesh(virtual_channels=64), [(0, [1], 1, 0)])
