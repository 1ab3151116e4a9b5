"""Packets of several spikes: time by hand, what auto chooses and why, rounds, reports, errors."""

import json

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity, Recording
from sfnhw.chip import load_chip
from sfnhw.errors import ChipError, InputError
from sfnhw.estimate import estimate
from sfnhw.explore import explore
from sfnhw.mapping import balance, map_network, quality, verify
from sfnhw.mapping.packet_choice import chosen_formats, planned_formats
from sfnhw.mapping.packet_formats import FORMATS, formats_for, packing
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import SFN, Graded, Polarity, Readout
from sfnhw.reports.layers import layer_rows
from sfnhw.reports.overhead import overhead
from sfnhw.reports.packet_formats import formats_text, packet_format_rows
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity, random_inputs, random_network
from tests.test_rounds import changes, check_balance

REFERENCE = load_chip("reference")


def run_of(network, chip, activity, fidelity="packet"):
    mapping = map_network(network, chip)
    result = simulate(mapping, activity, fidelity=fidelity)
    recording = Recording(activity, np.zeros((activity.samples, 1)))
    return Run(network, chip, recording, mapping, result, price(result))


def row_of_two(form):
    """4 inputs → 3 neurons → 1 result, on the two cores of a row, and what spikes: all inputs, neurons 0 and 2."""
    network = Network(
        (
            Population("x", (4,), Graded(8), role="input"),
            Population("h", (3,), SFN.uniform(4)),
            Population("y", (1,), Readout(1), role="output"),
        ),
        (Dense("x", "h", np.ones((3, 4))), Dense("h", "y", np.ones((1, 3)))),
    )
    chip = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1, "io.router": (0, 0), "packet.format": form})
    levels = {"x": [[[1, 1, 1, 1]]], "h": [[[2, 0, 4]]], "y": [[[7]]]}
    activity = Activity({name: np.array(value) for name, value in levels.items()})
    return map_network(network, chip, placer="sequential"), activity


def test_latency_of_bundles_through_the_chip_worked_by_hand():
    """Bitmaps; pins and `h` on router 0, `y` on router 1. A flit alone takes 7 cycles over one router, 12 over two.

    x: one bundle of 4, 12 + 0 + 4 + 4 · 8 = 48 bits, two flits: over the pins in cycles 0 and 1, at h's core in 8, one look-up
    for all → 9, four spikes one after the other, of 3 synapses each on 8 lanes: done in 13. The end marker leaves in 2, is
    there in 9, looked up at 10, behind the spikes at 13.
    h: 3 neurons, a cycle each: 13 → 16. By itself the spike of neuron 0 would be ready at 14; its bundle (12 + 0 + 3 + 2 · 2 =
    19 bits, one flit) is at 16. It takes the port, then the ready token at 17 and the end marker at 18, at y's core in 28
    and 30: look-up 29, two spikes → 31; the marker is looked up at 31.
    y: one neuron → 32; the result (12 + 0 + 1 + 24 bits, two flits) takes the port in 32 and 33, the token 34, the end marker
    35, which has left in 35 + 12 = 47.
    """
    mapping, activity = row_of_two("bitmap")
    result = simulate(mapping, activity)
    assert result.counts.sent.ravel().tolist() == [1, 1, 1]
    assert result.counts.sent_spikes.ravel().tolist() == [4, 2, 1]
    assert result.counts.sent_flits.ravel().tolist() == [2, 1, 2]
    assert result.timing.latency.tolist() == [47]
    # Packed at the cores (the host does it at the pins): 1 + 2 flits; unpacked for h and for y: 2 + 1.
    assert result.totals()["packing_flit"] == 3 + 3
    assert price(result).by_action()["packing_flit"].value_aj == 6 * round(
        REFERENCE.energy_price("packing_flit").value_pj * 1e6
    )
    assert np.repeat(np.arange(20), result.timing.packet_latency[:20]).tolist() == [8, 12, 13]


def test_one_look_up_for_a_packet_or_one_for_each_spike():
    """Where an axon entry is a whole slice's, or a single neuron's; end markers are looked up besides."""
    mapping, activity = row_of_two("dense")
    assert simulate(mapping, activity).totals()["axon_lookup"] == 1 + 1 + 2
    alone = map_network(mapping.network, mapping.chip.replace({"core.axon_sharing": "neuron"}), placer="sequential")
    assert simulate(alone, activity).totals()["axon_lookup"] == 4 + 2 + 2


def test_break_even_worked_by_hand():
    """A bundle of 64 of the 1,024 neurons of a slice, N = 8: alone a spike takes 12 + 10 + 3 = 25 bits.

    bitmap: 12 + 4 + 64 + 3 s bits: 64 · r · 25 = 80 + 64 · r · 3 at r = 80 / (64 · 22) = 5.7 %.
    dense: 12 + 4 + 64 · 4 = 272 bits: 64 · r · 25 = 272 at r = 17 %. bundled: 12 + 4 + 6 + 9 s: r = 22 / (64 · 16) = 2.1 %.
    """
    p = Population("h", (1024,), SFN.uniform(8))
    single = packing(p, p.block, REFERENCE, "aer")
    rates = {form: packing(p, p.block, REFERENCE, form).break_even(single) for form in FORMATS[1:]}
    assert rates == pytest.approx({"bitmap": 80 / (64 * 22), "dense": 272 / (64 * 25), "bundled": 22 / (64 * 16)})
    for form, rate in rates.items():
        laid = packing(p, p.block, REFERENCE, form)
        assert laid.fixed_bits + 64 * laid.neuron_bits + 64 * rate * laid.spike_bits == pytest.approx(64 * rate * 25)


def dense_network(spiking, coding=SFN.uniform(8), samples=4):  # noqa: B008  frozen
    """64 neurons (of N = 8), so many of them spiking, and what does."""
    network = chain([4, 64, 2], coding)
    levels = {p.name: np.zeros((samples, 1, p.size), int) for p in network.populations}
    levels["l1"][:, :, :spiking] = 3
    return network, Activity(levels)


@pytest.mark.parametrize(
    ("spiking", "coding", "chosen"),
    [(1, SFN.uniform(8), "aer"), (4, SFN.uniform(8), "bundled"), (32, SFN.uniform(8), "bitmap"),
     (64, SFN.uniform(8), "bitmap"), (64, Graded(8), "dense")],
)  # fmt: skip
def test_auto_takes_what_activity_asks_for(spiking, coding, chosen):
    """One spike by itself; few as pairs; half of all as a bitmap (12 + 64 + 96 bits: 6 flits, dense 9).

    At 64 spikes of N = 8 a bitmap has 12 + 64 + 192 = 268 bits and 9 flits, as many as dense with 12 + 64 · 4: the order of
    the formats decides. Of 8-bit values a bitmap has 12 + 64 + 512 bits, 19 flits, and dense 12 + 512, 17 flits.
    """
    network, activity = dense_network(spiking, coding)
    mapping = map_network(network, REFERENCE.replace({"packet.format": "auto"}))
    choice = chosen_formats(mapping, activity)["l1"]
    assert choice.format == chosen
    assert choice.energy_aj[chosen] == min(choice.energy_aj.values())
    # Flits through routers: all of a packet pass each router of the tree.
    level, value = (8, 8) if coding == Graded(8) else (3, 4)
    bits = {"bundled": 12 + 6 + spiking * (6 + level), "bitmap": 12 + 64 + level * spiking, "dense": 12 + 64 * value}
    flits = {"aer": spiking, **{form: -(-n // 32) for form, n in bits.items()}}
    routers = choice.flits["dense"] // flits["dense"]
    assert choice.flits == {form: n * routers for form, n in flits.items()}
    assert choice.bits == {form: 4 * n for form, n in {"aer": spiking * (18 + level), **bits}.items()}


def test_without_prices_the_fewest_flits_decide():
    free = {f"energy.{name}.{key}": 0 for name in ("packet", "packing_flit", "injection", "axon_lookup", "router_flit", "link_flit", "io_bit")
            for key in ("energy_pj", "low_pj", "high_pj")}  # fmt: skip
    free |= {f"static.router_clock_pj.{key}": 0 for key in ("energy_pj", "low_pj", "high_pj")}
    network, activity = dense_network(32)
    mapping = map_network(network, REFERENCE.replace({"packet.format": "auto", **free}))
    choice = chosen_formats(mapping, activity)["l1"]
    assert set(choice.energy_aj.values()) == {0}
    assert choice.flits[choice.format] == min(choice.flits.values()) < choice.flits["aer"]


def test_the_mapper_plans_for_what_spikes_or_for_all():
    network, activity = dense_network(1)
    chip = REFERENCE.replace({"packet.format": "auto"})
    mapping = map_network(network, chip)
    assert planned_formats(network, mapping.slices, chip, activity)["l1"] == "aer"
    assert planned_formats(network, mapping.slices, chip, None)["l1"] in ("bitmap", "dense")
    fixed = REFERENCE.replace({"packet.format": "dense"})
    assert set(planned_formats(network, mapping.slices, fixed, activity).values()) == {"dense"}


@pytest.mark.parametrize("objective", ["latency", "energy"])
@pytest.mark.parametrize("form", ["bitmap", "auto"])
def test_layers_are_cut_and_placed_for_the_packets_that_they_send(objective, form):
    """The same options as ever; what the chosen cut sends is what the simulation counts."""
    network = chain([16, 96, 40, 4], SFN.uniform(8))
    activity = random_activity(network, 3, samples=2, rate=0.5)
    chip = REFERENCE.replace({"packet.format": form, "core.neurons": 64})
    mapping = map_network(network, chip, objective=objective, activity=activity, placer="annealed", moves=200)
    assert verify(mapping).ok
    result = simulate(mapping, activity, threads=1)
    assert quality(mapping, activity).traffic_links == result.link_hops
    assert np.array_equal(balance(mapping, activity).units[:-1], result.timing.busy[:-1])
    assert {choice.format for choice in result.formats.values()} <= set(FORMATS)


# In one of its rounds no slice sends results to the pins.
NO_RESULTS = {
    "execution.rounds": "auto", "core.neurons": 64, "core.state_banks": 1, "core.state_memory.kib": 32, "noc.columns": 1,
    "noc.rows": 1, "io.bits_per_cycle": 8, "off_chip.bits_per_cycle": 16,
}  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    changes(),
    st.floats(0, 1),
    st.sampled_from(["bundled", "bitmap", "dense", "auto"]),
)
@example(5509, 3, NO_RESULTS, 0.0, "bundled")
@example(5509, 3, NO_RESULTS | {"execution.granularity": "row"}, 0.5, "bundled")
def test_rounds_send_what_the_unrolled_network_sends(seed, T, given_changes, rate, form):
    chip = REFERENCE.replace({"core.axons": 1 << 16, **given_changes, "packet.format": form})
    network = random_network(seed, T)
    assume(form in ("bundled", "auto") or not any(p.coding.burst for p in network.populations))
    activity = random_activity(network, seed, samples=2, rate=rate)
    mapping, ours, theirs = check_balance(network, chip, activity)
    assume(mapping.rounds)
    if form != "auto":  # trees differ, and with them what is cheapest
        for name in ("sent_spikes", "sent_flits"):
            assert np.array_equal(getattr(ours.counts, name)[: len(mapping.slices)], getattr(theirs.counts, name)), name
    assert np.array_equal(ours.counts.row_spikes, theirs.counts.row_spikes)
    moved = sum(r.saved_bits + r.replayed_bits for r in ours.rounds)
    assert ours.totals()["off_chip_bit"] == 2 * sum(int(r.load.bits.sum()) for r in ours.rounds) + moved


def test_a_burst_has_no_place_in_a_bitmap():
    network = chain([3, 4, 2], Polarity(5))
    assert formats_for(network["l1"], REFERENCE.replace({"packet.format": "auto"})) == ("aer", "bundled")
    for form in ("bitmap", "dense"):
        chip = REFERENCE.replace({"packet.format": form})
        with pytest.raises(InputError, match=rf"'l1' sends bursts.* found '{form}', expected aer, bundled or auto"):
            map_network(network, chip)
    # Pairs hold a burst: neurons 0 and 2 send 3 and 1 spikes, 12 + 0 + 5 + 4 · 2 = 25 bits, one flit.
    levels = {"l0": np.ones((1, 1, 3), int), "l1": np.array([[[3, 0, 1, 0]]]), "l2": np.ones((1, 1, 2), int)}
    mapping = map_network(network, REFERENCE.replace({"packet.format": "bundled"}))
    counts = simulate(mapping, Activity(levels)).counts
    assert (counts.sent[1, 0], counts.sent_spikes[1, 0], counts.spikes[1, 0], counts.sent_flits[1, 0]) == (1, 4, 2, 1)


@pytest.mark.parametrize(
    ("field", "value"), [("packet.format", "bitmpa"), ("packet.bundle", "row"), ("packet.bundle_neurons", 0)]
)
def test_fields_that_are_none(field, value):
    with pytest.raises(ChipError, match=field):
        REFERENCE.replace({field: value})


def test_a_sweep_over_formats(tmp_path):
    network = chain([3, 40, 2], SFN.uniform(4))
    grid = {"packet.format": [*FORMATS, "auto"]}
    rows = explore(network, "reference", random_inputs(network, 1), grid, tmp_path, fidelity="analytic", workers=1)
    assert [row["packet.format"] for row in rows] == [*FORMATS, "auto"]
    assert len({row["accuracy"] for row in rows}) == 1
    assert len({row["energy_j"] for row in rows}) > 1
    # What is measured is the estimate of each chip by itself.
    alone = [estimate(network, REFERENCE.replace({"packet.format": form}), random_inputs(network, 1), fidelity="analytic",
                      baselines=()) for form in grid["packet.format"]]  # fmt: skip
    assert [row["energy_j"] for row in rows] == [run.cost.total.as_joules(run.samples)["value"] for run in alone]


@pytest.mark.parametrize("form", [*(pytest.param(f, marks=pytest.mark.slow) for f in FORMATS), "auto"])
def test_reports_say_how_spikes_are_packed(form, tmp_path, few_figures):
    network, activity = dense_network(32)
    run = run_of(network, REFERENCE.replace({"packet.format": form}), activity)
    layers = {row["name"]: row for row in layer_rows(run)}
    why = {row["layer"]: row for row in packet_format_rows(run)}
    used = "bitmap" if form == "auto" else form
    assert layers["l1"]["packet_format"] == why["l1"]["format"] == used
    assert layers["l1"]["spikes"] == 32
    assert layers["l1"]["spikes_per_packet"] == (1 if form == "aer" else 32)
    assert why["l1"]["spikes_per_neuron"] == 0.5
    assert (form == "aer") == (formats_text(run) == "")
    if form == "auto":
        bits = {"aer": 32 * 21, "bundled": 12 + 6 + 32 * 9, "bitmap": 12 + 64 + 96, "dense": 12 + 256}
        assert why["l1"]["bits_per_neuron"] == {name: value / 64 for name, value in bits.items()}
        assert min(why["l1"]["energy_j"], key=why["l1"]["energy_j"].get) == "bitmap"
    data = json.loads((run.save(tmp_path / "run") / "run.json").read_text())
    assert [row["format"] for row in data["packet_formats"]] == [why[p.name]["format"] for p in network.order]


@pytest.mark.parametrize("form", FORMATS)
def test_what_levels_add_to_packets_worked_by_hand(form):
    """32 of 64 neurons of N = 8 spike. Bits with and without the level: aer 21 and 18 in one flit each; bundled 12 + 6 + 32 · 9
    and 32 · 6: 10 flits and 7; bitmap 12 + 64 + 96 and 76: 6 and 3; dense 12 + 64 · 4 and 12 + 64: 9 and 3."""
    network, activity = dense_network(32)
    run = run_of(network, REFERENCE.replace({"packet.format": form}), activity)
    found = overhead(run)
    flits, without = {"aer": (1, 1), "bundled": (10, 7), "bitmap": (6, 3), "dense": (9, 3)}[form]
    wide, bare = {"aer": (21, 18), "bundled": (306, 210), "bitmap": (172, 76), "dense": (268, 76)}[form]
    nodes, owner = run.result.tables.nodes, run.mapping.slices_of("l1")[0].index
    mine = (nodes.owner == owner) & (np.arange(len(nodes.owner)) < nodes.packet_nodes)
    packets = 32 if form == "aer" else 1
    links = int((nodes.link[mine] >= 0).sum())
    assert found["payload"]["layers"]["l1"]["extra_flits"] == (flits - without) * packets * links
    moved = (
        run.chip.energy_price("router_flit").value_pj * mine.sum() + run.chip.energy_price("link_flit").value_pj * links
    )
    carried = moved * flits * packets * (wide - bare) / wide * 1e-12
    assert found["payload"]["carried_energy_j"]["value"] == pytest.approx(carried, rel=1e-6)


def test_an_estimate_with_its_baselines_each_in_its_best_packets():
    """Each coding is mapped on the same chip with auto; a fixed format that a baseline cannot have is a reason to skip it."""
    network = chain([3, 20, 2], SFN.uniform(4))
    inputs = random_inputs(network, 1)
    chip = REFERENCE.replace({"packet.format": "auto"})
    run = estimate(network, chip, inputs, fidelity="analytic")
    assert {choice.format for choice in run.result.formats.values()} <= set(FORMATS)
    mapping = run.mapping
    assert verify(mapping).ok
    assert sum(int(p.value_aj) for p in run.cost.by_layer().values()) == run.cost.total.value_aj
