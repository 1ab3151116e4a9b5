"""Leakage follows area: of memories by their row, of logic by its gates, of routers by theirs."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Recording
from sfnhw.chip import Chip, chip_area, core_area, core_leakage, load_chip, logic_gates
from sfnhw.errors import ChipError
from sfnhw.mapping import map_network
from sfnhw.neurons import SFN
from sfnhw.reports.component_leakage import leakage_by_component_uw
from sfnhw.reports.leakage import area_and_leakage
from sfnhw.reports.page import page
from sfnhw.reports.view import as_view
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity

REFERENCE = load_chip("reference")

# Fields that make a core or router larger, and how large they may be.
SIZES = {
    "core.weight_memory.kib": st.integers(1, 1024),
    "core.state_memory.kib": st.integers(1, 1024),
    "core.axons": st.integers(1, 65536),
    "core.synapse_lanes": st.integers(1, 256),
    "core.accumulator_bits": st.integers(8, 48),
    "core.weight_bits": st.integers(2, 16),
    "core.decode_bits": st.integers(1, 16),
    "core.threshold_unit.lanes": st.integers(1, 64),
    "core.threshold_unit.registers": st.integers(1, 4096),
    "core.threshold_unit.register_bits": st.integers(8, 32),
    "core.function_unit.lanes": st.integers(0, 64),
    "noc.flit_bits": st.integers(16, 512),
    "noc.virtual_channels": st.integers(1, 16),
}


def leaks_uw(chip: Chip) -> float:
    """One core with its router."""
    return core_leakage(chip).value_uw + chip.static_price("router_leakage").value_uw


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from(sorted(SIZES)))
def test_what_is_larger_leaks_more(data, name):
    wide = {"core.weight_memory.word_bits": 64, "core.state_memory.word_bits": 64}
    least, most = sorted(data.draw(st.tuples(SIZES[name], SIZES[name])))
    small, large = (REFERENCE.replace({**wide, name: n}) for n in (least, most))
    areas = [chip_area(chip).total.value_mm2 for chip in (small, large)]
    assert areas[0] <= areas[1]
    assert leaks_uw(small) <= leaks_uw(large)
    assert (areas[0] < areas[1]) == (leaks_uw(small) < leaks_uw(large))


def test_gates_of_the_reference_by_pencil():
    """994.5 gates a lane, 6966 of the function unit, 2858 of control, 64 registers of 24 bits at 8 gates a bit."""
    unit = core_area(REFERENCE)["threshold_unit"].value_mm2 / (0.2953e-6)
    assert logic_gates(REFERENCE) == pytest.approx(8 * 994.5 + 6966 + 2858 + 64 * 24 * 8 + unit, rel=1e-3)
    expected = 304 + logic_gates(REFERENCE) * 1.966e-4
    assert core_leakage(REFERENCE).value_uw == pytest.approx(expected)


def test_a_file_may_leave_the_gates_out(tmp_path):
    """Then the row of the core is all that its core leaks, and no cell of the cost is of gates."""
    path = tmp_path / "whole.yaml"
    path.write_text("base: reference\nstatic:\n  gate_leakage_uw:\n")
    chip = load_chip(path)
    assert chip.static.gate_leakage_uw is None
    assert core_leakage(chip) == chip.static_price("core_leakage")
    assert astuple(chip.static_price("gate_leakage")) == (0, 0, 0)
    assert "gate_leakage_uw" not in [row["term"] for row in chip.price_rows("static")]
    network = chain([5, 20, 3])
    cost = price(simulate(map_network(network, chip), random_activity(network, 1)))
    assert cost.by_action()["gate_leakage"].high_aj == 0
    assert cost.by_action()["core_leakage"].value_aj > 0


def test_gates_leak_for_the_time_of_the_inferences():
    network = chain([5, 20, 3])
    result = simulate(map_network(network, REFERENCE), random_activity(network, 1))
    joules = price(result).by_action()["gate_leakage"].as_joules()
    seconds = int(result.timing.latency.sum()) / (REFERENCE.clock_mhz * 1e6)
    for got, uw in zip(joules.values(), astuple(REFERENCE.static_price("gate_leakage")), strict=True):
        # Two cores hold the hidden layer and the readout; whole attojoules a cycle are the grain.
        assert got == pytest.approx(2 * logic_gates(REFERENCE) * uw * 1e-6 * seconds, rel=1e-2)
    idle = price(result, REFERENCE.replace({"execution.gate_idle_cores": False})).by_action()["gate_leakage"]
    assert idle.value_aj == 32 * price(result).by_action()["gate_leakage"].value_aj


def test_gates_that_leak_less_than_an_attojoule_a_cycle_are_refused(tmp_path):
    path = tmp_path / "cold.yaml"
    row = "{power_uw: 1.e-9, low_uw: 1.e-9, high_uw: 1.e-9, source: x}"
    path.write_text(f"base: reference\nstatic:\n  gate_leakage_uw: {row}\n")
    with pytest.raises(ChipError, match=r"gate_leakage_uw: rounds to nothing.*gates in a core at 400 MHz"):
        load_chip(path)
    assert np.isclose(1e-9 * logic_gates(REFERENCE) / 400 * 1e6, 0.1, atol=0.1)


def whole_core(tmp_path) -> Chip:
    """The reference without a row for gates."""
    path = tmp_path / "whole.yaml"
    path.write_text("base: reference\nstatic:\n  gate_leakage_uw:\n")
    return load_chip(path)


def test_components_of_leakage_by_pencil(tmp_path):
    """64, 8 and 4 KiB of 304 µW; gates by their area; without a row for gates the core's row goes over all its area."""
    uw = {name: band["value"] for name, band in leakage_by_component_uw(REFERENCE).items()}
    assert [uw[m] for m in ("weight_memory", "state_memory", "axon_table")] == pytest.approx([256, 32, 16], rel=1e-3)
    assert uw["router"] == pytest.approx(4.778)
    assert uw["control"] == pytest.approx(2858 * 1.966e-4, rel=1e-3)
    chip = whole_core(tmp_path)
    together = {name: band["value"] for name, band in leakage_by_component_uw(chip).items()}
    areas = {name: area.value_mm2 for name, area in core_area(chip).items() if name != "router"}
    for name, area in areas.items():
        assert together[name] == pytest.approx(304 * area / sum(areas.values()))
    assert together["router"] == pytest.approx(4.778)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize(("gates", "columns", "each"), [(True, 8, 1), (False, 8, 1), (True, 2, 4)])
def test_components_add_up_to_what_is_priced(tmp_path, gated, gates, columns, each):
    network = chain([5, 40, 300, 3])
    chip = (REFERENCE if gates else whole_core(tmp_path)).replace(
        {"execution.gate_idle_cores": gated, "noc.columns": columns, "noc.cores_per_router": each}
    )
    activity = random_activity(network, 1)
    mapping = map_network(network, chip)
    result = simulate(mapping, activity)
    run = Run(network, chip, Recording(activity, np.zeros((2, 1))), mapping, result, price(result))
    found, rows = area_and_leakage(run), {}
    for row in found["components"]:
        rows[row["component"]] = row
    actions = run.cost.by_action()
    for key in ("value", "low", "high"):
        priced = sum(actions[t].as_joules(2)[key] for t in ("core_leakage", "gate_leakage", "router_leakage"))
        # Prices are whole attojoules a cycle: half of one of the low of a router (60) is 1 %.
        assert sum(row["leakage_energy_j"][key] for row in rows.values()) == pytest.approx(priced, rel=0.01)
        assert sum(r["leakage_power_w"][key] for r in rows.values()) == pytest.approx(found["leakage_power_w"][key])
        area = getattr(chip_area(chip).total, f"{key}_mm2")
        assert sum(row["chip_area_mm2"][key] for row in rows.values()) == pytest.approx(area)
    assert sum(row["share_of_area"] for row in rows.values()) == pytest.approx(1)
    assert sum(row["share_of_energy"] for row in rows.values()) == pytest.approx(found["energy_share"])
    used = mapping.cores_used
    assert (found["powered_cores"], found["gated_cores"]) == ((used, 64 - used) if gated else (64, 0))
    # All 64 cores, and the router of each tile, leak what is leaked and what gating saves.
    both = found["leakage_power_w"]["value"] + found["gated_leakage_power_w"]["value"]
    router_uw = chip.static_price("router_leakage").value_uw
    whole = 64e-6 * core_leakage(chip).value_uw + 64e-6 / each * router_uw
    assert both == pytest.approx(whole)
    if not gated:
        density = found["leakage_power_density_w_per_mm2"]["value"]
        assert density == pytest.approx(whole / chip_area(chip).total.value_mm2)
    power = run.cost.total.as_joules(2)["value"] / result.latency_s
    assert found["mean_power_density_w_per_mm2"] == pytest.approx(power / chip_area(chip).total.value_mm2)


@pytest.mark.parametrize(("sharing", "serves"), [("population", 64), ("channel", 1)])
def test_the_page_says_for_how_many_thresholds_the_unit_is(sharing, serves):
    """64 registers: N = 64 for a table a core, not one a channel where each of 256 neurons may be one."""
    network = chain([5, 6, 3], SFN.uniform(8))
    chip = REFERENCE.replace({"core.threshold_unit.sharing": sharing})
    activity = random_activity(network, 1)
    mapping = map_network(network, chip)
    result = simulate(mapping, activity)
    view = as_view(Run(network, chip, Recording(activity, np.zeros((2, 1))), mapping, result, price(result)))
    found = view.json["area_and_leakage"]
    assert (found["unit_serves"], found["unit_needs"]) == (serves, 8)
    html = page(view, {"area": "<svg/>"})
    assert f"The threshold unit is one for N = {serves}, what a full core has registers or memory for" in html
    assert ("N = 8 takes a larger one" in html) == (serves < 8)
    found.pop("unit_serves")  # a folder of before
    assert "The threshold unit is one" not in page(view, {"area": "<svg/>"})
