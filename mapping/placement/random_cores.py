"""Anywhere: the baseline that every placer must beat."""

import numpy as np

from sfnhw.mapping.placement.problem import Ints, Problem


def random_cores(problem: Problem) -> Ints:
    """(nodes,) cores drawn without replacement from the problem's seed."""
    cores = np.random.default_rng(problem.seed).permutation(problem.mesh.cores)[: problem.nodes]
    return problem.seated(cores)
