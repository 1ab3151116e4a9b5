"""Prices: energy adds up along every axis to the last attojoule, and is linear in counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES
from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.sim import price, simulate
from sfnhw.sim.by_place import ByPlace
from sfnhw.sim.cost import exact_sums
from sfnhw.sim.counts import ActionCounts
from sfnhw.units import attojoules
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from(["dataflow", "barrier"]))
def test_parts_add_up_to_the_whole_along_every_axis(seed, T, mode):
    network = random_network(seed, T)
    chip = REFERENCE.replace({"execution.mode": mode})
    cost = price(simulate(map_network(network, chip), random_activity(network, seed)))
    whole = (cost.total.value_aj, cost.total.low_aj, cost.total.high_aj)
    for axis in (cost.by_action(), cost.by_core(), cost.by_layer(), cost.by_timestep()):
        assert tuple(sum(getattr(e, f) for e in axis.values()) for f in ("value_aj", "low_aj", "high_aj")) == whole
    assert sum(sum(terms.values()) for terms in cost.layer_by_action().values()) == cost.total.value_aj
    assert cost.total.low_aj <= cost.total.value_aj <= cost.total.high_aj


def test_every_action_is_its_count_times_its_price():
    network = random_network(11, 1)
    result = simulate(map_network(network, REFERENCE), random_activity(network, 11))
    by_action = price(result).by_action()
    for action, number in result.totals().items():
        p = REFERENCE.energy_price(action)
        assert by_action[action].value_aj == number * attojoules(p.value_pj), action
        assert by_action[action].high_aj == number * attojoules(p.high_pj), action
    assert set(result.totals()) == set(ACTION_NAMES)


def test_leakage_is_power_times_latency_times_powered_cores():
    """µW / MHz is pJ a cycle; gated idle cores leak nothing, ungated ones all the time."""
    network = chain([5, 20, 3])
    mapping = map_network(network, REFERENCE)
    result = simulate(mapping, random_activity(network, 1))
    cycles = int(result.timing.latency.sum())
    per_cycle = attojoules(REFERENCE.static_price("core_leakage_uw").value_uw / REFERENCE.clock_mhz)
    assert price(result).by_action()["core_leakage"].value_aj == 2 * cycles * per_cycle
    ungated = price(result, REFERENCE.replace({"execution.gate_idle_cores": False}))
    assert ungated.by_action()["core_leakage"].value_aj == 64 * cycles * per_cycle
    assert ungated.by_layer()["(chip)"].value_aj > price(result).by_layer()["(chip)"].value_aj


def test_twice_the_samples_cost_twice():
    network = random_network(3)
    one = random_activity(network, 3, samples=1)
    mapping = map_network(network, REFERENCE)
    twice = type(one)({k: np.concatenate([v, v]) for k, v in one.levels.items()})
    assert price(simulate(mapping, twice)).total.value_aj == 2 * price(simulate(mapping, one)).total.value_aj


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(0, 7), st.integers(0, 7))
def test_energy_is_linear_in_counts(seed, a, b):
    """a times the counts of one run and b times those of another cost a·E + b·E', action by action, to the attojoule."""
    network = random_network(seed)
    mapping = map_network(network, REFERENCE)
    one, other = (simulate(mapping, random_activity(network, s)) for s in (seed, seed + 1))

    def combined(field):
        return a * getattr(one.actions, field) + b * getattr(other.actions, field)

    actions = ActionCounts(combined("core"), ByPlace.of(combined("node_flits")), combined("io_bits"))
    found = price(replace(one, actions=actions)).by_action()
    parts = price(one).by_action(), price(other).by_action()
    # Leakage and a core's clock go by time; a router's clock by its flits.
    for action in (*ACTION_NAMES, "router_clock"):
        for field in ("value_aj", "low_aj", "high_aj"):
            e, f = (getattr(part[action], field) for part in parts)
            assert getattr(found[action], field) == a * e + b * f, action


ROWS = [*(("energy", name) for name in REFERENCE.energy), *(("static", name) for name in REFERENCE.static.rows())]
EXTREMES = simulate(map_network(NETWORK := random_network(11), REFERENCE), random_activity(NETWORK, 11))


def at_bounds(which):
    """The reference with each row fixed at its low (0), value (1) or high (2), and no band left."""
    data = REFERENCE.model_dump()
    for (section, name), choice in zip(ROWS, which, strict=True):
        row = data[section][name]
        keys = [key for key in ("low_pj", "low_uw") if key in row]
        unit = keys[0].removeprefix("low_")
        given = "power_uw" if unit == "uw" else "energy_pj"
        number = (row[f"low_{unit}"], row[given], row[f"high_{unit}"])[choice]
        row |= {given: number, f"low_{unit}": number, f"high_{unit}": number}
    return type(REFERENCE).model_validate(data)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2), min_size=len(ROWS), max_size=len(ROWS)))
def test_the_band_covers_every_combination_of_the_tables_rows(which):
    """Any row at its low, value or high lies inside; all lows are the low, all highs the high, along every axis."""
    cost = price(EXTREMES)
    found = price(EXTREMES, at_bounds(which))
    for axis in ("by_action", "by_layer", "by_core"):
        for name, energy in getattr(found, axis)().items():
            band = getattr(cost, axis)()[name]
            assert band.low_aj <= energy.value_aj <= band.high_aj, name
    assert cost.total.low_aj <= found.total.value_aj <= cost.total.high_aj
    for choice, field in ((0, "low_aj"), (1, "value_aj"), (2, "high_aj")):
        assert price(EXTREMES, at_bounds([choice] * len(ROWS))).total.value_aj == getattr(cost.total, field)


def test_another_configuration_is_refused_but_another_table_is_not():
    network = chain([5, 20, 3])
    result = simulate(map_network(network, REFERENCE), random_activity(network, 1))
    with pytest.raises(SimulationError, match=r"core.synapse_lanes: .*only prices may differ, found 16, expected 8"):
        price(result, REFERENCE.replace({"core.synapse_lanes": 16}))


def dear(**rows):
    """The reference with other prices for some actions: pJ, the same for value, low and high."""
    data = REFERENCE.model_dump()
    for action, pj in rows.items():
        data["energy"][action] |= {"energy_pj": pj, "low_pj": pj, "high_pj": pj}
    return type(REFERENCE).model_validate(data)


def test_a_product_that_does_not_fit_64_bits_is_an_error_that_names_the_row():
    """2 × 10⁷ × 10⁶ pJ = 20 J in one cell; 2**63 aJ are 9.2 J. At half a million accumulations it is 0.5 J and exact."""
    network = chain([100, 100, 2])
    result = simulate(map_network(network, REFERENCE), random_activity(network, 1, samples=50, rate=1.1))
    assert result.totals()["accumulate"] == 50 * (100 * 100 + 100 * 2)
    cost = price(result, dear(accumulate=1e6))
    assert cost.by_action()["accumulate"].value_aj == 50 * (100 * 100 + 100 * 2) * 10**12
    result.actions.core[:] *= 40  # as if there were 40 times the samples
    with pytest.raises(SimulationError, match=r"energy.accumulate: 20,000,000 times 1e\+06 pJ in one place"):
        price(result, dear(accumulate=1e6))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**63 - 1)), max_size=40))
def test_grouped_sums_are_those_of_whole_numbers_of_any_size(cells):
    """Also where a sum needs more than 64 bits."""
    key = np.array([k for k, _ in cells], np.int64)
    values = np.array([v for _, v in cells], np.int64)
    assert exact_sums(values, key, 4) == [sum(v for k, v in cells if k == group) for group in range(4)]
