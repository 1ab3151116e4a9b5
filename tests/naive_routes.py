"""Trees in dimension order, a node at a time, in plain lists: the twin of `sfnhw.mapping.routes`."""

STEP = ((1, 0), (-1, 0), (0, 1), (0, -1))


def naive_trees(sources, destinations, columns, rows, io_router, multicast, cores_per_router, yx):
    """One dict a tree: owner, nodes [(router, parent within the tree, link, exits)] in the order in which they are made.

    yx : for each tree in turn, whether it goes along the column first.
    """
    cores = columns * rows * cores_per_router

    def at(terminal):
        return io_router if terminal == cores else terminal // cores_per_router

    trees = []
    for owner, targets in enumerate(destinations):
        groups = [sorted(set(targets))] if multicast else [[t] for t in sorted(set(targets))]
        for group in groups:
            if not group:
                continue
            turned = yx[len(trees)]
            nodes = [(at(sources[owner]), -1, -1, [])]
            place = {nodes[0][0]: 0}
            for terminal in group:
                here = nodes[0][0]
                for direction in steps(here, at(terminal), columns, turned):
                    x, y = STEP[direction]
                    there = here + x + columns * y
                    if there not in place:
                        place[there] = len(nodes)
                        nodes.append((there, place[here], 4 * here + direction, []))
                    here = there
                nodes[place[here]][3].append(terminal)
            trees.append({"owner": owner, "nodes": nodes})
    return trees


def steps(start, end, columns, yx):
    """Directions of the hops from one router to another: all along one dimension, then all along the other."""
    (y0, x0), (y1, x1) = divmod(start, columns), divmod(end, columns)
    row = [0 if x1 > x0 else 1] * abs(x1 - x0)
    column = [2 if y1 > y0 else 3] * abs(y1 - y0)
    return column + row if yx else row + column
