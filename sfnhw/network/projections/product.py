"""Products of two populations' spikes: QKᵀ and AV of attention.

One operand is *stationary*: its packets are decoded and written into the target's weight memory as they arrive. The
other *streams* past it: each of its spikes meets a row of what is stored, as a spike meets a row of weights. Both are
projections into the same target, a `Stationary` and a `Product`, and always come together.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import NetworkError
from sfnhw.network.block import Block, Fan, overlap
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights

Form = Literal["scores", "mix"]
Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class _Operand(Projection):
    """One operand of a product of heads.

    Attributes
    ----------
    form : ``scores``: target[h, i, j] = gain·Σ_d left[h·D + d, i] · right[h·D + d, j] (QKᵀ: the target is (heads,
        positions of left, positions of right)); ``mix``: target[h·E + e, i] = gain·Σ_j left[h, i, j] · right[h·E + e,
        j] (AV: the left operand is (heads, positions of the target, positions of right)).
    side : which operand this projection brings.
    heads : independent products side by side; heads fall on contiguous channels.
    """

    tensor_fields: ClassVar[tuple[str, ...]] = ()

    form: Form
    side: Side
    heads: int

    def __post_init__(self) -> None:
        for name, known in (("form", ("scores", "mix")), ("side", ("left", "right"))):
            if getattr(self, name) not in known:
                raise NetworkError(
                    field=f"{self.label}.{name}", found=getattr(self, name), expected=" or ".join(map(repr, known))
                )
        if not isinstance(self.heads, int) or self.heads < 1:
            raise NetworkError(field=f"{self.label}.heads", found=self.heads, expected="an integer ≥ 1")

    @property
    def weight(self) -> Weights:
        """(1,) one: there are no trained weights."""
        return np.ones(1)

    def check(self, source: Population, target: Population) -> None:
        """Channels divide by the heads, and positions fit the target."""
        if self.form == "scores":
            self._check_heads("source", source.channels)
            self._check_shape("target", (target.channels,), (self.heads,))
            found = target.rows if self.side == "left" else target.columns
            self._check_shape("target", (found,), (source.positions,))
        elif self.side == "left":
            self._check_heads("target", target.channels)
            self._check_shape("source", (source.channels, source.rows), (self.heads, target.positions))
        else:
            self._check_heads("target", target.channels)
            self._check_shape("target", (target.channels,), (source.channels,))

    def _check_heads(self, what: str, channels: int) -> None:
        if channels % self.heads:
            raise NetworkError(
                field=f"{self.label}.{what}", found=channels, expected=f"a multiple of {self.heads} heads (channels)"
            )

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Not a matter of weights: `sfnhw.lowering` gives the product's step to the accumulator."""
        return self.weight

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (target channels,)."""
        return np.asarray(factor)

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Channels of the block's heads; rows of its positions, for the left operand."""
        c0, c1, r0, r1 = target_block
        if self.form == "scores":
            size, span = source.channels // self.heads, source.columns
            rows = (r0 // span, -(-r1 // span)) if self.side == "left" else (0, source.rows)
            return Block(c0 * size, c1 * size, *rows)
        if self.side == "right":
            return Block(c0, c1, 0, source.rows)
        size = target.channels // self.heads
        return Block(c0 // size, -(-c1 // size), r0 * target.columns, r1 * target.columns)

    def _reaches(
        self, source: Population, target: Population, source_block: Block, target_block: Block
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many target channels each source channel meets, and whether (0 or 1) each source position matters."""
        b = source_block
        span = source.columns
        if self.form == "scores":
            head = np.arange(b.c0, b.c1) // (source.channels // self.heads)
            width = ((head >= target_block.c0) & (head < target_block.c1)).astype(np.int64)
            if self.side == "right":
                return width, np.ones(b.rows * span, np.int64)
            return width, overlap(b.r0 * span, b.r1 * span, target_block.r0, target_block.r1)
        if self.side == "right":
            return overlap(b.c0, b.c1, target_block.c0, target_block.c1), np.ones(b.rows * span, np.int64)
        per = target.channels // self.heads
        low = np.maximum(np.arange(b.c0, b.c1) * per, target_block.c0)
        high = np.minimum(np.arange(b.c0 + 1, b.c1 + 1) * per, target_block.c1)
        positions = (target_block.r0 * target.columns, target_block.r1 * target.columns)
        rows = overlap(b.r0, b.r1, *positions)
        return np.maximum(0, high - low).astype(np.int64), np.repeat(rows, span)


@dataclass(frozen=True, eq=False)
class Stationary(_Operand):
    """The operand that is written into the target's weight memory: one write for each packet, whatever it holds."""

    kind: ClassVar[str] = "stationary"

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """Adds nothing by itself."""
        return np.zeros((len(values), target.size), values.dtype)

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """One write for each source neuron that the block needs."""
        width, taps = self._reaches(source, target, source_block, target_block)
        return Fan(np.minimum(width, 1), taps, source_block.rows * source.columns)

    def macs(self, source: Population, target: Population) -> int:
        """None: the streaming operand's projection counts them."""
        return 0

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Return the source neurons that the block keeps."""
        fan = self.fan(source, target, source.block, target_block)
        return int(fan.width.sum() * fan.taps.sum())


@dataclass(frozen=True, eq=False)
class Product(_Operand):
    """The operand that streams; `operand` names the population that stays.

    Attributes
    ----------
    operand : population of the `Stationary` projection into the same target.
    gain : constant factor (1/√d of attention); it only changes what an accumulator step is worth.
    """

    kind: ClassVar[str] = "product"

    operand: str
    gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.isfinite(self.gain) or self.gain <= 0:
            raise NetworkError(field=f"{self.label}.gain", found=self.gain, expected="a finite number above 0")

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """`weight` (samples, stationary size) is the other operand; the gain is not applied."""
        left, right = (values, weight) if self.side == "left" else (weight, values)
        samples, heads = len(values), self.heads
        if self.form == "scores":
            a = left.reshape(samples, heads, -1, target.rows)
            b = right.reshape(samples, heads, -1, target.columns)
            return (a.transpose(0, 1, 3, 2) @ b).reshape(samples, -1)
        a = left.reshape(samples, heads, target.positions, -1)
        b = right.reshape(samples, heads, target.channels // heads, -1)
        return (b @ a.transpose(0, 1, 3, 2)).reshape(samples, -1)

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """The run of stored values that a spike meets: keys of its feature, queries, channels or positions."""
        width, taps = self._reaches(source, target, source_block, target_block)
        if self.form == "scores":
            width = width * (target.columns if self.side == "left" else target_block.rows)
        elif self.side == "right":
            width = width * target_block.rows * target.columns
        return Fan(width, taps, source_block.rows * source.columns)

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """None beside what the stationary operand writes."""
        return 0


def pair_of(stationary: Projection, streaming: Projection) -> bool:
    """Whether two projections are the two operands of one product."""
    return (
        isinstance(stationary, Stationary)
        and isinstance(streaming, Product)
        and (stationary.target, stationary.source) == (streaming.target, streaming.operand)
        and (stationary.form, stationary.heads) == (streaming.form, streaming.heads)
        and stationary.side != streaming.side
    )
