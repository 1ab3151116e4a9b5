"""The accuracy benchmark's quick form: rows that are whole, and laws that hold between them."""

import json
import sys

import pytest

from benchmarks import accuracy

KEYS = {"network", "coding", "thresholds", "timesteps", "accuracy", "ann_accuracy"}
KEYS |= {"spikes_per_inference", "packets_per_inference"}


TRIED = {("sfn", "uniform, floor, mean"), ("sfn", "density, nearest, mean"), ("mtn", "uniform"), ("polarity", "burst")}
TRIED |= {("if", "v(0) = 1/2"), ("graded", "5 bits")}


@pytest.fixture(scope="module")
def cnn():
    """Parts of the quick form, in the shape of the whole."""

    def quiet(text):
        pass

    (task,) = accuracy.tasks(("cnn",), True, 0, quiet)
    some = [s for s in accuracy.settings(True) if (s.coding, s.variant) in TRIED]
    rows, refused = accuracy.coding_rows(task, some, quiet)
    return {"rows": rows, "lambda_table": accuracy.lambda_rows(task, True, quiet), "refused": refused}


def by_coding(result):
    return {(row["coding"], row["variant"]): row for row in result["rows"]}


def test_rows_are_whole_and_name_their_size(cnn):
    assert not cnn["refused"]
    assert by_coding(cnn).keys() == TRIED
    for row in cnn["rows"]:
        assert row.keys() >= KEYS
        assert (row["thresholds"] is not None) == (row["coding"] in ("sfn", "mtn", "polarity"))
        assert (row["timesteps"] > 1) == (row["coding"] in ("if", "lif", "ttfs"))
        # Beside the hidden neurons' spikes: at least the 10 values of the readout; at most those and 64 pixels a step.
        edges = row["packets_per_inference"] - row["spikes_per_inference"]
        assert 10 < edges <= 10 + 64 * row["timesteps"]


def test_one_timestep_is_enough_and_lambda_decides(cnn):
    """The trained CNN's accuracy at T = 1 with 16 thresholds; at λ = 1 the network is lost (arXiv 2510.23383)."""
    rows = by_coding(cnn)
    assert rows["sfn", "uniform, floor, mean"]["ann_accuracy"] > 0.95
    for row in cnn["rows"]:
        if row["coding"] == "sfn":
            assert row["accuracy"] >= row["ann_accuracy"] - 0.015, row["variant"]
    collapsed, near_one_over_n = sorted(cnn["lambda_table"], key=lambda row: -row["lam"])
    assert collapsed["lam"] == 1
    assert collapsed["accuracy"] < 0.5
    assert near_one_over_n["accuracy"] > 0.9


def test_codings_with_the_same_values_have_the_same_accuracy(cnn):
    """A burst says what a uniform MTN says, in as many packets as its level."""
    rows = by_coding(cnn)
    level, burst = rows["mtn", "uniform"], rows["polarity", "burst"]
    assert level["thresholds"] == burst["thresholds"]
    assert level["accuracy"] == burst["accuracy"]
    assert level["spikes_per_inference"] < burst["spikes_per_inference"]


def test_json_is_all_there_is_on_standard_output(cnn, monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "measure", lambda names, **options: cnn)
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "--quick", "--json", "--network", "cnn"])
    assert accuracy.main() == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == cnn
    assert err == ""


def test_tables_fit_80_columns(cnn, capsys):
    reason = {"network": "cnn", "coding": "if", "variant": "", "reason": "many words of a refusal " * 10}
    accuracy.show(cnn | {"refused": [reason]})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > len(cnn["rows"])
    assert max(map(len, lines)) <= 80


@pytest.mark.slow
def test_transformer_has_rows_at_one_timestep_only():
    """Codings over several timesteps are refused, each by name; the residual stream is in packets, not in spikes."""
    result = accuracy.measure(("vit",), quick=True)
    assert {row["timesteps"] for row in result["rows"]} == {1}
    assert {gone["coding"] for gone in result["refused"]} == {"if", "lif", "ttfs"}
    # Five sums of 17 tokens × 48 features, nearly all of them not zero.
    for row in result["rows"]:
        assert row["packets_per_inference"] - row["spikes_per_inference"] > 0.9 * 5 * 17 * 48 * 0.8
