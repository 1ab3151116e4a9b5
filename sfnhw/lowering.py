"""From real weights and scales to the integers that a chip holds.

Notation: population q sends level k of neuron i in channel c; it stands for the real value u_q[c]·δ_q·D_q[k], with u
the population's scale, D the integer decode words and δ the value of one word LSB. Into population r:

    acc[o] = Σ_projections 2**s_p · Σ_i w_p[o, i]·D_q[level_i] + b[o]          integers only
    one accumulator LSB of channel o is worth u_r[o]·α_r[o]                    real value

so w_p = round(W_p·u_q[c]·δ_q / (u_r[o]·α_r·2**s_p)): the sender's scale and the receiver's scale are both folded into
the weights ("data-based weight normalisation", Rueckauer et al. 2017). With α one number for the population
(`threshold_sharing="population"`) all its channels compare with the same N thresholds; with `"channel"` each channel
has its own α, finer weights and N thresholds of its own, which cost registers. Scales belong to channels, so tables
of single neurons (`"neuron"`) hold what those of their channels do, and a core's one table (`"core"`) a population's.
s_p lets a projection with larger weights (a residual) share the accumulator with one that needs a finer step.

Partial sums of r (`sfnhw.neurons.Partial`) are acc[o] over some of the inputs, in the same steps: the pieces of one
projection share its s_p, all pieces share α, and what they send is added with weight 1. So weights are what they were
before the layer was cut.
"""

from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError, NetworkError
from sfnhw.network import MaxPool, Network, Population, Product, Projection, Stationary
from sfnhw.network.partials import is_partial
from sfnhw.neurons import FireTable, Readout
from sfnhw.numerics import Numerics

Sharing = Literal["population", "channel", "core", "neuron"]
# Accumulator LSBs: beyond every accumulator (48 bits), and small enough that sums stay inside 64 bits.
FAR_BEYOND = 2**60
# What `unit_projections` found; networks do not change.
_UNITS: WeakKeyDictionary[Network, dict[tuple[Numerics, Sharing], tuple[bool, ...]]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class LoweredPopulation:
    """Integer side of a population.

    Attributes
    ----------
    table : threshold registers.
    bias : (channels, 1) or (channels, positions) int64 accumulator LSBs, added once each timestep.
    lsb : (channels,) real value of one accumulator LSB.
    words : (max_level + 1,) int64 decode word of each level, words[0] = 0.
    word_lsb : normalised value of one word LSB (δ).
    """

    table: FireTable
    bias: NDArray[np.int64]
    lsb: NDArray[np.float64]
    words: NDArray[np.int64]
    word_lsb: float


@dataclass(frozen=True, eq=False)
class LoweredProjection:
    """Integer side of a projection: `weight` as the real one is shaped, and the accumulator shift s_p."""

    weight: NDArray[np.int64]
    shift: int


@dataclass(frozen=True, eq=False)
class Lowered:
    """A network in integers; `projections` runs parallel to `network.projections`."""

    network: Network
    numerics: Numerics
    populations: dict[str, LoweredPopulation]
    projections: tuple[LoweredProjection, ...]


def lower(network: Network, numerics: Numerics, threshold_sharing: Sharing = "population") -> Lowered:
    """Fold scales into integer weights, biases and thresholds (module docstring has the equations).

    Raises
    ------
    NetworkError : weights, scales or thresholds of a population lie so far apart that no integers stand for them.
    """
    words = {p.name: _words(p, numerics) for p in network.populations}
    lowered: dict[int, LoweredProjection] = {}
    populations = {}
    for r in network.populations:
        if is_partial(network, r.name):
            continue  # with the layer that adds them
        populations[r.name], into = _lower_into(network, r, words, numerics, threshold_sharing)
        lowered.update(into)
        for p in network.into(r.name):
            if is_partial(network, p.source):
                populations[p.source] = _lowered_sums(network[p.source], populations[r.name], numerics)
    return Lowered(network, numerics, populations, tuple(lowered[i] for i in range(len(network.projections))))


def _lower_into(
    network: Network,
    r: Population,
    words: dict[str, tuple[NDArray[np.int64], float]],
    numerics: Numerics,
    threshold_sharing: Sharing,
) -> tuple[LoweredPopulation, dict[int, LoweredProjection]]:
    """One population, and by their place in the network the projections into it and into its partial sums."""
    alpha = np.ones(1)
    into = [(i, p) for i, p in enumerate(network.projections) if p.target == r.name]
    sums = [p.source for _, p in into if is_partial(network, p.source)]
    weighted = [(i, p) for i, p in into if not isinstance(p, MaxPool) and p.source not in sums]
    weighted += [(i, p) for i, p in enumerate(network.projections) if p.target in sums]
    as_they_are = [i for i, p in into if isinstance(p, MaxPool) or p.source in sums]
    lowered = {i: LoweredProjection(np.ones(1, np.int64), 0) for i in as_they_are}
    product = next((p for _, p in into if isinstance(p, Product)), None)
    # Accumulators of a function unit's population hold its argument: their step has nothing to do with the code's.
    unit = np.ones(r.channels) if r.needs_function_unit else r.scale
    if product:
        alpha = np.array([_product_step(network, product, words) / unit[0]])
        lowered.update({i: LoweredProjection(np.ones(1, np.int64), 0) for i, _ in into})
    elif weighted:
        shared = threshold_sharing in ("population", "core") or isinstance(r.coding, Readout)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # checked below
            normalised = [
                p.scaled(network[p.source].scale * words[p.source][1], 1 / unit, network[p.source], r)
                for _, p in weighted
            ]
        _check_span(r, [float(np.abs(w).max(initial=0.0)) for w in normalised])
        wholes = _wholes([p for _, p in weighted], r.name)
        # In a part of a network, sums come from other parts: pieces that are not here are a whole more.
        alone = len(set(wholes)) == 1 and (not sums or weighted[0][1].target != r.name)
        alpha, ints = _quantise([p for _, p in weighted], normalised, wholes, r, numerics, shared, alone)
        lowered.update({i: q for (i, _), q in zip(weighted, ints, strict=True)})
    per_channel = np.broadcast_to(alpha, r.channels)
    with np.errstate(over="ignore", divide="ignore"):  # checked below
        lsb = unit * per_channel
        _check_span(r, [*lsb, *(1 / lsb), *(1 / np.atleast_1d(alpha))])
    bias = np.zeros((r.channels, 1)) if r.bias is None else r.bias.reshape(r.channels, -1)
    steps = _bias_steps(r, bias, lsb, numerics)
    try:
        table = r.coding.lower(np.array([function_step(r, numerics)]) if r.needs_function_unit else 1 / alpha, numerics)
    except InputError as error:
        raise NetworkError(str(error), field=f"population {r.name!r}") from None
    return LoweredPopulation(table, steps, lsb, *words[r.name]), lowered


def _lowered_sums(population: Population, receiver: LoweredPopulation, numerics: Numerics) -> LoweredPopulation:
    """Partial sums: in the accumulator steps of the layer that adds them."""
    table = population.coding.lower(np.ones(1), numerics)
    zero = np.zeros((population.channels, 1), np.int64)
    return LoweredPopulation(table, zero, receiver.lsb, *_words(population, numerics))


def _wholes(projections: list[Projection], target: str) -> list[int]:
    """For each projection the number of the one that it is a piece of: pieces of one have its source, in its place.

    A projection straight into the target is a whole by itself.
    """
    numbers: dict[tuple[Any, ...], int] = {}
    seen: dict[tuple[str, str], int] = {}
    out = []
    for p in projections:
        place = seen[p.source, p.target] = seen.get((p.source, p.target), -1) + 1
        key = (p.source, place, p.target == target)
        out.append(numbers.setdefault(key, len(numbers)))
    return out


def unit_projections(network: Network, numerics: Numerics, threshold_sharing: Sharing = "population") -> list[bool]:
    """For each projection whether it has one lowered weight for all synapses and that is 1, as in a pool by itself.

    Only populations with such projections are lowered, and each network once for every numerics and sharing.

    Raises
    ------
    NetworkError : as `lower`.
    """
    known = _UNITS.setdefault(network, {})
    key = (numerics, threshold_sharing)
    if key not in known:
        words = {p.name: _words(p, numerics) for p in network.populations}
        single = [
            p.weight.size == 1 and not isinstance(p, Product | Stationary) and not is_partial(network, p.target)
            for p in network.projections
        ]
        lowered: dict[int, LoweredProjection] = {}
        for name in dict.fromkeys(p.target for p, one in zip(network.projections, single, strict=True) if one):
            lowered.update(_lower_into(network, network[name], words, numerics, threshold_sharing)[1])
        known[key] = tuple(one and bool((lowered[i].weight == 1).all()) for i, one in enumerate(single))
    return list(known[key])


def decode_words(network: Network, numerics: Numerics, name: str) -> NDArray[np.int64]:
    """(max_level + 1,) decode word of each level of a population, 0 for none."""
    return _words(network[name], numerics)[0]


def _check_span(population: Population, numbers: list[float]) -> None:
    """Refuse what left the range of floating-point numbers on the way."""
    if not np.isfinite(numbers).all():
        raise NetworkError(
            "its weights, its sources' scales and its own scale lie further apart than floating-point numbers reach",
            field=f"population {population.name!r}",
        )


def _bias_steps(
    population: Population, bias: NDArray[np.float64], lsb: NDArray[np.float64], numerics: Numerics
) -> NDArray[np.int64]:
    """Biases in accumulator LSBs. One far beyond every accumulator stays so far beyond: recording sees it overflow."""
    with np.errstate(over="ignore"):
        steps = np.rint(bias / lsb[:, None])
    if numerics.overflow == "wrap" and np.abs(steps).max(initial=0.0) >= FAR_BEYOND:
        raise NetworkError(
            "a bias is so many accumulator steps that nothing of it is left when the accumulator wraps",
            field=f"population {population.name!r}.bias",
            found=float(np.abs(steps).max()),
            expected=f"below {FAR_BEYOND:g} steps, or overflow: saturate",
        )
    return np.clip(steps, -FAR_BEYOND, FAR_BEYOND).astype(np.int64)


def function_step(population: Population, numerics: Numerics) -> float:
    """LSBs of a function unit's result word for one normalised unit of the coding: a power of two.

    The word is as wide as a threshold register with a sign, so the largest threshold uses all of it.
    """
    table = population.coding.values()
    top = max(float(table[-1]) if len(table) else 1.0, 1.0)
    return float(2.0 ** np.floor(np.log2((2 ** (numerics.threshold_bits - 1) - 1) / top)))


def _product_step(network: Network, product: Product, words: dict[str, tuple[NDArray[np.int64], float]]) -> float:
    """Real value of one accumulator LSB of a product: both operands' word LSBs and the gain."""
    step = product.gain
    for name in (product.source, product.operand):
        step *= float(network[name].scale[0]) * words[name][1]
    return step


def decode_word_bits(network: Network, numerics: Numerics, name: str) -> int:
    """Bits of the largest value that a spike of this population stands for: the width of the synapse's multiplier."""
    return int(_words(network[name], numerics)[0].max(initial=1)).bit_length()


def uses_decode_table(network: Network, numerics: Numerics, name: str) -> bool:
    """Whether a receiver must look the level up: no where it is its own value, or its exponent, or where there is one."""
    words = _words(network[name], numerics)[0][1:]
    steps = np.arange(len(words))
    return not (np.array_equal(words, steps + 1) or np.array_equal(words, 2**steps))


def has_decode_table(network: Network, numerics: Numerics) -> bool:
    """Whether the synapses of any projection look levels up; a max pool compares levels and looks nothing up."""
    sources = {p.source for p in network.projections if not isinstance(p, MaxPool)}
    return any(uses_decode_table(network, numerics, name) for name in sources)


def _words(population: Population, numerics: Numerics) -> tuple[NDArray[np.int64], float]:
    words, lsb = population.coding.decode_words(numerics.decode_bits)
    if len(words) == 1:  # one level: its value is folded into the weights
        words, lsb = np.ones(1, np.int64), lsb * float(words[0])
    return np.concatenate([[0], words]).astype(np.int64), lsb


def _quantise(
    projections: list[Projection],
    normalised: list[NDArray[np.float64]],
    wholes: list[int],
    target: Population,
    numerics: Numerics,
    shared: bool,
    alone: bool,
) -> tuple[NDArray[np.float64], list[LoweredProjection]]:
    """Choose α (1,) or (channels,), the shifts, and round the weights.

    wholes : as of `_wholes`. alone : whether there is one whole, and nothing else leads into the target.
    """
    # A projection whose weights are all the same (a pool) needs no multiplier: its weight is 1.
    first = next((w.flat[0] for w in normalised if w.size), 0.0)
    plain = alone and all(_constant(w, first) for w in normalised)
    largest_of = [_largest(p, w, target, shared) for p, w in zip(projections, normalised, strict=True)]
    together = {k: np.maximum.reduce([v for j, v in zip(wholes, largest_of, strict=True) if j == k]) for k in wholes}
    steps = [together[k] / (1 if plain else numerics.weight_max) for k in wholes]
    positive = np.stack([np.where(s > 0, s, np.inf) for s in steps])
    alpha = positive.min(axis=0)
    alpha = np.where(np.isfinite(alpha), alpha, 1.0)
    values = target.coding.values()
    if len(values) and not target.needs_function_unit:  # the largest threshold must stay well inside the accumulator
        largest = max(values[-1], target.coding.threshold)
        alpha = np.maximum(alpha, 2 * largest / numerics.accumulator_max)
    lowered = []
    for p, w, step in zip(projections, normalised, steps, strict=True):
        ratio = float((step / alpha).max())
        shift = max(0, int(np.ceil(np.log2(ratio) - 1e-9))) if ratio > 0 else 0
        grid = alpha * 2.0**shift
        weight = np.rint(w / (grid if shared else p.by_target(grid, w, target)))
        lowered.append(LoweredProjection(weight.astype(np.int64), shift))
    return alpha, lowered


def _constant(weight: NDArray[np.float64], value: float) -> bool:
    return bool(weight.size and np.allclose(weight, value, rtol=1e-12, atol=0))


def _largest(projection: Projection, weight: NDArray[Any], target: Population, shared: bool) -> NDArray[np.float64]:
    """(1,) largest |weight|, or (channels,) that of each target channel."""
    magnitude = np.abs(weight)
    if shared:
        return np.array([magnitude.max(initial=0.0)])
    channel = np.broadcast_to(projection.by_target(np.arange(target.channels), weight, target), weight.shape)
    largest = np.zeros(target.channels)
    np.maximum.at(largest, channel.ravel().astype(np.int64), magnitude.ravel())
    return largest
