"""A threshold unit in figures: by hand at the reference's prices, its laws, and the command that prints them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip, scale_figures, unit_figures
from sfnhw.chip.threshold_unit import KINDS
from sfnhw.cli import main
from sfnhw.errors import ChipError, InputError

REFERENCE = load_chip("reference")
SHARINGS = ("population", "channel", "core", "neuron")


def pj(action):
    return REFERENCE.energy_price(action).value_pj


def test_eight_thresholds_by_hand():
    found = unit_figures(REFERENCE, 8)
    assert (found.register_bits, found.memory_bits, found.comparators) == (8 * 24, 0, 8)
    work = pj("neuron_update") + 8 * pj("compare") + 8 * pj("threshold_read") + pj("encode")
    assert found.energy.value_pj == pytest.approx(work)
    # 8 edges and the 13 ones of 1 .. 8, at 1.63 two-input gates.
    assert found.encoder_gates == pytest.approx(21 * 1.63)
    assert found.table_area.value_mm2 == pytest.approx(8 * 24 * 8 * 0.2953e-6, rel=1e-3)
    assert found.area.value_mm2 == pytest.approx(found.unit_area.value_mm2 + found.table_area.value_mm2)
    assert found.gates.gates == pytest.approx(sum(g.gates for g in found.parts.values()))


def test_a_table_for_each_neuron_by_hand():
    own, shared = unit_figures(REFERENCE, 8, sharing="neuron"), unit_figures(REFERENCE, 8)
    assert (own.register_bits, own.memory_bits, own.memory_reads) == (0, 256 * 8 * 24, 3.0)
    assert own.update.cycles == 3
    # Three words of state memory in place of eight registers.
    more = own.energy.value_pj - shared.energy.value_pj
    assert more == pytest.approx(3 * pj("state_read") - 8 * pj("threshold_read"))
    # A 16 KiB, 128-bit SRAM read of 8 thresholds of 16 bits took 10.8 pJ at 45 nm, 5.6 pJ at 28 nm (x0.518). Here 192 bits
    # are read, of a smaller memory, word by word.
    sixteen = unit_figures(REFERENCE, 8, sharing="neuron", width_bits=16)
    assert sixteen.memory_reads == 2
    assert sixteen.memory_reads * pj("state_read") == pytest.approx(10.8 * 0.518, rel=0.1)
    # As registers they would be 14 times larger.
    as_registers = unit_figures(REFERENCE, 8, sharing="channel")
    assert as_registers.register_bits == own.memory_bits
    assert 14 < as_registers.table_area.value_mm2 / own.table_area.value_mm2 < 15


def test_channels_and_neurons_may_be_fewer_than_the_core_holds():
    assert unit_figures(REFERENCE, 8, sharing="channel", neurons=100, channels=10).register_bits == 80 * 24
    assert unit_figures(REFERENCE, 8, sharing="neuron", neurons=100, channels=10).memory_bits == 800 * 24
    with pytest.raises(InputError, match=r"neurons: found 5, expected 10 or more"):
        unit_figures(REFERENCE, 8, neurons=5, channels=10)
    with pytest.raises(InputError, match=r"thresholds: found 0, expected 1 or more"):
        unit_figures(REFERENCE, 0)
    with pytest.raises(ChipError, match=r"core.threshold_unit.kind: found 'fast'"):
        unit_figures(REFERENCE, 8, kind="fast")


def test_the_scaling_step_by_hand():
    assert scale_figures(REFERENCE, "folded").energy.value_pj == 0
    assert scale_figures(REFERENCE, "folded").gates.gates == 0
    # 24 bits: 8 rows of 23 adders; 5 rows of 24 multiplexers; 24 flip-flops each.
    assert scale_figures(REFERENCE, "multiply").gates.gates == pytest.approx(8 * 23 * 6.2 + 24)
    assert scale_figures(REFERENCE, "shift").gates.gates == pytest.approx(5 * 24 * 2.6 + 24)
    assert scale_figures(REFERENCE, "multiply").energy == REFERENCE.energy_price("requantise")
    # 5 stages of 24 bits; a stage of the synapse's shifter is as wide as a weight, 8 bits.
    assert scale_figures(REFERENCE, "shift").energy.value_pj == pytest.approx(5 * 3 * pj("shift_bit"))
    with pytest.raises(InputError, match="step"):
        scale_figures(REFERENCE, "divide")


units = {
    "kind": st.sampled_from(KINDS),
    "sharing": st.sampled_from(SHARINGS),
    "thresholds": st.integers(1, 40),
    "signed": st.booleans(),
    "width": st.integers(8, 31),
}


@settings(deadline=None, max_examples=60)
@given(**units)
def test_more_thresholds_bits_or_signs_never_cost_less(kind, sharing, thresholds, signed, width):
    def figures(n, s, w):
        return unit_figures(REFERENCE, n, s, kind=kind, sharing=sharing, width_bits=w)

    here = figures(thresholds, signed, width)
    larger = [figures(thresholds, True, width), figures(thresholds, signed, width + 1)]
    if not (kind == "power-of-two" and thresholds == 1):  # a leading-one detector needs no comparator at all
        larger.append(figures(thresholds + 1, signed, width))
    for more in larger:
        assert here.register_bits + here.memory_bits <= more.register_bits + more.memory_bits
        assert here.comparators <= more.comparators
        assert here.encoder_gates <= more.encoder_gates
        assert here.gates.gates <= more.gates.gates
        assert here.energy.value_pj <= more.energy.value_pj * (1 + 1e-12)
        assert here.area.value_mm2 <= more.area.value_mm2 * (1 + 1e-12)
    assert 0 < here.energy.low_pj <= here.energy.value_pj <= here.energy.high_pj
    assert 0 < here.area.low_mm2 <= here.area.value_mm2 <= here.area.high_mm2


@settings(deadline=None, max_examples=30)
@given(**units)
def test_who_shares_more_pays_less(kind, sharing, thresholds, signed, width):
    def bits(name):
        found = unit_figures(REFERENCE, thresholds, signed, kind=kind, sharing=name, width_bits=width, channels=16)
        return found.register_bits + found.memory_bits

    assert bits("core") == bits("population")
    assert bits("channel") == 16 * bits("population")
    assert bits("neuron") == 256 * bits("population")
    assert bits(sharing) >= bits("core")


@pytest.mark.parametrize("kind", KINDS)
def test_one_threshold_costs_what_integrate_and_fire_costs(kind):
    found, plain = unit_figures(REFERENCE, 1, kind=kind), unit_figures(REFERENCE, 1, kind="parallel")
    assert (found.update, found.gates, found.comparators) == (plain.update, plain.gates, plain.comparators)
    assert (found.encoder_gates, found.register_bits) == (0, 24)


def test_the_command_prints_what_the_function_returns(capsys):
    assert main(["threshold-units", "reference", "--thresholds", "1,8", "--signed", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert list(out["units"]) == ["parallel", "serial", "binary-search", "uniform", "power-of-two"]
    assert out["units"]["uniform"][1] == json.loads(
        json.dumps(unit_figures(REFERENCE, 8, True, kind="uniform").as_json())
    )
    assert [row["step"] for row in out["sfn_scaling"]] == ["folded", "shift", "multiply"]
    assert main(["threshold-units"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "parallel (this chip)" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--thresholds", "1,x"], "--thresholds: found '1,x', expected whole numbers from 1 to 1024"),
        (["--thresholds", "0"], "--thresholds: found '0'"),
        (["--sharing", "all"], "core.threshold_unit.sharing: found 'all', expected 'population', 'channel'"),
        (["--width", "40"], "40 is not in the range 8<=x<=32"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, capsys):
    assert main(["threshold-units", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sfnhw: error: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("chip", "said"),
    [
        ("reference", ()),
        ("loihi", ("no network of more than 1 threshold a neuron", "takes 53 cycles on loihi", "no price of its own")),
        ("truenorth", ("no network of more than 1 threshold a neuron", "no price of its own", "no area of their own")),
    ],
)
def test_the_table_says_what_a_chip_does_not_price_time_or_allow(chip, said, capsys):
    assert main(["threshold-units", chip, "--thresholds", "8"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    known = ("no network of more than", "cycles on", "no price of its own", "no area of their own")
    assert all(sentence in text for sentence in said)
    assert sum(sentence in text for sentence in known) == len(said)
