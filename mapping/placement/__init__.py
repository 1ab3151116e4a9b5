"""Placement: which core holds which group of slices. A new placer is one file here and one line in `PLACERS`."""

from collections.abc import Callable

from sfnhw.mapping.placement.annealed import annealed
from sfnhw.mapping.placement.hilbert import hilbert, hilbert_cores
from sfnhw.mapping.placement.problem import FREE, Ints, Mesh, Problem
from sfnhw.mapping.placement.random_cores import random_cores
from sfnhw.mapping.placement.sequential import sequential, sequential_cores

# A placer takes a `Problem` and gives (nodes,) int64, the core of each node; the same problem gives the same cores.
Placer = Callable[[Problem], Ints]

PLACERS: dict[str, Placer] = {
    "hilbert": hilbert_cores,
    "space-filling": hilbert_cores,
    "sequential": sequential_cores,
    "random": random_cores,
    "annealed": annealed,
}

__all__ = ["FREE", "PLACERS", "Mesh", "Placer", "Problem", "hilbert", "sequential"]
