"""What papers would print: each rule by pencil, and NeuroBench's counts against a walk over every synapse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity, Recording
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.network import AveragePool, Conv2d, Dense, Network, Population
from sfnhw.neurons import IF, MTN, SFN, Graded, Polarity, Readout
from sfnhw.reports.neurobench import neurobench
from sfnhw.reports.operation_count import operation_count
from sfnhw.reports.paper_estimates import cascade_operations, paper_estimates, paper_rows, rate_operations
from sfnhw.reports.run_json import run_json
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from tests.naive import synapses_of
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


def run_of(network: Network, activity: Activity) -> Run:
    mapping = map_network(network, REFERENCE)
    result = simulate(mapping, activity)
    recording = Recording(activity, np.zeros((activity.samples, 1)))
    return Run(network, REFERENCE, recording, mapping, result, price(result))


def small(coding, hidden, weight=None) -> Run:
    """2 real inputs → 3 hidden neurons → 2 readouts; `hidden` (T, 3) are their levels in the one sample."""
    network = chain([2, 3, 2], coding)
    if weight is not None:
        first, second = network.projections
        network = replace(network, projections=(first, replace(second, weight=np.array(weight, float))))
    T = len(hidden)
    levels = {
        "l0": np.broadcast_to(np.array([[200, 0]]), (1, T, 2)),
        "l1": np.array([hidden]),
        "l2": np.ones((1, T, 2), int),
    }
    return run_of(network, Activity(levels))


def by_rule(run: Run):
    return {e.rule: e for e in paper_estimates(run)}


def test_every_rule_by_pencil_for_one_timestep():
    """MACs 2 × 3 from the input, 3 × 2 behind; two of three neurons spike, levels 3 (binary 11) and 4 (binary 100)."""
    rules = by_rule(small(SFN.uniform(4), [[3, 0, 4]], weight=[[1, 1, 0], [1, 1, 1]]))

    def counts(rule):
        return rules[rule].accumulates, rules[rule].multiply_accumulates

    assert counts("ANN") == counts("ANN, int8") == (0, 12)
    assert rules["ANN"].energy_j == pytest.approx(12 * 4.6e-12)
    assert rules["ANN, int8"].energy_j == pytest.approx(12 * 0.23e-12)
    # Spikes × fan-out: 2 × 2; the first layer's six MACs once.
    assert counts("SNN") == counts("SNN, int8") == (4, 6)
    assert rules["SNN"].energy_j == pytest.approx((4 * 0.9 + 6 * 4.6) * 1e-12)
    assert rules["SNN, int8"].energy_j == pytest.approx((4 * 0.03 + 6 * 0.23) * 1e-12)
    assert counts("SNN, levels as MACs") == (0, 10)
    # Rate 2/3 × T 1 × 6 FLOPs.
    assert counts("rate × T × FLOPs") == pytest.approx((4, 6))
    # Not zero: one of two inputs at three synapses; spikes at 2 and 1 synapses (one weight is 0), of several values.
    assert counts("NeuroBench effective") == (0, 3 + 3)
    # Level 3 is two fired thresholds, level 4 one, at two synapses each.
    assert counts("H-MT") == (2 * 2 + 1 * 2, 6)
    assert rules["Loihi SOP"].energy_j == pytest.approx(10 * 23.6e-12)
    assert rules["TrueNorth SOP"].energy_j == pytest.approx(10 * 26e-12)


def test_every_rule_by_pencil_for_three_timesteps():
    """Five unit spikes in all. NeuroBench executes the first layer three times, the others' rule once."""
    run = small(IF(3), [[1, 0, 1], [1, 1, 1], [0, 0, 0]])
    rules = by_rule(run)
    assert (rules["SNN"].accumulates, rules["SNN"].multiply_accumulates) == (10, 6)
    assert rules["H-MT"].accumulates == 10
    # 5 spikes of 3 neurons: a mean rate of 5/9, × 3 × 6.
    assert rules["rate × T × FLOPs"].accumulates == pytest.approx(10)
    effective = rules["NeuroBench effective"]
    assert (effective.accumulates, effective.multiply_accumulates) == (10, 3 * 3)
    metrics = neurobench(run)
    assert metrics.dense == 3 * (6 + 6)
    assert metrics.activation_sparsity == pytest.approx(4 / 9)
    assert metrics.connection_sparsity == 0
    assert metrics.footprint_bytes == 4 * 12
    assert metrics.footprint_on_chip_bytes >= 12


def test_neurobenchs_own_example():
    """The worked example of its documentation: 4 effective of 9 dense operations; three weights of nine are zero."""
    weight = [[1.3, 0, -3.2], [0, 1.2, -5.1], [-1.1, 2.7, 0]]
    network = Network(
        (
            Population("x", (3,), Graded(8, True), role="input"),
            Population("y", (3,), Readout(), role="output"),
        ),
        (Dense("x", "y", np.array(weight)),),
    )
    levels = {"x": np.array([[[0, 13, -10]]]), "y": np.array([[[1, 1, 1]]])}
    found = neurobench(run_of(network, Activity(levels)))
    assert (found.effective_macs, found.effective_acs, found.dense) == (4, 0, 9)
    assert found.connection_sparsity == pytest.approx(3 / 9)
    binary = neurobench(run_of(network, Activity({**levels, "x": np.array([[[0, 1, -1]]])})))
    assert (binary.effective_macs, binary.effective_acs) == (0, 4)


def test_bursts_are_unit_spikes_and_powers_of_two_fire_once():
    burst = by_rule(small(Polarity(4), [[3, 0, 4]]))
    assert burst["SNN"].accumulates == burst["H-MT"].accumulates == burst["NeuroBench effective"].accumulates == 14
    power = small(MTN(4, spacing="power-of-two"), [[3, 0, 4]])
    assert cascade_operations(power) == 4


def test_a_convolutions_border():
    """3 × 3 kernel with padding on 2 × 2: a spike in a corner meets 4 of the 9 taps that frameworks count 36 of."""
    network = Network(
        (
            Population("x", (1, 2, 2), Graded(8), role="input"),
            Population("h", (1, 2, 2), IF(1)),
            Population("y", (1, 2, 2), Readout(), role="output"),
        ),
        (Conv2d("x", "h", np.ones((1, 1, 1, 1))), Conv2d("h", "y", np.ones((1, 1, 3, 3)), padding=1)),
    )
    levels = {"x": [[[0, 9, 0, 0]]], "h": [[[1, 0, 0, 0]]], "y": [[[1, 1, 1, 1]]]}
    run = run_of(network, Activity({name: np.array(level) for name, level in levels.items()}))
    rules = by_rule(run)
    assert rules["SNN"].accumulates == rules["NeuroBench effective"].accumulates == 4
    assert rules["rate × T × FLOPs"].accumulates == pytest.approx(36 / 4)
    assert neurobench(run).dense == 4 + 16


def with_zero_weights(network: Network, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return replace(
        network,
        projections=tuple(
            replace(p, weight=p.weight * (rng.random(p.weight.shape) < 0.7)) if p.kind in KINDS else p
            for p in network.projections
        ),
    )


KINDS = ("dense", "conv2d", "sparse")


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]))
def test_neurobench_is_a_walk_over_every_synapse(seed, T):
    """Synapse by synapse, sample by sample, timestep by timestep; binary if its spikes' values are {0, ±one magnitude}."""
    network = with_zero_weights(random_network(seed, T), seed)
    run = run_of(network, random_activity(network, seed))
    levels = run.recording.activity.levels
    steps = next(iter(levels.values())).shape[1]
    macs = acs = dense = 0
    for k, i, _, weight in synapses_of(network):
        p = network.projections[k]
        if p.kind not in KINDS:
            continue
        dense += steps * run.samples
        emitted = np.abs(levels[p.source])
        burst = network[p.source].coding.burst
        here = int(emitted[:, :, i].sum() if burst else (emitted[:, :, i] != 0).sum())
        if p.weight[weight] == 0:
            continue
        values = set(emitted.ravel().tolist()) - {0}
        if network[p.source].role == "input" and network[p.source].coding.kind == "graded":
            binary = all(abs(v * 0.1 - 1) < 1e-9 for v in values)  # the scale of random networks' images
        else:
            binary = burst or len(values) <= 1
        if binary:
            acs += here
        else:
            macs += here
    found = neurobench(run)
    assert found.effective_macs * run.samples == pytest.approx(macs)
    assert found.effective_acs * run.samples == pytest.approx(acs)
    assert found.dense * run.samples == pytest.approx(dense)
    assert 0 <= found.activation_sparsity <= 1


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_neurobench_agrees_with_hooks_on_torch_modules(seed):
    """As the harness does it: binarised input and weight through the layer itself, the results summed."""
    rng = np.random.default_rng(seed)
    conv = torch.nn.Conv2d(2, 4, 3, stride=int(rng.integers(1, 3)), padding=1, groups=int(rng.choice([1, 2])))
    with torch.no_grad():
        conv.weight *= torch.from_numpy((rng.random(tuple(conv.weight.shape)) < 0.6).astype(np.float32))
    out = conv(torch.zeros(1, 2, 5, 6))
    linear = torch.nn.Linear(out.numel(), 3)
    shape = tuple(out.shape[1:])
    network = Network(
        (
            Population("x", (2, 5, 6), Graded(8), role="input"),
            Population("h", shape, SFN.uniform(4)),
            Population("y", (3,), Readout(), role="output"),
        ),
        (
            Conv2d("x", "h", conv.weight.detach().numpy(), conv.stride, conv.padding, groups=conv.groups),
            Dense("h", "y", linear.weight.detach().numpy()),
        ),
    )
    run = run_of(network, random_activity(network, seed, samples=3))
    expected = {"macs": 0.0, "acs": 0.0, "dense": 0.0}
    for layer, name in ((conv, "x"), (linear, "h")):
        given_to = torch.from_numpy(
            run.recording.activity.levels[name].reshape(3, *network[name].shape).astype(np.float32)
        )
        given_to = given_to if layer is conv else given_to.flatten(1)
        kind = "acs" if ((given_to == 0) | (given_to.abs() == 1)).all() else "macs"
        ones = torch.nn.functional.conv2d if layer is conv else torch.nn.functional.linear
        options = {"stride": conv.stride, "padding": conv.padding, "groups": conv.groups} if layer is conv else {}
        expected[kind] += float(ones((given_to != 0).float(), (layer.weight != 0).float(), **options).sum()) / 3
        expected["dense"] += float(ones(torch.ones_like(given_to), torch.ones_like(layer.weight), **options).sum()) / 3
    found = neurobench(run)
    assert found.dense == pytest.approx(expected["dense"])
    if expected["acs"] == 0:  # else a layer that emitted one magnitude only, which is binary for both or for ours
        assert found.effective_macs + found.effective_acs == pytest.approx(expected["macs"])
    zeros = int((conv.weight == 0).sum() + (linear.weight == 0).sum())
    assert found.connection_sparsity == pytest.approx(zeros / (conv.weight.numel() + linear.weight.numel()))


@pytest.mark.parametrize("T", [1, 3])
def test_every_count_of_operations_by_pencil(T):
    """The rows of the table in docs/reports.md. A 3 × 3 kernel with a border of zeros meets all of 2 × 2 pixels at each of 4.

    Dense: 4 places × 9 products, and 4 + 4 of two linear layers. Synapses: 4 × 4, 4 + 4, and 4 of the mean over the image, which
    NeuroBench leaves out; it counts each timestep. On the chip each pixel that is not zero spikes, every timestep.
    """
    coding = SFN.uniform(4) if T == 1 else IF(T)
    network = Network(
        (
            Population("x", (1, 2, 2), Graded(8), role="input"),
            Population("h", (1, 2, 2), coding),
            Population("mean", (1, 1, 1), coding),
            Population("one", (4,), coding),
            Population("y", (1,), Readout(T), role="output"),
        ),
        (
            Conv2d("x", "h", np.ones((1, 1, 3, 3)), padding=1),
            AveragePool("h", "mean", 2),
            Dense("mean", "one", np.ones((4, 1))),
            Dense("one", "y", np.zeros((1, 4))),
        ),
    )
    assert network.dense_macs == 36 + 4 + 4
    assert network.macs == 16 + 4 + 4 + 4
    levels = {
        "x": np.broadcast_to(np.array([[200, 0, 0, 3]]), (1, T, 4)),
        "h": np.ones((1, T, 4), int),
        "mean": np.ones((1, T, 1), int),
        "one": np.array([[[0, 1, 1, 1]] * T]),
        "y": np.ones((1, T, 1), int),
    }
    run = run_of(network, Activity(levels))
    found = run_json(run)
    assert (found["network"]["dense_macs"], found["network"]["macs"]) == (44, 28)
    rules = by_rule(run)
    assert rules["ANN"].multiply_accumulates == 44
    assert (rules["SNN"].accumulates, rules["SNN"].multiply_accumulates) == (T * (4 + 4 + 3), 16)
    assert found["comparison"][0]["synaptic_operations"] == found["counts"]["accumulate"] == T * (2 * 4 + 4 + 4 + 3)
    assert found["neurobench"]["dense"] == T * (16 + 4 + 4)
    effective = found["neurobench"]["effective_macs"] + found["neurobench"]["effective_acs"]
    assert effective == T * (2 * 4 + 4 + 0), "weights of zero are no operations there"


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]))
def test_rules_that_must_agree(seed, T):
    """Unit spikes: H-MT is SNN. Levels: H-MT counts at least as many, at most a bit of the level each."""
    network = random_network(seed, T)
    run = run_of(network, random_activity(network, seed))
    counted, cascade = operation_count(run), cascade_operations(run)
    bits = max(p.coding.max_level for p in network.populations).bit_length()
    assert counted.accumulates * (1 - 1e-9) <= cascade <= bits * counted.accumulates * (1 + 1e-9)
    if T > 1:
        assert cascade == pytest.approx(counted.accumulates)
    accumulates, macs = rate_operations(run)
    assert accumulates >= 0
    assert macs >= operation_count(run).multiply_accumulates * (1 - 1e-9)


def test_rows_of_the_report():
    run = small(SFN.uniform(4), [[3, 0, 4]])
    rows = paper_rows(run)
    ours = run.cost.total.as_joules()["value"]
    for row in rows:
        assert row["energy_j"] * row["ours_over_this"] == pytest.approx(ours)
        assert row["operations"] == row["accumulates"] + row["multiply_accumulates"]
        assert row["source"]
        assert row["leaves_out"]
    assert len({row["rule"] for row in rows}) == len(rows)


def test_linear_in_counts():
    """Twice the samples are the same per inference, and half of the spikes half of the accumulates."""
    run = small(IF(2), [[1, 0, 1], [1, 1, 1]])
    levels = run.recording.activity.levels
    twice = run_of(run.network, Activity({name: np.concatenate([v, v]) for name, v in levels.items()}))
    for one, two in zip(paper_estimates(run), paper_estimates(twice), strict=True):
        assert one.energy_j == pytest.approx(two.energy_j), one.rule
