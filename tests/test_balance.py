"""Balance: the cycles of each unit are those that the packets take, and no cut beats the bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import ActivityError
from sfnhw.mapping import balance, map_network, quality, summary
from sfnhw.sim import simulate
from tests.networks import chain, random_activity, random_attention, random_network

REFERENCE = load_chip("reference")


def test_by_hand():
    """40 packets into 20 neurons over 8 lanes: 3 cycles each; 20 into 3: one each. End markers and tokens count."""
    mapping = map_network(chain([40, 20, 3]), REFERENCE)
    found = balance(mapping, None)
    # Axon look-up, lanes, threshold unit, port (a readout is two flits; an end marker and a ready token one each).
    assert found.slices.tolist() == [[0, 0, 0, 41], [41, 120, 20, 22], [21, 20, 3, 8]]
    assert found.units[mapping.terminals].tolist() == found.slices.tolist()
    core = int(mapping.terminals[1])
    assert found.bottleneck() == {"core": core, "unit": "synapse lanes", "layers": ["l1"], "cycles": 120.0}
    assert found.layers() == {
        "l1": {"unit": "synapse lanes", "cycles": 120.0},
        "l2": {"unit": "axon look-up", "cycles": 21.0},
    }
    # 40·20 + 20·3 operations on 8 lanes of each of 64 cores.
    assert found.bound == -(-860 // (8 * 64))
    row = next(r for r in summary(mapping)["bounds"] if r["quantity"] == "cycles of the busiest core")
    assert row == {
        "quantity": "cycles of the busiest core",
        "unit": "cycles an inference",
        "achieved": 120.0,
        "bound": 2.0,
        "ratio": 60.0,
    }


def test_slices_that_share_a_core_add_up():
    one = REFERENCE.replace({"noc.columns": 1, "noc.rows": 1})
    found = balance(map_network(chain([40, 20, 3]), one), None)
    assert found.units[0].tolist() == [41 + 21, 120 + 20, 20 + 3, 22 + 8]
    assert found.bottleneck()["layers"] == ["l1", "l2"]
    assert found.bound == -(-860 // 8)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 3),
    st.sampled_from(["multicast", "unicast", "unicast of neurons"]),
    st.sampled_from(["dataflow", "barrier"]),
    st.integers(0, 3),
)
def test_units_work_as_long_as_the_packets_say(seed, T, cast, mode, spike_cycles):
    """Busy cycles of the packet simulation, every unit of every core and the pins, exactly."""
    network = random_network(seed, T)
    activity = random_activity(network, seed)
    chip = REFERENCE.replace(
        {
            "core.neurons": 96,
            "noc.cast": cast.split()[0],
            "noc.destinations": "neuron" if "neurons" in cast else "slice",
            "execution.mode": mode,
            "core.threshold_unit.spike_cycles": spike_cycles,
            "core.threshold_unit.waits_for_port": spike_cycles == 2,
            "core.threshold_unit.lanes": 1 + spike_cycles,
        }
    )
    mapping = map_network(network, chip)
    found = balance(mapping, activity)
    assert np.array_equal(found.units, simulate(mapping, activity).timing.busy)
    assert found.bound <= found.busiest == quality(mapping, activity).busiest_cycles


@pytest.mark.parametrize("seed", range(6))
def test_products_too(seed):
    network = random_attention(seed)
    activity = random_activity(network, seed)
    mapping = map_network(network, REFERENCE)
    assert np.array_equal(balance(mapping, activity).units, simulate(mapping, activity).timing.busy)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_the_bound_holds_for_any_cut(seed, data):
    network = random_network(seed)
    activity = random_activity(network, seed)
    layers = [p for p in network.populations if p.role != "input"]
    splits = {
        p.name: (data.draw(st.integers(1, min(p.channels, 4))), data.draw(st.integers(1, min(p.rows, 3))))
        for p in layers
    }
    chip = REFERENCE.replace({"core.neurons": 4096, "core.weight_memory.kib": 4096, "core.state_memory.kib": 4096})
    whole, cut = (balance(map_network(network, chip, splits=s), activity) for s in (None, splits))
    assert whole.bound == cut.bound <= min(whole.busiest, cut.busiest)


def test_an_activity_of_another_network_is_refused():
    with pytest.raises(ActivityError):
        balance(map_network(chain([3, 2]), REFERENCE), random_activity(random_network(5), 5))
