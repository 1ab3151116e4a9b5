"""A torus does not deadlock: the graph of what waits for what has no cycle, and where it has one, deadlocks are met.

The graphs are built here from the rules in docs/noc.md, not from the router's code; `tests/naive_noc.py` holds the router to
the same rules. Dally and Seitz, IEEE Trans. Comput. C-36(5), 1987: no cycle, no deadlock; Duato, IEEE TPDS 4(12), 1993: with
channels that need no order beside others that have one, it is enough to look at these.
"""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sfnhw.errors import InputError, SimulationError
from sfnhw.sim.noc import NocConfig, Traffic, simulate_burst, simulate_noc
from tests.test_noc_exact import drains, with_targets

BOTH = pytest.mark.parametrize("fidelity", ["flit", "packet"])


def ways_along(size, begin, end):
    """Steps from `begin` to `end` of a ring: as (place, turn) pairs, the shorter way round, or both."""
    right = (end - begin) % size
    for turn, links in ((1, right), (-1, size - right)):
        if links == min(right, size - right) and (links or turn == 1):
            yield [((begin + turn * k) % size, turn) for k in range(links)]


def paths(columns, rows):
    """All paths in dimension order: for each link (ring, place, turn) and whether the packet leaves the ring before its entry."""
    for x0, y0, x1, y1 in product(range(columns), range(rows), range(columns), range(rows)):
        for along_x, along_y in product(ways_along(columns, x0, x1), ways_along(rows, y0, y1)):
            path = [(("row", y0), place, turn, x1 < x0) for place, turn in along_x]
            yield path + [(("column", x1), place, turn, y1 < y0) for place, turn in along_y]


def channels_of(vcs, before, kind):
    """Virtual channels that a packet may take: all of its class, or those that it does not share with the other one."""
    half = vcs // 2
    if kind == "own":
        return range(vcs - half, vcs) if before else range(half)
    if kind == "any":
        return range(vcs)
    return range(half, vcs) if before else range(vcs - half)


def has_cycle(columns, rows, vcs, kind, indirect=True):
    """Whether channels wait for each other in a ring: a packet that holds one waits for its next, or with `indirect` later, ones."""
    number, edges = {}, set()
    for path in paths(columns, rows):
        hops = [[(ring, place, turn, v) for v in channels_of(vcs, before, kind)] for ring, place, turn, before in path]
        for hop in hops:
            for channel in hop:
                number.setdefault(channel, len(number))
        pairs = product(range(len(hops)), repeat=2) if indirect else pairwise(range(len(hops)))
        for a, b in pairs:
            if a < b:
                edges |= {(number[one], number[other]) for one, other in product(hops[a], hops[b])}
    if not edges:
        return False
    begin, end = np.array(sorted(edges)).T
    graph = coo_array((np.ones(len(begin)), (begin, end)), shape=(len(number), len(number)))
    return connected_components(graph, connection="strong")[0] < len(number)


SHAPES = [(n, 1) for n in range(2, 13)] + [(4, 4), (5, 3), (6, 4), (5, 5), (2, 7)]


@pytest.mark.parametrize(("columns", "rows"), SHAPES)
@pytest.mark.parametrize("vcs", [2, 3, 4, 5])
def test_channels_of_one_class_wait_for_each_other_without_end_nowhere(columns, rows, vcs):
    """Also where a packet holds one, takes shared ones after it, and waits for a later one: the extended graph of Duato."""
    assert not has_cycle(columns, rows, vcs, "own")


@pytest.mark.parametrize("vcs", [2, 4])
def test_with_an_even_number_these_are_all_channels(vcs):
    for before in (False, True):
        assert list(channels_of(vcs, before, "own")) == list(channels_of(vcs, before, "allowed"))


@pytest.mark.parametrize("columns", [4, 5, 6, 9])
def test_the_shared_channel_closes_a_ring(columns):
    """So the condition on it is needed (not where paths have one link a ring): as are the classes."""
    assert has_cycle(columns, 1, 3, "allowed", indirect=False)
    assert has_cycle(columns, 1, 2, "any", indirect=False)
    assert not has_cycle(3, 1, 3, "allowed", indirect=False)


def ring(columns, flits=1, buffer=1, vcs=3, **fields):
    return NocConfig(
        topology="torus",
        columns=columns,
        rows=1,
        virtual_channels=vcs,
        buffer_flits=buffer,
        packet_flits=flits,
        **fields,
    )


@BOTH
def test_a_shared_channel_without_condition_deadlocks(fidelity, monkeypatch):
    """As found by running rings beyond saturation: some of these seeds meet it, and with the condition none."""
    monkeypatch.setattr("sfnhw.sim.noc.simulate.is_by_events", lambda _: True)
    config, said = ring(9, shared_vc="any"), []
    for seed in range(4):
        try:
            simulate_noc(Traffic(config), 1.0, cycles=20_000, warmup=100, seed=seed, fidelity=fidelity)
        except SimulationError as error:
            said.append(str(error))
    assert said
    assert all("deadlock" in message for message in said)
    for seed in range(4):
        assert simulate_noc(Traffic(ring(9)), 1.0, cycles=20_000, warmup=100, seed=seed, fidelity=fidelity).packets > 0


def test_a_burst_that_deadlocks_is_one_sentence():
    with pytest.raises(SimulationError, match="shared_vc any"):
        simulate_burst(Traffic(ring(8, shared_vc="any")), 2000, seed=0)
    assert simulate_burst(Traffic(ring(8)), 2000, seed=0).makespan > 2000


@BOTH
@pytest.mark.parametrize(("buffer", "flits"), [(1, 1), (2, 1), (4, 4), (8, 4), (2, 5)])
@pytest.mark.parametrize("columns", [6, 7, 8, 12])
def test_rings_with_three_channels_drain(columns, buffer, flits, fidelity):
    drains(ring(columns, flits, buffer), columns, 20_000, fidelity)


@BOTH
@pytest.mark.parametrize(("columns", "buffer", "flits"), [(12, 1, 1), (7, 8, 4)])
def test_all_nodes_send_as_far_as_they_can(columns, buffer, flits, fidelity):
    """Every node sends to the one almost half round: without the condition these two stood still within 20,000 cycles."""
    far = {node: (node + (columns - 1) // 2) % columns for node in range(columns)}
    sim, measure = with_targets(ring(columns, flits, buffer), far, fidelity=fidelity)
    sim.advance(measure, 20_000)
    before = int(measure.total[0])
    sim.advance(measure, 1000)
    assert measure.total[0] - before > 100


def test_the_shared_channel_is_of_odd_tori_only():
    with pytest.raises(InputError, match="odd number"):
        NocConfig(shared_vc="any")
    with pytest.raises(InputError, match="odd number"):
        NocConfig(topology="torus", virtual_channels=4, shared_vc="any")
