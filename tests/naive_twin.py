"""The packet-level model with a heap and Python objects: what the kernel is held to, cycle for cycle."""

import heapq
from collections import defaultdict
from fractions import Fraction
from math import ceil

from tests.naive import synapses_of


def row_needs(network):
    """projection → {(row of the source, row of the target)} that any synapse joins, one synapse after the other."""
    out = defaultdict(set)
    for k, i, o, _ in synapses_of(network):
        p = network.projections[k]
        source, target = network[p.source], network[p.target]
        out[k].add((i // source.columns % source.rows, o // target.columns % target.rows))
    return out


class Spikes(list):
    """Spikes of one packet, and the row, within its slice, that it is of."""

    def __init__(self, spikes, row):
        super().__init__(spikes)
        self.row = row


class PacketTwin:
    """The packet-level model of `sfnhw.sim.packet_kernel` without a barrier, with a heap and Python objects.

    Written from the model's description: servers in order of arrival, everything else a fixed delay. A slice works whole, or
    a row after the other; its parts are (slice, row). What has ended, and been told, is kept in sets, one entry each.
    """

    def __init__(self, tables, mapping):
        self.t, self.mapping, self.chip = tables, mapping, mapping.chip
        self.queue, self.order = [], 0
        self.free = defaultdict(int)  # server → first free cycle (channels: a fraction)
        self.latencies, self.finish, self.latest = [], 0, 0
        self.wire()

    def wire(self):
        """Who feeds whom: parts by connection, and back."""
        network, r = self.mapping.network, self.t.rows
        by_row = self.chip.execution.granularity == "row"
        joined = row_needs(network) if by_row else defaultdict(set)  # a whole slice waits for whole slices
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
            self.latest = max(self.latest, now)
            what(now, *args)
        assert all(g >= len(sent) for g, _ in self.next), "a frame that was never worked"
        return self.finish

    def empty_at(self):
        """After a run: the cycle in which nothing is on its way any more and every unit is done."""
        units = ("axon", "synapse", "threshold")
        return max([self.latest, *(when for (unit, _), when in self.free.items() if unit in units)])

    def neurons_of(self, i, y):
        """Neurons of a part, by their place in the slice."""
        b, columns = self.mapping.slices[i].block, self.mapping.network[self.mapping.slices[i].population].columns
        many = b.r1 - b.r0
        rows, channels = range(many) if self.rows[i] == 1 else [y], range(b.c1 - b.c0)
        # Position by position where bundles are sent, else in the order of indices.
        if self.t.slices.form[i] > 0:
            return [(c * many + row) * columns + x for row in rows for x in range(columns) for c in channels]
        return [(c * many + row) * columns + x for c in channels for row in rows for x in range(columns)]

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
        packets = [(at, Spikes(spikes, y), flits) for at, spikes, flits in self.packets(i, places, times, done)]
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
        return list(n.starts[n.copy_first[j] : n.copy_first[j + 1]])

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
        enter = self.channel(("enter", terminal), head, self.held("entry", flits))
        self.at(enter + f.injection_cycles, self.hop, int(root), what, flits, born)
        return head

    def channel(self, name, at, hold, also=None, also_hold=0):
        """Cycle in which a channel lets a packet go that is ready at `at`; hold : cycles, a fraction.

        also : what is taken with it, for so many cycles.
        """
        begin = max(self.free[name], at)
        if also:
            begin = max(begin, self.free[also])
            self.free[also] = begin + also_hold
        self.free[name] = begin + hold
        return ceil(begin)

    def held(self, kind, flits, share=None):
        """Cycles that a packet holds the virtual channels of a channel, `share` of which it may take."""
        noc = self.chip.noc
        V, one = share or noc.virtual_channels, max(1, noc.switch_alloc_cycles)
        route, to_core = noc.route_cycles + noc.vc_alloc_cycles, noc.credit_cycles or 1
        link = max(noc.link_cycles, noc.vertical_link_cycles or 0)
        leave = noc.switch_alloc_cycles + noc.switch_cycles
        stages, trip = {
            "link": (route, leave + link + route + one + (noc.credit_cycles or link)),
            "entry": (route, self.t.fabric.injection_cycles + route + one + to_core),
            "exit": (noc.vc_alloc_cycles, leave + self.t.fabric.ejection_cycles + to_core + 1),
        }[kind]
        credits = Fraction(flits * trip, noc.buffer_flits * V) if noc.buffer_flits else 0
        return max(flits * one, Fraction(stages + flits * one, V), credits)

    def tail(self, flits):
        """Cycles from a packet's first flit to its last: the switch takes what waits, and it leaves one flit a cycle."""
        noc = self.chip.noc
        waiting, switch, line = [k * max(1, noc.switch_alloc_cycles) for k in range(flits)], 0, -1
        while waiting:
            begin = max(switch, waiting[0])
            for _ in [when for when in waiting if when <= begin]:
                line = max(begin, line + 1)
            waiting = [when for when in waiting if when > begin]
            switch = begin + max(1, noc.switch_cycles)
        return line

    def share(self, node):
        """Virtual channels that a node's tree may take: with o1turn those that turn from a column into a row have the upper half."""
        V, n = self.chip.noc.virtual_channels, self.t.nodes
        if self.chip.noc.routing != "o1turn":
            return None
        if not hasattr(self, "turning"):
            self.turning = {}
            for root in [*n.roots, *n.ready_roots]:
                tree, turns = [int(root)], False
                for at in tree:
                    children = [int(k) for k in n.children[n.child_first[at] : n.child_first[at + 1]]]
                    turns |= (
                        n.link[at] % 4 in (2, 3) and n.link[at] >= 0 and any(n.link[k] % 4 in (0, 1) for k in children)
                    )
                    tree += children
                self.turning |= dict.fromkeys(tree, turns)
        return V // 2 if self.turning[int(node)] else V - V // 2

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
        leave, one = now + f.router_cycles, max(1, self.chip.noc.switch_alloc_cycles)
        for child in n.children[n.child_first[node] : n.child_first[node + 1]]:
            slow = self.cycles_a_flit(int(n.link[child]))
            share, link = self.share(node), int(n.link[child])
            # With o1turn the virtual channels of a class are taken as long as that, and the link for the flits alone.
            hold, own = max(flits * slow, self.held("link", flits, share)), None
            if share is not None:
                own = "class", (link, share, self.turning[int(node)])
            on_wire = hold if own is None else flits * max(slow, one)
            depart = self.channel(("link", link), leave, on_wire, own, hold)
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
            depart = self.channel(("eject", terminal), leave, max(self.held("exit", flits), bits))
            arrive = depart + f.ejection_cycles + max(bits - 1, self.tail(flits))
            self.latest = max(self.latest, arrive)
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
            if terminal == f.cores and not f.barrier:
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
        return number.row

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
