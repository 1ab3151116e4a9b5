"""Packet formats: bits by hand, counts against a brute-force walk, times against a naive twin, laws, and the choice."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.mapping import balance, map_network, quality
from sfnhw.mapping.packet_choice import formats_of
from sfnhw.mapping.packet_formats import FORMATS, packing
from sfnhw.mapping.traffic import slice_traffic
from sfnhw.network import Population
from sfnhw.neurons import IF, SFN, TTFS, Graded, Polarity, Readout
from sfnhw.sim import price, record_events, simulate
from sfnhw.sim.event_records import EVENTS
from sfnhw.sim.tables import sent_neurons
from tests.naive import count
from tests.naive_twin import PacketTwin
from tests.networks import random_activity, random_attention, random_network
from tests.test_event_log import check_apart
from tests.test_simulation import chips

REFERENCE = load_chip("reference")
BUNDLES = st.tuples(st.sampled_from(["position", "run"]), st.sampled_from([1, 2, 3, 7, 64]))
NETWORK = ("packet", "packing_flit", "injection", "axon_lookup", "router_flit", "link_flit", "io_bit", "router_clock")


def packed(chip, form, bundles=("position", 64)):
    own = chip.noc.destinations if form == "aer" else "slice"  # what shares a packet goes to the same cores
    bundled = {"packet.format": form, "packet.bundle": bundles[0], "packet.bundle_neurons": bundles[1]}
    return chip.replace(bundled | {"noc.destinations": own})


def bursts(network):
    return any(p.coding.burst for p in network.populations)


def laid(coding, shape, form, bundles=("position", 64), chip=REFERENCE):
    """How one slice with a whole population is packed."""
    p = Population("x", shape, coding, role="output" if isinstance(coding, Readout) else "hidden")
    return packing(p, p.block, packed(chip, form, bundles), form)


def test_bits_of_each_format_worked_by_hand():
    """4 channels at 2 × 3 positions, SFN with N = 8 (3 bits a level, 4 with zero), 12 bits of route key.

    aer: 24 neurons need 5 bits: 12 + 5 + 3 = 20. Else a bundle is the 4 channels of one of 6 positions: 3 bits of address.
    bundled: 2 bits say how many of 1 .. 4 pairs come, a pair is 2 + 3 bits. bitmap: 4 bits and 3 a spike. dense: 4 · 4 bits.
    """
    bits = {form: laid(SFN.uniform(8), (4, 2, 3), form).bits for form in FORMATS}
    assert bits["aer"](1, 1) == 20
    assert [bits["bundled"](4, s) for s in (1, 2, 4)] == [12 + 3 + 2 + 5 * s for s in (1, 2, 4)] == [22, 27, 37]
    assert [bits["bitmap"](4, s) for s in (1, 2, 4)] == [12 + 3 + 4 + 3 * s for s in (1, 2, 4)] == [22, 25, 31]
    assert [bits["dense"](4, s) for s in (0, 4)] == [12 + 3 + 16] * 2
    # At most 3 neurons: 3 and 1 of each position, 12 bundles, 4 bits of address.
    parts = laid(SFN.uniform(8), (4, 2, 3), "bitmap", ("position", 3))
    assert (parts.full, parts.address, len(parts.edges()) - 1) == (3, 4, 12)
    # Whole positions as they fit into 8 neurons: 3 bundles of 2 positions, 3 bits for a place in a bundle.
    run = laid(SFN.uniform(8), (4, 2, 3), "bundled", ("run", 8))
    assert (run.full, run.address, run.index, run.count) == (8, 2, 3, 3)
    # One channel: by position a bundle is one neuron, in a run all six.
    assert laid(SFN.uniform(8), (1, 2, 3), "dense").full == 1
    assert laid(SFN.uniform(8), (1, 2, 3), "dense", ("run", 64)).bits(6, 2) == 12 + 0 + 6 * 4


def test_a_level_that_may_be_zero_worked_by_hand():
    """Of a unit spike one bit (two with a sign), of 8-bit values 8 whether they may be zero or not, of a readout all 24."""
    value = {
        "if": laid(IF(4), (2,), "dense").value,
        "signed if": laid(IF(4, signed=True), (2,), "dense").value,
        "ttfs": laid(TTFS(4), (2,), "dense").value,
        "graded": laid(Graded(8), (2,), "dense").value,
        "signed graded": laid(Graded(8, signed=True), (2,), "dense").value,
        "N = 7": laid(SFN.uniform(7), (2,), "dense").value,
        "N = 8": laid(SFN.uniform(8), (2,), "dense").value,
        "readout": laid(Readout(1), (2,), "dense").value,
    }
    expected = {
        "if": 1,
        "signed if": 2,
        "ttfs": 1,
        "graded": 8,
        "signed graded": 8,
        "N = 7": 3,
        "N = 8": 4,
        "readout": 24,
    }
    assert value == expected


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([SFN.uniform(8), Graded(8), IF(4), Polarity(5), Graded(5, signed=True)]),
    st.tuples(st.integers(1, 70), st.integers(1, 9), st.integers(1, 9)),
    BUNDLES,
)
def test_one_spike_by_itself_is_never_shorter_in_a_bundle(coding, shape, bundles):
    """Address and place in the bundle tell at least as many neurons apart as an index; bundles part the slice."""
    single = laid(coding, shape, "aer")
    pairs = laid(coding, shape, "bundled", bundles)
    assert pairs.bits(pairs.full, 1) >= single.bits(1, 1)
    edges = pairs.edges()
    sizes = np.diff(edges)
    assert edges[0] == 0
    assert edges[-1] == np.prod(shape)
    assert 1 <= sizes.min() <= sizes.max() == pairs.full <= max(bundles[1], 1)
    # Longer with each spike, so that a bundle is never dearer than its spikes by themselves but for its count.
    assert pairs.bits(pairs.full, 3) - pairs.bits(pairs.full, 2) == pairs.index + pairs.payload


def check_walked(mapping, activity, result):
    """Counts of a result are those of the walk over packets; the closed form has the same, and the same busy cycles."""
    counts, formats = result.counts, {name: choice.format for name, choice in result.formats.items()}
    walked = count(mapping, activity, formats)
    on_link = result.tables.nodes.link >= 0
    assert int(counts.sent.sum()) == walked["packets"]
    assert int(counts.sent_spikes.sum()) == walked["events"] == int(sent_neurons(mapping, activity).sum())
    assert int(counts.sent_flits.sum()) == walked["flits_sent"]
    assert int(counts.delivered.sum()) == walked["delivered"]
    assert int(counts.row_packets.sum()) == walked["arrivals"]
    assert result.totals()["axon_lookup"] == walked["lookups"] + int(counts.row_ends.sum())
    # The walk leaves out what writes the stationary operand of a product.
    streamed = counts.row_synapses[~result.tables.rows.stationary]
    assert int(streamed.sum()) == walked["operations"]
    assert int(counts.node_flits[on_link].sum()) == walked["flit_hops"]
    assert int(counts.node_flits.sum()) == walked["flit_routers"]
    assert result.totals()["spike"] == walked["spikes"]
    assert result.timing.packet_latency.sum() == walked["delivered"]
    analytic = simulate(mapping, activity, fidelity="analytic")
    assert counts.equals(analytic.counts)
    assert np.array_equal(result.timing.link_busy, analytic.timing.link_busy)
    assert np.array_equal(result.timing.busy, analytic.timing.busy)
    assert np.array_equal(result.actions.core, analytic.actions.core)
    assert result.totals() == analytic.totals()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    chips(),
    st.floats(0, 1),
    st.sampled_from([*FORMATS[1:], "auto"]),
    BUNDLES,
    st.sampled_from(["slice", "neuron"]),
)
def test_counts_are_what_a_brute_force_walk_says(seed, T, chip, rate, form, bundles, axons):
    """Packets, spikes in them, flits, look-ups, synaptic operations: kernel, closed form and walk agree to the last one."""
    network = random_network(seed, T, recurrent=chip.execution.mode == "barrier" and seed % 5 >= 2)
    assume(not (bursts(network) and form in ("bitmap", "dense")))
    chip = packed(chip, form, bundles).replace({"core.axon_sharing": axons, "core.axons": 10_000})
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, samples=2, rate=rate)
    result = simulate(mapping, activity, threads=1)
    check_walked(mapping, activity, result)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 4]),
    chips(modes=("dataflow", "asynchronous")),
    st.floats(0, 1),
    st.sampled_from([*FORMATS[1:], "auto"]),
    BUNDLES,
    st.sampled_from(["slice", "neuron"]),
    st.booleans(),
)
def test_every_cycle_equals_the_naive_twin(seed, T, chip, rate, form, bundles, axons, attention):
    """Latency of the sample and of every packet; products hold streams of bundles back, in order."""
    attention = attention and T == 1
    network = random_attention(seed) if attention else random_network(seed, T, window=T > 1)
    assume(not (bursts(network) and form in ("bitmap", "dense")))
    chip = packed(chip, form, bundles).replace({"core.axon_sharing": axons, "core.axons": 10_000})
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, samples=1, rate=rate)
    result = simulate(mapping, activity, threads=1)
    assert result.counts.equals(simulate(mapping, activity, fidelity="analytic").counts)
    twin = PacketTwin(result.tables, mapping)
    assert twin.run(sent_neurons(mapping, activity)[0]) == result.timing.latency[0]
    assert twin.empty_at() == result.timing.occupied[0]
    assert result.timing.packet_latency_sum == sum(twin.latencies)
    assert result.timing.packet_latency.sum() == len(twin.latencies)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), st.floats(0, 1), BUNDLES)
def test_what_spikes_do_is_the_same_in_any_packet(seed, T, rate, bundles):
    """Spikes, synaptic operations, memory words and updates do not depend on the format; auto is no dearer than any."""
    network = random_network(seed, T)
    activity = random_activity(network, seed, samples=2, rate=rate)
    found = {}
    for form in (*FORMATS, "auto"):
        if not (bursts(network) and form in ("bitmap", "dense")):
            mapping = map_network(network, packed(REFERENCE, form, bundles))
            found[form] = simulate(mapping, activity, fidelity="analytic")
    first = found["aer"].counts
    for result in found.values():
        for name in (
            "sent_spikes",
            "row_spikes",
            "row_synapses",
            "row_words",
            "row_state",
            "updates",
            "spikes",
            "ends",
        ):
            assert np.array_equal(getattr(result.counts, name), getattr(first, name)), name
    network_aj = {}
    for form, result in found.items():
        by_action = price(result).by_action()
        network_aj[form] = sum(by_action[name].value_aj for name in NETWORK)
    assert network_aj["auto"] == min(network_aj.values())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), chips(), st.floats(0, 1), st.sampled_from([*FORMATS[1:], "auto"]), BUNDLES)
def test_the_mapper_expects_the_flits_and_cycles_that_are_simulated(seed, chip, rate, form, bundles):
    """Flits over each link, and the cycles of look-ups, threshold units and ports of each core, from the mapping alone."""
    network = random_network(seed, 1)
    assume(not (bursts(network) and form in ("bitmap", "dense")))
    mapping = map_network(network, packed(chip, form, bundles))
    activity = random_activity(network, seed, samples=2, rate=rate)
    result = simulate(mapping, activity, threads=1)
    assert quality(mapping, activity).traffic_links == result.link_hops
    traffic = slice_traffic(network, mapping.slices, mapping.chip, activity, formats_of(mapping, activity))
    assert np.array_equal(traffic.forward, (result.counts.sent_flits + result.counts.ends).sum(axis=1))
    units = balance(mapping, activity).units
    assert np.array_equal(units[:, 1:3], result.timing.busy[:, 1:3])
    assert np.array_equal(units[:-1, 3], result.timing.busy[:-1, 3])
    assert np.array_equal(units[:-1, 0], result.timing.busy[:-1, 0])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(), st.floats(0, 1), st.sampled_from(["bundled", "dense", "auto"]),
       BUNDLES, st.sampled_from(["slice", "neuron"]))  # fmt: skip
def test_the_event_log_adds_up(seed, T, chip, rate, form, bundles, axons):
    """Every busy cycle is in the log, no unit works twice at once, and the lanes' work is told for each spike."""
    network = random_network(seed, T)
    assume(not (bursts(network) and form == "dense"))
    chip = packed(chip, form, bundles).replace({"core.axon_sharing": axons, "core.axons": 10_000})
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 1, rate)
    log, result = record_events(mapping, activity), simulate(mapping, activity, threads=1)
    check_apart(log)
    c = log.columns
    for number, unit in enumerate(("axon", "synapse", "threshold", "injection")):
        mine = c["event"] == EVENTS.index({"injection": "inject"}.get(unit, unit))
        took = np.bincount(c["core"][mine], (c["end_cycle"] - c["begin_cycle"])[mine], chip.cores + 1)
        assert took.astype(int).tolist() == result.timing.busy[:, number].tolist(), unit
    at_lanes = c["event"] == EVENTS.index("synapse")
    assert int(at_lanes.sum()) == int(result.counts.row_spikes.sum())
    assert int(c["synapses"][at_lanes].sum()) == int(result.counts.row_synapses.sum())
    spiking = {
        (p, n)
        for p, name in enumerate(log.layers)
        for n in np.flatnonzero(activity.sent(network, name).any(axis=(0, 1)))
    }
    assert set(zip(c["layer"][at_lanes].tolist(), c["neuron"][at_lanes].tolist(), strict=True)) <= spiking
