"""Waits for banks of memory: by hand, and as what the same run takes less where there are always banks enough."""

from html import unescape

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.estimate import estimate
from sfnhw.mapping import map_network
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import SFN, Graded, Readout
from sfnhw.reports.bank_stalls import bank_stall_report, bank_stall_text
from sfnhw.reports.page import page
from sfnhw.reports.summary import summary
from sfnhw.reports.tables import core_table
from sfnhw.reports.view import as_view
from sfnhw.sim import UNITS, simulate
from sfnhw.sim.bank_stalls import bank_stalls
from tests.networks import chain, random_activity, random_inputs, random_network

REFERENCE = load_chip("reference")
SYNAPSE, THRESHOLD = UNITS.index("synapse"), UNITS.index("threshold")


def chip(**changes):
    return REFERENCE.replace({key.replace("__", "."): value for key, value in changes.items()})


def test_one_packet_worked_by_hand():
    """x → 20 neurons h, of which one spikes → y. 8 lanes take 20 synapses in 3 cycles. Their weights are 160 bits, 3 words of 64;
    their accumulators of 24 bits are 480 bits, 8 words, which one bank takes 8 cycles for: 5 of them are waits.
    An update reads one accumulator of 24 bits, a word: no wait. h → y: 1 synapse, 1 cycle, 1 word: none either."""
    network = Network(
        (
            Population("x", (1,), Graded(8), role="input"),
            Population("h", (20,), SFN.uniform(4)),
            Population("y", (1,), Readout(1), role="output"),
        ),
        (Dense("x", "h", np.ones((20, 1))), Dense("h", "y", np.ones((1, 20)))),
    )
    mapping = map_network(network, chip(core__synapse_lanes=8, core__state_memory__banks=1))
    levels = {"x": np.ones((1, 1, 1), int), "h": np.zeros((1, 1, 20), int), "y": np.ones((1, 1, 1), int)}
    levels["h"][0, 0, 3] = 1
    activity = Activity(levels)
    found = bank_stalls(simulate(mapping, activity), activity)
    assert found.layers == {"x": (0, 0), "h": (5, 0), "y": (0, 0)}
    h, _ = (int(mapping.terminals[mapping.slices_of(name)[0].index]) for name in "hy")
    assert found.synapse[h] == found.synapse.sum() == 5


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([1, 4, 16]),
    st.sampled_from(
        [
            {},
            {"execution.mode": "barrier"},
            {"execution.granularity": "row"},
            {"packet.format": "bundled"},
            {"core.threshold_unit.spike_cycles": 2, "core.axon_overlap": False},
        ]
    ),
    st.sampled_from(["packet", "analytic"]),
)
def test_waits_are_what_the_same_run_takes_less_with_banks_enough(seed, T, banks, lanes, changes, fidelity):
    network = random_network(seed, T)
    few = chip(
        core__synapse_lanes=lanes,
        core__threshold_unit__lanes=lanes,
        core__state_memory__banks=banks,
        core__weight_memory__banks=banks,
    ).replace(changes)
    enough = few.replace({"core.state_memory.banks": None, "core.weight_memory.banks": None})
    activity = random_activity(network, seed, 2, 0.5)
    mappings = [map_network(network, c) for c in (few, enough)]
    assume(np.array_equal(mappings[0].terminals, mappings[1].terminals))
    result, free = (simulate(m, activity, fidelity=fidelity, threads=1) for m in mappings)
    found = bank_stalls(result, activity)
    less = (result.timing.busy - free.timing.busy)[: few.cores]
    assert np.array_equal(found.synapse, less[:, SYNAPSE])
    assert np.array_equal(found.threshold, less[:, THRESHOLD])
    assert found.synapse.sum() == sum(a for a, _ in found.layers.values())
    assert found.threshold.sum() == sum(b for _, b in found.layers.values())
    assert bank_stalls(free, activity) is None


@pytest.mark.parametrize("rounds", ["none", "auto"])
def test_a_report_says_so(rounds):
    small = (
        {"noc__columns": 2, "noc__rows": 1, "core__neurons": 64, "execution__rounds": "auto"}
        if rounds == "auto"
        else {}
    )
    network = chain([20, 60, 60, 60, 3])
    target = chip(core__state_memory__banks=1, core__threshold_unit__lanes=16, **small)
    run = estimate(network, target, random_inputs(network, 1, 3), baselines=(), threads=1)
    assert bool(run.mapping.rounds) == (rounds == "auto")
    found = bank_stall_report(run)
    busy = run.result.timing.busy[: target.cores].sum(axis=0)
    by_layer = [sum(row[f"{unit}_cycles"] for row in found["layers"]) for unit in ("synapse", "threshold")]
    for unit, column, total in zip(("synapse", "threshold"), (SYNAPSE, THRESHOLD), by_layer, strict=True):
        assert 0 < found[unit]["share_of_busy"] < 1
        assert found[unit]["share_of_busy"] == pytest.approx(found[unit]["cycles"] * run.samples / busy[column])
        assert found[unit]["cycles"] == pytest.approx(total)
        table = core_table(run)
        assert (table[f"bank_stall_{unit}"] <= table[f"busy_{unit}"] + 1e-12).all()
        waits = table[f"bank_stall_{unit}"] * run.result.timing.latency.sum()
        assert waits.sum() == pytest.approx(found[unit]["cycles"] * run.samples)
    text = summary(run)
    assert "waits for memory banks: " in text
    assert max(map(len, text.splitlines())) <= 80
    assert bank_stall_text(found) in unescape(page(as_view(run), {"utilisation": "<svg/>"}))  # beside that figure
    plain = estimate(network, chip(**small), random_inputs(network, 1, 3), baselines=(), threads=1)
    assert bank_stall_report(plain) is None
    assert "banks" not in summary(plain)
    assert "bank_stall_synapse" not in core_table(plain)
