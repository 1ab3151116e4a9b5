"""The command line: every command on a small network, and every bad input with its message and exit code 2."""

import json
from pathlib import Path

import numpy as np
import pytest

from sfnhw.chip import preset_names
from sfnhw.network import Network
from sfnhw.reports.figures import FIGURES
from tests.command_line import sfnhw, sfnhw_process, write_case
from tests.networks import chain


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("cli"))


def test_estimate_report_and_plot(given):
    done = sfnhw_process(
        "estimate",
        given / "net.sfn",
        "--inputs",
        given / "in.npz",
        "-o",
        given / "run",
        "--json",
        "--baselines",
        "none",
    )
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run == json.loads((given / "run" / "run.json").read_text())
    total = run["energy_per_inference_j"]["value"]
    for axis in ("energy_by_action_j", "energy_by_layer_j", "energy_by_core_j"):
        assert sum(run[axis].values()) == pytest.approx(total, rel=1e-12)
    assert (given / "run" / "report.html").read_text().startswith("<!doctype html>")
    drawn = {path.name for path in (given / "run" / "figures").iterdir()}
    assert drawn == {
        f"{name}.{kind}" for name in set(FIGURES) - {"break_even", "sensitivity"} for kind in ("svg", "png")
    }
    done = sfnhw("plot", given / "run", "utilisation", "-o", given / "u.svg")
    assert done.returncode == 0, done.stderr
    assert "<svg" in (given / "u.svg").read_text()
    (given / "run" / "report.html").unlink()
    assert sfnhw("report", given / "run").returncode == 0
    assert (given / "run" / "report.html").is_file()


def test_explore_keeps_what_is_finished(given):
    arguments = (
        "explore",
        given / "net.sfn",
        "--inputs",
        given / "in.npz",
        "--set",
        "core.synapse_lanes=1,8",
        "--set",
        "noc.columns=1,8",
        "-o",
        given / "grid",
        "--workers",
        1,
        "--json",
    )
    done = sfnhw(*arguments)
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout)["points"]
    assert [(p["core.synapse_lanes"], p["noc.columns"]) for p in points] == [
        (1, 1),
        (1, 8),
        (8, 1),
        (8, 8),
    ]
    assert any(p["on_pareto"] for p in points)
    by = {(p["core.synapse_lanes"], p["noc.columns"]): p for p in points}
    assert by[8, 8]["latency_s"] <= by[1, 8]["latency_s"]
    rows = given / "grid" / "rows.jsonl"
    before = rows.read_text()
    assert len(before.splitlines()) == 4
    # A torn last line is estimated again; the three whole ones are kept.
    rows.write_text(before[:-20])
    again = sfnhw(*arguments)
    assert json.loads(again.stdout)["points"] == points
    assert sorted(rows.read_text().splitlines()) == sorted(before.splitlines()), "and the torn one is gone"
    for name in ("table.csv", "explore.json", "pareto.svg", "pareto.png"):
        assert (given / "grid" / name).stat().st_size > 100


def test_chips_and_codings_as_json(given):
    for preset in preset_names():
        prices = json.loads(sfnhw("chips", preset, "--json").stdout)["prices"]
        assert {"action", "energy_pj", "low_pj", "high_pj", "source", "node_nm", "voltage_v"} <= set(prices[0])
        assert all(p["low_pj"] <= p["energy_pj"] <= p["high_pj"] and p["source"] for p in prices)
    assert "sfn" in sfnhw("codings").stdout
    chips = tuple(("chips", preset) for preset in preset_names())
    for command in (("chips",), *chips, ("codings",), ("--help",), ("--version",)):
        done = (sfnhw_process if command[0].startswith("--") else sfnhw)(*command)
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= 100 if command == ("--help",) else 80


def test_a_chip_at_another_node_and_with_other_prices():
    moved = json.loads(
        sfnhw(
            *("chips", "reference", "--node", 5, "--voltage", 0.7, "--clock", "scale"),
            *("--set", "energy.compare.energy_pj=0.1", "--set", "noc.columns=4", "--json"),
        ).stdout
    )
    assert (moved["node_nm"], moved["voltage_v"], moved["fields"]["noc.columns"]) == (5, 0.7, 4)
    prices = {row["action"]: row for row in moved["prices"]}
    given = prices["compare"]
    assert (given["low_pj"], given["energy_pj"], given["high_pj"]) == (0.1, 0.1, 0.1)
    assert given["source"] == "given on the command line"
    assert "scaled from 28 nm 0.9 V by Stillmaker-Baas 2017" in prices["accumulate"]["source"]
    [warning] = moved["warnings"]
    assert "5 nm is outside the 7 to 180 nm" in warning
    assert moved["clock_mhz"] > 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--node", 7), "--set, --node, --voltage and --clock change one chip, expected its name"),
        (
            ("reference", "--clock", "scale"),
            "--clock: nothing moves the chip, found 'scale', expected --node or --voltage",
        ),
        (("reference", "--voltage", 0.1), "technology.voltage_v: found 0.1, expected a number > 0.2"),
        (("reference", "--set", "noc.columns"), "--set: found 'noc.columns', expected FIELD=VALUE"),
        (("reference", "--set", "noc.rows=1", "--set", "noc.rows=2"), "noc.rows is given twice"),
        (("reference", "--set", "energy.compare.energy_nj=1"), "an energy in nJ, expected energy_pj, in pJ"),
        (("refrence", "--node", 7), "did you mean 'reference'"),
    ],
)
def test_changes_of_a_chip_that_cannot_be(arguments, message):
    done = sfnhw("chips", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_estimate_and_explore_at_another_node(given, tmp_path, few_figures):
    network = (given / "net.sfn", "--inputs", given / "in.npz", "--fidelity", "analytic", "--json")
    base = json.loads(sfnhw("estimate", *network, "-o", tmp_path / "a", "--baselines", "none").stdout)
    run = json.loads(
        sfnhw(
            *("estimate", *network, "-o", tmp_path / "b", "--baselines", "none"),
            *("--node", 7, "--voltage", 0.9, "--set", "energy.accumulate.energy_pj=0"),
        ).stdout
    )
    assert run["counts"] == base["counts"]
    assert run["energy_by_action_j"]["accumulate"] == 0
    assert run["energy_per_inference_j"]["value"] < base["energy_per_inference_j"]["value"]
    assert any("0.9 V at 7 nm is outside" in text for text in run["warnings"])
    assert "0.9 V at 7 nm is outside" in (tmp_path / "b" / "report.html").read_text()
    grid = json.loads(
        sfnhw(
            *("explore", *network, "-o", tmp_path / "c", "--workers", 1, "--node", 14, "--voltage", 0.7),
            *("--set", "technology.node_nm=7,14"),
        ).stdout
    )["points"]
    assert [point["technology.node_nm"] for point in grid] == [7, 14]
    assert grid[0]["energy_j"] < grid[1]["energy_j"] < base["energy_per_inference_j"]["value"]
    assert [point["warnings"] for point in grid] == [None, None]


def bad_chip(folder: Path, text: str) -> Path:
    path = folder / "chip.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("chip", "message"),
    [
        ("base: reference\ncore:\n  synapse_lames: 4\n", "chip.yaml:3:3: core.synapse_lames"),
        ("base: reference\ncore:\n  weight_memory:\n    kib: -64\n", "found -64"),
        ("base: reference\nnoc:\n  columns: 0\n", "noc.columns: found 0"),
        ("base: reference\nnoc: {columns: 1, rows: 1}\ncore: {neurons: 64}\n", "does not fit"),
        ("base: referense\n", "did you mean 'reference'"),
        ("a: [", "not valid YAML"),
    ],
)
def test_bad_chips_are_one_sentence_and_exit_2(given, tmp_path, chip, message):
    path = bad_chip(tmp_path, chip)
    done = sfnhw(
        "estimate",
        given / "net.sfn",
        "--chip",
        path,
        "--inputs",
        given / "in.npz",
        "-o",
        tmp_path / "out",
        "--baselines",
        "none",
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_bad_inputs_are_one_sentence_and_exit_2(given, tmp_path):
    chain([3, 2]).save(tmp_path / "other.sfn")
    (tmp_path / "cut.sfn").write_bytes((given / "net.sfn").read_bytes()[:200])
    nan = np.load(given / "in.npz")["inputs"]
    nan[1, 0, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", inputs=nan)
    np.savez(tmp_path / "key.npz", imputs=nan)
    np.savez(tmp_path / "object.npz", inputs=np.array([{}], dtype=object))
    (tmp_path / "text.npz").write_text("no zip")
    cases = [
        ((given / "net.sfn", tmp_path / "nan.npz"), "NaN"),
        ((given / "net.sfn", tmp_path / "key.npz"), "did you mean"),
        ((given / "net.sfn", tmp_path / "object.npz"), "object.npz"),
        ((given / "net.sfn", tmp_path / "text.npz"), "text.npz"),
        ((given / "net.sfn", tmp_path / "missing.npz"), "missing.npz"),
        ((tmp_path / "other.sfn", given / "in.npz"), "expected numbers of shape (samples, 3)"),
        ((tmp_path / "cut.sfn", given / "in.npz"), "truncated"),
        ((tmp_path / "none.sfn", given / "in.npz"), "no such file"),
    ]
    for (network, inputs), message in cases:
        run = sfnhw_process if message == "NaN" else sfnhw
        done = run("estimate", network, "--inputs", inputs, "-o", tmp_path / "out", "--baselines", "none")
        assert done.returncode == 2, (message, done.stderr)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_names_from_files_are_inert_in_the_page(given, tmp_path, few_figures):
    from dataclasses import replace

    from sfnhw.network import Network

    network = Network.load(given / "net.sfn")
    evil = replace(network, name="<script>alert(1)</script>")
    evil.save(tmp_path / "evil.sfn")
    done = sfnhw(
        "estimate", tmp_path / "evil.sfn", "--inputs", given / "in.npz", "-o", tmp_path / "run", "--baselines", "none"
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_convert_runs_the_users_function(tmp_path):
    (tmp_path / "model.py").write_text(
        "import torch\ndef build():\n    torch.manual_seed(0)\n    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))\n"
    )
    np.savez(tmp_path / "c.npz", inputs=np.random.default_rng(0).random((20, 4)).astype(np.float32))
    done = sfnhw_process(
        "convert", f"{tmp_path / 'model.py'}:build", "--calibration", tmp_path / "c.npz", "-o", tmp_path / "n.sfn"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "n.sfn").stat().st_size > 100
    done = sfnhw(
        "convert", f"{tmp_path / 'model.py'}:bild", "--calibration", tmp_path / "c.npz", "-o", tmp_path / "m.sfn"
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "m.sfn").exists()
    options = ["--coding", "mtn", "--spacing", "free", "--thresholds", "0.2,0.5,1"]
    done = sfnhw(
        "convert", f"{tmp_path / 'model.py'}:build", "--calibration", tmp_path / "c.npz", *options,
        "-o", tmp_path / "free.sfn",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Network.load(tmp_path / "free.sfn")["0"].coding.thresholds == (0.2, 0.5, 1.0)
    for wrong, words in (
        (["--coding", "mtn", "--thresholds", "0.2;1"], "expected a number, or numbers with commas"),
        (["--coding", "ttfs"], "timesteps"),
        (["--coding", "if", "--timesteps", "2", "--thresholds", "4"], "--thresholds: does not apply to coding='if'"),
    ):
        done = sfnhw(
            "convert", f"{tmp_path / 'model.py'}:build", "--calibration", tmp_path / "c.npz", *wrong,
            "-o", tmp_path / "m.sfn",
        )  # fmt: skip
        assert done.returncode == 2
        assert words in " ".join(done.stderr.split())
        assert not (tmp_path / "m.sfn").exists()


def test_codings_say_what_a_value_costs():
    """For N = T = 8: an IF value is up to 8 packets without payload, a TTFS value one, a burst up to 8."""
    rows = {row["name"]: row for row in json.loads(sfnhw("codings", "--json").stdout)["codings"]}
    found = {name: (row["timesteps"], row["packets"], row["payload_bits"]) for name, row in rows.items()}
    expected = {
        "sfn": (1, "0-1", 3), "mtn": (1, "0-1", 3), "mtn 2^k": (1, "0-1", 3), "if": (8, "0-8", 0),
        "polarity": (1, "0-8", 0), "ttfs": (8, "0-1", 0), "graded": (1, "0-1", 8),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert rows["mtn 2^k"]["need"]["spacing"] == "power-of-two"
    assert all(row["stands_for"] and row["source"] for row in rows.values())


def test_the_command_compares_with_what_the_function_does():
    """The default is written out so that `--help` need not load the whole chain."""
    from sfnhw.cli.estimate import command
    from sfnhw.estimate import BASELINES

    option = next(p for p in command.params if p.name == "baselines")
    assert option.default == ",".join(BASELINES)


def test_what_is_required_and_left_out_is_one_sentence(tmp_path, monkeypatch, capsys):
    """Of every command each required option or argument in turn; an option whose default is None was once not asked for."""
    import click

    from sfnhw.cli.entry import main
    from sfnhw.cli.group import sfnhw as group

    monkeypatch.chdir(tmp_path)
    context, asked = click.Context(group), 0
    for name in group.list_commands(context):
        parameters = [p for p in group.get_command(context, name).params if p.required]
        for missing in parameters:
            given = [name]
            for p in parameters:
                if p is not missing:
                    given += [p.opts[-1], "x"] if isinstance(p, click.Option) else ["x"]
            asked += 1
            assert main(given) == 2
            lines = capsys.readouterr().err.strip().splitlines()
            assert lines[-1].startswith("sfnhw: error: ")
            # One of the arguments cannot be told from another that is left out.
            wanted = missing.opts[-1] if isinstance(missing, click.Option) else "Missing"
            assert wanted in lines[-1], (given, lines)
    assert asked > 15
    assert not list(tmp_path.iterdir())
