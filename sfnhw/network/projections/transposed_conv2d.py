"""Two-dimensional transposed convolution ("deconvolution"), grouped included."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import NetworkError
from sfnhw.network.arrays import read_only
from sfnhw.network.block import Block, Fan, one
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights, pair


@dataclass(frozen=True, eq=False)
class TransposedConv2d(Projection):
    """Each position adds its value × the kernel to a window of the target, as `torch.nn.ConvTranspose2d`.

    Source row i reaches target rows i·stride − padding + k·dilation for every kernel row k, where there are such.

    Attributes
    ----------
    weight : (source channels, target channels / groups, kernel height, kernel width), as torch lays it out; shared
        over positions.
    stride, padding, output_padding, dilation : int or (vertical, horizontal).
    groups : source and target channels fall into this many independent groups.
    """

    kind: ClassVar[str] = "transposed_conv2d"

    weight: Weights
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    output_padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    delay: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", read_only(self.weight, float))
        for name, least in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)):
            value = pair(getattr(self, name), f"{self.label}.{name}")
            if min(value) < least:
                raise NetworkError(field=f"{self.label}.{name}", found=value, expected=f"at least {least}")
            object.__setattr__(self, name, value)
        for extra, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(s, d):
                raise NetworkError(
                    field=f"{self.label}.output_padding",
                    found=self.output_padding,
                    expected="less than the stride or the dilation",
                )
        if self.weight.ndim != 4:
            raise NetworkError(
                field=f"{self.label}.weight", found=self.weight.shape, expected="(in, out / groups, height, width)"
            )
        self._check_delay()
        self._check_finite()

    def output_shape(self, source: Population) -> tuple[int, int, int]:
        """(channels, height, width) that the kernel gives on this source."""
        size = [
            (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
            for n, s, p, d, k, extra in zip(
                source.shape[1:],
                self.stride,
                self.padding,
                self.dilation,
                self.weight.shape[2:],
                self.output_padding,
                strict=True,
            )
        ]
        return self.weight.shape[1] * self.groups, size[0], size[1]

    def check(self, source: Population, target: Population) -> None:
        """Source and target are (channels, height, width) and the kernel leads from one to the other."""
        if len(source.shape) != 3:
            raise NetworkError(field=f"{self.label}.source", found=source.shape, expected="(channels, height, width)")
        if self.groups < 1 or source.channels % self.groups:
            raise NetworkError(
                field=f"{self.label}.groups", found=self.groups, expected=f"a divisor of {source.channels}"
            )
        self._check_shape("weight", self.weight.shape, (source.channels, *self.weight.shape[1:]))
        self._check_shape("target", target.shape, self.output_shape(source))

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """One product for each kernel tap, added where the tap lands; what lands outside is cut off."""
        samples, (ph, pw) = len(values), self.padding
        (sh, sw), (dh, dw) = self.stride, self.dilation
        kh, kw = weight.shape[2:]
        rows, columns = source.rows, source.columns
        g = self.groups
        image = values.reshape(samples, g, source.channels // g, rows * columns)
        kernels = weight.reshape(g, source.channels // g, -1, kh, kw).transpose(3, 4, 0, 2, 1)  # kh, kw, g, out, in
        full = (
            max((rows - 1) * sh + dh * (kh - 1) + 1, ph + target.rows),
            max((columns - 1) * sw + dw * (kw - 1) + 1, pw + target.columns),
        )
        result = np.zeros((samples, target.channels, *full), np.result_type(values, weight))
        for ky in range(kh):
            for kx in range(kw):
                part = (np.ascontiguousarray(kernels[ky, kx]) @ image).reshape(samples, -1, rows, columns)
                y, x = ky * dh, kx * dw
                result[:, :, y : y + (rows - 1) * sh + 1 : sh, x : x + (columns - 1) * sw + 1 : sw] += part
        return result[:, :, ph : ph + target.rows, pw : pw + target.columns].reshape(samples, -1)

    def target_channels(self, source: int) -> NDArray[np.int64]:
        """(source channels, target channels / groups) target channel that each kernel leads to."""
        width = self.weight.shape[1]
        group = np.arange(source) // (source // self.groups)
        return group[:, None] * width + np.arange(width)[None, :]

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Kernel (i, j) leads from channel i to channel (group of i)·(target channels / groups) + j."""
        factors = per_target[self.target_channels(source.channels)]
        return self.weight * per_source[:, None, None, None] * factors[:, :, None, None]

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (in, out / groups, 1, 1)."""
        return np.asarray(factor)[self.target_channels(weight.shape[0])][:, :, None, None]

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Kernel taps that land in the block's rows × the block's channels of the neuron's own group."""
        kh, kw = self.weight.shape[2:]
        down = _landing((source_block.r0, source_block.r1), (target_block.r0, target_block.r1), kh, self, 0)
        across = _landing((0, source.columns), (0, target.columns), kw, self, 1)
        if self.groups == 1:
            width = one(target_block.channels)
        else:
            per_out = self.weight.shape[1]
            group = np.arange(source_block.c0, source_block.c1) // (source.channels // self.groups)
            low = np.maximum(group * per_out, target_block.c0)
            high = np.minimum((group + 1) * per_out, target_block.c1)
            width = np.maximum(0, high - low).astype(np.int64)
        return Fan(width, np.outer(down, across).ravel(), source_block.rows * source.columns)

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Rows whose kernel lands in the block, channels of the block's groups."""
        stride, padding = self.stride[0], self.padding[0]
        span = self.dilation[0] * (self.weight.shape[2] - 1)
        low = -(-(target_block.r0 + padding - span) // stride)
        high = (target_block.r1 - 1 + padding) // stride + 1
        into, out = source.channels // self.groups, self.weight.shape[1]
        rows = (min(max(edge, 0), source.rows) for edge in (low, high))
        return Block(target_block.c0 // out * into, -(-target_block.c1 // out) * into, *rows)

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Return the kernels that lead to the block's channels, once for all positions."""
        return target_block.channels * (source.channels // self.groups) * int(np.prod(self.weight.shape[2:]))

    def dense_macs(self, source: Population, target: Population) -> int:
        """Source positions × kernel, those taps included that land in the padding and are cut off."""
        return source.positions * int(self.weight.size)


def _landing(
    inputs: tuple[int, int], outputs: tuple[int, int], kernel: int, p: TransposedConv2d, axis: int
) -> NDArray[np.int64]:
    """(inputs[1] − inputs[0],) kernel taps of each source line that land in the half-open range of target lines."""
    i, k = np.arange(*inputs), np.arange(kernel)
    lands = i[:, None] * p.stride[axis] - p.padding[axis] + k[None, :] * p.dilation[axis]
    return ((lands >= outputs[0]) & (lands < outputs[1])).sum(axis=1).astype(np.int64)
