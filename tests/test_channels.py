"""How long a packet takes the channels of routers: by hand, as in the naive twin, and beside fidelity flit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import Graded, Readout
from sfnhw.sim import simulate
from sfnhw.sim.channels import Taken, channels_of, tail_cycles
from sfnhw.sim.link_load import links_taken
from tests.flit_driver import deliveries
from tests.networks import chain, random_activity, random_network
from tests.test_congestion import hot_link
from tests.test_packet_formats import packed
from tests.test_simulation import assert_twin, chips

REFERENCE = load_chip("reference")
STAGES = ("noc.route_cycles", "noc.vc_alloc_cycles", "noc.switch_alloc_cycles", "noc.switch_cycles")


def times(mapping, activity, *fidelities):
    return [simulate(mapping, activity, fidelity=f, threads=1).timing for f in fidelities]


def span(timing):
    """Cycles from the first latency of a packet to the last: where all are sent in a row, what the slowest channel takes."""
    seen = np.flatnonzero(timing.packet_latency)
    return int(seen[-1] - seen[0])


def test_numbers_of_unit_stages_by_hand():
    """A flit's place is used again after 7 cycles over a link, 5 to a core, 6 from a core (interface: 2 in, 1 out)."""
    one = channels_of(REFERENCE.replace({"noc.virtual_channels": 4, "noc.buffer_flits": 1}))
    assert (one.ticks, one.parts, one.moves, one.share) == (4, 1, 1, 1)
    # Route computation, VC allocation; on the way out to a core VC allocation alone.
    assert (one.link, one.exit, one.entry) == (Taken(7, 2, 1), Taken(5, 1, 1), Taken(6, 2, 1))
    two = channels_of(REFERENCE.replace({"noc.virtual_channels": 4, "noc.buffer_flits": 2}))
    assert (two.ticks, two.parts, two.link) == (8, 2, Taken(7, 4, 2))
    assert two.entry == Taken(8, 4, 2)  # 4 for the flit, more than 6 / 2
    unlimited = channels_of(REFERENCE.replace({"noc.virtual_channels": 4}))
    assert unlimited.link == Taken(0, 2, 1)
    # With o1turn the lower 2 of 3 virtual channels are of one order, the upper one of the other.
    turns = channels_of(REFERENCE.replace({"noc.virtual_channels": 3, "noc.routing": "o1turn"}))
    assert (turns.ticks, turns.shares.tolist()) == (6, [2, 3, 6])


@st.composite
def slow_routers(draw, modes=("dataflow", "asynchronous")):
    """Chips with stages of any cycles, buffers of any length, and both orders of a mesh."""
    chip = draw(chips(modes=modes))
    fields = {name: draw(st.integers(0, 3)) for name in STAGES}
    fields["noc.credit_cycles"] = draw(st.sampled_from([None, 1, 3]))
    fields["noc.interface_cycles"] = draw(st.integers(0, 3))
    if chip.noc.virtual_channels > 1:
        fields["noc.routing"] = draw(st.sampled_from(["xy", "o1turn"]))
    return chip.replace(fields)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 100_000), slow_routers(), st.floats(0, 1), st.sampled_from(["aer", "bundled"]), st.integers(2, 64)
)
def test_every_cycle_equals_the_naive_twin_whatever_the_routers(seed, chip, rate, form, bundle):
    """The twin keeps time in fractions and follows flits through the last switch one by one."""
    network = random_network(seed, 1)
    mapping = map_network(network, packed(chip, form, ("position", bundle)) if form != "aer" else chip)
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


@pytest.mark.parametrize("stages", [(1, 1, 1, 1), (3, 1, 1, 1), (1, 2, 1, 1), (1, 1, 3, 1), (2, 2, 2, 3), (0, 1, 1, 1)])
@pytest.mark.parametrize("depth", [1, 2, 16])
def test_one_virtual_channel_passes_what_it_does_flit_by_flit(stages, depth):
    """S = RC + VA + SA cycles a packet, or its credit's round trip over the buffer: what the first waits less is one cycle."""
    fields = dict(zip(STAGES, stages, strict=True)) | {"noc.virtual_channels": 1, "noc.buffer_flits": depth}
    mapping, activity = hot_link(fields)
    packet, flit = times(mapping, activity, "packet", "flit")
    trip = sum(stages) + 1 + stages[2] + 1  # to the next switch allocation's end, and back
    assert abs(span(packet) - 99 * max(sum(stages[:3]), trip / depth)) <= 2
    if depth == 2 and stages[2] > 1:  # the allocation finds no credit, and begins again
        assert 0 <= span(flit) / span(packet) - 1 < 0.2
    else:
        assert abs(span(packet) - span(flit)) <= 1


@pytest.mark.parametrize("channels", [2, 3, 4, 8])
@pytest.mark.parametrize("cycles", [2, 3])
def test_a_switch_allocation_of_several_cycles_passes_a_flit_each_time(channels, cycles):
    """However many virtual channels wait for it; RC + VA + SA over two of them are no more than that."""
    mapping, activity = hot_link({"noc.switch_alloc_cycles": cycles, "noc.virtual_channels": channels})
    packet, flit = times(mapping, activity, "packet", "flit")
    assert span(packet) == span(flit) == 99 * cycles


@pytest.mark.parametrize("bundle", [2, 4, 8])
def test_packets_of_several_flits_keep_a_virtual_channel_while_these_follow(bundle):
    """RC + VA + F·SA cycles each with one virtual channel: as long as flit by flit, to the cycle."""
    fields = {"packet.format": "bundled", "packet.bundle_neurons": bundle, "noc.flit_bits": 16}
    for stages in ((1, 1, 1, 1), (2, 1, 2, 1)):
        chosen = dict(zip(STAGES, stages, strict=True)) | {"noc.virtual_channels": 1, "noc.buffer_flits": 32}
        packet, flit = times(*hot_link(fields | chosen), "packet", "flit")
        assert packet.latency.tolist() == flit.latency.tolist()
        assert np.array_equal(packet.packet_latency, flit.packet_latency)


@pytest.mark.parametrize(("channels", "cycles"), [(2, 3.0), (3, 1.5), (4, 1.5), (5, 1.0)])
def test_a_tree_has_the_virtual_channels_of_its_order(channels, cycles):
    """A row first: ⌈V/2⌉ of them with o1turn, and S = 3 cycles each."""
    mapping, activity = hot_link({"noc.virtual_channels": channels, "noc.routing": "o1turn"})
    result = simulate(mapping, activity, threads=1)
    (flit,) = times(mapping, activity, "flit")
    assert abs(span(result.timing) - 99 * cycles) <= 1
    assert -1 <= span(flit) - span(result.timing) < 0.07 * 99  # virtual channels take turns
    # 100 spikes and an end marker, of one order: the link is taken by its virtual channels.
    assert links_taken(result.tables, result.counts).max() == pytest.approx(101 * cycles)
    (closed,) = times(mapping, activity, "analytic")
    assert closed.interval == pytest.approx(result.timing.interval, rel=0.05)


@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (2, 8), (3, 8), (4, 2), (4, 8), (1, 2)])
def test_ports_pass_what_they_do_flit_by_flit(channels, depth):
    """200 inputs and 8 neurons at the router of the pins: no link, but the ports of the pins and of the core."""
    network = chain([200, 8])
    activity = Activity({"l0": np.ones((1, 1, 200), int), "l1": np.ones((1, 1, 8), int)})
    chip = REFERENCE.replace({"noc.virtual_channels": channels, "noc.buffer_flits": depth})
    packet, flit, closed = times(map_network(network, chip), activity, "packet", "flit", "analytic")
    assert abs(packet.latency[0] - flit.latency[0]) <= 2
    # The router takes a packet each S/V cycles from the pins, a flit each cycle, or 6 over its buffer's places.
    assert packet.latency[0] - 200 * max(1, 3 / channels, 6 / channels / depth) < 80
    assert closed.latency == pytest.approx(packet.latency, rel=0.05)


def test_copies_of_one_core_share_its_port_however_they_go_on():
    """100 inputs, each as four packets to four cores around the router of the pins: V = 1 passes one each three cycles."""
    network = chain([100, 4])
    activity = Activity({"l0": np.ones((1, 1, 100), int), "l1": np.zeros((1, 1, 4), int)})
    fields = {"noc.virtual_channels": 1, "noc.cast": "unicast", "core.neurons": 1}
    mapping = map_network(network, REFERENCE.replace({**fields, "noc.columns": 3, "noc.rows": 3, "io.router": (1, 1)}))
    assert len(set(mapping.terminals[1:].tolist())) == 4
    packet, flit = times(mapping, activity, "packet", "flit")
    assert 0 <= packet.latency[0] - 3 * 404 < 60  # and the end markers
    assert abs(packet.latency[0] - flit.latency[0]) <= 3


@pytest.mark.parametrize("mode", ["dataflow", "barrier"])
def test_inputs_share_the_one_virtual_channel_of_the_pins(mode):
    """20, 40 and 60 packets from three inputs: the router takes one each RC + VA + SA = 4 cycles, in all 480."""
    sizes = (20, 40, 60)
    inputs = [Population(f"x{n}", (n,), Graded(8), role="input") for n in sizes]
    outputs = [Population(f"y{n}", (1,), Readout(), role="output") for n in sizes]
    network = Network((*inputs, *outputs), tuple(Dense(f"x{n}", f"y{n}", np.ones((1, n))) for n in sizes))
    fields = {"noc.virtual_channels": 1, "noc.route_cycles": 2, "execution.mode": mode}
    mapping = map_network(network, REFERENCE.replace(fields))
    activity = Activity({p.name: np.ones((1, 1, p.size), int) for p in network.populations})
    packet, closed = times(mapping, activity, "packet", "analytic")
    assert packet.latency[0] > 480
    assert closed.latency == pytest.approx(packet.latency, rel=0.05)


@pytest.mark.parametrize("stages", [(1, 1, 1, 1), (1, 1, 2, 1), (1, 1, 1, 3), (1, 1, 2, 3), (1, 1, 3, 2)])
def test_a_tail_alone_is_as_late_as_flit_by_flit(stages):
    """Over three routers, from the head's cycle 3·(RC + VA + SA + ST) + 2·L + 3 on."""
    fields = dict(zip(STAGES, stages, strict=True)) | {"noc.buffer_flits": 16, "noc.columns": 3, "noc.rows": 1}
    chip = REFERENCE.replace(fields)
    for flits in range(1, 7):
        out, *_ = deliveries(chip, [(0, [2], flits, 0)])
        assert out[0, 2] == 3 * sum(stages) + 2 + 3 + tail_cycles(flits, stages[2], stages[3])
