"""Global steps of barrier execution in reports: worked by hand, and beside what the event log has."""

import csv
import json

import numpy as np
import pytest

from sfnhw import estimate
from sfnhw.chip import load_chip
from sfnhw.explore import explore
from sfnhw.reports.global_steps import global_steps_text
from sfnhw.sim.event_records import BARRIER
from sfnhw.units import seconds
from tests.networks import chain, random_inputs

REFERENCE = load_chip("reference").replace({"execution.mode": "barrier"})
IN_ROUNDS = {"noc.columns": 1, "noc.rows": 1, "execution.rounds": "auto", "core.neurons": 3}
INPUTS = np.array([[1.0, 0, 2, 0], [0, 0, 3, 1]])


def run(chip, fidelity="packet", **more):
    return estimate(chain([4, 3, 2]), chip, INPUTS, baselines=(), fidelity=fidelity, **more)


def found(*arguments):
    return run(*arguments).as_json()["global_steps"]


@pytest.mark.parametrize("fidelity", ["packet", "flit", "auto", "analytic"])
def test_a_longer_barrier_is_longer_steps_and_nothing_else(fidelity):
    """One timestep, and a step for each of three layers, of which each waits for its barrier."""
    none, some = (found(REFERENCE.replace({"execution.barrier_cycles": b}), fidelity) for b in (0, 70))
    assert none["number"] == some["number"] == 3
    assert none["barrier_cycles"] == none["barrier_share"] == 0
    assert some["barrier_cycles"] == 70
    assert some["step_cycles"] - none["step_cycles"] == pytest.approx(70)
    assert some["barrier_share"] == pytest.approx(70 / some["step_cycles"])
    assert some["step_s"] == pytest.approx(seconds(some["step_cycles"], 400))


def test_the_event_log_has_the_same_steps_and_barriers():
    one = estimate(chain([4, 3, 2]), REFERENCE, INPUTS[:1], baselines=())
    log = one.with_events().events.columns
    barriers = log["event"] == BARRIER
    steps = one.as_json()["global_steps"]
    assert steps["number"] == barriers.sum()
    ends = log["end_cycle"][barriers]
    assert steps["step_cycles"] == pytest.approx(ends.max() / len(ends)), (
        "from cycle 0 until the last barrier has ended"
    )
    assert steps["barrier_cycles"] == pytest.approx((log["end_cycle"] - log["begin_cycle"])[barriers].mean())
    assert steps["step_cycles"] * 3 >= one.result.latency_cycles


@pytest.mark.parametrize("fidelity", ["packet", "analytic"])
def test_steps_of_all_rounds_add_up_and_loads_are_none(fidelity):
    """Two rounds: inputs and one layer in two steps, then what is replayed and the last layer in two."""
    done = run(REFERENCE.replace(IN_ROUNDS), fidelity)
    steps, rounds = done.as_json()["global_steps"], done.as_json()["rounds"]
    assert rounds["number"] == 2
    assert steps["number"] == 4
    worked = sum(row["run_s"] for row in rounds["rounds"])
    assert steps["step_s"] * 4 == pytest.approx(worked)
    assert steps["barrier_cycles"] == REFERENCE.execution.barrier_cycles_of(1)


def test_a_barrier_of_a_table_is_that_of_the_routers_in_use():
    chip = REFERENCE.replace({"execution.barrier_cycles": {1: 10, 2: 30, 64: 500}})
    assert found(chip)["barrier_cycles"] == 30, "two layers on two cores, each at its own router"


def test_every_surface_has_them_and_dataflow_has_none(tmp_path, few_figures):
    done = run(REFERENCE)
    text = global_steps_text(done.as_json()["global_steps"])
    assert text.startswith("3 global steps of ")
    assert text in " ".join(done.summary().split())
    assert max(map(len, done.summary().splitlines())) <= 80
    folder = done.save(tmp_path / "run")
    assert json.loads((folder / "run.json").read_text())["global_steps"] == done.as_json()["global_steps"]
    assert "3 global steps of" in (folder / "report.html").read_text()
    other = run(load_chip("reference"))
    assert other.as_json()["global_steps"] is None
    assert "global step" not in other.summary()


def test_explore_has_them_in_its_table(tmp_path, blank_figures):
    network = chain([3, 4, 2])
    grid = {"execution.mode": ["dataflow", "barrier"], "execution.barrier_cycles": [0, 50]}
    rows = explore(network, "reference", random_inputs(network, 1), grid, tmp_path, fidelity="analytic", workers=1)
    assert [row["global_steps"] for row in rows] == [None, None, 3, 3]
    assert rows[3]["step_s"] - rows[2]["step_s"] == pytest.approx(seconds(50, 400))
    assert rows[3]["barrier_share"] == pytest.approx(seconds(50, 400) / rows[3]["step_s"])
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [row["global_steps"] for row in csv.DictReader(file)] == ["", "", "3", "3"]
