"""Every price of the reference chip worked out again from the raw numbers of its sources.

Raw numbers: synthesis of this project (yosys, Nangate45, 45 nm, 1.1 V; fJ), CACTI 7 (pJ), published chips. Nothing
here is read from the chip file but what is compared.
"""

from math import log

import pytest

from sfnhw.actions import ACTION_NAMES, OFF_CHIP, PACKING
from sfnhw.chip import load_chip
from sfnhw.chip.prices import AREA_TERMS, STATIC_UNITS

CHIP = load_chip("reference")


def polynomial(a, b, c):
    """Stillmaker and Baas 2017: energy of a node is a V² + b V + c."""
    return lambda v: a * v * v + b * v + c


HP45, HP32 = polynomial(1.018, -0.3107, 0.1539), polynomial(0.8367, -0.4341, 0.1701)
HP20, HP14 = polynomial(0.373, -0.1582, 0.04104), polynomial(0.2363, -0.09675, 0.02239)


def between(node, low_node, high_node, low, high):
    """Interpolate log(value) linearly in log(node)."""
    share = log(high_node / node) / log(high_node / low_node)
    return high ** (1 - share) * low**share


def at_28(v):
    """Energy of 28 nm between those of 20 and 32 nm."""
    return between(28, 20, 32, HP20(v), HP32(v))


def cacti(at_32, at_22):
    """CACTI value of 28 nm between those of 22 and 32 nm."""
    return between(28, 22, 32, at_22, at_32)


# 0.69885 / 1.04391 and 0.3618 / 0.69885: the x0.67 and x0.518 that every row's source names.
SUPPLY, NODE = HP45(0.9) / HP45(1.1), at_28(0.9) / HP45(0.9)
FULL = SUPPLY * NODE / 1000  # fJ at 45 nm 1.1 V -> pJ at 28 nm 0.9 V
VALUE, LOW = 0.6 * FULL, 0.4 * FULL  # the flow is 1.2 to 2.5 times pessimistic against Horowitz
TRUENORTH_SUPPLY = at_28(0.775) / at_28(0.9)

SRAM_2K32, SRAM_8K32 = cacti(1.21, 0.53), cacti(2.96, 1.82)
SRAM_8K64, SRAM_64K64 = cacti(3.44, 1.59), cacti(12.9, 5.67)
LOP = 13.1 / 25.9  # low-operating-power against low-standby-power cells, 45 nm
HOROWITZ = 1 / 0.6  # Horowitz's memories stand up to this above CACTI
AXONS = (SRAM_2K32 * SRAM_8K32) ** 0.5
WRITE = SRAM_8K64 * 7.88 / 6.14

PER_GATE = 75 / 65  # fJ: the 16-bit comparator's energy over its gates
COMPARE_24 = (4.9 * 24 - 14) / (4.9 * 16 - 14)
FLIP_FLOP = 8.5  # fJ a cycle
ROUTER = (0.77 + 0.0587 * 32) * 1000
ROUTER_PRICE = (ROUTER * FULL, ROUTER * VALUE, 2.3 / TRUENORTH_SUPPLY)
LINK_PRICE = (0.049 * 32 * NODE, 0.0404 * 32 * NODE, 0.049 * 32)
PACKET_PRICE = (SRAM_2K32 + 32 * FLIP_FLOP * FULL, 32 * FLIP_FLOP * VALUE, 1.7 * NODE / (HP14(0.75) / HP45(0.9)))

# Function unit: 24 x 16-bit multiply, 24-bit add, table of 64 (16) segments of 32 bits; SENECA's instructions at 22 nm.
MULTIPLY, MULTIPLY_LOW, ADD = 674 / 56 * 24 * 15, 871 * (24 * 15) / (16 * 7), 311
TABLE, TABLE_LOW = 1.9 * 64 * 32 * PER_GATE, 1.9 * 16 * 32 * PER_GATE
FROM_22 = at_28(0.9) / between(22, 20, 32, HP20(0.8), HP32(0.8))
WEIGHT_WRITE = 19.6 / 25.9

# action -> (value, low, high) in pJ
ENERGY = {
    "weight_write": tuple(
        WEIGHT_WRITE * read for read in (SRAM_64K64, 0.047 * 64 / TRUENORTH_SUPPLY, SRAM_64K64 * HOROWITZ)
    ),
    "gelu": (
        (TABLE + MULTIPLY + ADD) * VALUE,
        (TABLE_LOW + MULTIPLY_LOW + ADD) * LOW,
        (8 * 1.4 + 3.9) * FROM_22,
    ),
    "softmax": (
        (TABLE + 2 * MULTIPLY + 4 * ADD) * VALUE,
        (TABLE_LOW + 2 * MULTIPLY_LOW + 4 * ADD) * LOW,
        (12 * 1.4 + 2 * 3.9) * FROM_22,
    ),
    "layer_norm": (
        (2 * MULTIPLY + 3 * ADD) * VALUE,
        (2 * MULTIPLY_LOW + 3 * ADD) * LOW,
        (6 * 1.4 + 2 * 3.9) * FROM_22,
    ),
    "axon_lookup": (AXONS, AXONS * LOP, AXONS * HOROWITZ),
    # multiplexer of N words x W bits: 1.9 N W gates
    "decode_read": (1.9 * 32 * 8 * PER_GATE * VALUE, 1.9 * 8 * 8 * PER_GATE * LOW, SRAM_2K32),
    "weight_read": (SRAM_64K64, 0.047 * 64 / TRUENORTH_SUPPLY, SRAM_64K64 * HOROWITZ),
    "accumulate": (311 * VALUE, 311 * LOW, 381 * FULL),
    "multiply_bit": (674 / 7 * VALUE, 674 / 7 * LOW, 1248 / 7 * FULL),
    "shift_bit": ((402 - 311) / 3 * VALUE, (402 - 311) / 3 * LOW, (633 - 381) / 3 * FULL),
    "state_read": (SRAM_8K64, SRAM_8K64 * LOP, SRAM_8K64 * HOROWITZ),
    "state_write": (WRITE, WRITE * LOP, WRITE * HOROWITZ),
    "neuron_update": (342 * 1.65 * VALUE, 342 * 1.65 * LOW, 342 * 722 / 589 * 1.65 * FULL),
    # 81 fJ a threshold = comparator + read + an eighth of the encoder of 13 gates
    "threshold_read": ((81 - 75 - 13 * PER_GATE / 8) * 1.5 * VALUE, 0, 268 * PER_GATE * 1.5 * FULL),
    "compare": (75 * COMPARE_24 * VALUE, 0.015 * COMPARE_24 * NODE, (2113 - 722) / 7 * COMPARE_24 * FULL),
    "encode": (13 * PER_GATE * VALUE, 13 * PER_GATE * LOW, 38 * PER_GATE * FULL),
    "requantise": (674 / 56 * 24 * 15 * VALUE, 871 * (24 * 15) / (16 * 7) * LOW, 1248 / 56 * 24 * 15 * FULL),
    "leak": (674 / 56 * 24 * 15 * VALUE, 871 * (24 * 15) / (16 * 7) * LOW, 1248 / 56 * 24 * 15 * FULL),
    "spike": (0, 0, 0),
    "packet": PACKET_PRICE,
    "injection": (0, 0, 0),
    "barrier": tuple(2 * sum(part) for part in zip(PACKET_PRICE, ROUTER_PRICE, LINK_PRICE, strict=True)),
    "router_flit": ROUTER_PRICE,
    "link_flit": LINK_PRICE,
    "io_bit": (2, 1, 640 / 32),
    "off_chip_bit": (640 / 32, 8, 70),
    "packing_flit": (
        32 * FLIP_FLOP * FULL + 32 / 24 * 5 * (402 - 311) / 3 * VALUE,
        32 * FLIP_FLOP * VALUE,
        32 * FLIP_FLOP * FULL + 32 / 24 * 5 * (633 - 381) / 3 * FULL,
    ),
}

NANGATE_NAND2 = 0.798
GATE = tuple(NANGATE_NAND2 * factor for factor in (0.37, 0.25, 0.46))  # area factors of 28, 22 and 32 nm
BIT = (cacti(0.22, 0.10), cacti(0.20, 0.09), cacti(0.24, 0.11))
ROUTER_4VC = 1405 + 190 * 32 + 3 * 20 * 6.38 * 32  # three more times the 20 buffer words
LANE = 185 + 492 + 56 * 5.67
CONTROL = 2 * 252 * 5.67
FUNCTION_UNIT = 9 * 16 * 15 + 2 * 185 + 1.9 * 64 * 32 + 96 * 5.67
# component -> (value, low, high) in µm²
AREA = {
    "weight_memory": tuple(64 * 8192 * bit for bit in BIT),
    "state_memory": tuple(8 * 8192 * bit for bit in BIT),
    "axon_table": tuple(1024 * 32 * bit for bit in BIT),
    "synapse_lane": (LANE * GATE[0], LANE * GATE[1] * 0.85, LANE * GATE[2] * 1.15),
    "function_unit_lane": (FUNCTION_UNIT * GATE[0], FUNCTION_UNIT * GATE[1] * 0.85, FUNCTION_UNIT * GATE[2] * 1.15),
    "control": (CONTROL * GATE[0], CONTROL * GATE[1] / 2, CONTROL * GATE[2] * 2),
    "gate_equivalent": GATE,
    "router": tuple(ROUTER_4VC * factor for factor in (0.37, 0.25, 0.46)),
}

HP_LEAK = cacti(161, 85)
ROUTER_LEAK = 157 * ROUTER_4VC / (1405 + 190 * 32) * 0.37
# term -> (value, low, high) in µW or pJ
STATIC = {
    "core_leakage_uw": (76 * 4, 76 * 0.02, 76 * cacti(20, 9)),
    "gate_leakage_uw": tuple(0.017 * 0.37 * flavour / HP_LEAK for flavour in (4, 0.02, HP_LEAK)),
    "router_leakage_uw": (ROUTER_LEAK * 4 / HP_LEAK, ROUTER_LEAK * 0.02 / HP_LEAK, ROUTER_LEAK),
    "core_clock_pj": (700 * FLIP_FLOP * FULL, 700 * FLIP_FLOP * LOW, 1400 * FLIP_FLOP * FULL),
    "router_clock_pj": (107 * FLIP_FLOP * FULL, 107 * FLIP_FLOP * LOW, 715 * FLIP_FLOP * FULL),
}


def same(row, expected):
    assert row.bounds() == pytest.approx(expected, rel=0.02)


def test_every_row_is_derived_here():
    assert set(ENERGY) == {*ACTION_NAMES, OFF_CHIP, PACKING} == set(CHIP.energy)
    assert set(AREA) == set(AREA_TERMS) == set(CHIP.area)
    assert set(STATIC) == set(STATIC_UNITS)


@pytest.mark.parametrize("action", ENERGY)
def test_energy(action):
    same(CHIP.energy[action], ENERGY[action])


@pytest.mark.parametrize("term", AREA)
def test_area(term):
    same(CHIP.area[term], AREA[term])


@pytest.mark.parametrize("term", STATIC)
def test_static(term):
    same(getattr(CHIP.static, term), STATIC[term])


# CACTI reads at 28 nm from the values of 32 and 22 nm: (KiB, word bits) -> pJ
READS = {
    (2, 32): SRAM_2K32,
    (8, 32): SRAM_8K32,
    (8, 64): SRAM_8K64,
    (32, 64): cacti(8.26, 3.79),
    (64, 32): cacti(9.82, 4.36),
    (64, 64): SRAM_64K64,
    (64, 128): cacti(19.7, 8.97),
    (256, 64): cacti(26.8, 11.9),
    (1024, 64): cacti(52.0, 23.5),
}


@pytest.mark.parametrize(
    ("memory", "action", "error"),
    [("weight_memory", "weight_read", 0.17), ("state_memory", "state_read", 0.25)],
)
def test_a_memory_of_any_size_costs_what_cacti_says_within_the_error_that_the_row_states(memory, action, error):
    for (kib, bits), expected in READS.items():
        chip = CHIP.replace({f"core.{memory}.kib": kib, f"core.{memory}.word_bits": bits})
        assert chip.energy_price(action).value_pj == pytest.approx(expected, rel=error)
        assert f"{error:.0%}".replace("%", " %") in CHIP.energy[action].source


def test_arithmetic_scales_with_its_width_as_synthesised():
    narrow = CHIP.replace({"core.accumulator_bits": 16})
    # Adder: 195 fJ at 16 bits, 311 at 24.
    ratio = narrow.energy_price("accumulate").value_pj / CHIP.energy_price("accumulate").value_pj
    assert ratio == pytest.approx(195 / 311, rel=0.01)
    # Router: 0.77 + 0.0587 F pJ a flit.
    for flit in (16, 64):
        wide = CHIP.replace({"noc.flit_bits": flit})
        ratio = wide.energy_price("router_flit").value_pj / CHIP.energy_price("router_flit").value_pj
        assert ratio == pytest.approx((0.77 + 0.0587 * flit) / (0.77 + 0.0587 * 32), rel=0.055)


def test_the_rows_of_a_parallel_unit_add_up_to_the_synthesised_unit():
    # Parallel unit without clock: 342 + 81 N fJ at 16 bits; at N = 8, 990 fJ.
    chip = CHIP.replace({"core.accumulator_bits": 16, "core.threshold_unit.register_bits": 16})
    price = {
        name: chip.energy_price(name).value_pj for name in ("neuron_update", "compare", "threshold_read", "encode")
    }
    total = price["neuron_update"] + 8 * (price["compare"] + price["threshold_read"]) + price["encode"]
    # The exponents bring the 24-bit rows back to 16 bits.
    assert total == pytest.approx((342 + 8 * 81) * VALUE, rel=0.02)


@pytest.mark.parametrize(
    ("kind", "measured", "flip_flops"),
    [
        # fJ an update with its clock, by B = 1 .. 5 (N = 1, 2, 4, 8, 16); 36 and 21 flip-flops of 8.5 fJ, 1 + B cycles
        ("binary-search", (1663, 2274, 2968, 3863, 4824), 36),
        ("uniform", (1115, 1664, 2140, 2630, 3241), 21),
    ],
)
def test_the_rows_of_a_unit_that_searches_add_up_to_the_synthesised_unit(kind, measured, flip_flops):
    chip = CHIP.replace({"core.accumulator_bits": 16, "core.threshold_unit.register_bits": 16})
    chip = chip.replace({"core.threshold_unit.kind": kind})
    price = {
        name: chip.energy_price(name).value_pj for name in ("neuron_update", "compare", "threshold_read", "encode")
    }
    for bits, femtojoules in enumerate(measured, 1):
        reads = bits if kind == "binary-search" else 1
        total = price["neuron_update"] + bits * price["compare"] + reads * price["threshold_read"] + price["encode"]
        without_clock = femtojoules - flip_flops * FLIP_FLOP * (1 + bits)
        # A line through five points, which are not on one line: within 13 % of each.
        assert total == pytest.approx(without_clock * VALUE, rel=0.13)


def test_power_of_two_nearest_adds_up_to_the_synthesised_unit():
    chip = CHIP.replace({"core.accumulator_bits": 16, "core.threshold_unit.kind": "power-of-two"})
    total = chip.energy_price("neuron_update").value_pj + chip.energy_price("encode").value_pj
    # 317 + 25.3 N fJ without clock; N = 8
    assert total == pytest.approx((317 + 25.3 * 8) * VALUE, rel=0.02)
