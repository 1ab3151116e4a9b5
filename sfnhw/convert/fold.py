"""Folding affine maps: backwards into the linear layer before, forwards into the one after."""

from dataclasses import replace

import numpy as np

from sfnhw.convert.plan import Plan
from sfnhw.convert.values import Call, Pooled, Reals, Spikes, Sum, UnsupportedError
from sfnhw.network import AveragePool, Conv2d, Dense, Elementwise, Projection


def affine(plan: Plan, value: Spikes | Sum | Pooled, gain: Reals, offset: Reals, call: Call) -> Sum | Pooled:
    """gain · value + offset.

    gain, offset : (1,) or one for each channel, or (flattened values) one for each neuron.
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
    if isinstance(value, Sum) and any(isinstance(term, AveragePool) for term in value.terms):
        value = plan.spikes(value)  # a pool has no weights to take a factor
    if isinstance(value, Spikes):
        value = plan.as_sum(value, call.layer)
    gain, offset = _widen(gain, value), _widen(offset, value)
    if gain.size != offset.size:
        size = max(gain.size, offset.size)
        gain, offset = np.repeat(gain, size // gain.size), np.repeat(offset, size // offset.size)
    terms = tuple(_scaled(term, gain, value) for term in value.terms)
    bias = np.repeat(value.bias, gain.size // value.bias.size) * gain + offset
    keeps = value.nonnegative and bool((gain >= 0).all() and (offset >= 0).all())
    return replace(value, terms=terms, bias=bias, nonnegative=keeps)


def through(plan: Plan, value: Spikes | Sum | Pooled, padded: bool = False) -> tuple[Spikes, Reals, Reals]:
    """Source of a linear layer, and the gain and offset of each of its channels that the layer must take in.

    W (g x + o) = (W g) x + W o: exact for a layer that sees no padding; with padding only where o = 0.
    """
    if (
        isinstance(value, Sum)
        and len(value.terms) == 1
        and isinstance(value.terms[0], Elementwise)
        and not (padded and value.bias.any())
    ):
        term = value.terms[0]
        gain = term.weight if term.weight.size > 1 else np.repeat(term.weight, value.bias.size)
        offset = value.bias
        if gain.size != offset.size:
            offset = np.repeat(offset, gain.size // offset.size)
        return Spikes(term.source, value.shape), gain, offset
    spikes = plan.spikes(value)
    channels = plan[spikes.population].shape[0]
    return spikes, np.ones(channels), np.zeros(channels)


def _widen(factor: Reals, value: Sum) -> Reals:
    """One factor for each channel of the sum, or for each of its neurons."""
    factor = np.atleast_1d(np.asarray(factor, float)).reshape(-1)
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
    if isinstance(term, Dense):
        return replace(term, weight=term.weight * np.repeat(gain, len(term.weight) // gain.size)[:, None])
    if isinstance(term, Conv2d):
        if gain.size != len(term.weight):
            raise UnsupportedError("a factor that differs from position to position", "use one for each channel")
        return replace(term, weight=term.weight * gain[:, None, None, None])
    raise UnsupportedError(f"a factor on a {term.kind} projection", "put it before or after")
