"""Layers cut over their inputs: each part sums what it hears, and the layer adds the parts' sums."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sfnhw.chip import Chip
from sfnhw.errors import InputError, nearest
from sfnhw.mapping.slices import bias_bits, capacity, weight_bits
from sfnhw.network import (
    Block,
    Conv2d,
    Dense,
    Elementwise,
    MaxPool,
    Network,
    Population,
    Product,
    Projection,
    Stationary,
)
from sfnhw.neurons import Partial
from sfnhw.units import ceil_div


def partial_sums(network: Network, parts: Mapping[str, int]) -> Network:
    """Return the network with layers cut over their inputs' channels.

    The dense projections and convolutions into a layer are cut into nearly equal parts of their sources' channels. Part
    i is a population ``layer.partial<i>`` of the layer's shape that adds up what it hears and sends the sums, as wide as
    the accumulator, to the layer; that adds them, and keeps its bias, function, coding and other projections (residuals).
    Weights are split, none is copied.

    In a chip's integers (`sfnhw.record`) the layer and all after it emit what they did before, bit for bit: parts
    compute in the layer's own accumulator steps, and sums of whole numbers are the same in any order. The exception is
    saturation: where a part's sum alone leaves the accumulator's range it is clipped, which `Recording.overflows` counts
    under the part's name. With ``overflow: wrap`` there is no exception.

    Parameters
    ----------
    parts : layer → number of parts, from 1 (not cut) to the channels of its widest source.

    Raises
    ------
    InputError : no such layer, a number of parts that cannot be, or a layer without inputs to cut.
    """
    if not isinstance(parts, Mapping):
        raise InputError(field="parts", found=parts, expected="layers to numbers of parts")
    layers = [p.name for p in network.populations if p.role != "input"]
    for name in parts:
        if name not in layers:
            text = f"no such layer{nearest(str(name), layers)}"
            raise InputError(text, field=f"parts.{name}", found=name, expected=f"one of {', '.join(layers)}")
    for name, count in parts.items():
        _check(network, name, count)
    cut = {name: count for name, count in parts.items() if count > 1}
    populations: list[Population] = []
    for p in network.populations:
        populations += [_sums_of(network, p, i) for i in range(cut.get(p.name, 0))]
        populations.append(p)
    projections: list[Projection] = []
    for q in network.projections:
        projections += _pieces(network, q, cut[q.target]) if q.target in cut and can_cut(q) else [q]
    for name, count in cut.items():
        projections += [Elementwise(part_name(name, i), name, np.ones(1)) for i in range(count)]
    before = network.metadata.get("partial_sums")
    metadata = network.metadata | ({"partial_sums": (before if isinstance(before, dict) else {}) | cut} if cut else {})
    return Network(tuple(populations), tuple(projections), network.name, metadata)


def part_name(layer: str, i: int) -> str:
    """Return the name of a layer's part."""
    return f"{layer}.partial{i}"


def can_cut(projection: Projection) -> bool:
    """Whether a projection sums over its source's channels, as one weight tensor: dense, or a convolution in one group."""
    return isinstance(projection, Dense) or (isinstance(projection, Conv2d) and projection.groups == 1)


def most_parts(network: Network, layer: str) -> int:
    """Return into how many parts a layer's inputs can be cut; 1 where there is nothing to cut."""
    into = network.into(layer)
    if network.window > 1 or isinstance(network[layer].coding, Partial):
        return 1
    if any(isinstance(p, MaxPool | Product | Stationary) for p in into):
        return 1
    if any(isinstance(network[p.source].coding, Partial) for p in into):
        return 1
    return max((_channels(network, p) for p in into if can_cut(p)), default=1)


def read_edges(network: Network, source: Population) -> list[int]:
    """Return the channels of a population at which what one part of a layer reads ends, and the next begins."""
    parts = [q for q in network.out_of(source.name) if isinstance(network[q.target].coding, Partial)]
    read = [q.source_channels for q in parts if isinstance(q, Dense | Conv2d) and q.source_channels is not None]
    return sorted({edge for pair in read for edge in pair} - {0, source.channels})


def least_parts(network: Network, layer: str, block: Block, chip: Chip) -> int | None:
    """Return into how few parts a layer's inputs must be cut for one channel of each to fit a core's weight memory.

    None where no number of parts suffices. Only weights and biases are looked at, no other limit of the core.

    Parameters
    ----------
    block : of the layer, the least that it can be cut into; what is not cut stays with it.
    """
    target, limit = network[layer], capacity(chip).weight_bits
    channel = Block(0, 1, 0, 1)
    rest = sum(weight_bits(p, network, block, chip) for p in network.into(layer) if not can_cut(p))
    rest += bias_bits(target, block, chip)
    whole = [(weight_bits(p, network, channel, chip), _channels(network, p)) for p in network.into(layer) if can_cut(p)]
    for parts in range(2, most_parts(network, layer) + 1):
        largest = sum(bits // channels * ceil_div(channels, parts) for bits, channels in whole)
        if largest <= limit and rest + parts * block.channels * chip.core.weight_bits <= limit:
            return parts
    return None


def _check(network: Network, layer: str, count: Any) -> None:
    field = f"parts.{layer}"
    most = most_parts(network, layer)
    if type(count) is not int or not 1 <= count <= most or (most == 1 and network.window > 1):
        if most > 1 or type(count) is not int or count < 1:
            expected = f"1 to {most} parts of its inputs' channels" if most > 1 else "a whole number ≥ 1"
            raise InputError(field=field, found=count, expected=expected)
        raise InputError(_why_not(network, layer), field=field, found=count, expected="no parts")


def _why_not(network: Network, layer: str) -> str:
    into = network.into(layer)
    if network.window > 1:
        return "layers that work in windows ('ttfs') cannot pass partial sums on"
    if isinstance(network[layer].coding, Partial):
        return "it is a part itself: cut the layer that it belongs to into more"
    if any(isinstance(network[p.source].coding, Partial) for p in into):
        return "its inputs are cut already: cut the network it was made from"
    kinds = ", ".join(f"{'grouped ' if getattr(p, 'groups', 1) > 1 else ''}{p.kind}" for p in into)
    if any(can_cut(p) for p in into):
        return f"its inputs have one channel ({kinds})"
    return f"nothing into it sums over channels of its source in one group ({kinds})"


def _channels(network: Network, projection: Any) -> int:
    a, b = projection.channels_read(network[projection.source])
    return int(b - a)


def _sums_of(network: Network, layer: Population, i: int) -> Population:
    coding = Partial(network.timesteps)
    return Population(part_name(layer.name, i), layer.shape, coding, layer.scale)


def _pieces(network: Network, q: Any, count: int) -> list[Projection]:
    """Cut one projection over the channels it reads; a source of fewer channels than parts feeds some of them only."""
    source = network[q.source]
    first, last = q.channels_read(source)
    per_channel = source.positions if isinstance(q, Dense) else 1  # columns of the weight
    out: list[Projection] = []
    for i in range(count):
        a, b = i * (last - first) // count, (i + 1) * (last - first) // count
        if a < b:
            weight = q.weight[:, a * per_channel : b * per_channel]
            place = {"target": part_name(q.target, i), "source_channels": (first + a, first + b)}
            out.append(replace(q, weight=weight, **place))
    return out
