"""An estimate at fidelity `flit` as one would write it down: the cores of one plain twin on the network of another.

For dataflow and asynchronous execution on one chip with wide pins, links alike in rows and columns, and dimension-order
routes; without products, whose streams wait for what the order of events within a cycle decides.
"""

import heapq
from collections import defaultdict

from tests.naive_flit import Copy, Twin
from tests.naive_twin import PacketTwin

TOLD = -1  # in place of a cycle: when the network has taken the packet in


class ClosedNetwork(Twin):
    """`Twin` with packets from cores and pins, which tells its cores what it takes in and what is out."""

    def __init__(self, chip, cores):
        super().__init__(chip, [])
        self.cores, self.begun = cores, {}
        self.places |= {(router, 4 + self.tile): 10**9 for router in range(chip.routers)}  # the pins take all

    def routers(self):
        """Those with anything in them."""
        busy = {key[0] for key, held in self.buffers.items() if held}
        busy |= {key[0] for key, line in self.lines.items() if line}
        return sorted(busy | {r for r, held in self.crossing.items() if held} | set(self.in_switch))

    def port_of(self, terminal):
        return 4 + (self.tile if terminal == self.chip.cores else terminal % self.tile)

    def outputs(self, copy):
        return [side for side in (0, 1, 2, 3) if side in copy.at] + [self.port_of(t) for t, _ in copy.at["exits"]]

    def way_in(self, core):
        return self.cores.router_of(core), self.port_of(core)

    def may_begin(self, now, core, copy):
        """The head waits until the rest can follow at the port's own pace."""
        if core not in self.begun:
            slow = max(copy.flits, self.noc.port_cycles) if core < self.chip.cores else copy.flits
            self.begun[core] = max(copy.since, self.free_from["port", core]) + slow - copy.flits
        return self.begun[core] <= now

    def begins(self, now, copy):
        self.cores.taken_in(now, copy)

    def ends(self, now, core):
        self.free_from["port", core] = now + 1
        del self.begun[core]

    def go(self, when, copy, router, port, v, number):
        if port >= 4 and number == copy.flits:
            [place] = [place for terminal, place in copy.at["exits"] if self.port_of(terminal) == port]
            self.later(when + 2 + self.noc.credit_cycles, self.back, "credits", (self.channel(router, port), v))
            self.cores.at(when + 1, self.cores.arrived, copy.packet, place, (router, port))
        else:
            super().go(when, copy, router, port, v, number)


class ClosedTwin(PacketTwin):
    """`PacketTwin` whose packets go by `ClosedNetwork`, and whose end markers say how many packets they end."""

    def __init__(self, tables, mapping):
        super().__init__(tables, mapping)
        self.network = ClosedNetwork(mapping.chip, self)
        self.after = {}  # copy → what its slice sends next
        self.many, self.worked, self.marked = {}, defaultdict(int), set()

    def run(self, sent):
        s = self.t.slices
        self.sent = sent
        self.next, self.busy = [(0, 0) for _ in s.neurons], [False for _ in s.neurons]
        self.ended, self.told, self.parked = set(), set(), defaultdict(list)
        for i in range(len(s.neurons)):
            self.fire(0, i)
        now, network = 0, self.network
        while self.queue or network.events or any(network.queue.values()) or network.routers():
            self.events_of(now)
            network.cycle(now)
            self.events_of(now)
            now += 1
            if not network.routers() and not any(network.queue.values()):  # go on to what happens next
                now = max(now, min([when for when, *_ in self.queue[:1]] + list(network.events), default=now))
        assert all(g >= len(sent) for g, _ in self.next), "a frame that was never worked"
        return self.finish

    def events_of(self, now):
        while self.queue and self.queue[0][0] == now:
            when, _, what, args = heapq.heappop(self.queue)
            self.latest = max(self.latest, when)
            what(when, *args)

    def router_of(self, terminal):
        return self.t.fabric.io_router if terminal == self.chip.cores else terminal // self.network.tile

    def tree(self, node):
        n = self.t.nodes
        places = range(int(n.exit_first[node]), int(n.exit_first[node + 1]))
        at = {"router": int(n.router[node]), "exits": [(int(n.exits[place]), place) for place in places]}
        children = n.children[n.child_first[node] : n.child_first[node + 1]]
        return at | {int(n.link[child]) % 4: self.tree(int(child)) for child in children}

    def packets(self, i, places, times, done):
        out = super().packets(i, places, times, done)
        g, y = self.next[i]
        self.many[i, y, g] = [spikes for _, spikes, _ in out]
        return out

    def inject(self, now, i, root, what, flits, born):
        copy = Copy((i, what, born), flits, self.tree(int(root)))
        copy.since, self.last = now, copy
        self.network.queue[int(self.t.slices.terminal[i])].append(copy)
        return TOLD

    def emit_next(self, i, packets, not_before):
        if not_before == TOLD:
            self.after[self.last] = i, packets
        else:
            super().emit_next(i, packets, not_before)

    def taken_in(self, now, copy):
        if copy in self.after:
            super().emit_next(*self.after.pop(copy), now)

    def arrived(self, now, packet, place, port):
        """A packet's last flit is out at an exit."""
        n, f = self.t.nodes, self.t.fabric
        owner, (kind, number, g), born = packet
        begun, self.latest = now, max(self.latest, now)
        if kind == "token":
            for a in n.rows[n.row_first[place] : n.row_first[place + 1]]:
                for y in range(self.rows[a]):
                    if any((owner, number) == reader[:2] for reader in self.readers[int(a), y]):
                        self.at(now, self.tell, (int(a), y), (owner, number), g // f.window)
        else:
            if kind == "spike":
                self.latencies.append(now - born)
            if n.exits[place] == f.cores and not f.barrier:
                self.finish = max(self.finish, now)
            for k in n.rows[n.row_first[place] : n.row_first[place + 1]]:
                if kind == "end" or self.comes(int(k), number):
                    begun = max(begun, self.work_off(now, int(k), packet[1]))
        if n.exits[place] < f.cores:
            self.network.later(begun + 1 + self.chip.noc.credit_cycles, self.network.back, "places", port)

    def work_off(self, arrive, k, what):
        """Returns the cycle in which the lanes begin with it."""
        f, r = self.t.fabric, self.t.rows
        kind, number, g = what
        core, row = int(self.t.slices.terminal[r.target[k]]), (k, self.row_of(k, what), g)
        if kind == "spike" and r.alone[k] and not number:
            self.worked[row] += 1
            self.over(arrive, row)
            return arrive
        looked = max(arrive, self.free["axon", core]) + f.axon_cycles
        begun = max(looked, self.free["synapse", core])
        if kind == "end":
            self.free["axon", core] = looked
            self.marked.add(row)
            self.over(begun, row)
            return begun
        super().work_off(arrive, k, what)
        self.worked[row] += 1
        self.over(self.free["synapse", core] if number else looked, row)
        return begun

    def comes(self, k, spikes):
        """Whether a packet is for a connection: where packets go to what their own neuron feeds, it may be for a neighbour."""
        return not self.t.fabric.per_neuron or self.synapses(k, spikes[0]) > 0

    def over(self, when, row):
        """A row of a source is over where its end marker, and all packets that it ends, have been worked off."""
        k, y, g = row
        if row not in self.marked:
            return
        sent = self.many[int(self.t.rows.source[k]), y, g]
        if self.worked[row] == sum(self.comes(k, spikes) for spikes in sent):
            for part in self.fed[k, y]:
                self.at(when, self.end, part, k, y, g)
