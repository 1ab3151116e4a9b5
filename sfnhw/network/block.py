"""A block: the part of a population that one slice holds, and the fan-out between two blocks."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Block(NamedTuple):
    """Channels [c0, c1) × rows [r0, r1) of a population; a row is a whole line of positions."""

    c0: int
    c1: int
    r0: int
    r1: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.c1 - self.c0

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.r1 - self.r0


class Fan(NamedTuple):
    """Synapses that each neuron of a source block has in a target block, in factored form.

    The neuron with local index i (channel-major) has ``taps[i % positions]`` runs of ``width[i // positions]``
    neighbouring synapses each (a length-1 array stands for all). A run is what lies side by side in weight
    memory: the output channels of one kernel tap, or the outputs of a dense row.

    Attributes
    ----------
    width : (1,) or (source channels,) int64, synapses in a run.
    taps : (1,) or (source positions,) int64, runs.
    positions : positions of the source block for each channel.
    """

    width: NDArray[np.int64]
    taps: NDArray[np.int64]
    positions: int

    @property
    def any(self) -> bool:
        """Whether the two blocks are connected at all."""
        return bool(self.width.any() and self.taps.any())

    def per_neuron(self, neurons: int) -> NDArray[np.int64]:
        """(neurons,) synapses of each source neuron."""
        i = np.arange(neurons)
        w = self.width[i // self.positions] if len(self.width) > 1 else self.width[0]
        t = self.taps[i % self.positions] if len(self.taps) > 1 else self.taps[0]
        return (w * t) * np.ones(neurons, np.int64)

    def total(self, neurons: int) -> int:
        """Return the sum of `per_neuron` over all `neurons` of the source block, as a product of two sums."""
        if not neurons:
            return 0
        width = int(self.width.sum()) * (1 if len(self.width) > 1 else neurons // self.positions)
        return width * int(self.taps.sum()) * (1 if len(self.taps) > 1 else self.positions)


NOTHING = Block(0, 0, 0, 0)


@lru_cache(maxsize=1024)
def one(value: int) -> NDArray[np.int64]:
    """Return a length-1 array, read-only."""
    return _shared(np.array([value], np.int64))


def overlap(a0: int, a1: int, b0: int, b1: int) -> NDArray[np.int64]:
    """(a1 − a0,) 1 where a position of [a0, a1) lies in [b0, b1)."""
    i = np.arange(a0, a1)
    return ((i >= b0) & (i < b1)).astype(np.int64)


def taps_1d(
    inputs: tuple[int, int], outputs: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int
) -> NDArray[np.int64]:
    """Return for each input position how many (output, kernel tap) pairs read it: o·stride − padding + k·dilation = i.

    inputs, outputs : half-open ranges. Returns (inputs[1] − inputs[0],).
    """
    o = np.arange(*outputs)
    k = np.arange(kernel)
    read = (o[:, None] * stride - padding + k[None, :] * dilation).ravel()
    read = read[(read >= inputs[0]) & (read < inputs[1])] - inputs[0]
    return np.bincount(read, minlength=inputs[1] - inputs[0]).astype(np.int64)


class Axis(NamedTuple):
    """One axis of a window operation between two ranges of positions; arguments as of `taps_1d`."""

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    kernel: int
    stride: int
    padding: int
    dilation: int

    def moved(self) -> "Axis":
        """Return the same taps with outputs from 0: pairs of slices that lie alike to each other are equal then."""
        first = self.outputs[0]
        (a, b), shift = self.inputs, first * self.stride
        return self._replace(inputs=(a - shift, b - shift), outputs=(0, self.outputs[1] - first))

    def reach(self, size: int) -> tuple[int, int]:
        """Return the range of input positions, of `size` there are, that any of the outputs can read."""
        low = self.outputs[0] * self.stride - self.padding
        high = (self.outputs[1] - 1) * self.stride - self.padding + (self.kernel - 1) * self.dilation + 1
        return min(max(low, 0), size), min(max(high, 0), size)


def taps_2d(down: Axis, across: Axis) -> NDArray[np.int64]:
    """(rows·columns,) how many (output, kernel tap) pairs read each input position; read-only."""
    return _taps_2d(down.moved(), across)


# Most pairs of slices lie to each other as some other pair does.
@lru_cache(maxsize=64)
def _taps_2d(down: Axis, across: Axis) -> NDArray[np.int64]:
    return _shared(np.outer(taps_1d(*down), taps_1d(*across)).ravel())


def _shared(array: NDArray[np.int64]) -> NDArray[np.int64]:
    array.flags.writeable = False
    return array
