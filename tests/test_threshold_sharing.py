"""Where thresholds are kept: counts by hand, what the mapper refuses, and that nothing but the cost changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Recording
from sfnhw.chip import load_chip, update_cost
from sfnhw.chip.area import largest_bank, memory_area
from sfnhw.chip.sharing import Words, memory_words, table_words, tables, unit_update
from sfnhw.errors import MappingError
from sfnhw.lowering import lower
from sfnhw.mapping import map_network
from sfnhw.mapping.slices import Demand, together
from sfnhw.neurons import SFN, Graded, ThresholdNeed
from sfnhw.reports.overhead import overhead
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")
EIGHT = ThresholdNeed("bank", 8)


def sharing(name, **more):
    return REFERENCE.replace({"core.threshold_unit.sharing": name, **more})


def test_words_by_hand():
    # 10 channels of 4 neurons, N = 8.
    found = {name: table_words(sharing(name).core.threshold_unit, EIGHT, 10, 40) for name in ("population", "core")}
    assert set(found.values()) == {Words(8)}
    assert table_words(sharing("channel").core.threshold_unit, EIGHT, 10, 40) == Words(80)
    assert table_words(sharing("neuron").core.threshold_unit, EIGHT, 10, 40) == Words(0, 320)
    assert [tables(name, 10, 40) for name in ("population", "channel", "core", "neuron")] == [1, 10, 1, 40]
    # Both signs of a parallel bank; leak factors belong to the population and stay in registers.
    leaky = ThresholdNeed("bank", 1, True, leaks=2)
    assert table_words(sharing("neuron").core.threshold_unit, leaky, 10, 40) == Words(2, 80)
    # A multiplier for each neuron; a readout has no table.
    unit = sharing("neuron").core.threshold_unit
    assert table_words(unit, ThresholdNeed("requantise"), 10, 40) == Words(0, 40)
    assert table_words(unit, ThresholdNeed("none"), 10, 40) == Words(0)


def test_reads_from_state_memory_by_hand():
    core = sharing("neuron").core
    # 8 thresholds of 24 bits: 192 bits, 3 words of 64; one neuron waits 3 cycles for them, 4 lanes 12.
    assert memory_words(core, EIGHT, 1) == 3
    assert unit_update(core, EIGHT).cycles == 3
    assert unit_update(core, EIGHT).threshold_reads == 0
    assert unit_update(sharing("neuron", **{"core.threshold_unit.lanes": 4}).core, EIGHT).cycles == 12
    # Tables lie in one piece: 5 neurons with 3 thresholds take 360 bits, 6 words.
    assert memory_words(core, ThresholdNeed("bank", 3), 5) == 6
    # A search reads 4 of the 8, one at a time, wherever they lie; a divider reads one word a neuron: 120 bits for 5.
    search = sharing("neuron", **{"core.threshold_unit.kind": "binary-search"}).core
    assert memory_words(search, EIGHT, 5) == 20
    divider = sharing("neuron", **{"core.threshold_unit.kind": "uniform"}).core
    assert memory_words(divider, ThresholdNeed("bank", 8, False, "uniform"), 5) == 2
    # A serial unit of 8 cycles does not wait.
    assert unit_update(sharing("neuron", **{"core.threshold_unit.kind": "serial"}).core, EIGHT).cycles == 8


@pytest.mark.parametrize("name", ["population", "channel", "core"])
def test_registers_are_read_as_ever(name):
    core = sharing(name).core
    assert unit_update(core, EIGHT) == update_cost("parallel", EIGHT)
    assert memory_words(core, EIGHT, 7) == 0


def test_areas_by_hand():
    # 256 neurons x 8 x 24 bits of SRAM at 0.166 µm² (10890 µm² for 65536 bits).
    assert memory_area(REFERENCE, 2048).value_mm2 == pytest.approx(49152 * 10890 / 65536 * 1e-6)
    # 8 KiB for 256 neurons are 256 bits each, 48 of them accumulators: room for 8 thresholds of 24 bits.
    assert largest_bank(sharing("neuron")) == 8
    assert largest_bank(sharing("channel")) == 1
    assert largest_bank(sharing("core")) == largest_bank(REFERENCE) == 64


def test_thresholds_of_neurons_take_room_in_state_memory():
    network = chain([4, 200, 3], SFN.uniform(8))
    plain, own = (map_network(network, sharing(name)).demands[1] for name in ("population", "neuron"))
    assert own.state_bits - plain.state_bits == 200 * 8 * 24
    assert (plain.registers, own.registers) == (8, 0)
    tight = sharing("neuron", **{"core.state_memory.kib": 1})
    # One neuron is the smallest slice, and 400 thresholds of 24 bits of it are more than 1 KiB.
    with pytest.raises(MappingError) as error:
        map_network(chain([4, 6, 3], SFN.uniform(400)), tight)
    text = str(error.value)
    assert "core.state_memory.kib" in text
    assert "9,600 bits of thresholds, a table for each neuron" in text
    assert "set core.threshold_unit.sharing to channel or population" in text


def test_a_core_with_one_table_serves_one_population():
    # 3 layers on 2 cores: two of them must share a core, which only two tables allow.
    network = chain([4, 20, 20, 3], SFN.uniform(8))
    small = {"noc.columns": 2, "noc.rows": 1}
    shared = map_network(network, sharing("population", **small))
    assert shared.cores_used <= 2
    # The readout has no thresholds: it may lie with either layer, the two layers may not lie together.
    mapping = map_network(network, sharing("core", **small))
    assert mapping.terminals[1] != mapping.terminals[2]
    assert max(d.registers for d in mapping.occupancy()) == 8
    with pytest.raises(MappingError, match=r"set core.threshold_unit.sharing to population"):
        map_network(chain([4, 20, 20, 20, 3], SFN.uniform(8)), sharing("core", **small))


def test_a_core_s_one_table_counts_once():
    one, two = Demand(10, 100, 50, 3, 40), Demand(20, 200, 60, 4, 40)
    assert together(one, two, sharing("core")) == Demand(30, 300, 110, 7, 40)
    assert together(one, two, sharing("population")) == Demand(30, 300, 110, 7, 80)


@pytest.mark.parametrize(("like", "same"), [("core", "population"), ("neuron", "channel")])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_sharing_rounds_as_the_scales_it_has(like, same, seed):
    network = random_network(seed)
    first, second = (lower(network, REFERENCE.numerics, name) for name in (like, same))
    for p in network.populations:
        assert np.array_equal(first.populations[p.name].table.thresholds, second.populations[p.name].table.thresholds)
        assert np.array_equal(first.populations[p.name].lsb, second.populations[p.name].lsb)
    for a, b in zip(first.projections, second.projections, strict=True):
        assert np.array_equal(a.weight, b.weight)


def run_of(network, chip, activity):
    result = simulate(map_network(network, chip), activity)
    return Run(
        network, chip, Recording(activity, np.zeros((activity.samples, 1))), result.mapping, result, price(result)
    )


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(2, 60), min_size=1, max_size=3),
    levels=st.integers(2, 8),
    kind=st.sampled_from(["parallel", "serial", "binary-search"]),
)
def test_a_table_for_each_neuron_moves_reads_to_state_memory(sizes, levels, kind):
    network = chain([4, *sizes, 3], SFN.uniform(levels))
    activity = random_activity(network, levels, samples=2, rate=0.6)
    changes = {"core.threshold_unit.kind": kind}
    run = {name: run_of(network, sharing(name, **changes), activity) for name in ("population", "neuron")}
    counts = {name: r.result.totals() for name, r in run.items()}
    core = run["neuron"].chip.core
    words = sum(memory_words(core, SFN.uniform(levels).need(), size) for size in sizes) * 2
    assert counts["neuron"]["threshold_read"] == 0
    assert counts["neuron"]["state_read"] - counts["population"]["state_read"] == words
    for action, count in counts["neuron"].items():
        assert action in ("threshold_read", "state_read") or count == counts["population"][action]
    found = overhead(run["neuron"])
    assert found["threshold_unit"]["state_read"]["count"] == words / 2
    assert found["registers"]["in_state_memory_bits"] == found["registers"]["bits"] == sum(sizes) * levels * 24
    assert found["area"]["registers_mm2"]["value"] == pytest.approx(
        memory_area(run["neuron"].chip, sum(sizes) * levels).value_mm2
    )
    assert overhead(run["population"])["registers"]["in_state_memory_bits"] == 0


def test_waiting_for_the_thresholds_takes_time():
    network = chain([4, 60, 3], SFN.uniform(8))
    activity = random_activity(network, 3, samples=2, rate=0.6)
    fast, slow = (run_of(network, sharing(name), activity) for name in ("population", "neuron"))
    # 3 cycles for each of the 60 neurons where 1 suffices, in the one layer that has thresholds; with one threshold
    # for each neuron a word of 24 bits would be there in a cycle.
    assert overhead(slow)["time"]["extra_unit_cycles"] == 120
    assert overhead(fast)["time"]["extra_unit_cycles"] == 0
    assert np.all(slow.result.timing.latency > fast.result.timing.latency)


def test_multipliers_of_graded_neurons_move_too():
    network = chain([4, 20, 3], Graded(8))
    demand = map_network(network, sharing("neuron")).demands[1]
    assert demand.registers == 0
    assert demand.state_bits == 20 * (2 * 24 + 24)
