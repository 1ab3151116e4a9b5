"""The presets of real chips: every price worked out again from the publication, and networks priced by hand."""

from dataclasses import astuple

import numpy as np
import pytest

from sfnhw.actions import ACTION_NAMES, OPTIONAL_ROWS
from sfnhw.chip import chip_area, core_area, load_chip, preset_names
from sfnhw.chip.prices import AREA_TERMS, STATIC_UNITS
from sfnhw.errors import MappingError
from sfnhw.estimate import estimate
from sfnhw.mapping import map_network
from sfnhw.neurons import IF
from tests.networks import chain, random_inputs

TRUENORTH, SENECA = load_chip("truenorth"), load_chip("seneca")

# SENECA, Table 8 (PMC10326429): instruction -> (part of the NPE or the memory array, total) in pJ.
FP16, COMPARE, ABSOLUTE, SHIFT, ROUND = (1.3, 1.4), (1.1, 1.2), (1.0, 1.1), (1.1, 1.2), (1.3, 1.4)
LOAD, STORE = (2.9, 3.7), (3.5, 3.9)
CAPTURE, RISCV, NOC = 0.5 + 1.1, 11.6 + 10, 2.0


def times(*parts):
    """(value, low, high) of instructions: the totals, the NPE's parts, twice the totals."""
    total, part = (sum(count * row[i] for count, row in parts) for i in (1, 0))
    return total, part, 2 * total


PACKET = (CAPTURE + RISCV, CAPTURE, CAPTURE + 5 * RISCV)
SENECA_ENERGY = {
    "axon_lookup": (RISCV, RISCV / 16, 10 * RISCV),
    "decode_read": (0, 0, LOAD[1]),
    "weight_read": times((1, LOAD)),
    "weight_write": times((1, STORE)),
    "accumulate": times((1, FP16)),
    "multiply_bit": (FP16[1] / 7, FP16[0] / 15, FP16[1]),
    "shift_bit": (SHIFT[1] / 3, SHIFT[0] / 7, SHIFT[1]),
    "state_read": (LOAD[1], LOAD[1] / 16, 2 * LOAD[1]),
    "state_write": (STORE[1], STORE[1] / 16, 2 * STORE[1]),
    "neuron_update": (2 * FP16[1], FP16[0], 4 * FP16[1]),
    "threshold_read": (0, 0, LOAD[1]),
    "compare": times((1, COMPARE)),
    "encode": times((1, ABSOLUTE)),
    "requantise": times((1, FP16), (1, ROUND)),
    "gelu": times((8, FP16), (1, LOAD)),
    "softmax": times((12, FP16), (2, LOAD)),
    "layer_norm": times((6, FP16), (2, LOAD)),
    "leak": times((1, FP16)),
    "spike": (0, 0, 0),
    "injection": (0, 0, 0),
    "packet": PACKET,
    "barrier": tuple(2 * (p + n) for p, n in zip(PACKET, (NOC, NOC / 2, 2 * NOC), strict=True)),
    "router_flit": (NOC, NOC / 2, 2 * NOC),
    "link_flit": (0, 0, 0),
    "io_bit": (2, 1, 640 / 32),
}


@pytest.mark.parametrize("action", ACTION_NAMES)
def test_prices_of_seneca_are_its_instructions(action):
    assert SENECA.energy[action].bounds() == pytest.approx(SENECA_ENERGY[action], rel=1e-3)


def test_a_synaptic_operation_of_seneca_with_grouped_spikes_is_the_published_one():
    # A 4-bit weight is a quarter of a 16-bit word; 16 spikes share a load and a store of the state.
    price = {name: SENECA.energy[name] for name in ("weight_read", "accumulate", "state_read", "state_write")}
    states = price["state_read"].low_pj + price["state_write"].low_pj
    total = price["weight_read"].energy_pj / 4 + price["accumulate"].energy_pj + states
    assert total == pytest.approx(2.8, abs=0.005)


def test_what_seneca_does_not_publish_is_brought_from_28_nm():
    reference = load_chip("reference").static
    per_kib = [bound / 76 for bound in reference.core_leakage_uw.bounds()]
    assert SENECA.static.core_leakage_uw.bounds() == pytest.approx([256 * one for one in per_kib], rel=1e-3)
    assert SENECA.static.router_leakage_uw.bounds() == reference.router_leakage_uw.bounds()
    assert SENECA.static_price("core_leakage").value_uw < SENECA.static.core_leakage_uw.power_uw
    assert "scaled from 28 nm 0.9 V" in SENECA.price_rows("static")[0]["source"]
    assert SENECA.energy_price("io_bit").value_pj == 2
    assert SENECA.technology_warnings == ()


def test_areas_add_up_to_the_published_cores():
    assert sum(part.value_mm2 for part in core_area(SENECA).values()) == pytest.approx(0.47, rel=1e-4)
    # 240 x 390 µm², and 4096 of them.
    assert chip_area(TRUENORTH).total.value_mm2 == pytest.approx(4096 * 0.24 * 0.39)


def test_the_all_in_price_of_truenorth_stands_alone():
    # 72 mW over 2^20 neurons x 20 Hz x 128 synapses = 26.8 pJ; 2.5 pJ at the highest activity.
    picojoules = 72e-3 / (2**20 * 20 * 128) * 1e12
    assert picojoules == pytest.approx(26, rel=0.04)
    assert TRUENORTH.energy["accumulate"].bounds() == (26, 2.5, 52)
    others = [TRUENORTH.energy[name] for name in ACTION_NAMES if name != "accumulate"]
    others += TRUENORTH.static.rows().values()
    assert all(row.bounds()[0] == 0 for row in others)
    assert all("contained in accumulate" in row.source or "no function unit" in row.source for row in others)
    # The tick.
    assert TRUENORTH.execution.barrier_cycles / (TRUENORTH.clock_mhz * 1e6) == pytest.approx(1e-3)


def test_a_network_on_truenorth_costs_26_pj_for_each_synaptic_operation():
    network = chain([12, 10, 4], IF(1))
    run = estimate(network, TRUENORTH, random_inputs(network, 3, 5), baselines=())
    # A spike of the twelve inputs reaches ten neurons, one of the ten four outputs.
    first, second, _ = (run.recording.activity.spikes(network)[p.name] for p in network.order)
    operations = 10 * first + 4 * second
    assert min(first, second) > 0
    assert run.cost.total.value_aj == 26_000_000 * operations
    assert run.cost.total.low_aj == 2_500_000 * operations
    # Each inference takes a tick a layer, and little more.
    ticks = run.result.latency_s / 1e-3
    assert 2 <= ticks < 2.1 * len(network.order)


def test_a_network_on_seneca_by_hand():
    """Six inputs into five neurons into three: what the counts say, each at the price of its instructions."""
    network = chain([6, 5, 3])
    run = estimate(network, SENECA, random_inputs(network, 1, 4), baselines=())
    counts, energies = run.result.totals(), run.cost.by_action()
    for action in ACTION_NAMES:
        if action != "io_bit":
            by_hand = counts[action] * SENECA_ENERGY[action][0] * 1e6
            assert energies[action].value_aj == pytest.approx(by_hand, rel=1e-3, abs=1)


def test_many_thresholds_are_refused_where_spikes_are_binary():
    with pytest.raises(MappingError, match=r"most_thresholds.*coding if"):
        map_network(chain([12, 10, 4]), TRUENORTH)


def test_what_does_not_fit_truenorth_is_refused_with_what_is_short():
    with pytest.raises(MappingError, match=r"needs 200 axon-table entries .* core.axons gives 128 \(72 short\)"):
        map_network(chain([200, 5]), TRUENORTH)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_names_its_sources_and_what_it_leaves_out(name):
    chip = load_chip(name)
    assert chip.not_modelled
    assert chip.cores > 1
    for section, terms in (("energy", ACTION_NAMES), ("static", STATIC_UNITS), ("area", AREA_TERMS)):
        rows = chip.price_rows(section)
        named = {row.get("action", row.get("term")) for row in rows}
        assert set(terms) - {"gate_leakage_uw"} <= named <= {*terms, *OPTIONAL_ROWS}
        assert all(len(row["source"]) > 10 for row in rows)
    network = chain([6, 5, 3], IF(2) if chip.core.threshold_unit.most_thresholds == 1 else None)
    run = estimate(network, chip, np.zeros((1, *network.inputs[0].shape)), baselines=())
    low, value, high = (getattr(run.cost.total, f"{end}_aj") for end in ("low", "value", "high"))
    assert 0 <= low <= value <= high
    assert astuple(chip.at(14, 0.75).energy_price("accumulate"))[0] <= chip.energy_price("accumulate").value_pj
