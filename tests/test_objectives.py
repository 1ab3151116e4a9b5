"""Objectives: cuts that fit and verify, never worse than the fewest slices in the model, and best where all are tried."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import InputError, MappingError
from sfnhw.estimate import estimate
from sfnhw.explore import explore
from sfnhw.mapping import OBJECTIVES, choose_splits, map_network, verify
from sfnhw.mapping.objectives.choose import SCORES
from sfnhw.mapping.objectives.model import Model
from sfnhw.mapping.objectives.packets import packets_of
from sfnhw.mapping.objectives.search import Search
from sfnhw.mapping.slicing import parts_of
from sfnhw.objective import FIGURES, better
from sfnhw.sim import simulate
from tests.networks import chain, random_activity, random_attention, random_network

REFERENCE = load_chip("reference")


def cuts(mapping):
    return parts_of(mapping.network, mapping.slices)


@pytest.mark.parametrize(("cores", "parts"), [(2, 1), (3, 2), (4, 3), (5, 4)])
def test_the_slow_layer_gets_the_cores_that_are_left(cores, parts):
    """l1 takes 40 packets × 64 synapses on 8 lanes: 320 cycles in one slice, 160, 120 (22 wide), 80; l2 needs 64 or so."""
    chip = REFERENCE.replace({"noc.columns": cores, "noc.rows": 1})
    network = chain([40, 64, 3])
    assert cuts(map_network(network, chip, objective="throughput")) == {"l1": (parts, 1), "l2": (1, 1)}
    assert cuts(map_network(network, chip)) == {"l1": (1, 1), "l2": (1, 1)}


def test_energy_fills_memory_words():
    """64 weights of 8 bits: a word holds 8. Cut into 32 parts of 2 each word would be read for 2; so it is left whole."""
    model = Model(chain([40, 64, 3]), REFERENCE, packets_of(chain([40, 64, 3]), None))
    words = [int(model.layers["l1"].cut((n, 1)).words[0]) for n in (1, 8, 32)]
    assert words == [40 * 8, 40 * 8, 40 * 32]
    assert cuts(map_network(chain([40, 64, 3]), REFERENCE, objective="energy"))["l1"][0] <= 8


def a_network(seed):
    return random_attention(seed) if seed % 3 == 2 else random_network(seed, 1 + seed % 2)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(OBJECTIVES),
    st.sampled_from([1, 3, 8]),
    st.sampled_from(["slice", "neuron"]),
    st.sampled_from(["dataflow", "barrier"]),
    st.booleans(),
)
def test_any_objective_maps_and_verifies(seed, objective, rows, axons, mode, recorded):
    """On chips with room, and on one where slices share cores; modelled no worse than the fewest slices, within the cores."""
    network = a_network(seed)
    activity = random_activity(network, seed) if recorded else None
    chip = REFERENCE.replace({"noc.columns": 5, "noc.rows": rows, "core.axon_sharing": axons, "core.neurons": 512})
    chip = chip if network.has_products else chip.replace({"execution.mode": mode})
    try:
        mapping = map_network(network, chip, objective=objective, activity=activity)
    except MappingError:  # only where the fewest slices are more than the chip holds, too
        with pytest.raises(MappingError):
            map_network(network, chip)
        reject()
    assert verify(mapping).ok
    found = choose_splits(network, chip, objective, activity=activity)
    assert cuts(mapping) == found.splits
    if found.figures is not None and found.fewest_figures is not None:
        score = SCORES[objective]
        assert score(found.figures) <= score(found.fewest_figures)
        assert len([s for s in mapping.slices if network[s.population].role != "input"]) == found.figures.cores
        assert found.figures.cores <= chip.cores
    else:
        assert found.splits == found.fewest_slices


def test_a_recurrent_network_keeps_within_its_axons():
    network = random_network(3, timesteps=3, recurrent=True)
    chip = REFERENCE.replace({"execution.mode": "barrier"})
    for objective in OBJECTIVES:
        assert verify(map_network(network, chip, objective=objective)).ok


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 7))
def test_the_least_work_of_the_busiest_core_is_found(seed, cores):
    """Against all combinations of cuts. Axon look-ups, which depend on how sources are cut, take no time here."""
    network = random_network(seed)
    chip = REFERENCE.replace({"noc.columns": cores, "noc.rows": 1, "core.axon_cycles": 0, "core.neurons": 1024})
    chip = chip.replace({"core.state_memory.kib": 64})
    activity = random_activity(network, seed)
    model = Model(network, chip, packets_of(network, activity))
    layers = [p.name for p in network.order if p.role != "input"]
    if len(layers) > cores:
        return
    candidates = {name: model.layers[name].candidates(cores - len(layers) + 1, 10_000)[:3] for name in layers}
    choices = [dict(zip(layers, c, strict=True)) for c in product(*candidates.values())]
    fitting = [c for c in choices if sum(a * b for a, b in c.values()) <= cores]
    assume(fitting)  # a layer may have to be cut into more slices than there are cores
    least = min(map(model.busiest, fitting))
    found = Search(model, candidates, cores).widest(dict.fromkeys(layers, (1, 1)))
    assert model.busiest(found) == least
    assert sum(a * b for a, b in found.values()) <= cores


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(SCORES)))
def test_descents_and_trades_end_where_no_single_cut_helps(seed, objective):
    network = random_network(seed)
    chip = REFERENCE.replace({"noc.columns": 6, "noc.rows": 2})
    model = Model(network, chip, packets_of(network, random_activity(network, seed)))
    layers = [p.name for p in network.order if p.role != "input"]
    candidates = {name: model.candidates(name, 4)[:4] for name in layers}
    search, score = Search(model, candidates, chip.cores), SCORES[objective]
    start = {name: cuts[0] for name, cuts in candidates.items()}
    found = search.polish(start, score)
    least = search.score(found, score)
    assert least <= search.score(start, score)
    for name, others in candidates.items():
        for parts in others:
            one = search.score(found | {name: parts}, score)
            assert one is None or one >= least


def test_what_the_user_has_cut_or_pinned_stays():
    network = chain([40, 64, 64, 3])
    mapping = map_network(network, REFERENCE, objective="throughput", splits={"l1": (5, 1)}, pins={"l2": [9]})
    assert cuts(mapping)["l1"] == (5, 1)
    assert mapping.terminals[mapping.slices_of("l2")[0].index] == 9
    assert len(mapping.slices_of("l2")) == 1
    one = map_network(network, REFERENCE, objective="throughput", pins={"l2[0]": 9})
    assert len(one.slices_of("l2")) == 1 < len(one.slices_of("l1"))


@pytest.mark.parametrize("found", ["latncy", "", 3])
def test_an_unknown_objective_is_told(found):
    with pytest.raises(InputError, match=r"objective: found .*, expected one of cores, latency, throughput, energy"):
        map_network(chain([3, 2]), REFERENCE, objective=found)


def test_a_typo_gets_a_hint():
    with pytest.raises(InputError, match="did you mean 'latency'"):
        map_network(chain([3, 2]), REFERENCE, objective="latncy")


def test_a_whole_placement_says_how_layers_are_cut():
    with pytest.raises(InputError, match="objective: "):
        map_network(chain([3, 2]), REFERENCE, objective="energy", placement={"l1": 3})


@pytest.mark.parametrize("objective", sorted(FIGURES))
def test_the_simulation_has_the_last_word(objective):
    """Given as the mapper's choice what is worse, the fewest slices are kept, and it is said."""
    network = chain([40, 64, 3])
    activity = random_activity(network, 1, rate=0.9)
    good, bad = (map_network(network, REFERENCE, splits=s) for s in (None, {"l1": (64, 1), "l2": (3, 1)}))
    results = {id(m): simulate(m, activity) for m in (good, bad)}
    figure = FIGURES[objective]
    first, second = sorted((good, bad), key=lambda m: figure(results[id(m)]))
    assert figure(results[id(first)]) < figure(results[id(second)])
    kept, result, note = better(objective, second, lambda: first, lambda m: results[id(m)])
    assert kept is first
    assert result is results[id(first)]
    assert "worse in the simulation" in note
    kept, _, note = better(objective, first, lambda: second, lambda m: results[id(m)])
    assert kept is first
    assert note is None


@pytest.mark.parametrize("objective", sorted(FIGURES))
@pytest.mark.parametrize("seed", [2, 7])
def test_estimate_is_never_worse_for_its_objective(seed, objective):
    network = random_network(seed)
    inputs = np.random.default_rng(seed).random((2, *network.inputs[0].shape))
    chip = REFERENCE.replace({"core.neurons": 128})
    plain, run = (estimate(network, chip, inputs, baselines=(), objective=o) for o in ("cores", objective))
    assert FIGURES[objective](run.result) <= FIGURES[objective](plain.result)
    assert run.provenance["objective"] == objective
    assert plain.provenance["objective"] == "cores"
    report = run.as_json()["mapping"]
    busiest = next(row for row in report["bounds"] if row["quantity"] == "cycles of the busiest core")
    assert busiest["bound"] <= busiest["achieved"] == max(row["cycles"] for row in report["layers"])


def test_explore_takes_an_objective_and_estimates_points_anew_for_another(tmp_path):
    network = chain([40, 64, 3])
    inputs = np.random.default_rng(0).random((2, 40))
    rows = [
        explore(network, REFERENCE, inputs, {"core.synapse_lanes": [4, 8]}, tmp_path, objective=o, workers=1)
        for o in ("cores", "throughput")
    ]
    for plain, fast in zip(*rows, strict=True):
        assert plain["cores_used"] == 2 < fast["cores_used"]
        assert fast["throughput_inferences_per_s"] > plain["throughput_inferences_per_s"]
    with pytest.raises(InputError, match="objective"):
        explore(network, REFERENCE, inputs, {"core.synapse_lanes": [4]}, tmp_path, objective="speed")
