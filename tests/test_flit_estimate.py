"""Fidelity `flit` in an estimate: the same cores and counts as `packet`, on a network with finite buffers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES
from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity, random_attention, random_network
from tests.test_simulation import chips, lonely

REFERENCE = load_chip("reference")


@st.composite
def finite_chips(draw, modes=("dataflow", "barrier"), longest_stage=1):
    """Chips of all kinds, with buffers that fill; packets are four flits at most.

    longest_stage : cycles of a switch allocation, and of the switch, at most.
    """
    stages = {}
    if longest_stage > 1:
        names = ("noc.vc_alloc_cycles", "noc.switch_alloc_cycles", "noc.switch_cycles")
        stages = {name: draw(st.integers(1, longest_stage)) for name in names}
    return draw(chips(modes)).replace(
        stages
        | {
            "noc.buffer_flits": draw(st.sampled_from([None, 4, 6])),
            "noc.credit_cycles": draw(st.sampled_from([None, 1, 3])),
            "core.input_packets": draw(st.sampled_from([None, 1, 3])),
            "noc.interface_cycles": draw(st.sampled_from([0, 1, 3])),
            "noc.route_cycles": draw(st.integers(0, longest_stage)),
        }
    )


def assert_counts_alike(packet, flit):
    """Two fidelities do the same, whenever: counts, actions, busy cycles of units and links, packets delivered."""
    assert packet.counts.equals(flit.counts)
    assert packet.totals() == flit.totals()
    assert np.array_equal(packet.actions.core, flit.actions.core)
    assert np.array_equal(packet.timing.busy, flit.timing.busy)
    assert np.array_equal(packet.timing.link_busy, flit.timing.link_busy)
    assert packet.timing.packet_latency.sum() == flit.timing.packet_latency.sum()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    st.one_of(finite_chips(), finite_chips(longest_stage=4)),
    st.floats(0, 1),
)
def test_counts_and_energy_of_actions_are_the_same_at_every_fidelity(seed, T, chip, rate):
    """Everything sent arrives: packets, look-ups, synapses, flits over each link, busy cycles of every unit."""
    network = random_network(seed, T, recurrent=chip.execution.mode == "barrier" and seed % 5 >= 2)
    if chip.noc.virtual_channels > 1 and seed % 3 == 0:
        chip = chip.replace({"noc.routing": "o1turn"})
    activity = random_activity(network, seed, samples=2, rate=rate)
    mapping = map_network(network, chip, activity=activity)
    packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
    assert flit.fidelity == "flit"
    assert_counts_alike(packet, flit)
    # Leakage, and a core's clock, are for times, which differ.
    energies = [price(r).by_action() for r in (packet, flit)]
    dynamic = [{name: energy[name] for name in ACTION_NAMES} for energy in energies]
    assert dynamic[0] == dynamic[1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), finite_chips(modes=("dataflow",)), st.floats(0, 1))
def test_attention_ends_with_finite_buffers(seed, chip, rate):
    """What streams to a product waits in a queue of its own: it never keeps out the stationary operand."""
    network = random_attention(seed)
    mapping, activity = map_network(network, chip), random_activity(network, seed, samples=1, rate=rate)
    packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
    assert packet.counts.equals(flit.counts)


@settings(max_examples=30, deadline=None)
@given(finite_chips(modes=("barrier",)), st.integers(1, 400))
def test_one_packet_at_a_time_takes_as_long_as_at_packet(chip, hidden):
    """Barrier steps with one packet each: an input to all the slices of a silent layer, and the result to the pins."""
    chip = chip.replace({"noc.cast": "multicast", "noc.destinations": "slice", "core.axons": 1024})
    network = chain([1, hidden, 1])
    mapping = map_network(network, chip)
    levels = {p.name: np.zeros((1, 1, p.size), int) for p in network.populations}
    levels["l0"][:] = levels["l2"][:] = 1
    packet, flit = (simulate(mapping, Activity(levels), fidelity=f, threads=1) for f in ("packet", "flit"))
    assert packet.timing.latency.tolist() == flit.timing.latency.tolist()
    assert np.array_equal(packet.timing.packet_latency, flit.timing.packet_latency)


def test_latency_of_one_spike_through_the_chip_worked_by_hand():
    """The case of `test_simulation`, 41 cycles at packet, where the end markers find their router's input VC busy.

    The spike of h goes by virtual channel 0 from router 0 to router 1, which is free again when its end marker, two flits
    later, asks for one: it takes 0, the lowest. In router 1 the spike comes in 17 and wins the switch in 19; the marker
    comes in 19, is routed from 20 on instead, and so is at y's core in 25 instead of 24. Likewise the end marker of y
    stands in router 0 behind the second flit of the readout, and is at the pins another cycle later: 41 + 1 + 1 = 43.
    The spikes themselves take as long as alone: 7, 12 and 12 + 1.
    """
    network, mapping = lonely(2)
    activity = Activity({p.name: np.ones((1, 1, 1), int) for p in network.populations})
    result = simulate(mapping, activity, fidelity="flit")
    assert result.timing.latency.tolist() == [43]
    assert np.flatnonzero(result.timing.packet_latency).tolist() == [7, 12, 13]


def test_narrow_pins_hold_a_packet_until_its_last_bit():
    """The case of `test_simulation` with pins of one bit, 32 cycles a flit, at barrier steps: one packet at a time.

    In: 32 + 2 + 4 = 38. From core to core 12. Out: 3 + 8 + 1 cycles for the first flit less one of the pins, and 64 for both.
    """
    network, mapping = lonely(2)
    activity = Activity({p.name: np.ones((1, 1, 1), int) for p in network.populations})
    fields = {"io.bits_per_cycle": 1, "execution.mode": "barrier"}
    narrow = map_network(network, mapping.chip.replace(fields), placer="sequential")
    result = simulate(narrow, activity, fidelity="flit")
    assert np.flatnonzero(result.timing.packet_latency).tolist() == [12, 38, 12 - 1 + 64]


def test_a_slow_core_holds_the_pins_back():
    """100 spikes to one core that takes 50 cycles for each: with room for one, the pins cannot be more than a few ahead.

    Places on the way, all of one packet: the buffer of the router's input and the place in the core. So packet k leaves the
    pins when the lanes have begun with packet k − 3 at the latest; without a limit one leaves each cycle.
    """
    network = chain([100, 1])
    activity = Activity({"l0": np.ones((1, 1, 100), int), "l1": np.zeros((1, 1, 1), int)})
    slow = {"core.synapse_cycles": 50, "noc.virtual_channels": 1, "noc.buffer_flits": 2}
    ends = {}
    for places in (None, 1):
        mapping = map_network(network, REFERENCE.replace({**slow, "core.input_packets": places}))
        result = simulate(mapping, activity, fidelity="flit", threads=1)
        ends[places] = int(result.timing.layer_end[0, 0])
        # The lanes are what it takes in both cases: 100 × 50 cycles, and a little.
        assert 5000 <= result.timing.latency[0] <= 5100
    assert ends[None] < 400
    assert 95 * 50 <= ends[1] <= 5000


def test_threads_and_repetition_change_nothing():
    network = random_network(3, 2)
    chip = REFERENCE.replace({"core.neurons": 100, "noc.virtual_channels": 2, "core.input_packets": 2})
    mapping, activity = map_network(network, chip), random_activity(network, 3, samples=5, rate=0.7)
    one, three, again = (simulate(mapping, activity, fidelity="flit", threads=n) for n in (1, 3, 1))
    for other in (three, again):
        assert np.array_equal(one.timing.latency, other.timing.latency)
        assert np.array_equal(one.timing.packet_latency, other.timing.packet_latency)
        assert one.timing.interval == other.timing.interval
        assert one.counts.equals(other.counts)


def test_a_packet_longer_than_a_buffer_is_refused_in_one_sentence():
    network = chain([16, 600, 1])
    chip = REFERENCE.replace({"noc.flit_bits": 16, "noc.buffer_flits": 1})
    activity = random_activity(network, 0, samples=1)
    simulate(map_network(network, chip.replace({"noc.cast": "unicast"})), activity, fidelity="flit")
    mapping = map_network(network, chip)
    simulate(mapping, activity)
    with pytest.raises(SimulationError, match=r"buffer_flits.*1.*at least 2 flits") as told:
        simulate(mapping, activity, fidelity="flit")
    assert "\n" not in str(told.value)
