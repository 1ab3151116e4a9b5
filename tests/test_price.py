"""Prices: energy adds up along every axis to the last attojoule, and is linear in counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES
from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.sim import price, simulate
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


def test_another_configuration_is_refused_but_another_table_is_not():
    network = chain([5, 20, 3])
    result = simulate(map_network(network, REFERENCE), random_activity(network, 1))
    with pytest.raises(SimulationError, match=r"core.synapse_lanes: .*only prices may differ, found 16, expected 8"):
        price(result, REFERENCE.replace({"core.synapse_lanes": 16}))
