"""Annealing, then moves that take load off the fullest link for a few more flits over links."""

from sfnhw.mapping.placement.annealed import annealed
from sfnhw.mapping.placement.problem import Ints, Problem

# Σ weight × links may grow by one part in so many.
SHARE = 20
# The fullest link is to be lowered to these shares of its load, from the annealed placement in each of so many runs; more
# where there are few nodes.
STEPS, RUNS, NODES = (0.9, 0.97), 8, 2048
# Moves tried in a run, and in vain one after the other, for each node.
TRIES, QUIET = 200, 40


def balanced(problem: Problem) -> Ints:
    """(nodes,) cores: of the placements met whose traffic is at most 5 % above that of `annealed`, the one with the least
    fullest link, and among these the least traffic. Never fuller than `annealed` of the same seed.

    Links carry what they do under the problem's routing; under "o1turn", where trees choose later, as under "xy".
    """
    start = annealed(problem)
    if problem.routing != "yx":
        return _relieved(problem, start)
    across = problem.transposed()
    return across.mesh.transpose(_relieved(across, problem.mesh.transpose(start)))


def _relieved(problem: Problem, start: Ints) -> Ints:
    """Lower the fullest link step by step under XY routing, several times from the start, and keep the best."""
    from sfnhw.mapping.placement.search import Search  # Numba

    search = Search(problem.nets, problem.mesh, problem.seed, problem.fixed)
    if not len(problem.nets) or not len(search.graph.movable):
        return start
    cost = search.put(start)
    best, key = start, (int(search.loads().max(initial=0)), cost)
    quiet = QUIET * problem.nodes
    for step in STEPS:
        for _ in range(min(max(RUNS, NODES // problem.nodes), 64)):
            search.put(start)
            loads = search.loads()
            tries, done = TRIES * problem.nodes, True
            if problem.moves is not None:
                tries = min(tries, problem.moves)
            while done and tries and loads.max():
                tries, done = search.lower(loads, int(loads.max() * step), cost + cost // SHARE, tries, quiet)
                now = (int(loads.max()), search.cost)
                if now < key:
                    best, key = search.forest.core.copy(), now
    return best
