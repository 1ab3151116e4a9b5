"""Placement: which core holds which group of slices. A new placer is one file here and one line in `PLACERS`."""

from collections.abc import Callable

from sfnhw.mapping.placement.annealed import annealed
from sfnhw.mapping.placement.balanced import balanced
from sfnhw.mapping.placement.hilbert import hilbert, hilbert_cores
from sfnhw.mapping.placement.partitioned import partitioned
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
    "partitioned": partitioned,
    "annealed-balanced": balanced,
}

# Which of them try moves, and which draw nothing: where nothing is drawn a seed says nothing.
SEARCHES = ("annealed", "annealed-balanced")
DRAW_NOTHING = ("hilbert", "space-filling", "sequential")

__all__ = ["DRAW_NOTHING", "FREE", "PLACERS", "SEARCHES", "Mesh", "Placer", "Problem", "hilbert", "sequential"]
