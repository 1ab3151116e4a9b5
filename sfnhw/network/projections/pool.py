"""Average and maximum pooling."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import NetworkError
from sfnhw.network.block import Axis, Block, Fan, overlap, taps_2d
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights, pair, tap


@dataclass(frozen=True, eq=False)
class _Pool(Projection):
    """Windows of each channel by itself.

    Attributes
    ----------
    kernel, stride, padding : int or (vertical, horizontal); stride defaults to the kernel.
    """

    tensor_fields: ClassVar[tuple[str, ...]] = ()

    kernel: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    delay: int = 0

    def __post_init__(self) -> None:
        stride = self.kernel if self.stride is None else self.stride
        for name, value, least in (("kernel", self.kernel, 1), ("stride", stride, 1), ("padding", self.padding, 0)):
            both = pair(value, f"{self.label}.{name}")
            if min(both) < least:
                raise NetworkError(field=f"{self.label}.{name}", found=value, expected=f"at least {least}")
            object.__setattr__(self, name, both)
        self._check_delay()

    def check(self, source: Population, target: Population) -> None:
        """(channels, height, width) → (channels, smaller, smaller)."""
        if len(source.shape) != 3:
            raise NetworkError(field=f"{self.label}.source", found=source.shape, expected="(channels, height, width)")
        assert self.stride is not None
        size = [
            (n + 2 * p - k) // s + 1
            for n, p, k, s in zip(source.shape[1:], self.padding, self.kernel, self.stride, strict=True)
        ]
        self._check_shape("target", target.shape, (source.channels, *size))

    def over_windows(self, rule: np.ufunc, values: Values, source: Population, target: Population) -> Values:
        """(samples, channels, rows, columns) `rule` (add, maximum) over each window, padded with 0."""
        assert self.stride is not None
        (ph, pw), (kh, kw) = self.padding, self.kernel
        image = values.reshape(len(values), *source.shape)
        if ph or pw:
            image = np.pad(image, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        if target.positions == 1:
            return np.asarray(rule.reduce(image[:, :, :kh, :kw], axis=(2, 3), keepdims=True))
        size = target.rows, target.columns
        result = tap(image, (0, 0), self.stride, size).copy()
        for ky, kx in np.ndindex(kh, kw):
            if ky or kx:
                rule(result, tap(image, (ky, kx), self.stride, size), out=result)
        return result

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """One weight for each channel."""
        return self.weight * per_source * per_target

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (channels,)."""
        return np.asarray(factor)

    def dense_macs(self, source: Population, target: Population) -> int:
        """Return 0: frameworks count no multiply-accumulates for pooling."""
        return 0

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Windows that read the position, in the neuron's own channel."""
        assert self.stride is not None
        down = self._down((source_block.r0, source_block.r1), target_block)
        across = Axis((0, source.columns), (0, target.columns), self.kernel[1], self.stride[1], self.padding[1], 1)
        width = overlap(source_block.c0, source_block.c1, target_block.c0, target_block.c1)
        return Fan(width, taps_2d(down, across), source_block.rows * source.columns)

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Rows under the windows, the same channels."""
        rows = self._down((0, source.rows), target_block).reach(source.rows)
        return Block(target_block.c0, target_block.c1, *rows)

    def _down(self, inputs: tuple[int, int], target_block: Block) -> Axis:
        assert self.stride is not None
        outputs = (target_block.r0, target_block.r1)
        return Axis(inputs, outputs, self.kernel[0], self.stride[0], self.padding[0], 1)


@dataclass(frozen=True, eq=False)
class AveragePool(_Pool):
    """Mean over each window, padding counted (`count_include_pad`), as one weight for each channel."""

    kind: ClassVar[str] = "average_pool"

    @property
    def weight(self) -> Weights:
        """(1,) the reciprocal of the window's size; broadcasts over channels."""
        return np.array([1.0 / (self.kernel[0] * self.kernel[1])])

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """Return the sum over the window × the channel's weight."""
        sums = self.over_windows(np.add, values, source, target)
        return (sums * weight[None, :, None, None]).reshape(len(values), -1)

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """One for each channel."""
        return target_block.channels


@dataclass(frozen=True, eq=False)
class MaxPool(_Pool):
    """Largest level in each window: the target keeps it and sends it on, no threshold, no weight."""

    kind: ClassVar[str] = "max_pool"

    @property
    def weight(self) -> Weights:
        """(1,) one: levels pass unchanged."""
        return np.ones(1)

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """Largest value of the window; levels are not negative, so padding with 0 adds nothing."""
        return self.over_windows(np.maximum, values, source, target).reshape(len(values), -1)

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """None."""
        return 0
