"""Networks written as NIR: what is written, what is refused, and that reading it back gives the same spikes."""

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sfnhw
from sfnhw.errors import NetworkError
from sfnhw.network import AveragePool, Conv2d, Dense, Elementwise, MaxPool, Network, Population, Sparse
from sfnhw.neurons import IF, LIF, MTN, SFN, Events, Graded, Readout, Relay
from tests.snntorch_networks import cnn, exported, mlp, trains

T = 12


def spiking(seed: int, steps: int = T) -> Network:
    """Random if and lif populations over convolution, pools, residual, explicit synapses and a recurrent layer."""
    rng = np.random.default_rng(seed)

    def coding():
        kind = rng.integers(4)
        if kind == 0:
            return IF(steps, reset=str(rng.choice(["subtract", "zero"])))
        beta = float(rng.choice([0.5, 0.75, 0.9375])) if kind < 3 else 1.0
        return LIF(steps, beta, 0.75, str(rng.choice(["subtract", "zero", "none"])), bool(rng.integers(2)), True)

    events = bool(rng.integers(2))
    first = Events(steps) if events else Graded(4)
    scale = 1.0 if events else 1 / 15
    populations = [
        Population("in", (2, 6, 6), first, scale, role="input"),
        Population("conv", (3, 6, 6), coding(), rng.uniform(0.5, 1, 3), bias=rng.normal(0, 0.1, 3)),
        Population("again", (3, 6, 6), coding(), 0.5),
        Population("pool", (3, 3, 3), Relay(steps, 4), 0.125),
        Population("small", (3, 1, 1), coding(), 0.25),
        Population("dense", (5,), coding(), 0.5, bias=rng.normal(0, 0.1, 5)),
        Population("sparse", (4,), coding(), 0.5),
        Population("out", (4,), Readout(steps), role="output"),
    ]
    projections = [
        Conv2d("in", "conv", rng.normal(0, 0.5, (3, 2, 3, 3)), padding=1),
        Conv2d("conv", "again", rng.normal(0, 0.5, (3, 1, 3, 3)), padding=1, groups=3),
        Elementwise("conv", "again", np.ones(1)),
        AveragePool("again", "pool", 2),
        AveragePool("pool", "small", 3),
        Dense("pool", "dense", rng.normal(0, 0.5, (5, 27))),
        Dense("small", "dense", rng.normal(0, 0.5, (5, 3))),
        Dense("dense", "dense", rng.normal(0, 0.5, (5, 5)), delay=1),
        Sparse("dense", "sparse", rng.normal(0, 2, 10), np.arange(0, 11, 2), rng.integers(0, 4, 10)),
        Elementwise("sparse", "out", np.ones(1)),
    ]
    return Network(tuple(populations), tuple(projections), f"spiking {seed}")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_round_trip_gives_the_same_spikes(tmp_path_factory, seed):
    network = spiking(seed)
    path = tmp_path_factory.mktemp("nir") / "net.nir"
    sfnhw.to_nir(network, path)
    again = sfnhw.from_nir(path)  # dt, reset and T stand in the file
    events = isinstance(network.inputs[0].coding, Events)
    x = trains(seed, 3, T, (2, 6, 6)) if events else np.random.default_rng(seed).random((3, 2, 6, 6))
    first, second = (sfnhw.record(n, x, numerics=None) for n in (network, again))
    assert [p.name for p in again.order if p.coding.kind in ("if", "lif")] == [
        p.name for p in network.order if p.coding.kind in ("if", "lif")
    ]
    for name in ("in", "conv", "again", "pool", "small", "dense", "sparse"):
        assert np.array_equal(first.activity.levels[name], second.activity.levels[name]), name
    assert np.allclose(first.outputs, second.outputs)


@pytest.mark.parametrize(("make", "shape"), [(mlp, (20,)), (cnn, (2, 10, 8))], ids=["mlp", "cnn"])
def test_what_snntorch_wrote_survives_a_second_file(make, shape):
    network = sfnhw.from_nir(exported(make(1, 0.9, 0.7, "subtract"), shape), dt=1e-4, reset="subtract", timesteps=20)
    again = sfnhw.from_nir(sfnhw.to_nir(network, dt=2e-3))
    x = trains(1, 3, 20, shape)
    a, b = (sfnhw.record(n, x).activity.levels for n in (network, again))  # in the chip's integers
    for p in network.populations:
        assert np.array_equal(a[p.name], b[p.name])
        assert again[p.name].coding == p.coding


def test_the_equations_that_are_written():
    """τ and r by hand for β = 0.75 and dt = 1 ms: τ = 4 ms, r = 4; a spike of scale ½ halves the next weights."""
    network = Network(
        (
            Population("in", (2,), Events(3), role="input"),
            Population("a", (2,), LIF(3, 0.75, 3.0), 0.5),
            Population("out", (1,), Readout(3), role="output"),
        ),
        (Dense("in", "a", np.array([[1.0, 2.0], [3.0, 4.0]])), Dense("a", "out", np.array([[8.0, 6.0]]))),
    )
    graph = sfnhw.to_nir(network, dt=1e-3)
    body = graph.nodes["a"]
    assert isinstance(body, nir.LIF)
    assert np.allclose(body.tau, 4e-3)
    assert np.allclose(body.r, 4.0)
    assert np.allclose(body.v_threshold, 1.5)  # 3 units of ½
    assert graph.nodes["a.in"].weight.tolist() == [[1, 2], [3, 4]]
    assert graph.nodes["out.in"].weight.tolist() == [[4, 3]]
    assert set(graph.edges) == {("in", "a.in"), ("a.in", "a"), ("a", "out.in"), ("out.in", "out")}
    assert graph.check_types()


def test_everything_that_nir_cannot_say_is_named_at_once(tmp_path):
    network = Network(
        (
            Population("in", (2, 4, 4), Graded(8), role="input"),
            Population("levels", (2, 4, 4), SFN.uniform(4)),
            Population("max", (2, 2, 2), SFN.uniform(4), function="max"),
            Population("mtn", (3,), MTN(4)),
            Population("again", (3,), SFN.uniform(4)),
            Population("out", (3,), Readout(), role="output"),
        ),
        (
            Conv2d("in", "levels", np.ones((2, 2, 3, 3)), padding=1),
            MaxPool("levels", "max", 2),
            Dense("max", "mtn", np.ones((3, 8))),
            Dense("mtn", "again", np.ones((3, 3))),
            Dense("again", "out", np.ones((3, 3))),
        ),
    )
    with pytest.raises(NetworkError) as error:
        sfnhw.to_nir(network, tmp_path / "n.nir")
    why = str(error.value)
    for text in ("max pooling (expected average pooling): population 'max'", "'if')): population 'mtn'"):
        assert text in why
    assert why.count("coding 'sfn'") == 1
    assert why.split("coding 'sfn'")[1].split(";")[0].endswith("'if')): populations 'levels', 'again'")
    assert not list(tmp_path.iterdir())
    late = spiking(0)
    first = sfnhw.network.Population("conv", (3, 6, 6), IF(T, 0.5), late["conv"].scale, bias=late["conv"].bias)
    halves = Network(tuple(first if p.name == "conv" else p for p in late.populations), late.projections)
    with pytest.raises(NetworkError, match=r"an initial potential of 0.5 \(expected 0, .*\): population 'conv'"):
        sfnhw.to_nir(halves)
    with pytest.raises(NetworkError, match="dt: found -1"):
        sfnhw.to_nir(late, dt=-1)
