"""What one neuron update costs on each threshold unit: the table of hardware formulas by hand, and its laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import UpdateCost, comparators, registers, update_cost
from sfnhw.chip.threshold_unit import KINDS
from sfnhw.errors import ChipError
from sfnhw.neurons import SFN, ThresholdNeed

OWN_SPACING = {"uniform": "uniform", "power-of-two": "power-of-two"}


def bank(thresholds, signed=False, spacing="free"):
    return ThresholdNeed("bank", thresholds, signed, spacing)


# N = 8: B = ⌈log2 9⌉ = 4.
@pytest.mark.parametrize(
    ("kind", "unsigned", "signed"),
    [
        ("parallel", UpdateCost(1, 8, 8, 1), UpdateCost(1, 16, 16, 1)),
        ("serial", UpdateCost(8, 8, 8, 1), UpdateCost(16, 16, 16, 1)),
        ("binary-search", UpdateCost(5, 4, 4, 1), UpdateCost(5, 5, 4, 1)),
        ("uniform", UpdateCost(5, 4, 1, 1), UpdateCost(5, 5, 1, 1)),
        ("power-of-two", UpdateCost(1, 0, 0, 1), UpdateCost(1, 0, 0, 1)),
    ],
)
def test_eight_thresholds(kind, unsigned, signed):
    spacing = OWN_SPACING.get(kind, "free")
    assert update_cost(kind, bank(8, False, spacing)) == unsigned
    assert update_cost(kind, bank(8, True, spacing)) == signed


@pytest.mark.parametrize("kind", KINDS)
def test_one_threshold_is_integrate_and_fire_on_every_unit(kind):
    assert update_cost(kind, bank(1)) == UpdateCost(cycles=1, compares=1, threshold_reads=1)
    assert update_cost(kind, SFN.uniform(1).need()) == UpdateCost(cycles=1, compares=1, threshold_reads=1)
    assert comparators(kind, bank(1)) == 1
    assert registers(kind, bank(1), 3) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_no_bank(kind):
    assert update_cost(kind, ThresholdNeed("requantise")) == UpdateCost(cycles=1, requantises=1)
    assert update_cost(kind, ThresholdNeed("none")) == UpdateCost(cycles=1)
    assert (registers(kind, ThresholdNeed("requantise"), 5), registers(kind, ThresholdNeed("none"), 5)) == (5, 0)
    assert comparators(kind, ThresholdNeed("requantise")) == 0


def test_registers_and_comparators():
    # Two tables of eight; both signs side by side where the bank is signed, the magnitude alone in a search.
    assert registers("parallel", bank(8), 2) == 16
    assert registers("parallel", bank(8, True), 2) == registers("serial", bank(8, True), 2) == 32
    assert registers("binary-search", bank(8, True), 2) == 16
    assert registers("uniform", bank(8, True, "uniform"), 2) == 2
    assert comparators("parallel", bank(8, True)) == 16
    assert comparators("binary-search", bank(8, True)) == comparators("serial", bank(8)) == 1
    assert comparators("power-of-two", bank(8, False, "power-of-two")) == 0


def test_a_unit_that_cannot_serve_says_which_can():
    with pytest.raises(ChipError) as error:
        update_cost("uniform", bank(8))
    assert str(error.value) == (
        "core.threshold_unit.kind: a 'uniform' threshold unit cannot serve 8 thresholds of free spacing, "
        "expected one of parallel, serial, binary-search"
    )
    with pytest.raises(
        ChipError, match="cannot serve 8 thresholds of uniform spacing, expected one of parallel, serial"
    ):
        registers("power-of-two", bank(8, False, "uniform"), 1)
    with pytest.raises(ChipError, match=r"found 'paralel'.*did you mean 'parallel'"):
        update_cost("paralel", bank(8))


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(KINDS), st.integers(1, 63), st.booleans())
def test_more_thresholds_never_cost_less(kind, thresholds, signed):
    spacing = OWN_SPACING.get(kind, "free")
    few, many = (update_cost(kind, bank(n, signed, spacing)) for n in (thresholds, thresholds + 1))
    if not (kind == "power-of-two" and thresholds == 1):  # a leading-one detector needs no comparator at all
        assert many.compares >= few.compares
        assert many.threshold_reads >= few.threshold_reads or kind == "uniform"
        assert many.cycles >= few.cycles
    assert registers(kind, bank(thresholds + 1, signed, spacing), 1) >= registers(
        kind, bank(thresholds, signed, spacing), 1
    ) or kind in ("uniform", "power-of-two")


@settings(deadline=None)  # the machine may be busy
@given(st.integers(2, 64), st.booleans())
def test_units_agree_about_the_work(thresholds, signed):
    need = bank(thresholds, signed)
    parallel, serial, search = (update_cost(kind, need) for kind in ("parallel", "serial", "binary-search"))
    # A serial unit does the same comparisons one after the other; a search never does more, in log N cycles.
    assert (serial.compares, serial.threshold_reads) == (parallel.compares, parallel.threshold_reads)
    assert serial.cycles == serial.compares
    assert search.compares <= parallel.compares
    # A comparison tells two outcomes apart, so B of them must tell N + 1 apart, and B − 1 must not.
    bits = search.threshold_reads
    assert 2**bits >= thresholds + 1 > 2 ** (bits - 1)
