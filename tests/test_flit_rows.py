"""Fidelity `flit` where slices work a row at a time, and asynchronously: what waits for what, although packets overtake."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.sim import simulate
from sfnhw.sim.event_records import BEGIN, END, FRAME, INDEX, KIND, SYNAPSE, THRESHOLD, WHO, WIDTH
from sfnhw.sim.flits.wires import build_wires
from sfnhw.sim.packed import pack
from sfnhw.sim.running import run_frames
from sfnhw.sim.stream import check_finished, empty_tally
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.naive_twin import row_needs
from tests.networks import chain, random_activity, random_attention, random_network
from tests.test_flit_estimate import assert_counts_alike, finite_chips

DATAFLOWS = ("dataflow", "asynchronous")


@st.composite
def row_chips(draw, modes=DATAFLOWS, granularities=("row", "layer")):
    """Chips with finite buffers, several virtual channels, and room for the number of a row in a flit, however narrow."""
    return draw(finite_chips(modes=modes)).replace(
        {
            "noc.header_bits": 10,
            "noc.virtual_channels": draw(st.integers(2, 4)),
            "execution.granularity": draw(st.sampled_from(granularities)),
        }
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), row_chips(), st.floats(0, 1))
def test_counts_are_the_same_as_at_packet(seed, T, chip, rate):
    """With loops and delays where asynchronous, and windows elsewhere: everything arrives, no slice waits for ever."""
    network = random_network(seed, T, recurrent=chip.execution.mode == "asynchronous")
    mapping, activity = map_network(network, chip), random_activity(network, seed, samples=2, rate=rate)
    packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
    assert_counts_alike(packet, flit)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), row_chips(granularities=("row",)), st.floats(0, 1))
def test_attention_a_token_at_a_time_ends(seed, chip, rate):
    network = random_attention(seed)
    mapping, activity = map_network(network, chip), random_activity(network, seed, samples=1, rate=rate)
    packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
    assert packet.counts.equals(flit.counts)


def logged(mapping, sent):
    """Records of one sample at `flit`: threshold walks and synaptic work."""
    tables = build_tables(mapping)
    rows, T = len(tables.rows.source), len(sent)
    log = np.zeros(200_000 * WIDTH, np.int64)
    tally = empty_tally(tables, T, T)._replace(
        log=log, watch=np.ones(len(mapping.slices), np.bool_), watch_row=np.ones(rows, np.bool_)
    )
    wires = build_wires(mapping.chip, tables, sent[None])
    check_finished(run_frames(sent, T, tables.slices, pack(tables), tables.fabric, tally, wires=wires))
    assert tally.noted[0] < 200_000
    return tables, log.reshape(-1, WIDTH)[: tally.noted[0]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), row_chips(), st.floats(0, 1))
def test_nothing_walks_before_the_synapses_of_what_it_needs_are_done(seed, T, chip, rate):
    """Brute force over the log: for every packet worked off, the parts with a synapse from its row begin no earlier."""
    network = random_network(seed, T, recurrent=chip.execution.mode == "asynchronous")
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, samples=1, rate=rate)
    tables, records = logged(mapping, sent_neurons(mapping, activity)[0])
    needs, by_row = row_needs(network), chip.execution.granularity == "row"
    walks = {(int(r[WHO]), int(r[INDEX]), int(r[FRAME])): int(r[BEGIN]) for r in records[records[:, KIND] == THRESHOLD]}
    work = records[records[:, KIND] == SYNAPSE]
    assert len(work) == sum(simulate(mapping, activity, threads=1).counts.row_packets.sum(axis=1))
    W = network.window
    for r in work:
        row, frame = int(r[WHO]), int(r[FRAME])
        k, target = int(tables.rows.projection[row]), int(tables.rows.target[row])
        source = mapping.slices[int(tables.rows.source[row])].block
        p, delay = network.projections[k], getattr(network.projections[k], "delay", 0)
        columns = network[p.source].columns
        y = source.r0 + int(r[INDEX]) // columns % (source.r1 - source.r0)
        block = mapping.slices[target].block
        for part in range(block.rows if by_row else 1):
            if by_row and (y, block.r0 + part) not in needs[k]:
                continue
            # A window's walks begin when its inputs have ended all of theirs.
            first = frame // W * W + delay
            if (target, part, first) in walks:
                assert r[END] <= walks[target, part, first]


def test_where_each_slice_has_one_row_nothing_changes():
    """And without delays asynchronous is dataflow: to the cycle, in a network that packets fill."""
    network = chain([60, 90, 40, 10])
    base = {"core.neurons": 16, "noc.virtual_channels": 3, "noc.buffer_flits": 4, "core.input_packets": 2}
    activity = random_activity(network, 4, samples=2, rate=0.8)
    results = []
    for mode, granularity in (("dataflow", "layer"), ("dataflow", "row"), ("asynchronous", "layer")):
        fields = {**base, "execution.mode": mode, "execution.granularity": granularity}
        mapping = map_network(network, load_chip("reference").replace(fields))
        results.append(simulate(mapping, activity, fidelity="flit", threads=1))
    for one, other in pairwise(results):
        assert np.array_equal(one.timing.latency, other.timing.latency)
        assert np.array_equal(one.timing.packet_latency, other.timing.packet_latency)
        assert one.timing.interval == other.timing.interval
