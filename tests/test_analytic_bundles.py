"""Fidelity `analytic` where packets hold several spikes: it takes those that are sent, not full ones."""

import numpy as np
import pytest

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.sim import simulate
from sfnhw.sim.bundles import bundles_of
from sfnhw.sim.packet_ends import Emitted, sending_of
from sfnhw.sim.passed import pass_over, spiking_groups
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


def latency(network, spikes, fidelity, **changes):
    """Cycles of one inference; spikes : of the input and the layer behind it, the first of their neurons; results go in any case."""
    names = [p.name for p in network.populations]
    levels = {p.name: np.zeros((1, 1, p.size), np.int64) for p in network.populations}
    for name, many in zip(names, spikes, strict=False):
        levels[name][:, :, :many] = 1
    mapping = map_network(network, REFERENCE.replace({k.replace("__", "."): v for k, v in changes.items()}))
    return int(simulate(mapping, Activity(levels), fidelity=fidelity).timing.latency[0])


@pytest.mark.parametrize("bits", [1, 8, 32])
@pytest.mark.parametrize("form", ["aer", "bundled", "bitmap"])
def test_a_silent_sample_takes_no_time_for_bundles(form, bits):
    """Only end markers of a flit each go to the layers. At 1 bit a cycle a full bundle of 40 spikes would take 300 cycles."""
    changes = {"packet__format": form, "io__bits_per_cycle": bits}
    packet, analytic = (latency(chain([40, 40, 10]), (0, 0), f, **changes) for f in ("packet", "analytic"))
    assert analytic == pytest.approx(packet, abs=4)


@pytest.mark.parametrize("fidelity", ["packet", "analytic"])
@pytest.mark.parametrize("spikes", [0, 1, 4, 40])
def test_a_bundle_waits_for_the_neurons_that_spike_by_hand(spikes, fidelity):
    """One lane: a spike holds the walk up for 50 cycles. The hidden layer's bundle waits for its spikes, the results for theirs."""
    slow, fast = (
        latency(
            chain([40, 40, 10]),
            (3, spikes),
            fidelity,
            packet__format="bundled",
            core__threshold_unit__lanes=1,
            core__threshold_unit__spike_cycles=cycles,
        )
        for cycles in (50, 0)
    )
    assert slow - fast == 50 * (spikes + 10)


def seeds_of(form):
    """Seeds of networks that may have the format: bitmaps and dense packets have no room for bursts."""
    bursts = form in ("bundled", "auto")
    return [k for k in range(24) if bursts or not any(p.coding.burst for p in network_of(k).populations)]


def network_of(seed):
    return random_network(seed, (1, 3)[seed % 2])


def drawn(seed, form):
    """A network on a chip, in layers or rows, and two samples of it, in which few neurons spike, or some."""
    network = network_of(seed)
    changes = {
        "packet.format": form,
        "core.threshold_unit.lanes": (1, 4)[seed // 2 % 2],
        "core.threshold_unit.spike_cycles": (0, 50)[seed // 3 % 2],
        "io.bits_per_cycle": (32, 2)[seed // 5 % 2],
        "core.neurons": 96,
        "execution.granularity": ("layer", "row")[seed // 7 % 2],
        "noc.flit_bits": (32, 16)[seed // 4 % 2],
    }
    return map_network(network, REFERENCE.replace(changes)), random_activity(
        network, seed, 2, (0.02, 0.3)[seed % 3 > 0]
    )


@pytest.mark.parametrize("form", ["bundled", "bitmap", "dense", "auto"])
def test_latencies_are_within_15_percent_of_the_packets(form):
    """No law: these networks are the same in every run."""
    for seed in seeds_of(form):
        mapping, activity = drawn(seed, form)
        packet, analytic = (simulate(mapping, activity, fidelity=f).timing for f in ("packet", "analytic"))
        assert analytic.latency == pytest.approx(packet.latency, rel=0.15), seed


@pytest.mark.parametrize("form", ["bundled", "bitmap", "dense"])
def test_the_first_and_the_last_bundle_are_ready_as_they_are_in_the_list(form):
    """The packet kernel's list of bundles says when each is ready."""
    for seed in seeds_of(form):
        mapping, activity = drawn(seed, form)
        tables = build_tables(mapping)
        s, f = tables.slices, tables.fabric
        passed = pass_over(tables, sent_neurons(mapping, activity))
        groups, none = passed.by_step(spiking_groups(s, passed.frames, f.threshold_lanes)), np.zeros(passed.shape)
        emitted = Emitted(passed.packets, passed.flits, passed.first, passed.last, groups, none, none)
        sending = sending_of(s, f, passed, passed.frames, emitted)
        whole = tables.parts._replace(
            owner=np.arange(len(s.neurons)), first=np.arange(len(s.neurons) + 1), columns=np.ones_like(s.neurons)
        )
        listed = bundles_of(passed.frames, s, whole, f)
        sends = passed.by_step(np.diff(listed.first).reshape(len(passed.frames), -1).T) > 0
        first, last = (
            passed.by_step(listed.ready[at].reshape(len(passed.frames), -1).T)
            for at in (np.minimum(listed.first[:-1], len(listed.ready) - 1), np.maximum(listed.first[1:] - 1, 0))
        )
        assert np.array_equal(passed.packets > 0, sends)
        assert np.array_equal((sending.head - sending.lag)[sends], np.maximum(first, 1)[sends])
        on_cores = sends & ~s.is_input[:, None]
        assert np.array_equal(sending.behind[on_cores], last[on_cores])


@pytest.mark.parametrize("mode", ["dataflow", "barrier"])
def test_the_last_bundle_is_worked_off_when_all_are_in(mode):
    """A slow walk: the first bundles are done before the last comes, and its 32 spikes cost 8 cycles each (32 synapses on 4 lanes).

    Packets at the fastest take as long as the walks of 128 and 32 neurons, the last bundle's synapses, and the ways.
    """
    changes = {"packet__format": "bundled", "core__threshold_unit__update_cycles": 20, "execution__mode": mode}
    changes |= {"core__synapse_lanes": 4, "core__threshold_unit__lanes": 1}
    packet, analytic = (latency(chain([64, 128, 32]), (0, 128), f, **changes) for f in ("packet", "analytic"))
    assert packet > 160 * 20 + 32 * 8
    assert analytic == pytest.approx(packet, abs=8)
