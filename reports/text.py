"""Numbers and names as people read them."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sfnhw.units import PREFIXES, engineering

UNKNOWN = "unknown"


def clean(text: Any) -> str:
    """Return one line without control characters: what a name may look like in a figure, a page or a terminal."""
    out = "".join(
        " " if c.isspace() else "\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in str(text)
    )
    return " ".join(out.split())


def printable(text: str) -> str:
    """Return `text` with its line breaks, but without other control characters and what UTF-8 cannot hold."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else "\ufffd" for c in text)


def field_text(value: Any) -> str:
    """Return a chip field's value as a chip file has it: ``true``, ``28``, ``[0, 0]``; None is ``left out``."""
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{field_text(k)}: {field_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(field_text, value))}]"
    return clean(value)


def elide(text: Any, limit: int, mark: str = "…") -> str:
    """Return `text` cleaned and cut to `limit` characters in its middle: the ends of a module path tell layers apart."""
    line = clean(text)
    if len(line) <= limit:
        return line
    tail = max(1, (limit - len(mark)) * 2 // 3)
    return line[: max(0, limit - len(mark) - tail)] + mark + line[-tail:]


def shortest_ends(names: Sequence[str]) -> list[str]:
    """Return the shortest dotted end of each name that tells it from the others: ``lanes``, ``threshold_unit.lanes``."""
    ends: dict[str, int] = {}
    for name in set(names):
        for end in _ends(name):
            ends[end] = ends.get(end, 0) + 1
    return [next((end for end in _ends(name) if ends[end] == 1), name) for name in names]


def _ends(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[-k:]) for k in range(1, len(parts) + 1)]


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """Return e.g. ``1.23 µJ``, or ``unknown``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value and not 1e-18 <= abs(value) < 1e12:
        return f"{value:.{digits}g} {unit}"
    return engineering(value, unit, digits)


def price_text(value: float, unit: str) -> str:
    """Return a price with a prefix that keeps it readable: ``9.624 pJ``, ``0.1966 nW``, ``2.065 pJ a cycle``."""
    if not value:
        return f"0 {unit}"
    size, _, rest = unit.partition(" ")
    scale = {"p": 1e-12, "µ": 1e-6}[size[0]]
    return quantity(scale * value, size[1:], 4) + (f" {rest}" if rest else "")


def band(energy: dict[str, float], unit: str = "J") -> str:
    """Return e.g. ``2.25 µJ (0.949 µJ to 4.92 µJ)`` from ``{value, low, high}``; nothing at all is ``0 J``."""
    if not any(energy[key] for key in ("value", "low", "high")):
        return quantity(0.0, unit)
    return f"{quantity(energy['value'], unit)} ({quantity(energy['low'], unit)} to {quantity(energy['high'], unit)})"


def ends(energy: dict[str, float], low: str = "low", high: str = "high", unit: str = "J") -> str:
    """Return e.g. ``0.949 µJ to 4.92 µJ`` from the two keys of a band."""
    return f"{quantity(energy[low], unit)} to {quantity(energy[high], unit)}"


def percent(share: float | None) -> str:
    """Return a share as e.g. ``12.3 %``; what is above zero never shows as zero, nor what is below all as all."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    points = 100 * share
    if points == 0:
        return "0 %"
    if abs(points) < 0.01:
        return "< 0.01 %"
    if 99.95 <= points < 100:
        return "> 99.9 %"
    if abs(points) >= 99.95:
        return f"{points:.0f} %"
    return f"{points:.1f} %" if abs(points) >= 10 else f"{points:.2f} %"


def count(value: float | None) -> str:
    """Return a count per inference: ``12,345`` or ``1.23 M``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) >= 1e6:
        return quantity(value, "").rstrip()
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def factor(ratio: float | None) -> str:
    """Return a ratio as e.g. ``6.8 ×``."""
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    return f"{ratio:,.0f} ×" if ratio >= 1000 else f"{ratio:.3g} ×"


def spread_text(low: float, high: float) -> str:
    """Return a band as e.g. ``1.19 to 1.25``, both ends to the digits that tell them apart (three at least)."""
    digits = 3
    if max(low, high) >= 1000:
        return f"{short_number(low)} to {short_number(high)}"
    while digits < 6 and low != high and f"{low:.{digits}g}" == f"{high:.{digits}g}":
        digits += 1
    return f"{low:.{digits}g} to {high:.{digits}g}"


def rate(per_second: float | None) -> str:
    """Return a throughput, e.g. ``76,400 inferences/s``."""
    if per_second is None or not math.isfinite(per_second):
        return UNKNOWN
    if per_second >= 1e7:
        return f"{quantity(per_second, 'inferences/s')}"
    if per_second < 0.1:
        return f"{per_second:.3g} inferences/s"
    digits = max(0, 2 - math.floor(math.log10(per_second)))
    rounded = round(per_second, 2 - math.floor(math.log10(per_second)))
    return f"{rounded:,.{digits}f} inferences/s"


def scaled_unit(largest: float, unit: str) -> tuple[float, str]:
    """Return (factor, label) that brings values up to `largest` to a readable size, e.g. (1e6, "µJ")."""
    size, prefix = next((p for p in PREFIXES if largest >= p[0]), PREFIXES[-1])
    return 1 / size, prefix + unit


def short_number(value: float) -> str:
    """Return a number to three significant digits without an exponent, e.g. ``1,230`` or ``0.0123``."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else UNKNOWN
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"
