"""What a run in rounds says of itself, on paper and in its folder."""

import json

import numpy as np
import pytest

from sfnhw import estimate
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.reports.run_folder import load_view, rebuild_page
from sfnhw.units import seconds
from tests.networks import chain

CHIP = load_chip("reference").replace(
    {"noc.columns": 1, "noc.rows": 1, "execution.rounds": "auto", "core.neurons": 3, "off_chip.latency_cycles": 40}
)


@pytest.fixture(scope="module")
def run():
    """4 inputs, 3 neurons, 2 results on a core of 3 neurons: two rounds."""
    return estimate(
        chain([4, 3, 2]), CHIP, np.array([[1.0, 0, 2, 0], [0, 0, 3, 1]]), baselines=("if",), fidelity="packet"
    )


def test_loads_are_priced_by_hand(run):
    """192 and 48 bits, in 7 and 2 flits through one router, 3 words written (tests/test_rounds.py counts them)."""
    found = run.as_json()["rounds"]
    assert found["number"] == 2
    assert [row["layers"] for row in found["rounds"]] == [["l1"], ["l2"]]
    assert [row["load_bits"] for row in found["rounds"]] == [192, 48]
    assert found["load_s"] == pytest.approx(seconds(53 + 48, 400))
    # off the chip, pins, router, writes, clock of a router and of the core
    events = 240 * 20 + 9 * 32 * 2 + 9 * 0.9192 + 3 * 7.283 + 9 * 0.3157 + 3 * 2.065
    leakage = sum(
        run.cost.by_action()[term].as_joules(run.samples)["value"]
        for term in ("core_leakage", "gate_leakage", "router_leakage")
    )
    share = found["load_share_of_latency"]
    assert share == pytest.approx(101 / run.result.latency_cycles)
    assert found["load_energy_j"]["value"] == pytest.approx(events * 1e-12 + share * leakage, rel=1e-6)
    assert found["load_energy_j"]["low"] <= found["load_energy_j"]["value"] <= found["load_energy_j"]["high"]
    saved = sum(row["saved_bits"] + row["replayed_bits"] for row in found["rounds"])
    assert found["spikes_energy_j"]["value"] == pytest.approx(saved * 20e-12)
    total = run.cost.total.as_joules(run.samples)["value"]
    assert found["load_share_of_energy"] == pytest.approx(found["load_energy_j"]["value"] / total)
    assert found["load_share_of_energy"] + found["spikes_share_of_energy"] < 1


def test_every_surface_shows_them(run, tmp_path, few_figures):
    folder = run.save(tmp_path / "run")
    data = json.loads((folder / "run.json").read_text())
    actions = {row["action"]: row for row in data["actions"]}
    assert actions["off_chip_bit"]["count"] * run.samples == data["counts"]["off_chip_bit"]
    assert sum(data["energy_whole_run_aj"]["by_layer"].values()) == data["energy_whole_run_aj"]["total"]
    assert sum(data["energy_whole_run_aj"]["by_core"].values()) == data["energy_whole_run_aj"]["total"]
    assert "rounds      2 rounds an inference" in run.summary()
    page = (folder / "report.html").read_text()
    assert "<b>2 rounds</b>" in page
    assert "which layers are on the chip when" in page
    assert any("read off the chip" in text for text in data["coverage"]["counted"])
    assert not any("memory off the chip, loading of weights" in text for text in data["coverage"]["not_counted"])
    counts = load_view(folder).tables["actions"]
    assert counts["count"][counts["action"] == "off_chip_bit"].sum() == data["counts"]["off_chip_bit"]
    assert "<b>2 rounds</b>" in rebuild_page(folder).read_text()


def test_a_network_that_fits_says_nothing_of_rounds():
    run = estimate(chain([4, 3, 2]), "reference", np.array([[1.0, 0, 2, 0]]), baselines=())
    data = run.as_json()
    assert data["rounds"] is None
    assert "off_chip_bit" not in {row["action"] for row in data["actions"]}
    assert "rounds" not in run.summary()


def test_outputs_are_the_recordings_and_a_mapping_may_be_given(run, tmp_path):
    """Rounds change when and where, not what: the same outputs as on a chip that holds the network."""
    inputs = np.array([[1.0, 0, 2, 0], [0, 0, 3, 1]])
    whole = estimate(run.network, "reference", inputs, baselines=())
    assert np.array_equal(run.recording.outputs, whole.recording.outputs)
    path = map_network(run.network, CHIP).save(tmp_path / "m.npz")
    again = estimate(run.network, CHIP, inputs, mapping=path, baselines=())
    assert again.cost.total == run.cost.total
