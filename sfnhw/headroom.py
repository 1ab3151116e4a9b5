"""Whether a few spikes alone can fill an accumulator: the danger of power-of-two levels, and of wide graded ones.

The integers of a population see to it that its thresholds lie well inside the accumulator (`sfnhw.lowering`), not that
every sum does. A sum of many ordinary values that overflows is rare; where a handful of the largest ones is enough it is
not, and `record` counts what then overflows.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sfnhw.lowering import decode_word_bits, lower
from sfnhw.network import Elementwise, MaxPool, Network, Product, Projection, Stationary
from sfnhw.numerics import Numerics

# Where fewer of the largest synaptic values than this overflow, ordinary activity does.
FEW = 8


class HeadroomWarning(UserWarning):
    """A network of which a few large spikes fill an accumulator."""


def headroom(network: Network, numerics: Numerics = Numerics()) -> dict[str, int]:  # noqa: B008  frozen
    """Return population → how many of its largest synaptic values its accumulator holds, where these are fewer than `FEW`.

    A synaptic value is decode word × weight · 2^shift, or the product of two words (attention); the largest is that of
    the top level at the largest weight. Populations whose synapses are too few to overflow are left out.

    Raises
    ------
    NetworkError : as `sfnhw.lowering.lower`.
    """
    candidates = [p for p in network.projections if _may_be_short(network, numerics, p)]
    if not candidates:
        return {}
    lowered = lower(network, numerics)
    found: dict[str, int] = {}
    for p, q in zip(network.projections, lowered.projections, strict=True):
        if not any(p is c for c in candidates):
            continue
        source, target = network[p.source], network[p.target]
        word = float(lowered.populations[p.source].words.max())
        if isinstance(p, Product):
            weight = np.full((1, network[p.operand].size), float(lowered.populations[p.operand].words.max()))
        else:
            weight = np.abs(q.weight).astype(float)
        top = word * float(weight.max()) * 2.0**q.shift
        most = float(p.apply(np.full((1, source.size), word), weight, source, target).max()) * 2.0**q.shift
        if most > numerics.accumulator_max and FEW * top > numerics.accumulator_max:
            found[p.target] = min(found.get(p.target, FEW), int(numerics.accumulator_max // top))
    return found


def headroom_text(network: Network, numerics: Numerics = Numerics()) -> str | None:  # noqa: B008  frozen
    """Return one sentence about populations without headroom, or None where all have it."""
    found = headroom(network, numerics)
    if not found:
        return None
    worst = min(found, key=found.__getitem__)
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"{found[worst] + 1} of the largest spikes at the largest weight overflow a {numerics.accumulator_bits}-bit "
        f"accumulator (layer {worst!r}{more}); fewer thresholds or bits, or wider accumulators, leave room, and "
        "recording counts what overflows"
    )


def warn_without_headroom(network: Network) -> None:
    """Issue a `HeadroomWarning` for the caller's caller, where the reference widths of `Numerics` leave no room."""
    text = headroom_text(network)
    if text:
        warnings.warn(text, HeadroomWarning, stacklevel=3)


@contextmanager
def told_otherwise() -> Iterator[None]:
    """No `HeadroomWarning` within: for callers that say what overflows themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HeadroomWarning)
        yield


def _may_be_short(network: Network, numerics: Numerics, p: Projection) -> bool:
    """From the words alone, before any weight is lowered; a projection with one synapse a neuron cannot pile up."""
    if isinstance(p, MaxPool | Stationary | Elementwise):
        return False
    bits = decode_word_bits(network, numerics, p.source)
    bits += decode_word_bits(network, numerics, p.operand) if isinstance(p, Product) else numerics.weight_bits - 1
    return FEW * 2**bits > numerics.accumulator_max
