"""Accuracy as a function of each width of the chip's data path, one at a time around the chip's own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Recording
from sfnhw.errors import InputError
from sfnhw.lowering import Sharing, has_decode_table
from sfnhw.network import Network
from sfnhw.numerics import Numerics
from sfnhw.record import Inputs, record

FIELDS = ("weight_bits", "decode_bits", "threshold_bits", "accumulator_bits")
WEIGHT_BITS = tuple(range(2, 17))
DECODE_BITS = tuple(range(1, 13))
THRESHOLD_BITS = tuple(range(2, 17))
ACCUMULATOR_BITS = tuple(range(8, 25))
OVERFLOWS = ("saturate", "wrap")
NO_TABLE = "no decode table: every level is its own value or its exponent"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class NumericsRow:
    """One setting.

    Attributes
    ----------
    field : the width that is varied, a field of `Numerics`; value : its bits.
    overflow : the accumulator's rule.
    own : whether this is the chip's own setting.
    accuracy : share of samples whose largest output is the label; None without labels.
    agreement : share of samples whose largest output is the one of real arithmetic.
    output_error : root mean square of (output − that of real arithmetic), divided by the root mean square of the latter.
    overflows : accumulator values (neurons × timesteps × samples) that left their range; overflow_share : of all.
    """

    field: str
    value: int
    overflow: str
    own: bool
    accuracy: float | None
    agreement: float
    output_error: float
    overflows: int
    overflow_share: float


@dataclass(frozen=True)
class NumericsSweep:
    """What `numerics_sweep` found.

    Attributes
    ----------
    rows : by field, then overflow rule, then bits.
    numerics : the chip's own widths, which hold for every field that is not varied.
    samples : inferences.
    real_accuracy : with real-valued arithmetic (the coding's own rounding only), on the same inputs; None without labels.
    ann_accuracy : of the trained network as its conversion recorded it (there, not on these inputs), or None.
    skipped : field → why it was not varied although it was asked for: decode words of a network without decode tables.
    """

    rows: tuple[NumericsRow, ...]
    numerics: Numerics
    samples: int
    real_accuracy: float | None
    ann_accuracy: float | None
    skipped: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows]}


def numerics_sweep(
    network: Network,
    inputs: Inputs,
    labels: NDArray[Any] | None = None,
    *,
    numerics: Numerics = Numerics(),  # noqa: B008  frozen
    threshold_sharing: Sharing = "population",
    weight_bits: Sequence[int] = WEIGHT_BITS,
    decode_bits: Sequence[int] = DECODE_BITS,
    threshold_bits: Sequence[int] = THRESHOLD_BITS,
    accumulator_bits: Sequence[int] = ACCUMULATOR_BITS,
    overflow: Sequence[str] = OVERFLOWS,
    progress: Progress | None = None,
) -> NumericsSweep:
    """Record a network at each width of one field, the others as the chip has them.

    Parameters
    ----------
    inputs, labels : as for `record`.
    numerics, threshold_sharing : the chip's own (``chip.numerics``, ``chip.core.threshold_unit.sharing``).
    weight_bits, decode_bits, threshold_bits, accumulator_bits : bits to try; the chip's own are added. An empty list
        leaves the field out. Decode bits are skipped where no projection uses a decode table at any of the widths.
    overflow : rules to try, at every number of accumulator bits; other fields keep the chip's own rule.
    progress : called as progress(stage, done, total).

    Raises
    ------
    InputError : a width out of range, an unknown overflow rule, or nothing to vary, before anything is computed.
    ActivityError : as `record`.
    """
    widths = dict(zip(FIELDS, (weight_bits, decode_bits, threshold_bits, accumulator_bits), strict=True))
    settings = list(_settings(numerics, widths, overflow))
    skipped = {}
    if len(decode_bits) and not any(has_decode_table(network, n) for field, n in settings if field == "decode_bits"):
        skipped["decode_bits"] = NO_TABLE
        settings = [(field, tried) for field, tried in settings if field != "decode_bits"]
    if not settings:
        if skipped:
            raise InputError(skipped["decode_bits"], field="decode_bits", expected="bits for another field")
        raise InputError("nothing to vary", field="weight_bits", found=[], expected="bits for one field at least")
    real = record(network, inputs, labels=labels, numerics=None)
    updates = _updates(network) * len(real.outputs)
    known: dict[Numerics, Recording] = {}
    rows = []
    for done, (field, tried) in enumerate(settings):
        if progress:
            progress(f"{field} = {getattr(tried, field)}", done, len(settings))
        if tried not in known:
            known[tried] = record(network, inputs, labels=labels, numerics=tried, threshold_sharing=threshold_sharing)
        rows.append(_row(field, tried, numerics, known[tried], real, updates))
    ann = network.metadata.get("ann_accuracy")
    return NumericsSweep(
        tuple(rows),
        numerics,
        len(real.outputs),
        real.accuracy,
        float(ann) if isinstance(ann, int | float) else None,
        skipped,
    )


def _settings(
    numerics: Numerics, widths: dict[str, Sequence[int]], overflow: Sequence[str]
) -> Iterator[tuple[str, Numerics]]:
    for field, values in widths.items():
        if not len(values):
            continue
        rules = dict.fromkeys([*overflow, numerics.overflow]) if field == "accumulator_bits" else [numerics.overflow]
        for rule in rules:
            for bits in sorted({*map(_integer, values), getattr(numerics, field)}):
                # Numerics checks ranges and rules.
                yield field, replace(numerics, **{field: bits, "overflow": rule})


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, np.integer) else value


def _updates(network: Network) -> int:
    """Accumulator values of one inference."""
    return network.timesteps * sum(p.size for p in network.populations if p.role != "input" and p.function != "max")


def _row(field: str, tried: Numerics, own: Numerics, got: Recording, real: Recording, updates: int) -> NumericsRow:
    size = float(np.sqrt(np.mean(real.outputs**2)))
    error = float(np.sqrt(np.mean((got.outputs - real.outputs) ** 2)))
    overflows = sum(got.overflows.values())
    return NumericsRow(
        field=field,
        value=getattr(tried, field),
        overflow=tried.overflow,
        own=tried == own,
        accuracy=got.accuracy,
        agreement=float((got.outputs.argmax(axis=1) == real.outputs.argmax(axis=1)).mean()),
        output_error=error / size if size else error,
        overflows=overflows,
        overflow_share=overflows / max(updates, 1),
    )
