"""Folding affine maps: backwards into the linear layer before, forwards into the one after."""

from dataclasses import replace
from typing import TypeGuard

import numpy as np

from sfnhw.convert.plan import Plan
from sfnhw.convert.values import Call, Pooled, Reals, Spikes, Sum, UnsupportedError
from sfnhw.convert.weights import scaled
from sfnhw.network import (
    AveragePool,
    Conv2d,
    Dense,
    Elementwise,
    Product,
    Projection,
    Stationary,
    TransposedConv2d,
    Upsample,
)


def affine(plan: Plan, value: Spikes | Sum | Pooled, gain: Reals, offset: Reals, call: Call) -> Sum | Pooled:
    """gain · value + offset.

    gain, offset : (1,) or one for each channel or neuron of the value's population, in its order.
    A sum takes the factors into its weights: W' = g W, b' = g b + o (Jacob et al. 2018, batch-norm folding). A
    maximum commutes with a factor that is not negative.
    """
    if isinstance(value, Pooled):
        if (gain < 0).any():
            raise UnsupportedError(
                "a negative factor behind a maximum over values that may be negative", "put the ReLU before the pooling"
            )
        inner = affine(plan, value.inner, gain, offset, call)
        assert isinstance(inner, Sum)
        return replace(value, inner=inner)
    if isinstance(value, Sum) and offset.any() and any(isinstance(term, Product) for term in value.terms):
        raise UnsupportedError(
            "a constant added to a product of activations (a mask, or a bias of positions, on attention scores)",
            "attention of every query to every key is supported",
        )
    if isinstance(value, Sum) and any(isinstance(term, AveragePool | Upsample) for term in value.terms):
        value = plan.spikes(value)  # a pool has no weights to take a factor
    if isinstance(value, Spikes):
        value = plan.as_sum(value, call.layer)
    gain, offset = _widen(gain, value), _widen(offset, value)
    terms = tuple(_scaled(term, gain, value) for term in value.terms)
    bias, wide_gain, offset = equally_long(value.bias, gain, offset)
    bias = bias * wide_gain + offset
    keeps = value.nonnegative and bool((gain >= 0).all() and (offset >= 0).all())
    return replace(value, terms=terms, bias=bias, nonnegative=keeps)


def through(plan: Plan, value: Spikes | Sum | Pooled, padded: bool = False) -> tuple[Spikes, Reals, Reals]:
    """Source of a linear layer, and the gain and offset of each channel, or neuron, that the layer must take in.

    W (g x + o) = (W g) x + W o: exact for a layer that sees no padding; with padding only where o = 0.
    """
    if is_affine(value) and not (padded and value.bias.any()):
        term = value.terms[0]
        gain = term.weight if term.weight.size > 1 else np.repeat(term.weight, value.grid[0])
        return Spikes(term.source, value.index), gain, value.bias
    spikes = plan.spikes(value)
    channels = plan[spikes.population].shape[0]
    return spikes, np.ones(channels), np.zeros(channels)


def is_affine(value: object) -> TypeGuard[Sum]:
    """Whether a value is g x + o of one population's spikes x, neuron by neuron."""
    return isinstance(value, Sum) and len(value.terms) == 1 and isinstance(value.terms[0], Elementwise)


def equally_long(*factors: Reals) -> tuple[Reals, ...]:
    """Bring factors for each channel and for each neuron (channel-major) to one length."""
    size = max(f.size for f in factors)
    return tuple(np.repeat(f, size // f.size) for f in factors)


def _widen(factor: Reals, value: Sum) -> Reals:
    """One factor for each channel of the sum, or for each of its neurons."""
    factor = factor.reshape(-1)
    channels, neurons = value.grid[0], int(np.prod(value.grid))
    if factor.size == 1:
        return np.repeat(factor, channels)
    if factor.size not in (channels, neurons):
        raise UnsupportedError(
            f"{factor.size} factors for a population of shape {value.grid}", "use one for each channel, or a single one"
        )
    return factor


def _scaled(term: Projection, gain: Reals, value: Sum) -> Projection:
    if isinstance(term, Elementwise):
        weight = term.weight if term.weight.size > 1 else np.repeat(term.weight, value.grid[0])
        return replace(term, weight=np.repeat(weight, max(1, gain.size // weight.size)) * gain)
    if isinstance(term, Product | Stationary):
        if (gain != gain[0]).any() or gain[0] <= 0:
            raise UnsupportedError("a factor on attention scores that is not one positive number", "use one")
        return term if isinstance(term, Stationary) else replace(term, gain=term.gain * float(gain[0]))
    if isinstance(term, Dense):
        return replace(term, weight=scaled(term.weight, np.repeat(gain, len(term.weight) // gain.size)[:, None]))
    if isinstance(term, TransposedConv2d):
        if gain.size != term.weight.shape[1] * term.groups:
            raise UnsupportedError("a factor that differs from position to position", "use one for each channel")
        return replace(term, weight=scaled(term.weight, gain[term.target_channels(len(term.weight))][:, :, None, None]))
    if isinstance(term, Conv2d):
        if gain.size != len(term.weight):
            raise UnsupportedError("a factor that differs from position to position", "use one for each channel")
        return replace(term, weight=scaled(term.weight, gain[:, None, None, None]))
    raise UnsupportedError(f"a factor on a {term.kind} projection", "put it before or after")
