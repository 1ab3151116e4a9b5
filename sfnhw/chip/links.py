"""Links of the mesh: which of them lead from one chip of a board to the next."""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip.chip import Chip

# Of a link between chips where links on a chip cost nothing; it also keeps sums of weights in 64 bits.
MOST_WEIGHT = 1000


def between_chips(chip: Chip, link: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether links lead from one chip to another.

    link : numbers 4·router + direction (east, west, south, north), as `sfnhw.mapping.Routes` has them; −1 is no link. What
        would lead off the board counts like what leads off its chip.
    """
    router, direction = np.divmod(np.asarray(link, np.int64), 4)
    y, x = np.divmod(router, chip.columns)
    column, row = x % chip.noc.columns, y % chip.noc.rows
    at_edge = np.select(
        [direction == 0, direction == 1, direction == 2],
        [column == chip.noc.columns - 1, column == 0, row == chip.noc.rows - 1],
        row == 0,
    )
    return np.asarray(at_edge & (np.asarray(link) >= 0))


def link_cycles(chip: Chip, link: NDArray[Any]) -> NDArray[np.int64]:
    """Cycles of one flit over each link; 0 where there is none (−1)."""
    noc, board = chip.noc, chip.board
    vertical = noc.link_cycles if noc.vertical_link_cycles is None else noc.vertical_link_cycles
    inside = np.where(np.asarray(link) % 4 < 2, noc.link_cycles, vertical)
    cycles = np.where(between_chips(chip, link), board.link_cycles or 0, inside)
    return np.where(np.asarray(link) >= 0, cycles, 0).astype(np.int64)


def link_flit_cycles(chip: Chip, link: NDArray[Any]) -> NDArray[np.int64]:
    """Cycles that one flit holds each link: 1 on a chip, `board.flit_cycles` between two; 1 where there is none (−1)."""
    return np.where(between_chips(chip, link), chip.board.flit_cycles, 1).astype(np.int64)


def chip_link_weight(chip: Chip) -> int:
    """Links on a chip that one link between chips is as dear as, by energy of a flit with the router behind it, at least 1."""
    if chip.chips == 1:
        return 1
    router = chip.energy_price("router_flit").value_pj
    inside = chip.link_price(False).value_pj + router
    between = chip.noc.flit_bits * chip.energy_price("io_bit").value_pj + router
    return min(MOST_WEIGHT, max(1, ceil(between / inside))) if inside else MOST_WEIGHT
