"""What a function unit computes between the accumulator and the neuron coding: GELU, softmax, layer normalisation.

They stay real-valued functions in an SFormer (arXiv 2510.23383): a wide number in, a wide number out, and then the
thresholds. A new function is one class here and one line in `FUNCTIONS`; a chip must say its cycles and its price.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Reals = NDArray[np.float64]


class Function(ABC):
    """A function over the values of one population."""

    name: ClassVar[str]
    # The action that one value through it is (`sfnhw.actions`), and the stem of its cycles in a chip file.
    action: ClassVar[str]
    # What one evaluation must see together: one value, all channels of a position, or one row of a channel.
    spans: ClassVar[Literal["element", "channels", "row"]]
    # Whether results can be negative.
    signed: ClassVar[bool]
    # Largest result there is, or None.
    cap: ClassVar[float | None] = None

    @staticmethod
    @abstractmethod
    def apply(values: Reals, epsilon: float) -> Reals:
        """Values (samples, channels, rows, columns) → results of the same shape."""


class Gelu(Function):
    """x·Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016), exact form."""

    name, action, spans, signed = "gelu", "gelu", "element", True

    @staticmethod
    def apply(values: Reals, epsilon: float) -> Reals:
        """Each value by itself."""
        return values * 0.5 * (1.0 + erf(values * np.sqrt(0.5)))


class GeluTanh(Function):
    """½x(1 + tanh(√(2/π)(x + 0.044715x³))): the approximation that many trained models use."""

    name, action, spans, signed = "gelu_tanh", "gelu", "element", True

    @staticmethod
    def apply(values: Reals, epsilon: float) -> Reals:
        """Each value by itself."""
        return 0.5 * values * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (values + 0.044715 * values**3)))


class Softmax(Function):
    """exp(x) / Σ exp(x) over one row of one channel (the keys of one query of one head), less the row's maximum."""

    name, action, spans, signed, cap = "softmax", "softmax", "row", False, 1.0

    @staticmethod
    def apply(values: Reals, epsilon: float) -> Reals:
        """Over the last axis."""
        powers = np.exp(values - values.max(axis=3, keepdims=True))
        return powers / powers.sum(axis=3, keepdims=True)


class LayerNorm(Function):
    """(x − mean) / √(variance + ε) over the channels of one position (Ba et al. 2016); γ and β are folded onwards."""

    name, action, spans, signed = "layer_norm", "layer_norm", "channels", True

    @staticmethod
    def apply(values: Reals, epsilon: float) -> Reals:
        """Over the channel axis; biased variance, as torch.nn.LayerNorm."""
        centred = values - values.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)


FUNCTIONS: dict[str, type[Function]] = {f.name: f for f in (Gelu, GeluTanh, Softmax, LayerNorm)}
