"""annealed-balanced: loads of links while nodes move, and what it promises beside `annealed`."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.mapping import PLACERS, map_network, verify
from sfnhw.mapping.placement import FREE, Mesh, Problem
from sfnhw.mapping.placement.search import Search
from sfnhw.mapping.quality import quality
from sfnhw.mapping.routes import route
from tests.nets import nets_of, random_problem
from tests.networks import random_activity, random_network

REFERENCE = load_chip("reference")


def loads_of(problem, cores, yx=False):
    """Weight over each link, from the trees of a mapping."""
    nets, mesh = problem.nets, problem.mesh
    at = np.append(cores, mesh.cores)
    ends = [
        [int(at[v]) for v in nets.leaves[a:b]] + [mesh.cores] * int(pins)
        for a, b, pins in zip(nets.first, nets.first[1:], nets.to_pins, strict=False)
    ]
    trees = route(at[nets.root], ends, mesh.columns, mesh.rows, mesh.io_router, True, mesh.each, yx)
    loads = np.zeros(4 * mesh.columns * mesh.rows, np.int64)
    np.add.at(loads, trees.link[trees.link >= 0], nets.weight[trees.owner[trees.link >= 0]])
    return loads


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(0, 40), st.integers(0, 200))
def test_loads_after_moves_are_those_of_the_routes(seed, share, room, tries):
    """On meshes beyond one word of bits too; and no more is spent, and nothing gets fuller than was allowed."""
    problem = random_problem(seed, ((1, 4), (3, 3), (4, 2), (70, 2), (2, 67)), (1, 2, 3), most=9)
    search = Search(problem.nets, problem.mesh, seed)
    cores = np.random.default_rng(seed).permutation(problem.mesh.cores)[: problem.nodes]
    cost = search.put(cores)
    loads = search.loads()
    assert np.array_equal(loads, loads_of(problem, cores))
    assert loads.sum() == cost
    limit, before = int(loads.max() * share), loads.copy()
    left, done = search.lower(loads, limit, cost + room, tries, 50)
    now = search.forest.core.copy()
    assert np.array_equal(loads, loads_of(problem, now))
    assert search.cost == loads.sum() <= cost + room
    assert 0 <= left <= tries
    assert done == (loads.max() <= limit)
    over, was = (float((np.maximum(0, x - limit) ** 2).sum()) for x in (loads, before))
    assert over <= was


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["xy", "yx"]), st.integers(1, 2), st.data())
def test_no_fuller_than_annealed_and_little_dearer(seed, routing, tile, data):
    problem = random_problem(seed, ((3, 3), (4, 4), (5, 2)), (tile,), most=9)
    fixed = np.full(problem.nodes, FREE)
    if data.draw(st.booleans()):
        fixed[0] = data.draw(st.integers(0, problem.mesh.cores - 1))
    problem = replace(problem, moves=1000, routing=routing, fixed=fixed)
    found, annealed = PLACERS["annealed-balanced"](problem), PLACERS["annealed"](problem)
    assert np.array_equal(found, PLACERS["annealed-balanced"](problem))
    assert len(set(found.tolist())) == problem.nodes
    assert (found[fixed != FREE] == fixed[fixed != FREE]).all()
    loads, before = (loads_of(problem, cores, routing == "yx") for cores in (found, annealed))
    assert (loads.max(), loads.sum()) <= (before.max(), before.sum())
    assert loads.sum() <= 1.05 * before.sum()


def test_a_little_more_traffic_empties_the_fullest_link():
    """A line of five. a and b send 10 to c, and 6 to each other.

    In the order a, b, c that is 2·10 + 10 + 6 + 6 = 42 flits over links, and the link into c carries 20; in the order a, c, b
    it is 10 + 10 + 2·6 + 2·6 = 44, and no link carries more than 16.
    """
    nets = nets_of(3, [(0, [2], False, 10), (1, [2], False, 10), (0, [1], False, 6), (1, [0], False, 6)])
    problem = Problem(Mesh.of_one_chip(5, 1), nets, moves=4000)
    shortest, emptiest = (loads_of(problem, PLACERS[name](problem)) for name in ("annealed", "annealed-balanced"))
    assert (shortest.sum(), shortest.max()) == (42, 20)
    assert (emptiest.sum(), emptiest.max()) == (44, 16)


@pytest.mark.parametrize("routing", ["xy", "yx", "o1turn"])
def test_a_mapping_by_it_verifies(routing):
    network = random_network(3)
    activity = random_activity(network, 3)
    chip = REFERENCE.replace({"core.neurons": 64, "noc.routing": routing})
    worst = {}
    for placer in ("annealed", "annealed-balanced"):
        mapping = map_network(network, chip, placer=placer, activity=activity, moves=4000)
        assert verify(mapping).ok
        assert mapping.placer == placer
        worst[placer] = quality(mapping, activity).worst_link_load
    if routing != "o1turn":
        assert worst["annealed-balanced"] <= worst["annealed"]
