"""Local search over placements: swaps and moves to free cores, each priced by the trees that it touches."""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.mapping.placement.tree_kernel import (
    Bits,
    Forest,
    Graph,
    Ints,
    Sizes,
    last_leaf,
    leaf_change,
    root_place,
    seat,
    shift_leaf,
    tree_links,
)

# What a move does to a net, in bits: the first node is a leaf, the second is, the first is the root, the second is.
LEAF_A, LEAF_B, ROOT_A, ROOT_B = 1, 2, 4, 8


class Scratch(NamedTuple):
    """Of one move; and the random state."""

    role: NDArray[np.uint8]  # (nets,) bits as above; 0 between moves
    touched: Ints  # (nets,)
    links: Ints  # (nets,) new links of the touched nets, in their order
    random: Bits  # (1,)


@nb.njit(**INNER)
def below(random: Bits, n: int) -> int:
    """A random integer in [0, n): xorshift64* (Marsaglia 2003, Vigna 2016), high bits."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    x *= np.uint64(0x2545F4914F6CDD1D)
    return np.int64(((x >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))  # type: ignore[return-value]


@nb.njit(**INNER)
def uniform(random: Bits) -> float:
    """A random number in [0, 1)."""
    return below(random, 1 << 30) / (1 << 30)


@nb.njit(**INNER)
def mark(g: Graph, s: Scratch, node: int, leaf: int, root: int, n: int) -> int:
    """Note the nets of a node; `n` were noted before. Returns how many there are now."""
    for i in range(g.leaf_first[node], g.leaf_first[node + 1]):
        net = g.leaf_nets[i]
        if s.role[net] == 0:
            s.touched[n] = net
            n += 1
        s.role[net] |= leaf
    for i in range(g.root_first[node], g.root_first[node + 1]):
        net = g.root_nets[i]
        if s.role[net] == 0:
            s.touched[n] = net
            n += 1
        s.role[net] |= root
    return n


@nb.njit(nogil=True, cache=True)
def price_move(f: Forest, g: Graph, s: Scratch, node: int, target: int) -> tuple[int, int]:
    """Change of Σ weight × links if a node goes to core `target`, and who is there comes back; and the nets noted."""
    other = f.occupant[target]
    router = target // g.each
    ax, ay, bx, by = f.x[node], f.y[node], router % g.sizes.mesh_columns, router // g.sizes.mesh_columns
    n = mark(g, s, node, LEAF_A, ROOT_A, 0)
    if other >= 0:
        n = mark(g, s, other, LEAF_B, ROOT_B, n)
    rows, columns, count, x_of, y_of, links_of = f.rows, f.columns, f.held, f.x, f.y, f.links
    root, to_pins, weight, z, each, io_x, io_y = g.root, g.to_pins, g.weight, g.sizes, g.each, g.io_x, g.io_y
    a_pins, b_pins = ax == io_x and ay == io_y, bx == io_x and by == io_y
    touched, roles, new_links = s.touched, s.role, s.links
    change = 0
    for k in range(n):
        net = touched[k]
        role = roles[net]
        leaf = role & (LEAF_A | LEAF_B)
        gone_x, gone_y, new_x, new_y = -1, -1, -1, -1
        if leaf == LEAF_A:
            new_x, new_y = bx, by
            if not (to_pins[net] and a_pins) and last_leaf(count, net, z, each, ax, ay):
                gone_x, gone_y = ax, ay
        elif leaf == LEAF_B:
            new_x, new_y = ax, ay
            if not (to_pins[net] and b_pins) and last_leaf(count, net, z, each, bx, by):
                gone_x, gone_y = bx, by
        links = links_of[net]
        if role & ROOT_A:  # both cannot be the root of one net
            links = tree_links(rows, columns, net, z, bx, by, gone_x, gone_y, new_x, new_y)
        elif role & ROOT_B:
            links = tree_links(rows, columns, net, z, ax, ay, gone_x, gone_y, new_x, new_y)
        elif new_x >= 0:  # with both as leaves its set stays the same
            sx, sy = (io_x, io_y) if root[net] < 0 else (x_of[root[net]], y_of[root[net]])
            links += leaf_change(rows, columns, net, z, sx, sy, gone_x, gone_y, new_x, new_y)
        new_links[k] = links
        change += weight[net] * (links - links_of[net])
    return change, n


@nb.njit(nogil=True, cache=True)
def forget(s: Scratch, n: int) -> None:
    """Clear the notes of a move."""
    for k in range(n):
        s.role[s.touched[k]] = 0


@nb.njit(nogil=True, cache=True)
def make_move(f: Forest, g: Graph, s: Scratch, node: int, target: int, n: int) -> None:
    """Do a move that was just priced."""
    other, source = f.occupant[target], f.core[node]
    router = target // g.each
    ax, ay, bx, by = f.x[node], f.y[node], router % g.sizes.mesh_columns, router // g.sizes.mesh_columns
    rows, columns, count, links = f.rows, f.columns, f.held, f.links
    to_pins, z, each = g.to_pins, g.sizes, g.each
    a_pins, b_pins = ax == g.io_x and ay == g.io_y, bx == g.io_x and by == g.io_y
    for k in range(n):
        net = s.touched[k]
        leaf = s.role[net] & (LEAF_A | LEAF_B)
        if leaf == LEAF_A:
            shift_leaf(rows, columns, count, net, z, each, to_pins[net] and a_pins, (ax, ay, bx, by))
        elif leaf == LEAF_B:
            shift_leaf(rows, columns, count, net, z, each, to_pins[net] and b_pins, (bx, by, ax, ay))
        links[net] = s.links[k]
    f.occupant[source] = -1
    seat(f, g, node, target)
    if other >= 0:
        seat(f, g, other, source)


@nb.njit(**INNER)
def near(z: Sizes, each: int, random: Bits, x: int, y: int, radius: int) -> int:
    """A random core within `radius` rows and columns of a router."""
    left, right = max(0, x - radius), min(z.mesh_columns - 1, x + radius)
    top, bottom = max(0, y - radius), min(z.mesh_rows - 1, y + radius)
    x = left + below(random, right - left + 1)
    y = top + below(random, bottom - top + 1)
    return (x + z.mesh_columns * y) * each + (below(random, each) if each > 1 else 0)


@nb.njit(**INNER)
def partner(f: Forest, g: Graph, s: Scratch, node: int) -> tuple[int, int]:
    """The router (x, y) of a random other end of a random net of a node; its own where it has none."""
    leaf, root = g.leaf_first[node + 1] - g.leaf_first[node], g.root_first[node + 1] - g.root_first[node]
    if leaf + root == 0:
        return f.x[node], f.y[node]
    i = below(s.random, leaf + root)
    if i < leaf:
        net = g.leaf_nets[g.leaf_first[node] + i]
        if below(s.random, 2) == 0:
            return root_place(f, g, net)
    else:
        net = g.root_nets[g.root_first[node] + i - leaf]
    size = g.first[net + 1] - g.first[net]
    if size == 0:
        return g.io_x, g.io_y
    other = g.leaves[g.first[net] + below(s.random, size)]
    return f.x[other], f.y[other]


@nb.njit(**INNER)
def propose(f: Forest, g: Graph, s: Scratch, node: int, radius: int) -> int:
    """A core for a node: half of the times within `radius` of its own, else beside a random end of one of its nets."""
    if below(s.random, 2) == 0:
        return near(g.sizes, g.each, s.random, f.x[node], f.y[node], radius)
    x, y = partner(f, g, s, node)
    return near(g.sizes, g.each, s.random, x, y, 1)


@nb.njit(nogil=True, cache=True)
def mean_rise(f: Forest, g: Graph, s: Scratch, samples: int) -> float:
    """Mean rise of the cost over short moves that raise it, none of which is made; 0 where there is none."""
    total, rises = 0.0, 0
    for _ in range(samples):
        node = g.movable[below(s.random, g.movable.shape[0])]
        target = propose(f, g, s, node, 1)
        if target // g.each == f.core[node] // g.each or g.locked[target]:
            continue
        change, n = price_move(f, g, s, node, target)
        forget(s, n)
        if change > 0:
            total += change
            rises += 1
    return total / rises if rises else 0.0


@nb.njit(nogil=True, cache=True)
def anneal(
    f: Forest,
    g: Graph,
    s: Scratch,
    moves: int,
    hot: float,
    cooling: float,
    radius: int,
    best: Ints,
    cost: int,
    least: int,
) -> tuple[int, int, int]:
    """Try moves at one temperature after the other; the best placement seen is copied to `best`.

    hot, cooling : first temperature, and the factor after each move.
    radius : of the window that half of the moves stay in; the others go beside a random end of one of the node's nets.
    cost, least : of the placement, and of `best`.
    Returns the cost of the placement at the end, the least seen, and the moves accepted.
    """
    nodes = g.movable.shape[0]
    temperature, accepted = hot, 0
    for _ in range(moves):
        temperature *= cooling
        node = g.movable[below(s.random, nodes)]
        own = f.core[node]
        target = propose(f, g, s, node, radius)
        if target // g.each == own // g.each or g.locked[target]:
            continue
        change, n = price_move(f, g, s, node, target)
        if change <= 0 or uniform(s.random) < np.exp(-change / temperature):
            make_move(f, g, s, node, target, n)
            cost += change
            accepted += 1
            if cost < least:
                least = cost
                best[:] = f.core
        forget(s, n)
    return cost, least, accepted


@nb.njit(nogil=True, cache=True)
def descend(f: Forest, g: Graph, s: Scratch, cost: int, moves: int) -> tuple[int, int]:
    """Try every node on every core, again and again, and keep what is cheaper, until nothing is or `moves` were tried.

    Returns the cost, and the moves tried.
    """
    nodes, cores = g.movable.shape[0], f.occupant.shape[0]
    tried, quiet, turn = 0, 0, 0
    while quiet < nodes and tried < moves:
        quiet += 1
        node = g.movable[turn]
        for target in range(cores):
            if target // g.each == f.core[node] // g.each or g.locked[target]:
                continue
            change, n = price_move(f, g, s, node, target)
            tried += 1
            if change < 0:
                make_move(f, g, s, node, target, n)
                cost += change
                quiet = 0
            forget(s, n)
        turn = (turn + 1) % nodes
    return cost, tried
