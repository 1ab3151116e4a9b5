"""verify: right mappings pass, and every way to spoil one is named."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.mapping import map_network, verify
from sfnhw.mapping.verification.synapses import Synapses
from sfnhw.network import Block
from tests.naive import synapses_of
from tests.networks import chain, random_attention, random_network

REFERENCE = load_chip("reference")
SHARINGS = ("population", "channel", "core", "neuron")


def spoil(mapping, part, **arrays):
    """The mapping with arrays of `part` (connections, routes, ready_routes) replaced."""
    return replace(mapping, **{part: replace(getattr(mapping, part), **arrays)})


def changed(array, index, value):
    out = array.copy()
    out[index] = value
    return out


@cache
def two_by_two():
    """A chain whose middle layers need two cores each: l0 → l1 (2 slices) → l2 (2 slices) → l3."""
    found = map_network(chain([20, 300, 300, 3]), REFERENCE.replace({"core.neurons": 150}))
    assert [len(found.slices_of(f"l{i}")) for i in range(4)] == [1, 2, 2, 1]
    return found


@pytest.fixture
def mapping():
    return two_by_two()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2]),
    st.integers(64, 300),
    st.sampled_from(["multicast", "unicast"]),
    st.integers(1, 4),
    st.sampled_from(SHARINGS),
    st.sampled_from(["slice", "neuron"]),
)
def test_any_network_that_fits_verifies(seed, T, neurons, cast, tile, sharing, axons):
    network = random_attention(seed) if seed % 4 == 0 else random_network(seed, T)
    chip = REFERENCE.replace(
        {
            "core.neurons": neurons,
            "core.axons": 4096,
            "core.threshold_unit.registers": 4096,
            "noc.cast": cast,
            "noc.cores_per_router": tile,
            "core.threshold_unit.sharing": sharing,
            "core.axon_sharing": axons,
        }
    )
    found = verify(map_network(network, chip))
    assert found.ok, found.summary()
    assert found.neurons == sum(p.size for p in network.populations)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_recurrent_networks_between_barriers_verify(seed):
    network = random_network(seed, 2, recurrent=True)
    found = verify(map_network(network, REFERENCE.replace({"execution.mode": "barrier"})))
    assert found.ok, found.summary()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.data())
def test_synapses_by_axes_are_those_counted_one_by_one(seed, attention, data):
    """Into any block, for each source neuron: against the naive list of every synapse."""
    network = random_attention(seed) if attention else random_network(seed)
    k = data.draw(st.integers(0, len(network.projections) - 1))
    p = network.projections[k]
    source, target = network[p.source], network[p.target]
    c0, r0 = data.draw(st.integers(0, target.channels - 1)), data.draw(st.integers(0, target.rows - 1))
    c1 = data.draw(st.integers(c0 + 1, target.channels))
    block = Block(c0, c1, r0, data.draw(st.integers(r0 + 1, target.rows)))
    mine = set(target.indices(block).tolist())
    expected = np.zeros(source.size, np.int64)
    for j, i, o, _ in synapses_of(network):
        if j == k and o in mine:
            expected[i] += 1
    if p.kind == "stationary":
        expected = np.minimum(expected, 1)
    into = Synapses(p, network).into(block)
    assert np.array_equal(into.of(source, source.block), expected)
    edges = np.array([source.block], np.int64).T
    assert into.totals(source, edges).tolist() == [expected.sum()]


def test_the_report_counts_what_is_there(mapping):
    """20·300 + 300·300 + 300·3 synapses; dense weights are nobody's copies."""
    found = verify(mapping)
    assert (found.synapses, found.stored_weights, found.weight_copies) == (96_900, 96_900, 0)
    assert (found.slices, found.neurons, found.cores) == (6, 623, 5)
    # l0 reaches 2 cores, both slices of l1 reach 2, both of l2 reach 1, the result leaves at the pins.
    assert found.exits == 2 + 2 * 2 + 2 * 1 + 1
    assert "96,900 synapses" in found.summary()


def test_copies_by_position_are_counted():
    """A convolution cut by rows holds its kernels in every part."""
    network = random_network(5)
    conv = next(p for p in network.projections if p.kind == "conv2d")
    rows = network[conv.target].rows
    chip = REFERENCE.replace({"core.neurons": network[conv.target].channels * network[conv.target].columns})
    mapping = map_network(network, chip)
    others = sum(
        p.weight.size if p.tensor_fields else network[p.target].channels
        for p in network.projections
        if p is not conv and p.kind not in ("max_pool",)
    )
    parts = {s.block.r0 for s in mapping.slices_of(conv.target)}
    assert 1 < len(parts) <= rows
    found = verify(mapping)
    assert found.ok
    assert found.stored_weights >= others + conv.weight.size * len(parts)
    assert found.weight_copies >= conv.weight.size * (len(parts) - 1)


def test_a_connection_left_out_is_missed(mapping):
    c = mapping.connections
    keep = np.arange(len(c)) != 1
    rows = {f.name: getattr(c, f.name)[keep] for f in fields(c) if f.name not in ("width", "taps", "first")}
    first = np.searchsorted(rows["source"], np.arange(len(mapping.slices) + 1))
    found = verify(spoil(mapping, "connections", **rows, first=first))
    assert found.kinds() == {"synapses"}
    (violation,) = found.violations
    assert violation.where == "dense from slice 0 of 'l0' to slice 2 of 'l1'"
    assert violation.text == "synapses, and no connection"


def test_a_connection_that_stands_twice_is_named(mapping):
    c = mapping.connections
    rows = np.concatenate([[0], np.arange(len(c))])
    arrays = {f.name: getattr(c, f.name)[rows] for f in fields(c) if f.name not in ("width", "taps", "first")}
    first = np.searchsorted(arrays["source"], np.arange(len(mapping.slices) + 1))
    found = verify(spoil(mapping, "connections", **arrays, first=first))
    assert [v.text for v in found.violations] == ["stands in two connections"]


def test_a_synapse_too_many_is_counted(mapping):
    c = mapping.connections
    found = verify(spoil(mapping, "connections", width=c.width + 1))
    assert found.kinds() == {"synapses"}
    assert "20 neurons with another number of synapses: 3,020, not 3,000" in found.violations[0].text


def test_swapped_terminals_are_found_by_the_routes(mapping):
    at = mapping.terminals.copy()
    at[[1, 5]] = at[[5, 1]]
    found = verify(replace(mapping, terminals=at))
    assert found.kinds() == {"route", "tokens"}
    assert any("a root is not at the router of its slice" in v.text for v in found.violations)
    assert any("which has no use for them" in v.text for v in found.violations)


def test_a_slice_at_the_pins_and_an_input_on_a_core(mapping):
    assert "placement" in verify(replace(mapping, terminals=changed(mapping.terminals, 0, 7))).kinds()
    assert "placement" in verify(replace(mapping, terminals=changed(mapping.terminals, 1, mapping.io))).kinds()


@pytest.mark.parametrize("part", ["routes", "ready_routes"])
def test_a_broken_link_is_found(mapping, part):
    """One child fewer in the list: what hangs on it is not reached, and its node belongs to no tree."""
    r = getattr(mapping, part)
    parent = int(np.flatnonzero(np.diff(r.child_first))[0])
    first = r.child_first.copy()
    first[parent + 1 :] -= 1
    found = verify(spoil(mapping, part, children=np.delete(r.children, r.child_first[parent]), child_first=first))
    assert found.kinds() == {"route" if part == "routes" else "tokens"}
    texts = {v.text for v in found.violations}
    assert "belongs to no tree" in texts
    assert any("do not reach" in text for text in texts)


def test_a_cycle_ends_the_walk_and_is_named(mapping):
    r = mapping.routes
    node = int(np.flatnonzero(r.parent >= 0)[0])
    at = int(np.flatnonzero(r.children == node)[0])
    found = verify(spoil(mapping, "routes", children=changed(r.children, at, r.parent[node])))
    assert any("is reached twice: a cycle" in v.text for v in found.violations)


def test_a_target_reached_twice_and_one_too_many(mapping):
    r = mapping.routes
    node = int(np.flatnonzero(np.diff(r.exit_first))[0])
    terminal = r.exits[r.exit_first[node]]
    first = r.exit_first.copy()
    first[node + 1 :] += 1
    found = verify(spoil(mapping, "routes", exits=np.insert(r.exits, r.exit_first[node], terminal), exit_first=first))
    assert [v.text for v in found.violations] == [f"its packets reach core {terminal} 2 times"]


def test_a_longer_way_round_is_against_the_rule():
    """South, then east, where xy goes east, then south."""
    mapping = map_network(chain([2, 2, 2, 2]), REFERENCE.replace({"noc.columns": 2, "noc.rows": 2}))
    r = mapping.routes
    turn = next(n for n in range(len(r)) if r.parent[n] >= 0 and r.parent[r.parent[n]] >= 0)
    middle, root = int(r.parent[turn]), int(r.parent[r.parent[turn]])
    other = int(r.router[root] + r.router[turn] - r.router[middle])
    step = {1: 0, -1: 1, 2: 2, -2: 3}
    link = changed(r.link, middle, 4 * r.router[root] + step[other - int(r.router[root])])
    link[turn] = 4 * other + step[int(r.router[turn]) - other]
    found = verify(spoil(mapping, "routes", router=changed(r.router, middle, other), link=link))
    assert "is along a row after a column, against xy routing" in {v.text for v in found.violations}


def test_limits_and_demands(mapping):
    """The same mapping on a smaller core; a demand that is noted too low."""
    small = replace(mapping, chip=mapping.chip.replace({"core.neurons": 149}))
    found = verify(small)
    assert found.kinds() == {"limit"}
    assert "150 neurons, and core.neurons gives 149" in found.violations[0].text
    low = (*mapping.demands[:1], replace(mapping.demands[1], weight_bits=7), *mapping.demands[2:])
    (violation,) = verify(replace(mapping, demands=low)).violations
    assert str(violation) == "demand: slice 1 of 'l1': 7 weight_bits are noted, and it asks for 24,000"
    unit = replace(mapping, chip=mapping.chip.replace({"core.threshold_unit.registers": 3}))
    assert "4 registers, and core.threshold_unit.registers gives 3" in verify(unit).violations[0].text


def test_a_neuron_in_no_slice_and_in_two(mapping):
    s = mapping.slices[2]
    fewer = replace(s, block=s.block._replace(c1=s.block.c1 - 1), neurons=s.neurons - 1)
    more = replace(s, block=s.block._replace(c0=s.block.c0 - 1), neurons=s.neurons + 1)
    for spoilt, what in ((fewer, "no slice"), (more, "several slices")):
        (violation,) = verify(replace(mapping, slices=(*mapping.slices[:2], spoilt, *mapping.slices[3:]))).violations
        assert str(violation) == f"neurons: layer 'l1': 1 rows of channels are in {what}"


ARRAYS = [
    (part, name)
    for part in ("routes", "ready_routes")
    for name in (
        "owner",
        "router",
        "parent",
        "link",
        "child_first",
        "children",
        "exit_first",
        "exits",
        "root_first",
        "roots",
    )
] + [("connections", name) for name in ("source", "target", "projection", "width_first", "width", "taps", "first")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ARRAYS), st.integers(0, 10_000), st.integers(-400, 400))
def test_no_number_of_the_tables_can_change_unnoticed(array, place, step):
    part, name = array
    whole = two_by_two()
    values = getattr(getattr(whole, part), name)
    place %= len(values)
    assume(step)
    spoilt = spoil(whole, part, **{name: changed(values, place, values[place] + step)})
    if name == "width_first":  # another entry of the pool may hold the same number
        width = whole.connections.width
        assume(not 0 <= values[place] + step < len(width) or width[values[place] + step] != width[values[place]])
    assert not verify(spoilt).ok


@pytest.mark.parametrize("bad", [np.zeros(0, int), np.zeros((2, 2), int), np.array(3), np.zeros(5), [1, 2], None])
@pytest.mark.parametrize("array", ARRAYS, ids=".".join)
def test_no_array_makes_it_raise(mapping, array, bad):
    """An empty array, a table, a number, real numbers, a list, nothing: told (as it, or as what it leads to), not followed."""
    part, name = array
    found = verify(spoil(mapping, part, **{name: bad}))
    assert found.kinds() == {"arrays"}
    assert all(v.where.startswith(f"{part}.") for v in found.violations)
