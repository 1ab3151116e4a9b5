"""Tables for a terminal of 80 columns."""

from collections.abc import Sequence
from textwrap import wrap

WIDTH = 80
GAP = "  "


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """Align rows of text under their heads; the last column wraps so that no line is wider than `WIDTH`.

    right : which columns are aligned to the right (default: none).
    """
    table = [list(head), *[list(row) for row in rows]]
    fixed = [max(len(row[i]) for row in table) for i in range(len(head) - 1)]
    indent = sum(width + len(GAP) for width in fixed)
    room = max(WIDTH - indent, 16)
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if i < len(right) and right[i] else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, fixed, strict=False))
        ]
        last = wrap(row[-1], room, break_long_words=True) or [""]
        lines.append((GAP.join([*cells, last[0]])).rstrip())
        lines += [" " * indent + part for part in last[1:]]
    return "\n".join(lines)
