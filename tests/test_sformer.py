"""Transformers: conversion held to torch, integers to a twin in plain loops, mapping to what attention needs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sfnhw.chip import load_chip
from sfnhw.convert import convert, size_of
from sfnhw.convert.operands import with_cheaper_operands
from sfnhw.digits import digits_vit
from sfnhw.errors import ConversionError, InputError, MappingError, NetworkError
from sfnhw.lowering import function_step, lower
from sfnhw.mapping import map_network
from sfnhw.network import Elementwise, Network, Population, Product, Stationary
from sfnhw.neurons import IF, Graded, Readout, Stream
from sfnhw.numerics import Numerics
from sfnhw.recode import recode
from sfnhw.record import record
from tests.networks import random_attention

torch.set_num_threads(1)


def agree(module: nn.Module, shape: tuple[int, ...], seed: int = 0, samples: int = 6) -> Network:
    """Under 16-bit graded codes the network must give what the module gives."""
    torch.manual_seed(seed)
    module = module.double().eval()
    x = torch.randn((samples, *shape), dtype=torch.float64)
    network = convert(module, x, coding="graded", bits=16, input_bits=16)
    found = record(network, x.numpy().reshape(samples, *network.inputs[0].shape), numerics=None).outputs
    with torch.no_grad():
        expected = module(x).flatten(1).numpy()
    assert np.abs(found - expected).max() <= 2e-3 * np.abs(expected).max()
    return network


class Written(nn.Module):
    """Attention written out, two spatial axes, no class token, mean over positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.patch = nn.Conv2d(2, width, 2, stride=2)
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=b) for b in (True, False, True))
        self.out, self.head = nn.Linear(width, width), nn.Linear(width, 3)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        samples, tokens, width = x.shape
        return x.view(samples, tokens, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        y = self.norm(x)
        query, key, value = self.split(self.query(y)), self.split(self.key(y)), self.split(self.value(y))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
        return self.head((x + self.out(mixed)).mean(dim=1))


class Encoder(nn.Module):
    """torch's own encoder layer, which moves the sample axis about."""

    def __init__(self, norm_first: bool) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.1, activation="gelu", batch_first=True, norm_first=norm_first
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x.transpose(1, 2)).mean(dim=1))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_vision_transformer_computes_what_torch_does(depth):
    network = agree(digits_vit(16, heads=4, depth=depth), (1, 8, 8))
    functions = [p.function for p in network.populations]
    assert functions.count("softmax") == functions.count("gelu") == depth
    assert functions.count("layer_norm") == 2 * depth + 1
    assert sum(isinstance(p, Product) for p in network.projections) == 2 * depth
    # Streams: the embedding and all sums but the last, which only the final norm reads and which is therefore its sum.
    assert sum(isinstance(p.coding, Stream) for p in network.populations) == 2 * depth


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([(4, 1), (4, 2), (6, 3), (8, 8)]))
def test_attention_written_out_with_any_heads(seed, sizes):
    agree(Written(*sizes), (2, 4, 6), seed)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_layer_of_torch_before_and_after_norm(norm_first):
    agree(Encoder(norm_first), (8, 5))


def twin(network: Network, inputs: np.ndarray, numerics: Numerics) -> dict[str, np.ndarray]:
    """Levels of every population in plain loops over heads, positions and channels; only for `random_attention`."""
    lowered = lower(network, numerics)
    levels: dict[str, np.ndarray] = {}
    for p in network.order:
        side = lowered.populations[p.name]
        if p.role == "input":
            grid = p.scale.reshape(-1, 1, 1)
            levels[p.name] = p.coding.encode(inputs / grid).astype(np.int64)
            continue
        total = np.zeros(p.shape, dtype=object)
        total += side.bias.reshape(p.channels, *([1, 1] if side.bias.shape[1] == 1 else p.shape[1:])).astype(object)
        for q, part in zip(network.projections, lowered.projections, strict=True):
            if q.target != p.name or isinstance(q, Stationary):
                continue
            value = words(lowered, q.source, levels[q.source])
            if isinstance(q, Product):
                total = total + multiplied(q, value, words(lowered, q.operand, levels[q.operand]), p)
            elif q.kind == "elementwise":
                weights = np.broadcast_to(part.weight, p.channels).astype(object)
                total = total + (weights[:, None, None] * value) * 2**part.shift
            else:  # 1 × 1 convolution
                matrix = part.weight[:, :, 0, 0].astype(object)
                total = total + np.tensordot(matrix, value, axes=1) * 2**part.shift
        levels[p.name] = fired(p, side, total, numerics)
    return levels


def words(lowered, name: str, levels: np.ndarray) -> np.ndarray:
    table = lowered.populations[name].words
    return np.array([int(np.sign(k)) * int(table[abs(k)]) for k in levels.ravel()], dtype=object).reshape(levels.shape)


def multiplied(q: Product, streaming: np.ndarray, staying: np.ndarray, target: Population) -> np.ndarray:
    left, right = (streaming, staying) if q.side == "left" else (staying, streaming)
    out = np.zeros((target.channels, target.positions), dtype=object)
    if q.form == "scores":
        a, b = (x.reshape(q.heads, x.shape[0] // q.heads, -1) for x in (left, right))
        for h in range(q.heads):
            for i in range(target.rows):
                for j in range(target.columns):
                    out[h, i * target.columns + j] = sum(a[h, d, i] * b[h, d, j] for d in range(a.shape[1]))
    else:
        values = right.reshape(target.channels, -1)
        for c in range(target.channels):
            for i in range(target.positions):
                row = left[c * q.heads // target.channels, i]
                out[c, i] = sum(row[j] * values[c, j] for j in range(values.shape[1]))
    return out.reshape(target.shape)


def fired(p: Population, side, total: np.ndarray, numerics: Numerics) -> np.ndarray:
    top = numerics.accumulator_max
    membrane = np.clip(total.astype(np.int64), -top - 1, top)
    if p.role == "output":
        return membrane
    if p.needs_function_unit:
        value = torch.tensor(membrane * side.lsb.reshape(-1, 1, 1))
        if p.function == "gelu":
            value = nn.functional.gelu(value)
        elif p.function == "softmax":
            value = value.softmax(dim=-1)
        else:
            value = nn.functional.layer_norm(value.movedim(0, -1), (p.channels,), eps=p.epsilon).movedim(-1, 0)
        step = function_step(p, numerics) / p.scale.reshape(-1, 1, 1)
        membrane = np.rint(value.numpy() * step).astype(np.int64)
    return p.coding.fire(membrane.reshape(1, p.channels, -1), side.table).reshape(p.shape)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.integers(3, 8), st.integers(4, 16))
def test_attention_in_integers_is_what_plain_loops_give(seed, weight_bits, threshold_bits):
    network = random_attention(seed)
    numerics = Numerics(weight_bits=weight_bits, threshold_bits=threshold_bits, decode_bits=6)
    inputs = np.random.default_rng(seed).normal(0, 0.4, network.inputs[0].shape)
    found = record(network, inputs[None], numerics=numerics).activity
    for name, expected in twin(network, inputs, numerics).items():
        assert np.array_equal(found.levels[name].reshape(expected.shape), expected), name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000))
def test_turning_operands_round_changes_no_result(seed):
    """Which operand stays is a matter of cost alone."""
    network = random_attention(seed)
    inputs = np.random.default_rng(seed).normal(0, 0.4, (2, *network.inputs[0].shape))
    before = record(network, inputs)
    drawn = np.random.default_rng(seed + 1).uniform(1, 100, len(network.populations))
    busy = {p.name: float(rate) for p, rate in zip(network.populations, drawn, strict=True)}
    turned, chosen = with_cheaper_operands(network, busy)
    assert set(chosen) == {"scores", "mix"}
    after = record(turned, inputs)
    assert np.array_equal(before.outputs, after.outputs)
    for name, levels in before.activity.levels.items():
        assert np.array_equal(levels, after.activity.levels[name])
    # The choice is stable: asked again, nothing is turned round.
    assert with_cheaper_operands(turned, busy)[1] == chosen


def test_the_sparser_operand_streams():
    """2 heads of 3 features, 4 positions: a query's spike meets 4 keys, a key's 4 queries, so few spikes decide."""
    populations = (
        Population("x", (6, 4, 1), Graded(4, True), role="input"),
        Population("q", (6, 4, 1), Graded(4, True)),
        Population("k", (6, 4, 1), Graded(4, True)),
        Population("s", (2, 4, 4), Graded(4), function="softmax"),
        Population("y", (2, 4, 4), Readout(), role="output"),
    )
    network = Network(
        populations,
        (
            Elementwise("x", "q", np.ones(1)),
            Elementwise("x", "k", np.ones(1)),
            Stationary("k", "s", "scores", "right", 2),
            Product("q", "s", "scores", "left", 2, "k", 0.5),
            Elementwise("s", "y", np.ones(1)),
        ),
    )
    # 20 · 4 + 5 = 85 if the query streams, 5 · 4 + 20 = 40 if the key does.
    turned, chosen = with_cheaper_operands(network, {"q": 20.0, "k": 5.0})
    assert chosen["s"] == {"stationary": "q", "streaming": "k", "operations": [40, 85]}
    assert next(p for p in turned.projections if isinstance(p, Product)).side == "right"


def test_thresholds_follow_the_activations_unless_told_otherwise():
    module, x = digits_vit(8).double().eval(), torch.randn(4, 1, 8, 8).double()
    assert convert(module, x, lam=0.1).metadata["spacing"] == "lloyd-max"
    told = convert(module, x, lam=0.1, spacing="uniform").metadata
    assert (told["spacing"], told["rounding"]) == ("uniform", "floor")


def test_layer_norm_keeps_the_channels_of_a_position_together():
    network = convert(digits_vit(16).double().eval(), torch.randn(4, 1, 8, 8).double(), lam=0.1)
    mapping = map_network(
        network, load_chip("reference").replace({"core.neurons": 40, "noc.columns": 32, "noc.rows": 32})
    )
    for s in mapping.slices:
        if network[s.population].function == "layer_norm":
            assert (s.block.c0, s.block.c1) == (0, 16)
    with pytest.raises(MappingError, match="needs 16 neurons in its smallest slice"):
        map_network(network, load_chip("reference").replace({"core.neurons": 15, "noc.columns": 64, "noc.rows": 64}))


def test_what_a_chip_cannot_do_is_said():
    network = convert(digits_vit(8).double().eval(), torch.randn(4, 1, 8, 8).double(), lam=0.1)
    chip = load_chip("reference")
    with pytest.raises(InputError, match=r"execution.mode: .*only end markers tell.*found 'barrier'"):
        map_network(network, chip.replace({"execution.mode": "barrier"}))
    with pytest.raises(MappingError, match="lane of a function unit for layer_norm"):
        map_network(network, chip.replace({"core.function_unit.lanes": 0}))
    with pytest.raises(NetworkError, match="residual stream, which is not modelled over several timesteps"):
        recode(network, "if", timesteps=4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"is_causal": True}, "a mask, or grouped queries"), ({"dropout_p": 0.5}, "dropout that stays active")],
)
def test_attention_that_is_not_modelled_is_refused(arguments, words):
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.transpose(1, 2)
            return nn.functional.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x), **arguments)

    with pytest.raises(ConversionError, match=words):
        convert(Masked().eval(), torch.randn(4, 4, 3))


@pytest.mark.parametrize("blocked", [-100.0, -np.inf])
def test_a_mask_added_to_the_scores_is_refused_by_name(blocked):
    class Additive(Written):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.patch(x).flatten(2).transpose(1, 2)
            scores = self.split(self.query(y)) @ self.split(self.key(y)).transpose(-1, -2)
            mask = torch.full((6, 6), blocked).triu(1)
            return (scores + mask).softmax(-1) @ self.split(self.value(y))

    with pytest.raises(ConversionError, match=r"aten.add.Tensor: a constant added .*a mask"):
        convert(Additive(4, 2).eval(), torch.randn(3, 2, 4, 6))


def test_a_transformer_over_several_timesteps_is_refused_before_any_work():
    with pytest.raises(ConversionError, match=r"layer_norm \(layer 'blocks.0.norm1'\) over several timesteps"):
        convert(digits_vit(8).eval(), torch.randn(4, 1, 8, 8), coding="if", timesteps=4)


def test_gains_of_a_layer_norm_pass_through_the_mean_over_tokens():
    """No population of its own: γ mean(z) + β goes into the head."""
    network = agree(Normed(), (6, 4))
    assert [p.name for p in network.order] == ["input", "norm", "mean", "head"]


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(x.transpose(1, 2)).mean(dim=1))


def test_size_is_the_same_whatever_the_values():
    """Position embeddings and biases count wherever the module has them, zeros and meta tensors included."""
    shape = (1, 8, 8)
    trained = digits_vit(8)
    for p in trained.parameters():
        nn.init.normal_(p)
    converted = convert(trained.double().eval(), torch.randn(4, *shape).double(), lam=0.1)
    with torch.device("meta"):
        hollow = digits_vit(8)
    assert size_of(trained, shape).weights == size_of(digits_vit(8).eval(), shape).weights
    assert size_of(hollow.eval(), shape).weights == size_of(trained, shape).weights == converted.parameters


def test_a_product_whose_operands_do_not_pair_up():
    network = random_attention(1)
    alone = tuple(p for p in network.projections if not (isinstance(p, Stationary) and p.target == "scores"))
    with pytest.raises(NetworkError, match="operands of a product do not pair up"):
        Network(network.populations, alone)


def test_a_softmax_over_several_timesteps():
    populations = [
        Population("x", (1, 2, 2), Graded(4), role="input"),
        Population("s", (1, 2, 2), IF(4), function="softmax"),
        Population("y", (1, 2, 2), Readout(4), role="output"),
    ]
    with pytest.raises(NetworkError, match="softmax over several timesteps is not modelled"):
        Network(tuple(populations), (Elementwise("x", "s", [1.0]), Elementwise("s", "y", [1.0])))


def test_attention_survives_a_file(tmp_path):
    network = random_attention(3)
    loaded = Network.load(network.save(tmp_path / "a.sfn"))
    inputs = np.random.default_rng(0).normal(0, 0.4, (2, *network.inputs[0].shape))
    assert np.array_equal(record(network, inputs).outputs, record(loaded, inputs).outputs)
    assert loaded["norm"].epsilon == network["norm"].epsilon
