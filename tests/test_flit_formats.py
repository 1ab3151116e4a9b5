"""Packets of several spikes at fidelity `flit`: counts and energy of `packet`, wormholes as long as what is in them."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES, PACKING
from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.mapping.packet_formats import FORMATS
from sfnhw.neurons import IF, Polarity
from sfnhw.sim import price, simulate
from sfnhw.sim.flits.wires import build_wires
from sfnhw.sim.kernel_state import LATENCY_BINS
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.naive_closed_flit import ClosedTwin
from tests.networks import chain, random_activity, random_attention, random_network
from tests.test_flit_estimate import assert_counts_alike, finite_chips
from tests.test_packet_formats import BUNDLES, bursts, packed

REFERENCE = load_chip("reference")
SEVERAL = st.sampled_from([*FORMATS[1:], "auto"])
MODES = ("dataflow", "barrier", "asynchronous")
ALL = ("packet", "flit", "auto")


def at_flit(mapping, activity):
    """A mapping with the smallest buffers that take its packets that fork, if its own do not, and its result at `flit`."""
    try:
        return mapping, simulate(mapping, activity, fidelity="flit", threads=1)
    except SimulationError as told:
        [least] = re.findall(r"noc.buffer_flits.*at least (\d+) flits", str(told))
    network, chip = mapping.network, mapping.chip
    mapping = map_network(network, chip.replace({"noc.buffer_flits": int(least)}), activity=activity)
    return mapping, simulate(mapping, activity, fidelity="flit", threads=1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), finite_chips(MODES, 3), st.floats(0, 1),
       SEVERAL, BUNDLES, st.sampled_from(["slice", "neuron"]))  # fmt: skip
def test_counts_and_energy_of_actions_are_the_same_as_at_packet(seed, T, chip, rate, form, bundles, axons):
    """Everything sent arrives once: packets, the spikes in them, their flits over each link; with buffers of one packet."""
    mode = chip.execution.mode
    network = random_network(seed, T, recurrent=mode == "asynchronous" or (mode == "barrier" and seed % 5 >= 2))
    assume(not (bursts(network) and form in ("bitmap", "dense")))
    chip = packed(chip, form, bundles).replace({"core.axon_sharing": axons, "core.axons": 10_000})
    if chip.noc.virtual_channels > 1 and seed % 3 == 0:
        chip = chip.replace({"noc.routing": "o1turn"})
    activity = random_activity(network, seed, samples=2, rate=rate)
    mapping, flit = at_flit(map_network(network, chip, activity=activity), activity)
    packet, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "auto"))
    for other in (flit, auto):
        assert_counts_alike(packet, other)
        assert packet.formats == other.formats
        assert np.array_equal(packet.actions.packing_flits, other.actions.packing_flits)
        energies = [price(r).by_action() for r in (packet, other)]
        dynamic = [{name: energy[name] for name in (*ACTION_NAMES, PACKING)} for energy in energies]
        assert dynamic[0] == dynamic[1]
    for sample, fidelity in enumerate(auto.sample_fidelity):
        expected = flit if fidelity == "flit" else packet
        assert auto.timing.latency[sample] == expected.timing.latency[sample]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), finite_chips(modes=("dataflow",)), st.floats(0, 1), SEVERAL, BUNDLES)
def test_attention_ends(seed, chip, rate, form, bundles):
    """Streams of bundles wait for the stationary operand, and end markers for packets that they end."""
    network = random_attention(seed)
    activity = random_activity(network, seed, samples=1, rate=rate)
    mapping, flit = at_flit(map_network(network, packed(chip, form, bundles)), activity)
    assert simulate(mapping, activity, threads=1).counts.equals(flit.counts)


@settings(max_examples=30, deadline=None)
@given(
    finite_chips(modes=("barrier",)), st.sampled_from(["bundled", "bitmap"]), st.integers(1, 64), st.integers(1, 400)
)
def test_one_packet_at_a_time_takes_as_long_as_at_packet(chip, form, inputs, hidden):
    """Barrier steps with one packet each: all inputs to all the slices of a silent layer, and the result to the pins."""
    chip = packed(chip, form, ("run", 64)).replace({"noc.cast": "multicast", "core.axons": 1024})
    chip = chip.replace({"noc.buffer_flits": 64})
    network = chain([inputs, hidden, 1])
    mapping = map_network(network, chip)
    levels = {p.name: np.zeros((1, 1, p.size), int) for p in network.populations}
    levels["l0"][:] = levels["l2"][:] = 1
    packet, flit = (simulate(mapping, Activity(levels), fidelity=f, threads=1) for f in ("packet", "flit"))
    assert packet.counts.sent.sum() == 2
    assert packet.timing.latency.tolist() == flit.timing.latency.tolist()
    assert np.array_equal(packet.timing.packet_latency, flit.timing.packet_latency)


# Flits of 64 inputs of 8 bits, k of them 1 of 255, and of the readout's 24 bits; 32 bits a flit, 12 of header.
LENGTHS = [
    ("bundled", 1, 1, 2),  # 12 + 6 bits of count + 1 · (6 + 8) = 32 → 1; the readout 12 + 0 + 24 = 36 → 2
    ("bundled", 64, 29, 2),  # 12 + 6 + 64 · 14 = 914
    ("bitmap", 3, 4, 2),  # 12 + 64 + 3 · 8 = 100; the readout 12 + 1 + 24 = 37
    ("dense", 1, 17, 2),  # 12 + 64 · 8 = 524
]


@pytest.mark.parametrize(("form", "spikes", "flits", "out"), LENGTHS)
def test_a_packet_is_a_wormhole_of_its_flits_worked_by_hand(form, spikes, flits, out):
    """From the pins over two routers to the only core, 3 + 2 · 4 + 1 cycles and one a flit more; likewise back; no markers.

    With two flits of buffer in each virtual channel the tail is held back, for none is sent before the credit of the flit two
    before it is back. That takes 5 cycles, switch allocation, switch and link to the next router, switch allocation there and
    the credit's link. (The head's takes 7, with its route and VC, but these two cycles it is late itself.)
    """
    hot = {"noc.columns": 2, "noc.rows": 1, "io.router": (1, 0), "noc.cast": "unicast", "execution.mode": "barrier"}
    network = chain([64, 1], IF(1))
    inputs = np.zeros((1, 1, 64), int)
    inputs[:, :, :spikes] = 1
    activity = Activity({"l0": inputs, "l1": np.ones((1, 1, 1), int)})
    for depth in (64, 2):
        chip = packed(REFERENCE, form, ("run", 64)).replace({**hot, "noc.buffer_flits": depth})
        result = simulate(map_network(network, chip, placer="sequential"), activity, fidelity="flit", threads=1)
        assert result.counts.sent_flits.reshape(-1).tolist() == [flits, out]
        tail = flits - 1 if depth == 64 else (flits - 1) // 2 * 5 + (flits - 1) % 2
        assert np.flatnonzero(result.timing.packet_latency).tolist() == sorted({12 + tail, 12 + out - 1})


def test_a_buffer_takes_a_full_packet_whatever_is_sent():
    """Left out, it is as deep as the longest packet; given, it must take those that fork and are sent."""
    network = chain([64, 600, 1])
    few, all_ = (
        Activity({p.name: (np.arange(p.size) < n)[None, None].astype(int) for p in network.populations})
        for n in (2, 1000)
    )
    depths = {}
    for form in (*FORMATS, "auto"):
        mapping = map_network(network, packed(REFERENCE, form, ("run", 64)))
        tables = build_tables(mapping)
        depths[form] = [build_wires(mapping.chip, tables, sent_neurons(mapping, a)).depth for a in (few, all_)]
    # 64 inputs of 8 bits: 12 + 6 + 64 · 14, 12 + 64 + 64 · 8 and 12 + 64 · 8 bits, in flits of 32.
    assert depths["aer"] == [8, 8]
    assert depths["bundled"] == [29, 29]
    assert depths["bitmap"] == [19, 19]
    assert depths["dense"] == [17, 17]
    assert depths["auto"][0] == depths["auto"][1]
    # Of 4 flits: two pairs take 12 + 6 + 2 · 14 bits, all 29 flits.
    mapping = map_network(network, packed(REFERENCE, "bundled", ("run", 64)).replace({"noc.buffer_flits": 4}))
    simulate(mapping, few, fidelity="flit", threads=1)
    for fidelity in ("flit", "auto"):
        changed = mapping.chip.replace({"core.input_packets": 2})  # so that auto runs it at flit
        with pytest.raises(SimulationError, match=r"buffer_flits.*4.*at least 29 flits.*unicast") as told:
            simulate(map_network(network, changed), all_, fidelity=fidelity, threads=1)
        assert "\n" not in str(told.value)
    chip = mapping.chip.replace({"noc.cast": "unicast"})
    simulate(map_network(network, chip), all_, fidelity="flit", threads=1)


def test_bursts_longer_than_a_full_packet_are_refused_in_one_sentence():
    """A bundle of 64 neurons, each with a burst of 15, has 15 times the pairs: 12 + 10 bits of count + 960 · 6 in 32."""
    network = chain([1, 64, 600, 1], Polarity(15))
    levels = {p.name: np.ones((1, 1, p.size), int) for p in network.populations}
    chip = packed(REFERENCE, "bundled", ("run", 64))
    mapping = map_network(network, chip)
    few = simulate(mapping, Activity(levels), fidelity="flit", threads=1)
    assert few.counts.equals(simulate(mapping, Activity(levels), threads=1).counts)
    activity = Activity({**levels, "l1": np.full((1, 1, 64), 15)})
    with pytest.raises(SimulationError, match=r"buffer_flits.*\(the default\).*at least 181 flits") as told:
        simulate(mapping, activity, fidelity="flit", threads=1)
    assert "\n" not in str(told.value)
    mapping = map_network(network, chip.replace({"noc.buffer_flits": 181}))
    packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
    assert_counts_alike(packet, flit)


@pytest.mark.parametrize("form", [*FORMATS[1:], "auto"])
def test_rounds_have_them_too(form):
    network = chain([64, 64, 3])
    changes = {"execution.rounds": "auto", "noc.columns": 1, "noc.rows": 1, "core.neurons": 64}
    mapping = map_network(network, packed(REFERENCE, form).replace(changes))
    assert mapping.rounds
    activity = random_activity(network, 0, 1, 0.5)
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ALL)
    for other in (flit, auto):
        assert packet.counts.equals(other.counts)
        assert packet.totals() == other.totals()


@pytest.mark.parametrize("form", [*FORMATS, "auto"])
def test_times_are_near_those_of_packet_where_nothing_is_congested(form):
    """With 4 virtual channels of 64 flits, where `packet` does not warn (docs/noc.md: −0.6 to +4.7 % of latency)."""
    for seed in range(8):
        network = random_network(seed, 1 + 2 * (seed % 2), window=False)
        if bursts(network) and form in ("bitmap", "dense"):
            continue
        chip = packed(REFERENCE, form, ("run", 64)).replace({"noc.buffer_flits": 64, "core.neurons": 100})
        mapping = map_network(network, chip)
        activity = random_activity(network, seed, samples=1, rate=(0.05, 0.2, 0.5)[seed % 3])
        packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
        if not packet.warnings:
            assert 0.99 <= flit.timing.latency[0] / packet.timing.latency[0] <= 1.06


@settings(max_examples=15, deadline=None)
@given(st.data(), st.integers(0, 100_000), st.sampled_from([1, 3]), finite_chips(("dataflow", "asynchronous"), 3),
       st.floats(0, 0.4), st.sampled_from([*FORMATS, "auto"]), BUNDLES, st.sampled_from(["slice", "neuron"]))  # fmt: skip
def test_every_cycle_equals_the_naive_twin(data, seed, T, chip, rate, form, bundles, axons):
    """Latency of the sample and of every packet: plain cores on a plain network, both in a loop."""
    network = random_network(seed, T, recurrent=chip.execution.mode == "asynchronous")
    assume(not (bursts(network) and form in ("bitmap", "dense")))
    chip = packed(chip, form, bundles).replace({
        "core.axon_sharing": axons, "core.axons": 10_000, "noc.columns": 4, "noc.rows": 4, "board.columns": 1, "board.rows": 1,
        "noc.vertical_link_cycles": None, "noc.credit_cycles": data.draw(st.integers(1, 3)), "io.bits_per_cycle": 32,
        "noc.interface_cycles": 3, "core.neurons": 200, "io.router": (0, 0), "core.synapse_lanes": 16, "core.synapse_cycles": 1,
    })  # fmt: skip
    if data.draw(st.booleans()):
        chip = chip.replace({"execution.granularity": "row", "noc.header_bits": 10})
    activity = random_activity(network, seed, samples=1, rate=rate)
    mapping = map_network(network, chip, activity=activity)
    if chip.noc.buffer_flits is None:  # the twin is told
        sent = sent_neurons(mapping, activity)
        depth = build_wires(chip, build_tables(mapping), sent).depth
        mapping = map_network(network, chip.replace({"noc.buffer_flits": depth}), activity=activity)
    mapping, result = at_flit(mapping, activity)
    twin = ClosedTwin(result.tables, mapping)
    assert twin.run(sent_neurons(mapping, activity)[0]) == result.timing.latency[0]
    assert twin.empty_at() == result.timing.occupied[0]
    timing = result.timing
    assert sum(twin.latencies) == timing.packet_latency_sum
    by_latency = np.bincount(np.minimum(twin.latencies, LATENCY_BINS - 1).astype(int), minlength=LATENCY_BINS)
    assert np.array_equal(by_latency, timing.packet_latency)
