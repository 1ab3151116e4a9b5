"""Node and supply: Stillmaker and Baas 2017 worked by hand from its polynomials, and the laws that moving a chip keeps."""

from dataclasses import astuple, replace
from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES, OFF_CHIP, PACKING
from sfnhw.chip import chip_area, load_chip
from sfnhw.chip.prices import STATIC_UNITS
from sfnhw.chip.stillmaker_baas import NODES, Point, area_factor, delay_factor, energy_factor, is_defined, voltages
from sfnhw.chip.technology import factor
from sfnhw.errors import ChipError
from sfnhw.estimate import estimate
from sfnhw.sim import price
from tests.networks import chain, random_inputs

REFERENCE = load_chip("reference")
RULES = ("logic", "sram", "wire", "leakage", "area", "none")
HP45, HP32, HP20 = (1.018, -0.3107, 0.1539), (0.8367, -0.4341, 0.1701), (0.373, -0.1582, 0.04104)
HP14, HP7 = (0.2363, -0.09675, 0.02239), (0.1776, -0.09097, 0.02447)
BASE = Point(45, 0.9)


def energy(coefficients, v):
    a, b, c = coefficients
    return a * v * v + b * v + c


@st.composite
def inside(draw, lowest=7.0, highest=180.0):
    """A point within the range of the rule."""
    node = draw(st.floats(lowest, highest) | st.sampled_from(sorted(n for n in NODES if lowest <= n <= highest)))
    low, _, high = voltages(node)
    return Point(node, draw(st.floats(low, high)))


anywhere = st.builds(Point, st.floats(1, 250), st.floats(0.21, 2.0)).filter(is_defined)


@pytest.mark.parametrize(
    ("node", "coefficients", "voltage", "table"),
    [
        (32, HP32, 0.9, 0.654),
        (20, HP20, 0.8, 0.219),
        (14, HP14, 0.8, 0.138),
        (14, HP14, 0.7, 0.101),
        (7, HP7, 0.7, 0.068),
    ],
)
def test_energy_at_a_node_of_the_paper_is_its_polynomial(node, coefficients, voltage, table):
    found = energy_factor(BASE, Point(node, voltage)).value
    assert found == pytest.approx(energy(coefficients, voltage) / energy(HP45, 0.9), rel=1e-12)
    assert found == pytest.approx(table, abs=6e-4)  # by hand, to three digits


def test_between_nodes_energy_is_linear_on_log_scales():
    # 28 of 20 and 32 nm: share log(28/20)/log(32/20) = 0.7159; 0.2008 ** 0.2841 * 0.4571 ** 0.7159 = 0.3618, over 0.6989.
    share = log(28 / 20) / log(32 / 20)
    at_28 = exp((1 - share) * log(energy(HP20, 0.9)) + share * log(energy(HP32, 0.9)))
    assert energy_factor(BASE, Point(28, 0.9)).value == pytest.approx(at_28 / energy(HP45, 0.9), rel=1e-12)
    assert energy_factor(BASE, Point(28, 0.9)).value == pytest.approx(0.518, abs=5e-4)
    # The reference chip's own x0.67 for the supply: 0.69885/1.04391.
    assert energy_factor(Point(45, 1.1), BASE).value == pytest.approx(0.669, abs=5e-4)


def test_bounds_of_a_node_of_the_paper_are_its_low_power_transistors():
    # 7 nm: LP45 at 0.9 V = 0.84433, LP7 at 0.7 V = 0.042455: 0.05028; HP: 0.06842, so as far on the other side 0.0931.
    found = energy_factor(BASE, Point(7, 0.7))
    low_power = energy((0.09365, -0.03409, 0.02043), 0.7) / energy((1.103, -0.362, 0.2767), 0.9)
    assert found.low == pytest.approx(low_power, rel=1e-12)
    assert found.high == pytest.approx(found.value**2 / low_power, rel=1e-12)


@pytest.mark.parametrize(
    ("node", "voltage", "table"), [(32, 0.9, 0.663), (20, 0.8, 0.811), (14, 0.8, 0.358), (7, 0.7, 0.257)]
)
def test_delay_factors(node, voltage, table):
    assert delay_factor(BASE, Point(node, voltage)) == pytest.approx(table, abs=5e-4)
    # HP45 at 0.9 V by hand: -501.6 · 0.729 + 1567 · 0.81 - 1619 · 0.9 + 566.1 = 12.6036; HP7 at 0.7 V: 3.2391.
    assert delay_factor(BASE, Point(7, 0.7)) == pytest.approx(3.2391 / 12.6036, rel=1e-3)


@given(st.floats(7, 65), st.floats(0.3, 1.2), st.floats(0.3, 1.2))
def test_within_a_node_a_higher_supply_is_never_slower(node, first, second):
    low, high = Point(node, min(first, second)), Point(node, max(first, second))
    faster, slower = delay_factor(low, high), delay_factor(high, low)
    assert (faster is None) == (slower is None)
    if faster is not None:
        assert faster <= 1 <= slower
        assert faster * slower == pytest.approx(1)
    assert REFERENCE.at(voltage_v=0.98).technology_warnings == ()


def test_areas_are_those_of_the_papers_table_and_bounds_hold_our_own_circuit():
    assert area_factor(45, 32).value == 0.46
    seven = area_factor(45, 7)
    assert seven.value == 0.059
    # The same circuit of ours: 204 µm² in Nangate45, 17.3 in ASAP7.
    assert seven.low < 17.3 / 204 <= seven.high * (1 + 1e-9)


def test_memories_between_45_and_22_nm_shrink_as_cacti_says():
    # Geometric mean of the nine reads at 22 nm over those at 45 nm, each at its own supply of 0.8 and 1 V.
    ratios = [
        0.53 / 2.23,
        1.82 / 5.25,
        1.59 / 6.14,
        3.79 / 17.0,
        4.36 / 17.8,
        5.67 / 25.9,
        8.97 / 39.3,
        11.9 / 44.7,
        23.5 / 93.5,
    ]
    mean = exp(sum(map(log, ratios)) / 9)
    found = factor("sram", Point(45, 1.0), Point(22, 0.8))
    assert found.value == pytest.approx(mean, rel=1e-12)
    assert found.low <= min(ratios) < max(ratios) <= found.high
    # Beyond, as logic.
    beyond = factor("sram", Point(20, 0.8), Point(7, 0.7)).value
    assert beyond == pytest.approx(factor("logic", Point(20, 0.8), Point(7, 0.7)).value, rel=1e-12)


def test_wires_pins_and_leakage():
    move = Point(28, 0.9), Point(28, 0.45)
    assert factor("wire", *move).value == pytest.approx(0.25)
    assert factor("wire", Point(28, 0.9), Point(7, 0.9)).value == 1
    assert astuple(factor("none", *move)) == (1, 1, 1)
    # Area x0.16 from 45 to 16 nm is 0.19; half the supply halves it.
    assert factor("leakage", Point(45, 1.0), Point(16, 0.5)).value == pytest.approx(0.19 / 2)


@given(st.sampled_from(RULES), anywhere, anywhere)
def test_there_and_back_is_where_one_was_and_bounds_are_in_order(rule, a, b):
    there, back = factor(rule, a, b), factor(rule, b, a)
    assert there.value * back.value == pytest.approx(1, rel=1e-9)
    assert 0 < there.low <= there.value <= there.high
    assert astuple(factor(rule, a, a)) == (1, 1, 1)


@given(st.sampled_from(("logic", "sram", "wire", "area")), anywhere, anywhere, anywhere)
def test_a_detour_changes_no_value(rule, a, b, c):
    assert factor(rule, a, b).value * factor(rule, b, c).value == pytest.approx(factor(rule, a, c).value, rel=1e-9)


@given(st.sampled_from(("logic", "sram", "wire")), inside(), st.floats(0, 1))
def test_a_lower_supply_never_costs_more(rule, at, share):
    lowest = voltages(at.node_nm)[0]
    lower = Point(at.node_nm, lowest + share * (at.voltage_v - lowest))
    assert factor(rule, at, lower).value <= 1 + 1e-12


@given(st.sampled_from(("logic", "sram", "leakage", "area")), inside(), st.floats(0, 1))
def test_a_smaller_node_never_costs_more_at_the_same_supply(rule, at, share):
    smaller = Point(7 * (at.node_nm / 7) ** share, at.voltage_v)
    if voltages(smaller.node_nm)[0] <= smaller.voltage_v <= voltages(smaller.node_nm)[2]:
        assert factor(rule, at, smaller).value <= 1 + 1e-12


@settings(deadline=None, max_examples=25)
@given(inside(10, 65), inside(10, 65))
def test_a_chip_moved_away_and_back_is_the_chip(first, second):
    moved = REFERENCE.at(*first)
    back = {"technology.node_nm": 28.0, "technology.voltage_v": 0.9, "technology.scaling": "none"}
    assert moved.replace(back) == REFERENCE
    # By a detour it is the same chip, with the same bounds: nothing accumulates.
    assert REFERENCE.at(*second).at(*first) == moved
    for section in ("energy", "static", "area"):
        for row in moved.price_rows(section):
            value, low, high = (n for k, n in sorted(row.items(), key=lambda kv: kv[0].startswith(("low", "high"))) if k.endswith(("_pj", "_uw", "_um2")))  # fmt: skip
            assert 0 <= min(low, high) <= value <= max(low, high)


@settings(deadline=None, max_examples=25)
@given(inside(10, 65), st.integers(1, 2048), st.integers(1, 2048))
def test_larger_memories_never_read_cheaper_at_any_node(at, small, large):
    small, large = sorted((small, large))
    chips = [REFERENCE.at(*at).replace({"core.weight_memory.kib": kib}) for kib in (small, large)]
    reads, leaks, areas = zip(
        *(
            (
                c.energy_price("weight_read").value_pj,
                c.static_price("core_leakage").value_uw,
                chip_area(c).total.value_mm2,
            )
            for c in chips
        ),
        strict=True,
    )
    assert all(small <= large for small, large in (reads, leaks, areas))


def test_rows_say_where_they_come_from():
    moved = REFERENCE.at(7, 0.7)
    assert [(r["node_nm"], r["voltage_v"]) for r in moved.price_rows()] == [
        (28, 0.9) if name in ("io_bit", OFF_CHIP) else (7, 0.7) for name in (*ACTION_NAMES, OFF_CHIP, PACKING)
    ]
    rows = {row["action"]: row["source"] for row in moved.price_rows()}
    # HP: 0.04782/0.3618. Low: LP, 28 nm half-way to 32: 0.042455/0.4534. High, half-way to 20 nm: HP 0.04782/0.2696 = 0.1774,
    # LP 0.042455/0.2431 = 0.1746, so 0.1774²/0.1746.
    assert rows["accumulate"].endswith("; scaled from 28 nm 0.9 V by Stillmaker-Baas 2017: x0.132 (x0.0936 to x0.18)")
    assert rows["io_bit"].endswith("; not scaled from 28 nm 0.9 V")
    assert (
        rows["link_flit"]
        .split("; ")[-1]
        .startswith("scaled from 28 nm 0.9 V by V², wires not shrinking per mm: x0.605")
    )
    assert "scaled from 28 nm by Stillmaker-Baas 2017 area" in moved.price_rows("area")[0]["source"]
    assert REFERENCE.price_rows()[4]["source"] == REFERENCE.energy["accumulate"].source


def test_every_price_of_a_moved_chip_is_the_published_one_times_its_rules_factor():
    moved, before, after = REFERENCE.at(14, 0.7), Point(28, 0.9), Point(14, 0.7)
    memories = {"axon_lookup", "weight_read", "weight_write", "state_read", "state_write"}
    for action in ACTION_NAMES:
        rule = "sram" if action in memories else {"link_flit": "wire", "io_bit": "none"}.get(action, "logic")
        was, now, by = REFERENCE.energy_price(action), moved.energy_price(action), factor(rule, before, after)
        assert astuple(now) == pytest.approx((was.value_pj * by.value, was.low_pj * by.low, was.high_pj * by.high))
    for term in STATIC_UNITS:
        rule = "leakage" if term.endswith("_uw") else "logic"
        assert astuple(moved.static_price(term))[0] == pytest.approx(
            astuple(REFERENCE.static_price(term))[0] * factor(rule, before, after).value
        )
    # 28 nm lies between 20 and 32 nm: 0.21 ** 0.2841 * 0.46 ** 0.7159 = 0.368.
    assert chip_area(moved).total.value_mm2 == pytest.approx(
        chip_area(REFERENCE).total.value_mm2 * 0.17 / 0.36814, rel=1e-4
    )


def test_published_rows_of_different_nodes_mix_where_the_file_says_so(tmp_path):
    row = "{energy_pj: 10, low_pj: 9, high_pj: 12, source: x, node_nm: 45, voltage_v: 0.9%s}"
    path = tmp_path / "c.yaml"
    path.write_text(
        "base: reference\ntechnology: {scaling: stillmaker-baas-2017}\nenergy:\n"
        f"  compare: {row % ''}\n  accumulate: {row % ', technology: none'}\n  encode: {row % ', technology: wire'}\n"
        "  packet: {energy_pj: 3, low_pj: 2, high_pj: 4, source: ours}\n"
    )
    chip, to_28 = load_chip(path), energy_factor(BASE, Point(28, 0.9))
    assert astuple(chip.energy_price("compare")) == pytest.approx((10 * to_28.value, 9 * to_28.low, 12 * to_28.high))
    assert chip.energy_price("accumulate").value_pj == chip.energy_price("encode").value_pj == 10
    assert chip.energy_price("weight_read") == REFERENCE.energy_price("weight_read")
    # A price without a node is one at the chip's, also where the file moves the chip.
    path.write_text(path.read_text().replace("{scaling:", "{node_nm: 7, voltage_v: 0.7, scaling:"))
    assert astuple(load_chip(path).energy_price("packet")) == (3, 2, 4)


def test_prices_are_fields_and_what_is_given_says_so():
    chip = REFERENCE.replace({"energy.compare.energy_pj": "0.1", "noc.columns": 4})
    assert astuple(chip.energy_price("compare")) == (0.1, 0.1, 0.1)
    assert chip.energy["compare"].source == "given in a change of the chip"
    assert chip.replace({"core.threshold_unit.register_bits": 12}).energy_price("compare").value_pj == 0.1
    assert chip.field("energy.compare.energy_pj") == 0.1
    given = {
        "static.core_leakage_uw.power_uw": 5,
        "static.core_leakage_uw.high_uw": 9,
        "static.core_leakage_uw.source": "our lab",
    }
    row = REFERENCE.replace(given).static.core_leakage_uw
    assert (row.bounds(), row.source) == ((5, 5, 9), "our lab")
    wider = REFERENCE.replace({"area.router.high_um2": 20_000}, origin="said so")
    assert wider.area["router"].bounds() == (7302, 4934, 20_000)
    assert wider.area["router"].source.endswith("; high_um2 said so")
    # A price that is given holds at the node that is given with it.
    moved = REFERENCE.at(7, 0.7).replace({"energy.compare.energy_pj": 0.1})
    assert moved.energy_price("compare").value_pj == 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy.compar.energy_pj": 1}, "no such price in energy, found 'compar', .*did you mean 'compare'"),
        ({"energy.compare": 1}, "no such field of a price, expected one of energy.compare.source"),
        ({"energy.compare.energy_nj": 1}, r"an energy in nJ, expected energy_pj, in pJ \(1 nJ = 1000 pJ\)"),
        ({"energy.compare.energy_pj": -1}, "energy.compare.energy_pj: found -1, expected a number from 0"),
        ({"energy.compare.low_pj": 1}, "bounds are not in order"),
        ({"energy.compare.source": " "}, "energy.compare.source: found ' '"),
    ],
)
def test_prices_that_cannot_be_given(changes, message):
    with pytest.raises(ChipError, match=message):
        REFERENCE.replace(changes)


def test_what_has_no_meaning_is_refused_and_what_is_doubtful_is_warned_of():
    for arguments, message in (
        ((28, 0.2), "technology.voltage_v: found 0.2, expected a number > 0.2"),
        ((0.5, 0.9), "technology.node_nm: found 0.5, expected a number from 1 to 250"),
        (
            (180, 0.6),
            "technology.voltage_v: the energy polynomial of stillmaker-baas-2017 is not above 0 at 180 nm 0.6 V",
        ),
    ):
        with pytest.raises(ChipError, match=message):
            REFERENCE.at(*arguments)
    with pytest.raises(ChipError, match="clock: found 'scaled', expected 'keep' or 'scale'"):
        REFERENCE.at(7, 0.7, clock="scaled")
    assert REFERENCE.technology_warnings == REFERENCE.at(7, 0.7).technology_warnings == ()
    assert REFERENCE.at(28, 0.9) is REFERENCE
    [node] = REFERENCE.at(5, 0.7).technology_warnings
    assert node.startswith("prices: 5 nm is outside the 7 to 180 nm of Stillmaker-Baas 2017")
    [supply] = REFERENCE.at(7, 0.9).technology_warnings
    assert supply.startswith("prices: 0.9 V at 7 nm is outside the 0.5 to 0.77 V (nominal 0.7 V)")


def test_outside_the_range_bounds_reach_further():
    def spread(at):
        found = energy_factor(Point(20, 0.9), at)
        return found.high / found.low

    assert spread(Point(5, 0.7)) > spread(Point(7, 0.7))
    assert spread(Point(20, 0.3)) > spread(Point(20, 0.5))


def test_the_clock_stays_with_a_warning_or_scales():
    slow = REFERENCE.at(voltage_v=0.7)
    slower = delay_factor(Point(28, 0.9), Point(28, 0.7))
    assert slower > 1
    assert slow.clock_mhz == 400
    [warning] = slow.technology_warnings
    assert warning.startswith("clock: logic at 28 nm 0.7 V is")
    assert f"{400 / slower:.3g} MHz is what can be met" in warning
    scaled = REFERENCE.at(voltage_v=0.7, clock="scale")
    assert scaled.clock_mhz == pytest.approx(400 / slower)
    assert scaled.technology_warnings == ()
    assert scaled.at(voltage_v=0.9, clock="scale").clock_mhz == pytest.approx(400)


def test_a_run_on_a_moved_chip_warns_and_is_priced_like_the_same_counts():
    network = chain([6, 5, 3])
    inputs = random_inputs(network, 1, 2)
    given = {"inputs": inputs, "baselines": (), "fidelity": "analytic"}
    moved = estimate(network, REFERENCE.at(5, 0.7), **given)
    assert any("5 nm is outside" in text for text in moved.as_json()["warnings"])
    assert "5 nm is outside" in " ".join(moved.summary().split())
    here = estimate(network, REFERENCE, **given)
    again = price(here.result, REFERENCE.at(5, 0.7))
    assert again.total == moved.cost.total
    assert any("brought there by" in text for text in moved.as_json()["coverage"]["not_counted"])
    assert not any("brought there by" in text for text in here.as_json()["coverage"]["not_counted"])


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 1000), inside(10, 65))
def test_energy_is_linear_in_counts(times, at):
    result = _result()
    chip = REFERENCE.at(*at)
    more = replace(result, actions=replace(result.actions, core=result.actions.core * times))
    once, often = price(result, chip).by_action(), price(more, chip).by_action()
    for action in ("accumulate", "weight_read", "compare", "packet"):
        assert astuple(often[action]) == tuple(times * part for part in astuple(once[action]))


def _result():
    network = chain([6, 5, 3])
    return estimate(network, REFERENCE, random_inputs(network, 1, 2), baselines=(), fidelity="analytic").result
