"""Timesteps run channel by channel are those that the packet kernel runs event by event, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.mapping import map_network
from sfnhw.mapping.copies import tree_of
from sfnhw.sim import running
from sfnhw.sim.channel_order import FIRST_ITEM, IS_LINK, NEXT_CHANNEL, NEXT_ITEM, WHERE, _levels, order_channels
from sfnhw.sim.channels import COLUMNS_FIRST, ROWS_FIRST
from sfnhw.sim.kernel_state import SENT, STEP, begin, global_steps, room_of
from sfnhw.sim.packed import pack
from sfnhw.sim.running import run_frames
from sfnhw.sim.step_emission import LISTS
from sfnhw.sim.step_kernel import run_steps
from sfnhw.sim.stream import check_finished, empty_tally
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.networks import chain, random_activity, random_network
from tests.test_channels import slow_routers
from tests.test_simulation import REFERENCE

BARRIER = REFERENCE.replace({"execution.mode": "barrier"})


def one_way_chips():
    """Chips with a barrier and routers of all kinds, whose packets turn from rows into columns alone."""
    return slow_routers(modes=("barrier",)).map(lambda chip: chip.replace({"noc.routing": "xy"}))


def both_ways(tables, sent, T, steps=None):
    """The same frames event by event, and channel by channel."""
    packed, channels, many = pack(tables), order_channels(tables), global_steps(tables.fabric, len(sent))
    tallies = []
    for order in (None, channels):
        tally = empty_tally(tables, len(sent), T, many)
        check_finished(run_frames(sent, T, tables.slices, packed, tables.fabric, tally, steps, channels=order))
        tallies.append(tally)
    assert channels is not None
    return tallies


def assert_same(one, other, tables):
    """Of one all is by event; of the other, packets into trees are counted, which pass all nodes of these."""
    n = tables.nodes
    passed = other.node_packets + other.tree_packets[:, tree_of(n.link[: n.packet_nodes], n.roots)]
    assert np.array_equal(one.node_packets, passed)
    assert one.by_event[0] == 1 >= other.by_event[0]
    for name in one._fields:
        if name not in ("node_packets", "tree_packets", "by_event"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3, 8]),
    one_way_chips(),
    st.floats(0, 1),
    st.integers(1, 3),
)
def test_channel_by_channel_is_event_by_event(seed, T, chip, rate, samples):
    """Every count, busy cycle, latency, span of a layer and end of a step; samples back to back share the chip."""
    network = random_network(seed, T, recurrent=T > 1 and seed % 2 == 0)
    mapping = map_network(network, chip)
    sent = sent_neurons(mapping, random_activity(network, seed, samples, rate))
    tables = build_tables(mapping)
    assert_same(*both_ways(tables, sent.reshape(samples * T, -1), T), tables)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), one_way_chips(), st.data())
def test_some_of_the_steps_are_event_by_event_too(seed, chip, data):
    network = random_network(seed, 4, window=False)
    mapping = map_network(network, chip)
    tables, sent = build_tables(mapping), sent_neurons(mapping, random_activity(network, seed, 3)).reshape(12, -1)
    first = data.draw(st.integers(0, 10))
    assert_same(*both_ways(tables, sent, 4, (first, data.draw(st.integers(first, first + 3)))), tables)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), one_way_chips(), st.sampled_from([1, 3]), st.floats(0, 1))
def test_slices_whose_next_spikes_are_turns_of_the_wheel_apart(seed, chip, lanes, rate):
    """Each slice walks at a pace of its own: cycles a neuron from 1 to several turns, some so that lists are shared."""
    network = random_network(seed, 2)
    mapping = map_network(network, chip.replace({"core.threshold_unit.lanes": lanes}))
    tables, rng = build_tables(mapping), np.random.default_rng(seed)
    s = tables.slices
    pace = rng.choice([1, 3, LISTS // 2, LISTS - 1, LISTS, LISTS + 1, 5 * LISTS + 7], len(s.neurons))
    more = rng.choice([0, 1, LISTS], len(s.neurons))
    tables = tables._replace(
        slices=s._replace(
            update_cycles=np.where(s.is_input, 0, pace).astype(np.int64),
            spike_cycles=np.where(s.is_input, 0, more).astype(np.int64),
        )
    )
    sent = sent_neurons(mapping, random_activity(network, seed, 1, rate))[0]
    one, other = both_ways(tables, sent, 2)
    assert other.by_event[0] == 0
    assert_same(one, other, tables)


def test_packets_that_meet_at_a_link_in_one_cycle_worked_by_hand():
    """Two cores of one router send to a core of the next: both heads are at the router in the same cycle. One link, one VC.

    The slices begin together. The first one's spike was entered first, so its packet is served first; the other one waits
    for as long as the first holds the link, and is as many cycles later at the core.
    """
    chip = BARRIER.replace(
        {
            "noc.columns": 2, "noc.rows": 1, "noc.cores_per_router": 2, "noc.virtual_channels": 1, "core.neurons": 2,
            "noc.vc_alloc_cycles": 3,
        }
    )  # fmt: skip
    network = chain([1, 4, 2])
    mapping = map_network(network, chip, placer="sequential")
    tables = build_tables(mapping)
    sent = np.zeros((1, 7), np.uint8)
    sent[0, [1, 3]] = 1  # the first neuron of each of the two slices
    one, other = both_ways(tables, sent, 1)
    assert_same(one, other, tables)
    f, hold = tables.fabric, 1 + 3 + 1  # route computation, VC allocation, switch allocation
    # Injection, two routers, the link between them and ejection; each packet has one flit.
    alone = f.port_cycles + f.injection_cycles - 1 + 2 * f.router_cycles + chip.noc.link_cycles + f.ejection_cycles
    assert np.flatnonzero(other.latency_histogram).tolist() == [alone, alone + hold]


@pytest.mark.parametrize(("second", "later"), [(ROWS_FIRST, 5), (COLUMNS_FIRST, 2)])
def test_trees_of_one_order_wait_for_its_virtual_channel_and_others_for_the_link_alone(second, later):
    """As above with o1turn and two virtual channels: each order has one, for RC + VA + SA = 5 cycles a packet.

    Of two orders the second packet is a cycle later at the exit, whose two virtual channels, free for both, take one each
    (VA + SA) / 2 = 2 cycles.
    """
    fields = {"noc.columns": 2, "noc.rows": 1, "noc.cores_per_router": 2, "core.neurons": 2, "noc.vc_alloc_cycles": 3}
    chip = BARRIER.replace({**fields, "noc.virtual_channels": 2, "noc.routing": "o1turn"})
    tables = build_tables(map_network(chain([1, 4, 2]), chip, placer="sequential"))
    n = tables.nodes
    vc_class = np.where(n.owner == 2, second, ROWS_FIRST).astype(np.int8)
    tables = tables._replace(nodes=n._replace(vc_class=vc_class))
    sent = np.zeros((1, 7), np.uint8)
    sent[0, [1, 3]] = 1  # the first neuron of each of the two slices
    one, other = both_ways(tables, sent, 1)
    assert_same(one, other, tables)
    first, last = np.flatnonzero(other.latency_histogram)
    assert last - first == later


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), one_way_chips())
def test_every_channel_is_behind_those_that_feed_it(seed, chip):
    mapping = map_network(random_network(seed, 2), chip)
    tables = build_tables(mapping)
    c = order_channels(tables)
    channels, items = c.channels.reshape(-1, 8), c.items.reshape(-1, 4)
    of = np.repeat(np.arange(len(channels) - 1), np.diff(channels[:, FIRST_ITEM]))
    links = channels[of, IS_LINK] == 1
    assert (items[links, NEXT_CHANNEL] > of[links]).all()
    assert (of[items[links, NEXT_ITEM]] == items[links, NEXT_CHANNEL]).all()
    # Each link and each terminal is one channel at most, and every way out of a packet's route node is an item.
    assert len({(k, w) for k, w in channels[:-1, [IS_LINK, WHERE]].tolist()}) == len(channels) - 1
    n, trees = tables.nodes, tables.nodes.packet_nodes
    assert len(items) == n.child_first[trees] + n.exit_first[trees]


@pytest.mark.parametrize("fields", [{"execution.mode": "dataflow"}, {"packet.format": "bundled"}])
def test_where_work_or_packets_are_of_another_kind_there_is_no_order(fields):
    assert order_channels(build_tables(map_network(chain([8, 16, 8]), BARRIER.replace(fields)))) is None


def test_channels_that_go_round_have_no_order_and_others_the_longest_way_to_each():
    """0 feeds 1, 1 and 0 feed 2, 2 feeds 3; with 3 before 1 they go round, and one before itself does."""
    up, down = np.array([0, 1, 0, 2]), np.array([1, 2, 2, 3])
    assert _levels(up, down, 5).tolist() == [0, 1, 2, 3, 0]
    assert _levels(np.append(up, 3), np.append(down, 1), 5) is None
    assert _levels(np.append(up, 4), np.append(down, 4), 5) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), one_way_chips())
def test_packets_that_turn_either_way_are_the_same_too_where_there_is_an_order(seed, chip):
    network = random_network(seed, 2)
    mapping = map_network(network, chip.replace({"noc.routing": "o1turn", "noc.virtual_channels": 2 + seed % 3}))
    tables, sent = build_tables(mapping), sent_neurons(mapping, random_activity(network, seed, 1))[0]
    # Orders as they come, and shuffled over the trees: then they meet on links.
    rng, trees = np.random.default_rng(seed), tree_of(tables.nodes.link, np.flatnonzero(tables.nodes.link < 0))
    shuffled = rng.integers(ROWS_FIRST, COLUMNS_FIRST + 1, int(trees.max()) + 1).astype(np.int8)[trees]
    for vc_class in (tables.nodes.vc_class, shuffled):
        tables = tables._replace(nodes=tables.nodes._replace(vc_class=vc_class))
        if order_channels(tables) is not None:
            assert_same(*both_ways(tables, sent, 2), tables)


def test_a_timestep_too_long_for_32_bits_goes_on_event_by_event():
    """Three packets through a port that takes 2^30 cycles a packet: more than 2^31 cycles, which a record does not hold."""
    network = chain([4, 3, 2])
    tables = build_tables(map_network(network, BARRIER, placer="sequential"))
    tables = tables._replace(fabric=tables.fabric._replace(port_cycles=2**30))
    sent = np.zeros((2, 9), np.uint8)
    sent[1, 4:7] = 1  # the hidden layer, in the second frame: the first one's steps are short
    one, other = both_ways(tables, sent, 2)
    assert_same(one, other, tables)
    assert one.latency_total[1] >= 3 * 2**30 - 100  # the last one is ready a few cycles after the first
    packed, tally = pack(tables), empty_tally(tables, 2, 2, 5)
    state = begin(2, room_of(len(tables.slices.neurons), packed), tables.slices, packed, tables.fabric, None)
    args = (sent.reshape(-1), 2, tables.slices, packed, tables.fabric, order_channels(tables), state, tally, 1000)
    assert not run_steps(*args)
    # It stands before the step in which the second frame's hidden layer works: two steps are over, and nothing is sent.
    assert (int(state.clock[STEP]), tally.by_slice[:, :, SENT].sum()) == (2, 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), one_way_chips(), st.integers(0, 200))
def test_from_a_timestep_with_more_packets_than_there_is_room_for_it_goes_event_by_event(seed, chip, room):
    network = random_network(seed, 4, window=False)
    mapping = map_network(network, chip)
    sent = sent_neurons(mapping, random_activity(network, seed, 1))[0]
    tables = build_tables(mapping)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "ARRIVALS", room)
        assert_same(*both_ways(tables, sent, 4), tables)
