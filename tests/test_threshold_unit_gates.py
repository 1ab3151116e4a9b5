"""The gates of threshold units: held to netlists, to another library's synthesis, to hand counts, and to their laws."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import Gates, unit_gates, unit_parts
from sfnhw.chip.gate_model import BLOCKS, FIT_ERROR, amounts, scale_gates
from sfnhw.chip.threshold_unit import KINDS, comparators
from sfnhw.errors import ChipError, InputError
from sfnhw.neurons import ThresholdNeed

MEASURED = Path(__file__).resolve().parent.parent / "benchmarks" / "synthesis" / "measured.json"
ROWS = json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
UNITS = [r for r in ROWS if r["kind"] in KINDS]


def close(model, row, error):
    """Whether both the two-input gates and the gate equivalents of a netlist are met."""
    return model.gates == pytest.approx(row["gates"], rel=error) and model.equivalents == pytest.approx(
        row["gate_equivalents"], rel=error
    )


@pytest.mark.parametrize("row", UNITS, ids=lambda r: f"{r['kind']}-{r['signed']}-{r['thresholds']}-{r['width_bits']}")
def test_the_model_meets_every_netlist(row):
    model = unit_gates(row["kind"], row["thresholds"], row["width_bits"], row["signed"])
    assert close(model, row, 0.15 if row["width_bits"] == 16 else 0.16)
    if row["width_bits"] == 16:
        assert model.equivalents == pytest.approx(row["gate_equivalents"], rel=FIT_ERROR[row["kind"]] + 0.005)


def test_every_kind_sign_and_size_was_synthesised():
    found = {(r["kind"], r["signed"], r["thresholds"]) for r in UNITS if r["width_bits"] == 16}
    assert found == {(kind, signed, n) for kind in KINDS for signed in (False, True) for n in (1, 2, 4, 8, 16, 32)}
    assert {r["width_bits"] for r in UNITS} == {8, 16, 24, 32}


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r["kind"] not in KINDS], ids=lambda r: f"{r['kind']}-{r['width_bits']}"
)
def test_the_scaling_step_meets_its_netlists(row):
    assert close(scale_gates(row["kind"].rpartition(" ")[2], row["width_bits"]), row, 0.08)


# The same units, generated and mapped to Nangate45 by another hand (16 bits): unit and its 16-bit accumulator register of
# 16 × 5.67 = 91 GE, or with its own flip-flops (binary search, uniform). One threshold is plain integrate-and-fire here.
NANGATE45 = {
    ("parallel", False): {2: 365 + 91, 4: 561 + 91, 8: 986 + 91, 16: 1830 + 91},
    ("parallel", True): {1: 402 + 91, 2: 593 + 91, 4: 972 + 91, 8: 1766 + 91, 16: 3409 + 91},
    ("binary-search", False): {2: 606, 4: 686, 8: 824, 16: 1051},
    ("uniform", False): {2: 524, 4: 535, 8: 601, 16: 625},
}


@pytest.mark.parametrize(("kind", "signed"), NANGATE45)
def test_gates_agree_with_units_mapped_to_a_real_library(kind, signed):
    for thresholds, measured in NANGATE45[kind, signed].items():
        assert unit_gates(kind, thresholds, 16, signed).equivalents == pytest.approx(measured, rel=0.12)


def test_power_of_two_agrees_with_another_design_of_it():
    # Signed, nearest level, N = 2, 4, 8, 14: 191, 227, 336 and 423 GE without the register; its detector is a chain.
    for thresholds, measured in {2: 191 + 91, 4: 227 + 91, 8: 336 + 91, 14: 423 + 91}.items():
        assert unit_gates("power-of-two", thresholds, 16, True).equivalents == pytest.approx(measured, rel=0.23)


def test_a_parallel_unit_by_hand():
    # N = 4, W = 16: an adder and a subtractor of 14 full bits, 4 comparators, 4 words of select, 16 flip-flops. The
    # encoder has 4 edges, and 1, 2, 3, 4 = 1, 10, 11, 100 have 5 ones.
    def cost(block):
        return BLOCKS[block]

    expected = cost("adder bit").times(28) + cost("comparator bit").times(56) + cost("select bit").times(64)
    expected = expected + cost("encoder input").times(9) + cost("flip-flop").times(16)
    assert unit_gates("parallel", 4, 16, False).gates == pytest.approx(expected.gates)
    assert unit_gates("parallel", 4, 16, False).equivalents == pytest.approx(expected.equivalents)


@pytest.mark.parametrize("row", UNITS, ids=lambda r: f"{r['kind']}-{r['signed']}-{r['thresholds']}-{r['width_bits']}")
def test_flip_flops_are_counted_not_fitted(row):
    found = sum(
        amount
        for _, block, amount in amounts(row["kind"], row["thresholds"], row["width_bits"], row["signed"])
        if block.startswith("flip-flop")
    )
    assert found == row["flip_flops"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [8, 24, 48])
def test_one_threshold_is_one_comparator_on_every_unit(kind, width):
    assert unit_parts(kind, 1, width, False) == unit_parts("parallel", 1, width, False)
    assert comparators(kind, ThresholdNeed("bank", 1)) == 1


def test_unknown_names():
    with pytest.raises(ChipError, match=r"found 'serail'.*did you mean 'serial'"):
        unit_gates("serail", 8, 16, False)
    with pytest.raises(InputError, match=r"step: found 'rotate', expected 'multiply' or 'shift'"):
        scale_gates("rotate", 16)


units = st.tuples(st.sampled_from(KINDS), st.integers(1, 200), st.integers(8, 47), st.booleans())


@settings(deadline=None)  # the machine may be busy
@given(units)
def test_more_thresholds_bits_or_signs_never_take_fewer_gates(unit):
    kind, thresholds, width, signed = unit
    here = unit_gates(kind, thresholds, width, signed)
    assert 0 < here.gates <= unit_gates(kind, thresholds, width, True).gates
    assert here.equivalents <= unit_gates(kind, thresholds, width, True).equivalents
    more = [unit_gates(kind, thresholds, width + 1, signed)]
    if not (kind == "power-of-two" and thresholds == 1):  # a leading-one detector needs no comparator at all
        more.append(unit_gates(kind, thresholds + 1, width, signed))
    for larger in more:
        assert here.gates <= larger.gates
        assert here.equivalents <= larger.equivalents


@settings(deadline=None)  # the machine may be busy
@given(units)
def test_the_parts_are_the_unit(unit):
    kind, thresholds, width, signed = unit
    parts = unit_parts(kind, thresholds, width, signed)
    whole = unit_gates(kind, thresholds, width, signed)
    assert sum(g.gates for g in parts.values()) == pytest.approx(whole.gates)
    assert sum(g.equivalents for g in parts.values()) == pytest.approx(whole.equivalents)
    assert all(g.gates >= 0 and g.equivalents >= 0 for g in parts.values())
    assert sum(parts.values(), Gates(0, 0)) == whole


@settings(deadline=None)  # the machine may be busy
@given(st.integers(2, 64), st.integers(8, 32))
def test_parallel_buys_cycles_with_gates(thresholds, width):
    """N comparators take more gates than one for each further threshold; the others grow by less."""

    def step(kind):
        return (
            unit_gates(kind, thresholds + 8, width, False).equivalents
            - unit_gates(kind, thresholds, width, False).equivalents
        )

    assert step("parallel") > step("binary-search") > 0
    assert step("parallel") > step("serial") > step("uniform") >= 0
