"""Wrong calibration and drifting inputs: worked by hand on one neuron, and laws."""

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from sfnhw.chip import load_chip
from sfnhw.convert import convert
from sfnhw.errors import InputError
from sfnhw.network import Network
from sfnhw.neurons import SFN
from sfnhw.recode import full_scale
from sfnhw.record import record
from sfnhw.reports.sensitivity_text import sensitivity_sentence, tolerance
from sfnhw.sensitivity import GAINS, OUTLIERS, QUANTILES, THETA, quantile_threshold, sensitivity
from tests.networks import chain
from tests.test_cli_commands import sfnhw as command

CHIP = load_chip("reference")
INPUTS = np.random.default_rng(3).random((40, 6))


@lru_cache(maxsize=1)
def converted() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4)).eval()
    return convert(module, INPUTS, thresholds=8)


def rows_of(found: dict, kind: str) -> list[dict]:
    return [row for row in found["rows"] if row["kind"] == kind]


def test_every_point_is_there_and_the_undisturbed_ones_are_the_network_itself():
    labels = np.arange(40) % 4
    found = sensitivity(converted(), INPUTS, CHIP, labels)
    for kind, values in (("quantile", QUANTILES), ("theta", THETA), ("gain", GAINS), ("outliers", OUTLIERS)):
        assert [row["value"] for row in rows_of(found, kind)] == list(values)
    plain = record(converted(), INPUTS, labels=labels, numerics=CHIP.numerics)
    spikes = sum(np.count_nonzero(plain.activity.levels[p.name]) for p in converted().populations if p.role == "hidden")
    for kind, value in (("theta", 1.0), ("gain", 1.0), ("outliers", 0.0)):
        (row,) = [row for row in rows_of(found, kind) if row["value"] == value]
        assert row["accuracy"] == plain.accuracy
        assert row["agreement"] == 1.0
        assert row["spikes"] == spikes / 40
        assert row["trained_accuracy"] == found["trained_accuracy"]


def test_by_pencil():
    """One neuron of two thresholds at 1 and 2 sees the sum of its inputs: θ times two sees half of it."""
    network = chain([1, 1, 1], SFN.uniform(2))
    inputs = np.array([[1.0], [3.0], [4.0]])
    found = sensitivity(network, inputs, CHIP)
    spikes = {(row["kind"], row["value"]): row["spikes"] for row in found["rows"]}
    assert spikes["theta", 1.0] == 1.0  # all three reach 1
    assert spikes["theta", 2.0] == 2 / 3  # 3 and 4 reach 2
    assert spikes["theta", 4.0] == 1 / 3  # 4 reaches 4
    assert spikes["gain", 0.25] == 2 / 3  # 0.25, 0.75 and 1 are input levels 0, 1 and 1
    # 0.1 · 3 places round to none: undisturbed
    assert spikes["outliers", 0.1] == 1.0
    assert found["measure"] == "agreement"
    assert found["skipped"] == {"quantile": "the network keeps no quantiles of a calibration"}


def test_larger_thresholds_spike_less():
    spikes = [row["spikes"] for row in rows_of(sensitivity(converted(), INPUTS, CHIP), "theta")]
    assert spikes == sorted(spikes, reverse=True)  # one hidden layer: its inputs stay the same


def test_thresholds_rise_with_the_quantile():
    """A channel whose quantile is zero keeps its own θ; all others rise up to the largest activation."""
    population = next(p for p in converted().populations if p.role == "hidden")
    kept = np.asarray(population.statistics["magnitudes"])
    theta = np.array([quantile_threshold(population, q) for q in QUANTILES])
    for channel in range(population.channels):
        said = [t for t, q in zip(theta[:, channel], QUANTILES, strict=True) if np.quantile(kept[channel], q) > 0]
        assert said == sorted(said)
        if kept[channel].max() > 0:
            assert said[-1] == population.statistics["max"][channel]


def test_the_maximum_is_the_quantile_of_all():
    """θ at quantile 1 is the largest activation of the calibration: nothing of it is clipped."""
    (row,) = [row for row in rows_of(sensitivity(converted(), INPUTS, CHIP), "quantile") if row["value"] == 1.0]
    population = next(p for p in converted().populations if p.role == "hidden")
    largest = population.statistics["max"]
    factor = np.where(largest > 0, largest / full_scale(population), 1.0)
    others = tuple(
        replace(p, scale=p.scale * factor) if p.name == population.name else p for p in converted().populations
    )
    levels = record(replace(converted(), populations=others), INPUTS, numerics=CHIP.numerics).activity.levels
    assert row["spikes"] == np.count_nonzero(levels[population.name]) / 40


def test_tolerance_by_hand():
    def rows(kind: str, **shares: float) -> list[dict]:
        return [
            {"kind": kind, "value": float(v.strip("_").replace("_", ".")), "accuracy": s} for v, s in shares.items()
        ]

    found = rows("theta", _0_5=0.7, _0_8=0.895, _1=0.9, _1_2=0.95, _2=0.892, _4=0.91)
    assert tolerance(found, "theta", "accuracy", 0.01) == (0.8, 4.0)
    found = rows("theta", _0_5=0.95, _0_8=0.8, _1=0.9, _2=0.5)
    assert tolerance(found, "theta", "accuracy") == (1.0, 1.0)  # a gap ends the range, whatever lies beyond
    assert tolerance(rows("quantile", _0_9=0.5, _0_95=0.99, _1=0.985), "quantile", "accuracy") == (0.95, 1.0)


def test_sentence_by_hand():
    values = {"quantile": (0.9, 0.95), "theta": (0.5, 1.0, 2.0)}
    shares = {0.9: 0.8, 0.95: 0.95, 0.5: 0.95, 1.0: 0.95, 2.0: 0.9}
    rows = [{"kind": kind, "value": v, "accuracy": shares[v]} for kind, mine in values.items() for v in mine]
    data = {"rows": rows, "measure": "accuracy", "samples": 20}
    assert sensitivity_sentence(data) == (
        "Of the values looked at, these take no more than one point of accuracy: every θ at the 95.0 % quantile of its "
        "calibration; every θ times 0.5 to 1. One inference of these 20 is 5 points."
    )
    # A hundred inferences or more tell one point.
    assert sensitivity_sentence({**data, "samples": 100}).endswith("0.5 to 1.")


def test_same_seed_same_outliers():
    assert sensitivity(converted(), INPUTS, CHIP, seed=5) == sensitivity(converted(), INPUTS, CHIP, seed=5)


def test_bad_samples():
    with pytest.raises(InputError, match="samples: found 0"):
        sensitivity(converted(), INPUTS, CHIP, samples=0)


def test_report_and_command_line(tmp_path, few_figures):
    converted().save(tmp_path / "net.sfn")
    np.savez(tmp_path / "in.npz", inputs=INPUTS, labels=np.arange(40) % 4)
    done = command(
        "estimate", tmp_path / "net.sfn", "--inputs", tmp_path / "in.npz", "--baselines", "none", "--sensitivity",
        "-o", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sensitivity"]["samples"] == 40
    assert "How far calibration and inputs may be off" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "figures" / "sensitivity.svg").is_file()
