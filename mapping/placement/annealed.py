"""Simulated annealing of the multicast trees, from the best of the walks."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sfnhw.mapping.placement.problem import Ints, Problem
from sfnhw.mapping.placement.starts import starts

if TYPE_CHECKING:
    from sfnhw.mapping.placement.search import Search

# Unless the problem says how many moves: as many for each node, but no more trees in all (a move changes those of two nodes).
MOVES_A_NODE = 12_000
MOST_TREES = 400_000_000
# Of that, at most one part in so many goes to the descent at the end.
DESCENT = 8
# Small problems are searched again from the start: one round in four or so ends beside the optimum. They need not cool as far,
# since the descent looks at all of their cores; found on the digits networks.
ROUNDS, SMALL, SMALL_COLD, SMALL_MOVES = 4, 64, 0.03, 24_000
# First and last temperature as shares of the mean rise of short moves, and the steps in which the window follows the
# accepted share (each of some moves at least), towards 44 % (Lam and Delosme 1988; Betz and Rose 1997). Found on ViT-B/16 and ResNet-50.
HOT, COLD = 0.3, 0.0025
# and no more than LONGEST, since a step cannot be interrupted.
LONGEST = 2_000_000
STEPS, FEWEST_MOVES = 50, 500
ACCEPTED = 0.44


def annealed(problem: Problem) -> Ints:
    """(nodes,) cores: the placement with the least Σ weight × links that the search has seen.

    Never worse than `hilbert`, `sequential`, or `random` of the same seed: it starts from the best of them. Links are those
    of the problem's routing; under "o1turn", where trees choose once all are placed, those of XY trees.
    """
    return searched(problem, starts(problem))


def searched(problem: Problem, begin: Iterator[Ints]) -> Ints:
    """(nodes,) cores: the search of `annealed` from the best of some placements."""
    if problem.routing != "yx":
        return _annealed(problem, begin)
    across = problem.transposed()
    return across.mesh.transpose(_annealed(across, map(problem.mesh.transpose, begin)))


def _annealed(problem: Problem, begin: Iterator[Ints]) -> Ints:
    """Search under XY routing from the best of some placements."""
    from sfnhw.mapping.placement.search import Search  # Numba

    search = Search(problem.nets, problem.mesh, problem.seed, problem.fixed)
    if not len(problem.nets) or not len(search.graph.movable):
        return next(begin)
    start = min(begin, key=search.put)
    best, least = start, search.put(start)
    moves = default_moves(problem) if problem.moves is None else problem.moves
    rounds, cold = (ROUNDS, SMALL_COLD) if problem.nodes <= SMALL else (1, COLD)
    tell = problem.progress or (lambda done, total: None)
    for i in range(rounds):
        before = i * (moves // rounds)

        def told(done: int, before: int = before) -> None:
            tell(before + done, moves)

        found, cost = _round(search, start, moves // rounds, cold, told)
        if cost < least:
            best, least = found, cost
    tell(moves, moves)
    return best


def default_moves(problem: Problem) -> int:
    """Moves tried where the problem does not say."""
    ends = len(problem.nets.leaves) + int((problem.nets.root >= 0).sum())
    each = SMALL_MOVES if problem.nodes <= SMALL else MOVES_A_NODE
    return min(each * problem.nodes, MOST_TREES * problem.nodes // (2 * max(1, ends)))


def _round(search: "Search", start: Ints, moves: int, cold: float, tell: Callable[[int], None]) -> tuple[Ints, int]:
    """Cool once from the start, to `cold` mean rises, then descend from the best placement seen; returns it, and its cost."""
    least = search.put(start)
    best = start.copy()
    hot = HOT * search.mean_rise(min(moves, 2000))
    steps = max(1, min(STEPS, moves // FEWEST_MOVES), -(-moves // LONGEST))
    each = (moves - moves // DESCENT) // steps
    if hot > 0 and each:
        cooling = (cold / HOT) ** (1 / (each * steps))
        side = max(search.graph.sizes.mesh_columns, search.graph.sizes.mesh_rows)
        radius = float(side)
        for step in range(steps):
            least, accepted = search.anneal(each, hot * cooling ** (each * step), cooling, round(radius), best, least)
            radius = min(max(1.0, radius * (1 - ACCEPTED + accepted / each)), side)
            tell(each * (step + 1))
    search.put(best)
    search.descend(moves // DESCENT)
    return search.forest.core.copy(), search.cost
