"""Placement: exact tree costs, a search that finds the optimum where it can be enumerated, and bounds below it."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import ActivityError, InputError
from sfnhw.mapping import PLACERS, map_network
from sfnhw.mapping.bounds import fewest_cores, least_traffic, packing_bound
from sfnhw.mapping.placement import FREE, Mesh, Problem
from sfnhw.mapping.placement.partitioned import partition
from sfnhw.mapping.placement.search import Search
from sfnhw.mapping.quality import quality
from sfnhw.mapping.routes import route
from sfnhw.mapping.traffic import Nets
from sfnhw.mapping.worst_link import least_worst_link
from sfnhw.sim import simulate
from tests.nets import nets_of, random_problem
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


def links_of_routes(problem, cores):
    """Flits over each link, from the trees that a mapping would have (`sfnhw.mapping.routes`)."""
    nets, mesh = problem.nets, problem.mesh
    at = np.append(cores, mesh.cores)  # the pins' terminal
    ends = [
        [int(at[v]) for v in nets.leaves[nets.first[e] : nets.first[e + 1]]] + [mesh.cores] * int(nets.to_pins[e])
        for e in range(len(nets))
    ]
    trees = route(at[nets.root], ends, mesh.columns, mesh.rows, mesh.io_router, True, mesh.each)
    on_link = trees.link >= 0
    loads = np.zeros(4 * mesh.columns * mesh.rows, np.int64)
    np.add.at(loads, trees.link[on_link], nets.weight[trees.owner[on_link]])
    return loads


def on_a_board(problem, seed):
    """The same mesh cut into chips, or not."""
    rng, mesh = np.random.default_rng(seed + 1), problem.mesh
    wide, high = (int(rng.choice([d for d in range(1, n + 1) if n % d == 0])) for n in (mesh.columns, mesh.rows))
    return replace(problem, mesh=mesh._replace(chip_columns=wide, chip_rows=high, crossing=int(rng.integers(1, 9))))


def weighed(problem, cores):
    """Flits over the links of the routes, those between chips as many times as they weigh."""
    mesh, total = problem.mesh, 0
    for link, load in enumerate(links_of_routes(problem, cores).tolist()):
        y, x = divmod(link // 4, mesh.columns)
        to_x, to_y = x + (1, -1, 0, 0)[link % 4], y + (0, 0, 1, -1)[link % 4]
        crosses = (x // mesh.chip_columns, y // mesh.chip_rows) != (to_x // mesh.chip_columns, to_y // mesh.chip_rows)
        total += load * (mesh.crossing if crosses else 1)
    return total


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 10**5)), max_size=12))
def test_the_cost_after_moves_is_that_of_the_routes(seed, moves):
    """Incremental, from scratch, and by the routes of a mapping: one number. Meshes beyond one word of bits too."""
    problem = on_a_board(random_problem(seed, ((1, 4), (3, 3), (4, 2), (70, 2), (2, 67)), (1, 2, 3), most=9), seed)
    search = Search(problem.nets, problem.mesh)
    cores = np.random.default_rng(seed).permutation(problem.mesh.cores)[: problem.nodes]
    assert search.put(cores) == weighed(problem, cores)
    for node, target in moves:
        before = search.cost
        change = search.move(node % problem.nodes, target % problem.mesh.cores)
        now = search.forest.core.copy()
        assert len(set(now.tolist())) == problem.nodes
        assert before + change == search.cost == weighed(problem, now)
    now, cost = search.forest.core.copy(), search.cost
    assert search.put(now) == cost


def best_of_all(problem):
    """Least cost, and least load of the worst link, over all placements."""
    search = Search(problem.nets, problem.mesh)
    return min(search.put(np.array(p)) for p in permutations(range(problem.mesh.cores), problem.nodes))


def test_annealed_finds_the_optimum_of_small_problems():
    """200 random problems, enumerated: at least 95 % are solved, and no bound is above an optimum."""
    solved = 0
    for seed in range(200):
        problem = random_problem(
            seed, most=4 if seed % 2 else 5, meshes=((3, 3),) if seed % 2 else ((2, 2), (3, 2), (2, 3))
        )
        best = best_of_all(problem)
        found = Search(problem.nets, problem.mesh).put(PLACERS["annealed"](replace(problem, moves=8000)))
        assert found >= best
        assert least_traffic(problem.nets, problem.mesh) <= best
        solved += found == best
    assert solved >= 190


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_bounds_hold_on_tiles_and_on_every_placement(seed):
    problem = random_problem(seed, ((2, 2), (3, 1)), (1, 2, 3), most=4)
    traffic = least_traffic(problem.nets, problem.mesh)
    for cores in permutations(range(problem.mesh.cores), problem.nodes):
        loads = links_of_routes(problem, np.array(cores)) if hash(cores) % 23 == 0 else None
        if loads is not None:
            assert traffic <= loads.sum()
            assert least_worst_link(problem.nets, problem.mesh, traffic) <= loads.max()


def test_bounds_by_hand():
    """One node hears nine others, on a mesh as large as you like: 4 at one hop and 5 at two are 14 links, not 9."""
    nets = nets_of(10, [(v, [9], False, 1) for v in range(9)])
    mesh = Mesh.of_one_chip(5, 5)
    assert least_traffic(nets, mesh) == 14
    # Its four links carry nine flits: one carries three.
    assert least_worst_link(nets, mesh, 14) == 3
    # A tree to nine others has nine links; two cores a router: one of them beside the root, eight on four routers.
    wide = nets_of(10, [(9, list(range(9)), False, 1)])
    assert least_traffic(wide, mesh) == 9
    assert least_traffic(wide, mesh._replace(each=2)) == 4
    # The pins in a corner have two links: four nodes send them 5 each, one sits there, two of the others share a link.
    out = nets_of(4, [(v, [], True, 5) for v in range(4)])
    assert least_worst_link(out, mesh, 0) == 10


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_fixed_nodes_stay_and_the_rest_is_best_around_them(seed, data):
    """The optimum over all placements that keep the fixed where they are."""
    problem = random_problem(seed, ((2, 2), (3, 2), (2, 3)), most=4)
    cores = data.draw(st.permutations(range(problem.mesh.cores)))[: problem.nodes]
    held = data.draw(st.lists(st.booleans(), min_size=problem.nodes, max_size=problem.nodes))
    fixed = np.where(held, cores, FREE)
    problem = replace(problem, fixed=fixed, moves=4000)
    search = Search(problem.nets, problem.mesh)
    allowed = [
        search.put(np.array(p))
        for p in permutations(range(problem.mesh.cores), problem.nodes)
        if all(f in (FREE, core) for f, core in zip(fixed, p, strict=True))
    ]
    for name, placer in PLACERS.items():
        placed = placer(problem)
        assert len(set(placed.tolist())) == problem.nodes, name
        assert (placed[fixed != FREE] == fixed[fixed != FREE]).all(), name
    assert search.put(PLACERS["annealed"](problem)) == min(allowed)


def fewest_bins(sizes, capacity):
    """By trying everything."""
    best = len(sizes)

    def put(i, bins):
        nonlocal best
        if len(bins) >= best and i < len(sizes):
            return
        if i == len(sizes):
            best = min(best, len(bins))
            return
        for k in range(len(bins)):
            if bins[k] + sizes[i] <= capacity:
                put(i + 1, [*bins[:k], bins[k] + sizes[i], *bins[k + 1 :]])
        put(i + 1, [*bins, sizes[i]])

    put(0, [])
    return best


@given(st.integers(1, 20), st.data())
def test_packing_bound_is_below_the_fewest_bins(capacity, data):
    sizes = data.draw(st.lists(st.integers(0, capacity), max_size=7))
    bound = packing_bound(np.array(sizes, np.int64), capacity)
    assert -(-sum(sizes) // capacity) <= bound <= fewest_bins([s for s in sizes if s], capacity)


def test_indivisible_slices_need_more_cores_than_their_sum():
    """Three slices of 6 in cores of 10 are 18, two cores' worth; none shares a core with another."""
    assert packing_bound(np.array([6, 6, 6]), 10) == 3
    # 200 neurons of 256 each: three cores, and the readout's 3 fit beside any of them.
    mapping = map_network(chain([4, 200, 200, 200, 3]), REFERENCE.replace({"noc.columns": 3, "noc.rows": 1}))
    assert fewest_cores(mapping) == mapping.cores_used == 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(0, 3), st.data())
def test_annealed_is_never_worse_than_a_baseline_and_repeats_itself(seed, tiles, thousands, data):
    problem = random_problem(seed, ((3, 3), (4, 4), (5, 2)), (tiles,), most=9)
    problem = on_a_board(replace(problem, moves=1000 * thousands), seed)
    search = Search(problem.nets, problem.mesh)
    found = PLACERS["annealed"](problem)
    assert np.array_equal(found, PLACERS["annealed"](problem))
    assert len(set(found.tolist())) == problem.nodes
    assert set(found.tolist()) <= set(range(problem.mesh.cores))
    cost = search.put(found)
    for name in ("random", "sequential", "hilbert", "space-filling"):
        assert cost <= search.put(PLACERS[name](problem)), name
    # More weight never costs less, wherever the nodes are.
    more = problem.nets.weight.copy()
    more[data.draw(st.integers(0, len(more) - 1))] += 5
    heavier = Nets(problem.nodes, *(getattr(problem.nets, k) for k in ("root", "first", "leaves", "to_pins")), more)
    assert Search(heavier, problem.mesh).put(found) >= cost
    assert least_traffic(heavier, problem.mesh) >= least_traffic(problem.nets, problem.mesh)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 2),
    st.sampled_from(["multicast", "unicast", "unicast of neurons"]),
    st.sampled_from(["dataflow", "barrier"]),
    st.sampled_from(sorted(PLACERS)),
    st.integers(1, 3),
)
def test_what_placement_weighs_is_what_the_simulation_counts(seed, T, cast, mode, placer, tile):
    """Flits over links, exactly, on recorded spikes: packets, end markers and ready tokens."""
    network = random_network(seed, T)
    activity = random_activity(network, seed)
    chip = REFERENCE.replace(
        {
            "core.neurons": 96,
            "noc.cast": cast.split()[0],
            "noc.destinations": "neuron" if "neurons" in cast else "slice",
            "noc.cores_per_router": tile,
            "execution.mode": mode,
        }
    )
    moves = 400 if placer.startswith("annealed") else None
    mapping = map_network(network, chip, placer=placer, activity=activity, moves=moves)
    found = quality(mapping, activity)
    result = simulate(mapping, activity, fidelity="analytic")
    nodes = result.tables.nodes
    flits = result.actions.node_flits.sum(axis=1)
    loads = np.bincount(nodes.link[nodes.link >= 0], flits[nodes.link >= 0], 1)
    assert found.traffic_links == loads.sum()
    assert found.worst_link_load == loads.max()
    assert found.traffic_bound <= found.traffic_links
    assert found.worst_link_bound <= found.worst_link_load
    assert found.cores_bound <= found.cores_used
    assert found.samples == activity.samples


def test_placement_is_weighed_by_what_spikes():
    """Searched for other spikes, a placement costs as much on these or more; and more for some network."""
    chip = REFERENCE.replace({"core.neurons": 128})
    dearer = []
    for seed in (2, 4, 5, 11):
        network = random_network(seed)
        busy, other = random_activity(network, seed, rate=0.9), random_activity(network, seed + 1, rate=0.02)
        costs = [
            quality(map_network(network, chip, placer="annealed", activity=a, moves=8000), busy).traffic_links
            for a in (busy, other)
        ]
        assert costs[0] <= costs[1]
        dearer.append(costs[1] > costs[0])
    assert any(dearer)


@pytest.mark.parametrize(
    ("option", "value"), [("seed", -1), ("seed", 0.5), ("moves", -1), ("moves", True), ("moves", 10**20)]
)
def test_a_seed_and_a_budget_are_counts(option, value):
    with pytest.raises(InputError, match=rf"{option}: found .*, expected an integer from 0 to 1,000,000,000,000,000"):
        map_network(chain([3, 2]), REFERENCE, **{option: value})


def test_an_activity_of_another_network_is_refused():
    other = random_network(5)
    with pytest.raises(ActivityError):
        map_network(chain([3, 2]), REFERENCE, placer="annealed", activity=random_activity(other, 5))


def test_random_placement_follows_its_seed():
    network = chain([30, 300, 300, 10])
    cores = [map_network(network, REFERENCE, placer="random", seed=s).terminals.tolist() for s in (1, 1, 2)]
    assert cores[0] == cores[1] != cores[2]


def test_progress_ends_where_the_budget_ends():
    told = []
    map_network(chain([30, 300, 300, 10]), REFERENCE, placer="annealed", moves=4000, progress=lambda *p: told.append(p))
    done = [a for a, _ in told]
    assert done == sorted(done)
    assert told[-1] == (4000, 4000)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_partition_holds_no_more_than_a_chip_and_repeats_itself(seed):
    pytest.importorskip("mtkahypar")
    problem = random_problem(seed, ((4, 2), (6, 2)), (1, 2), most=12)
    mesh = problem.mesh._replace(chip_columns=2, chip_rows=1, crossing=5)
    problem = replace(problem, mesh=mesh, moves=2000)
    room = 2 * mesh.each
    chips = -(-problem.nodes // room)
    part = partition(problem.nets, chips, room, seed)
    assert np.bincount(part, minlength=chips).max() <= room
    assert len(np.bincount(part)) <= chips
    found = PLACERS["partitioned"](problem)
    assert np.array_equal(found, PLACERS["partitioned"](problem))
    assert len(set(found.tolist())) == problem.nodes
    assert set(found.tolist()) <= set(range(mesh.cores))


def test_partition_finds_the_two_halves():
    """Two cliques of four that one net joins: no partition of four and four costs less than that net's weight."""
    pytest.importorskip("mtkahypar")
    rows = [(v, [u for u in half if u != v], False, 9) for half in ((0, 2, 4, 6), (1, 3, 5, 7)) for v in half]
    nets = nets_of(8, [*rows, (0, [1], False, 2)])
    part = partition(nets, 2, 4)
    assert {tuple(np.flatnonzero(part == p)) for p in (0, 1)} == {(0, 2, 4, 6), (1, 3, 5, 7)}
    # On two chips of four cores, only that net crosses: one link of weight 2 between them.
    mesh = Mesh.of_one_chip(4, 2)._replace(chip_columns=2, crossing=50)
    cores = PLACERS["partitioned"](Problem(mesh, nets, moves=4000))
    assert {tuple(np.flatnonzero(cores % 4 // 2 == p)) for p in (0, 1)} == {(0, 2, 4, 6), (1, 3, 5, 7)}
