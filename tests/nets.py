"""Small placement problems."""

import numpy as np

from sfnhw.mapping.placement import Mesh, Problem
from sfnhw.mapping.traffic import PINS, Nets


def nets_of(nodes, rows):
    """Nets from (root, leaves, to pins, weight)."""
    root, leaves, pins, weight = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Nets(
        nodes,
        np.array(root, np.int64),
        np.cumsum([0, *map(len, leaves)]).astype(np.int64),
        np.array([v for x in leaves for v in x], np.int64),
        np.array(pins, np.bool_),
        np.array(weight, np.int64),
    )


def random_problem(seed, meshes=((2, 2), (3, 2), (2, 3), (3, 3)), tiles=(1,), most=6, nets=12):
    """A few nodes and nets on a mesh that holds them."""
    rng = np.random.default_rng(seed)
    columns, rows = meshes[rng.integers(len(meshes))]
    mesh = Mesh(columns, rows, int(rng.choice(tiles)), int(rng.integers(columns * rows)))
    nodes = int(rng.integers(2, min(most, mesh.cores) + 1))
    drawn = []
    while not drawn or len(drawn) < rng.integers(2, nets + 1):
        root = int(rng.integers(-1, nodes))
        size = int(rng.integers(0, min(nodes, 5) + 1))
        leaves = sorted(set(rng.choice(nodes, size, replace=False).tolist()) - {root})
        to_pins = bool(root != PINS and rng.random() < 0.2)
        if leaves or to_pins:
            drawn.append((root, leaves, to_pins, int(rng.integers(1, 9))))
    return Problem(mesh, nets_of(nodes, drawn), seed=seed)
