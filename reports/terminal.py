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


def wrapped(text: str, indent: str = "  ", width: int = WIDTH) -> list[str]:
    """Return a sentence in lines of at most `width` columns."""
    return wrap(plain(clean(text)), width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def fits(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether all columns fit beside each other; a first column of several words may wrap."""
    longest = max((len(word) + 2 for row in rows for word in row[0].split()), default=0)
    return _room(head, rows) >= min(max(LEAST_TEXT, longest), max(_width(row[0]) for row in [head, *rows]))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows under their heads: the first column is a text to the left that wraps, the others are numbers.

    A head may have several lines. Where the numbers leave no room for it, each row becomes a block of ``head value`` lines.
    """
    if not fits(head, rows):
        return _blocks(head, rows)
    widths = _widths(head, rows)
    first = min(_room(head, rows), max(_width(row[0]) for row in [head, *rows]))
    heads = [
        [part for line in head[0].split("\n") for part in _wrap(line, first)],
        *(cell.split("\n") for cell in head[1:]),
    ]
    lines = []
    for i in range(max(len(parts) for parts in heads)):
        cells = [parts[i] if i < len(parts) else "" for parts in heads]
        lines.append(_row(cells[0].ljust(first), cells[1:], widths))
    for row in rows:
        text = _wrap(row[0], first)
        lines.append(_row(text[0].ljust(first), row[1:], widths))
        lines += text[1:]
    return [line for line in lines if line]


def _row(text: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = "".join(" " * GAP + plain(cell).rjust(width) for cell, width in zip(cells, widths, strict=True))
    return (text + numbers).rstrip()


def _width(text: str) -> int:
    return max(len(line) for line in text.split("\n"))


def _wrap(text: str, width: int, indent: str = "  ") -> list[str]:
    """Lines of a text whose leading spaces count."""
    text = plain(text)
    start = " " * (len(text) - len(text.lstrip()))
    return wrap(text.lstrip(), width, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(_width(row[i]) for row in [head, *rows]) for i in range(1, len(head))]


def _room(head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    return WIDTH - sum(width + GAP for width in _widths(head, rows))


def _blocks(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines: list[str] = []
    name = max(len(text) for text in head[1:]) + 4
    for row in rows:
        lines += _wrap(row[0], WIDTH)
        for label, cell in zip(head[1:], row[1:], strict=True):
            label = label.replace("\n", " ").strip()
            if cell.strip():
                lines += _wrap(f"  {label}".ljust(name) + cell, WIDTH, " " * name)
    return lines
