"""A router with multicast as one would write it down: objects and dictionaries, every router every cycle.

The twin of `sfnhw.sim.flits` for packets whose trees and times are given, on a mesh without slow links. A packet is a tree
(`tests.flit_driver.tree`) at the router that it is in.
"""

from collections import defaultdict, deque

from tests.flit_driver import SIDES, tree


def first(candidates, start):
    """The first candidate at or after the pointer, going round."""
    return min(candidates, key=lambda k: (k < start, k))


class Copy:
    """A packet in one buffer."""

    def __init__(self, packet, flits, at):
        self.packet, self.flits, self.at, self.here = packet, flits, at, 0
        self.waits = None  # cycle from which it is at the front and waits for its route
        self.routed = None  # cycle from which its branches ask for VCs
        self.next = {}  # by output port
        self.sent, self.holds, self.ready = {}, {}, {}  # by output port

    def gone(self):
        return min(self.sent.values()) if self.sent else 0


class Twin:
    def __init__(self, chip, packets, hold=None):
        self.noc, self.chip, self.packets, self.hold = chip.noc, chip, packets, hold
        self.V, self.B = chip.noc.virtual_channels, chip.noc.buffer_flits
        self.tile, self.C = chip.noc.cores_per_router, chip.noc.columns
        self.P = 4 + self.tile + 1
        self.events = defaultdict(list)
        self.queue = defaultdict(deque)
        self.into = defaultdict(int)  # core → flits of its first packet that are in
        self.last_vc = defaultdict(lambda: self.V - 1)
        self.credits = defaultdict(lambda: self.B)  # (channel, v)
        self.user = {}  # (router, port, v) → held
        self.buffers = defaultdict(deque)  # (router, port, v) → copies
        self.free_from = defaultdict(int)  # (router, port, v) → cycle from which its next packet is routed
        self.pointer = defaultdict(int)
        self.places = defaultdict(lambda: chip.core.input_packets or 10**9)
        self.out, self.most = {}, 0
        self.until = defaultdict(int)  # (router, stage) → cycle in which it is through with what it works on
        self.crossing = defaultdict(list)  # router → (from which cycle on, output port, what to do when it leaves)
        self.in_switch = {}  # router → the same, and the cycle in which that is through
        self.lines = defaultdict(deque)  # (router, output port) → what to do with flits that have passed the switch

    def starts(self, router, stage, cycles, now):
        """A stage takes all that wait at once, but only when it is through with those before."""
        if self.until[router, stage] > now:
            return False
        self.until[router, stage] = now + cycles
        return True

    def run(self):
        todo, now, left = list(enumerate(self.packets)), 0, sum(len(p[1]) for p in self.packets)
        while len(self.out) < left:
            while todo and todo[0][1][3] == now:
                k, (core, goals, flits, _) = todo.pop(0)
                self.queue[core].append(Copy(k, flits, tree(self.chip, core, goals)))
            self.cycle(now)
            now += 1
            assert now < 100_000, "stuck"
        return self.out

    def later(self, when, what, *arguments):
        self.events[when].append((what, arguments))

    def routers(self):
        return range(self.C * self.noc.rows)

    def cycle(self, now):
        for what, arguments in self.events.pop(now, []):
            what(now, *arguments)
        for core in list(self.queue):
            if self.queue[core]:
                self.inject(now, core)
        for r in self.routers():
            self.compute_routes(now, r)
        winners = [w for r in self.routers() for w in self.allocate_vcs(now, r)]
        if self.noc.vc_alloc_cycles == 0:
            self.give(now, winners)
        sends = [w for r in self.routers() for w in self.allocate_switch(now, r)]
        if self.noc.vc_alloc_cycles > 0:
            self.give(now, winners)
        for key, ports in sends:
            self.leave(now, key, ports)
        for r in self.routers():
            self.cross(now, r)

    def compute_routes(self, now, router):
        """All that wait."""
        waiting = [c for _, c in self.fronts(router) if c.routed is None and c.waits is not None and c.waits <= now]
        if waiting and self.starts(router, "route", self.noc.route_cycles, now):
            for copy in waiting:
                copy.routed = now + self.noc.route_cycles

    def cross(self, now, router):
        """Through the switch, and one flit a cycle out of each of its ports."""
        waiting = [flit for flit in self.crossing[router] if flit[0] <= now]
        if waiting and self.starts(router, "crossing", self.noc.switch_cycles, now):
            self.in_switch[router] = waiting, now + max(1, self.noc.switch_cycles) - 1
            self.crossing[router] = [flit for flit in self.crossing[router] if flit[0] > now]
        passed, through = self.in_switch.get(router, ([], now))
        if through == now:
            for _, port, leave in passed:
                self.lines[router, port].append(leave)
            self.in_switch.pop(router, None)
        for port in range(self.P):
            if self.lines[router, port]:
                self.lines[router, port].popleft()(now + (self.noc.switch_cycles > 0))

    def give(self, now, winners):
        for key, copy, port, v in winners:
            self.user[key[0], port, v] = True
            copy.holds[port], copy.ready[port] = v, now + self.noc.vc_alloc_cycles

    def inject(self, now, core):
        copy, channel = self.queue[core][0], self.way_in(core)
        if self.into[core] == 0:
            if not self.may_begin(now, core, copy):
                return
            order = [(self.last_vc[core] + k) % self.V for k in range(1, self.V + 1)]
            room = [v for v in order if self.credits[channel, v]]
            if not room:
                return
            self.last_vc[core] = room[0]
        v = self.last_vc[core]
        if not self.credits[channel, v]:
            return
        self.credits[channel, v] -= 1
        self.later(now + 2, self.arrive, (*channel, v), copy, self.into[core] == 0)
        self.into[core] += 1
        if self.into[core] == 1:
            self.begins(now, copy)
        if self.into[core] == copy.flits:
            self.queue[core].popleft()
            self.into[core] = 0
            self.ends(now, core)

    def way_in(self, core):
        """Router and port of it that a core sends into."""
        return core // self.tile, 4 + core % self.tile

    def may_begin(self, now, core, copy):
        """Whether a core may send a packet's head now, if there is room."""
        return True

    def begins(self, now, copy):
        """Its head has gone."""

    def ends(self, now, core):
        """The last flit of a core's packet has gone."""

    def arrive(self, now, key, copy, head):
        copy.here += 1
        if head:
            self.buffers[key].append(copy)
            if len(self.buffers[key]) == 1:
                copy.waits = max(now, self.free_from[key])
        self.most = max(self.most, sum(c.here - c.gone() for c in self.buffers[key]))

    def outputs(self, copy):
        ports = [side for side in (0, 1, 2, 3) if side in copy.at]
        return ports + [4 + core % self.tile for core in copy.at["exits"]]

    def fronts(self, router):
        for p in range(self.P):
            for v in range(self.V):
                if self.buffers[router, p, v]:
                    yield p * self.V + v, self.buffers[router, p, v][0]

    def allocate_vcs(self, now, router):
        won = []
        asks = {port: {} for port in range(self.P)}  # output → {input VC: copy}
        for i, copy in self.fronts(router):
            if copy.routed is None or copy.routed > now:
                continue
            if not copy.sent:
                copy.sent = dict.fromkeys(self.outputs(copy), 0)
                copy.ready = dict.fromkeys(copy.sent, copy.routed)
            for port in copy.sent:
                if port not in copy.holds and copy.ready[port] <= now:
                    asks[port][i] = copy
        if not any(asks.values()) or not self.starts(router, "vc", self.noc.vc_alloc_cycles, now):
            return []
        for port, asking in asks.items():
            places = self.places[router, port] if port >= 4 else 10**9
            offered = [v for v in range(self.V) if (router, port, v) not in self.user][: max(0, places)]
            grants = defaultdict(list)
            for v in offered if asking else []:
                grants[first(list(asking), self.pointer["grant", router, port, v])].append(v)
            for i in sorted(grants):
                pointer = ("accept", router, i)
                v = first([port * self.V + v for v in grants[i]], self.pointer[pointer]) - port * self.V
                self.pointer[pointer] = port * self.V + v + 1
                self.pointer["grant", router, port, v] = (i + 1) % (self.P * self.V)
                self.places[router, port] -= port >= 4
                won.append(((router, *divmod(i, self.V)), asking.pop(i), port, v))
        return won

    def allocate_switch(self, now, router):
        wanting, asked = defaultdict(dict), False  # output → {input VC: copy}
        for i, copy in self.fronts(router):
            for port, v in copy.holds.items():
                channel = self.channel(router, port)
                if copy.ready[port] <= now and copy.sent[port] < copy.here:
                    asked = True
                    if self.credits[channel, v]:
                        wanting[port][i] = copy
        if not asked or not self.starts(router, "switch", self.noc.switch_alloc_cycles, now):
            return []
        grants = defaultdict(list)
        for port, asking in wanting.items():
            inputs = sorted({i // self.V for i in asking})
            grants[first(inputs, self.pointer["input", router, port])].append(port)
        sends = []
        for p, given in grants.items():
            port = first(given, self.pointer["output", router, p])
            vcs = [i % self.V for i in wanting[port] if i // self.V == p]
            v = first(vcs, self.pointer["vc", router, p])
            self.pointer["output", router, p], self.pointer["vc", router, p] = port + 1, (v + 1) % self.V
            i = p * self.V + v
            copy = wanting[port][i]
            ports = [o for o in given if i in wanting[o] and copy.sent[o] == copy.sent[port]]
            for o in ports:
                self.pointer["input", router, o] = (p + 1) % self.P
            sends.append(((router, p, v), sorted(ports)))
        return sends

    def channel(self, router, port):
        """Where an output port leads: the next router's input port, or ("core", router, port)."""
        if port >= 4:
            return "core", router, port
        x, y = router % self.C + SIDES[port][0], router // self.C + SIDES[port][1]
        return x + self.C * y, port ^ 1

    def back(self, now, name, key):
        getattr(self, name)[key] += 1

    def leave(self, now, key, ports):
        noc, copy, router = self.noc, self.buffers[key][0], key[0]
        before, done = copy.gone(), now + self.noc.switch_alloc_cycles
        for port in ports:
            v, channel = copy.holds[port], self.channel(router, port)
            copy.sent[port] += 1
            self.credits[channel, v] -= 1
            tail = copy.sent[port] == copy.flits
            copy.ready[port] = now + max(1, noc.switch_alloc_cycles)
            if port < 4 and copy.sent[port] == 1:
                copy.next[port] = Copy(copy.packet, copy.flits, copy.at[port])
            flit = (copy, router, port, v, copy.sent[port])
            self.crossing[router].append((done, port, lambda when, flit=flit: self.go(when, *flit)))
            if tail:
                del copy.holds[port]
                copy.ready[port] = 10**9
                if noc.switch_alloc_cycles <= 1:
                    del self.user[router, port, v]
                else:
                    self.later(done, lambda _, user: self.user.pop(user), (router, port, v))
        if copy.gone() > before:
            assert copy.gone() == before + 1
            self.later(done + noc.credit_cycles, self.back, "credits", (key[:2], key[2]))
        if copy.gone() == copy.flits:
            self.buffers[key].popleft()
            self.free_from[key] = now + max(1, noc.switch_alloc_cycles)
            if self.buffers[key]:
                self.buffers[key][0].waits = self.free_from[key]

    def go(self, when, copy, router, port, v, number):
        """A flit, the number-th of its packet, has left the switch when cycle `when` begins."""
        noc, channel = self.noc, self.channel(router, port)
        if port < 4:
            self.later(when + noc.link_cycles, self.arrive, (*channel, v), copy.next[port], number == 1)
            return
        self.later(when + 2 + noc.credit_cycles, self.back, "credits", (channel, v))
        if number == copy.flits:
            self.later(when + 1, self.deliver, copy.packet, router * self.tile + port - 4, router, port)

    def deliver(self, now, packet, core, router, port):
        self.out[packet, core] = now
        if self.hold is not None:
            self.later(now + self.hold + 1 + self.noc.credit_cycles, self.back, "places", (router, port))
