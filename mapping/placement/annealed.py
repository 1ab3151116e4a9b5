"""Simulated annealing of the multicast trees, from the best of the walks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sfnhw.mapping.placement.problem import Ints, Problem
from sfnhw.mapping.placement.starts import starts

if TYPE_CHECKING:
    from sfnhw.mapping.placement.search import Search

# Unless the problem says how many moves: as many for each node, but no more trees in all (a move changes those of two nodes).
MOVES_A_NODE = 4000
MOST_TREES = 200_000_000
# Of that, at most one part in so many goes to the descent at the end.
DESCENT = 8
# Small problems are searched again from the start: one round in four or so ends beside the optimum.
ROUNDS, SMALL = 8, 64
# First and last temperature as shares of the mean rise of short moves, and the steps in which the window follows the
# accepted share (each of some moves at least), towards 44 % (Lam and Delosme 1988; Betz and Rose 1997). Found on ViT-B/16 and ResNet-50.
HOT, COLD = 0.3, 0.0025
STEPS, FEWEST_MOVES = 50, 500
ACCEPTED = 0.44


def annealed(problem: Problem) -> Ints:
    """(nodes,) cores: the placement with the least Σ weight × links that the search has seen.

    Never worse than `hilbert`, `sequential`, or `random` of the same seed: it starts from the best of them.
    """
    from sfnhw.mapping.placement.search import Search  # Numba

    search = Search(problem.nets, problem.mesh, problem.seed, problem.fixed)
    if not len(problem.nets) or not len(search.graph.movable):
        return next(starts(problem))
    start = min(starts(problem), key=search.put)
    best, least = start, search.put(start)
    moves = default_moves(problem) if problem.moves is None else problem.moves
    rounds = ROUNDS if problem.nodes <= SMALL else 1
    tell = problem.progress or (lambda done, total: None)
    for i in range(rounds):
        before = i * (moves // rounds)
        found, cost = _round(search, start, moves // rounds, lambda done, before=before: tell(before + done, moves))  # type: ignore[misc]
        if cost < least:
            best, least = found, cost
    tell(moves, moves)
    return best


def default_moves(problem: Problem) -> int:
    """Moves tried where the problem does not say."""
    ends = len(problem.nets.leaves) + int((problem.nets.root >= 0).sum())
    return min(MOVES_A_NODE * problem.nodes, MOST_TREES * problem.nodes // (2 * max(1, ends)))


def _round(search: "Search", start: Ints, moves: int, tell: Callable[[int], None]) -> tuple[Ints, int]:
    """Cool once from the start, then descend from the best placement seen; returns it, and its cost."""
    least = search.put(start)
    best = start.copy()
    hot = HOT * search.mean_rise(min(moves, 2000))
    steps = max(1, min(STEPS, moves // FEWEST_MOVES))
    each = (moves - moves // DESCENT) // steps
    if hot > 0 and each:
        cooling = (COLD / HOT) ** (1 / (each * steps))
        side = max(search.graph.sizes.mesh_columns, search.graph.sizes.mesh_rows)
        radius = float(side)
        for step in range(steps):
            least, accepted = search.anneal(each, hot * cooling ** (each * step), cooling, round(radius), best, least)
            radius = min(max(1.0, radius * (1 - ACCEPTED + accepted / each)), side)
            tell(each * (step + 1))
    search.put(best)
    search.descend(moves // DESCENT)
    return search.forest.core.copy(), search.cost
