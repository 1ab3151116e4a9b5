"""Hypergraph partition over the chips of a board, then the search: fewest flits from chip to chip first.

A node with all that hear it is one hyperedge, so what a cut costs is the number of further chips that a net reaches: the
connectivity metric, Σ weight × (chips − 1). mtkahypar minimises it, with as many nodes a chip as that has cores; its
deterministic preset gives the same partition for any number of threads.
"""

from functools import cache
from typing import Any

import numpy as np

from sfnhw.errors import InputError
from sfnhw.mapping.placement.annealed import annealed, searched
from sfnhw.mapping.placement.hilbert import chip_by_chip
from sfnhw.mapping.placement.problem import Ints, Problem, along
from sfnhw.mapping.traffic import PINS, Nets

# What a partition may leave the balance by does not matter: the most nodes of a chip are given.
SLACK = 0.03


def partitioned(problem: Problem) -> Ints:
    """(nodes,) cores: searched as `annealed` does, from a partition over the chips; with one chip it is `annealed`.

    Raises
    ------
    InputError : the library mtkahypar is not installed.
    """
    mesh = problem.mesh
    room = mesh.chip_columns * mesh.chip_rows * mesh.each
    chips = -(-problem.nodes // room)
    if chips < 2:
        return annealed(problem)
    part = partition(problem.nets, chips, room, problem.seed)
    # Parts lie along the curve over the chips in the order of the layers that they hold; so do nodes within a chip.
    middle = np.bincount(part, np.arange(problem.nodes), chips) / np.maximum(1, np.bincount(part, minlength=chips))
    walk = along(chip_by_chip(mesh), mesh, mesh.cores).reshape(-1, room)
    cores = np.empty(problem.nodes, np.int64)
    for place, p in enumerate(np.argsort(middle, kind="stable")):
        mine = np.flatnonzero(part == p)
        cores[mine] = walk[place, : len(mine)]
    return searched(problem, iter([problem.seated(cores)]))


def partition(nets: Nets, parts: int, most: int, seed: int = 0) -> Ints:
    """(nodes,) part of each node, no part with more than `most`: the least Σ weight × (parts reached − 1) that was found."""
    mtkahypar, library = _library()
    mtkahypar.set_seed(seed % 2**31)
    context = library.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.logging = False
    context.set_partitioning_parameters(parts, SLACK, mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights([most] * parts)
    ends = [part.tolist() for part in np.split(nets.leaves, nets.first[1:-1])]
    groups = [
        [*leaves, *([root] if root != PINS else [])] for leaves, root in zip(ends, nets.root.tolist(), strict=True)
    ]
    edges = [
        (sorted(group), weight) for group, weight in zip(groups, nets.weight.tolist(), strict=True) if len(group) > 1
    ]
    if not edges:
        return np.arange(nets.nodes) // most
    graph = library.create_hypergraph(
        context, nets.nodes, len(edges), [e for e, _ in edges], [1] * nets.nodes, [w for _, w in edges]
    )
    found = graph.partition(context)
    return np.array([found.block_id(node) for node in range(nets.nodes)], np.int64)


@cache
def _library() -> tuple[Any, Any]:
    """The module, and its threads, which are started once a process."""
    try:
        import mtkahypar
    except ImportError:
        raise InputError(
            "needs the library mtkahypar, which is not installed",
            field="placer",
            found="partitioned",
            expected="pip install 'sfnhw[partition]', or placer annealed",
        ) from None
    return mtkahypar, mtkahypar.initialize(1)
