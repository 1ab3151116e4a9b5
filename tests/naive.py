"""Naive twins: as slow and as plain as possible, so that a reader can check them by eye; nothing shared with sfnhw."""

import heapq
from collections import defaultdict

import numpy as np


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


def log2_up(things):
    """Bits that tell so many things apart."""
    bits = 0
    while 2**bits < things:
        bits += 1
    return bits


def bundle_of(s, p, i, chip):
    """(key of the bundle, neurons in it, neurons of a full one, bundles of the slice) of neuron i of slice s of p."""
    c, y, x = i // p.positions - s.block.c0, i // p.columns % p.rows - s.block.r0, i % p.columns
    channels, positions = s.block.channels, s.block.rows * p.columns
    most = chip.packet.bundle_neurons
    part = min(most, channels)
    span = max(1, most // channels) if chip.packet.bundle == "run" else 1
    sizes = {}
    for place in range(positions):
        for channel in range(channels):
            key = (place // span, channel // part)
            sizes[key] = sizes.get(key, 0) + 1
    key = ((y * p.columns + x) // span, c // part)
    return key, sizes[key], part * min(span, positions), len(sizes)


def packet_of(form, s, p, chip, i, spikes, largest):
    """(bits, whether it is sent) of the packet of neuron i's bundle with so many spikes."""
    coding, noc = p.coding, chip.noc
    payload = coding.payload_bits(chip.numerics)
    if form == "aer":
        return noc.header_bits + log2_up(s.neurons) + payload, spikes > 0
    _, size, full, bundles = bundle_of(s, p, i, chip)
    head = noc.header_bits + log2_up(bundles)
    if form == "bundled":
        most = full * (largest if coding.kind == "polarity" else 1)
        return head + log2_up(most) + spikes * (log2_up(full) + payload), spikes > 0
    if form == "bitmap":
        return head + size + spikes * payload, spikes > 0
    if coding.kind in ("readout", "partial"):
        value = chip.core.accumulator_bits
    elif coding.kind in ("if", "lif", "ttfs"):
        value = 1 + coding.signed
    else:
        value = log2_up(largest + 1) + coding.signed
    return head + size * value, spikes > 0 or coding.kind != "readout"


def packets_in(mapping, activity, p, formats, slice_of):
    """Every packet of a population as (slice, bits, its spikes as neurons), one by one."""
    network, chip = mapping.network, mapping.chip
    form, levels = formats[p.name], activity.levels[p.name]
    in_windows = any(q.coding.kind == "ttfs" for q in network.populations)
    for sample in range(levels.shape[0]):
        for t in range(levels.shape[1]):
            held = defaultdict(list)
            for i in range(p.size):
                level = abs(int(levels[sample, t, i]))
                times = level if p.coding.kind == "polarity" else int(level > 0)
                if p.role == "output":  # once: with the last step, or when its window begins (ttfs)
                    times = int(t == (0 if in_windows else levels.shape[1] - 1))
                s = mapping.slices[slice_of[p.name][i]]
                if form == "aer":
                    bits, _ = packet_of(form, s, p, chip, i, 1, p.coding.max_level)
                    yield from ((s.index, bits, [i]) for _ in range(times))
                else:
                    held[s.index, bundle_of(s, p, i, chip)[0]] += [i] * times
                    held[s.index, bundle_of(s, p, i, chip)[0], "one"] = i
            for key in [key for key in held if len(key) == 2]:
                s, spikes = mapping.slices[key[0]], held[key]
                bits, goes = packet_of(form, s, p, chip, held[*key, "one"], len(spikes), p.coding.max_level)
                # Inputs and readouts of a network in windows work in the first step of their window alone.
                works = not in_windows or p.coding.kind == "ttfs" or t == 0
                if goes and (spikes or works):
                    yield s.index, bits, spikes


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
    reach = defaultdict(set)  # slice → terminals that any of its neurons feeds
    rows = defaultdict(set)  # (source slice, target slice, projection)
    for (name, i), ends in fan.items():
        for k, b in ends:
            reach[slice_of[name][i]].add(int(mapping.terminals[b]))
            rows[slice_of[name][i]].add((b, k))
    for s in mapping.slices:
        if network[s.population].role == "output":
            reach[s.index].add(mapping.io)
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
        for a, bits, held in packets_in(mapping, activity, p, formats, slice_of):
            start = at(int(mapping.terminals[a]))
            flits = int(np.ceil(bits / chip.noc.flit_bits))
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


class PacketTwin:
    """The packet-level model of `sfnhw.sim.packet_kernel` for one window in dataflow, with a heap and Python objects.

    Written from the model's description: servers in order of arrival, everything else a fixed delay. A window is one
    frame, or T of them where layers work one window after the other.
    """

    def __init__(self, tables, chip):
        self.t, self.chip = tables, chip
        self.queue, self.order = [], 0
        self.free = defaultdict(int)  # server → first free cycle (channels: in 1/V cycles)
        self.latencies, self.finish = [], 0

    def at(self, when, what, *args):
        heapq.heappush(self.queue, (when, self.order, what, args))
        self.order += 1

    def run(self, sent):
        """sent : (frames, neurons) packets of each neuron."""
        s, r = self.t.slices, self.t.rows
        slices = range(len(s.neurons))
        self.frame = [0 for _ in slices]
        self.sent = [
            [self.queue_of(frame[s.first_neuron[i] : s.first_neuron[i + 1]]) for frame in sent] for i in slices
        ]
        self.operands = [int(n) for n in s.operands]
        self.parked = defaultdict(list)
        # Every connection brings an end marker for each frame in which its source works.
        self.waiting = [0 for _ in slices]
        for source, target in zip(r.source, r.target, strict=True):
            self.waiting[target] += int(s.frames[source])
        for i in slices:
            if self.waiting[i] == 0:
                self.fire(0, i)
        while self.queue:
            now, _, what, args = heapq.heappop(self.queue)
            what(now, *args)
        assert self.frame == [int(n) for n in s.frames], "a frame that was never worked"
        return self.finish

    @staticmethod
    def queue_of(packets):
        """[2, 0, 1] → neurons [0, 0, 2]."""
        return [j for j, times in enumerate(packets) for _ in range(int(times))]

    def fire(self, now, i):
        s, f = self.t.slices, self.t.fabric
        start = now if s.is_input[i] else max(now, self.free["threshold", s.terminal[i]])
        neurons = self.sent[i][self.frame[i]]
        # The walk: position by position where bundles are sent, else in the order of indices.
        many, width = int(s.neurons[i]), int(s.width[i])
        walk = [c * (many // width) + p for p in range(many // width) for c in range(width)]
        # Lane by lane together: so many neurons are done when the slowest of them is, one that spikes.
        end, done = start, {}
        for first in range(0, many, f.threshold_lanes):
            group = walk[first : first + f.threshold_lanes]
            end += int(s.update_cycles[i]) + (int(s.spike_cycles[i]) if set(group) & set(neurons) else 0)
            done |= dict.fromkeys(group, end)
        if not s.is_input[i]:
            self.free["threshold", s.terminal[i]] = end
        self.emit_next(i, [*self.packets(i, walk, neurons, done), (end, None, 1)], 0)

    def packets(self, i, walk, neurons, done):
        """(cycle in which it is ready, its spikes, its flits) of each packet, in the order of the walk."""
        s = self.t.slices
        if s.form[i] == 0:
            return [(done[j], [j], int(s.flits[i])) for j in walk for _ in range(neurons.count(j))]
        bundles = defaultdict(list)
        for w, j in enumerate(walk):
            p, c = divmod(w, int(s.width[i]))
            bundles[p // int(s.span[i]), c // int(s.part[i])].append(j)
        out = []
        for held in bundles.values():
            spikes = [j for j in held for _ in range(neurons.count(j))]
            bits = int(s.fixed_bits[i]) + len(held) * int(s.neuron_bits[i]) + len(spikes) * int(s.spike_bits[i])
            if spikes or s.always[i]:
                out.append((done[held[-1]], spikes, -(-bits // self.chip.noc.flit_bits)))
        return out

    def emit_next(self, i, packets, not_before):
        ready = packets[0][0]
        self.at(max(ready, not_before), self.emit, i, packets, ready)

    def emit(self, now, i, packets, ready):
        s, n = self.t.slices, self.t.nodes
        (_, spikes, flits), rest = packets[0], packets[1:]
        if spikes is None:
            self.frame[i] += 1
            last = self.frame[i] == s.frames[i]
            if not s.is_input[i] and last:
                for root in n.ready_roots[n.ready_root_first[i] : n.ready_root_first[i + 1]]:
                    self.inject(now, i, root, "token", 1, now)
            for root in n.roots[n.root_first[i] : n.root_first[i + 1]]:
                self.inject(now, i, root, None, 1, now)
            if not last:
                self.fire(now, i)
            return
        start = now
        for root in n.roots[n.root_first[i] : n.root_first[i + 1]]:
            start = self.inject(now, i, root, spikes, flits, ready)
        self.emit_next(i, rest, start)

    def inject(self, now, i, root, what, flits, born):
        s, f = self.t.slices, self.t.fabric
        terminal = int(s.terminal[i])
        cycles = max(flits, f.port_cycles)
        if terminal == f.cores:
            cycles = max(flits, -(-flits * f.io_flit_cycles_num // f.io_flit_cycles_den))
        start = max(now, self.free["inject", terminal])
        self.free["inject", terminal] = start + cycles
        # The last flit goes with the last bit (or cycle at the port), and the flits go back to back.
        head = start + cycles - flits
        self.at(head + f.injection_cycles, self.hop, int(root), what, flits, born)
        return head

    def channel(self, name, at, hold):
        """Cycle in which a channel lets a packet go that is ready at `at`; `hold` in 1/V cycles."""
        V = self.t.fabric.virtual_channels
        begin = max(self.free[name], at * V)
        self.free[name] = begin + hold
        return -(-begin // V)

    def crosses(self, link):
        """Whether a link's two routers are on different chips."""
        chip = self.chip
        y, x = divmod(link // 4, chip.columns)
        to_x, to_y = x + (1, -1, 0, 0)[link % 4], y + (0, 0, 1, -1)[link % 4]
        wide, high = chip.noc.columns, chip.noc.rows
        return (x // wide, y // high) != (to_x // wide, to_y // high)

    def cycles_a_flit(self, link):
        return self.chip.board.flit_cycles if self.crosses(link) else 1

    def hop(self, now, node, what, flits, born):
        n, f, r = self.t.nodes, self.t.fabric, self.t.rows
        V = f.virtual_channels
        leave = now + f.router_cycles
        hold = max(flits * V, f.hold_cycles)
        for child in n.children[n.child_first[node] : n.child_first[node + 1]]:
            slow = self.cycles_a_flit(int(n.link[child]))
            depart = self.channel(("link", int(n.link[child])), leave, max(flits * slow * V, f.hold_cycles))
            along_column = n.link[child] % 4 in (2, 3)
            noc = self.chip.noc
            link = noc.vertical_link_cycles if along_column and noc.vertical_link_cycles else noc.link_cycles
            if self.crosses(int(n.link[child])):
                # The head waits until the flits behind it can follow without a gap.
                link = self.chip.board.link_cycles + flits * (slow - 1)
            self.at(depart + link, self.hop, int(child), what, flits, born)
        for place in range(n.exit_first[node], n.exit_first[node + 1]):
            terminal = int(n.exits[place])
            bits = flits
            if terminal == f.cores:  # the pins
                bits = max(flits, -(-flits * f.io_flit_cycles_num // f.io_flit_cycles_den))
            arrive = self.channel(("eject", terminal), leave, max(hold, V * bits)) + f.ejection_cycles + bits - 1
            if what == "token":
                continue
            if what is not None:
                self.latencies.append(arrive - born)
            elif terminal == f.cores:
                self.finish = max(self.finish, arrive)
            for k in n.rows[n.row_first[place] : n.row_first[place + 1]]:
                if r.streams[k] and self.operands[r.target[k]]:
                    self.parked[int(r.target[k])].append((k, what))
                else:
                    self.work_off(arrive, k, what)

    def work_off(self, arrive, k, what):
        f, r = self.t.fabric, self.t.rows
        core = int(self.t.slices.terminal[r.target[k]])
        for n, spike in enumerate(what) if what and r.alone[k] else [(0, what)]:
            if r.alone[k] and what == []:
                return  # each spike is looked up by itself, and there is none
            looked = max(arrive if n == 0 else 0, self.free["axon", core]) + f.axon_cycles
            self.free["axon", core] = looked
            start = max(looked, self.free["synapse", core])
            if what is None:
                self.at(start, self.operand if r.stationary[k] else self.fed, int(r.target[k]))
                return
            for j in [spike] if r.alone[k] else what:
                run = r.runs[r.run_first[k] + (j // r.positions[k]) * r.run_stride[k]]
                taps = r.taps[r.taps_first[k] + (j % r.positions[k]) * r.taps_stride[k]]
                start = max(start, self.free["synapse", core])
                self.free["synapse", core] = start + int(taps * r.costs[r.cost_first[k] + run, 1])

    def operand(self, now, i):
        self.operands[i] -= 1
        if self.operands[i] == 0:
            for k, what in self.parked[i]:
                self.at(now, self.work_off, k, what)
        self.fed(now, i)

    def fed(self, now, i):
        self.waiting[i] -= 1
        if self.waiting[i] == 0:
            self.fire(now, i)
