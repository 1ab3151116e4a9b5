"""Naive twins: as slow and as plain as possible, so that a reader can check them by eye; nothing shared with sfnhw."""

from collections import defaultdict

import numpy as np

from tests.naive_packet_formats import packets_in


def synapses_of(network):
    """Every synapse as (projection, source neuron, target neuron, index of its weight), one by one."""
    out = []
    for k, p in enumerate(network.projections):
        source, target = network[p.source], network[p.target]
        if p.kind == "dense":
            a, b = p.source_channels or (0, source.channels)
            first, last = a * source.positions, b * source.positions
            out += [(k, i, o, (o, i - first)) for o in range(target.size) for i in range(first, last)]
        elif p.kind == "elementwise":
            out += [(k, i, i, None) for i in range(source.size)]
        elif p.kind == "sparse":
            for i in range(source.size):
                out += [(k, i, int(p.targets[j]), j) for j in range(p.offsets[i], p.offsets[i + 1])]
        elif p.kind == "upsample":
            for o in range(target.size):
                c, y, x = o // target.positions, o // target.columns % target.rows, o % target.columns
                i = (c * source.rows + y // p.factor[0]) * source.columns + x // p.factor[1]
                out.append((k, i, o, None))
        elif p.kind == "transposed_conv2d":
            out += [(k, *synapse) for synapse in transposed_synapses(p, source, target)]
        elif p.kind in ("product", "stationary"):
            out += [(k, i, o, None) for i, o in product_pairs(p, network)]
        else:
            kh, kw = p.weight.shape[2:] if p.kind == "conv2d" else p.kernel
            dh, dw = p.dilation if p.kind == "conv2d" else (1, 1)
            for o in range(target.channels):
                if p.kind == "conv2d":
                    a, b = p.source_channels or (0, source.channels)
                    per = (b - a) // p.groups
                    first = a + (o // (target.channels // p.groups)) * per
                    channels = [(first + c, c) for c in range(per)]
                else:
                    channels = [(o, 0)]
                for y in range(target.rows):
                    for x in range(target.columns):
                        for c, local in channels:
                            for ky in range(kh):
                                for kx in range(kw):
                                    sy = y * p.stride[0] - p.padding[0] + ky * dh
                                    sx = x * p.stride[1] - p.padding[1] + kx * dw
                                    if 0 <= sy < source.rows and 0 <= sx < source.columns:
                                        a = (c * source.rows + sy) * source.columns + sx
                                        b = (o * target.rows + y) * target.columns + x
                                        out.append((k, a, b, (o, local, ky, kx)))
    return out


def transposed_synapses(p, source, target):
    """(source neuron, target neuron, index of the weight) of a transposed convolution, one by one."""
    out = []
    channels_in, width, kh, kw = p.weight.shape
    for c in range(channels_in):
        group = c // (channels_in // p.groups)
        for j in range(width):
            for y in range(source.rows):
                for x in range(source.columns):
                    for ky in range(kh):
                        for kx in range(kw):
                            ty = y * p.stride[0] - p.padding[0] + ky * p.dilation[0]
                            tx = x * p.stride[1] - p.padding[1] + kx * p.dilation[1]
                            if 0 <= ty < target.rows and 0 <= tx < target.columns:
                                a = (c * source.rows + y) * source.columns + x
                                b = ((group * width + j) * target.rows + ty) * target.columns + tx
                                out.append((a, b, (c, j, ky, kx)))
    return out


def product_pairs(p, network):
    """(source neuron, target neuron) for each multiplication of a product, from the operand that `p` brings."""
    target, pairs = network[p.target], []
    if p.form == "scores":  # target (h, i, j) = sum over d of left (h D + d, i) · right (h D + d, j)
        size = network[p.source].channels // p.heads
        for h in range(p.heads):
            for i in range(target.rows):
                for j in range(target.columns):
                    for d in range(size):
                        position, count = (i, target.rows) if p.side == "left" else (j, target.columns)
                        pairs.append(((h * size + d) * count + position, (h * target.rows + i) * target.columns + j))
        return pairs
    queries, size = target.positions, target.channels // p.heads
    keys = network[p.source].columns if p.side == "left" else network[p.source].positions
    for c in range(target.channels):  # target (c, i) = sum over j of left (c // E, i, j) · right (c, j)
        for i in range(queries):
            for j in range(keys):
                source = ((c // size) * queries + i) * keys + j if p.side == "left" else c * keys + j
                pairs.append((source, c * queries + i))
    return pairs


def core_of_neuron(mapping):
    """population → (neurons,) slice index of each neuron, by looking at every slice's block."""
    where = {p.name: np.full(p.size, -1) for p in mapping.network.populations}
    for s in mapping.slices:
        p = mapping.network[s.population]
        for c in range(s.block.c0, s.block.c1):
            for y in range(s.block.r0, s.block.r1):
                for x in range(p.columns):
                    i = (c * p.rows + y) * p.columns + x
                    assert where[s.population][i] == -1, "a neuron in two slices"
                    where[s.population][i] = s.index
    assert all((w >= 0).all() for w in where.values()), "a neuron in no slice"
    return where


def count(mapping, activity, formats=None):
    """Base counts by walking every spike over every synapse: packets, deliveries, synaptic operations, flits.

    formats : population → packet format; None: one address event each.
    """
    network, chip = mapping.network, mapping.chip
    formats = formats or {p.name: "aer" for p in network.populations}
    slice_of = core_of_neuron(mapping)
    fan = defaultdict(list)
    for k, i, o, _ in synapses_of(network):
        fan[network.projections[k].source, i].append((k, slice_of[network.projections[k].target][o]))
    own = chip.noc.destinations == "neuron"

    def sender(name, i):
        """Who sends to all that it feeds: the neuron, or its slice."""
        return (name, i) if own else slice_of[name][i]

    reach = defaultdict(set)  # sender → terminals that it, or any neuron of it, feeds
    rows = defaultdict(set)  # sender → (target slice, projection)
    for (name, i), ends in fan.items():
        for k, b in ends:
            reach[sender(name, i)].add(int(mapping.terminals[b]))
            rows[sender(name, i)].add((b, k))
    for p in network.populations:
        for i in range(p.size) if p.role == "output" else ():
            reach[sender(p.name, i)].add(mapping.io)
    packets = delivered = operations = lookups = arrivals = flit_hops = flit_routers = spikes = 0
    injections = events = flits_sent = 0
    column_hops = 0  # of flit_hops, those along a column
    columns = chip.columns

    def path(start, end):
        (x, y), (gx, gy) = divmod(start, columns)[::-1], divmod(end, columns)[::-1]
        out = []
        while x != gx:
            step = 1 if gx > x else -1
            out.append(((x, y), (x + step, y)))
            x += step
        while y != gy:
            step = 1 if gy > y else -1
            out.append(((x, y), (x, y + step)))
            y += step
        return out

    def at(terminal):
        return mapping.io_router if terminal == mapping.io else terminal // chip.noc.cores_per_router

    for p in network.populations:
        for home, bits, held in packets_in(mapping, activity, p, formats, slice_of):
            start = at(int(mapping.terminals[home]))
            flits = int(np.ceil(bits / chip.noc.flit_bits))
            a = sender(p.name, held[0]) if own else home
            packets += 1
            events += len(held)
            flits_sent += flits
            injections += len(reach[a]) if chip.noc.cast == "unicast" else len(reach[a]) > 0
            if p.role != "input":
                spikes += len(set(held)) if formats[p.name] != "aer" or p.coding.kind != "polarity" else 0
            delivered += len(reach[a])
            for _, k in rows[a]:
                arrivals += 1
                alone = chip.core.axon_sharing == "neuron" or network.projections[k].kind == "sparse"
                lookups += len(held) if alone else 1
            # What is written as a stationary operand is no synaptic operation.
            for i in held:
                operations += sum(network.projections[k].kind != "stationary" for k, _ in fan[p.name, i])
            if chip.noc.cast == "multicast":
                links = {hop for terminal in reach[a] for hop in path(start, at(terminal))}
                flit_hops += flits * len(links)
                column_hops += flits * sum(one[0] == other[0] for one, other in links)
                flit_routers += flits * (len({b for _, b in links} | {"start"}) if reach[a] else 0)
            else:
                lengths = [len(path(start, at(terminal))) for terminal in reach[a]]
                hops = [hop for terminal in reach[a] for hop in path(start, at(terminal))]
                column_hops += flits * sum(one[0] == other[0] for one, other in hops)
                flit_hops += flits * sum(lengths)
                flit_routers += flits * sum(n + 1 for n in lengths)
        if p.role != "input" and p.coding.kind == "polarity" and formats[p.name] == "aer":
            spikes += int((activity.levels[p.name] != 0).sum())  # a burst is one neuron's
    return {
        "packets": packets,
        "delivered": delivered,
        "operations": operations,
        "lookups": lookups,
        "arrivals": arrivals,
        "events": events,
        "flits_sent": flits_sent,
        "flit_hops": flit_hops,
        "flit_routers": flit_routers,
        "column_hops": column_hops,
        "spikes": spikes,
        "injections": injections,
    }
