"""Tables and tallies in 32 bits hold what they must, and tables that are kept are those of the mapping that is asked about."""

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.sim import packet as packet_module
from sfnhw.sim import price, simulate, table_cache
from sfnhw.sim.by_place import ByPlace, sums
from sfnhw.sim.node_places import node_places, row_places
from sfnhw.sim.packed import CALLS, CALLS_END, EDGES, EDGES_END, EXIT, EXITS, EXITS_END, NODE, OWNER, pack
from sfnhw.sim.price import _share
from sfnhw.sim.stream import fits
from sfnhw.sim.tables import build_tables, sent_neurons
from sfnhw.sim.words import MOST, check_most, narrowed
from tests.networks import random_activity, random_network

REFERENCE = load_chip("reference")
CHIPS = {
    "multicast": REFERENCE,
    "barrier": REFERENCE.replace({"execution.mode": "barrier"}),
    "neurons": REFERENCE.replace({"noc.cast": "unicast", "noc.destinations": "neuron"}),
    "bundled": REFERENCE.replace({"packet.format": "bundled"}),
}


@st.composite
def tallies(draw):
    """Terms of (T, k, columns) tallies, dense numbers that they stand for, and how many places there are."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    T, many, size = draw(st.integers(1, 9)), draw(st.integers(1, 70)), draw(st.integers(70, 90))
    columns, kind = draw(st.sampled_from([1, 3, 4])), draw(st.sampled_from([np.uint32, np.int64]))
    tally = rng.integers(0, 2**32, (T, many, columns)).astype(kind)
    column = draw(st.integers(0, columns - 1))
    times = rng.integers(1, 9, many) if draw(st.booleans()) else None
    dense = np.zeros((size, T), np.int64)
    dense[:many] = tally[:, :, column].T.astype(np.int64) * (1 if times is None else times[:, None])
    return ByPlace.tallied(size, tally, column, times), dense


@st.composite
def alike(draw):
    """Counts by kind, and the dense numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    T, kinds, many, size = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 70)), 75
    array, kind = rng.integers(0, 2**40, (kinds, T)), rng.integers(0, kinds, many)
    dense = np.zeros((size, T), np.int64)
    dense[:many] = array[kind]
    return ByPlace.alike(size, array, kind), dense


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.one_of(tallies(), alike()), tallies(), st.integers(0, 1000), st.booleans())
def test_sums_over_tallies_are_those_over_arrays(one, other, seed, with_array):
    """One pass over 32-bit numbers gives what NumPy gives of (places, T) numbers of 64 bits."""
    counts, dense = one
    assert np.array_equal(counts.dense(), dense)
    assert np.array_equal(counts.total(), dense.sum(axis=1))
    rng = np.random.default_rng(seed)
    size, key = len(dense), rng.integers(0, 5, len(dense)).astype(np.int32)
    each = np.stack([dense[key == k].sum(axis=0) for k in range(6)])
    assert np.array_equal(counts.summed(key, 6), each)
    some = rng.permutation(size)[: int(rng.integers(0, size))]
    chosen = np.stack([dense[some[key[: len(some)] == k]].sum(axis=0) for k in range(5)])
    assert np.array_equal(counts.summed(key[: len(some)], 5, some), chosen)
    if one[1].shape == other[1].shape:
        added = ByPlace.of(other[1]) if with_array else other[0]
        assert np.array_equal((counts + added).dense(), dense + other[1])
        both = sums((counts, added), key, 6)
        assert np.array_equal(both[0], each)
        assert np.array_equal(both[1], added.summed(key, 6))


@given(st.integers(0, 2**63 - 1), st.integers(1, 10**6), st.data())
def test_a_share_of_an_energy_is_exact(energy, of, data):
    """Against Python's numbers, which have no end."""
    neurons = data.draw(st.integers(0, of))
    assert _share(np.array([energy]), np.array([neurons]), np.array([of]))[0] == energy * neurons // of


def test_what_32_bits_cannot_number_is_an_error():
    assert narrowed(np.array([-1, MOST]), "links").tolist() == [-1, MOST]
    assert narrowed(np.array([5], np.int32), "links").dtype == np.int32
    with pytest.raises(SimulationError, match=r"^links: .* found '?2,147,483,648'?, expected 2,147,483,647 at most"):
        narrowed(np.array([0, MOST + 1]), "links")
    check_most(2**28, "route nodes")
    with pytest.raises(SimulationError, match=r"route nodes: .*268,435,457"):
        check_most(2**28 + 1, "route nodes")


@pytest.mark.parametrize("chip", CHIPS)
def test_packed_lists_are_those_of_the_tables(chip):
    """A list ends where that of the next record begins; under a barrier there are packet trees alone."""
    tables = build_tables(map_network(random_network(5), CHIPS[chip]))
    n, packed = tables.nodes, pack(tables)
    many = len(n.owner)
    assert (n.packet_nodes == many) == tables.fabric.barrier
    assert len(packed.nodes) == (many + 1) * NODE
    for node in range(many):
        record = packed.nodes[node * NODE :]
        assert record[OWNER] == n.owner[node]
        assert (record[EDGES], record[EDGES_END]) == (n.child_first[node], n.child_first[node + 1])
        assert (record[EXITS], record[EXITS_END]) == (n.exit_first[node], n.exit_first[node + 1])
    for place in range(int(n.exit_first[many])):
        record = packed.exits[place * EXIT :]
        assert (record[CALLS], record[CALLS_END]) == (n.row_first[place], n.row_first[place + 1])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from(sorted(CHIPS)))
def test_no_count_is_larger_than_its_bound(seed, name):
    """Wherever `fits` says that so many bits do, no count of a timestep needs more."""
    network = random_network(seed)
    mapping = map_network(network, CHIPS[name])
    activity = random_activity(network, seed, samples=3)
    result = simulate(mapping, activity, fidelity="analytic")
    sent = sent_neurons(mapping, activity)
    largest = max(int(part.dense().max(initial=0)) for part in (*result.counts.rows, *result.counts.nodes))
    enough = [bits for bits in range(1, 40) if fits(result.tables, sent, bits)]
    assert enough == list(range(enough[0], 40))
    assert largest < 2 ** enough[0]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from(sorted(CHIPS)))
def test_places_hold_all_that_their_nodes_and_connections_do(seed, name):
    """Nodes of a place are alike in what it says of them, connections too, and each is at one place."""
    tables = build_tables(map_network(random_network(seed), CHIPS[name]))
    s, n, r = tables.slices, tables.nodes, tables.rows
    at, rows = node_places(tables), row_places(tables)
    assert np.array_equal(at.router[at.key], n.router)
    assert np.array_equal(at.link[at.key], n.link)
    assert np.array_equal(at.population[at.key], s.population[n.owner])
    assert np.array_equal(at.flits[at.key], s.flits[n.owner])
    assert np.array_equal(at.owner[at.key], np.where(n.link < 0, n.owner, -1))
    assert np.array_equal(rows.target[rows.key], r.target)
    assert np.array_equal(rows.projection[rows.key], r.projection)
    assert np.array_equal(rows.alone[rows.key], r.alone)


@pytest.mark.slow
def test_runs_that_32_bits_may_not_hold_count_the_same(monkeypatch):
    """The kernel with tallies of 64 bits."""
    network = random_network(7)
    mapping, activity = map_network(network, REFERENCE), random_activity(network, 7, samples=2)
    narrow = simulate(mapping, activity, threads=2)
    monkeypatch.setattr(packet_module, "fits", lambda *_: False)
    wide = simulate(mapping, activity, threads=2)
    assert wide.counts.rows.packets.terms[0].tally.dtype == np.int64
    assert narrow.counts.rows.packets.terms[0].tally.dtype == np.uint32
    assert wide.counts.equals(narrow.counts)
    assert price(wide).total == price(narrow).total


def same(one, other):
    """Whether two results agree in counts, times and costs."""
    return (
        one.counts.equals(other.counts)
        and np.array_equal(one.timing.latency, other.timing.latency)
        and price(one).total == price(other).total
    )


def test_a_second_run_has_the_tables_of_the_first_and_its_results():
    network = random_network(3)
    mapping, activity = map_network(network, REFERENCE), random_activity(network, 3)
    first, second = (simulate(mapping, activity) for _ in range(2))
    assert second.tables is first.tables
    fresh = simulate(replace(mapping), activity)  # an equal mapping that nobody has met
    assert fresh.tables is not first.tables
    assert same(first, second)
    assert same(first, fresh)


def test_another_chip_or_other_formats_have_tables_of_their_own():
    network = random_network(3)
    mapping, activity = map_network(network, REFERENCE), random_activity(network, 3)
    before = simulate(mapping, activity)
    slow = REFERENCE.replace({"noc.link_cycles": 9})
    changed = simulate(replace(mapping, chip=slow), activity)
    assert changed.latency_cycles > before.latency_cycles
    assert same(changed, simulate(map_network(network, slow), activity))
    assert same(before, simulate(mapping, activity))
    names = [p.name for p in network.populations]
    kinds = [table_cache.tables_of(mapping, dict.fromkeys(names, kind)) for kind in ("aer", "bitmap", "aer")]
    assert kinds[0] is kinds[2]
    assert kinds[0] is not kinds[1]


def test_two_mappings_are_kept_and_none_that_is_gone():
    networks = [random_network(seed) for seed in (1, 2, 3)]
    mappings = [map_network(network, REFERENCE) for network in networks]
    tables = [table_cache.tables_of(mapping) for mapping in mappings]
    assert table_cache.tables_of(mappings[2]) is tables[2]
    assert table_cache.tables_of(mappings[1]) is tables[1]
    assert len(table_cache._kept) == 2
    assert table_cache.tables_of(mappings[0]) is not tables[0]
    del mappings
    gc.collect()
    assert table_cache._kept == []


def test_what_is_derived_from_tables_is_kept_with_them():
    mapping = map_network(random_network(1), REFERENCE)
    tables = table_cache.tables_of(mapping)
    assert table_cache.derived(pack, tables) is table_cache.derived(pack, tables)
    others = build_tables(mapping)  # not kept
    assert table_cache.derived(pack, others) is not table_cache.derived(pack, others)


def test_threads_may_simulate_one_mapping_at_once():
    network = random_network(4)
    mapping, activity = map_network(network, REFERENCE), random_activity(network, 4)
    alone = simulate(replace(mapping), activity)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: simulate(mapping, activity, threads=1), range(8)))
    assert all(same(result, alone) for result in results)
