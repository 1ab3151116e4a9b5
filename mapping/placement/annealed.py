from sfnhw.mapping.placement.problem import Ints, Problem
def annealed(problem: Problem) -> Ints:
    from sfnhw.mapping.placement.search import Search
    from sfnhw.mapping.placement.starts import starts

    search = Search(problem.nets, problem.mesh, problem.seed)
    return min(starts(problem), key=search.put)
