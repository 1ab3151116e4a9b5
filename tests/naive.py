"""Naive twins: as slow and as plain as possible, so that a reader can check them by eye; nothing shared with sfnhw."""

import heapq
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


def row_needs(network):
    """projection → {(row of the source, row of the target)} that any synapse joins, one synapse after the other."""
    out = defaultdict(set)
    for k, i, o, _ in synapses_of(network):
        p = network.projections[k]
        source, target = network[p.source], network[p.target]
        out[k].add((i // source.columns % source.rows, o // target.columns % target.rows))
    return out


class PacketTwin:
    """The packet-level model of `sfnhw.sim.packet_kernel` without a barrier, with a heap and Python objects.

    Written from the model's description: servers in order of arrival, everything else a fixed delay. A slice works whole, or
    a row after the other; its parts are (slice, row). What has ended, and been told, is kept in sets, one entry each.
    """

    def __init__(self, tables, mapping):
        self.t, self.mapping, self.chip = tables, mapping, mapping.chip
        self.queue, self.order = [], 0
        self.free = defaultdict(int)  # server → first free cycle (channels: in 1/V cycles)
        self.latencies, self.finish = [], 0
        self.wire()

    def wire(self):
        """Who feeds whom: parts by connection, and back."""
        network, r = self.mapping.network, self.t.rows
        by_row = self.chip.execution.granularity == "row"
        joined = row_needs(network)
        self.rows = [s.block.rows if by_row else 1 for s in self.mapping.slices]
        self.needs, self.readers = defaultdict(set), defaultdict(set)  # of a part
        self.fed = defaultdict(list)  # (connection, row of the source) → parts of the target
        late = [getattr(p, "delay", 0) for p in network.projections]
        sets = {p.name: self.chip.core.state_banks for p in network.populations}
        for p in network.projections:
            sets[p.target] = max(sets[p.target], self.chip.core.state_banks + getattr(p, "delay", 0))
        for k, (a, b, projection) in enumerate(zip(r.source, r.target, r.projection, strict=True)):
            a, b = int(a), int(b)
            source, target = self.mapping.slices[a].block, self.mapping.slices[b].block
            for y in range(self.rows[a]):
                for z in range(self.rows[b]):
                    meets = {(source.r0 + y, row) for row in range(target.r0, target.r1)} & joined[projection]
                    if by_row and not r.stationary[k]:
                        meets &= {(source.r0 + y, target.r0 + z)}
                    if meets or not by_row:
                        self.fed[k, y].append((b, z))
                        self.needs[b, z].add((k, y))
                        ahead = sets[self.mapping.slices[b].population] - late[projection]
                        self.readers[a, y].add((b, z, ahead))
        self.late = [late[projection] for projection in r.projection]

    def at(self, when, what, *args):
        heapq.heappush(self.queue, (when, self.order, what, args))
        self.order += 1

    def run(self, sent):
        """sent : (frames, neurons) packets of each neuron; returns the cycle in which all is done."""
        s = self.t.slices
        slices = range(len(s.neurons))
        self.sent = sent
        self.next = [(0, 0) for _ in slices]  # frame and row
        self.busy = [False for _ in slices]
        self.ended = set()  # (part, connection, row of the source, frame)
        self.told = set()  # (part, part that has read it, window)
        self.parked = defaultdict(list)
        for i in slices:
            self.fire(0, i)
        while self.queue:
            now, _, what, args = heapq.heappop(self.queue)
            what(now, *args)
        assert all(g >= len(sent) for g, _ in self.next), "a frame that was never worked"
        return self.finish

    def neurons_of(self, i, y):
        """Neurons of a part, by their place in the slice."""
        if self.rows[i] == 1:
            # Position by position where bundles are sent, else in the order of indices.
            many, width = int(self.t.slices.neurons[i]), int(self.t.slices.width[i])
            return [c * (many // width) + p for p in range(many // width) for c in range(width)]
        b, columns = self.mapping.slices[i].block, self.mapping.network[self.mapping.slices[i].population].columns
        return [(c * self.rows[i] + y) * columns + x for c in range(b.c1 - b.c0) for x in range(columns)]

    def markers(self, k, y, window):
        """What a connection brings from one row of its source for a window of its target; nothing before the first."""
        W = self.t.fabric.window
        frames = int(self.t.slices.frames[self.t.rows.source[k]])
        return {(k, y, (window - self.late[k]) * W + t) for t in range(frames) if window >= self.late[k]}

    def may_start(self, i, g, y):
        """Whether all that a part needs has ended, and all that read from it have room."""
        window = g // self.t.fabric.window
        if g % self.t.fabric.window:
            return True
        ended = all(((i, y), *m) in self.ended for k, row in self.needs[i, y] for m in self.markers(k, row, window))
        return ended and all(
            ((i, y), (b, z), window - ahead) in self.told for b, z, ahead in self.readers[i, y] if window >= ahead
        )

    def fire(self, now, i):
        s, f = self.t.slices, self.t.fabric
        g, y = self.next[i]
        if self.busy[i] or g >= len(self.sent) or not self.may_start(i, g, y):
            return
        self.busy[i] = True
        start = now if s.is_input[i] else max(now, self.free["threshold", s.terminal[i]])
        places = self.neurons_of(i, y)
        # Lane by lane together: so many neurons are done when the slowest of them is, one that spikes.
        end, done = start, {}
        times = {j: int(self.sent[g][s.first_neuron[i] + j]) for j in places}
        for first in range(0, len(places), f.threshold_lanes):
            group = places[first : first + f.threshold_lanes]
            end += int(s.update_cycles[i]) + (int(s.spike_cycles[i]) if any(times[j] for j in group) else 0)
            done |= dict.fromkeys(group, end)
        packets = self.packets(i, places, times, done)
        if not s.is_input[i]:
            if f.waits_for_port:  # the walk goes on when a packet has left
                held = [max(flits, f.port_cycles) * len(self.trees(i, spikes[:1])) for _, spikes, flits in packets]
                packets = [(at + sum(held[:n]), *what) for n, (at, *what) in enumerate(packets)]
                end += sum(held)
            self.free["threshold", s.terminal[i]] = end
        self.emit_next(i, [*packets, (end, None, 1)], 0)

    def packets(self, i, places, times, done):
        """(cycle in which it is ready, its spikes, its flits) of each packet, in the order of the walk."""
        s = self.t.slices
        if s.form[i] == 0:
            return [(done[j], [j], int(s.flits[i])) for j in places for _ in range(times[j])]
        bundles = defaultdict(list)
        for w, j in enumerate(places):
            p, c = divmod(w, int(s.width[i]))
            bundles[p // int(s.span[i]), c // int(s.part[i])].append(j)
        out = []
        for held in bundles.values():
            spikes = [j for j in held for _ in range(times[j])]
            bits = int(s.fixed_bits[i]) + len(held) * int(s.neuron_bits[i]) + len(spikes) * int(s.spike_bits[i])
            if spikes or s.always[i]:
                out.append((done[held[-1]], spikes, -(-bits // self.chip.noc.flit_bits)))
        return out

    def trees(self, i, spikes):
        """Roots of the trees that the packets of a neuron of slice i take; spikes: the neuron, in a list."""
        n, f = self.t.nodes, self.t.fabric
        if not f.per_neuron:
            return list(n.roots[n.root_first[i] : n.root_first[i + 1]])
        j = self.t.slices.first_neuron[i] + spikes[0]
        return [n.roots[k] for k in n.copies[n.copy_first[j] : n.copy_first[j + 1]]]

    def emit_next(self, i, packets, not_before):
        ready = packets[0][0]
        self.at(max(ready, not_before), self.emit, i, packets, ready)

    def emit(self, now, i, packets, ready):
        s, n, W = self.t.slices, self.t.nodes, self.t.fabric.window
        (_, spikes, flits), rest = packets[0], packets[1:]
        g, y = self.next[i]
        if spikes is None:
            last = g % W == s.frames[i] - 1
            if not s.is_input[i] and last:
                for root in n.ready_roots[n.ready_root_first[i] : n.ready_root_first[i + 1]]:
                    self.inject(now, i, root, ("token", y, g), 1, now)
            for root in n.roots[n.root_first[i] : n.root_first[i + 1]]:
                self.inject(now, i, root, ("end", y, g), 1, now)
            if not last:
                self.next[i] = (g + 1, y)
            elif y + 1 < self.rows[i]:
                self.next[i] = (g // W * W, y + 1)
            else:
                self.next[i] = ((g // W + 1) * W, 0)
            self.busy[i] = False
            self.fire(now, i)
            return
        start = now
        for root in self.trees(i, spikes):
            start = self.inject(now, i, root, ("spike", spikes, g), flits, ready)
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
            depart = self.channel(
                ("link", int(n.link[child])), leave, max(flits * slow * V, f.hold_cycles, flits * f.credit_ticks)
            )
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
            kind, number, g = what
            if kind == "token":
                b = int(n.owner[node])
                for a in n.rows[n.row_first[place] : n.row_first[place + 1]]:
                    for y in range(self.rows[a]):
                        if any((b, number) == reader[:2] for reader in self.readers[int(a), y]):
                            self.at(arrive, self.tell, (int(a), y), (b, number), g // f.window)
                continue
            if kind == "spike":
                self.latencies.append(arrive - born)
            elif terminal == f.cores:
                self.finish = max(self.finish, arrive)
            for k in n.rows[n.row_first[place] : n.row_first[place + 1]]:
                if f.per_neuron and what[0] == "spike" and self.synapses(k, what[1][0]) == 0:
                    continue
                waits = r.streams[k] and self.waits_at(int(k), what)
                if waits:
                    self.parked[waits, g].append((int(k), what))
                else:
                    self.work_off(arrive, int(k), what)

    def tell(self, now, part, reader, window):
        self.told.add((part, reader, window))
        self.fire(now, part[0])

    def row_of(self, k, what):
        """Row, within its slice, that a packet comes from."""
        kind, number, _ = what
        if kind == "end":
            return number
        a = int(self.t.rows.source[k])
        columns = self.mapping.network[self.mapping.slices[a].population].columns
        return number[0] // columns % self.rows[a] if self.rows[a] > 1 else 0

    def waits_at(self, k, what):
        """The first part that a streaming packet is for, if its stationary operand is not complete; else None."""
        parts = self.fed[k, self.row_of(k, what)]
        return parts[0] if parts and self.missing(parts[0], what[2]) else None

    def missing(self, part, g):
        """Whether any end marker of a part's stationary operand is not in (products are at one timestep)."""
        stays = self.t.rows.stationary
        return any(stays[k] and (part, k, y, g) not in self.ended for k, y in self.needs[part])

    def synapses(self, k, neuron):
        """Cycles of the lanes for a packet of a neuron through a connection."""
        r = self.t.rows
        run = r.runs[r.run_first[k] + (neuron // r.positions[k]) * r.run_stride[k]]
        taps = r.taps[r.taps_first[k] + (neuron % r.positions[k]) * r.taps_stride[k]]
        return int(taps * r.costs[r.cost_first[k] + run, 1])

    def work_off(self, arrive, k, what):
        f, r = self.t.fabric, self.t.rows
        kind, number, g = what
        core = int(self.t.slices.terminal[r.target[k]])
        if kind == "spike" and r.alone[k] and not number:
            return  # each spike is looked up by itself, and there is none
        for n, spikes in enumerate([[j] for j in number] if kind == "spike" and r.alone[k] else [number]):
            looked = max(arrive if n == 0 else 0, self.free["axon", core]) + f.axon_cycles
            self.free["axon", core] = looked
            start = max(looked, self.free["synapse", core])
            if kind == "end":
                for part in self.fed[k, number]:
                    self.at(start, self.end, part, k, number, g)
                return
            for j in spikes:
                start = max(start, self.free["synapse", core])
                self.free["synapse", core] = start + self.synapses(k, j)
                if not f.axon_overlap:
                    self.free["axon", core] = self.free["synapse", core]

    def end(self, now, part, k, y, g):
        self.ended.add((part, k, y, g))
        if self.t.rows.stationary[k] and not self.missing(part, g):
            for parked in self.parked[part, g]:
                self.at(now, self.work_off, *parked)
            self.parked[part, g] = []
        self.fire(now, part[0])
