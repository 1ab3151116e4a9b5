"""The chip as an object: presets, bases, replace, prices that follow the configuration, areas."""

import re
import subprocess
import sys
from math import isclose
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES, OFF_CHIP, PACKING, STATIC_TERMS
from sfnhw.chip import (
    Power,
    Price,
    chip_area,
    core_area,
    load_chip,
    preset_names,
    threshold_overhead_area,
)
from sfnhw.chip.describe import tables, with_tables
from sfnhw.chip.load import build
from sfnhw.errors import ChipConflictError, ChipError
from sfnhw.numerics import Numerics

REFERENCE = load_chip("reference")
WIDTHS = {
    "core.weight_memory.kib": st.integers(1, 65536),
    "core.weight_memory.word_bits": st.integers(16, 1024),
    "core.state_memory.kib": st.integers(1, 65536),
    "core.state_memory.word_bits": st.integers(48, 1024),
    "core.accumulator_bits": st.integers(8, 48),
    "core.weight_bits": st.integers(2, 16),
    "core.decode_bits": st.integers(1, 16),
    "core.axons": st.integers(1, 1 << 20),
    "core.threshold_unit.register_bits": st.integers(2, 32),
    "noc.flit_bits": st.integers(13, 1024),
    "noc.link_mm": st.floats(0.01, 100),
    "noc.virtual_channels": st.integers(1, 64),
    "core.synapse_lanes": st.integers(1, 1024),
}
OTHERS = {
    "clock_mhz": st.floats(0.1, 10_000),
    "noc.columns": st.integers(1, 1024),
    "noc.rows": st.integers(1, 1024),
    "noc.cast": st.sampled_from(["multicast", "unicast"]),
    "core.threshold_unit.kind": st.sampled_from(["parallel", "serial", "binary-search", "uniform", "power-of-two"]),
    "core.threshold_unit.sharing": st.sampled_from(["population", "channel", "core", "neuron"]),
    "execution.mode": st.sampled_from(["dataflow", "barrier"]),
    "execution.gate_idle_cores": st.booleans(),
}
ALL = {**WIDTHS, **OTHERS}


def countable(new):
    """Whether the smallest price, a router's least leakage in one cycle, is half an attojoule or more: else refused.

    0.02389 µW at 32-bit flits and 4 virtual channels, exponents 0.929 and 0.828; 1 µW for a cycle of f MHz is 1/f pJ.
    """
    flits, channels = new.get("noc.flit_bits", 32), new.get("noc.virtual_channels", 4)
    microwatts = 0.02389 * (flits / 32) ** 0.929 * (channels / 4) ** 0.828
    return microwatts / new.get("clock_mhz", 400) > 0.501e-6


changes = (
    st.lists(st.sampled_from(sorted(ALL)), unique=True)
    .flatmap(lambda names: st.fixed_dictionaries({name: ALL[name] for name in names}))
    .filter(countable)
)


def test_a_chip_whose_leakage_rounds_to_nothing_is_refused():
    """The other side of `countable`: 0.02389 · 0.433 · 0.317 = 0.00328 µW at 6,700 MHz is 0.49 aJ a cycle."""
    smallest = {"noc.flit_bits": 13, "noc.virtual_channels": 1}
    with pytest.raises(ChipError, match="router_leakage_uw: rounds to nothing"):
        REFERENCE.replace({**smallest, "clock_mhz": 6700.0})
    assert REFERENCE.replace({**smallest, "clock_mhz": 6400.0}).clock_mhz == 6400.0


def test_the_reference():
    assert "reference" in preset_names()
    assert REFERENCE.cores == 64
    assert REFERENCE.numerics == Numerics(8, 8, 24, 24, "saturate")
    assert REFERENCE.schema_version == 1
    assert REFERENCE.io.router == (0, 0)
    assert len(REFERENCE.not_modelled) > 0


@settings(deadline=None)  # the machine may be busy
@given(changes)
def test_replace_validates_and_comes_back(new):
    chip = REFERENCE.replace(new)
    assert {name: chip.field(name) for name in new} == new
    after = chip.fields()
    untouched = {name: value for name, value in REFERENCE.fields().items() if name not in new}
    assert {name: after[name] for name in untouched} == untouched
    back = chip.replace({name: REFERENCE.field(name) for name in new})
    assert back == REFERENCE
    assert back.fingerprint() == REFERENCE.fingerprint()
    assert (chip.fingerprint() == REFERENCE.fingerprint()) == (chip == REFERENCE)


# Values that may not do: bounds out of order, leakage that rounds to nothing, rows of another node or supply.
DOUBTFUL = {
    **ALL,
    "technology.node_nm": st.sampled_from([28.0, 22.0]),
    "technology.voltage_v": st.sampled_from([0.9, 0.21]),
    "technology.scaling": st.sampled_from(["none", "stillmaker-baas-2017"]),
    "static.gate_leakage_uw.power_uw": st.sampled_from([1e-9, 1e-3]),
    "energy.compare.high_pj": st.sampled_from([0.0, 10.0]),
    "area.gate_equivalent.area_um2": st.sampled_from([0.0, 1e3]),
}
doubtful = st.lists(st.sampled_from(sorted(DOUBTFUL)), unique=True, max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: DOUBTFUL[name] for name in names})
)


def outcome(make):
    """Why the chip that `make` makes cannot be, or None, and the chip."""
    try:
        return None, make()
    except ChipConflictError as error:
        return str(error), error.chip


@settings(deadline=None)  # the machine may be busy
@given(doubtful, doubtful)
def test_what_is_remembered_of_checked_rows_is_what_checking_them_finds(first, second):
    """A chip made of plain values has rows of its own, of which nothing is known yet."""
    chip = REFERENCE
    for new in (first, second):
        found = outcome(lambda chip=chip, new=new: chip.replace(new))
        chip = found[1]
        assert found == outcome(lambda chip=chip: build(chip.model_dump()))


def test_a_row_that_was_sound_is_checked_where_the_fields_that_it_follows_differ():
    """The numbers of `test_a_chip_whose_leakage_rounds_to_nothing_is_refused`, one change after the other."""
    fast, small = REFERENCE.replace({"clock_mhz": 6700.0}), {"noc.flit_bits": 13, "noc.virtual_channels": 1}
    assert fast.static.router_leakage_uw is REFERENCE.static.router_leakage_uw
    with pytest.raises(ChipError, match="router_leakage_uw: rounds to nothing"):
        fast.replace(small)
    with pytest.raises(ChipError, match="router_leakage_uw: rounds to nothing"):
        REFERENCE.replace(small).replace({"clock_mhz": 6700.0})


def test_rows_that_a_change_leaves_are_shared():
    chip = REFERENCE.replace({"noc.columns": 4, "energy.compare.energy_pj": 0.1})
    assert {name for name, row in chip.energy.items() if row is not REFERENCE.energy[name]} == {"compare"}
    assert all(row is REFERENCE.area[name] for name, row in chip.area.items())
    assert chip.energy is not REFERENCE.energy


@settings(deadline=None)  # the machine may be busy
@given(changes)
def test_text_is_read_as_yaml(new):
    as_text = {name: str(value).lower() for name, value in new.items()}
    assert REFERENCE.replace(as_text) == REFERENCE.replace(new)


@settings(deadline=None)  # the machine may be busy
@given(changes)
def test_prices_are_finite_and_in_order_everywhere(new):
    chip = REFERENCE.replace(new)
    for action in ACTION_NAMES:
        price = chip.energy_price(action)
        assert 0 <= price.low_pj <= price.value_pj <= price.high_pj < float("inf")


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(sorted(WIDTHS)), st.data())
def test_more_of_anything_never_costs_less(name, data):
    small, large = sorted((data.draw(WIDTHS[name]), data.draw(WIDTHS[name])))
    less, more = REFERENCE.replace({name: small}), REFERENCE.replace({name: large})
    for action in ACTION_NAMES:
        assert less.energy_price(action).value_pj <= more.energy_price(action).value_pj
    assert chip_area(less).total.value_mm2 <= chip_area(more).total.value_mm2


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 4096), st.integers(1, 4096))
def test_the_power_law_is_one(first, second):
    """Twice the memory is dearer by the same factor wherever one starts: E(a b) E(1) = E(a) E(b)."""

    def read(kib):
        return REFERENCE.replace({"core.weight_memory.kib": kib}).energy_price("weight_read").value_pj

    both = read(first * second) if first * second <= 65536 else None
    assert both is None or isclose(both * read(1), read(first) * read(second), rel_tol=1e-9)


def test_a_link_of_half_a_flit_and_twice_the_length_costs_the_same():
    chip = REFERENCE.replace({"noc.flit_bits": 16, "noc.link_mm": 2.0})
    assert chip.energy_price("link_flit") == REFERENCE.energy_price("link_flit")


def test_static_terms_by_either_name():
    assert isinstance(REFERENCE.static_price("core_leakage"), Power)
    assert isinstance(REFERENCE.static_price("core_clock"), Price)
    for term in STATIC_TERMS:
        unit = "uw" if "leakage" in term else "pj"
        assert REFERENCE.static_price(term) == REFERENCE.static_price(f"{term}_{unit}")


def test_price_rows():
    rows = REFERENCE.price_rows()
    assert [row["action"] for row in rows] == [*ACTION_NAMES, OFF_CHIP, PACKING]
    assert set(rows[0]) == {"action", "energy_pj", "low_pj", "high_pj", "source", "node_nm", "voltage_v", "meaning"}
    wide = {row["action"]: row for row in REFERENCE.replace({"noc.flit_bits": 64}).price_rows()}
    assert wide["link_flit"]["energy_pj"] == pytest.approx(2 * REFERENCE.energy_price("link_flit").value_pj)
    assert {row["term"] for row in REFERENCE.price_rows("static")} == {
        "core_leakage_uw",
        "gate_leakage_uw",
        "router_leakage_uw",
        "core_clock_pj",
        "router_clock_pj",
    }
    assert all(
        row["source"] and row["meaning"] for section in ("static", "area") for row in REFERENCE.price_rows(section)
    )


def test_a_base_gives_what_a_file_leaves_out(tmp_path):
    (tmp_path / "small.yaml").write_text("base: reference\nname: small\nnoc:\n  columns: 2\n  rows: 3\n")
    (tmp_path / "smaller.yaml").write_text("base: small.yaml\nnoc:\n  rows: 1\ncore:\n  weight_bits: 4\n")
    chip = load_chip(tmp_path / "smaller.yaml")
    assert (chip.name, chip.noc.columns, chip.noc.rows, chip.core.weight_bits) == ("smaller", 2, 1, 4)
    expected = REFERENCE.replace(
        {
            "name": "smaller",
            "description": "based on small.yaml",
            "noc.columns": 2,
            "noc.rows": 1,
            "core.weight_bits": 4,
        }
    )
    assert chip == expected


def test_a_price_of_ones_own_follows_only_what_it_names(tmp_path):
    row = (
        "base: reference\nenergy:\n  weight_read:\n    energy_pj: 5\n    low_pj: 4\n    high_pj: 6\n    source: mine\n"
    )
    (tmp_path / "c.yaml").write_text(row)
    chip = load_chip(tmp_path / "c.yaml")
    assert chip.replace({"core.weight_memory.kib": 128}).energy_price("weight_read") == Price(5, 4, 6)
    assert chip.energy["weight_read"].node_nm == 28
    (tmp_path / "d.yaml").write_text(
        row + "    at: {core.weight_memory.kib: 32}\n    scaling: {core.weight_memory.kib: 1}\n"
    )
    # 64 KiB in the reference, priced at 32: twice.
    assert load_chip(tmp_path / "d.yaml").energy_price("weight_read") == Price(10, 8, 12)


def test_a_price_that_the_base_does_without_holds_at_the_files_node(tmp_path):
    """Optional rows: a link of a column, and gates that leak; truenorth (28 nm, 0.775 V) has neither."""
    (tmp_path / "new.yaml").write_text(
        """
base: truenorth
energy: {link_flit_vertical: {energy_pj: 9, low_pj: 1, high_pj: 10, source: mine}}
static: {gate_leakage_uw: {power_uw: 0.25, low_uw: 0.125, high_uw: 0.5, source: mine}}
"""
    )
    chip, base = load_chip(tmp_path / "new.yaml"), load_chip("truenorth")
    assert chip.link_price(vertical=True) == Price(9, 1, 10)
    assert chip.link_price(vertical=False) == base.link_price(vertical=False) == base.link_price(vertical=True)
    assert chip.static_price("gate_leakage") == Power(0.25, 0.125, 0.5)
    for row in (chip.energy["link_flit_vertical"], chip.static.gate_leakage_uw):
        assert (row.node_nm, row.voltage_v) == (base.technology.node_nm, base.technology.voltage_v)

    changes = {"energy.link_flit_vertical.energy_pj": 9, "static.gate_leakage_uw.power_uw": "0.25"}
    changed = base.replace(changes)
    assert (changed.link_price(True), changed.static_price("gate_leakage")) == (Price(9, 9, 9), Power(0.25, 0.25, 0.25))
    for name, value in {"static.gate_leakage_uw.low_uw": 0, "energy.link_flit_vertical.source": "mine"}.items():
        with pytest.raises(ChipError, match=r"this chip has no such price, expected .*(power_uw|energy_pj) with it"):
            base.replace({name: value})
        with pytest.raises(ChipError, match=rf"^{re.escape(name)}: this chip has no such price"):
            base.field(name)


def test_factors_multiply_by_choice(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("base: reference\nenergy:\n  packet:\n    factors: {noc.cast: {unicast: 3}}\n")
    chip, before = load_chip(path), REFERENCE.energy_price("packet").value_pj
    assert chip.energy_price("packet").value_pj == before
    assert chip.replace({"noc.cast": "unicast"}).energy_price("packet").value_pj == pytest.approx(3 * before)


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "c.yaml"
    for columns in (2, 16):
        path.write_text(f"base: reference\nnoc:\n  columns: {columns}\n")
        assert load_chip(path).noc.columns == columns


def test_the_area_of_the_chip_is_that_of_its_parts():
    area, core = chip_area(REFERENCE), core_area(REFERENCE)
    assert area.total.value_mm2 == pytest.approx(64 * sum(part.value_mm2 for part in core.values()))
    assert set(area.components) == set(core)
    for part in core.values():
        assert 0 <= part.low_mm2 <= part.value_mm2 <= part.high_mm2
    # By hand: 64 KiB at 0.166 µm²/bit = 0.0871 mm², and 64 registers x 24 bits x 8 gates x 0.29526 µm² = 0.00363 mm².
    assert core["weight_memory"].value_mm2 == pytest.approx(0.0871, rel=0.01)
    assert core["threshold_registers"].value_mm2 == pytest.approx(0.00363, rel=0.01)


def test_overhead_of_eight_thresholds_by_hand():
    # Parallel, 24 bits: 7 comparators more, of 22 full bits at 5.94 gates, 7 words of select at 24 x 0.39, and an encoder
    # of 8 edges and 13 ones (in 1 .. 8) at 1.32: 915 + 66 + 28 = 1008 gates; registers 7 x 24 x 8 = 1344.
    over = threshold_overhead_area(REFERENCE, 8)
    assert over["threshold_unit"].value_mm2 == pytest.approx(1008 * 0.29526e-6, rel=0.01)
    assert over["threshold_registers"].value_mm2 == pytest.approx(1344 * 0.29526e-6, rel=0.01)
    # A leading-one detector is smaller than a programmable comparator.
    two = threshold_overhead_area(REFERENCE.replace({"core.threshold_unit.kind": "power-of-two"}), 8)
    assert two["total"].value_mm2 < 0


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from(["parallel", "serial", "binary-search", "uniform", "power-of-two"]),
    st.integers(1, 63),
    st.booleans(),
    st.integers(1, 64),
)
def test_more_thresholds_never_take_less_area(kind, thresholds, signed, groups):
    chip = REFERENCE.replace({"core.threshold_unit.kind": kind})
    few, many = (threshold_overhead_area(chip, n, signed, groups)["total"] for n in (thresholds, thresholds + 1))
    # One threshold is a comparator with any threshold, which a leading-one detector is smaller than.
    assert few.value_mm2 <= many.value_mm2 or (kind == "power-of-two" and thresholds == 1)
    assert few.low_mm2 <= few.value_mm2 <= few.high_mm2


def test_the_documentation_is_that_of_the_schema():
    page = Path(__file__).resolve().parent.parent / "docs" / "chip.md"
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run: python -m sfnhw.chip.describe docs/chip.md"
    assert all(f"`{name}`" in tables() for name in REFERENCE.fields())


def test_loading_a_chip_imports_neither_torch_nor_numba():
    code = (
        "import sys; from sfnhw.chip import load_chip; load_chip('reference');"
        "print([m for m in ('torch', 'numba', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_derived_chip_does_not_carry_its_bases_description(tmp_path):
    (tmp_path / "small.yaml").write_text("base: reference\nnoc: {columns: 4, rows: 4}\n")
    (tmp_path / "told.yaml").write_text("base: small.yaml\ndescription: four by four\n")
    assert load_chip(tmp_path / "small.yaml").description == "based on reference"
    assert load_chip(tmp_path / "told.yaml").description == "four by four"
