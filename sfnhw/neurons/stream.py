"""Stream: a value that passes from accumulator to accumulator at its own width, without a threshold."""

from dataclasses import dataclass
from typing import ClassVar

from sfnhw.neurons.graded import Graded


@dataclass(frozen=True)
class Stream(Graded):
    """The residual stream of a transformer: signed, b bits, every value that is not zero is sent.

    It feeds sums and function units, never a matrix product, so it needs no spike code; what it costs is traffic at its
    own width. arXiv 2510.23383 puts SFNs at the inputs of matrix products and leaves the stream real-valued; that it is
    carried as a fixed-point number of b bits is our reading.
    """

    kind: ClassVar[str] = "stream"
    title: ClassVar[str] = "the residual stream: values without a threshold"
    source: ClassVar[str] = "arXiv 2510.23383 (SFormer), fixed point: ours"
    stands_for: ClassVar[str] = "the residual stream of a transformer (SFormer)"

    bits: int = 16
    signed: bool = True
