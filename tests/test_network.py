"""The network: shapes, cycles, geometry against a brute-force walk, and the file."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from sfnhw.errors import NetworkError
from sfnhw.network import AveragePool, Block, Conv2d, Dense, MaxPool, Network, Population, Sparse
from sfnhw.neurons import SFN, Graded, Readout
from tests.naive import synapses_of
from tests.networks import chain, random_attention, random_network

IN = Population("in", (2, 4, 4), Graded(8), role="input")
HIDDEN = Population("hidden", (3, 4, 4), SFN.uniform(4))
OUT = Population("out", (5,), Readout(), role="output")


def small(**changes):
    parts = {
        "populations": (IN, HIDDEN, OUT),
        "projections": (
            Conv2d("in", "hidden", np.ones((3, 2, 3, 3)), padding=1),
            Dense("hidden", "out", np.ones((5, 48))),
        ),
        **changes,
    }
    return Network(**parts)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.data())
def test_fan_out_equals_a_walk_over_every_synapse(seed, data):
    """`Projection.fan` of any two blocks = counting the synapses between them one by one; MACs = their number."""
    network = random_network(seed, recurrent=False)
    every = synapses_of(network)
    for k, p in enumerate(network.projections):
        source, target = network[p.source], network[p.target]
        mine = [(i, o) for kk, i, o, _ in every if kk == k]

        def block(population):
            c = sorted(data.draw(st.tuples(*[st.integers(0, population.channels)] * 2)))
            r = sorted(data.draw(st.tuples(*[st.integers(0, population.rows)] * 2)))
            return Block(c[0], max(c[1], c[0] + 1), r[0], max(r[1], r[0] + 1))

        a, b = block(source), block(target)
        a = Block(
            min(a.c0, source.channels - 1),
            min(a.c1, source.channels),
            min(a.r0, source.rows - 1),
            min(a.r1, source.rows),
        )
        b = Block(
            min(b.c0, target.channels - 1),
            min(b.c1, target.channels),
            min(b.r0, target.rows - 1),
            min(b.r1, target.rows),
        )
        inside = set(target.indices(b).tolist())
        counted = dict.fromkeys(source.indices(a).tolist(), 0)
        for i, o in mine:
            if i in counted and o in inside:
                counted[i] += 1
        fan = p.fan(source, target, a, b).per_neuron(source.block_size(a))
        assert fan.tolist() == list(counted.values()), p.label
        assert p.macs(source, target) == len(mine)
        reach = set(source.indices(p.reach(source, target, b)).tolist())
        assert {i for i, o in mine if o in inside} <= reach, p.label


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.data())
def test_no_synapse_of_a_product_comes_from_outside_its_reach(seed, data):
    network = random_attention(seed)
    every = synapses_of(network)
    for k, p in enumerate(network.projections):
        source, target = network[p.source], network[p.target]
        c0, r0 = data.draw(st.integers(0, target.channels - 1)), data.draw(st.integers(0, target.rows - 1))
        b = Block(c0, data.draw(st.integers(c0 + 1, target.channels)), r0, data.draw(st.integers(r0 + 1, target.rows)))
        inside, reach = (
            set(q.indices(block).tolist()) for q, block in ((target, b), (source, p.reach(source, target, b)))
        )
        assert {i for kk, i, o, _ in every if kk == k and o in inside} <= reach, p.label


def test_reach_of_a_kernel_worked_by_hand():
    """Output rows 2 and 3 with stride 2, padding 1 and 3 rows of kernel read rows 2·2−1 = 3 to 3·2−1+2 = 7.

    Two groups: target channel 2 of 4 is in the second group, which reads source channels 2 and 3 of 4.
    """
    source = Population("a", (4, 9, 9), Graded(8), role="input")
    target = Population("b", (4, 5, 5), SFN.uniform(2))
    conv = Conv2d("a", "b", np.ones((4, 2, 3, 3)), stride=2, padding=1, groups=2)
    assert conv.reach(source, target, Block(2, 3, 2, 4)) == Block(2, 4, 3, 8)


def test_macs_worked_by_hand():
    # conv 3×3, 2 → 3 channels on 4×4 with padding: 6 · (4·16 corners-clipped taps) — each axis has 3+3+2+2 = 10 taps,
    # so 100 (position, tap) pairs; × 6 channel pairs = 600. Dense: 48 · 5 = 240.
    assert small().macs == 600 + 240
    assert small().parameters == 54 + 240


def test_graph_is_a_networkx_digraph_for_inspection():
    graph = small().graph()
    assert list(graph.edges) == [("in", "hidden"), ("hidden", "out")]
    assert graph.edges["in", "hidden"]["macs"] == 600
    assert graph.nodes["hidden"]["neurons"] == 48


def test_cycles_need_a_delay():
    loop = Sparse("hidden", "hidden", [1.0], np.r_[0, np.ones(48, int)], [3])
    with pytest.raises(NetworkError, match=r"a cycle without a delay, found 'hidden → hidden', expected delay=1"):
        small(projections=(*small().projections, loop))
    delayed = Sparse("hidden", "hidden", [1.0], np.r_[0, np.ones(48, int)], [3], delay=1)
    network = small(projections=(*small().projections, delayed))
    assert network.has_delays
    assert network.depth == {"in": 0, "hidden": 1, "out": 2}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(populations=(IN, HIDDEN, HIDDEN, OUT)), "two populations of one name, found 'hidden'"),
        (lambda: small(projections=(Dense("hiden", "out", np.ones((5, 48))),)), "did you mean 'hidden'?"),
        (lambda: small(projections=small().projections[:1]), "population 'out': no projection leads into it"),
        (lambda: Dense("in", "out", [[np.nan]]), "weight: NaN or infinite"),
        (lambda: Dense("in", "out", [[1.0]], delay=2), "delay: found 2, expected 0 or 1 timestep"),
        (lambda: Conv2d("in", "hidden", np.ones((3, 2, 3, 3)), stride=0), "stride: found (0, 0), expected at least 1"),
        (lambda: small(projections=(Dense("in", "hidden", np.ones((48, 31))), small().projections[1])), "expected shape (48, 32)"),
        (lambda: small(projections=(Conv2d("in", "hidden", np.ones((3, 2, 3, 3))), small().projections[1])), "target: found (3, 4, 4), expected shape (3, 2, 2)"),
        (lambda: Population("p", (0,), SFN.uniform(2)), "expected (features,) or (channels, height, width)"),
        (lambda: Population("(chip)", (2,), SFN.uniform(2)), "population.name: this name stands for what the chip's layers share"),
        (lambda: Population(["p"], (2,), SFN.uniform(2)), "population.name: found ['p'], expected a name"),
        (lambda: Population("p", (2,), SFN.uniform(2), scale=np.array([1.0, -1.0])), "expected 2 positive finite numbers"),
        (lambda: Population("p", (2,), SFN.uniform(2, signed=True), function="relu"), "relu needs an unsigned coding"),
        (lambda: Population("p", (2,), Graded(8), role="output"), "an output population is a readout"),
        (lambda: small(projections=(*small().projections, AveragePool("in", "hidden", 2))), "target: found (3, 4, 4), expected shape (2, 2, 2)"),
        (lambda: small(projections=(MaxPool("in", "hidden", 1), small().projections[1])), "found (3, 4, 4), expected shape (2, 4, 4)"),
        (lambda: small(populations=(IN, HIDDEN, OUT), projections=()), "no projection leads into it"),
    ],
)  # fmt: skip
def test_inconsistent_networks_say_what_is_wrong(make, message):
    with pytest.raises(NetworkError) as error:
        make()
    assert message in str(error.value)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([1, 4]))
def test_file_round_trip(tmp_path_factory, seed, T):
    path = tmp_path_factory.mktemp("net") / "a.sfn"
    network = random_network(seed, T, recurrent=True)
    network.save(path)
    again = Network.load(path)
    assert [p.config() for p in again.populations] == [p.config() for p in network.populations]
    assert [p.config() for p in again.projections] == [p.config() for p in network.projections]
    for a, b in zip(network.projections, again.projections, strict=True):
        assert all(np.array_equal(x, b.tensors()[k]) for k, x in a.tensors().items())
    for p, q in zip(network.populations, again.populations, strict=True):
        assert np.array_equal(p.scale, q.scale)
        assert (p.bias is None and q.bias is None) or np.array_equal(p.bias, q.bias)


def write(path, header, tensors=None):
    save_file(
        tensors or {"x": np.zeros(1)},
        str(path),
        metadata={"sfnhw": header if isinstance(header, str) else json.dumps(header)},
    )


def saved(tmp_path):
    """Header and tensors of a good file, for breaking."""
    from safetensors import safe_open

    good = tmp_path / "good.sfn"
    chain([3, 2]).save(good)
    with safe_open(str(good), framework="numpy") as body:
        return json.loads(body.metadata()["sfnhw"]), {k: body.get_tensor(k) for k in body.keys()}  # noqa: SIM118


def test_bad_files_say_what_is_wrong(tmp_path):
    path = tmp_path / "bad.sfn"

    def message():
        with pytest.raises(NetworkError) as error:
            Network.load(path)
        assert str(error.value).startswith(str(path))
        return str(error.value)

    assert "no such file" in message()
    path.write_bytes(b"")
    assert "cannot be read as a network file" in message()
    path.write_bytes(b"\x80\x04\x95pickle")
    assert "truncated, or not written by sfnhw" in message()
    good = tmp_path / "whole.sfn"
    chain([30, 20]).save(good)
    path.write_bytes(good.read_bytes()[:-9])
    assert "truncated" in message()
    save_file({"x": np.zeros(1)}, str(path))
    assert "without an sfnhw header" in message()
    write(path, "{")
    assert "the header is not JSON" in message()
    header, tensors = saved(tmp_path)
    write(path, {**header, "version": 99}, tensors)
    assert "version: unknown version, found 99, expected 1" in message()
    write(path, {**header, "format": "other"}, tensors)
    assert "format: found 'other'" in message()
    write(path, header, {k: v for k, v in tensors.items() if k != "projection/0/weight"})
    assert "tensor 'projection/0/weight' (dense 'l0' → 'l1') is missing" in message()
    write(path, header, {**tensors, "projection/0/weight": np.ones((2, 4))})
    assert "found (2, 4), expected shape (2, 3)" in message()
    write(path, header, {**tensors, "projection/0/weight": np.full((2, 3), np.nan)})
    assert "NaN or infinite" in message()
    broken = json.loads(json.dumps(header))
    broken["projections"][0]["kind"] = "dence"
    write(path, broken, tensors)
    assert "did you mean 'dense'?" in message()
    broken = json.loads(json.dumps(header))
    del broken["populations"][0]["shape"]
    write(path, broken, tensors)
    assert "population 'l0'.shape: expected a list of whole numbers" in message()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(metadata=None), "metadata: expected an object"),
        (lambda h: h.update(metadata=[1]), "metadata: found [1], expected an object"),
        (lambda h: h.update(metadata={"ann_accuracy": 10**400}), "metadata.ann_accuracy: found 1000"),
        (lambda h: h.update(metadata={"ann_accuracy": "all"}), "metadata.ann_accuracy: found 'all', expected a number from 0 to 1"),
        (lambda h: h.update(metadata={"a": float("inf")}), "metadata.a: found inf, expected a finite number"),
        (lambda h: h.update(name=5), "name: found 5, expected a text"),
        (lambda h: h.update(name="\ud800"), "name: half of a surrogate pair is not a character"),
        (lambda h: h["populations"][1].update(name=["p"]), "populations[1].name: found ['p'], expected a text"),
        (lambda h: h["populations"][0].update(shape=[float("inf")]), "population 'l0'.shape: found [inf], expected a list of whole numbers"),
        (lambda h: h["populations"][0].update(shape=[True]), "population 'l0'.shape: found [True]"),
        (lambda h: h.update(populations={}), "populations: found {}, expected a list of objects"),
        (lambda h: h["populations"][0]["coding"].update(signed=2), "population 'l0'.coding.signed: found 2, expected true or false"),
        (lambda h: h["populations"][0]["coding"].update(signed=1.5), "coding.signed: found 1.5"),
        (lambda h: h["populations"][0]["coding"].update(bits=True), "coding.bits: found True, expected a whole number"),
        (lambda h: h["populations"][0].update(coding={"kind": "mtn", "thresholds": 10**10}), "coding.thresholds: found 10000000000, expected a whole number up to 1,048,576"),
        (lambda h: h["populations"][0].update(coding={"kind": "mtn", "thresholds": True}), "mtn.thresholds: found True, expected an integer"),
        (lambda h: h.update(version=True), "version: unknown version, found True"),
        (lambda h: h["populations"][1].update(bias=None), "population 'l1'.bias: expected true or false"),
        (lambda h: h["populations"][1].update(bias="yes"), "population 'l1'.bias: found 'yes', expected true or false"),
        (lambda h: h["projections"][0].update(groups=True), "projections[0].groups: found True, expected numbers"),
        (lambda h: h["projections"][0].update(delay="late"), "delay: found 'late', expected 0 or 1 timestep"),
    ],
)  # fmt: skip
def test_values_of_the_wrong_kind_in_a_header_are_one_sentence(tmp_path, change, message):
    header, tensors = saved(tmp_path)
    change(header)
    write(tmp_path / "bad.sfn", header, tensors)
    with pytest.raises(NetworkError) as error:
        Network.load(tmp_path / "bad.sfn")
    assert str(error.value).startswith(f"{tmp_path / 'bad.sfn'}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["projection/0/bias", "population/9/scale", "../../evil"])
def test_a_tensor_that_belongs_to_nothing_is_not_dropped(tmp_path, name):
    header, tensors = saved(tmp_path)
    write(tmp_path / "bad.sfn", header, {**tensors, name: np.ones(3)})
    with pytest.raises(NetworkError) as error:
        Network.load(tmp_path / "bad.sfn")
    assert f"a tensor that the header knows nothing of, found {name!r}" in str(error.value)


def test_a_bias_that_the_header_denies_is_not_dropped(tmp_path):
    header, tensors = saved(tmp_path)
    header["populations"][1]["bias"] = False
    write(tmp_path / "bad.sfn", header, {**tensors, "population/1/bias": np.ones(2)})
    with pytest.raises(NetworkError, match="knows nothing of, found 'population/1/bias'"):
        Network.load(tmp_path / "bad.sfn")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full(2, np.nan), "finite magnitudes"),
        (np.full(2, np.inf), "finite magnitudes"),
        (np.full(2, -1.0), "finite magnitudes"),
        (np.ones(1), "expected real numbers of shape (2,) or (2, kept)"),
        (np.ones((2, 0)), "expected real numbers of shape (2,) or (2, kept)"),
        (np.array(1.0), "expected real numbers of shape (2,) or (2, kept)"),
    ],
)
def test_statistics_are_magnitudes_of_each_channel(tmp_path, values, words):
    header, tensors = saved(tmp_path)
    write(tmp_path / "bad.sfn", header, {**tensors, "population/1/statistics/max": values})
    with pytest.raises(NetworkError) as error:
        Network.load(tmp_path / "bad.sfn")
    assert "population 'l1'.statistics['max']: " in str(error.value)
    assert words in str(error.value)


def test_a_header_that_is_nested_too_deeply_is_one_sentence(tmp_path):
    header, tensors = saved(tmp_path)
    text = json.dumps({**header, "metadata": {"a": "DEEP"}})
    for depth in (100, 100_000):
        write(tmp_path / "bad.sfn", text.replace('"DEEP"', "[" * depth + "]" * depth), tensors)
        with pytest.raises(NetworkError, match="the header is nested too deeply"):
            Network.load(tmp_path / "bad.sfn")


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.sfn"
    chain([3, 2]).save(path)
    before = path.read_bytes()
    unwritable = Network(chain([3, 2]).populations, chain([3, 2]).projections, metadata={"nan": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        unwritable.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.sfn"]


def test_others_may_read_a_saved_network_as_any_file(tmp_path):
    """Safetensors makes files for their owner alone; ours are as the umask says, like a report beside them."""
    path, other = tmp_path / "net.sfn", tmp_path / "other"
    other.touch()
    chain([3, 2]).save(path)
    assert path.stat().st_mode == other.stat().st_mode


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_arrays_of_a_network_cannot_be_written_to(seed):
    """Whatever the kind of projection, made in Python or read from a file; sizes are drawn."""
    for network in (random_network(seed), random_attention(seed)):
        arrays = [a for p in network.projections for a in [p.weight, *p.tensors().values()] if p.tensor_fields]
        for population in network.populations:
            arrays += [population.scale, *population.statistics.values()]
            arrays += [] if population.bias is None else [population.bias]
        assert arrays
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_an_array_that_a_projection_is_made_of_is_neither_copied_nor_frozen():
    weight, offsets, targets = np.ones(2), np.array([0, 2]), np.array([0, 1])
    synapses = Sparse("a", "b", weight, offsets, targets)
    for own, seen in zip((weight, offsets, targets), synapses.tensors().values(), strict=True):
        assert np.shares_memory(own, seen)
        assert own.flags.writeable
        own[0] = 0
        assert not seen.flags.writeable
    bias, top = np.ones(2), np.ones(2)
    population = Population("p", (2,), Graded(4), bias=bias, statistics={"max": top})
    assert bias.flags.writeable
    assert top.flags.writeable
    assert np.shares_memory(bias, population.bias)
    assert np.shares_memory(top, population.statistics["max"])
