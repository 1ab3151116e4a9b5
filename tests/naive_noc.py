"""A network of virtual-channel routers as one would write it down: objects, dictionaries, every router every cycle.

The twin of `sfnhw.sim.noc` at fidelity `flit`, for small networks and bursts whose destinations are given.
"""

from collections import defaultdict, deque

import numpy as np

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))  # right, left, down, up


def islip(requests, grant_next, accept_next):
    """One iteration: {(input, output)} → {input: output}; pointers move on acceptance."""

    def first(candidates, start):
        return min(candidates, key=lambda k: (k < start, k))

    grants = defaultdict(list)
    for output in {o for _, o in requests}:
        grants[first([i for i, o in requests if o == output], grant_next[output])].append(output)
    match = {i: first(given, accept_next[i]) for i, given in grants.items()}
    for i, o in match.items():
        grant_next[o], accept_next[i] = i + 1, o + 1
    return match


class InputVC:
    """One virtual channel of one input port."""

    def __init__(self):
        self.flits = deque()  # (packet, tail)
        self.state = "idle"  # idle, route, vc, active: what its packet waits for
        self.ready = 0  # since when, or from when on
        self.held = None  # (output, vc)


class Router:
    """Buffers, credits and pointers of one router."""

    def __init__(self, c, P):
        V = c.virtual_channels
        self.inputs = [[InputVC() for _ in range(V)] for _ in range(P)]
        self.credits = [[c.buffer_flits] * V for _ in range(P)]
        self.user = [[None] * V for _ in range(P)]
        self.va_grant, self.va_accept = [0] * (P * V), [0] * (P * V)
        self.sa_grant, self.sa_accept, self.sa_vc = [0] * P, [0] * P, [0] * P
        self.until = {}  # stage → cycle in which it is through with what it works on
        self.crossing = []  # (from which cycle on, output port, what to do when it leaves) before the switch
        self.in_switch, self.through = [], 0  # the same in it, and the cycle in which that is through
        self.lines = [deque() for _ in range(P)]  # what to do with flits that have passed it

    def starts(self, stage, cycles, t):
        """A stage takes all that wait at once, but only when it is through with those before."""
        if self.until.get(stage, 0) > t:
            return False
        self.until[stage] = t + cycles
        return True


class Network:
    """A mesh, torus or concentrated mesh."""

    def __init__(self, config, targets, burst):
        self.c, self.P = config, config.ports
        self.C, self.R = config.router_columns, config.router_rows
        self.routers = [Router(config, self.P) for _ in range(self.C * self.R)]
        self.events = defaultdict(list)
        self.queues = [deque([(n, int(to))] * burst) for n, to in enumerate(targets)]
        self.sent = [0] * config.nodes
        self.last_vc = [config.virtual_channels - 1] * config.nodes
        self.node_credits = [[config.buffer_flits] * config.virtual_channels for _ in range(config.nodes)]
        self.latencies = []
        self.most_in_buffer = 0

    def place(self, node):
        """Router and port of a node."""
        a, b = self.c.concentration_columns, self.c.concentration_rows
        x, y = node % self.c.columns, node // self.c.columns
        return x // a + self.C * (y // b), 4 + x % a + a * (y % b)

    def route(self, router, packet):
        """Output port, and the virtual channels that may be used."""
        V, (source, node) = self.c.virtual_channels, packet
        goal, port = self.place(node)
        if goal == router:
            return port, range(V)
        torus = self.c.topology == "torus"
        steps = []
        for axis, size in ((0, self.C), (1, self.R)):
            here, there, begin = ((r % self.C, r // self.C)[axis] for r in (router, goal, self.place(source)[0]))
            apart = there - here
            if torus:
                assert 2 * ((there - begin) % size) != size, "both ways are as far"
                apart = apart % size if 2 * (apart % size) < size else apart % size - size
            crossed = begin > there
            usable = range(V)
            if torus:
                usable = range(V // 2, V) if crossed else range(V - V // 2)
            steps.append((apart, 2 * axis + (apart < 0), usable))
        if self.c.routing == "yx":
            steps.reverse()
        _, port, usable = next(step for step in steps if step[0] != 0)
        return port, usable

    def may_take(self, r, o, w):
        """The VC that both classes of a torus share takes a packet whole, or into an empty buffer."""
        V, whole = self.c.virtual_channels, min(self.c.packet_flits, self.c.buffer_flits)
        shared = self.c.topology == "torus" and V % 2 == 1 and w == V // 2 and o < 4
        return not shared or self.c.shared_vc == "any" or r.credits[o][w] >= whole

    def neighbour(self, router, port):
        """Router on a side, and its input port."""
        dx, dy = SIDES[port]
        return (router % self.C + dx) % self.C + (router // self.C + dy) % self.R * self.C, port ^ 1

    def step(self, t):
        """One cycle."""
        for event in self.events.pop(t, []):
            event(t)
        for node in range(self.c.nodes):
            self.inject(node, t)
        for r in self.routers:
            self.compute_routes(r, t)
        winners = [(r, *w) for r in self.routers for w in self.allocate_vcs(r, t)]
        sends = [(r, *w) for r in self.routers for w in self.allocate_switch(r, t)]
        for r, p, v, o, w in winners:
            r.user[o][w] = (p, v)
            vc = r.inputs[p][v]
            vc.state, vc.held, vc.ready = "active", (o, w), t + self.c.vc_alloc_cycles
        for r in self.routers:
            self.cross(r, t)
        for r, p, v in sends:
            self.send(r, p, v, t)

    def inject(self, node, t):
        """At most one flit of the node's first packet."""
        V = self.c.virtual_channels
        if not self.queues[node]:
            return
        if self.sent[node] == 0:
            order = [(self.last_vc[node] + k) % V for k in range(1, V + 1)]
            room = [v for v in order if self.node_credits[node][v] > 0]
            if not room:
                return
            self.last_vc[node] = room[0]
        v = self.last_vc[node]
        if self.node_credits[node][v] == 0:
            return
        self.node_credits[node][v] -= 1
        self.sent[node] += 1
        tail = self.sent[node] == self.c.packet_flits
        packet = self.queues[node][0]
        if tail:
            self.queues[node].popleft()
            self.sent[node] = 0
        router, port = self.place(node)
        self.events[t + 2].append(lambda now: self.arrive(router, port, v, packet, tail, now))

    def arrive(self, router, port, v, packet, tail, t):
        """Into the buffer."""
        vc = self.routers[router].inputs[port][v]
        vc.flits.append((packet, tail))
        self.most_in_buffer = max(self.most_in_buffer, len(vc.flits))
        if vc.state == "idle":
            self.packet_in_front(vc, max(t, vc.ready))

    def packet_in_front(self, vc, t):
        """Its route is computed, or known with look-ahead routing."""
        vc.state, vc.ready = "route" if self.c.route_cycles else "vc", t

    def compute_routes(self, r, t):
        """All that wait."""
        waiting = [vc for vcs in r.inputs for vc in vcs if vc.state == "route" and vc.ready <= t]
        if waiting and r.starts("route", self.c.route_cycles, t):
            for vc in waiting:
                vc.state, vc.ready = "vc", t + self.c.route_cycles

    def cross(self, r, t):
        """Through the switch, and one flit a cycle out of each of its ports."""
        waiting = [flit for flit in r.crossing if flit[0] <= t]
        if waiting and r.starts("crossing", self.c.switch_cycles, t):
            r.in_switch, r.through = waiting, t + self.c.switch_cycles - 1
            r.crossing = [flit for flit in r.crossing if flit[0] > t]
        if r.in_switch and r.through == t:
            for _, o, leave in r.in_switch:
                r.lines[o].append(leave)
            r.in_switch = []
        for line in r.lines:
            if line:
                line.popleft()(t)

    def allocate_vcs(self, r, t):
        """Winners: input port, VC, output port, VC."""
        V = self.c.virtual_channels
        requests, asking = set(), False
        here = self.routers.index(r)
        for p, vcs in enumerate(r.inputs):
            for v, vc in enumerate(vcs):
                if vc.state != "vc" or vc.ready > t:
                    continue
                o, usable = self.route(here, vc.flits[0][0])
                free = [w for w in usable if r.user[o][w] is None and self.may_take(r, o, w)]
                asking = True
                requests |= {(p * V + v, o * V + w) for w in free}
        if not asking or not r.starts("vc", self.c.vc_alloc_cycles, t):
            return []
        match = islip(requests, r.va_grant, r.va_accept)
        return [(i // V, i % V, o // V, o % V) for i, o in match.items()]

    def allocate_switch(self, r, t):
        """Winners: input port, VC."""
        V = self.c.virtual_channels
        wanting, asking = defaultdict(list), False
        for p, vcs in enumerate(r.inputs):
            for v, vc in enumerate(vcs):
                if vc.state == "active" and vc.ready <= t and vc.flits:
                    asking = True
                    if r.credits[vc.held[0]][vc.held[1]] > 0:
                        wanting[p, vc.held[0]].append(v)
        if not asking or not r.starts("switch", self.c.switch_alloc_cycles, t):
            return []
        match = islip(set(wanting), r.sa_grant, r.sa_accept)
        winners = []
        for p, o in match.items():
            v = min(wanting[p, o], key=lambda k: (k - r.sa_vc[p]) % V)
            r.sa_vc[p] = (v + 1) % V
            winners.append((p, v))
        return winners

    def send(self, r, p, v, t):
        """The first flit of an input VC leaves."""
        c, vc = self.c, r.inputs[p][v]
        o, w = vc.held
        packet, tail = vc.flits.popleft()
        r.credits[o][w] -= 1
        done = t + c.switch_alloc_cycles
        vc.ready = done
        here = self.routers.index(r)

        def credit_back(now, node=None):
            if node is not None:
                r.credits[o][w] += 1
            elif p >= 4:
                self.node_credits[self.node_at(here, p)][v] += 1
            else:
                up, port = self.neighbour(here, p)
                self.routers[up].credits[port][v] += 1

        # A node's channels take one cycle, whatever those between routers do.
        self.events[done - 1 + 1 + (c.credit_cycles if p < 4 else 1)].append(credit_back)

        def eject(now):
            if tail:
                self.latencies.append(now)
            self.events[now + 1 + 1].append(lambda n: credit_back(n, node=o))

        def leave(now):
            if o >= 4:
                self.events[now + 2].append(eject)
            else:
                to, port = self.neighbour(here, o)
                self.events[now + c.link_cycles + 1].append(lambda n: self.arrive(to, port, w, packet, tail, n))

        r.crossing.append((done, o, leave))
        if tail:
            vc.state, vc.held = "idle", None
            if vc.flits:
                self.packet_in_front(vc, done)
            if c.switch_alloc_cycles == 1:
                r.user[o][w] = None
            else:
                self.events[done].append(lambda now: r.user[o].__setitem__(w, None))

    def node_at(self, router, port):
        """Node of a local port."""
        return next(n for n in range(self.c.nodes) if self.place(n) == (router, port))


def run_burst(config, targets, burst):
    """Latencies of all packets, in order of arrival, and the network as it is left."""
    network = Network(config, np.asarray(targets), burst)
    t = 0
    while len(network.latencies) < burst * config.nodes:
        network.step(t)
        t += 1
        assert t < 100_000, "stuck"
    return network.latencies, network
