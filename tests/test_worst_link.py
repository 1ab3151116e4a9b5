"""The bound of the fullest link: below every placement and every choice of ways, and tight where it can be worked by hand."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.mapping.bounds import least_traffic
from sfnhw.mapping.placement import Mesh
from sfnhw.mapping.routes import route
from sfnhw.mapping.worst_link import at_cut, least_worst_link, makespan
from tests.nets import nets_of, random_problem


def bound_of(nets, mesh):
    return least_worst_link(nets, mesh, least_traffic(nets, mesh))


def loads_of(nets, mesh, cores, yx):
    """(nets, links) load of each net's tree."""
    at = np.append(cores, mesh.cores)
    ends = [
        [int(at[v]) for v in nets.leaves[a:b]] + [mesh.cores] * int(pins)
        for a, b, pins in zip(nets.first, nets.first[1:], nets.to_pins, strict=False)
    ]
    trees = route(at[nets.root], ends, mesh.columns, mesh.rows, mesh.io_router, True, mesh.each, yx)
    out = np.zeros((len(nets), 4 * mesh.columns * mesh.rows), np.int64)
    on_link = trees.link >= 0
    out[trees.owner[on_link], trees.link[on_link]] = nets.weight[trees.owner[on_link]]
    return out


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(1,), (2,), (1, 2, 3)]))
def test_no_placement_and_no_choice_of_ways_is_below_it(seed, tiles):
    """All placements, and for each all choices between XY and YX."""
    problem = random_problem(seed, ((2, 2), (3, 1), (1, 4), (3, 2), (4, 1)), tiles, most=4, nets=4)
    nets, mesh = problem.nets, problem.mesh
    bound = bound_of(nets, mesh)
    choices = np.array(list(product((0, 1), repeat=len(nets))))
    placements = list(permutations(range(mesh.cores), problem.nodes))
    rng = np.random.default_rng(seed)
    for k in rng.permutation(len(placements))[:100]:
        ways = np.stack([loads_of(nets, mesh, np.array(placements[k]), yx) for yx in (False, True)])
        assert bound <= ways[choices, np.arange(len(nets))].sum(axis=1).max(axis=1).min()


@given(st.lists(st.integers(0, 20), max_size=6), st.integers(1, 4))
def test_makespan_is_below_every_schedule(jobs, machines):
    best = min(
        max(sum(j for j, at in zip(jobs, to, strict=True) if at == m) for m in range(machines))
        for to in product(range(machines), repeat=len(jobs))
    )
    bound = makespan(np.array(jobs, np.int64), machines)
    assert max([0, *jobs]) <= bound <= best
    assert bound * machines >= sum(jobs)


@pytest.mark.parametrize(
    ("jobs", "machines", "bound"),
    [
        ((10,), 4, 10),
        ((5, 5, 5), 2, 10),
        ((6, 5, 4, 4), 3, 8),
        ((1, 1, 1, 1), 2, 2),
        ((), 3, 0),
        ((4, 4, 4, 4, 4), 2, 12),
    ],
)
def test_makespan_by_hand(jobs, machines, bound):
    assert makespan(np.array(jobs, np.int64), machines) == bound


def test_a_net_does_not_split_its_flits():
    """The pins of a corner have two links, and one net of ten flits takes one of them whole; three nets, two on one."""
    mesh = Mesh.of_one_chip(4, 4)
    assert bound_of(nets_of(3, [(-1, [0, 1, 2], False, 10)]), mesh) == 10
    assert bound_of(nets_of(3, [(-1, [0, 1, 2], False, w) for w in (7, 6, 5)]), mesh) == 11
    # Inside the mesh a core has four links: of five nets two share one.
    assert bound_of(nets_of(6, [(5, [v], False, 3) for v in range(5)]), mesh) == 6


def test_nets_wider_than_half_a_mesh_pass_its_middle():
    """A line of six cores, all used, and a net over each four of them: 15 nets over the two links of the middle.

    The best core has but ten of them to receive by two links, and the mean link carries 45 / 10.
    """
    nets = nets_of(6, [(four[0], list(four[1:]), False, 1) for four in combinations(range(6), 4)])
    assert bound_of(nets, Mesh.of_one_chip(6, 1)) == 8
    # On a longer line they need not be split: six of the cores hold all.
    assert bound_of(nets, Mesh.of_one_chip(12, 1)) < 8


def test_a_full_mesh_leaves_nobody_room_to_be_apart():
    """4 × 2, all eight cores used, a net of two flits from each node to the next two in a ring of eight.

    Two nodes sit in the first column. Each has three nets of three nodes, none of which has room there; a net has at most
    two nodes in the column: (3 · 2 · 2) / 2 = 6 flits pass two links each way, two each way at least.
    """
    ring = nets_of(8, [(v, sorted(((v + 1) % 8, (v + 2) % 8)), False, 2) for v in range(8)])
    assert at_cut(ring, (2, 6), 0, 2) == 2  # 6 flits on four links
    assert at_cut(ring, (2, 8), 0, 2) == 0  # a fifth column, and the first may stay empty


def test_from_the_pins_it_goes_one_way():
    """Four inputs for all of six nodes, pins at the end of a line of six: only five can stay on any side of the pins."""
    nets = nets_of(6, [(-1, list(range(6)), False, 3)] * 4)
    # All four leave the pins' router by its one link.
    assert bound_of(nets, Mesh.of_one_chip(6, 1)) == 12
    # In the middle of a 3 × 3 mesh there are four links: the mean of 4 nets × 5 links × 3 flits over 24 links is 3.
    assert bound_of(nets, Mesh.of_one_chip(3, 3, 1, 4)) == 3
