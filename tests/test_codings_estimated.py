"""Every coding through the whole chain: recode, map, record, simulate, price, report."""

from html import unescape

import numpy as np
import pytest
from torch import nn

import sfnhw
from sfnhw.actions import ACTIONS
from sfnhw.errors import MappingError
from sfnhw.neurons import SFN
from sfnhw.recode import recode
from sfnhw.reports.comparison import ADVICE, THIS, calibration_text, skipped_texts
from sfnhw.reports.page import page
from sfnhw.reports.view import as_view
from tests.networks import chain

INPUTS = np.random.default_rng(0).integers(0, 40, (3, 6)).astype(float)
WAYS = {
    "if": ({"timesteps": 4}, "if, T = 4"),
    "mtn": ({"thresholds": 4}, "mtn, N = 4"),
    "mtn 2^k": ({"thresholds": 4, "spacing": "power-of-two"}, "mtn, N = 4"),
    "polarity": ({"thresholds": 4}, "polarity, N = 4"),
    "ttfs": ({"timesteps": 4}, "ttfs, T = 4"),
    "graded": ({"bits": 4, "scaling": "step"}, "graded, 4 bit"),
}


@pytest.mark.parametrize("mode", ["dataflow", "barrier"])
@pytest.mark.parametrize("name", list(WAYS))
def test_parts_add_up_and_the_report_names_the_coding(name, mode):
    options, label = WAYS[name]
    network = recode(chain([6, 5, 4, 2], SFN.uniform(4), weight=0.05), name.split()[0], **options)
    chip = sfnhw.load_chip("reference").replace({"execution.mode": mode})
    run = sfnhw.estimate(network, chip, INPUTS, baselines=())
    total = run.cost.total
    for parts in (run.cost.by_layer(), run.cost.by_action(), run.cost.by_core(), run.cost.by_timestep()):
        assert sum(e.value_aj for e in parts.values()) == total.value_aj
    report = run.as_json()
    layers = {row["name"]: row for row in report["layers"]}
    assert layers["l1"]["coding"] == label
    packets = run.recording.activity.spikes(network)
    for layer, row in layers.items():
        assert row["spikes"] * run.samples == pytest.approx(packets[layer])
    assert layers["l1"]["spikes"] > 0
    # The input comes in T times, or once: pixels that are not zero.
    times = 4 if name == "if" else 1
    assert packets["l0"] == times * np.count_nonzero(INPUTS)
    text = " ".join(report["coverage"]["counted"])
    assert ("at each of the 4 timesteps" in text) == (name == "if")
    assert ("the input comes in once" in text) == (name == "ttfs")
    assert name.split()[0] in run.summary()


def test_a_network_is_not_set_beside_itself():
    network = recode(chain([6, 5, 4, 2], SFN.uniform(4), weight=0.05), "if", timesteps=4)
    run = sfnhw.estimate(network, "reference", INPUTS, baselines=("if", "mtn"), fidelity="analytic")
    assert list(run.baselines) == ["mtn"]
    assert run.skipped == {"if": "this network is that already"}
    # With another potential at the start it is another network.
    other = recode(network, "if", timesteps=4, initial_potential=0.25)
    assert "if" in sfnhw.estimate(other, "reference", INPUTS, baselines=("if",), fidelity="analytic").baselines


def test_a_report_says_how_the_rivals_were_calibrated():
    """A network that no calibration data was kept of hands its thresholds on, and says so wherever rivals are shown."""
    network = chain([6, 5, 4, 2], SFN.uniform(4), weight=0.05)
    run = sfnhw.estimate(network, "reference", INPUTS, baselines=("if", "mtn"), fidelity="analytic")
    assert [row["scaling"] for row in run.as_json()["comparison"]] == [None, "step", "step"]
    kept = "spiking ones keep this network's own thresholds"
    assert kept in " ".join(run.summary().split())
    assert kept in unescape(page(as_view(run)))
    assert "that sfnhw convert MODULE --coding ... makes" in unescape(page(as_view(run)))
    alone = sfnhw.estimate(network, "reference", INPUTS, baselines=(), fidelity="analytic")
    assert calibration_text(alone.as_json()) == ""
    assert "the others:" not in alone.summary()


def test_the_summary_has_one_name_for_each_rival():
    network = chain([6, 5, 4, 2], SFN.uniform(4), weight=0.05)
    run = sfnhw.estimate(network, "reference", INPUTS, baselines=("if", "polarity"), fidelity="analytic")
    said = " ".join(run.summary().split())
    for row in run.as_json()["comparison"][1:]:
        assert said.count(f"{row['coding']} in ") == 1  # in the sentence on draws, as in the table
    assert "graded8" not in said
    # 5 · 6 + 4 · 5 + 2 · 4 weights, no biases.
    assert run.network.parameters == 58
    assert "58 weights and biases" in said


def test_additions_are_the_synaptic_operations_that_are_no_comparison():
    first = nn.Conv2d(1, 2, 3)
    first.weight.data = first.weight.data.abs() + 0.1  # positive sums, so that there is something to pool
    convolution = sfnhw.convert(
        nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)).eval(),
        np.random.default_rng(0).random((20, 1, 6, 6)),
        lam=0.2,
    )
    run = sfnhw.estimate(convolution, "reference", np.random.default_rng(1).random((4, 1, 6, 6)), baselines=())
    operations = run.result.counts.row_synapses.sum(axis=1)
    pooled = [convolution[p.target].function == "max" for p in convolution.projections]
    largest_of = int(operations[np.array(pooled)[run.result.tables.rows.projection]].sum())
    assert largest_of > 0
    assert run.result.totals()["accumulate"] == int(operations.sum()) - largest_of
    assert "but those of max pooling" in next(a.meaning for a in ACTIONS if a.name == "accumulate")


def test_the_sentence_names_the_rule_of_the_calibration():
    rows = [
        {"name": "if", "scaling": "quantile"},
        {"name": "ttfs", "scaling": "quantile"},
        {"name": "graded", "scaling": "mse"},
    ]

    def said(rows, **conversion):
        return calibration_text(
            {"comparison": [{"name": THIS, "scaling": None}, *rows], "provenance": {"conversion": conversion}}
        )

    by_quantile = said(rows, theta="quantile", quantile=0.99)
    assert by_quantile.count("spiking ones") == 1
    assert "the 0.99 quantile of the activations" in by_quantile
    assert "quantised ones are clipped by least squares" in by_quantile
    by_maximum = said(rows[:2], theta="max", quantile=0.99)
    assert "the largest activation" in by_maximum
    assert "quantised" not in by_maximum
    assert "least-squares clipping point of its own levels" in said([{"name": "if", "scaling": "mse"}], theta="mse")
    assert said([{"name": "if"}, {"name": "graded"}]) == ""  # a run of before does not know


def test_skipped_baselines_with_one_reason_are_one_sentence():
    advice = "; what would make it fit: convert it to integrate-and-fire"
    skipped = {"mtn": f"needs 8{advice}", "ttfs": f"needs 9{advice}", "polarity": f"needs 8{advice}"}
    assert skipped_texts(skipped) == ["mtn, polarity were skipped: needs 8", "ttfs was skipped: needs 9"]
    assert ADVICE in str(
        MappingError(layer=None, resource="core.axons", demand=9, capacity=8, unit="axons", levers=("raise it",))
    )


def test_papers_operation_count_takes_a_burst_for_unit_spikes():
    """polarity: k accumulates a value, none multi-level; mtn and ttfs: one, and multi-level by NeuroBench's rule."""
    from sfnhw.reports.operation_count import operation_count

    base = chain([6, 5, 4, 2], SFN.uniform(4), weight=0.05)
    counts = {
        c: operation_count(sfnhw.estimate(recode(base, c), inputs=INPUTS, baselines=()))
        for c in ("mtn", "polarity", "ttfs")
    }
    assert counts["polarity"].multilevel == 0
    assert counts["mtn"].multilevel == counts["mtn"].accumulates == counts["ttfs"].accumulates
    assert counts["polarity"].accumulates > counts["mtn"].accumulates
