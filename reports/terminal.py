"""Tables in a terminal: columns as wide as what they hold; texts wrap, and no number is ever cut."""

from collections.abc import Sequence
from textwrap import wrap

from sfnhw.reports.text import clean

WIDTH = 80
GAP = 2
LEAST_TEXT = 12


def plain(text: str) -> str:
    """Keep what every terminal shows, one column a character: ASCII and µ."""
    return "".join(c if c.isascii() or c == "µ" else "?" for c in text.replace("×", "x").replace("·", "*"))


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """Return a sentence in lines of at most `WIDTH` columns."""
    return wrap(plain(clean(text)), WIDTH, subsequent_indent=indent) or [""]


def fits(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether all columns fit beside each other when the first one, a text, wraps."""
    return _room(head, rows) >= LEAST_TEXT


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows under their heads: the first column is a text to the left that wraps, the others are numbers.

    Where the numbers alone are wider than a line, each row becomes a block of ``head: value`` lines.
    """
    if not fits(head, rows):
        return _blocks(head, rows)
    widths = _widths(head, rows)
    first = min(_room(head, rows), max(len(row[0]) for row in [head, *rows]))
    lines = []
    for row in [head, *rows]:
        text = wrap(plain(row[0]), first) or [""]
        numbers = "".join(" " * GAP + plain(cell).rjust(width) for cell, width in zip(row[1:], widths, strict=True))
        lines.append((text[0].ljust(first) + numbers).rstrip())
        lines += [f"  {part}" if len(part) + 2 <= first else part for part in text[1:]]
    return lines


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[i]) for row in [head, *rows]) for i in range(1, len(head))]


def _room(head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    return WIDTH - sum(width + GAP for width in _widths(head, rows))


def _blocks(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        lines += wrapped(row[0])
        for name, cell in zip(head[1:], row[1:], strict=True):
            if cell.strip():
                lines += wrapped(f"  {name or '':<14}{cell}", " " * 16)
    return lines
