"""The chip's comparators and registers beyond one threshold: held to chips that have just one, and to gates by pencil."""

from dataclasses import replace

import pytest

from sfnhw.chip import Chip, core_area, core_leakage, load_chip
from sfnhw.chip.area import register_area
from sfnhw.chip.gate_model import unit_gates
from sfnhw.errors import InputError
from sfnhw.neurons import IF, SFN
from sfnhw.reports.built_parts import built_leakage_w, built_parts
from sfnhw.reports.figures import available, figure
from sfnhw.reports.overhead import overhead
from sfnhw.reports.overhead_rows import overhead_rows
from sfnhw.reports.page import page
from sfnhw.reports.summary import summary
from sfnhw.reports.view import as_view
from sfnhw.run import Run
from tests.networks import chain, random_activity
from tests.test_overhead import run_of

REFERENCE = load_chip("reference")
KEYS = ("value", "low", "high")


def run_on(chip: Chip, levels: int = 4, fidelity: str = "analytic") -> Run:
    network = chain([4, 12, 9, 3], SFN.uniform(levels))
    return run_of(network, chip, random_activity(network, 1, samples=3), fidelity)


@pytest.mark.parametrize("kind", ["parallel", "serial", "binary-search"])
@pytest.mark.parametrize("served", [2, 8, 64])
def test_a_core_with_one_threshold_leaks_that_much_less(kind, served):
    """Registers of just one table: with one threshold the core has one register, and a unit for one."""
    chip = REFERENCE.replace({"core.threshold_unit.kind": kind, "core.threshold_unit.registers": served})
    one = chip.replace({"core.threshold_unit.registers": 1})
    run = run_on(chip, levels=2)
    assert built_parts(chip).thresholds == served
    assert built_parts(chip).words == served - 1
    less = core_leakage(chip).value_uw - core_leakage(one).value_uw
    watts = built_leakage_w(run, 0)
    assert watts["value"] == pytest.approx(run.mapping.cores_used * less * 1e-6)
    assert watts["low"] < watts["value"] < watts["high"]
    smaller = sum(a.value_mm2 for a in core_area(chip).values()) - sum(a.value_mm2 for a in core_area(one).values())
    assert overhead(run)["built"]["excess_mm2"]["value"] == pytest.approx(run.mapping.cores_used * smaller)


def test_the_reference_by_pencil():
    """N = 64 of 24 bits: 63 registers of 8 gates a bit, and the unit's gates, at 0.1966 nW each; for all of the latency."""
    run = run_on(REFERENCE.replace({"core.threshold_unit.kind": "parallel"}))
    gates = 63 * 24 * 8.0
    gates += unit_gates("parallel", 64, 24, False).equivalents - unit_gates("parallel", 1, 24, False).equivalents
    found = overhead(run)
    joules = run.mapping.cores_used * gates * 1.966e-10 * run.result.latency_s
    assert run.chip.core.threshold_unit.lanes == 1
    assert found["time"]["latency_at_most_s"] == 0  # one cycle whatever N is
    assert found["built"]["leakage_energy_j"]["value"] == pytest.approx(joules, rel=1e-3)
    assert found["total"]["static_at_most_energy_j"]["value"] == pytest.approx(joules, rel=1e-3)
    # A band of its price, as every leakage has.
    price = REFERENCE.static_price("gate_leakage")
    band = found["built"]["leakage_energy_j"]
    assert band["low"] / band["value"] == pytest.approx(price.low_uw / price.value_uw)
    assert band["high"] / band["value"] == pytest.approx(price.high_uw / price.value_uw)


def test_several_tables_in_one_core():
    """64 registers hold 8 tables of 8, or 5 of 12; with one threshold each takes a word."""
    for most, tables in ((8, 8), (12, 5), (64, 1)):
        parts = built_parts(REFERENCE.replace({"core.threshold_unit.most_thresholds": most}))
        assert (parts.thresholds, parts.words) == (most, tables * (most - 1))
        assert parts.registers == register_area(REFERENCE, tables * (most - 1))


def test_one_word_serves_any_number_of_uniform_thresholds():
    for kind in ("uniform", "power-of-two"):
        assert built_parts(REFERENCE.replace({"core.threshold_unit.kind": kind})).words == 0


def test_a_chip_for_one_threshold_has_nothing_beyond():
    parts = built_parts(REFERENCE.replace({"core.threshold_unit.registers": 1}))
    assert (parts.thresholds, parts.words, parts.unit.value_mm2, parts.registers.value_mm2) == (1, 0, 0.0, 0.0)


def test_thresholds_of_neurons_leak_in_state_memory():
    """21 hidden neurons with 4 words of 24 bits where one would do, of a memory of 8 KiB that leaks 32 µW."""
    changes = {"core.threshold_unit.sharing": "neuron", "core.threshold_unit.kind": "parallel"}
    chip = REFERENCE.replace(changes)
    assert built_parts(chip).words == 0
    run = run_on(chip)
    more = built_leakage_w(run, 21 * 3)["value"] - built_leakage_w(run, 0)["value"]
    assert more == pytest.approx(32e-6 * 63 * 24 / (8 * 8192), rel=1e-3)
    assert overhead(run)["built"]["leakage_power_w"] == built_leakage_w(run, 21 * 3)


def test_extra_cycles_leak_once():
    """A serial unit: all that leaks in the extra cycles, and the parts beyond one threshold in the others."""
    run = run_on(REFERENCE.replace({"core.threshold_unit.kind": "serial"}), fidelity="packet")
    found = overhead(run)
    extra_s, latency_s = found["time"]["latency_at_most_s"], run.result.latency_s
    assert 0 < extra_s < latency_s
    for key in KEYS:
        parts = found["built"]["leakage_power_w"][key] * (latency_s - extra_s)
        assert found["built"]["leakage_energy_j"][key] == pytest.approx(parts)
        static = parts + found["time"]["leakage_at_most_energy_j"][key] + found["time"]["clock_energy_j"][key]
        assert found["total"]["static_at_most_energy_j"][key] == pytest.approx(static)


def test_terminal_and_page_say_both_bases():
    view = as_view(run_on(REFERENCE))
    shares = view.json["overhead"]["total"]
    assert shares["share_of_area_as_built"] > shares["share_of_area"] > 0
    said = " ".join(summary(view).split())
    assert "for the network's N = 4," in said
    assert "as the chip is built, for N = 64" in said
    html = page(view, {})
    assert "as the chip is built, for N = 64" in html
    assert "units and registers as the chip is built, N = 64" in html
    # A run of a version that did not know.
    old = {key: value for key, value in view.json["overhead"].items() if key != "built"}
    assert "as the chip is built" not in summary(replace(view, json={**view.json, "overhead": old}))
    assert len(overhead_rows(old, 1.0)) == len(overhead_rows(view.json["overhead"], 1.0)) - 2


def test_a_network_of_single_thresholds_is_charged_nothing():
    network = chain([4, 12, 3], IF(4, 0.5))
    found = overhead(run_of(network, REFERENCE, random_activity(network, 1, samples=1), "analytic"))
    assert found["thresholds_by_layer"] == {}
    assert found["total"]["energy_at_most_j"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["total"]["share_of_area_as_built"] == 0


def test_a_page_of_single_thresholds_has_no_section_on_many():
    """The figure of rivals has its own title; without any there is none, and why they were skipped is told all the same."""
    network = chain([4, 12, 3], IF(4, 0.5))
    run = run_of(network, REFERENCE, random_activity(network, 1, samples=1), "analytic")
    alone = as_view(replace(run, skipped={"if": "this network is that already"}))
    assert "overhead" not in available(alone)
    html = page(alone)
    assert "thresholds cost" not in html
    assert "multi-threshold overhead" not in html
    assert html.count("if was skipped: this network is that already") == 1
    with pytest.raises(InputError, match="one threshold a neuron at most, and nothing beside it"):
        figure("overhead", alone)
    beside = page(as_view(replace(run, baselines={"if": run}, skipped={"mtn": "it does not fit"})))
    assert "<h2>Beside other ways to spike</h2>" in beside
    assert "multi-threshold overhead" not in beside
    assert beside.count("mtn was skipped: it does not fit") == 1
    many = page(as_view(run_on(REFERENCE)))
    assert "<h2>What many thresholds cost, beside other ways to spike</h2>" in many
    assert "<h2>The multi-threshold overhead in numbers</h2>" in many
