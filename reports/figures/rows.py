"""Which layers a figure shows when there are too many to read."""

from matplotlib.axes import Axes

from sfnhw.reports.text import elide

MOST_ROWS = 32
NAME_CHARACTERS = 30


def largest(values: list[float], limit: int = MOST_ROWS) -> list[int]:
    """Return the indices of the largest `limit` values, in their own order."""
    order = sorted(range(len(values)), key=lambda i: -values[i])[:limit]
    return sorted(order)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Label horizontal rows with elided names, the first at the top."""
    axes.set_yticks(range(len(names)), [elide(name, NAME_CHARACTERS) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)


def rows_height_in(rows: int) -> float:
    """Figure height in inches for this many rows."""
    return 1.3 + 0.27 * max(rows, 2)
