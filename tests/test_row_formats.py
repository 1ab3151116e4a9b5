"""Packets of several spikes where rows start by themselves: bits and cycles by hand, brute force, the naive twin, laws."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity, Recording
from sfnhw.chip import load_chip
from sfnhw.errors import ChipError
from sfnhw.mapping import balance, map_network, quality, verify
from sfnhw.mapping.packet_choice import chosen_formats
from sfnhw.mapping.packet_formats import FORMATS, formats_for, packing
from sfnhw.mapping.traffic import slice_traffic
from sfnhw.network import Conv2d, Network, Population
from sfnhw.neurons import IF, SFN, Graded, Readout
from sfnhw.reports.level_bits import level_bits
from sfnhw.run import Run
from sfnhw.sim import price, record_events, simulate
from sfnhw.sim.event_log import PACKETS
from sfnhw.sim.event_records import EVENTS
from tests.naive import core_of_neuron
from tests.naive_packet_formats import packets_in
from tests.networks import chain, random_activity, random_attention, random_network
from tests.test_event_log import check_apart
from tests.test_event_waits import check_sums
from tests.test_execution_modes import BY_ROW, SLOW, chips
from tests.test_packet_formats import BUNDLES, bursts, check_walked, laid, packed
from tests.test_simulation import assert_twin

REFERENCE = load_chip("reference")
SEVERAL = st.sampled_from([*FORMATS[1:], "auto"])
AXONS = st.sampled_from(["slice", "neuron"])
DATAFLOWS = ("dataflow", "asynchronous")
# Of what spikes do: the same in any packet, whatever starts by itself.
WORK = ("sent_spikes", "spikes", "updates", "row_spikes", "row_synapses", "row_words", "row_state")


@st.composite
def cases(draw, modes=DATAFLOWS, form=SEVERAL, samples=2):
    """A mapping of a network of any kind on a chip of any kind that sends bundles row by row, and what spikes."""
    seed, form, T = draw(st.integers(0, 100_000)), draw(form), draw(st.sampled_from([1, 1, 3]))
    chip = packed(draw(chips(modes=modes)), form, draw(BUNDLES))
    chip = chip.replace({"core.axon_sharing": draw(AXONS), "core.axons": 10_000, **BY_ROW})
    if T == 1 and draw(st.booleans()):
        network = random_attention(seed)
    else:
        network = random_network(seed, T, recurrent=chip.execution.mode == "asynchronous")
    assume(not (bursts(network) and form in ("bitmap", "dense")))
    return map_network(network, chip), random_activity(network, seed, samples, draw(st.floats(0, 1)))


def image(rows=2, columns=2):
    """An image → 1 × 1 convolution → readout of as many rows."""
    shape = (1, rows, columns)
    populations = (
        Population("x", shape, Graded(8), role="input"),
        Population("a", shape, SFN.uniform(4), function="relu"),
        Population("y", shape, Readout(), role="output"),
    )
    one = np.ones((1, 1, 1, 1))
    return Network(populations, (Conv2d("x", "a", one), Conv2d("a", "y", one)))


def test_bits_of_bundles_that_end_with_their_row_worked_by_hand():
    """4 channels at 2 × 3 positions, N = 8 (3 bits), 12 bits of route key; at granularity layer a bundle of 64 holds all 24.

    Row by row 12 neurons of each of 2 rows: 1 bit of address, 4 bits for a place among 12 and for a count up to 12. Of at
    most 8 neurons two positions and one of each row: 4 bundles, 2 bits, 3 for a place. Of at most 3: 3 channels and one of
    each of 6 positions, as without rows.
    """
    chip = REFERENCE.replace(BY_ROW)
    whole = laid(SFN.uniform(8), (4, 2, 3), "bundled", ("run", 64))
    assert (whole.full, whole.address, whole.index, whole.count) == (24, 0, 5, 5)
    rows = laid(SFN.uniform(8), (4, 2, 3), "bundled", ("run", 64), chip)
    assert (rows.full, rows.address, rows.index, rows.count) == (12, 1, 4, 4)
    assert rows.bits(12, 5) == 12 + 1 + 4 + 5 * (4 + 3)
    assert rows.edges().tolist() == [0, 12, 24]
    some = laid(SFN.uniform(8), (4, 2, 3), "bitmap", ("run", 8), chip)
    assert (some.full, some.address) == (8, 2)
    assert some.edges().tolist() == [0, 8, 12, 20, 24]
    assert [some.bits(n, 2) for n in (8, 4)] == [12 + 2 + 8 + 6, 12 + 2 + 4 + 6]
    few = ("position", 3)
    parts = [laid(SFN.uniform(8), (4, 2, 3), "dense", few, c).edges().tolist() for c in (REFERENCE, chip)]
    assert parts[0] == parts[1] == [0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23, 24]


def injected(mapping, activity):
    """(layer, first cycle, cycles at the port) of each spike packet, in that order, and the latency of the sample."""
    log = record_events(mapping, activity)
    c = log.columns
    mine = (c["event"] == EVENTS.index("inject")) & (c["packet"] == PACKETS.index("spike"))
    took = (c["end_cycle"] - c["begin_cycle"])[mine]
    found = zip(c["layer"][mine].tolist(), c["begin_cycle"][mine].tolist(), took.tolist(), strict=True)
    return sorted((log.layers[layer], begin, cycles) for layer, begin, cycles in found), log


def test_two_rows_of_bundles_through_two_layers_worked_by_hand():
    """Pins and `a` on router 0, `y` on router 1; 2 rows of 2 neurons, all spike, an update takes 50 cycles. (See also the
    test of rows with address events, of test_execution_modes: 7 cycles over one router, 12 over two.)

    Row: of x 12 + 1 (address) + 1 (count) + 2 · (1 + 8) = 32 bits, one flit. Row 0 leaves the pins in 0, its marker in 1, row 1
    in 2 and 3. Row 0 is at a's core in 7, looked up 8, two synapses → 10; its marker, looked up in 9, waits for them: fed in
    10. Row 1 is there in 9, looked up 10, done 12. Row 0 of a walks 10 to 110, and its two spikes go as one flit (12 + 1 + 1 +
    2 · 3 = 20 bits) in 110, token 111, marker 112; at y's core in 122, looked up 123, done 125, and the marker, looked up 125,
    has y's row 0 walk 125 to 225. Row 1 of a walks 110 to 210: its packet leaves in 210, and y's row 1 is fed in 225. Of y
    12 + 1 + 1 + 2 · 25 = 64 bits: row 0 leaves in 225 and 226, row 1 in 325 and 326, token 327, marker 328, at the pins in 340.
    Layer: one packet for all 4. x: 12 + 2 + 4 · 10 = 54 bits, two flits in 0 and 1, marker 2; at a's core in 8, looked up 9,
    done 13. a walks to 213: 12 + 2 + 4 · 4 = 30 bits in 213, token, marker 215; at y's core in 225, looked up 226, done 230. y
    walks to 430: 12 + 2 + 4 · 26 = 118 bits, four flits from 430 on, token 434, marker 435: 447.
    """
    network, chip = image(), packed(SLOW, "bundled", ("run", 64))
    ones = Activity({p.name: np.ones((1, 1, p.size), int) for p in network.populations})
    expected = {
        "row": ([("a", 110, 1), ("a", 210, 1), ("x", 0, 1), ("x", 2, 1), ("y", 225, 2), ("y", 325, 2)], 340),
        "layer": ([("a", 213, 1), ("x", 0, 2), ("y", 430, 4)], 447),
    }
    for granularity, (packets, latency) in expected.items():
        mapping = map_network(network, chip.replace({"execution.granularity": granularity}), placer="sequential")
        assert mapping.terminals.tolist() == [2, 0, 1]
        assert injected(mapping, ones)[0] == packets
        assert simulate(mapping, ones).timing.latency.tolist() == [latency]


def test_what_is_always_sent_is_sent_for_each_row():
    """Nothing spikes: no bitmap leaves x and a, and a dense packet for each of their 3 rows; results are always sent."""
    network = image(3, 1)
    silent = Activity({p.name: np.zeros((1, 1, p.size), int) for p in network.populations})
    for form, packets in (("bitmap", [0, 0, 3]), ("dense", [3, 3, 3])):
        mapping = map_network(network, packed(REFERENCE, form).replace(BY_ROW))
        for fidelity in ("packet", "analytic", "flit"):
            counts = simulate(mapping, silent, fidelity=fidelity, threads=1).counts
            assert counts.sent.sum(axis=1).tolist() == packets


@settings(max_examples=25, deadline=None)
@given(cases())
def test_counts_are_what_a_brute_force_walk_and_the_mapper_say(case):
    """Packets, flits, look-ups, operations; kernel and closed form; traffic, balance and quality from the mapping alone."""
    mapping, activity = case
    assert verify(mapping).ok
    result = simulate(mapping, activity, threads=1)
    check_walked(mapping, activity, result)
    counts, formats = result.counts, {name: choice.format for name, choice in result.formats.items()}
    assert quality(mapping, activity).traffic_links == result.link_hops
    traffic = slice_traffic(mapping.network, mapping.slices, mapping.chip, activity, formats)
    assert np.array_equal(traffic.forward, (counts.sent_flits + counts.ends).sum(axis=1))
    assert np.array_equal(balance(mapping, activity).units[:-1], result.timing.busy[:-1])


@settings(max_examples=30, deadline=None)
@given(cases(samples=1))
def test_every_cycle_equals_the_naive_twin(case):
    """Latency of the sample and of every packet: several timesteps, windows, loops with delays, products."""
    assert_twin(*case)


@settings(max_examples=15, deadline=None)
@given(cases(form=st.just("auto")))
def test_auto_counts_bundles_by_row(case):
    """Bits of each format that a layer can have, by brute force; and the flits of the chosen one as they are simulated."""
    mapping, activity = case
    choices, slice_of = chosen_formats(mapping, activity), core_of_neuron(mapping)
    for p in mapping.network.populations:
        assert choices[p.name].bits.keys() == set(formats_for(p, mapping.chip))
        for form, bits in choices[p.name].bits.items():
            packets = packets_in(mapping, activity, p, {p.name: form}, slice_of)
            assert bits == sum(own for _, own, _ in packets)
    result = simulate(mapping, activity, threads=1)
    assert {name: choice.format for name, choice in choices.items()} == {
        name: choice.format for name, choice in result.formats.items()
    }
    flits, owner = result.counts.node_flits.sum(axis=1), result.tables.nodes.owner
    for k, p in enumerate(mapping.network.populations):
        own = result.tables.slices.population[owner] == k
        assert int(flits[own].sum()) == choices[p.name].flits[choices[p.name].format]


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    chips(modes=("dataflow",)),
    st.floats(0, 1),
    BUNDLES,
    st.booleans(),
)
def test_what_spikes_do_is_the_same_in_any_packet_and_at_any_granularity(seed, T, chip, rate, bundles, attention):
    """Where rows cut the bundles of a layer they are no fewer packets; bundles of one position are the same, as long."""
    network = random_attention(seed) if attention and T == 1 else random_network(seed, T)
    activity = random_activity(network, seed, samples=2, rate=rate)
    found, edges = {}, {}
    for form in FORMATS:
        if bursts(network) and form in ("bitmap", "dense"):
            continue
        for granularity in ("layer", "row"):
            fields = {"execution.granularity": granularity, "noc.destinations": "slice"}
            mapping = map_network(network, packed(chip, form, bundles).replace(fields))
            found[form, granularity] = simulate(mapping, activity, threads=1).counts
            edges[form, granularity] = [
                set(packing(network[s.population], s.block, mapping.chip, form).edges().tolist())
                for s in mapping.slices
            ]
    first = found["aer", "layer"]
    for counts in found.values():
        for name in WORK:
            assert np.array_equal(getattr(counts, name), getattr(first, name)), name
    for form in {form for form, _ in found}:
        layer, row = found[form, "layer"], found[form, "row"]
        pairs = zip(edges[form, "layer"], edges[form, "row"], strict=True)
        cut = [one <= other for one, other in pairs]
        assert (row.sent >= layer.sent)[cut].all()
        if form == "aer" or bundles[0] == "position":
            for name in ("sent", "sent_flits", "delivered", "node_packets", "node_flits"):
                assert np.array_equal(getattr(row, name), getattr(layer, name)), name


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), chips(modes=("dataflow",)), SEVERAL, BUNDLES)
def test_one_row_is_a_layer(seed, T, chip, form, bundles):
    """Populations without rows work as they did, to the cycle and the last energy, at each fidelity."""
    rng = np.random.default_rng(seed)
    network = chain([int(n) for n in rng.integers(1, 60, 4)], IF(T))
    activity = random_activity(network, seed)
    chip = packed(chip, form, bundles).replace({"noc.buffer_flits": None})
    layer, row = (map_network(network, c) for c in (chip, chip.replace(BY_ROW)))
    for fidelity in ("packet", "analytic", "flit"):
        whole, parted = (simulate(m, activity, fidelity=fidelity, threads=1) for m in (layer, row))
        assert whole.counts.equals(parted.counts)
        assert np.array_equal(whole.timing.latency, parted.timing.latency)
        assert np.array_equal(whole.timing.packet_latency, parted.timing.packet_latency)
        assert whole.timing.interval == parted.timing.interval
        assert price(whole).total == price(parted).total


@pytest.mark.parametrize("form", [*FORMATS[1:], "auto"])
def test_the_closed_form_is_near_the_packets(form):
    """Each latency within 15 %, each interval within 30 % (docs/execution.md)."""
    for seed in range(12):
        network = random_attention(seed) if seed % 3 == 0 else random_network(seed)
        if bursts(network) and form in ("bitmap", "dense"):
            continue
        chip = packed(REFERENCE, form, ("run", 64)).replace({"core.neurons": 128, **BY_ROW})
        mapping = map_network(network, chip)
        activity = random_activity(network, seed, rate=0.4)
        packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "analytic"))
        assert analytic.latency_cycles == pytest.approx(packet.latency_cycles, rel=0.15)
        assert analytic.timing.interval == pytest.approx(packet.timing.interval, rel=0.3)


@settings(max_examples=15, deadline=None)
@given(cases(samples=1))
def test_the_event_log_adds_up_and_a_packet_is_of_one_row(case):
    """Busy cycles, no unit twice at once, the parts of each latency; a bundle leaves when its own row has walked so far."""
    mapping, activity = case
    log, result = record_events(mapping, activity), simulate(mapping, activity, threads=1)
    check_apart(log)
    check_sums(log, mapping.chip)
    c, network = log.columns, mapping.network
    for number, event in enumerate(("axon", "synapse", "threshold", "inject")):
        mine = c["event"] == EVENTS.index(event)
        took = np.bincount(c["core"][mine], (c["end_cycle"] - c["begin_cycle"])[mine], mapping.chip.cores + 1)
        assert took.astype(int).tolist() == result.timing.busy[:, number].tolist(), event
    assert int((c["event"] == EVENTS.index("synapse")).sum()) == int(result.counts.row_spikes.sum())
    walks = c["event"] == EVENTS.index("threshold")
    of_walk = zip(*(c[k][walks].tolist() for k in ("slice", "row", "timestep", "begin_cycle")), strict=True)
    begun = {(s, y, t): begin for s, y, t, begin in of_walk}
    spikes = (c["event"] == EVENTS.index("inject")) & (c["packet"] == PACKETS.index("spike"))
    for s, neuron, t, ready in zip(
        *(c[k][spikes].tolist() for k in ("slice", "neuron", "timestep", "ready_cycle")), strict=True
    ):
        p = network[mapping.slices[s].population]
        if p.role != "input":
            assert ready > begun[s, neuron // p.columns % p.rows, t]


@settings(max_examples=10, deadline=None)
@given(cases(modes=("dataflow",)))
def test_reports_break_down_the_flits_that_are_sent(case):
    """With no carrier of levels left out nothing is saved; flits and bits are those of the packets sent, slice by slice."""
    mapping, activity = case
    result = simulate(mapping, activity, fidelity="analytic")
    run = Run(mapping.network, mapping.chip, Recording(activity, np.zeros((2, 1))), mapping, result, price(result))
    carriers = {p.name for p in mapping.network.populations if p.coding.max_level > 1}
    found = level_bits(run, carriers)
    assert np.array_equal(found.flits, result.counts.sent_flits.sum(axis=1))
    slice_of, bits = core_of_neuron(mapping), np.zeros(len(mapping.slices), int)
    for p in mapping.network.populations:
        formats = {p.name: result.formats[p.name].format}
        for home, own, _ in packets_in(mapping, activity, p, formats, slice_of):
            bits[home] += own
    assert np.array_equal(found.bits, bits)
    assert (found.bits_without <= found.bits).all()
    assert (found.flits_without <= found.flits).all()


@pytest.mark.parametrize("form", [*FORMATS[1:], "auto"])
def test_rounds_have_them_too(form):
    network = random_network(5)
    changes = {"execution.rounds": "auto", "noc.columns": 1, "noc.rows": 2, "core.neurons": 64, **BY_ROW}
    if bursts(network):
        form = "bundled" if form in ("bitmap", "dense") else form
    mapping = map_network(network, packed(REFERENCE, form).replace(changes))
    assert mapping.rounds
    assert verify(mapping).ok
    activity = random_activity(network, 0, 1, 0.5)
    packet, *others = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "analytic"))
    for other in others:
        assert packet.counts.equals(other.counts)
        assert packet.totals() == other.totals()


def test_packets_of_one_neurons_own_way_hold_one_spike_in_rows_too():
    chip = REFERENCE.replace({"noc.cast": "unicast", "noc.destinations": "neuron", **BY_ROW})
    with pytest.raises(ChipError, match=r"packet.format: .* found 'bundled', expected aer, or noc.destinations: slice"):
        chip.replace({"packet.format": "bundled"})
