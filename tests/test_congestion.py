"""Where fidelity `packet` is to be trusted: what finite buffers leave of a link, warnings, and fidelity `auto`."""

import numpy as np
import pytest

import sfnhw
from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.neurons import IF
from sfnhw.sim import simulate
from sfnhw.sim.channels import channels_of
from sfnhw.sim.congestion import MOST_CONGESTION
from sfnhw.sim.link_load import link_utilisation
from sfnhw.sim.unmodelled import (
    OF_BATCHES,
    OF_BUFFERS,
    OF_BURSTS,
    OF_BURSTS_OF_FLITS,
    OF_SINGLE_PLACES,
    OF_TURNS,
    Missed,
)
from tests.networks import chain, random_activity, random_inputs, random_network

REFERENCE = load_chip("reference")
# The pins are a router away from the only core: all inputs go over one link.
HOT = {"noc.columns": 2, "noc.rows": 1, "io.router": (1, 0)}


def hot_link(fields, spikes=(100,)):
    """100 inputs and one neuron behind one link; a sample for each number of spikes."""
    network = chain([100, 1])
    inputs = np.array([[[int(i < n) for i in range(100)]] for n in spikes])
    activity = Activity({"l0": inputs, "l1": np.zeros((len(spikes), 1, 1), int)})
    return map_network(network, REFERENCE.replace({**HOT, **fields}), placer="sequential"), activity


@pytest.mark.parametrize(
    ("channels", "depth", "service"),
    [(1, 8, 3.0), (1, 3, 3.0), (1, 2, 3.5), (1, 1, 7.0), (2, 1, 3.5), (2, 2, 1.75), (4, 1, 7 / 4), (4, 8, 1.0)],
)
def test_finite_buffers_leave_so_much_of_a_link(channels, depth, service):
    """A link passes min(1, V/3, V·B/7) single flits a cycle with unit stages (docs/noc.md): the last of 100 packets comes so
    much after the first. At flit no more can come, and the allocators' turns cost up to 15 %.
    """
    mapping, activity = hot_link({"noc.virtual_channels": channels, "noc.buffer_flits": depth})
    assert service == max(1.0, 3 / channels, 7 / depth / channels)
    last = {}
    for fidelity in ("packet", "flit"):
        result = simulate(mapping, activity, fidelity=fidelity, threads=1)
        last[fidelity] = np.flatnonzero(result.timing.packet_latency)[-1] - (2 * 4 + 1 + 3)
    assert abs(last["packet"] - np.ceil(99 * service)) <= 1  # at the link, and at the port again, whole cycles
    exact = 99 * max(1.0, 3 / channels, 7 / (channels * depth))
    # Full buffers at first: V·B packets need no credit.
    assert exact - 7 <= last["flit"] <= 1.15 * exact


def test_buffers_that_are_not_given_change_nothing():
    """Left out they are unlimited at packet; deep ones, of more than a round trip, do as much."""
    network = random_network(1, 2)
    results = []
    for depth in (None, 64):
        mapping = map_network(network, REFERENCE.replace({"core.neurons": 100, "noc.buffer_flits": depth}))
        results.append(simulate(mapping, random_activity(network, 1, rate=0.8), threads=1).timing)
    assert np.array_equal(results[0].latency, results[1].latency)
    assert np.array_equal(results[0].packet_latency, results[1].packet_latency)


def test_the_most_loaded_link_worked_by_hand():
    """100 spikes and an end marker, 3 cycles each with one VC: 303 cycles of the interval."""
    mapping, activity = hot_link({"noc.virtual_channels": 1})
    result = simulate(mapping, activity, threads=1)
    busy = link_utilisation(result.tables, result.counts, result.samples, result.timing.interval)
    assert busy == pytest.approx(303 / result.timing.interval)
    # Behind one another at a link that takes three cycles for what comes each cycle, packet k waits 2k.
    way = result.tables.fabric.router_cycles + 1
    assert result.timing.congestion[0] > 1 + 2 * sum(range(100)) / (2 * 104 * way) * 0.9 > MOST_CONGESTION


@pytest.mark.parametrize("form", ["aer", "bundled", "bitmap", "dense"])
def test_a_link_is_taken_for_the_flits_that_packets_have(form):
    """4 VCs take a packet each 3/4 cycle, so a link is taken for a cycle a flit: as long as the simulation has it busy."""
    mapping, activity = hot_link({"packet.format": form}, spikes=(20,))
    result = simulate(mapping, activity, threads=1)
    busy = link_utilisation(result.tables, result.counts, result.samples, result.timing.interval)
    assert busy == pytest.approx(result.timing.link_busy.max() / result.timing.interval)


def test_packet_warns_where_the_network_is_congested_and_auto_runs_these_samples_at_flit():
    """Of two samples the one with all spikes: its times are those of flit, the other's those of packet."""
    mapping, activity = hot_link({"noc.virtual_channels": 1}, spikes=(100, 2))
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "auto"))
    assert len(packet.warnings) == 2
    assert "1 of 2 inferences" in packet.warnings[0]
    assert "interval of inferences back to back is in doubt" in packet.warnings[1]
    assert not flit.warnings
    assert not auto.warnings
    assert auto.fidelity == "auto"
    assert auto.sample_fidelity == ("flit", "packet")
    assert flit.sample_fidelity == ("flit", "flit")
    assert auto.timing.latency.tolist() == [flit.timing.latency[0], packet.timing.latency[1]]
    assert auto.timing.interval == flit.timing.interval
    assert auto.counts.equals(packet.counts)
    assert np.array_equal(auto.timing.busy, packet.timing.busy)
    assert np.array_equal(auto.timing.link_busy, packet.timing.link_busy)
    assert auto.timing.packet_latency.sum() == packet.timing.packet_latency.sum()
    assert np.array_equal(auto.timing.layer_end[0], flit.timing.layer_end[0])
    assert np.array_equal(auto.timing.layer_end[1], packet.timing.layer_end[1])


def test_samples_that_wait_for_one_another_only_back_to_back_are_run_again_only_so():
    """Alone they hardly wait, and all layers at once load a link for most of the interval, which flit has 8 % longer."""
    fields = {"noc.columns": 4, "noc.rows": 2, "core.neurons": 32, "core.synapse_lanes": 64}
    network = chain([60, 60, 60, 10])
    mapping, activity = map_network(network, REFERENCE.replace(fields)), random_activity(network, 1, 3, 0.3)
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "auto"))
    assert packet.timing.congestion.max() < packet.timing.stream_congestion < MOST_CONGESTION
    assert link_utilisation(packet.tables, packet.counts, 3, packet.timing.interval) > 0.4
    assert flit.timing.interval > 1.05 * packet.timing.interval
    assert len(packet.warnings) == 1
    assert "interval of inferences back to back is in doubt" in packet.warnings[0]
    assert not auto.warnings
    assert auto.sample_fidelity == ("packet",) * 3
    assert [r.interval_fidelity for r in (packet, flit, auto)] == ["packet", "flit", "flit"]
    assert auto.timing.latency.tolist() == packet.timing.latency.tolist()
    assert auto.timing.interval == flit.timing.interval
    assert auto.timing.streamed == 3
    assert auto.counts.equals(packet.counts)


def test_bursts_of_all_layers_between_barriers_are_a_doubt_of_the_interval():
    """Of three layers in a row each step has one sample's burst when it is alone, and three samples' back to back."""
    fields = {"execution.mode": "barrier", "execution.barrier_cycles": 20, "noc.virtual_channels": 8}
    fields |= {"noc.columns": 4, "noc.rows": 4, "core.neurons": 32, "core.synapse_lanes": 16, "noc.buffer_flits": 16}
    network = chain([100, 100, 100, 10])
    mapping = map_network(network, REFERENCE.replace(fields))
    told, steps = [], []
    for rate in (0.02, 0.1, 0.2, 0.3, 0.5):
        activity = random_activity(network, 1, 1, rate)
        packet, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "auto"))
        of_interval = any("may make the interval of inferences back to back longer" in text for text in packet.warnings)
        told.append(of_interval)
        steps.append(auto.interval_fidelity)
        alone = any("inferences longer" in text for text in packet.warnings)
        assert auto.interval_fidelity == ("flit" if of_interval or alone else "packet")
    # The fuller a step, the sooner; and there is a rate at which each is so.
    assert told == sorted(told)
    assert set(told) == {False, True}
    assert set(steps) == {"packet", "flit"}


def test_in_rounds_samples_do_not_follow_one_another(monkeypatch):
    """A round ends before the next sample comes: what packets would wait back to back is no doubt of anything there."""
    monkeypatch.setattr("sfnhw.sim.stream_doubts.MOST_STREAM_CONGESTION", 0.0)
    monkeypatch.setattr("sfnhw.sim.congestion.MOST_UTILISATION", 0.0)
    network = chain([60, 60, 60, 10])
    activity = random_activity(network, 1, 3, 0.05)
    fields = {"noc.columns": 2, "core.neurons": 32, "execution.rounds": "auto"}
    for rows, rounds in ((4, 0), (2, 2)):
        mapping = map_network(network, REFERENCE.replace(fields | {"noc.rows": rows}))
        assert len(mapping.rounds) == rounds
        packet, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "auto"))
        assert any("back to back" in text for text in packet.warnings) == (not rounds)
        assert auto.interval_fidelity == ("packet" if rounds else "flit")
        assert packet.timing.streamed == 3


def test_an_empty_network_is_left_to_packet():
    mapping, activity = hot_link({}, spikes=(3, 2))
    packet, auto = (simulate(mapping, activity, fidelity=f, threads=2) for f in ("packet", "auto"))
    assert not packet.warnings
    assert auto.sample_fidelity == ("packet", "packet")
    assert auto.timing.latency.tolist() == packet.timing.latency.tolist()
    assert auto.timing.interval == packet.timing.interval


def test_an_input_buffer_is_not_seen_at_packet_and_said_so():
    mapping, activity = hot_link({"core.input_packets": 4}, spikes=(3, 2))
    packet, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "auto"))
    assert "core.input_packets is 4" in packet.warnings[0]
    assert auto.sample_fidelity == ("flit", "flit")


def test_a_report_says_what_was_done_at_which_fidelity():
    network = random_network(1, 1)
    chip = REFERENCE.replace({"core.input_packets": 2})
    runs = {
        f: sfnhw.estimate(network, chip, random_inputs(network, 1, 3), fidelity=f, baselines=())
        for f in ("packet", "flit", "auto")
    }
    assert any("core.input_packets" in text for text in runs["packet"].as_json()["warnings"])
    assert [r.as_json()["inferences_at_flit"] for r in runs.values()] == [0, 3, 3]
    assert "auto fidelity (flit in all of them" in " ".join(runs["auto"].summary().split())
    assert [r.as_json()["back_to_back"]["fidelity"] for r in runs.values()] == ["packet", "flit", "flit"]
    assert runs["flit"].as_json()["latency_s"] == runs["auto"].as_json()["latency_s"]


@pytest.mark.parametrize("form", ["bundled", "bitmap", "auto"])
def test_packets_of_several_spikes_are_warned_of_and_run_again_too(form):
    """Bundles of two neurons, so 50 packets behind one another at the link, and one: only the first sample is in doubt."""
    fields = {"noc.virtual_channels": 1, "packet.format": form, "packet.bundle_neurons": 2}
    mapping, activity = hot_link(fields, spikes=(100, 2))
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "auto"))
    assert "1 of 2 inferences" in packet.warnings[0]
    assert auto.sample_fidelity == ("flit", "packet")
    assert auto.timing.latency.tolist() == [flit.timing.latency[0], packet.timing.latency[1]]
    assert auto.timing.interval == flit.timing.interval
    assert auto.counts.equals(packet.counts)


def test_rows_that_wait_are_in_doubt_however_idle_the_links(monkeypatch):
    """Layers that work whole need a loaded link besides, and no link is that loaded; rows do not."""
    monkeypatch.setattr("sfnhw.sim.congestion.MOST_UTILISATION", 2.0)
    network = random_network(673, 1)
    activity = random_activity(network, 0, 2, 0.9)
    chip = REFERENCE.replace({"core.neurons": 96, "execution.granularity": "row"})
    result = simulate(map_network(network, chip), activity, threads=1)
    waits = result.timing.congestion > MOST_CONGESTION
    assert waits.all()
    assert any("congested" in text for text in result.warnings)
    whole = simulate(map_network(network, chip.replace({"execution.granularity": "layer"})), activity, threads=1)
    assert (whole.timing.congestion > MOST_CONGESTION).any()
    assert not whole.warnings
    again = simulate(map_network(network, chip), activity, fidelity="auto", threads=1)
    assert again.at_flit.tolist() == waits.tolist()


def test_a_network_that_flit_refuses_is_told_of_at_packet_and_refused_at_auto():
    """64 neurons, 8 bits each and an address take more flits than a buffer of 2 has; the packet goes to two cores."""
    chip = REFERENCE.replace({"packet.format": "dense", "noc.buffer_flits": 2, "core.neurons": 64})
    network = chain([64, 96, 3])
    mapping, activity = map_network(network, chip), random_activity(network, 0, 1, 0.5)
    result = simulate(mapping, activity, threads=1)
    assert any("flit refuses this network" in text and "can deadlock" in text for text in result.warnings)
    with pytest.raises(SimulationError, match="can deadlock"):
        simulate(mapping, activity, fidelity="auto", threads=1)


def test_a_link_bounds_the_closed_form_s_interval_and_it_says_so():
    """One virtual channel of one flit: a link passes a packet each credit round trip, whatever its flits take."""
    network = chain([200, 200, 3])
    fields = {"noc.virtual_channels": 1, "noc.buffer_flits": 1, "noc.link_cycles": 9, "core.synapse_lanes": 64}
    mapping = map_network(network, REFERENCE.replace(fields))
    activity = random_activity(network, 0, 2, 0.9)
    packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "analytic"))
    assert analytic.timing.interval == pytest.approx(packet.timing.interval, rel=0.1)
    assert link_utilisation(analytic.tables, analytic.counts, 2, analytic.timing.interval) == pytest.approx(1, abs=0.1)
    assert any("fidelity analytic does not see" in text for text in analytic.warnings)


def missed_by(fields, **chosen):
    """What a chip's routers may miss (`sfnhw.sim.unmodelled`), of stages and buffers given."""
    chip = REFERENCE.replace({f"noc.{name}": value for name, value in (fields | chosen).items()})
    return Missed.of(chip, channels_of(chip))


def test_what_routers_may_miss_by_hand():
    """Unit stages and deep buffers miss nothing; a stage that is slower than the switch allocation may make who comes wait."""
    assert not any(missed_by({}))
    assert not any(missed_by({"virtual_channels": 1, "buffer_flits": 1}))  # one packet after the other: exact
    assert missed_by({"route_cycles": 3}) == (2, 0, OF_BATCHES, 0)
    assert missed_by({"switch_cycles": 3}) == (2, 0, 0, 0)
    assert missed_by({"route_cycles": 2, "vc_alloc_cycles": 2, "switch_alloc_cycles": 2}) == (0, 1, 0, OF_TURNS)
    # A round trip is 7: of 4 VCs of 5 flits 20 are enough, of 4 are not.
    assert missed_by({"buffer_flits": 5}) == missed_by({"buffer_flits": 64}) == (0, 0, 0, 0)
    assert missed_by({"buffer_flits": 4}).links == OF_BUFFERS
    assert missed_by({"buffer_flits": 1}).links == OF_SINGLE_PLACES


def test_between_barriers_bursts_may_be_missed_where_buffers_are_finite():
    """Of links that are taken; a larger share, of short buffers, counts instead."""
    barrier = REFERENCE.replace({"execution.mode": "barrier"})
    for fields, share in (
        ({"noc.buffer_flits": 16}, OF_BURSTS_OF_FLITS),
        ({"noc.buffer_flits": 16, "noc.virtual_channels": 2}, OF_BURSTS),  # a packet takes a link for 3 / 2 cycles
        ({"noc.buffer_flits": None}, 0),
        ({"noc.buffer_flits": 4}, OF_BUFFERS),
    ):
        chip = barrier.replace(fields)
        assert Missed.of(chip, channels_of(chip)) == (0, 0, share, 0)


@pytest.mark.parametrize("depth", [4, 8, 16])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_between_barriers_a_burst_that_is_not_warned_of_takes_as_long_at_flit(channels, depth):
    """Within 5 %, or six cycles; one that fills a link for most of its step is warned of, and `auto` takes it to flit."""
    fields = {"execution.mode": "barrier", "execution.barrier_cycles": 1, "noc.columns": 4, "noc.rows": 4}
    fields |= {
        "core.neurons": 32,
        "core.synapse_lanes": 64,
        "noc.virtual_channels": channels,
        "noc.buffer_flits": depth,
    }
    network, quiet, told = chain([200, 200, 100, 10], IF(4)), [], []
    mapping = map_network(network, REFERENCE.replace(fields))
    for rate in (0.01, 0.05, 0.2, 0.8):
        activity = random_activity(network, 1, 1, rate)
        packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
        (told if packet.warnings else quiet).append((packet.timing.latency[0], flit.timing.latency[0]))
    assert all(abs(there - here) <= max(6, 0.05 * here) for here, there in quiet), quiet
    assert told, quiet
    auto = simulate(mapping, activity, fidelity="auto", threads=1)
    assert auto.sample_fidelity == ("flit",)
    assert auto.timing.latency[0] == flit.timing.latency[0]


SLOW = (
    {"noc.route_cycles": 2},
    {"noc.vc_alloc_cycles": 3, "noc.virtual_channels": 2},
    {"noc.switch_alloc_cycles": 2},
    {"noc.switch_cycles": 2},
    {"noc.switch_alloc_cycles": 3, "packet.format": "bundled"},
    {"noc.buffer_flits": 2},
    {"noc.buffer_flits": 1, "noc.cast": "unicast", "packet.format": "bundled"},
    {"noc.routing": "o1turn", "noc.virtual_channels": 2},
)


@pytest.mark.parametrize("fields", SLOW, ids=lambda f: ",".join(map(str, f.values())))
def test_where_nothing_is_warned_of_latency_is_within_5_percent_of_flit(fields):
    """Or six cycles, on random networks of 119 and more. What is warned of may be further, or not."""
    quiet = []
    for seed in range(6):
        network = random_network(seed)
        chip = REFERENCE.replace({"core.neurons": (48, 100, 200)[seed % 3], **fields})
        activity = random_activity(network, seed, 1, (0.03, 0.1, 0.4)[seed % 3])
        mapping = map_network(network, chip)
        packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
        if not packet.warnings:
            quiet.append((packet.timing.latency[0], flit.timing.latency[0]))
    assert all(abs(there - here) <= max(6, 0.05 * here) for here, there in quiet), quiet


def test_stages_of_several_cycles_are_in_doubt_by_what_they_may_miss():
    """100 spikes in a row over one link, route computation of two cycles: not a few spikes among much work of the core."""
    chip = {"noc.route_cycles": 2}
    mapping, activity = hot_link(chip, spikes=(100,))
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "auto"))
    assert flit.timing.latency[0] > 1.2 * packet.timing.latency[0]
    assert "router stages of several cycles" in packet.warnings[0]
    assert auto.sample_fidelity == ("flit",)
    mapping, activity = hot_link(chip | {"core.synapse_cycles": 100}, spikes=(40,))
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "auto"))
    assert flit.timing.latency[0] == pytest.approx(packet.timing.latency[0], rel=0.01)
    assert not packet.warnings
    assert auto.sample_fidelity == ("packet",)


def test_packets_longer_than_short_buffers_are_in_doubt():
    """Bundles of eight spikes are 5 flits of 16 bits; those of 2 places stand still, those of 7 do not (a round trip is 7)."""
    fields = {"packet.format": "bundled", "packet.bundle_neurons": 8, "noc.flit_bits": 16, "noc.cast": "unicast"}
    told = {}
    for depth in (2, 7):
        mapping, activity = hot_link(fields | {"noc.buffer_flits": depth}, spikes=(20,))
        packet, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "auto"))
        told[depth] = any("longer than noc.buffer_flits" in text for text in packet.warnings)
        assert (auto.sample_fidelity == ("flit",)) == bool(packet.warnings)
    assert told == {2: True, 7: False}


def test_an_input_buffer_that_no_inference_can_fill_is_no_doubt():
    """Of 3 spikes and an end marker, with two sets of accumulators, three inferences' are on their way at most: 12 packets."""
    mapping, activity = hot_link({"core.input_packets": 12}, spikes=(3, 2))
    packet, flit, auto = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit", "auto"))
    assert not packet.warnings
    assert auto.sample_fidelity == ("packet", "packet")
    unlimited = simulate(*hot_link({}, spikes=(3, 2)), fidelity="flit", threads=1)
    assert flit.timing.latency.tolist() == unlimited.timing.latency.tolist()
    assert flit.timing.interval == unlimited.timing.interval
    tight, activity = hot_link({"core.input_packets": 11}, spikes=(3, 2))
    packet, auto = (simulate(tight, activity, fidelity=f, threads=1) for f in ("packet", "auto"))
    assert "up to 12 packets" in packet.warnings[0]
    assert auto.sample_fidelity == ("flit", "packet")
