"""Rounds: a network larger than the chip, by hand, and against the same network on a chip that holds it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import ChipError, InputError, MappingError
from sfnhw.mapping import Mapping, compare, map_network, summary, verify
from sfnhw.mapping.quality import quality
from sfnhw.mapping.rounds import load_of
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import SFN, Graded, Readout
from sfnhw.sim import price, record_events, simulate
from tests.networks import chain, random_activity, random_attention, random_network

# Explicit synapses take an axon for each source neuron.
REFERENCE = load_chip("reference").replace({"core.axons": 1 << 16})
ALONE = {"noc.columns": 1, "noc.rows": 1, "execution.rounds": "auto"}
FLIT = 32


def two_layers():
    """4 inputs, 3 neurons of 4 thresholds, 2 results, on one core of 3 neurons; 2 inputs and 1 neuron spike."""
    network = chain([4, 3, 2])
    levels = {"l0": [[[5, 0, 7, 0]]], "l1": [[[0, 2, 0]]], "l2": [[[9, -9]]]}
    activity = Activity({name: np.array(value, np.int32) for name, value in levels.items()})
    return network, map_network(network, REFERENCE.replace({**ALONE, "core.neurons": 3})), activity


def test_loads_by_hand():
    _, mapping, _ = two_layers()
    first, second = (load_of(r.mapping) for r in mapping.rounds)
    # 3 × 4 weights of 8 bits and 4 thresholds of 24; 12 bits of route key before them: 204 bits are 7 flits.
    assert (first.bits.tolist(), first.flits.tolist()) == ([96 + 96], [7])
    assert (first.weight_words.tolist(), first.state_words.tolist()) == ([2], [0])
    # 2 × 3 weights, and no thresholds at a readout: 60 bits are 2 flits.
    assert (second.bits.tolist(), second.flits.tolist(), second.weight_words.tolist()) == ([48], [2], [1])
    # 40 cycles of the memory, one router of 4, an interface of 3, then a flit a cycle: the last one comes flits − 1 later.
    assert (first.cycles, second.cycles) == (40 + 4 + 3 + 6, 40 + 4 + 3 + 1)


@pytest.mark.parametrize("fidelity", ["packet", "flit", "auto", "analytic"])
def test_every_bit_over_the_pins_by_hand(fidelity):
    _, mapping, activity = two_layers()
    result = simulate(mapping, activity, fidelity=fidelity)
    first, second = result.rounds
    # Round 0: 2 spikes and an end marker come in, a ready token, a spike and an end marker go out.
    assert first.result.totals()["io_bit"] == (3 + 1 + 2) * FLIT
    assert (first.saved_bits, first.replayed_bits) == (2 * FLIT, 0)
    # Round 1: the spike and its end marker come back, a ready token, 2 results of 12 + 1 + 24 bits and an end marker leave.
    assert second.result.totals()["io_bit"] == (2 + 1 + 2 * 2 + 1) * FLIT
    assert (second.saved_bits, second.replayed_bits) == (0, 2 * FLIT)
    totals = result.totals()
    assert totals["io_bit"] == (6 + 7 + 8 + 2) * FLIT
    assert totals["off_chip_bit"] == 192 + 48 + 4 * FLIT
    assert totals["weight_write"] == 2 + 1
    # One router, through which every packet goes: those at the pins, once each (the spikes to the core are the same ones).
    assert totals["router_flit"] == 6 + 7 + 8 + 2
    assert totals["link_flit"] == 0
    # What is replayed is assembled again, and is no second spike.
    assert result.by_population(result.counts.sent) == {"l0": 2, "l1": 1, "l2": 2}
    assert totals["packet"] == (2 + 1) + (1 + 1 + 1) + (1 + 1) + (2 + 1 + 1)
    assert result.timing.latency[0] == 53 + first.result.timing.latency[0] + 48 + second.result.timing.latency[0]
    assert result.timing.interval == result.timing.latency[0]
    # l2 starts when both loads, the first round and its own packet's way are over.
    assert result.timing.layer_start[0, 2] > 53 + first.result.timing.latency[0] + 48
    # The pins are busy for loads, and the lanes for the words written.
    alone = sum(r.result.timing.busy for r in (first, second))
    assert (result.timing.busy - alone).tolist() == [[0, 3, 0, 0], [0, 0, 0, 9]]


def two_rounds_with_a_tail():
    """One neuron of use in each of two rounds, with 20 beside it that nobody hears, on one core of 21; all spike once."""
    network = Network(
        (
            Population("x", (1,), Graded(8), role="input"),
            Population("g", (1,), SFN.uniform(4)),
            Population("d", (20,), SFN.uniform(4)),
            Population("y", (1,), Readout(), role="output"),
            Population("e", (20,), SFN.uniform(4)),
        ),
        (
            Dense("x", "g", np.ones((1, 1))),
            Dense("x", "d", np.ones((20, 1))),
            Dense("g", "y", np.ones((1, 1))),
            Dense("g", "e", np.ones((20, 1))),
        ),
    )
    mapping = map_network(network, REFERENCE.replace({**ALONE, "core.neurons": 21}))
    return mapping, Activity({p.name: np.ones((1, 1, p.size), int) for p in network.populations})


def test_a_round_lasts_until_the_chip_is_empty_worked_by_hand():
    """A packet alone over the one router takes 4 + 3 = 7 cycles from the port on.

    Round 0: 1 + 20 weights of 8 bits and two times 4 thresholds of 24, with keys of 12: 116 and 268 bits are 4 + 9 flits,
    40 + 4 + 3 + 12 = 59 cycles. x: spike and end marker leave the pins in 0 and 1 and are at the core in 7 and 8. The spike is
    looked up for g in 7, for d in 8; the lanes have 1 synapse in 8 and 20, 8 at a time, in 9 .. 11. The marker is looked up
    in 9 and 10, and both are complete when the lanes are done, in 12. The threshold unit takes g in 12, and d in 13 .. 32.
    g: spike, ready token and end marker take the port in 13, 14 and 15, and the marker is off the chip in 15 + 7 = 22: what
    leaves has left, but d is at work. Its ready token takes the port in 33, and the chip is empty in 33 + 7 = 40.
    Round 1: 8 weights' bits of y, those of e as those of d: 1 + 9 flits, 40 + 4 + 3 + 9 = 56 cycles. y is fed in 12 as g was,
    its readout of two flits takes the port in 13 and 14, token and end marker in 15 and 16: it has left in 23, and e's token
    comes in 40.
    """
    mapping, activity = two_rounds_with_a_tail()
    assert [load_of(r.mapping).cycles for r in mapping.rounds] == [59, 56]
    result = simulate(mapping, activity)
    assert [r.result.timing.latency.tolist() for r in result.rounds] == [[22], [23]]
    assert [r.run_cycles for r in result.rounds] == [40, 40]
    assert result.timing.latency.tolist() == [59 + 40 + 56 + 23]
    assert result.timing.interval == 59 + 40 + 56 + 40
    log = record_events(mapping, activity).columns
    assert log["end_cycle"][log["begin_cycle"] < 59 + 40].max() == 59 + 40
    assert log["begin_cycle"][log["begin_cycle"] >= 59 + 40].min() == 59 + 40 + 56
    assert log["end_cycle"].max() == result.timing.interval


@pytest.mark.parametrize("fidelity", ["flit", "auto", "analytic"])
@pytest.mark.parametrize("granularity", ["layer", "row"])
def test_all_fidelities_wait_for_the_tail_of_a_round(fidelity, granularity):
    mapping, activity = two_rounds_with_a_tail()
    chip = mapping.chip.replace({"execution.granularity": granularity})
    mapping = map_network(mapping.network, chip)
    packet, other = (simulate(mapping, activity, fidelity=f) for f in ("packet", fidelity))
    for one, two in zip(packet.rounds, other.rounds, strict=True):
        assert two.run_cycles == pytest.approx(one.run_cycles, abs=3)
        assert two.run_cycles >= two.result.latency_cycles + 10
    assert other.timing.interval == sum(r.latency_cycles for r in other.rounds)
    assert other.timing.latency[0] == other.timing.interval - two.run_cycles + two.result.latency_cycles


def test_the_price_of_what_is_off_the_chip():
    _, mapping, activity = two_layers()
    result = simulate(mapping, activity)
    cost = price(result)
    bits = 192 + 48 + 4 * FLIT
    assert cost.by_action()["off_chip_bit"].value_aj == bits * 20 * 10**6
    assert cost.by_core()["pins"].value_aj >= (bits * 20 + 23 * FLIT * 2) * 10**6
    assert sum(e.value_aj for e in cost.by_action().values()) == cost.total.value_aj
    # It is an event, not a matter of time.
    statics = ("core_leakage", "gate_leakage", "router_leakage", "core_clock", "router_clock")
    assert cost.static.value_aj == sum(cost.by_action()[term].value_aj for term in statics)


@st.composite
def changes(draw, modes=("dataflow", "barrier")):
    """What makes `reference` a chip of few cores, each of which holds a slice of anything drawn here."""
    return {
        "execution.rounds": "auto",
        "execution.mode": draw(st.sampled_from(modes)),
        "core.neurons": draw(st.integers(64, 200)),
        "core.state_banks": draw(st.integers(1, 2)),
        "core.axon_sharing": draw(st.sampled_from(["slice", "neuron"])),
        "core.threshold_unit.sharing": draw(st.sampled_from(["population", "neuron", "core"])),
        "core.state_memory.kib": 32,
        "noc.columns": draw(st.integers(1, 2)),
        "noc.rows": draw(st.integers(1, 2)),
        "noc.cores_per_router": draw(st.integers(1, 2)),
        "noc.cast": draw(st.sampled_from(["multicast", "unicast"])),
        "io.bits_per_cycle": draw(st.sampled_from([8, 32, 64])),
        "off_chip.bits_per_cycle": draw(st.sampled_from([16, 128])),
    }


def unrolled(chip):
    """The same chip with cores for everything."""
    return chip.replace({"noc.columns": 16, "noc.rows": 16, "execution.rounds": "none"})


def check_balance(network, chip, activity, fidelity="analytic"):
    """Map in rounds and at once; what neurons and synapses do must be the same to the last count."""
    mapping, whole = map_network(network, chip), map_network(network, unrolled(chip))
    found = verify(mapping)
    assert found.ok, found.summary()
    assert found.synapses == verify(whole).synapses
    assert [(s.population, s.block) for s in mapping.slices] == [(s.population, s.block) for s in whole.slices]
    for r in mapping.rounds:
        assert r.mapping.cores_used <= chip.cores
    ours, theirs = (simulate(m, activity, fidelity=fidelity, threads=1) for m in (mapping, whole))
    n = len(mapping.slices)
    for name in ("sent", "updates", "spikes"):
        assert np.array_equal(getattr(ours.counts, name)[:n], getattr(theirs.counts, name)), name
        assert not getattr(ours.counts, name)[n:].any()
    for name in ("row_packets", "row_synapses", "row_words", "row_state"):
        assert np.array_equal(getattr(ours.counts, name), getattr(theirs.counts, name)), name
    return mapping, ours, theirs


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), changes(), st.floats(0, 1))
def test_rounds_do_what_the_unrolled_network_does(seed, T, given_changes, rate):
    chip = REFERENCE.replace(given_changes)
    network = random_network(seed, T, recurrent=chip.execution.mode == "barrier" and seed % 5 >= 2)
    activity = random_activity(network, seed, samples=2, rate=rate)
    mapping, ours, theirs = check_balance(network, chip, activity)
    mine, other = ours.totals(), theirs.totals()
    assume(mapping.rounds)
    for action in ("accumulate", "multiply_bit", "weight_read", "state_read", "neuron_update", "compare", "spike"):
        assert mine[action] == other[action], action
    loads = [r.load for r in ours.rounds]
    written = sum(int(load.weight_words.sum()) for load in loads)
    assert mine["weight_write"] == other["weight_write"] + 2 * written
    # Every weight and bias is loaded once an inference: all that the memories hold, and thresholds.
    held = sum(d.weight_bits for d in mapping.demands)
    assert sum(int(load.bits.sum()) for load in loads) >= held
    moved = sum(r.saved_bits + r.replayed_bits for r in ours.rounds)
    assert mine["off_chip_bit"] == 2 * sum(int(load.bits.sum()) for load in loads) + moved
    at_pins = sum(r.result.totals()["io_bit"] for r in ours.rounds)
    flits = sum(int(load.flits.sum()) for load in loads)
    assert mine["io_bit"] == at_pins + 2 * flits * chip.noc.flit_bits
    parts = sum(r.result.timing.occupied + r.load.cycles for r in ours.rounds)
    last = ours.rounds[-1].result.timing
    assert np.array_equal(ours.timing.occupied, parts)
    assert np.array_equal(ours.timing.latency, parts - last.occupied + last.latency)
    assert ours.timing.interval == parts.mean()
    assert all((r.result.timing.occupied >= r.result.timing.latency).all() for r in ours.rounds)
    on_links = int(ours.actions.node_flits[ours.tables.nodes.link >= 0].sum())
    assert on_links == mine["link_flit"]
    alone = sum(int(r.result.timing.link_busy.sum()) for r in ours.rounds)
    loaded = sum(int(load.flits[load.routes.owner][load.routes.link >= 0].sum()) for load in loads)
    assert int(ours.timing.link_busy.sum()) == alone + 2 * loaded


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), changes())
def test_both_fidelities_count_rounds_alike_and_files_keep_them(tmp_path_factory, seed, T, given_changes):
    chip = REFERENCE.replace(given_changes)
    network = random_network(seed, T)
    activity = random_activity(network, seed, samples=1)
    mapping, ours, _ = check_balance(network, chip, activity, "packet")
    closed = simulate(mapping, activity, fidelity="analytic")
    assert ours.counts.equals(closed.counts)
    assert ours.totals() == closed.totals()
    path = mapping.save(tmp_path_factory.mktemp("map") / "m.npz")
    again = Mapping.load(path, network, chip)
    assert len(again.rounds) == len(mapping.rounds)
    assert again.demands == mapping.demands
    assert np.array_equal(again.terminals, mapping.terminals)
    assert simulate(again, activity, fidelity="analytic").totals() == closed.totals()
    assert price(simulate(again, activity)).total == price(ours).total
    assert compare([mapping, again]).rows[0] == compare([mapping, again]).rows[1]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), changes())
def test_times_in_rounds_are_within_15_percent_of_the_packets(seed, given_changes):
    """The same networks in every run, as in tests/test_analytic.py: no law holds this for every drawn one."""
    network = random_network(seed)
    mapping = map_network(network, REFERENCE.replace(given_changes))
    assume(mapping.rounds)
    packet, analytic = (
        simulate(mapping, random_activity(network, seed), fidelity=f, threads=1).timing for f in ("packet", "analytic")
    )
    assert analytic.latency == pytest.approx(packet.latency, rel=0.15)
    assert analytic.interval == pytest.approx(packet.interval, rel=0.15)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 100_000), changes(("dataflow",)))
def test_attention_in_rounds(seed, given_changes):
    """Operands of a product may come from an earlier round; what is stationary is written anew."""
    chip = REFERENCE.replace(given_changes)
    network = random_attention(seed)
    check_balance(network, chip, random_activity(network, seed, samples=1), "packet")


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 100_000), changes(("dataflow",)), st.sampled_from(["io.bits_per_cycle", "off_chip"]))
def test_more_bandwidth_is_never_slower(seed, given_changes, field):
    chip = REFERENCE.replace(given_changes)
    network = random_network(seed)
    activity = random_activity(network, seed, samples=1)
    name = field if "." in field else "off_chip.bits_per_cycle"
    times, cycles = [], []
    for bits in (4, 16, 32, 128):
        mapping = map_network(network, chip.replace({name: bits}))
        assume(mapping.rounds)
        times.append(int(simulate(mapping, activity, fidelity="analytic").timing.latency[0]))
        cycles.append(sum(load_of(r.mapping).cycles for r in mapping.rounds))
    assert cycles == sorted(cycles, reverse=True)
    assert times == sorted(times, reverse=True)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]))
def test_one_round_is_what_it_always_was(seed, T):
    network = random_network(seed, T)
    activity = random_activity(network, seed)
    chips = (REFERENCE, REFERENCE.replace({"execution.rounds": "auto"}))
    ours, theirs = (simulate(map_network(network, chip), activity, threads=1) for chip in chips)
    assert (theirs.rounds, theirs.mapping.rounds, theirs.actions.off_chip_bits) == ((), (), None)
    assert ours.totals() == theirs.totals()
    assert ours.timing.interval == theirs.timing.interval
    for name in ("latency", "busy", "link_busy", "layer_start", "layer_end"):
        assert np.array_equal(getattr(ours.timing, name), getattr(theirs.timing, name))
    assert price(ours).total == price(theirs).total


def test_layers_stay_together_where_they_fit_and_large_ones_have_rounds_to_themselves():
    # On 2 cores of 100 neurons: l1 and l2 one core each, l3 three, and first fit puts 60 + 30 + 10 on one.
    network = chain([10, 100, 100, 300, 60, 30, 10])
    chip = REFERENCE.replace({"execution.rounds": "auto", "core.neurons": 100, "noc.columns": 2, "noc.rows": 1})
    rounds = summary(map_network(network, chip))["rounds"]
    assert [row["layers"] for row in rounds] == [["l1", "l2"], ["l3"], ["l3"], ["l4", "l5", "l6"]]
    assert [row["cores"] for row in rounds] == [2, 2, 1, 1]


def test_a_skip_over_rounds_is_read_in_each_round_that_needs_it():
    network = random_network(4)
    while sum(p.target == "residual" for p in network.projections) != 2:
        network = random_network(int(network.name.split()[1]) + 1)
    mapping = map_network(network, REFERENCE.replace({**ALONE, "core.neurons": 64}))
    readers = [
        number
        for number, r in enumerate(mapping.rounds)
        if any(r.replayed[s.index] and s.population == "conv" for s in r.mapping.slices)
    ]
    users = {
        number
        for number, r in enumerate(mapping.rounds)
        for s in r.mapping.slices
        if s.index in r.on_cores and "conv" in {p.source for p in network.into(s.population)}
    }
    assert readers == sorted(users)


def test_without_the_request_the_error_says_what_it_would_take():
    network = chain([10, 300, 300, 10])
    chip = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1})
    with pytest.raises(MappingError) as error:
        map_network(network, chip)
    assert "2 chips of this kind (board.columns, board.rows)" in error.value.levers
    # l1 is cut in two; so is l2, and the readout fits beside a half of it.
    assert "set execution.rounds to auto: 2 rounds on this chip" in error.value.levers
    mapping = map_network(network, chip.replace({"execution.rounds": "auto"}))
    assert len(mapping.rounds) == 2


def test_rounds_need_a_memory_and_its_price():
    for changes in ({"off_chip.bits_per_cycle": None}, {}):
        chip = load_chip("loihi") if not changes else REFERENCE
        with pytest.raises(ChipError, match=r"execution.rounds: rounds read their weights .* off_chip.bits_per_cycle"):
            chip.replace({**changes, "execution.rounds": "auto"})
    own = {"off_chip.bits_per_cycle": 64, "energy.off_chip_bit.energy_pj": 12, "execution.rounds": "auto"}
    assert load_chip("loihi").replace(own).energy_price("off_chip_bit").high_pj == 12


def test_what_is_placed_by_hand_is_on_the_chip_at_once():
    network = chain([10, 300, 300, 10])
    with pytest.raises(InputError, match="pins: with what is placed by hand the network does not fit"):
        map_network(network, REFERENCE.replace(ALONE), pins={"l3": 0})


def test_a_loop_of_delays_is_not_cut():
    network = next(n for n in (random_network(seed, 3, recurrent=True) for seed in range(20)) if n["features"].size > 8)
    chip = REFERENCE.replace({**ALONE, "execution.mode": "barrier", "core.neurons": 8})
    with pytest.raises(MappingError, match="loop of delayed connections, which cannot be cut over rounds") as error:
        map_network(network, chip)
    assert error.value.layer == "features"
    with pytest.raises(MappingError) as error:
        map_network(network, chip.replace({"execution.rounds": "none"}))
    assert not any("rounds" in lever for lever in error.value.levers)


def test_verify_sees_what_is_wrong_between_rounds():
    network = chain([10, 300, 300, 10])
    mapping = map_network(network, REFERENCE.replace(ALONE))
    assert verify(mapping).ok

    def kinds(rounds):
        found = verify(replace(mapping, rounds=tuple(rounds)))
        return {str(v) for v in found.violations}

    rounds = list(mapping.rounds)
    assert any("is on cores in 0 rounds" in text for text in kinds(rounds[:-1]))
    backwards = kinds([*rounds[:2], rounds[3], rounds[2], rounds[4]])
    assert not backwards  # both are of one layer
    assert any("where nobody has written it" in text for text in kinds(rounds[::-1]))
    unsaved = replace(rounds[0], saved=np.zeros_like(rounds[0].saved))
    assert any("where nobody has written it" in text for text in kinds([unsaved, *rounds[1:]]))
    moved = replace(rounds[1], home=rounds[0].home)
    assert any("is noted as slice" in text for text in kinds([rounds[0], moved, *rounds[2:]]))


def test_a_network_part_is_no_network_of_its_own():
    """The whole network's rules hold for users; only parts may end in hidden layers."""
    network = chain([4, 3, 2])
    with pytest.raises(Exception, match="at least one input and one output"):
        Network(network.populations[:2], network.projections[:1])


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["slices", "terminals", "demands", "round_of"]),
    st.integers(0, 29),
    st.integers(-3, 400) | st.just(10**15),
)
def test_a_file_with_a_wrong_number_is_refused_in_one_sentence(tmp_path_factory, name, place, value):
    network, chip = chain([10, 300, 300, 10]), REFERENCE.replace(ALONE)
    path = map_network(network, chip).save(tmp_path_factory.mktemp("map") / "m.npz")
    with np.load(path) as file:
        arrays = dict(file)
    flat = arrays[name].reshape(-1)
    place %= len(flat)
    assume(flat[place] != value)
    flat[place] = value
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"m\.npz: "):
        Mapping.load(path, network, chip)


@pytest.mark.parametrize("seed", [86, 436, 628, 636])
def test_bounds_of_rounds_are_below_what_is_achieved(seed):
    """The busiest unit of one round need not be that of another."""
    network = random_network(seed)
    chip = REFERENCE.replace({"noc.columns": 2, "noc.rows": 2, "core.neurons": 24, "execution.rounds": "auto"})
    mapping = map_network(network, chip)
    assert len(mapping.rounds) > 1
    for row in quality(mapping, random_activity(network, seed)).as_json():
        assert row["bound"] <= row["achieved"], row


def test_loads_go_the_way_of_the_routing():
    """Under yx to the core at (1, 1) south first, link 2 of router 0, then east, link 4·2 + 0."""
    chip = REFERENCE.replace(
        {"noc.columns": 2, "noc.rows": 2, "core.neurons": 8, "execution.rounds": "auto", "noc.routing": "yx"}
    )
    mapping = map_network(chain([16, 16, 16, 16, 4]), chip)
    loads = [load_of(r.mapping).routes for r in mapping.rounds]
    ways = {tuple(r.link[r.owner == owner].tolist()) for r in loads for owner in np.unique(r.owner)}
    assert (-1, 2, 8) in ways
    assert (-1, 0, 6) not in ways


def test_rounds_keep_no_ways_that_trees_chose():
    with pytest.raises(ChipError, match=r"execution\.rounds: found 'auto', expected none with noc\.routing o1turn"):
        REFERENCE.replace({"noc.routing": "o1turn", "execution.rounds": "auto"})
