"""Words and banks of state memory: worked by hand, held to a walk over every synapse, and through mapper and simulation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.mapping.balance import balance
from sfnhw.mapping.bank_kernel import by_slice
from sfnhw.mapping.memory_banks import scattered
from sfnhw.mapping.unit_cycles import run_cost, update_cycles
from sfnhw.network import Dense, Network, Population, Sparse
from sfnhw.neurons import SFN, Graded, Readout
from sfnhw.sim import simulate
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")  # accumulators of 24 bits in words of 64


def chip(**changes):
    return REFERENCE.replace({key.replace("__", "."): value for key, value in changes.items()})


def test_listed_accumulators_worked_by_hand():
    """24 bits in 64: accumulator a lies from bit 24·a, so 0 and 1 are in word 0, 2 in words 0 and 1, 3 and 4 in word 1.

    Four lanes. Group [0, 1, 3, 4]: words 0 and 1. Group [0, 2, 2, 5]: word 0 (of 0 and 2) and 1 (of 2 and 5), then 2's words 0
    and 1 once more, and word 2 (5 lies from bit 120 to 144): words 0, 1, 0', 1', 2. In all 7.
    One bank: 2 + 5 cycles. Two: word 2 and word 0 share bank 0: 1 + 3. Three: 1 + 2, for accumulator 2 is met twice.
    """
    first, targets = np.array([0, 8]), np.array([0, 1, 3, 4, 0, 2, 2, 5])
    for banks, cycles in ((None, 0), (1, 7), (2, 4), (3, 3), (64, 3)):
        found = scattered(first, targets, chip(core__synapse_lanes=4, core__state_memory__banks=banks))
        assert (found.words.tolist(), found.cycles.tolist()) == ([7], [cycles]), banks


def test_neighbours_worked_by_hand():
    """20 synapses, 8 lanes, 8-bit weights: 3 cycles of the lanes; 160 bits in 64: 3 weight words; 480 bits: 8 state words."""
    width = np.array([20])
    for at_weights, at_state, cycles in ((None, None, 3), (1, None, 3), (None, 1, 8), (None, 2, 4), (None, 4, 3)):
        c = chip(core__weight_memory__banks=at_weights, core__state_memory__banks=at_state)
        cost = run_cost(width, 8, False, c)
        assert [int(v[0]) for v in cost] == [20, cycles, 3, 8]
    # 16 bits each in words of 16: a word a synapse.
    c = chip(core__weight_memory__banks=3, core__weight_memory__word_bits=16)
    assert int(run_cost(width, 16, False, c).cycles[0]) == 7  # ⌈20 / 3⌉


def test_a_threshold_unit_waits_for_its_accumulators_worked_by_hand():
    """16 lanes of 24 bits are 6 words of 64: 6 cycles with one bank, 2 with three, 1 with eight."""
    population = Population("h", (64,), SFN.uniform(4))
    for banks, cycles in ((None, 1), (1, 6), (3, 2), (8, 1)):
        c = chip(core__threshold_unit__lanes=16, core__state_memory__banks=banks)
        assert update_cycles(c, population) == cycles
    own = chip(
        core__threshold_unit__lanes=16, core__state_memory__banks=1, core__threshold_unit__update_cycles=2
    )  # a published time has the memory in it
    assert update_cycles(own, population) == 2


def by_hand(targets, lanes, bits, word, banks, least):
    """(words, cycles) of one run: every group, every accumulator, every word, one by one."""
    words = cycles = 0
    for k in range(0, len(targets), lanes):
        asked = []
        for j, t in enumerate(targets[k : k + lanes]):
            met = targets[k : k + j].count(t)
            for bit in range(t * bits, (t + 1) * bits):
                if (bit // word, met) not in asked:
                    asked.append((bit // word, met))
        words += len(asked)
        if banks:
            loads = [sum(w % banks == b for w, _ in asked) for b in range(banks)]
            cycles += max(*loads, least) if banks > 1 else max(loads[0], least)
    return words, cycles


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), max_size=20), min_size=1, max_size=6),
    st.sampled_from([1, 3, 8]),
    st.sampled_from([8, 24, 48]),
    st.sampled_from([48, 56, 64]),
    st.sampled_from([None, 1, 2, 5]),
    st.sampled_from([1, 3]),
)
def test_listed_accumulators_are_what_a_walk_says(runs, lanes, bits, word, banks, least):
    c = chip(
        core__synapse_lanes=lanes,
        core__accumulator_bits=bits,
        core__state_memory__word_bits=word,
        core__state_memory__banks=banks,
        core__synapse_cycles=least,
    )
    first = np.cumsum([0, *map(len, runs)])
    found = scattered(first, np.array([t for run in runs for t in run], np.int64), c)
    expected = [by_hand(run, lanes, bits, word, banks, least) for run in runs]
    assert list(zip(found.words.tolist(), found.cycles.tolist(), strict=True)) == expected


def as_sparse(network, name):
    """The network with one dense projection's synapses listed one by one, in order of their targets."""
    out = []
    for p in network.projections:
        if p.target == name:
            n, m = p.weight.shape[1], p.weight.shape[0]
            p = Sparse(p.source, p.target, p.weight.T.reshape(-1), np.arange(n + 1) * m, np.tile(np.arange(m), n))
        out.append(p)
    return replace(network, projections=tuple(out))


def test_in_order_listed_synapses_ask_for_the_words_that_neighbours_do():
    """8 lanes of 24 bits are 3 words of 64, so no word is read for two groups; and 1 or 3 banks are never idle in one."""
    network = chain([12, 32, 4])
    listed = as_sparse(network, network.populations[1].name)
    activity = random_activity(network, 0, 1, 0.7)
    for banks in (None, 1, 3):
        c = chip(core__state_memory__banks=banks, core__weight_memory__word_bits=1024)
        ours, theirs = (simulate(map_network(n, c), activity, threads=1) for n in (listed, network))
        assert ours.counts.row_state.sum() == theirs.counts.row_state.sum()
        assert ours.timing.busy[:, 1].sum() == theirs.timing.busy[:, 1].sum()


def sparse_network(seed, targets=70):
    rng = np.random.default_rng(seed)
    many = rng.integers(0, 12, 9)
    offsets = np.concatenate([[0], np.cumsum(many)])
    return Network(
        (
            Population("x", (9,), Graded(8), role="input"),
            Population("h", (targets,), SFN.uniform(4)),
            Population("y", (3,), Readout(), role="output"),
        ),
        (
            Sparse("x", "h", rng.normal(size=offsets[-1]), offsets, rng.integers(0, targets, offsets[-1])),
            Dense("h", "y", rng.normal(size=(3, targets))),
        ),
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([None, 1, 2, 3]), st.sampled_from([1, 4]), st.sampled_from([16, 32, 256])
)
def test_simulation_counts_what_a_walk_over_the_listed_synapses_says(seed, banks, lanes, neurons):
    network = sparse_network(seed)
    c = chip(core__state_memory__banks=banks, core__synapse_lanes=lanes, core__neurons=neurons)
    mapping = map_network(network, c)
    activity = random_activity(network, seed, 2, 0.6)
    p = network.projections[0]
    words = cycles = 0
    sent = activity.sent(network, "x").sum(axis=(0, 1))
    for s in mapping.slices_of("h"):
        held = network["h"].indices(s.block).tolist()
        for i, packets in enumerate(sent.tolist()):
            own = [held.index(t) for t in p.targets[p.offsets[i] : p.offsets[i + 1]].tolist() if t in held]
            w, taken = by_hand(own, lanes, 24, 64, banks, 1)
            words += packets * w
            at_weights = -(-len(own) // lanes)
            cycles += packets * max(at_weights, taken)
    for fidelity in ("packet", "analytic"):
        result = simulate(mapping, activity, fidelity=fidelity, threads=1)
        rows = result.tables.rows.projection == 0
        assert result.counts.row_state[rows].sum() == words
        cores = {int(mapping.terminals[s.index]) for s in mapping.slices_of("h")}
        alone = not cores & {int(mapping.terminals[s.index]) for s in mapping.slices_of("y")}
        if alone and fidelity == "packet":
            assert result.timing.busy[sorted(cores), 1].sum() == cycles


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), st.floats(0, 1))
def test_more_banks_never_take_longer_and_change_no_count(seed, T, rate):
    network = random_network(seed, T)
    activity = random_activity(network, seed, 1, rate)
    before = None
    for banks in (1, 2, 4, None):
        mapping = map_network(network, chip(core__state_memory__banks=banks, core__weight_memory__banks=banks))
        result = simulate(mapping, activity, threads=1)
        found = (result.timing.busy[:, 1].sum(), result.timing.busy[:, 2].sum())
        if before:
            assert found[0] <= before[0][0]
            assert found[1] <= before[0][1]
            assert result.totals() == before[1]
        before = found, result.totals()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 1, 3]), st.sampled_from([32, 256]))
def test_the_mapper_knows_what_the_simulation_takes(seed, banks, neurons):
    network = sparse_network(seed)
    mapping = map_network(network, chip(core__state_memory__banks=banks, core__neurons=neurons))
    activity = random_activity(network, seed, 2, 0.6)
    busy = simulate(mapping, activity, threads=1).timing.busy
    assert np.array_equal(balance(mapping, activity).units[:, 1], busy[:, 1])


def test_a_chip_file_without_banks_is_what_it_was():
    network = chain([5, 8, 3])
    activity = Activity({p.name: np.ones((1, 1, p.size), int) for p in network.populations})
    wide = chip(core__state_memory__banks=1024, core__weight_memory__banks=1024)
    ours, theirs = (simulate(map_network(network, c), activity, threads=1) for c in (REFERENCE, wide))
    assert ours.timing.latency.tolist() == theirs.timing.latency.tolist()


@pytest.mark.parametrize("value", [0, 1025, 1.5, "two"])
def test_banks_out_of_range_are_refused(value):
    from sfnhw.errors import ChipError

    with pytest.raises(ChipError, match=r"core\.state_memory\.banks"):
        chip(core__state_memory__banks=value)


@given(st.data(), st.integers(0, 6), st.integers(1, 7), st.integers(1, 4))
def test_listed_synapses_sorted_by_slice_are_a_stable_sort(data, neurons, size, slices):
    """Against numpy's sort by (slice of the target, neuron), with repeated targets and neurons without synapses."""
    many = data.draw(st.lists(st.integers(0, 9), min_size=neurons, max_size=neurons))
    count = sum(many)
    targets = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=count, max_size=count)), np.int64)
    home = np.array(data.draw(st.lists(st.integers(0, slices - 1), min_size=size, max_size=size)), np.int64)
    local = np.arange(size)[::-1].copy()
    first, out = np.zeros(slices * neurons + 1, np.int64), np.empty(count, np.int64)
    by_slice(np.concatenate([[0], np.cumsum(many)]).astype(np.int64), targets, home, local, first, out)
    run = home[targets] * neurons + np.repeat(np.arange(neurons), many)
    assert np.diff(first).tolist() == np.bincount(run, minlength=slices * neurons).tolist()
    assert out.tolist() == local[targets[np.argsort(run, kind="stable")]].tolist()
