"""Routes: trees along rows or columns first, the choice between both, and the tables that they take."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import ChipError, MappingError
from sfnhw.mapping import PLACERS, Mapping, map_network, verify
from sfnhw.mapping.placement.search import Search
from sfnhw.mapping.quality import link_loads, quality
from sfnhw.mapping.route_tables import table_entries
from sfnhw.mapping.routes import route
from sfnhw.mapping.summary import summary
from sfnhw.mapping.traffic import slice_traffic
from sfnhw.mapping.turns import choose
from sfnhw.sim import simulate
from tests.naive_routes import naive_trees
from tests.nets import random_problem
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")
ROUTINGS = ("xy", "yx", "o1turn")
EAST, WEST, SOUTH, NORTH = range(4)


def test_trees_by_hand():
    """From the middle of a 3 × 3 mesh (router 4) to three corners: 0, 2 and 8."""
    xy = route(np.array([4]), [[8, 0, 2]], 3, 3, 0)
    # West and north to 0; east and north to 2; the link to 5 is there, so south to 8.
    assert xy.router.tolist() == [4, 3, 0, 5, 2, 8]
    assert xy.parent.tolist() == [-1, 0, 1, 0, 3, 3]
    assert xy.link.tolist() == [-1, 4 * 4 + WEST, 4 * 3 + NORTH, 4 * 4 + EAST, 4 * 5 + NORTH, 4 * 5 + SOUTH]
    assert xy.exits.tolist() == [0, 2, 8]
    yx = route(np.array([4]), [[8, 0, 2]], 3, 3, 0, yx=True)
    # North, then west to 0 and east to 2; south and east to 8.
    assert yx.router.tolist() == [4, 1, 0, 2, 7, 8]
    assert yx.parent.tolist() == [-1, 0, 1, 1, 0, 4]
    assert yx.link.tolist() == [-1, 4 * 4 + NORTH, 4 * 1 + WEST, 4 * 1 + EAST, 4 * 4 + SOUTH, 4 * 7 + EAST]
    assert yx.children.tolist() == [1, 4, 2, 3, 5]
    assert yx.child_first.tolist() == [0, 2, 4, 4, 4, 5, 5]


@st.composite
def forests(draw):
    """Sources, destinations, mesh, and whether multicast."""
    columns, rows, each = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    terminal = st.integers(0, columns * rows * each)
    slices = draw(st.integers(0, 5))
    sources = draw(st.lists(terminal, min_size=slices, max_size=slices))
    targets = draw(st.lists(st.lists(terminal, max_size=8), min_size=slices, max_size=slices))
    pins = draw(st.integers(0, columns * rows - 1))
    return np.array(sources, np.int64), targets, columns, rows, pins, draw(st.booleans()), each


@settings(max_examples=150, deadline=None)
@given(forests(), st.data())
def test_trees_are_those_of_the_naive_walk(forest, data):
    sources, targets, columns, rows, pins, multicast, each = forest
    count = sum(bool(t) for t in targets) if multicast else sum(len(set(t)) for t in targets)
    yx = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    found = route(*forest, yx=np.array(yx, bool))
    trees = naive_trees(sources.tolist(), targets, columns, rows, pins, multicast, each, yx)
    nodes, base = [], 0
    for tree in trees:
        nodes += [(tree["owner"], r, p + base if p >= 0 else -1, link, e) for r, p, link, e in tree["nodes"]]
        base += len(tree["nodes"])
    got = zip(
        found.owner.tolist(),
        found.router.tolist(),
        found.parent.tolist(),
        found.link.tolist(),
        [found.exits[a:b].tolist() for a, b in zip(found.exit_first, found.exit_first[1:], strict=False)],
        strict=True,
    )
    assert list(got) == nodes
    assert found.roots.tolist() == [i for i, node in enumerate(nodes) if node[2] < 0]
    for i in range(len(nodes)):
        children = found.children[found.child_first[i] : found.child_first[i + 1]].tolist()
        assert children == [k for k, node in enumerate(nodes) if node[2] == i]
    for s in range(len(sources)):
        mine = found.roots[found.root_first[s] : found.root_first[s + 1]].tolist()
        assert mine == [i for i, node in enumerate(nodes) if node[2] < 0 and node[0] == s]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(1, 3))
def test_yx_is_xy_on_the_transposed_mesh(seed, thousands, tile):
    """The search minimises what YX trees take: the same number as XY trees on the mesh with columns for rows."""
    problem = random_problem(seed, ((2, 2), (3, 2), (5, 2), (1, 6)), (tile,), most=6)
    problem = replace(problem, routing="yx", moves=1000 * thousands)
    mesh, across = problem.mesh, Search(problem.nets, problem.mesh.transposed())
    assert mesh.transposed().transposed() == mesh
    cores = np.arange(mesh.cores)
    assert sorted(mesh.transpose(cores).tolist()) == cores.tolist()
    assert np.array_equal(mesh.transposed().transpose(mesh.transpose(cores)), cores)

    def links(placed):
        nets, at = problem.nets, np.append(placed, mesh.cores)
        ends = np.split(at[nets.leaves], nets.first[1:-1])
        ends = [[*e.tolist(), *([mesh.cores] if pins else [])] for e, pins in zip(ends, nets.to_pins, strict=True)]
        trees = route(at[nets.root], ends, mesh.columns, mesh.rows, mesh.io_router, True, mesh.each, True)
        return int((nets.weight[trees.owner] * (trees.link >= 0)).sum())

    found = PLACERS["annealed"](problem)
    assert links(found) == across.put(mesh.transpose(found))
    assert all(links(found) <= links(PLACERS[name](problem)) for name in ("hilbert", "sequential", "random"))
    assert np.array_equal(found, PLACERS["annealed"](problem))


def test_annealed_fits_its_trees_to_the_routing():
    """Under YX it is as good on a mesh as under XY on the transposed one, and there is a problem where that differs."""
    differs = 0
    for seed in range(12):
        problem = replace(random_problem(seed, ((3, 2), (4, 2)), most=6), moves=8000)
        mesh = problem.mesh
        across = Search(problem.nets, mesh.transposed())
        own = across.put(mesh.transpose(PLACERS["annealed"](replace(problem, routing="yx"))))
        other = across.put(mesh.transpose(PLACERS["annealed"](problem)))
        assert own <= other
        differs += own < other
    assert differs


def test_two_ways_halve_the_fullest_link():
    """Two paths of 5 flits from one corner to the other of a 2 × 2 mesh: 10 over a link under XY or YX, 5 with the choice."""
    laid = [route(np.array([0, 0]), [[3], [3]], 2, 2, 0, yx=yx) for yx in (False, True)]
    turned = choose([laid[0]], [laid[1]], [np.array([5, 5])], 16)
    assert sorted(turned.tolist()) == [False, True]


def fullest(forest, yx, weight):
    """Load of the fullest link with each tree on the way that `yx` says."""
    found = route(*forest, yx=np.array(yx, bool))
    tree, on_link = np.cumsum(found.parent < 0) - 1, found.link >= 0
    return int(np.bincount(found.link[on_link], weight[tree[on_link]], 1).max())


def chosen(forest, weight):
    laid = [route(*forest, yx=yx) for yx in (False, True)]
    return choose([laid[0]], [laid[1]], [weight], 4 * forest[2] * forest[3])


@settings(max_examples=60, deadline=None)
@given(forests(), st.data())
def test_the_choice_is_no_worse_than_either(forest, data):
    trees = len(route(*forest).roots)
    weight = np.array(data.draw(st.lists(st.integers(0, 9), min_size=trees, max_size=trees)), np.int64)
    turned = chosen(forest, weight)
    assert np.array_equal(turned, chosen(forest, weight))
    both = [fullest(forest, [yx] * trees, weight) for yx in (False, True)]
    assert fullest(forest, turned, weight) <= min(both)


def test_the_choice_is_mostly_the_best_of_all():
    """60 random forests of 8 trees on 4 × 4 meshes, all 256 choices of each tried: nine of ten are as good as can be."""
    best = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        targets = [rng.choice(16, rng.integers(1, 5), replace=False).tolist() for _ in range(8)]
        forest = (rng.integers(0, 16, 8), targets, 4, 4, 0, True, 1)
        weight = rng.integers(1, 9, 8)
        least = min(fullest(forest, yx, weight) for yx in product((False, True), repeat=8))
        best += fullest(forest, chosen(forest, weight), weight) == least
    assert best >= 54


def mapped(seed, routing, cast="multicast", tile=1, T=1, **changes):
    network = random_network(seed, T)
    fields = {"core.neurons": 96, "noc.cast": cast, "noc.cores_per_router": tile, "noc.routing": routing}
    return map_network(network, REFERENCE.replace(fields | changes), activity=random_activity(network, seed))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(ROUTINGS),
    st.sampled_from(["multicast", "unicast"]),
    st.integers(1, 3),
    st.integers(1, 2),
)
def test_any_mapping_verifies_under_each_routing(tmp_path_factory, seed, routing, cast, tile, T):
    """And survives its file, and its tables are as long as a walk over each tree says."""
    mapping = mapped(seed, routing, cast, tile, T)
    found = verify(mapping)
    assert found.ok, found.summary()
    path = mapping.save(tmp_path_factory.mktemp("map") / "net.npz")
    again = Mapping.load(path, mapping.network, mapping.chip)
    for part in ("routes", "ready_routes"):
        for name, array in vars(getattr(mapping, part)).items():
            assert np.array_equal(array, getattr(getattr(again, part), name)), name
    passed = dict.fromkeys(range(mapping.chip.routers), 0)
    for r in (mapping.routes, mapping.ready_routes):
        below = list(r.roots.tolist())
        while below and cast == "multicast":
            node = below.pop()
            passed[int(r.router[node])] += 1
            below += r.children[r.child_first[node] : r.child_first[node + 1]].tolist()
    assert table_entries(mapping).tolist() == list(passed.values())
    assert found.table_entries == max(passed.values())
    about = summary(mapping)["tables"]
    assert about["largest"] == max(passed.values())
    assert passed[about["router"][0] + mapping.chip.noc.columns * about["router"][1]] == about["largest"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["multicast", "unicast"]), st.sampled_from(["packet", "analytic"]))
def test_simulated_flits_are_those_of_the_routing_and_its_fullest_link_is_least(seed, cast, fidelity):
    worst = {}
    for routing in ROUTINGS:
        mapping = mapped(seed, routing, cast)
        activity = random_activity(mapping.network, seed)
        found = quality(mapping, activity)
        result = simulate(mapping, activity, fidelity=fidelity)
        link, flits = result.tables.nodes.link, result.actions.node_flits.sum(axis=1)
        loads = np.bincount(link[link >= 0], flits[link >= 0], 1)
        assert (found.traffic_links, found.worst_link_load) == (loads.sum(), loads.max())
        assert found.worst_link_bound <= found.worst_link_load
        assert found.traffic_bound <= found.traffic_links
        traffic = slice_traffic(mapping.network, mapping.slices, mapping.chip, activity)
        worst[routing] = link_loads(mapping, traffic).max()
        assert worst[routing] == loads.max()
    assert worst["o1turn"] <= min(worst["xy"], worst["yx"])


def test_verify_knows_the_turns_of_each_routing():
    """XY trees are no YX trees, and the other way round; o1turn takes either, but no tree that turns both ways."""
    network = chain([30, 300, 300, 300, 10])
    trees = {r: map_network(network, REFERENCE.replace({"noc.routing": r, "noc.columns": 3})) for r in ROUTINGS}
    text = {
        "xy": "is along a column after a row, against yx routing",
        "yx": "is along a row after a column, against xy routing",
    }
    for routing, other in (("xy", "yx"), ("yx", "xy")):
        wrong = verify(replace(trees[routing], chip=trees[other].chip))
        assert wrong.kinds() == {"route", "tokens"}
        assert {v.text for v in wrong.violations} == {text[routing]}
        assert verify(replace(trees[routing], chip=trees["o1turn"].chip)).ok


def test_a_tree_that_turns_both_ways_is_found():
    """3 × 3, from the middle: north then west to 0, and east then south to 8."""
    chip = REFERENCE.replace({"noc.columns": 3, "noc.rows": 3, "noc.routing": "o1turn", "core.neurons": 100})
    mapping = map_network(chain([5, 100, 200, 3]), chip, placement={"l1": [4], "l2": [0, 8], "l3": [1]})
    assert verify(mapping).ok
    r, mine = mapping.routes, next(s.index for s in mapping.slices if s.population == "l1")
    nodes = np.flatnonzero(r.owner == mine)
    to = {int(r.exits[r.exit_first[n]]): n for n in nodes if r.exit_first[n + 1] > r.exit_first[n]}
    router, link = r.router.copy(), r.link.copy()
    for core, middle, first, then in ((0, 1, NORTH, WEST), (8, 5, EAST, SOUTH)):
        node, between = to[core], r.parent[to[core]]
        router[between], link[between], link[node] = middle, 4 * 4 + first, 4 * middle + then
    found = verify(replace(mapping, routes=replace(r, router=router, link=link)))
    assert {v.text for v in found.violations} == {"is the root of a tree that turns both ways, against o1turn routing"}


def test_o1turn_needs_two_virtual_channels():
    assert REFERENCE.replace({"noc.routing": "o1turn", "noc.virtual_channels": 2})
    with pytest.raises(ChipError) as caught:
        REFERENCE.replace({"noc.routing": "o1turn", "noc.virtual_channels": 1})
    assert str(caught.value).endswith(
        "noc.virtual_channels: found 1, expected at least 2 under noc.routing: o1turn, so that XY and YX packets never "
        "wait for each other's channels"
    )


def test_tables_by_hand():
    """A line of four routers, pins at the first, l1 and l2 at the second and fourth.

    Packets: pins → l1 (routers 0, 1), l1 → l2 (1, 2, 3), l2 → pins (3, 2, 1, 0). Tokens: l1 → pins (1, 0), l2 → l1 (3, 2, 1).
    """
    chip = REFERENCE.replace({"noc.columns": 4, "noc.rows": 1})
    network, placement = chain([3, 4, 2]), {"l1": [1], "l2": [3]}
    mapping = map_network(network, chip, placement=placement)
    assert table_entries(mapping).tolist() == [3, 5, 3, 3]
    assert summary(mapping)["tables"] == {
        "largest": 5,
        "router": [1, 0],
        "mean": 3.5,
        "limit": None,
        "keys": 3,
        "keys_limit": 4096,
    }
    exact = chip.replace({"noc.route_entries": 5})
    assert verify(map_network(network, exact, placement=placement)).table_entries == 5
    short = chip.replace({"noc.route_entries": 4})
    with pytest.raises(MappingError) as caught:
        map_network(network, short, placement=placement)
    error = caught.value.as_json()
    assert (error["resource"], error["demand"], error["capacity"], error["gap"]) == ("noc.route_entries", 5, 4, 1)
    assert error["unit"] == "entries in the multicast table of router (1, 0)"
    assert "2 trees of packets of layer 'l1'" not in error["terms"]
    assert "1 trees of packets of layer 'l1'" in error["terms"]
    assert "raise noc.route_entries to 5" in error["levers"]
    found = verify(replace(mapping, chip=short))
    assert [str(v) for v in found.violations] == ["tables: router (1, 0): 5 entries, and noc.route_entries gives 4"]
    # Each lever helps.
    assert map_network(network, short.replace({"noc.cast": "unicast"}), placement=placement)


def test_there_are_as_many_trees_as_route_keys():
    """Three slices send packets; one bit of key tells two."""
    chip = REFERENCE.replace({"noc.header_bits": 1})
    network = chain([3, 4, 2])
    with pytest.raises(MappingError, match=r"needs 3 route keys, noc.header_bits gives 2 .*raise noc.header_bits to 2"):
        map_network(network, chip)
    fits = map_network(network, chip.replace({"noc.header_bits": 2}))
    assert verify(fits).ok
    assert verify(replace(fits, chip=chip)).kinds() == {"tables"}


def test_terms_of_a_full_table_add_up():
    """However many layers have trees there, what is not named is counted."""
    chip = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1, "core.neurons": 40, "noc.route_entries": 3})
    with pytest.raises(MappingError) as error:
        map_network(chain([5, 10, 10, 10, 10, 10, 10]), chip)
    assert len(error.value.terms) == 4
    assert sum(int(term.split()[0]) for term in error.value.terms) == error.value.demand
