"""Layers cut over their inputs: the same results, and partial sums that are counted as traffic."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.cli import main
from sfnhw.errors import ActivityError, InputError, MappingError, NetworkError
from sfnhw.lowering import lower
from sfnhw.mapping import map_network, partial_sums, verify
from sfnhw.mapping.packet_formats import packing
from sfnhw.mapping.partial_sums import most_parts
from sfnhw.network import Conv2d, Dense, Elementwise, Fan, Network, Population
from sfnhw.neurons import SFN, Graded, Partial, Readout
from sfnhw.nir import to_nir
from sfnhw.numerics import Numerics
from sfnhw.rates import Rates
from sfnhw.recode import recode
from sfnhw.record import encode_inputs, record
from sfnhw.sim import simulate
from tests.naive import count
from tests.naive_record import integers
from tests.networks import random_attention, random_inputs, random_network

REFERENCE = load_chip("reference")
WIDE = REFERENCE.replace(
    {
        "core.neurons": 200,
        "core.axons": 4096,
        "core.threshold_unit.registers": 4096,
        "noc.columns": 16,
        "noc.rows": 16,
    }
)


def small():
    """x (2) → h (2), one to one → fc (2), all to all; weights are whole with a largest of 127, so they are their integers."""
    populations = (
        Population("x", (2,), Graded(8), role="input"),
        Population("h", (2,), Graded(8)),
        Population("fc", (2,), Readout(), role="output", bias=np.array([10.0, 0.0])),
    )
    weight = np.array([[127.0, -1.0], [2.0, 50.0]])
    return Network(populations, (Elementwise("x", "h", np.ones(1)), Dense("h", "fc", weight)))


def cut_network(seed, T=1, recurrent=False, most=4):
    """A random network, and the same with every layer cut that can be, into 2 to `most` parts."""
    attention = T == 1 and not recurrent and seed % 5 == 4
    network = random_attention(seed) if attention else random_network(seed, T, recurrent, window=False)
    rng = np.random.default_rng(seed)
    free = {p.name: most_parts(network, p.name) for p in network.populations if p.role != "input"}
    parts = {name: int(rng.integers(2, min(most, n) + 1)) for name, n in free.items() if n > 1}
    if not parts:
        assume(False)
    return network, partial_sums(network, parts), parts


def test_two_channels_in_two_parts_by_hand():
    cut = partial_sums(small(), {"fc": 2})
    assert [p.name for p in cut.populations] == ["x", "h", "fc.partial0", "fc.partial1", "fc"]
    # Sample 0: h = (3, 0); part 0 sends 3·(127, 2), part 1 nothing. Sample 1: h = (3, 5); part 1 sends 5·(−1, 50).
    recording = record(cut, np.array([[3.0, 0.0], [3.0, 5.0]]))
    levels = {name: array[:, 0].tolist() for name, array in recording.activity.levels.items()}
    assert levels["fc.partial0"] == [[381, 6], [381, 6]]
    assert levels["fc.partial1"] == [[0, 0], [-5, 250]]
    assert levels["fc"] == [[391, 6], [386, 256]]
    mapping = map_network(cut, REFERENCE)
    assert verify(mapping).ok
    # h is cut where its parts' channels end: x, h[0], h[1], two parts and fc are six slices.
    assert [(s.population, s.block[:2]) for s in mapping.slices if s.population == "h"] == [
        ("h", (0, 1)),
        ("h", (1, 2)),
    ]
    assert len(mapping.slices) == 6
    counts = simulate(mapping, recording.activity.select(slice(0, 1))).counts
    of = {name: [s.index for s in mapping.slices_of(name)] for name in levels}
    sent = {name: counts.sent[mine].ravel().tolist() for name, mine in of.items()}
    assert sent == {"x": [1], "h": [1, 0], "fc.partial0": [2], "fc.partial1": [0], "fc": [2]}
    # x is heard by both slices of h; h[0] by part 0 alone; part 0 by fc; fc at the pins.
    delivered = {name: counts.delivered[mine].ravel().tolist() for name, mine in of.items()}
    assert delivered == {"x": [2], "h": [1, 0], "fc.partial0": [2], "fc.partial1": [0], "fc": [2]}
    # x → h: 1; h[0] → part 0: 2; part 0 → fc: one addition for each sum.
    assert int(counts.row_synapses.sum()) == 5
    assert int(simulate(mapping, recording.activity.select(slice(1, 2))).counts.row_synapses.sum()) == 2 + 4 + 4


def test_a_partial_sum_is_as_wide_as_the_accumulator_and_weights_are_split():
    cut = partial_sums(small(), {"fc": 2})
    for bits in (16, 24, 40):
        chip = REFERENCE.replace({"core.accumulator_bits": bits})
        mapping = map_network(cut, chip)
        (part,) = mapping.slices_of("fc.partial1")
        laid = packing(cut["fc.partial1"], part.block, chip, "aer")
        assert (laid.header, laid.address, laid.payload) == (chip.noc.header_bits, 1, bits)  # one bit for two neurons
        asks = {s.population: d for s, d in zip(mapping.slices, mapping.demands, strict=True)}
        assert asks["fc.partial0"].weight_bits == asks["fc.partial1"].weight_bits == 2 * 8
        assert asks["fc"].weight_bits == 2 * 2 * 8 + 2 * bits  # a 1 for each channel of each part, and its biases
    assert asks["fc.partial0"].registers == 0


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.sampled_from(["population", "channel"]),
    st.integers(3, 10),
    st.sampled_from([10, 14, 24]),
    st.sampled_from(["saturate", "wrap"]),
)
def test_results_are_the_same_to_the_last_bit(seed, T, recurrent, sharing, weight_bits, accumulator_bits, overflow):
    network, cut, _ = cut_network(seed, T, recurrent and T > 1)
    numerics = Numerics(weight_bits, accumulator_bits=accumulator_bits, overflow=overflow)
    inputs = random_inputs(network, seed)
    before = record(network, inputs, numerics=numerics, threshold_sharing=sharing)
    after = record(cut, inputs, numerics=numerics, threshold_sharing=sharing)
    if overflow == "saturate" and any(
        after.overflows[p.name] for p in cut.populations if isinstance(p.coding, Partial)
    ):
        return  # a part alone left the range, and was clipped: counted, and no longer exact
    for p in network.populations:
        assert np.array_equal(before.activity.levels[p.name], after.activity.levels[p.name]), p.name
        if overflow == "saturate" and p.role != "input":
            assert before.overflows[p.name] == after.overflows[p.name]
    assert np.array_equal(before.outputs, after.outputs)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 100_000),
    st.lists(st.sampled_from([0.01, 1.0, 30.0]), min_size=4, max_size=4),
    st.sampled_from(["population", "channel"]),
    st.integers(2, 5),
)
def test_pieces_share_the_step_of_what_they_are_pieces_of(seed, sizes, sharing, parts):
    """Two convolutions from one source, one from another of fewer channels, and a residual: shifts of their own."""
    rng = np.random.default_rng(seed)
    populations = (
        Population("x", (5, 3, 3), Graded(6), 1 / 30, role="input"),
        Population("y", (2, 3, 3), Graded(6), 1 / 20, role="input"),
        Population("sum", (5, 3, 3), SFN.uniform(6), rng.uniform(0.2, 2, 5), bias=rng.normal(size=5)),
        Population("fc", (3,), Readout(), role="output"),
    )
    big, one, other, residual = sizes
    projections = (
        Conv2d("x", "sum", big * rng.normal(size=(5, 5, 3, 3)), padding=1),
        Conv2d("y", "sum", other * rng.normal(size=(5, 2, 1, 1))),
        Elementwise("x", "sum", np.full(1, residual)),
        # Large in the first channel that it reads only: parts must not take steps of their own.
        Conv2d("x", "sum", one * rng.normal(size=(5, 5, 1, 1)) * np.array([9, 1, 1, 1, 0.1])[None, :, None, None]),
        Dense("sum", "fc", rng.normal(size=(3, 45))),
    )
    network = Network(populations, projections)
    cut = partial_sums(network, {"sum": parts, "fc": parts})
    inputs = {"x": rng.random((2, 5, 3, 3)), "y": rng.random((2, 2, 3, 3))}
    wide = Numerics(accumulator_bits=48)
    before, after = (record(n, inputs, numerics=wide, threshold_sharing=sharing) for n in (network, cut))
    assert not any(after.overflows.values())
    for p in network.populations:
        assert np.array_equal(before.activity.levels[p.name], after.activity.levels[p.name])
    shifts = {q.label: [] for q in cut.projections}
    for q, low in zip(cut.projections, lower(cut, wide, sharing).projections, strict=True):
        shifts[q.label].append(low.shift)
    assert all(shifts[f"conv2d projection 'x' → 'sum.partial{i}'"] == shifts["conv2d projection 'x' → 'sum.partial0'"] for i in range(parts))  # fmt: skip
    assert [q.target for q in cut.projections if q.source == "y"] == [
        f"sum.partial{i}" for i in range(parts) if i * 2 // parts < (i + 1) * 2 // parts
    ]


def test_verify_notices_a_part_that_hears_all_channels(monkeypatch):
    cut = partial_sums(small(), {"fc": 2})
    every = Fan(np.array([2]), np.array([1]), 1)
    monkeypatch.setattr(Dense, "fan", lambda *_: every)
    monkeypatch.setattr(Dense, "reach", lambda self, source, target, block: source.block)
    assert any(v.kind == "synapses" for v in verify(map_network(cut, REFERENCE)).violations)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 2]))
def test_recording_is_what_plain_integers_say(seed, T):
    network = random_network(seed, T, window=False)
    names = [p.name for p in network.populations if p.role != "input" and most_parts(network, p.name) > 1]
    assume(names and all(p.coding.kind in ("if", "graded", "readout", "mtn", "sfn") for p in network.populations))
    cut = partial_sums(network, dict.fromkeys(names, 2))
    inputs = random_inputs(cut, seed, samples=1)
    lowered = lower(cut, Numerics())
    (given_levels,) = encode_inputs(cut, inputs)[0].values()
    levels, overflows = integers(lowered, given_levels[0].tolist())
    recording = record(cut, inputs)
    assert recording.overflows == overflows
    for name, steps in levels.items():
        assert recording.activity.levels[name][0].tolist() == [[int(v) for v in step] for step in steps], name


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000))
def test_real_arithmetic_agrees(seed):
    network, cut, _ = cut_network(seed)
    inputs = random_inputs(network, seed)
    before, after = (record(n, inputs, numerics=None) for n in (network, cut))
    # Thresholds may fall on either side of a sum that was added in another order: compare before the first of them.
    first = next(p for p in network.order if p.role != "input" and network.depth[p.name] == 1)
    assert np.abs(before.activity.levels[first.name] - after.activity.levels[first.name]).max() <= 1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 2]),
    st.integers(40, 200),
    st.sampled_from(["multicast", "unicast"]),
    st.sampled_from(["slice", "neuron"]),
    st.sampled_from(["dataflow", "barrier"]),
)
def test_cut_networks_map_verify_and_are_counted_as_a_brute_force_walk_says(seed, T, neurons, cast, axons, mode):
    _, cut, _ = cut_network(seed, T)
    assume(mode == "dataflow" or not cut.has_products)
    chip = WIDE.replace({"core.neurons": neurons, "noc.cast": cast, "core.axon_sharing": axons, "execution.mode": mode})
    mapping = map_network(cut, chip)
    found = verify(mapping)
    assert found.ok, found.summary()
    for row in range(len(mapping.connections)):
        p = cut.projections[mapping.connections.projection[row]]
        block = mapping.slices[mapping.connections.source[row]].block
        if isinstance(p, Dense | Conv2d) and p.source_channels and not cut[p.source].needs_function_unit:
            a, b = p.source_channels
            if cut[p.source].role == "input":
                assert a < block.c1
                assert block.c0 < b
            else:  # nobody hears a channel that it does not read
                assert a <= block.c0 < block.c1 <= b
    activity = record(cut, random_inputs(cut, seed)).activity
    result = simulate(mapping, activity, threads=1)
    counts, walked = result.counts, count(mapping, activity)
    assert int(counts.sent.sum()) == walked["packets"]
    assert int(counts.delivered.sum()) == walked["delivered"]
    assert int(counts.row_packets.sum()) == walked["lookups"]
    assert int(counts.row_synapses.sum()) == walked["operations"]
    assert simulate(mapping, activity, fidelity="analytic").counts.equals(counts)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 2]))
def test_weights_and_synapses_are_conserved(seed, T):
    """Pieces hold the weights that were there, each once; all that is added is one addition for each partial sum."""
    network, cut, parts = cut_network(seed, T)
    added = sum(n * network[name].size for name, n in parts.items())
    assert cut.macs == network.macs + added
    assert cut.dense_macs == network.dense_macs
    assert cut.parameters == network.parameters + sum(parts.values())
    for name, n in parts.items():
        whole = np.concatenate([q.weight.ravel() for q in network.into(name) if isinstance(q, Dense | Conv2d)])
        pieces = [q for p in cut.populations if p.name.startswith(f"{name}.partial") for q in cut.into(p.name)]
        left = [q for q in cut.into(name) if isinstance(q, Dense | Conv2d)]
        now = np.concatenate([q.weight.ravel() for q in [*pieces, *left]])
        assert np.array_equal(np.sort(whole), np.sort(now))
        assert len({q.target for q in pieces}) == n


def test_saturation_within_a_part_is_counted_under_its_name():
    weight = np.array([[127.0, -127.0]])
    network = small()
    fc = Population("fc", (1,), Readout(), role="output")
    network = Network((*network.populations[:2], fc), (network.projections[0], Dense("h", "fc", weight)))
    cut, inputs = partial_sums(network, {"fc": 2}), np.array([[200.0, 199.0]])
    # 12-bit accumulators end at 2,047: the whole is 127, but 127 · 200 and −127 · 199 are far beyond.
    narrow = Numerics(accumulator_bits=12)
    assert record(network, inputs, numerics=narrow).activity.levels["fc"].item() == 127
    clipped = record(cut, inputs, numerics=narrow)
    assert clipped.overflows == {"h": 0, "fc.partial0": 1, "fc.partial1": 1, "fc": 0}
    assert clipped.activity.levels["fc"].item() == 2047 - 2048
    wrapped = record(cut, inputs, numerics=replace(narrow, overflow="wrap"))
    assert wrapped.activity.levels["fc"].item() == 127


def test_a_layer_whose_channel_fits_no_core_fits_in_parts():
    rng = np.random.default_rng(0)
    populations = (
        Population("x", (4,), Graded(8), role="input"),
        Population("h", (3000,), Graded(8), function="relu"),
        Population("fc", (3,), Readout(), role="output"),
    )
    projections = (Dense("x", "h", rng.normal(size=(3000, 4))), Dense("h", "fc", rng.normal(size=(3, 3000))))
    network = Network(populations, projections)
    chip = WIDE.replace({"core.weight_memory.kib": 1})  # 8,192 bits, and a neuron of fc has 3,000 · 8 = 24,000
    with pytest.raises(MappingError, match="'fc'") as caught:
        map_network(network, chip)
    # 3,000 inputs in 2 parts are 12,000 bits, in 3 parts 8,000.
    assert "cut its inputs: sfnhw.mapping.partial_sums(network, {'fc': 3})" in caught.value.levers
    with pytest.raises(MappingError) as again:
        map_network(partial_sums(network, {"fc": 2}), chip)
    assert again.value.layer == "fc.partial0"
    assert "cut the inputs of 'fc' into more parts" in again.value.levers
    mapping = map_network(partial_sums(network, {"fc": 3}), chip)
    assert verify(mapping).ok


def test_rounds_carry_partial_sums_between_them():
    _, cut, _ = cut_network(7)
    chip = WIDE.replace({"execution.rounds": "auto", "noc.columns": 2, "noc.rows": 1, "core.neurons": 150})
    mapping = map_network(cut, chip)
    assert len(mapping.rounds) > 1
    assert verify(mapping).ok
    activity = record(cut, random_inputs(cut, 7)).activity
    assert any(  # a part's sums leave the chip, and come back for their layer
        any(isinstance(p.coding, Partial) and p.role == "input" for p in one.mapping.network.populations)
        for one in mapping.rounds
    )
    whole = simulate(map_network(cut, WIDE), activity).totals()
    in_rounds = simulate(mapping, activity).totals()
    for action in ("spike", "accumulate", "multiply_bit"):
        assert in_rounds[action] == whole[action] > 0


def test_the_file_keeps_parts_and_uncut_projections_look_as_before(tmp_path):
    network, cut, _ = cut_network(3)
    again = Network.load(cut.save(tmp_path / "cut.sfn"))
    assert again.fingerprint() == cut.fingerprint() != network.fingerprint()
    assert all("source_channels" not in p.config() for p in network.projections)
    assert partial_sums(network, {}).fingerprint() == network.fingerprint()


def test_recoded_networks_stay_cut():
    network, cut, parts = cut_network(11)
    if_cut = recode(cut, "if", timesteps=4, scaling="range")
    expected = partial_sums(recode(network, "if", timesteps=4, scaling="range"), parts)
    assert if_cut.fingerprint() == expected.fingerprint()


def grouped():
    image = Population("x", (4, 3, 3), Graded(8), role="input")
    conv = Population("conv", (4, 3, 3), Graded(8))
    fc = Population("fc", (2,), Readout(), role="output")
    projections = (
        Conv2d("x", "conv", np.ones((4, 2, 1, 1)), groups=2),
        Dense("conv", "fc", np.ones((2, 36))),
    )
    return Network((image, conv, fc), projections)


@pytest.mark.parametrize(
    ("network", "parts", "message"),
    [
        (small, {"fx": 2}, "parts.fx: no such layer, found 'fx', expected one of h, fc"),
        (lambda: random_network(0), {"resutl": 2}, "parts.resutl: no such layer (did you mean 'result'?)"),
        (small, {"x": 2}, "parts.x: no such layer"),
        (small, {"fc": 3}, "parts.fc: found 3, expected 1 to 2 parts of its inputs' channels"),
        (small, {"fc": 0}, "parts.fc: found 0, expected 1 to 2 parts of its inputs' channels"),
        (small, {"fc": True}, "parts.fc: found True, expected"),
        (small, {"h": 2}, "nothing into it sums over channels of its source in one group (elementwise)"),
        (grouped, {"conv": 2}, "nothing into it sums over channels of its source in one group (grouped conv2d)"),
        (lambda: random_attention(0), {"scores": 2}, "nothing into it sums over channels"),
        (lambda: partial_sums(small(), {"fc": 2}), {"fc": 2}, "its inputs are cut already"),
        (lambda: partial_sums(small(), {"fc": 2}), {"fc.partial0": 2}, "it is a part itself"),
        (small, [2], "parts: found [2], expected layers to numbers of parts"),
    ],
)
def test_what_cannot_be_cut_is_one_sentence(network, parts, message):
    with pytest.raises(InputError) as caught:
        partial_sums(network(), parts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_in_windows_are_refused():
    network = random_network(1, 4, window=True)
    name = network.outputs[0].name
    with pytest.raises(InputError, match="work in windows"):
        partial_sums(network, {name: 2})


def changed(network, name, **fields):
    return [replace(p, **fields) if p.name == name else p for p in network.populations]


@pytest.mark.parametrize(
    ("populations", "projections", "message"),
    [
        (lambda n: changed(n, "fc.partial0", bias=np.ones(2)), lambda n: n.projections, "partial sums have no bias"),
        (
            lambda n: n.populations,
            lambda n: [*n.projections[:-1], Elementwise("fc.partial1", "fc", np.full(1, 2.0))],
            "partial sums are added as they are to one layer",
        ),
        (
            lambda n: n.populations,
            lambda n: [*n.projections, Elementwise("fc.partial1", "fc", np.ones(1))],
            "partial sums are added as they are to one layer",
        ),
        (
            lambda n: n.populations,
            lambda n: [replace(q, source_channels=(1, 3)) if q.target == "fc.partial1" else q for q in n.projections],
            "source_channels: found (1, 3), expected (a, b) with 0 ≤ a < b ≤ 2",
        ),
    ],
)
def test_sums_that_are_more_than_sums_are_no_network(populations, projections, message):
    network = partial_sums(small(), {"fc": 2})
    with pytest.raises(NetworkError) as caught:
        Network(tuple(populations(network)), tuple(projections(network)))
    assert message in str(caught.value)


def test_rates_have_no_partial_sums():
    cut = partial_sums(small(), {"fc": 2})
    with pytest.raises(ActivityError, match="partial sums, which have no levels"):
        Rates.given(cut, {"*": 0.5})


def test_nir_has_no_partial_sums(tmp_path):
    cut = partial_sums(recode(small(), "if", timesteps=2, scaling="range"), {"fc": 2})
    with pytest.raises(NetworkError, match="coding 'partial'"):
        to_nir(cut, tmp_path / "cut.nir")


def test_the_command_line(tmp_path, capsys):
    small().save(tmp_path / "net.sfn")
    arguments = ["cut", str(tmp_path / "net.sfn"), "-o", str(tmp_path / "cut.sfn"), "--inputs"]
    assert main([*arguments, "fc=2"]) == 0
    expected = partial_sums(small(), {"fc": 2}).fingerprint()
    assert Network.load(tmp_path / "cut.sfn").fingerprint() == expected
    for text, message in (
        ("fc=3", "--inputs fc: found 3, expected 1 to 2 parts"),
        ("fd=2", "--inputs fd: no such layer, found 'fd', expected one of h, fc"),
        ("fc", "--inputs: found 'fc', expected LAYER=PARTS"),
    ):
        capsys.readouterr()
        assert main([*arguments, text]) == 2
        assert message in capsys.readouterr().err


def test_a_layer_norm_gets_its_weights_from_parts():
    """One core must see all 64 channels of a position, and 64 × 64 weights of 8 bits are 4 KiB."""
    rng = np.random.default_rng(1)
    populations = (
        Population("x", (64, 3, 1), Graded(8, signed=True), 1 / 100, role="input"),
        Population("h", (64, 3, 1), Graded(8, signed=True), 1 / 50),
        Population("norm", (64, 3, 1), Graded(8, signed=True), 1 / 40, function="layer_norm", epsilon=1e-5),
        Population("fc", (2,), Readout(), role="output"),
    )
    projections = (
        Elementwise("x", "h", np.ones(1)),
        Conv2d("h", "norm", rng.normal(size=(64, 64, 1, 1))),
        Elementwise("x", "norm", np.ones(1)),
        Dense("norm", "fc", rng.normal(size=(2, 192))),
    )
    network = Network(populations, projections)
    chip = load_chip("sfn1").replace({"core.weight_memory.kib": 2})
    with pytest.raises(MappingError, match="'norm'") as caught:
        map_network(network, chip)
    # 16,384 bits hold the 64 weights of the residual and 64 ones for each part; two parts do.
    assert any("partial_sums(network, {'norm': 2})" in lever for lever in caught.value.levers)
    cut = partial_sums(network, {"norm": 2})
    mapping = map_network(cut, chip)
    assert verify(mapping).ok
    inputs = rng.normal(size=(2, 64, 3, 1))
    before, after = (record(n, inputs, numerics=chip.numerics) for n in (network, cut))
    assert np.array_equal(before.outputs, after.outputs)
    assert before.activity.levels["norm"].any()
