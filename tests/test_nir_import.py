"""NIR graphs read as networks: spike for spike what the library that wrote them computes."""

import itertools

import nir
import numpy as np
import pytest
import snntorch
import torch

import sfnhw
from sfnhw.errors import ActivityError, NetworkError
from sfnhw.neurons import IF, LIF
from sfnhw.numerics import Numerics
from sfnhw.timesteps import with_timesteps
from tests.snntorch_networks import cnn, exported, forward, leaky, mlp, trains

WIDE = Numerics(weight_bits=16, decode_bits=16, threshold_bits=32, accumulator_bits=48)
DT = 1e-4


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize(("beta", "threshold"), [(0.9, 1.0), (0.5, 0.3), (1.0, 0.7)])
@pytest.mark.parametrize(("make", "shape"), [(mlp, (20,)), (cnn, (2, 10, 8))], ids=["mlp", "cnn"])
def test_spike_for_spike_with_snntorch(make, shape, beta, threshold, reset, tmp_path):
    for seed in range(2):
        net, x = make(seed, beta, threshold, reset), trains(seed, 4, 25, shape)
        nir.write(tmp_path / "net.nir", exported(net, shape))
        network = sfnhw.from_nir(tmp_path / "net.nir", dt=DT, reset=reset)
        real, wide = (sfnhw.record(network, x, numerics=n).activity.levels for n in (None, WIDE))
        expected = forward(net, x)
        assert any(train.any() for train in expected.values())
        for name, train in expected.items():
            assert np.array_equal(real[name].reshape(train.shape), train)
            # 16-bit weights and a 16-bit leak: 11 of 696,600 were measured to differ (docs/nir.md); one flip spreads.
            assert (wide[name].reshape(train.shape) != train).mean() < 0.005


def test_a_recurrent_layer_of_snntorch():
    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(12, 8)
            self.rec = snntorch.RLeaky(beta=0.8, linear_features=8, init_hidden=True)
            self.out = torch.nn.Linear(8, 3)
            self.last = leaky((3,), 0.9, 0.2, "subtract")

        def forward(self, x):
            return self.last(self.out(self.rec(self.fc(x))))

    for seed in range(3):
        torch.manual_seed(seed)
        net, x = Recurrent(), trains(seed, 4, 25, (12,))
        with torch.no_grad():
            net.rec.recurrent.weight *= 3
        graph = exported(net, (12,))
        network = sfnhw.from_nir(graph, dt=DT, reset="subtract")
        levels = sfnhw.record(network, x, numerics=None).activity.levels
        for name, train in forward(net, x).items():
            assert np.array_equal(levels[f"{name}.lif" if name == "rec" else name], train)
        with pytest.raises(NetworkError, match="also forgets the input of the step after a spike"):
            sfnhw.from_nir(graph, dt=DT, reset="zero")


def spikingjelly(kind, weight, bias, tau, threshold, v_reset, decay_input, shape):
    """A graph as spikingjelly.activation_based.nir_exchange.to_nir fills it: np.full over the layer's shape."""
    full = lambda value: np.full(shape, float(value))  # noqa: E731
    reset = 0.0 if v_reset is None else v_reset
    if kind == "if":
        neurons = nir.IF(r=full(1 / DT), v_threshold=full(threshold), v_reset=full(reset))
    else:
        neurons = nir.LIF(
            tau=full(tau * DT),
            r=full(1.0 if decay_input else tau),
            v_leak=full(reset),
            v_threshold=full(threshold),
            v_reset=full(reset),
        )
    nodes = {
        "input": nir.Input(np.array([weight.shape[1]])),
        "fc": nir.Affine(weight=weight.astype(np.float32), bias=bias.astype(np.float32)),
        "sn": neurons,
        "output": nir.Output(np.array(shape)),
    }
    return nir.NIRGraph(nodes=nodes, edges=[("input", "fc"), ("fc", "sn"), ("sn", "output")])


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("v_reset", [None, 0.0, -0.2])
@pytest.mark.parametrize("kind", ["if", "lif"])
def test_spike_for_spike_with_spikingjellys_update(kind, v_reset, decay_input):
    """neuronal_charge, neuronal_fire (v ≥ θ), neuronal_reset of IFNode and LIFNode, written out here."""
    rng, tau, theta = np.random.default_rng(5), 2.5, 0.8
    weight, bias = rng.normal(0.3, 1, (9, 7)).astype(np.float32), rng.normal(0, 0.1, 9).astype(np.float32)
    x = trains(1, 5, 30, (7,))
    rest = 0.0 if v_reset is None else v_reset
    v, expected = np.full((5, 9), rest), []
    for t in range(30):
        current = x[:, t] @ weight.T.astype(float) + bias
        if kind == "if":
            v = v + current
        elif decay_input:
            v = v + (current - (v - rest)) / tau
        else:
            v = v - (v - rest) / tau + current
        fired = (v >= theta).astype(float)
        v = v - fired * theta if v_reset is None else (1 - fired) * v + fired * rest
        expected.append(fired)
    graph = spikingjelly(kind, weight, bias, tau, theta, v_reset, decay_input, (9,))
    network = sfnhw.from_nir(graph, dt=DT, reset="subtract" if v_reset is None else "zero")
    assert isinstance(network["sn"].coding, IF if kind == "if" else LIF)
    recording = sfnhw.record(network, x, numerics=None)
    assert np.array_equal(recording.activity.levels["sn"], np.stack(expected, axis=1))
    assert np.allclose(recording.outputs, np.mean(expected, axis=0))  # a readout of spikes is their rate
    assert network.metadata["library"] == "spikingjelly"


def test_each_library_has_its_own_threshold():
    """A membrane that lands on θ exactly: SpikingJelly fires (v ≥ θ), snnTorch does not (v > θ)."""
    graph = spikingjelly("if", np.array([[0.5]]), np.zeros(1), 0, 1.0, None, False, (1,))
    x = np.ones((1, 4, 1))
    for library, train in (("spikingjelly", [0, 1, 0, 1]), ("snntorch", [0, 0, 1, 0])):
        # snnTorch: ½, 1, 3/2 fires, then 2 − 1 = 1 does not.
        network = sfnhw.from_nir(graph, dt=DT, reset="subtract", library=library)
        for numerics in (None, Numerics()):
            assert sfnhw.record(network, x, numerics=numerics).activity.levels["sn"].ravel().tolist() == train


def test_scalars_and_parameters_by_channel():
    """snnTorch's scalar β and θ; one β and one θ for each neuron; currents scaled by r."""
    rng, x = np.random.default_rng(2), trains(4, 3, 20, (6,))
    weight = rng.normal(0.4, 0.6, (4, 6))
    beta, theta = np.array([0.5, 0.75, 0.25, 0.9]), np.array([1.0, 0.5, 2.0, 0.7])
    for b, th, r in ((np.array(0.5), np.array(1.0), 2.0), (beta, theta, 1.0), (beta, np.full(4, 0.5), 3.0)):
        tau = np.asarray(DT / (1 - b))
        neurons = nir.LIF(tau=tau, r=tau / DT * r, v_leak=0 * tau, v_threshold=th)
        nodes = {
            "in": nir.Input(np.array([6])),
            "w": nir.Linear(weight),
            "lif": neurons,
            "out": nir.Output(np.array([4])),
        }
        graph = nir.NIRGraph(nodes, [("in", "w"), ("w", "lif"), ("lif", "out")], type_check=False)
        network = sfnhw.from_nir(graph, dt=DT, reset="subtract", library="snntorch")
        v, expected = np.zeros((3, 4)), []
        for t in range(20):
            v = b * v + r * (x[:, t] @ weight.T) - th * (v > th)
            expected.append(v > th)
        assert np.array_equal(sfnhw.record(network, x, numerics=None).activity.levels["lif"], np.stack(expected, 1))


def test_the_other_linear_nodes_equal_torch():
    """Conv1d, SumPool2d and Scale, each before a neuron and before weights, against torch on the same spikes."""
    rng = np.random.default_rng(0)
    full = lambda *shape: nir.IF(np.full(shape, 1 / DT), np.full(shape, 1.5))  # noqa: E731
    kernel = rng.normal(size=(4, 2, 3))
    nodes = {
        "in": nir.Input(np.array([2, 9])),
        "conv": nir.Conv1d(9, kernel, 2, 1, 1, 1, rng.normal(size=4)),
        "half": nir.Scale(np.repeat([0.5, 1.0, 2.0, 1.0], 5).reshape(4, 5)),
        "a": full(4, 5),
        "double": nir.Scale(np.full((4, 5), 2.0)),
        "flat": nir.Flatten({"input": np.array([4, 5])}, 0, -1),
        "fc": nir.Linear(rng.normal(size=(3, 20))),
        "out": nir.Output(np.array([3])),
    }
    names = list(nodes)
    network = sfnhw.from_nir(
        nir.NIRGraph(nodes, list(itertools.pairwise(names)), type_check=False), dt=DT, reset="subtract"
    )
    x = trains(0, 4, 12, (2, 9))
    recording = sfnhw.record(network, x, numerics=None)
    v, total = torch.zeros(4, 4, 5, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    for t in range(12):
        body = nodes["conv"]
        now = torch.nn.functional.conv1d(torch.tensor(x[:, t]), torch.tensor(kernel), torch.tensor(body.bias), 2, 1)
        v = v + now * torch.tensor(nodes["half"].scale)
        fired = (v >= 1.5).double()
        v = v - 1.5 * fired
        total += (2 * fired).flatten(1) @ torch.tensor(nodes["fc"].weight).T
    assert fired.any()
    assert np.allclose(recording.outputs, total.numpy() / 12)


def test_sum_pooling_between_spikes_and_weights_is_exact_in_integers():
    rng = np.random.default_rng(1)
    nodes = {
        "in": nir.Input(np.array([2, 4, 4])),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([2, 2, 2])}, 0, -1),
        "fc": nir.Linear(rng.integers(-3, 4, (3, 8)).astype(float)),
        "out": nir.Output(np.array([3])),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(itertools.pairwise(names)), type_check=False)
    network, x = sfnhw.from_nir(graph), trains(0, 5, 6, (2, 4, 4))
    recording = sfnhw.record(network, x)
    sums = x.reshape(5, 6, 2, 2, 2, 2, 2).sum(axis=(4, 6))
    assert np.array_equal(recording.activity.levels["pool"], sums.reshape(5, 6, 8))
    expected = sums.reshape(5, 6, 8).mean(axis=1) @ nodes["fc"].weight.T
    assert np.abs(recording.outputs - expected).max() < 8 * 4 * 3 / 254  # ½ LSB of 8-bit weights, 8 sums up to 4
    run = sfnhw.estimate(network, "reference", x)
    assert run.network.timesteps == 6


def test_graded_inputs_are_shown_at_every_step():
    net = mlp(0, 0.9, 1.0, "subtract")
    image = np.random.default_rng(0).integers(0, 256, (4, 20)) / 255  # what 8 bits hold exactly
    network = sfnhw.from_nir(exported(net, (20,)), dt=DT, reset="subtract", timesteps=20, input="graded")
    levels = sfnhw.record(network, image, numerics=None).activity.levels
    for name, train in forward(net, np.repeat(image[:, None], 20, axis=1)).items():
        assert np.array_equal(levels[name], train)


def test_timesteps_follow_the_inputs_or_are_fixed():
    graph = exported(mlp(0, 0.9, 1.0, "subtract"), (20,))
    free = sfnhw.from_nir(graph, dt=DT, reset="subtract")
    fixed = sfnhw.from_nir(graph, dt=DT, reset="subtract", timesteps=8)
    for steps in (8, 11):
        x = trains(0, 2, steps, (20,))
        levels = sfnhw.record(free, x).activity.levels
        assert {v.shape[1] for v in levels.values()} == {steps}
        assert np.array_equal(levels["lif1"], sfnhw.record(with_timesteps(fixed, steps), x).activity.levels["lif1"])
    with pytest.raises(ActivityError, match=r"expected numbers of shape \(samples, T, 20\)"):
        sfnhw.record(fixed, x)


def test_missing_dt_and_reset_are_asked_for_by_name(tmp_path):
    graph = exported(mlp(0, 0.9, 1.0, "subtract"), (20,))
    with pytest.raises(NetworkError) as error:
        sfnhw.from_nir(graph)
    assert "--dt SECONDS" in str(error.value)
    assert "--reset subtract|zero" in str(error.value)
    with pytest.raises(NetworkError, match="--reset"):
        sfnhw.from_nir(graph, dt=DT)
    with pytest.raises(NetworkError, match=r"tau is 0.000181818 s, shorter than dt = 0.001 s"):
        sfnhw.from_nir(graph, dt=1e-3, reset="zero")


def test_everything_that_is_refused_is_named_at_once():
    one = np.ones(2)
    nodes = {
        "in": nir.Input(np.array([2])),
        "cuba": nir.CubaLIF(tau_syn=one, tau_mem=one, r=one, v_leak=one, v_threshold=one),
        "wait": nir.Delay(one),
        "li": nir.LI(one, one, one),
        "spread": nir.LIF(tau=one, r=one, v_leak=0 * one, v_threshold=-one),
        "out": nir.Output(np.array([2])),
    }
    edges = [("in", "cuba"), ("cuba", "wait"), ("wait", "li"), ("li", "out"), ("in", "spread")]
    with pytest.raises(NetworkError) as error:
        sfnhw.from_nir(nir.NIRGraph(nodes, edges, type_check=False), dt=DT, reset="subtract")
    for name in ("'cuba' (CubaLIF)", "'wait' (Delay)", "'li' (LI)", "above it: node 'spread' (LIF)"):
        assert name in str(error.value)


def test_parameters_that_differ_within_a_channel_and_loops_over_layers():
    tau = np.array([[[1.0, 2.0]]])
    lif = nir.LIF(tau=tau, r=tau, v_leak=0 * tau, v_threshold=1 + 0 * tau)
    nodes = {"in": nir.Input(np.array([1, 1, 2])), "lif": lif, "out": nir.Output(np.array([1, 1, 2]))}
    with pytest.raises(NetworkError, match="r differs from position to position within a channel"):
        sfnhw.from_nir(nir.NIRGraph(nodes, [("in", "lif"), ("lif", "out")]), dt=DT, reset="zero")
    full = lambda: nir.IF(np.ones(2), np.ones(2))  # noqa: E731
    nodes = {"in": nir.Input(np.array([2])), "a": full(), "b": full(), "out": nir.Output(np.array([2]))}
    edges = [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")]
    with pytest.raises(NetworkError, match="a loop over several layers"):
        sfnhw.from_nir(nir.NIRGraph(nodes, edges), dt=1, reset="zero")


def test_files_that_are_none(tmp_path):
    graph = exported(mlp(0, 0.9, 1.0, "subtract"), (20,))
    whole, cut, foreign = tmp_path / "whole.nir", tmp_path / "cut.nir", tmp_path / "foreign.nir"
    nir.write(whole, graph)
    cut.write_bytes(whole.read_bytes()[:3000])
    foreign.write_text("a text")
    for path in (cut, foreign, tmp_path / "none.nir", tmp_path):
        with pytest.raises(NetworkError) as error:
            sfnhw.from_nir(path, dt=DT, reset="zero")
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_the_very_beta_of_a_single_precision_file():
    """β ≥ ½ comes back bit for bit from τ = dt/(1 − β) in single precision; below, to 1.5e-7."""
    beta = np.random.default_rng(0).random(5000).astype(np.float32)
    tau = np.float32(DT) / (1 - beta)
    lif = nir.LIF(tau=tau, r=tau / np.float32(DT), v_leak=0 * tau, v_threshold=np.ones_like(tau))
    nodes = {"in": nir.Input(np.array([5000])), "lif": lif, "out": nir.Output(np.array([5000]))}
    network = sfnhw.from_nir(nir.NIRGraph(nodes, [("in", "lif"), ("lif", "out")]), dt=DT, reset="subtract")
    found, large = np.array(network["lif"].coding.beta), beta >= 0.5
    assert np.array_equal(found[large], beta[large].astype(float))
    assert np.abs(found - beta).max() < 1.5e-7
    assert network["lif"].coding.threshold == 1.0  # r·dt/τ is 1 up to single precision, and taken as 1
