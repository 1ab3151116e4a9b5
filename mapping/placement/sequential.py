"""Row by row, every second row backwards, so that neighbours in the order are neighbours on the mesh."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.placement.problem import Ints, Problem, along


def sequential_cores(problem: Problem) -> Ints:
    """(nodes,) cores: nodes in network order along the rows."""
    return problem.seated(along(sequential(problem.mesh.columns, problem.mesh.rows), problem.mesh, problem.nodes))


def sequential(columns: int, rows: int) -> NDArray[np.int64]:
    """(columns·rows,) router ids x + columns·y in boustrophedon order."""
    grid = np.arange(columns * rows).reshape(rows, columns)
    grid[1::2] = grid[1::2, ::-1].copy()
    return grid.ravel().astype(np.int64)
