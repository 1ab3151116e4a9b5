"""`sfnhw rates`, `sfnhw estimate --rates` and `sfnhw numerics`, as they are typed."""

import json

import pytest

from tests.command_line import sfnhw, write_case


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("cli"))


def test_rates_are_recorded_and_estimated_from(given, few_figures):
    """The chain of commands: rates of the inputs, a run without them, a run with both."""
    net, inputs, rates = given / "net.sfn", given / "in.npz", given / "rates.npz"
    done = sfnhw("rates", net, "--inputs", inputs, "--by", "row", "-o", rates, "--compare", "--samples", 5, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [row["by"] for row in said["layers"]] == ["row"] * len(said["layers"])
    assert all(0 <= row["lowest_group_rate"] <= row["rate"] <= row["highest_group_rate"] <= 1 for row in said["layers"])
    assert (said["rates_comparison"]["recorded_samples"], said["rates_comparison"]["sampled_samples"]) == (3, 5)
    table = sfnhw("rates", net, "--inputs", inputs, "-o", rates, "--compare")
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "whole network" in table.stdout

    alone = ("estimate", net, "--rates", rates, "--samples", 4, "-o", given / "run", "--json", "--fidelity", "analytic")
    runs = [json.loads(sfnhw(*alone, "--seed", seed).stdout) for seed in (1, 1, 2)]
    assert [run["samples"] for run in runs] == [4, 4, 4]
    assert runs[0]["counts"] == runs[1]["counts"] != runs[2]["counts"]
    assert runs[0]["accuracy"] is None
    assert runs[0]["provenance"]["rates_seed"] == 1
    assert "--rates" in runs[0]["provenance"]["command"]

    both = sfnhw("estimate", net, "--rates", rates, "--inputs", inputs, "-o", given / "run", "--baselines", "none")
    assert both.returncode == 0, both.stderr
    assert "against the recorded run" in both.stdout
    saved = json.loads((given / "run" / "run.json").read_text())
    assert saved["accuracy"] is not None
    assert set(saved["rates_comparison"]["layers"]) == {layer["name"] for layer in saved["layers"]}


def test_numerics_writes_a_table_and_a_figure(given):
    folder = given / "numerics"
    widths = ("--weight-bits", "2,8", "--decode-bits", "none", "--threshold-bits", "2-3", "--accumulator-bits", 8)
    done = sfnhw("numerics", given / "net.sfn", "--inputs", given / "in.npz", *widths, "-o", folder)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert sorted(p.name for p in folder.iterdir()) == ["numerics.json", "numerics.png", "numerics.svg"]
    svg = (folder / "numerics.svg").read_text()
    assert all(title in svg for title in ("Weights", "Threshold registers", "Accumulators", "real-valued arithmetic"))
    assert "Decode-table words" not in svg
    done = sfnhw("numerics", given / "net.sfn", "--inputs", given / "in.npz", *widths, "--json")
    assert json.loads(done.stdout) == json.loads((folder / "numerics.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("estimate", "NET", "-o", "OUT"), "--inputs, --rates: neither is given"),
        (("estimate", "NET", "-o", "OUT", "--inputs", "IN", "--seed", "1"), "--seed: draws from rates"),
        (("estimate", "NET", "-o", "OUT", "--rates", "none.npz"), "none.npz: no such file"),
        (("estimate", "NET", "-o", "OUT", "--rates", "IN"), "no header"),
        (("estimate", "NET", "-o", "OUT", "--rates", "YAML"), "rates.yaml:2:1: rates: no population of that name"),
        (("rates", "NET", "--inputs", "IN", "-o", "r.txt"), "ends in .npz"),
        (("rates", "NET", "--inputs", "IN", "-o", "r.npz", "--by", "chanel"), "did you mean 'channel'?"),
        (("numerics", "NET", "--inputs", "IN", "--weight-bits", "2..8"), "--weight-bits: found '2..8'"),
        (("numerics", "NET", "--inputs", "IN", "--weight-bits", "40"), "weight_bits: found 40"),
        (("numerics", "NET", "--inputs", "IN", "-o", "IN"), "is a file"),
        (("numerics", "NET", "--inputs", "IN", "--overflow", "clip"), "found 'clip'"),
        (("numerics", "NET", "--inputs", "IN", "--overflow", ","), "--overflow: found ','"),
        (("rates", "NET", "--inputs", "IN", "-o", "r.npz", "--samples", "3"), "--samples: is of the comparison"),
        (("rates", "NET", "--inputs", "IN", "-o", "r.npz", "--seed", "0"), "--seed: is of the comparison"),
        (("rates", ".", "--inputs", "IN", "-o", "r.npz"), ".: is a folder, expected a network file"),
        (("estimate", "NET", "--inputs", "IN", "-o", "OUT", "--placer", "x"), "--placer: found 'x'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(given, tmp_path, arguments, message):
    (tmp_path / "rates.yaml").write_text('"*": 0.1\nconf: 0.2\n')
    files = {"NET": given / "net.sfn", "IN": given / "in.npz", "OUT": tmp_path / "out", "YAML": tmp_path / "rates.yaml"}
    done = sfnhw(*(files.get(word, word) for word in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
