"""Two-dimensional convolution, grouped and depthwise included."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import NetworkError
from sfnhw.network.arrays import read_only
from sfnhw.network.block import NOTHING, Axis, Block, Fan, one, overlap, taps_2d
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Values, Weights, pair, tap
from sfnhw.network.projections.channel_block import ChannelBlock

# Windows are unrolled for this many values at a time: 4 MiB in float32, which caches hold and products like.
UNROLLED_VALUES = 2**20


@dataclass(frozen=True, eq=False)
class Conv2d(ChannelBlock):
    """Cross-correlation as `torch.nn.functional.conv2d`, zero padding.

    Attributes
    ----------
    weight : (target channels, source channels / groups, kernel height, kernel width), shared over positions; the source
        channels are those of `source_channels`, which one group can have.
    stride, padding, dilation : int or (vertical, horizontal).
    groups : source and target channels fall into this many independent groups; = channels is depthwise.
    first_row : None, or the target is a sequence of tokens (channels, tokens, 1), and output (y, x) is its row
        first_row + y·columns + x (patch embedding; the rows before are class tokens).
    """

    kind: ClassVar[str] = "conv2d"

    weight: Weights
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    delay: int = 0
    first_row: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", read_only(self.weight, float))
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            value = pair(getattr(self, name), f"{self.label}.{name}")
            if min(value) < least:
                raise NetworkError(field=f"{self.label}.{name}", found=value, expected=f"at least {least}")
            object.__setattr__(self, name, value)
        if self.weight.ndim != 4:
            raise NetworkError(
                field=f"{self.label}.weight", found=self.weight.shape, expected="(out, in / groups, height, width)"
            )
        self._check_delay()
        self._check_finite()

    def output_shape(self, source: Population) -> tuple[int, int, int]:
        """(channels, height, width) that the kernel gives on this source."""
        size = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                source.shape[1:], self.padding, self.dilation, self.weight.shape[2:], self.stride, strict=True
            )
        ]
        return self.weight.shape[0], size[0], size[1]

    def check(self, source: Population, target: Population) -> None:
        """Source and target are (channels, height, width) and the kernel leads from one to the other."""
        if len(source.shape) != 3:
            raise NetworkError(field=f"{self.label}.source", found=source.shape, expected="(channels, height, width)")
        self._check_channels(source)
        if self.source_channels is not None and self.groups != 1:
            expected = "1 where source_channels are given"
            raise NetworkError(field=f"{self.label}.groups", found=self.groups, expected=expected)
        a, b = self.channels_read(source)
        channels, out = b - a, self.weight.shape[0]
        if self.groups < 1 or channels % self.groups or out % self.groups:
            raise NetworkError(
                field=f"{self.label}.groups", found=self.groups, expected=f"a divisor of {channels} and {out}"
            )
        self._check_shape("weight", self.weight.shape, (out, channels // self.groups, *self.weight.shape[2:]))
        if self.first_row is None:
            self._check_shape("target", target.shape, self.output_shape(source))
            return
        _, rows, columns = self.output_shape(source)
        last = self.first_row + rows * columns
        if target.channels != out or target.columns != 1 or self.first_row < 0 or last > target.rows:
            raise NetworkError(
                field=f"{self.label}.target", found=target.shape, expected=f"shape ({out}, at least {last} tokens, 1)"
            )

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """Windows as a matrix, a band of rows at a time, one product for each group."""
        samples, g, out = len(values), self.groups, weight.shape[0]
        (sh, sw), (ph, pw), (dh, dw) = self.stride, self.padding, self.dilation
        kh, kw = weight.shape[2:]
        first, last = self.channels_read(source)
        channels = last - first
        image = self.read(values, source).reshape(samples, channels, *source.shape[1:])
        if ph or pw:
            image = np.pad(image, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        _, rows, columns = self.output_shape(source)
        if g == channels and out == g:
            return self._placed(_depthwise(image, weight[:, 0], (sh, sw), (dh, dw), (rows, columns)), target)
        kernels = weight.reshape(g, out // g, -1)
        if (kh, kw, sh, sw) == (1, 1, 1, 1):
            pixels = image.reshape(samples, g, channels // g, rows * columns)
            return self._placed(kernels @ pixels, target)
        result = np.empty((samples, out, rows, columns), np.result_type(values, weight))
        for some, band in _bands(samples, rows, channels * kh * kw * columns):
            part = image[some, :, band.start * sh :]
            high = band.stop - band.start
            windows = np.empty((len(part), channels, kh, kw, high, columns), image.dtype)
            for ky in range(kh):
                for kx in range(kw):
                    windows[:, :, ky, kx] = tap(part, (ky * dh, kx * dw), (sh, sw), (high, columns))
            sums = kernels @ windows.reshape(len(part), g, -1, high * columns)
            result[some, :, band] = sums.reshape(len(part), out, high, columns)
        return self._placed(result, target)

    def _placed(self, result: Values, target: Population) -> Values:
        """(samples, channels or groups, ..) → (samples, target size): as it is, or among the target's tokens."""
        if self.first_row is None:
            return result.reshape(len(result), -1)
        result = result.reshape(len(result), target.channels, -1)
        tokens = np.zeros((*result.shape[:2], target.rows), result.dtype)
        tokens[:, :, self.first_row : self.first_row + result.shape[2]] = result
        return tokens.reshape(len(result), -1)

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Input channel c of output channel o is source channel (group of o)·(channels / groups) + c, of those read."""
        out, width = self.weight.shape[:2]
        first = (np.arange(out) // (out // self.groups)) * width + self.channels_read(source)[0]
        channel = first[:, None] + np.arange(width)[None, :]
        return self.weight * per_source[channel][:, :, None, None] * per_target[:, None, None, None]

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (out, 1, 1, 1)."""
        return np.asarray(factor)[:, None, None, None]

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Kernel taps whose output row lies in the block × the block's channels of the neuron's own group."""
        inputs = (source_block.r0, source_block.r1)
        parts = [
            taps_2d(*self._axes(inputs, rectangle, source)) for rectangle in self._outputs(source, target, target_block)
        ]
        taps = parts[0] if len(parts) == 1 else sum(parts, np.zeros(source_block.rows * source.columns, np.int64))
        if self.groups == 1:
            width = one(target_block.channels)
            if self.source_channels is not None:
                width = width * overlap(source_block.c0, source_block.c1, *self.source_channels)
        else:
            per_out = target.channels // self.groups
            group = np.arange(source_block.c0, source_block.c1) // (source.channels // self.groups)
            low = np.maximum(group * per_out, target_block.c0)
            high = np.minimum((group + 1) * per_out, target_block.c1)
            width = np.maximum(0, high - low).astype(np.int64)
        return Fan(width, taps, source_block.rows * source.columns)

    def dense_macs(self, source: Population, target: Population) -> int:
        """Output positions × kernel, products with padding included."""
        return int(np.prod(self.output_shape(source)[1:])) * int(self.weight.size)

    def _axes(
        self, inputs: tuple[int, int], outputs: tuple[tuple[int, int], tuple[int, int]], source: Population
    ) -> tuple[Axis, Axis]:
        """Rows and columns of the window operation from rows of the source to a rectangle of output positions."""
        both = zip(
            (inputs, (0, source.columns)),
            outputs,
            self.weight.shape[2:],
            self.stride,
            self.padding,
            self.dilation,
            strict=True,
        )
        down, across = (Axis(*axis) for axis in both)
        return down, across

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Rows under the kernel, channels of the block's groups or those that are read."""
        rows = [
            self._axes((0, source.rows), part, source)[0].reach(source.rows)
            for part in self._outputs(source, target, target_block)
        ]
        if not rows:
            return NOTHING
        into, out = source.channels // self.groups, target.channels // self.groups
        c0, c1 = target_block.c0 // out * into, -(-target_block.c1 // out) * into
        if self.source_channels is not None:
            c0, c1 = self.source_channels
        return Block(c0, c1, min(low for low, _ in rows), max(high for _, high in rows))

    def _outputs(
        self, source: Population, target: Population, block: Block
    ) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Rectangles (rows, columns) of output positions that a target block holds."""
        if self.first_row is None:
            return [((block.r0, block.r1), (0, target.columns))]
        _, rows, columns = self.output_shape(source)
        # Tokens a .. b of a grid read line by line: the end of a line, whole lines, the start of a line.
        a, b = (min(max(r - self.first_row, 0), rows * columns) for r in (block.r0, block.r1))
        first, last = -(-a // columns), b // columns
        if a >= b:
            return []
        if first > last:  # inside one line
            return [((last, last + 1), (a % columns, b % columns))]
        parts = [((first, last), (0, columns))] if last > first else []
        if a % columns:
            parts.append(((first - 1, first), (a % columns, columns)))
        if b % columns:
            parts.append(((last, last + 1), (0, b % columns)))
        return parts

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Return the kernels of the block's channels, once for all positions."""
        return target_block.channels * int(np.prod(self.weight.shape[1:]))


def _bands(samples: int, rows: int, row_values: int) -> Iterator[tuple[slice, slice]]:
    """(samples, output rows) whose unrolled windows stay within `UNROLLED_VALUES`."""
    high = max(1, min(rows, UNROLLED_VALUES // row_values))
    many = max(1, UNROLLED_VALUES // (row_values * rows))
    for s in range(0, samples, many):
        for r in range(0, rows, high):
            yield slice(s, s + many), slice(r, min(r + high, rows))


def _depthwise(
    image: Values, kernels: Values, stride: tuple[int, int], dilation: tuple[int, int], size: tuple[int, int]
) -> Values:
    """One kernel (channels, height, width) a channel: no sum over channels, so tap by tap."""
    result = np.zeros((*image.shape[:2], *size), np.result_type(image, kernels))
    for some in range(len(image)):
        part = image[some : some + 1]
        for ky, kx in np.ndindex(kernels.shape[1:]):
            seen = tap(part, (ky * dilation[0], kx * dilation[1]), stride, size)
            result[some : some + 1] += seen * kernels[:, ky, kx][:, None, None]
    return result
