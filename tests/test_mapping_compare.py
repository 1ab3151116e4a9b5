"""Mappings side by side: what their routes carry, against paths written out packet by packet."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Recording
from sfnhw.chip import load_chip
from sfnhw.errors import ActivityError, InputError
from sfnhw.mapping import compare, map_network
from sfnhw.mapping.balance import balance
from sfnhw.mapping.quality import quality
from tests.naive import core_of_neuron, synapses_of
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


def test_a_chain_worked_by_hand():
    """2 → 3 → 1 neurons on a row of eight routers, pins at router 0.

    l1 on core 1, l2 on core 3: the inputs' packets take 1 link, l1's 2, the result's 3 back to the pins.
    """
    chip = REFERENCE.replace({"noc.rows": 1, "io.router": [0, 0]})
    mapping = map_network(chain([2, 3, 1]), chip, placement=[1, 3])
    (row,) = compare([mapping]).rows
    assert (row.name, row.cores, row.routers, row.links) == ("given", 2, 2, 6)
    assert row.packet_links == 2 * 1 + 3 * 2 + 1 * 3
    assert row.worst_link == 3  # l1's packets; the way back has links of its own
    assert row.mean_hops == pytest.approx((2 * 1 + 3 * 2 + 1 * 3) / 6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(64, 200), st.booleans(), st.integers(1, 2))
def test_traffic_is_that_of_every_packet_over_every_link(seed, neurons, multicast, tile):
    network = random_network(seed)
    chip = REFERENCE.replace(
        {"core.neurons": neurons, "noc.cast": "multicast" if multicast else "unicast", "noc.cores_per_router": tile}
    )
    mapping = map_network(network, chip, placer="sequential")
    activity = random_activity(network, seed, 2)
    slice_of = core_of_neuron(mapping)
    reach = {s.index: set() for s in mapping.slices}
    for k, i, o, _ in synapses_of(network):
        p = network.projections[k]
        reach[int(slice_of[p.source][i])].add(int(mapping.terminals[slice_of[p.target][o]]))
    for s in mapping.slices:
        if network[s.population].role == "output":
            reach[s.index].add(mapping.io)

    def path(start, end):
        links, columns = [], chip.noc.columns
        while start % columns != end % columns:
            step = 1 if end % columns > start % columns else -1
            links.append((start, start + step))
            start += step
        while start != end:
            step = columns if end > start else -columns
            links.append((start, start + step))
            start += step
        return links

    loads, distance, deliveries = Counter(), 0, 0
    for p in network.populations:
        sent = activity.sent(network, p.name).sum(axis=(0, 1))
        for i, packets in enumerate(sent.tolist()):
            index = int(slice_of[p.name][i])
            start, *ends = mapping.routers_of(np.array([mapping.terminals[index], *reach[index]])).tolist()
            ways = [path(start, end) for end in ends]
            links = {link for way in ways for link in way} if multicast else [link for way in ways for link in way]
            for link in links:
                loads[link] += packets
            distance += packets * sum(map(len, ways))
            deliveries += packets * len(ways)
    (row,) = compare({"mine": mapping}, activity).rows
    assert row.name == "mine"
    assert row.packet_links == pytest.approx(sum(loads.values()) / 2)
    assert row.worst_link == pytest.approx(max(loads.values(), default=0) / 2)
    assert row.mean_hops == pytest.approx(distance / max(deliveries, 1))


def test_text_and_json_say_the_same():
    network = chain([20, 300, 300, 3])
    found = compare([map_network(network, REFERENCE, placer=name) for name in ("hilbert", "sequential")])
    rows = json.loads(json.dumps(found.as_json()))["rows"]
    assert [row["name"] for row in rows] == ["hilbert", "sequential"]
    for row, line in zip(rows, found.text().splitlines()[1:], strict=False):
        assert line.startswith(row["name"])
        assert f"{row['packet_links']:,.1f}" in line
    assert "one packet of each neuron" in found.text()


def test_nothing_and_strangers_are_refused():
    with pytest.raises(InputError, match="mappings: found \\[\\], expected at least one mapping"):
        compare([])
    mapping = map_network(chain([4, 5, 3]), REFERENCE)
    with pytest.raises(ActivityError):
        compare([mapping], random_activity(chain([4, 6, 3]), 0))


def test_a_recording_is_not_its_activity():
    network = chain([4, 4, 2])
    mapping = map_network(network, load_chip("reference"))
    recording = Recording(random_activity(network, 0), np.zeros((1, 2)))
    for call in (compare, quality, balance):
        with pytest.raises(ActivityError, match=r"activity: found 'Recording', expected an Activity: its \.activity"):
            call([mapping] if call is compare else mapping, recording)
