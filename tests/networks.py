"""Small random networks and activities for property tests, drawn from a seed so that Hypothesis can shrink them."""

from dataclasses import replace

import numpy as np

from sfnhw.activity import Activity
from sfnhw.network import (
    AveragePool,
    Conv2d,
    Dense,
    Elementwise,
    MaxPool,
    Network,
    Population,
    Product,
    Projection,
    Sparse,
    Stationary,
    TransposedConv2d,
    Upsample,
)
from sfnhw.neurons import IF, MTN, SFN, TTFS, Coding, Graded, Polarity, Readout, Stream


def hidden_coding(rng: np.random.Generator, timesteps: int, window: bool = False) -> Coding:
    """A random unsigned coding of T timesteps; in windows (TTFS) or not."""
    v0 = float(rng.choice([0.0, 0.5]))
    if window:
        return TTFS(timesteps, v0)
    if timesteps > 1:
        return IF(timesteps, v0, threshold_scale=float(rng.choice([1.0, 0.7, 1.3])))
    kind = rng.integers(7)
    if kind == 0:
        steps = np.cumsum(rng.uniform(0.2, 1.0, rng.integers(1, 9)))
        return SFN(tuple(steps), tuple(steps + 0.1))
    if kind == 1:
        return MTN(int(rng.integers(1, 9)), initial_potential=0.5)
    if kind == 2:
        return Graded(int(rng.integers(2, 9)))
    if kind == 3:
        rounding = str(rng.choice(["floor", "nearest"]))
        return MTN(int(rng.integers(1, 9)), spacing="power-of-two", rounding=rounding)
    if kind == 4:
        return MTN(tuple(np.cumsum(rng.uniform(0.2, 1.0, rng.integers(1, 9)))), spacing="free")
    if kind == 5:
        return Polarity(int(rng.integers(1, 9)), v0)
    return SFN.uniform(int(rng.integers(1, 17)))


def with_sign(coding: Coding) -> Coding:
    """The same coding with a negative branch."""
    return replace(coding, signed=True, **({"initial_potential": 0.0} if isinstance(coding, IF) else {}))  # type: ignore[type-var]


def sparse(rng: np.random.Generator, source: Population, target: Population, delay: int = 0) -> Sparse:
    """Random explicit synapses, some parallel, some neurons without any."""
    count = rng.integers(0, 6, source.size)
    offsets = np.concatenate([[0], np.cumsum(count)])
    targets = rng.integers(0, target.size, offsets[-1])
    return Sparse(source.name, target.name, rng.normal(size=offsets[-1]), offsets, targets, delay)


def random_network(seed: int, timesteps: int = 1, recurrent: bool = False, window: bool | None = None) -> Network:
    """input → conv (maybe grouped) → pool or residual → dense or sparse → readout; every kind of projection occurs.

    window : whether the hidden layers are TTFS; None: by the seed, where T > 1 and nothing is recurrent.
    """
    rng = np.random.default_rng(seed)
    if window is None:
        window = timesteps > 1 and not recurrent and seed % 5 < 2
    channels, size = int(rng.integers(1, 4)), int(rng.integers(4, 9))
    image = Population("image", (channels, size, size + 1), Graded(int(rng.integers(2, 9))), 1 / 10, role="input")
    populations, projections = [image], []

    groups = channels if rng.random() < 0.4 else 1
    out = channels * int(rng.integers(1, 4))
    stride = int(rng.integers(1, 3))
    shape = (out, (size - 1) // stride + 1, size // stride + 1)
    conv = Population(
        "conv", shape, hidden_coding(rng, timesteps, window), 0.5, function="relu", bias=rng.normal(0, 0.2, out)
    )
    weight = rng.normal(0, 0.6, (out, channels // groups, 3, 3))
    projections.append(Conv2d("image", "conv", weight, stride=stride, padding=1, groups=groups))
    populations.append(conv)
    last = conv
    if rng.random() < 0.5:
        again = Population("residual", shape, hidden_coding(rng, timesteps, window), 0.7, function="relu")
        projections.append(Conv2d("conv", "residual", rng.normal(0, 0.3, (out, out, 3, 3)), padding=1))
        projections.append(Elementwise("conv", "residual", np.ones(1)))
        populations.append(again)
        last = again
    pool = int(rng.integers(3))
    if pool:
        shape = (out, (last.rows - 2) // 2 + 1, (last.columns - 2) // 2 + 1)
        if pool == 1:
            target = Population("pool", shape, last.coding, last.scale, function="max")
            projections.append(MaxPool(last.name, "pool", 2))
        else:
            target = Population("pool", shape, hidden_coding(rng, timesteps, window), 0.5)
            projections.append(AveragePool(last.name, "pool", 2))
        populations.append(target)
        last = target
    last = _upwards(rng, last, populations, projections, timesteps, window)
    features = Population(
        "features", (int(rng.integers(3, 30)),), hidden_coding(rng, timesteps, window), 0.5, function="relu"
    )
    if seed % 3 == 0:
        features = replace(features, coding=with_sign(features.coding), function="identity")
    populations.append(features)
    if rng.random() < 0.5:
        projections.append(sparse(rng, last, features))
    else:
        projections.append(Dense(last.name, "features", rng.normal(0, 0.3, (features.size, last.size))))
    if recurrent:
        projections.append(sparse(rng, features, features, delay=1))
    result = Population("result", (int(rng.integers(2, 6)),), Readout(timesteps), role="output", bias=None)
    populations.append(result)
    projections.append(Dense("features", "result", rng.normal(0, 0.3, (result.size, features.size))))
    if rng.random() < 0.25:
        populations.append(Population("other", (int(rng.integers(1, 4)),), Readout(timesteps), role="output"))
        weight = rng.normal(0, 0.3, (populations[-1].size, last.size))
        projections.append(Dense(last.name, "other", weight))
    return Network(tuple(populations), tuple(projections), f"random {seed}")


def _upwards(
    rng: np.random.Generator,
    last: Population,
    populations: list[Population],
    projections: list[Projection],
    timesteps: int,
    window: bool,
) -> Population:
    """Perhaps an upsampling or a transposed convolution with random geometry; returns the last population."""
    kind = int(rng.integers(4))
    if kind == 1:
        factor = tuple(int(f) for f in rng.integers(1, 3, 2))
        shape = (last.channels, last.rows * factor[0], last.columns * factor[1])
        up = Population("up", shape, hidden_coding(rng, timesteps, window), rng.uniform(0.3, 0.7, last.channels))
        projections.append(Upsample(last.name, "up", factor))
    elif kind == 2:
        groups = last.channels if rng.random() < 0.4 else 1
        per_group = int(rng.integers(1, 3))
        kernel, stride, dilation = rng.integers(1, 4, 2), rng.integers(1, 3, 2), rng.integers(1, 3, 2)
        extra = rng.integers(0, np.maximum(stride, dilation))
        span = dilation * (kernel - 1) + 1
        least = (np.array(last.shape[1:]) - 1) * stride + span + extra
        padding = np.minimum(rng.integers(0, 3, 2), (least - 1) // 2)
        weight = rng.normal(0, 0.6, (last.channels, per_group, *kernel))
        up_shape = (per_group * groups, *(int(n) for n in least - 2 * padding))
        up = Population("up", up_shape, hidden_coding(rng, timesteps, window), 0.5, function="relu")
        projections.append(
            TransposedConv2d(last.name, "up", weight, *(tuple(v) for v in (stride, padding, extra, dilation)), groups)
        )
    else:
        return last
    populations.append(up)
    return up


def random_inputs(network: Network, seed: int, samples: int = 2) -> np.ndarray:
    """Non-negative images, about a third of the pixels zero."""
    rng = np.random.default_rng(seed + 1)
    shape = (samples, *network.inputs[0].shape)
    return rng.random(shape) * (rng.random(shape) < 0.67) * 2


def random_activity(network: Network, seed: int, samples: int = 2, rate: float = 0.3) -> Activity:
    """Any levels at all: simulation and mapping must not care where they come from."""
    rng = np.random.default_rng(seed + 2)
    levels = {}
    for p in network.populations:
        top = max(1, p.coding.max_level)
        shape = (samples, network.updates, p.size)
        sign = rng.choice([-1, 1], shape) if p.coding.signed and p.role != "output" else 1
        drawn = (rng.integers(1, top + 1, shape) * (rng.random(shape) < rate) * sign).astype(np.int32)
        if network.window > 1:  # each neuron speaks once: at its time, or (inputs and readouts) in the first step
            once = drawn[:, 0]
            drawn = np.concatenate([drawn, np.zeros((samples, network.window - 1, p.size), np.int32)], axis=1)
            drawn = p.coding.in_time(once) if p.coding.window > 1 else drawn
        levels[p.name] = drawn
    return Activity(levels)


def chain(sizes: list[int], coding: Coding | None = None, weight: float = 1.0) -> Network:
    """A fully connected chain: input, hidden layers, readout."""
    coding = coding or SFN.uniform(4)
    populations = [Population("l0", (sizes[0],), Graded(8), role="input")]
    projections: list[Projection] = []
    for i, n in enumerate(sizes[1:], 1):
        output = i == len(sizes) - 1
        populations.append(
            Population(
                f"l{i}", (n,), Readout(coding.timesteps) if output else coding, role="output" if output else "hidden"
            )
        )
        projections.append(Dense(f"l{i - 1}", f"l{i}", np.full((n, sizes[i - 1]), weight)))
    return Network(tuple(populations), tuple(projections), "chain")


def random_attention(seed: int) -> Network:
    """input → stream → layer norm → query, key, value → scores → mix → stream (residual) → GELU → readout.

    Which operand of each product stays is drawn too.
    """
    rng = np.random.default_rng(seed)
    heads, size, tokens = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(2, 6))
    width = heads * size
    columns = int(rng.integers(1, 3))
    grid = (width, tokens, columns)
    places = tokens * columns

    def coding() -> Coding:
        steps = np.cumsum(rng.uniform(0.2, 1.0, rng.integers(1, 9)))
        return [SFN(tuple(steps), tuple(steps + 0.1), True), MTN(int(rng.integers(1, 9)), 0.5, True), Graded(4, True)][
            rng.integers(3)
        ]

    def matrix(out: int, into: int) -> np.ndarray:
        return rng.normal(0, 0.6, (out, into, 1, 1))

    populations = [
        Population("x", (2, tokens, columns), Graded(4, True), 0.1, role="input"),
        Population("stream", grid, Stream(8), 0.02, bias=rng.normal(0, 0.3, grid)),
        Population("norm", grid, coding(), 0.4, function="layer_norm", epsilon=1e-5),
        Population("query", grid, coding(), 0.3),
        Population("key", grid, coding(), 0.3),
        Population("value", grid, coding(), 0.3),
        Population("scores", (heads, places, places), SFN.uniform(8), 1 / 8, function="softmax"),
        Population("mix", grid, coding(), 0.2),
        Population("more", grid, coding(), 0.3, function="gelu"),
        Population("y", (3, tokens, columns), Readout(), role="output"),
    ]
    queries, attention = (("left", "right"), ("right", "left"))[rng.integers(2)], int(rng.integers(2))
    ends = {"left": "query", "right": "key"}
    stay, go = queries
    mix_stay, mix_go = (("left", "right"), ("right", "left"))[attention]
    mixed = {"left": "scores", "right": "value"}
    projections = [
        Conv2d("x", "stream", matrix(width, 2)),
        Elementwise("stream", "norm", np.ones(1)),
        *(Conv2d("norm", name, matrix(width, width), groups=1) for name in ("query", "key", "value")),
        Stationary(ends[stay], "scores", "scores", stay, heads),
        Product(ends[go], "scores", "scores", go, heads, ends[stay], 0.5),
        Stationary(mixed[mix_stay], "mix", "mix", mix_stay, heads),
        Product(mixed[mix_go], "mix", "mix", mix_go, heads, mixed[mix_stay]),
        Elementwise("stream", "more", np.ones(1)),
        Conv2d("mix", "more", matrix(width, width)),
        Conv2d("more", "y", matrix(3, width)),
    ]
    return Network(tuple(populations), tuple(projections), "attention")
