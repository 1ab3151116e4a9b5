"""Networks small enough to be worked by hand, and queues with a closed form, for both fidelities where they apply.

All with unit stages unless a case says otherwise. In cycles: a flit that its node injects in cycle c is in the router's
buffer in c + 2. A packet in front of its input VC in cycle t has a virtual channel in t + 1, wins the switch in t + 2, is in
the next router's buffer, or at its node, in t + 5; the place that it leaves can be filled again by a flit that wins the
switch in t + 4. The packet behind it has a virtual channel in t + 4 and wins in t + 5, so an input VC passes one each
S = 3 cycles.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.sim.noc import NocConfig, Traffic, simulate_noc
from tests.test_noc import configs, lone_latency, simulation

BOTH = pytest.mark.parametrize("fidelity", ["flit", "packet"])


@pytest.fixture(autouse=True, scope="module")
def all_by_events():
    """Fidelity `packet` runs some of these networks flit by flit; here it is its events that are looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfnhw.sim.noc.simulate.is_by_events", lambda _: True)
        yield


def with_targets(config, targets, rate=1.0, seed=0, fidelity="flit", packets=0):
    """A simulation in which node n sends to targets[n], all other nodes nothing: at `rate`, or so many packets in cycle 0."""
    sim, measure = simulation(Traffic(config), rate=rate, burst=packets, seed=seed, fidelity=fidelity)
    target = np.full(config.nodes, -1, np.int32)
    target[list(targets)] = list(targets.values())
    sim.sources = sim.sources._replace(target=target)
    for node in set(range(config.nodes)) - set(targets):
        sim.sources.born[node] = 1 << 62
    if packets:
        sim.sources.active[: len(targets)] = sorted(targets)
        sim.sources.actives[0] = len(targets)
    return sim, measure


def routers_to_complement(c, node):
    """Routers on the way from a node to its bit complement, both ends included."""
    (x, y), (to_x, to_y) = (
        (n % c.columns // c.concentration_columns, n // c.columns // c.concentration_rows)
        for n in (node, c.nodes - 1 - node)
    )
    apart = [abs(x - to_x), abs(y - to_y)]
    if c.topology == "torus":
        apart = [min(apart[0], c.router_columns - apart[0]), min(apart[1], c.router_rows - apart[1])]
    return 1 + sum(apart)


@BOTH
@given(config=configs(ties=True), at=st.floats(0, 0.999))
@settings(max_examples=40, deadline=None)
def test_an_empty_networks_latency_is_that_of_its_stages(fidelity, config, at):
    """A flit: each router takes route + VC allocation + switch allocation + switch, each link between two its cycles.

    Injection takes 2 cycles and ejection 1 more than the switch: 3 in all.
    """
    c, node = replace(config, packet_flits=1), int(at * config.nodes)
    routers = routers_to_complement(c, node)
    stages = c.route_cycles + c.vc_alloc_cycles + c.switch_alloc_cycles + c.switch_cycles
    assert lone_latency(c, node, fidelity) == routers * stages + (routers - 1) * c.link_cycles + 3


@BOTH
@given(config=configs(ties=True), flits=st.integers(1, 12), at=st.floats(0, 0.999))
@settings(max_examples=40, deadline=None)
def test_the_tail_of_a_packet_alone(fidelity, config, flits, at):
    """Flits behind the head follow at the pace SA of the switch allocator, B of them in a round trip of a buffer's place.

    A flit that wins the switch has gone after SA cycles, counting this one; it is over switch and link after switch + link
    more; there it wins at once, and has gone SA cycles after that; its credit takes `credit` more: 2 SA + switch + link +
    credit, 5 with unit stages, of which B·SA were of use. The head is no slower: in the last router, where its packet
    catches up with it, it has a route and a VC to wait for.
    """
    # A switch of several cycles takes flits in batches: see `test_a_packet_alone`.
    c, node = replace(config, packet_flits=flits, switch_cycles=1), int(at * config.nodes)
    alone, behind, pace = replace(c, packet_flits=1), flits - 1, c.switch_alloc_cycles
    unit = {c.switch_alloc_cycles, c.switch_cycles, c.link_cycles, c.credit_cycles} == {1}
    # In a router that is both first and last there is no link to wait for.
    assume(unit or routers_to_complement(c, node) > 1)
    trip = 2 * pace + c.switch_cycles + c.link_cycles + c.credit_cycles
    assume(pace == 1 or behind < c.buffer_flits or trip <= c.buffer_flits * pace)
    body = behind * pace + behind // c.buffer_flits * max(0, trip - c.buffer_flits * pace)
    found = lone_latency(c, node, fidelity) - lone_latency(alone, node, fidelity)
    # An allocator of several cycles looks for credits only when it begins: a credit that comes just in time may miss it, and
    # up to one of its times is lost at each wait.
    lost = behind // c.buffer_flits * pace if pace > 1 else 0
    assert body <= found <= body + lost


@BOTH
@pytest.mark.parametrize("nodes", [4, 6, 8])
@pytest.mark.parametrize(
    ("fields", "capacity"),
    [
        ({"virtual_channels": 1}, 1 / 3),  # V/S
        ({"virtual_channels": 2}, 2 / 3),
        ({"virtual_channels": 4}, 1),  # a flit a cycle
        ({"virtual_channels": 1, "route_cycles": 0}, 1 / 2),
        ({"virtual_channels": 1, "buffer_flits": 1}, 1 / 7),  # V·B/7: a place is filled again after 7 cycles
        ({"virtual_channels": 2, "buffer_flits": 1}, 2 / 7),
        ({"virtual_channels": 2, "buffer_flits": 1, "link_cycles": 2, "credit_cycles": 3}, 2 / 10),
    ],
)
def test_half_a_row_sends_through_one_link(fields, capacity, nodes, fidelity):
    """Node n of a row sends to node (nodes − 1 − n): all of the left half over the middle link, and back alike.

    The two middle links are the busiest, and each takes min(1, V/S, V·B/turnaround) flits a cycle: those are accepted.
    Fidelity `packet` loses 7 % where two VCs have a place each, as what it has booked ahead is not moved.
    """
    traffic = Traffic(NocConfig(columns=nodes, rows=1, **fields), "bit-complement")
    short = fidelity == "packet" and fields.items() >= {"virtual_channels": 2, "buffer_flits": 1}.items()
    result = simulate_noc(traffic, 1.0, cycles=4200, warmup=500, fidelity=fidelity)
    assert result.accepted_rate * nodes / 2 == pytest.approx(capacity, rel=0.07 if short else 0.005)


def wait(flits, rate, cycles, seeds, fidelity):
    """Mean wait at the source in a network of two nodes, each seed's: what is beyond the empty network's latency."""
    traffic = Traffic(NocConfig(columns=2, rows=1, packet_flits=flits), "neighbor")
    runs = [simulate_noc(traffic, rate, cycles=cycles, warmup=500, seed=seed, fidelity=fidelity) for seed in seeds]
    return np.array([run.mean_latency - run.zero_load_latency for run in runs])


def geo_d_1(flits, rate):
    """Mean wait in front of one server of `flits` cycles, fed by the toss of a coin each cycle.

    The n-th packet waits W(n+1) = max(0, W(n) + F − A), A cycles after the one before, geometric with mean 1/λ. In the
    steady state the mean is λ·(E[S²] − E[S])/(2(1 − λE[S])) (Takagi, Queueing Analysis 3, 1993, Geo/G/1), for S = F:
    ρ(F − 1)/(2(1 − ρ)), ρ = λF. With F = 1 nobody waits; for long packets it is M/D/1's ρF/(2(1 − ρ)).
    """
    load = rate * flits
    return load * (flits - 1) / (2 * (1 - load))


@pytest.mark.parametrize(("flits", "load"), [(2, 0.6), (5, 0.5), (8, 0.8)])
def test_the_closed_form_is_the_steady_state_of_its_recursion(flits, load):
    """By brute force: the distribution of the unfinished work at the beginning of a cycle, before its coin is tossed."""
    rate = load / flits
    work = np.zeros(600)
    work[0] = 1
    for _ in range(20_000):
        after = (1 - rate) * work
        after[flits:] += rate * work[:-flits]
        # A cycle of work is done, if there is any.
        after[0] += after[1]
        after[1:-1] = after[2:]
        after[-1] = 0
        work = after
    # Who comes sees what is there (coins have no memory).
    assert work @ np.arange(600) == pytest.approx(geo_d_1(flits, rate), rel=1e-6)


@BOTH
@pytest.mark.parametrize(("flits", "load"), [(1, 0.9), (2, 0.6), (5, 0.5)])
def test_a_node_alone_is_a_queue_with_one_server(flits, load, fidelity):
    """Two nodes, each sends F flits to the other: a flit a cycle enters the network, and nothing waits further on.

    Flits follow each other at a constant distance through buffers that are deep enough, so the wait at the source is the
    only one: Geo/D/1 with a service of F cycles. Eight seeds; the mean is within 3.5 of its standard errors.
    """
    waits = wait(flits, load / flits, 60_000, range(8), fidelity)
    error = waits.std(ddof=1) / np.sqrt(len(waits))
    expected = geo_d_1(flits, load / flits)
    assert error <= 0.03 * expected
    assert abs(waits.mean() - expected) <= 3.5 * error


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize(("flits", "load"), [(2, 0.8), (5, 0.5), (5, 0.8), (8, 0.7)])
def test_a_long_queue_has_the_mean_of_the_closed_form(flits, load, fidelity):
    """As the one before, in 16 million cycles: within 2 %."""
    waits = wait(flits, load / flits, 4_000_000, range(4), fidelity)
    assert waits.mean() == pytest.approx(geo_d_1(flits, load / flits), rel=0.02)


def waits_at_hot_port(side, virtual_channels, load, cycles, seeds):
    """Mean wait, each seed's, where all nodes of one router, side × side, send to node 0, in all `load` flits a cycle."""
    config = NocConfig(
        topology="cmesh",
        columns=side,
        rows=side,
        concentration_columns=side,
        concentration_rows=side,
        virtual_channels=virtual_channels,
    )
    traffic = Traffic(config, "hotspot", ((0, 1.0),))
    runs = [simulate_noc(traffic, load / side**2, cycles=cycles, warmup=1000, seed=seed) for seed in seeds]
    return np.array([run.mean_latency - run.zero_load_latency for run in runs])


def output_queue(sources, load):
    """Mean wait at a port that passes a flit a cycle, where each of `sources` tosses a coin of load/sources.

    Binomial(N, ρ/N) come in a cycle, and one goes: (N − 1)/N·ρ/(2(1 − ρ)) (Karol, Hluchyj, Morgan, IEEE Trans. Commun.
    35(12), 1987, output queues); with many sources that is M/D/1's ρ/(2(1 − ρ)).
    """
    return (sources - 1) / sources * load / (2 * (1 - load))


@pytest.mark.parametrize(("side", "virtual_channels", "load"), [(4, 3, 0.6), (5, 2, 0.7)])
def test_the_port_to_a_hot_node_is_a_queue_fed_by_many(side, virtual_channels, load):
    """The flits wait at the inputs, but the port never idles while two of its VCs can take turns: the mean is the same.

    (A flit with a VC wins in the next cycle; while it does, the next one gets another VC.) But for the rare node with
    more packets than VCs. Eight seeds; the mean is within 3.5 of its standard errors. Not so by the events of
    fidelity `packet`, which keep a VC until its packet has gone.
    """
    waits = waits_at_hot_port(side, virtual_channels, load, 25_000, range(8))
    error, expected = waits.std(ddof=1) / np.sqrt(len(waits)), output_queue(side**2, load)
    assert error <= 0.03 * expected
    assert abs(waits.mean() - expected) <= 3.5 * error


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
@pytest.mark.parametrize(("side", "virtual_channels"), [(3, 4), (4, 3), (5, 2)])
def test_the_port_to_a_hot_node_has_the_mean_of_the_closed_form(side, virtual_channels, load):
    """As the one before, in 2.4 million cycles: within 2 %."""
    waits = waits_at_hot_port(side, virtual_channels, load, 600_000, range(4))
    assert waits.mean() == pytest.approx(output_queue(side**2, load), rel=0.02)


LINE = {"topology": "cmesh", "rows": 1, "concentration_rows": 1}


@pytest.mark.parametrize(
    ("virtual_channels", "targets", "arrivals"),
    [
        (1, {0: 4, 1: 2, 3: 5}, [12, 19, 21, 26]),  # p, A, X, q
        (1, {1: 2, 3: 5}, [12, 12, 19]),  # p, X, q
        (2, {0: 4, 1: 2, 3: 5}, [12, 13, 13, 19]),  # p, X, q, A
        (4, {0: 4, 1: 2, 3: 5}, [12, 13, 13, 19]),
    ],
)
def test_a_packet_to_an_idle_node_waits_behind_one_to_a_busy_link(virtual_channels, targets, arrivals):
    """Three routers in a line, two nodes each, buffers of one flit.

    In cycle 0 nodes 0 and 1 (router 0) have A → 4 (router 2) and X → 2 (router 1), and node 3 (router 1) has p, q → 5.
    One VC. A, X and p are in their buffers in 2; A and p get the VCs of their links in 3 and go in 4 (p arrives in 12, as
    alone); X gets its VC in 5. p's credit lets q enter in 6, it is there in 8. A is at router 1 in 7 and gets the VC of
    the link to router 2 in 8, but the place there is p's, which goes on in 9: its credit is back in 11, A goes and
    arrives in 19. The place that A leaves can be filled in 13: X goes, is at router 1 in 16, gets the VC to its node
    in 17, goes in 18 and arrives in 21. q gets A's VC in 12, and A's place after 16, in 18: it arrives in 26.
    Without A, X has no one in front: 12. q goes when p's credit is back, in 11, and arrives in 19.
    More VCs. q is on another one than p, a cycle later, and arrives in 13. A accepts a VC in 3, X gets another in 4, goes
    in 5, and is a cycle later than alone all the way: 13. A takes the VC that p had and waits for its place as before.
    """
    config = NocConfig(**LINE, columns=6, concentration_columns=2, buffer_flits=1, virtual_channels=virtual_channels)
    sim, measure = with_targets(config, targets, packets=1)
    sim.sources.left[3] = 2
    sim.advance(measure, 100, drain=True)
    assert np.repeat(np.arange(len(measure.histogram)), measure.histogram).tolist() == arrivals


def test_what_one_busy_link_leaves_to_another():
    """Three routers in a line, three nodes each, without end: heads of lines block.

    Of router 0 node 0 sends A → 6 (router 2) and node 1 X → 3 (router 1); of router 1 nodes 4 and 5 send → 7 and 8.
    One VC. The link from router 1 to 2 takes 1/3 of a flit a cycle, and serves its three input VCs in turns: A gets 1/9.
    A and X come by one VC, in turns too, so X gets no more than A, though nobody else sends to its node and the VC would
    pass two more for each A: in all 1/3 + 1/9.
    With six VCs the link takes a flit each cycle, of which A gets 1/3. In an overload without end A waits in all VCs,
    however many, and X still gets no more than A: 1 + 1/3.
    """
    rates = {}
    for vcs in (1, 6):
        config = NocConfig(**LINE, columns=9, concentration_columns=3, virtual_channels=vcs)
        sim, measure = with_targets(config, {0: 6, 1: 3, 4: 7, 5: 8})
        sim.advance(measure, 900)
        before = int(measure.total[4])
        sim.advance(measure, 9000)
        rates[vcs] = (int(measure.total[4]) - before) / 9000
    assert rates[1] == pytest.approx(4 / 9, rel=0.002)
    assert rates[6] == pytest.approx(4 / 3, rel=0.01)


@given(configs(ties=True), st.floats(0.02, 1), st.integers(0, 2**40))
@settings(max_examples=25, deadline=None)
def test_every_packet_flit_and_place_is_somewhere(config, rate, seed):
    """At any time: packets begun = arrived + in the network, flits alike, and a VC's places = credits + flits + credits due.

    Flits of a packet that has begun are at the source, on the way to a buffer or a node, in a buffer, or ejected. Each
    place of a buffer is a credit at the sender, a flit on its way there, a flit there, or a credit on its way back.
    """
    from sfnhw.sim.noc.state import ARRIVALS, EJECTED_FLITS, EJECTIONS, IN_FLIGHT, RETURNS

    sim, measure = simulation(Traffic(config), rate=rate, seed=seed)
    s, f, q = sim.state, sim.fabric, sim.sources
    peer = np.concatenate([s.ports["peer"], f.node_vc])
    outputs = ((np.flatnonzero(peer >= 0) << f.shift)[:, None] + np.arange(f.vcs)).ravel()
    inputs = (peer[peer >= 0][:, None] + np.arange(f.vcs)).ravel()

    def due(kind, items, size):
        """How many events of a kind each item has ahead."""
        pending = s.pending.reshape(-1, s.slots)[kind]
        ahead = [items[k * s.room : k * s.room + n] for k, n in enumerate(pending)]
        return np.bincount(np.concatenate(ahead), minlength=size)

    for _ in range(50):
        sim.advance(measure, 5)
        inside = len(sim.packets.free) - int(sim.packets.top[0])
        assert measure.total[5] == measure.total[0] + inside
        assert s.counts[IN_FLIGHT] == inside
        # Local outputs feed what is beyond all input VCs: a node takes a flit as it comes.
        arriving = due(ARRIVALS, s.arriving, s.room)
        leaving = due(EJECTIONS, s.leaving, s.room)
        count = np.concatenate([s.inputs["count"], np.zeros(s.room - len(s.inputs), np.uint16)]).astype(int)
        unsent = int((config.packet_flits - q.flit[q.flit > 0]).sum())
        flits = unsent + int(arriving.sum() + leaving.sum() + count.sum()) + int(s.counts[EJECTED_FLITS])
        assert flits == measure.total[5] * config.packet_flits
        back = due(RETURNS, s.crediting, s.room)
        places = s.outputs["credits"][outputs] + back[outputs] + leaving[outputs] + arriving[inputs] + count[inputs]
        assert (places == config.buffer_flits).all()


@given(configs(ties=True), st.floats(0.02, 1), st.integers(0, 2**40))
@settings(max_examples=25, deadline=None)
def test_every_packet_is_somewhere_at_fidelity_packet(config, rate, seed):
    """Packets begun = arrived, or known to arrive, + in the network; sent into a buffer ≥ gone out of it."""
    sim, measure = simulation(Traffic(config), rate=rate, seed=seed, fidelity="packet")
    for _ in range(40):
        sim.advance(measure, 9)
        inside = len(sim.packets.free) - int(sim.packets.top[0])
        assert measure.total[5] == measure.total[0] + inside
        assert (sim.hops.sent >= sim.hops.gone).all()
        assert (sim.hops.sent - sim.hops.gone).sum() == inside


@st.composite
def rings(draw):
    """A torus of any kind: even and odd rings, few and short buffers, long packets, slow stages."""
    stages = ("route", "vc_alloc", "switch_alloc", "switch", "link", "credit")
    return NocConfig(
        topology="torus",
        columns=draw(st.integers(2, 7)),
        rows=draw(st.integers(1, 7)),
        virtual_channels=draw(st.integers(2, 6)),
        buffer_flits=draw(st.integers(1, 8)),
        packet_flits=draw(st.integers(1, 8)),
        routing=draw(st.sampled_from(("xy", "yx"))),
        **{f"{stage}_cycles": draw(st.sampled_from((1, 1, 2, 3))) for stage in stages},
    )


def drains(config, seed, cycles, fidelity):
    """Beyond saturation for so many cycles, then nothing new: all packets that have begun arrive."""
    sim, measure = simulation(Traffic(config), rate=1.0, seed=seed, fidelity=fidelity)
    sim.advance(measure, cycles)
    assert measure.total[0] > 0
    # The packet in front of each node's queue is the last.
    sim.sources = sim.sources._replace(rate=0.0)
    sim.advance(measure, 40_000)
    assert sim.packets.top[0] == len(sim.packets.free)
    assert measure.total[0] == measure.total[5] == measure.histogram.sum()


@BOTH
@given(config=rings(), seed=st.integers(0, 2**40))
@settings(max_examples=10, deadline=None)
def test_a_torus_drains_after_an_overload(fidelity, config, seed):
    drains(config, seed, 500, fidelity)


@pytest.mark.slow
@BOTH
@given(config=rings(), seed=st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_a_torus_drains_after_a_long_overload(fidelity, config, seed):
    """60 networks of 20,000 cycles: 1.2 million cycles beyond saturation."""
    drains(config, seed, 20_000, fidelity)
