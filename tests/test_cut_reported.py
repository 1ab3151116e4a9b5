"""What layers were cut for, and how to have them cut otherwise: in the terminal, on the page, in JSON and by explore."""

import json
import re

import numpy as np
import pytest

from sfnhw import estimate
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.reports.explore_table import about_text
from sfnhw.reports.mapping_report import cut_text
from sfnhw.reports.summary import summary
from sfnhw.reports.view import RunView, as_view
from tests.command_line import sfnhw
from tests.networks import chain

NETWORK = chain([40, 64, 3])
INPUTS = np.random.default_rng(0).random((2, 40))
OTHERWISE = "; --objective energy|latency|throughput cuts otherwise"


def run(**options):
    return estimate(NETWORK, "reference", INPUTS, fidelity="analytic", baselines=(), **options)


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("objective", "asked", "text"),
    [
        ("cores", "cores", "layers cut for cores: the fewest slices" + OTHERWISE),
        ("cores", "energy", "layers cut for cores: the fewest slices"),  # the simulation overruled the model
        ("cores", None, "layers cut for cores: the fewest slices"),  # a mapping was given
        ("latency", "latency", "layers cut for latency"),
        (None, None, ""),
    ],
)
def test_the_way_to_other_cuts_is_shown_to_who_did_not_ask_for_one(objective, asked, text):
    assert cut_text(objective, asked) == text


def test_terminal_page_and_json_name_the_cut(tmp_path, few_figures):
    fewest, fast = run(), run(objective="throughput")
    assert fewest.mapping.cores_used < fast.mapping.cores_used
    assert "layers cut for cores: the fewest slices" + OTHERWISE in words(fewest.summary())
    assert "layers cut for throughput placed by hilbert" in words(fast.summary())
    assert fast.as_json()["mapping"]["objective"] == "throughput"
    for one in (fewest, fast):
        assert max(map(len, one.summary().splitlines())) <= 80
    pages = [one.save(tmp_path / str(k)) / "report.html" for k, one in enumerate((fewest, fast))]
    told = [re.sub("<[^>]*>", "", page.read_text()) for page in pages]
    assert "Layers cut for cores: the fewest slices" + OTHERWISE + "; placed by hilbert" in told[0]
    assert "Layers cut for throughput; placed by hilbert" in told[1]


def test_where_slices_share_cores_no_other_cut_is_pointed_to():
    """Five layers, each a slice at least, on two cores: all objectives are `cores` then."""
    network = chain([4, 3, 3, 3, 3, 2])
    chip = load_chip("reference").replace({"noc.columns": 2, "noc.rows": 1})
    shared = estimate(network, chip, np.ones((1, 4)), fidelity="analytic", baselines=())
    assert shared.as_json()["mapping"]["slices"] == 5
    text = words(shared.summary())
    assert "layers cut for cores: the fewest slices placed by" in text
    assert "--objective" not in text


def test_a_given_mapping_is_named_by_what_its_file_knows(tmp_path):
    path = map_network(NETWORK, run().chip, objective="throughput").save(tmp_path / "m.npz")
    assert "layers cut for throughput placed by" in words(run(mapping=path).summary())
    view = as_view(run(mapping=path))
    unknown = {**view.json, "mapping": {**view.json["mapping"], "objective": None}}
    older = {**view.json, "mapping": {k: v for k, v in view.json["mapping"].items() if k != "objective"}}
    for data in (unknown, older):
        assert "layers cut" not in summary(RunView(data, view.tables))
        assert "placed by hilbert" in summary(RunView(data, view.tables))


def test_explore_begins_with_the_cut_and_the_placer(tmp_path, blank_figures):
    NETWORK.save(tmp_path / "net.sfn")
    np.savez(tmp_path / "in.npz", inputs=INPUTS)
    common = (
        "explore",
        tmp_path / "net.sfn",
        "--inputs",
        tmp_path / "in.npz",
        "--fidelity",
        "analytic",
        "--workers",
        1,
    )
    common = (*common, "--set", "core.synapse_lanes=4,8", "-o", tmp_path / "grid")
    done = sfnhw(*common)
    assert done.returncode == 0, done.stderr
    head, _, table = done.stdout.partition("\n\n")
    assert words(head) == (
        "2 points on reference, analytic fidelity; placed by hilbert; layers cut for cores: the fewest slices"
        + OTHERWISE
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "energy" in table
    found = json.loads(sfnhw(*common, "--placer", "random", "--objective", "throughput", "--json").stdout)
    assert (found["placer"], found["objective"]) == ("random", "throughput")
    kept = json.loads((tmp_path / "grid" / "explore.json").read_text())
    assert (kept["fidelity"], kept["placer"], kept["objective"]) == ("analytic", "random", "throughput")
    assert (
        about_text(1, "c", "flit", "latency", "annealed")
        == "1 point on c, flit fidelity; placed by annealed; layers cut for latency"
    )
