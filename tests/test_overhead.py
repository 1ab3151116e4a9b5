"""The multi-threshold overhead, by pencil for a net of three spiking neurons, and held to what simulation says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity, Recording
from sfnhw.chip import Chip, load_chip, logic_gates
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.neurons import MTN, SFN
from sfnhw.reports.overhead import overhead
from sfnhw.reports.pace import pace
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


def run_of(network: Network, chip: Chip, activity: Activity, fidelity: str = "packet") -> Run:
    mapping = map_network(network, chip)
    result = simulate(mapping, activity, fidelity=fidelity)
    recording = Recording(activity, np.zeros((activity.samples, 1)))
    return Run(network, chip, recording, mapping, result, price(result))


def small(changes: dict[str, object]) -> Run:
    """2 inputs → 3 neurons with N = 4 → 1 readout, one sample: the hidden neurons send levels 1, 0 and 3."""
    levels = {"l0": [[[1, 1]]], "l1": [[[1, 0, 3]]], "l2": [[[5]]]}
    activity = Activity({name: np.array(level) for name, level in levels.items()})
    return run_of(chain([2, 3, 1], SFN.uniform(4)), REFERENCE.replace(changes), activity)


def test_by_pencil():
    # A level of 1 .. 4 takes 2 bits, an index among 3 neurons 2 bits. A flit of header + 3 bits holds header and index,
    # and with the level a packet takes two.
    run = small({"core.threshold_unit.kind": "parallel", "noc.flit_bits": REFERENCE.noc.header_bits + 3})
    found = overhead(run)

    def pj(action: str) -> float:
        return REFERENCE.energy_price(action).value_pj

    # Three updates: 4 compares, 4 reads and 1 encode each, where one threshold takes 1, 1 and none.
    unit = found["threshold_unit"]
    assert [unit[a]["count"] for a in ("compare", "threshold_read", "encode")] == [12, 12, 3]
    assert [unit[a]["single_threshold_count"] for a in ("compare", "threshold_read", "encode")] == [3, 3, 0]
    work = 9 * pj("compare") + 9 * pj("threshold_read") + 3 * pj("encode")
    # Two packets at one synapse each; values up to 4 have 3 bits, which is 2 partial products beyond a plain addition.
    assert found["synapse"]["by_action"]["multiply_bit"]["count"] == 4
    work += 4 * pj("multiply_bit")
    # Levels 1, 2, 3, 4 are their own values: nothing is looked up or shifted.
    assert found["synapse"]["by_action"]["decode_read"]["count"] == 0
    assert found["synapse"]["by_action"]["shift_bit"]["count"] == 0
    # Hidden layer and readout sit on neighbouring cores: each packet's second flit goes over one link and two routers.
    terminals = run.mapping.terminals
    assert abs(int(terminals[1]) - int(terminals[2])) in (1, REFERENCE.noc.columns)
    assert found["payload"]["extra_flit_hops"] == 2
    flits = run.chip.energy_price("link_flit").value_pj, run.chip.energy_price("router_flit").value_pj
    extra = 2 * flits[0] + 4 * flits[1]
    assert found["payload"]["extra_flits_energy_j"]["value"] == pytest.approx(extra * 1e-12)
    # A parallel unit takes one cycle whatever N is: no waiting. What the chip's further comparators leak: test_built_parts.
    assert found["time"]["extra_unit_cycles"] == 0
    leak = found["built"]["leakage_energy_j"]["value"]
    assert found["total"]["static_at_most_energy_j"]["value"] == pytest.approx(leak)
    assert found["total"]["work_energy_j"]["value"] == pytest.approx((work + extra) * 1e-12)
    total = run.cost.total.as_joules()["value"]
    assert found["total"]["share_of_energy_at_most"] == pytest.approx(((work + extra) * 1e-12 + leak) / total)
    # 4 registers instead of 1, in one slice.
    assert (found["registers"]["words"], found["registers"]["single_threshold_words"]) == (4, 1)


@pytest.mark.parametrize(("lanes", "walks"), [(1, 3), (2, 2), (4, 1)])
def test_waiting_by_pencil(lanes, walks):
    """A serial unit takes 4 cycles for 4 thresholds: 3 more for each group of `lanes` among the 3 neurons."""
    run = small({"core.threshold_unit.kind": "serial", "core.threshold_unit.lanes": lanes})
    time, total = overhead(run)["time"], overhead(run)["total"]
    cycles = 3 * walks
    assert time["extra_unit_cycles"] == cycles
    assert time["latency_at_most_s"] == pytest.approx(cycles / (run.chip.clock_mhz * 1e6))
    # Two cores in use (the others are gated) and all 64 routers leak; the hidden layer's core is clocked.
    core = run.chip.static_price("core_leakage").value_uw
    core += logic_gates(run.chip) * run.chip.static_price("gate_leakage").value_uw
    leak = 2 * core + 64 * run.chip.static_price("router_leakage").value_uw
    leakage = leak * 1e-6 * cycles / (run.chip.clock_mhz * 1e6)
    clock = cycles * run.chip.static_price("core_clock").value_pj * 1e-12
    assert time["leakage_at_most_energy_j"]["value"] == pytest.approx(leakage)
    assert time["clock_energy_j"]["value"] == pytest.approx(clock)
    parts = overhead(run)["built"]["leakage_energy_j"]["value"]  # in all other cycles, see test_built_parts
    assert total["static_at_most_energy_j"]["value"] == pytest.approx(leakage + clock + parts)
    assert total["energy_at_most_j"]["value"] == pytest.approx(
        total["work_energy_j"]["value"] + leakage + clock + parts
    )


def test_a_tile_has_one_router_in_the_area_of_the_cores_in_use():
    """Hidden layer and readout: two cores with a router each, or two cores of one tile."""
    alone, tiled = small({}), small({"noc.columns": 4, "noc.cores_per_router": 2})
    assert (alone.mapping.cores_used, tiled.mapping.cores_used, tiled.mapping.routers_used) == (2, 2, 1)
    areas = [overhead(run)["area"]["used_cores_mm2"]["value"] for run in (alone, tiled)]
    assert areas[0] - areas[1] == pytest.approx(REFERENCE.area_of("router").value_um2 * 1e-6)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(sizes=st.lists(st.integers(2, 40), min_size=2, max_size=4), levels=st.integers(2, 12), lanes=st.integers(1, 8))
def test_serial_minus_parallel_is_what_the_bound_bounds(sizes, levels, lanes):
    """The same net on a parallel and on a serial unit: leakage differs by no more than the bound, the clock by just it."""
    network = chain([4, *sizes, 3], SFN.uniform(levels))
    activity = random_activity(network, levels, samples=2, rate=0.6)
    cost, found = {}, {}
    for kind in ("parallel", "serial"):
        chip = REFERENCE.replace({"core.threshold_unit.kind": kind, "core.threshold_unit.lanes": lanes})
        run = run_of(network, chip, activity)
        cost[kind], found[kind] = run.cost.by_action(), overhead(run)["time"]
    assert found["parallel"]["extra_unit_cycles"] == 0

    def more(term: str) -> float:
        return (cost["serial"][term].value_aj - cost["parallel"][term].value_aj) * 1e-18 / 2

    leakage = more("core_leakage") + more("router_leakage")
    assert 0 <= leakage <= found["serial"]["leakage_at_most_energy_j"]["value"] * (1 + 1e-9)
    assert more("core_clock") == pytest.approx(found["serial"]["clock_energy_j"]["value"])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), fidelity=st.sampled_from(["packet", "analytic"]))
def test_pace_follows_from_energy_and_time(seed, fidelity):
    network = random_network(seed)
    run = run_of(network, REFERENCE, random_activity(network, seed, samples=3), fidelity)
    found = pace(run)
    energy, latency = run.cost.total.as_joules(3), run.result.latency_s
    assert found["power_w"]["value"] * latency == pytest.approx(energy["value"])
    assert found["energy_delay_product_js"]["high"] == pytest.approx(energy["high"] * latency)
    # Leakage for the interval instead of the latency; everything else stays.
    back, leak = found["back_to_back"], run.cost.by_action()
    watts = sum(leak[t].value_aj for t in ("core_leakage", "gate_leakage", "router_leakage")) * 1e-18 / 3 / latency
    difference = energy["value"] - back["energy_per_inference_j"]["value"]
    assert difference == pytest.approx(watts * (latency - back["interval_s"]), rel=1e-6, abs=1e-18)
    assert back["power_w"]["value"] * back["interval_s"] == pytest.approx(back["energy_per_inference_j"]["value"])
    assert back["interval_s"] == pytest.approx(1 / run.result.throughput_inferences_per_s)


def test_the_bottleneck_is_the_unit_that_is_made_slow():
    """One synapse lane for a dense layer of 60 × 60: its core's synapses bound everything; wide lanes move it away."""
    network = chain([4, 60, 60, 3])
    activity = random_activity(network, 5, samples=4, rate=0.9)
    slow = run_of(network, REFERENCE.replace({"core.synapse_lanes": 1}), activity)
    found = pace(slow)["bottleneck"]
    assert found["unit"] == "synapse"
    assert found["layers"] == ["l2"]
    assert found["core"] == int(slow.mapping.terminals[slow.mapping.slices_of("l2")[0].index])
    assert 0.5 < found["busy_share"] <= 1


def test_a_wider_spike_by_pencil():
    """As in test_by_pencil: two packets of two flits instead of one, over one link and two routers."""
    run = small({"core.threshold_unit.kind": "parallel", "noc.flit_bits": REFERENCE.noc.header_bits + 3})
    found, chip = overhead(run)["wider_spike"], run.chip
    assert (found["packet_flits"], found["packet_flits_without"]) == (2.0, 1.0)
    flits = 2 * chip.energy_price("link_flit").value_pj + 4 * chip.energy_price("router_flit").value_pj
    flits += 4 * chip.static_price("router_clock").value_pj
    # One flit more behind the last packet: it arrives a cycle later on an empty chip. Powered are two cores, all routers.
    cycles = round(found["latency_s"] * chip.clock_mhz * 1e6)
    assert cycles >= 1
    leak = 2 * chip.static_price("core_leakage").value_uw + 64 * chip.static_price("router_leakage").value_uw
    assert found["transport_j"]["value"] == pytest.approx(flits * 1e-12 + leak * 1e-6 * found["latency_s"], rel=1e-5)
    # Two packets at one synapse each, two partial products each.
    arithmetic = 4 * chip.energy_price("multiply_bit").value_pj * 1e-12
    assert found["arithmetic_j"]["value"] == pytest.approx(arithmetic)
    assert found["energy_j"]["value"] == pytest.approx(found["transport_j"]["value"] + arithmetic)


def test_a_level_that_fits_costs_no_transport():
    found = overhead(small({}))["wider_spike"]
    assert (found["packet_flits"], found["packet_flits_without"]) == (1.0, 1.0)
    assert found["transport_j"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["latency_s"] == 0


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 500), flit=st.integers(13, 40))
def test_wider_spikes_never_save(seed, flit):
    network = random_network(seed)
    chip = REFERENCE.replace({"noc.flit_bits": flit})
    found = overhead(run_of(network, chip, random_activity(network, seed, samples=1), "analytic"))["wider_spike"]
    assert found["packet_flits"] >= found["packet_flits_without"]
    assert min(found["transport_j"].values()) >= 0
    assert found["latency_s"] >= 0


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 500),
    kind=st.sampled_from(["parallel", "serial", "binary-search", "uniform", "power-of-two"]),
    levels=st.integers(2, 8),
)
def test_every_band_is_in_order(seed, kind, levels):
    """A power-of-two unit compares with nothing, where one threshold would: what it saves is a band below zero."""
    spacing = "power-of-two" if kind == "power-of-two" else "uniform"
    network = chain([6, 9, 3], MTN(levels, spacing=spacing))
    chip = REFERENCE.replace({"core.threshold_unit.kind": kind})
    found = overhead(run_of(network, chip, random_activity(network, seed, samples=1), "analytic"))
    bands = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            if set(value) == {"value", "low", "high"}:
                bands.append(value)
            for part in value.values():
                collect(part)

    collect(found)
    assert len(bands) > 15
    assert all(band["low"] <= band["value"] <= band["high"] for band in bands)
    if kind == "power-of-two":
        assert found["threshold_unit"]["compare"]["excess_energy_j"]["value"] < 0
