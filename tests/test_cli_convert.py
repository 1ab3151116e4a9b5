"""`sfnhw convert` of a torch module: its options are those of `sfnhw.convert`, and it says what it made."""

import inspect
import json
from dataclasses import fields

import numpy as np
import pytest
import torch

from sfnhw.cli import main
from sfnhw.cli.convert_options import HELP, flag
from sfnhw.cli.convert_summary import firing
from sfnhw.convert import convert
from sfnhw.convert.options import Options
from sfnhw.convert.search import judge, search
from sfnhw.network import Network

MODULE = """
import torch
def build(scale=1.0):
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)).eval()
    with torch.no_grad():
        for p in layers.parameters():
            p *= scale
    return layers
def zero():
    return build(0.0)
def nan():
    return build(float("nan"))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODULE)
    rng = np.random.default_rng(0)
    np.savez("c.npz", inputs=rng.random((20, 4)), labels=rng.integers(0, 3, 20))
    return tmp_path


def run(capsys, *arguments, function="build"):
    code = main(["convert", f"model.py:{function}", "--calibration", "c.npz", "-o", "n.sfn", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def module(function="build"):
    names: dict = {}
    exec(MODULE, names)
    return names[function]()


def test_every_option_of_convert_has_a_flag(capsys):
    assert set(HELP) == {f.name for f in fields(Options)}
    assert main(["convert", "--help"]) == 0
    words = capsys.readouterr().out.split()
    own = set(inspect.signature(convert).parameters) - {"module", "calibration", "labels", "progress", "options"}
    assert own == {"name"}, "an argument of convert that the command line does not have"
    for name in (*HELP, *own):
        assert flag(name) in words


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--lambda", "0.2", "--rounding", "nearest", "--decode", "midpoint"],
         {"lam": 0.2, "rounding": "nearest", "decode": "midpoint"}),
        (["--lambda-range", "0.1,0.5", "--lambda-budget", "3", "--spike-weight", "1", "--search-samples", "9"],
         {"lambda_range": (0.1, 0.5), "lambda_budget": 3, "spike_weight": 1.0, "search_samples": 9}),
        (["--quantile", "0.9", "--theta-sharing", "population", "--input-bits", "5", "--seed", "3", "--lambda", "1"],
         {"quantile": 0.9, "theta_sharing": "population", "input_bits": 5, "seed": 3, "lam": 1.0}),
        (["--coding", "if", "--timesteps", "3", "--initial-potential", "0.25", "--threshold-scale", "0.8"],
         {"coding": "if", "timesteps": 3, "initial_potential": 0.25, "threshold_scale": 0.8}),
        (["--coding", "if", "--timesteps", "3", "--threshold-scale", "mse"],
         {"coding": "if", "timesteps": 3, "threshold_scale": "mse"}),
        (["--coding", "mtn", "--spacing", "free", "--thresholds", "0.2,0.5,1"],
         {"coding": "mtn", "spacing": "free", "thresholds": (0.2, 0.5, 1.0)}),
        (["--coding", "lif", "--timesteps", "3", "--beta", "0.9", "--reset", "zero"],
         {"coding": "lif", "timesteps": 3, "beta": 0.9, "reset": "zero"}),
        (["--coding", "graded", "--bits", "5", "--theta", "mse"], {"coding": "graded", "bits": 5, "theta": "mse"}),
    ],
)  # fmt: skip
def test_flags_do_what_the_options_do(here, capsys, arguments, options):
    code, _, err = run(capsys, *arguments, "--name", "mine")
    assert code == 0, err
    found = Network.load("n.sfn")
    with np.load("c.npz") as given:
        expected = convert(module(), given["inputs"], labels=given["labels"], name="mine", **options)
    assert found.name == "mine"
    assert found.metadata["lambda"] == expected.metadata["lambda"]
    for p in expected.populations:
        assert found[p.name].coding == p.coding
        assert np.array_equal(found[p.name].scale, p.scale)


def test_the_size_is_told_with_what_each_number_counts(here, capsys):
    """4 × 6 + 6 × 3 products, and 6 + 3 biases beside as many weights."""
    code, _, err = run(capsys)
    assert code == 0
    words = " ".join(err.split())
    assert "3 populations, 51 weights and biases, 42 synapses, 42 dense MACs" in words
    found = json.loads(run(capsys, "--json")[1])
    assert (found["parameters"], found["macs"], found["dense_macs"]) == (51, 42, 42)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--coding", "if", "--timesteps", "2", "--thresholds", "8"], "--thresholds: does not apply to coding='if'"),
        (["--coding", "graded", "--decode", "mean"], "--decode: does not apply to coding='graded'"),
        (["--lambda", "0.1", "--lambda-budget", "3"], "--lambda-budget: does not apply"),
        (["--lambda", "-1"], "--lambda: found -1.0, expected a number above 0"),
        (["--lambda-range", "0.1"], "--lambda-range: found '0.1', expected numbers with commas"),
        (["--coding", "ttfs"], "--timesteps: is needed, expected an integer ≥ 1 with coding='ttfs'"),
        (["--coding", "if"], "--timesteps: is needed"),
        (["--coding", "lif", "--beta", "0.9"], "--timesteps: is needed"),
        (["--coding", "lif", "--timesteps", "3"], "--beta: is needed, expected a decay factor"),
        (["--coding", "mtn", "--spacing", "free"], "--thresholds: found 8, expected ascending thresholds, such as"),
        (["--coding", "mtn", "--spacing", "free", "--thresholds", "2,1"], "--thresholds: found (2.0, 1.0), expected a"),
        (["--coding", "mtn", "--spacing", "power-of-two", "--thresholds", "17"], "--thresholds: found 17, expected at"),
        (["--coding", "polarity", "--thresholds", "256"], "--thresholds: found 256, expected an integer from 1 to"),
        (["--bits", "x"], "--bits: found 'x', expected an integer"),
        (["--quantile", "nan"], "--quantile: found nan"),
        (["--stream-bits", "12"], "--stream-bits: does not apply: the module has no residual stream"),
        (["--seed", "-1"], "--seed: found -1"),
    ],
)
def test_what_does_not_apply_is_told_as_it_was_typed(here, capsys, arguments, words):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"sfnhw: error: {words}")
    assert err.count("\n") == 1
    assert not (here / "n.sfn").exists()


def test_module_options_do_not_fit_a_nir_file(here, capsys):
    for arguments, words in (
        (["--lambda", "1"], "--lambda: a NIR file brings its own neurons"),
        (["--stream-bits", "8"], "--stream-bits: a NIR file brings its own neurons"),
        (["--input-bits", "8"], "--input-bits: events have no bits"),
    ):
        assert main(["convert", "net.nir", *arguments, "-o", "n.sfn"]) == 2
        assert words in capsys.readouterr().err


def test_it_says_what_it_made(here, capsys):
    code, out, err = run(capsys)
    assert (code, out) == (0, "")
    with np.load("c.npz") as given:
        x, labels = given["inputs"], given["labels"]
    right = (module()(torch.tensor(x, dtype=torch.float32)).argmax(dim=1).numpy() == labels).mean()
    assert f"accuracy {right:.4f} on 20 calibration inputs" in err
    assert "tried)" in err
    assert "per neuron and inference" in err
    assert "\r" not in err, "progress is for terminals"
    assert max(map(len, err.splitlines())) <= 80
    code, out, err = run(capsys, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["ann_accuracy"] == pytest.approx(right)
    metadata = Network.load("n.sfn").metadata
    assert found["lambda"] == metadata["lambda"]
    # All 20 inputs are in the search too: what it counted at the chosen λ, in torch, is what was counted here.
    best = min(metadata["lambda_search"]["trials"], key=lambda trial: trial["loss"])
    assert found["firing"]["spikes_per_neuron"] == pytest.approx(best["spike_rate"])
    assert found["firing"]["silent_layers"] == []


def test_a_layer_that_never_fires_is_a_warning(here, capsys):
    code, _, err = run(capsys, function="zero")
    assert code == 0, err
    assert "warning: a layer never fires on 20 calibration inputs: 0\n" in err
    code, out, _ = run(capsys, "--json", function="zero")
    found = json.loads(out)["firing"]
    assert (found["silent_layers"], found["spikes_per_neuron"]) == (["0"], 0)
    assert found["layers"][0]["dead_channels"] == 6


def test_dead_channels_are_counted_by_hand():
    """x in {0.5, 1}: channel 0 gives x, channel 1 gives −x (never), channel 2 gives 0 (never)."""
    layers = torch.nn.Sequential(torch.nn.Linear(1, 3, bias=False), torch.nn.ReLU(), torch.nn.Linear(3, 1)).eval()
    with torch.no_grad():
        layers[0].weight[:] = torch.tensor([[1.0], [-1.0], [0.0]])
    x = np.array([[0.5], [1.0]])
    found = firing(convert(layers, x, coding="graded"), x)
    assert found["layers"] == [
        {"name": "0", "neurons": 3, "spikes_per_neuron": pytest.approx(1 / 3), "channels": 3, "dead_channels": 2}
    ]
    assert found["silent_layers"] == []


@pytest.mark.parametrize("budget", range(1, 13))
def test_the_search_keeps_to_its_budget(budget):
    tried = []

    def trial(lam):
        tried.append(lam)
        return judge(lam, np.array([[lam], [1.0]]), 0.0, np.array([[0.3], [1.0]]), None, 0.0)

    best, trials = search(trial, (0.05, 1.0), budget)
    assert len(tried) == len(trials) <= budget
    assert len(set(tried)) == len(tried), "no λ twice"
    assert best.loss == min(t.loss for t in trials)


def test_a_weight_that_is_nan_is_told_by_its_layer(here, capsys):
    code, _, err = run(capsys, function="nan")
    assert (code, err) == (2, "sfnhw: error: layer '0': weight holds NaN, expected finite numbers\n")


def test_progress_is_drawn_on_a_terminal_only(here, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    code, _, err = run(capsys, "--lambda-budget", "3")
    assert code == 0
    for stage in ("trace", "calibrate", "search λ", "count spikes"):
        assert stage in err
    assert all(len(part) <= 80 for part in err.replace("\r", "\n").splitlines())


def test_a_few_spikes_that_overflow_are_a_warning(here, capsys):
    """32,768 · 127 is nearly half of a 24-bit accumulator; 128 · 127 is far from it."""
    powers = ("--coding", "mtn", "--spacing", "power-of-two", "--thresholds")
    code, _, err = run(capsys, *powers, "16")
    assert code == 0, err
    assert "warning: 3 of the largest spikes at the largest weight overflow" in err
    assert max(map(len, err.splitlines())) <= 80
    assert "24-bit" in json.loads(run(capsys, *powers, "16", "--json")[1])["overflow"]
    assert json.loads(run(capsys, *powers, "8", "--json")[1])["overflow"] is None
