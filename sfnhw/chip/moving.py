"""A chip at another node or supply, and what is doubtful about it."""

from itertools import chain
from typing import TYPE_CHECKING

from sfnhw.chip.stillmaker_baas import NAME, Point, delay_factor, voltages
from sfnhw.chip.technology import clock_warning, range_warnings, scales
from sfnhw.errors import ChipError, nearest

if TYPE_CHECKING:
    from sfnhw.chip.chip import Chip

CLOCKS = ("keep", "scale")


def moved_chip(chip: "Chip", node_nm: float | None, voltage_v: float | None, clock: str) -> "Chip":
    """Return the chip at another node or supply; see `Chip.at`."""
    if clock not in CLOCKS:
        raise ChipError(field="clock", found=clock, expected=" or ".join(map(repr, CLOCKS)) + nearest(clock, CLOCKS))
    before = Point(chip.technology.node_nm, chip.technology.voltage_v)
    after = Point(*(old if new is None else float(new) for old, new in zip(before, (node_nm, voltage_v), strict=True)))
    if after == before:
        return chip
    changes = {"technology.node_nm": after.node_nm, "technology.voltage_v": after.voltage_v, "technology.scaling": NAME}
    if clock == "keep":
        return chip.replace(changes | {"technology.clock_is_met": False})
    slower = delay_factor(before, after)
    if slower is None:
        raise ChipError(
            f"the rule {NAME} gives no delay between {before} and {after}",
            field="clock",
            found=clock,
            expected="'keep'",
        )
    return chip.replace(changes | {"technology.clock_is_met": True, "clock_mhz": chip.clock_mhz / slower})


def moved_text(chip: "Chip") -> str:
    """Return ``; 34 of 35 were brought there by ...`` where price rows of other nodes or supplies are, else nothing."""
    tables = (chip.energy, chip.static.rows(), chip.area)
    rows = [row.moved(name, chip.field) for table in tables for name, row in table.items()]
    moved = sum(before != after and rule != "none" for rule, before, after in rows)
    return f"; {moved} of {len(rows)} were brought there by {chip.technology.scaling}" if moved else ""


def warnings_of(chip: "Chip") -> tuple[str, ...]:
    """Return what a reader of the chip's prices must know; see `Chip.technology_warnings`.

    Unless the chip says that its clock is met, it is taken to be one that is met where `static.core_clock_pj` holds.
    """
    if not scales(chip.technology.scaling):
        return ()
    own = Point(chip.technology.node_nm, chip.technology.voltage_v)
    rows = [Point(row.node_nm, row.voltage_v) for row in chain(chip.energy.values(), chip.static.rows().values())]
    moved = [point for point in rows if point != own]
    # An area has a node and no supply, so none that could be out of range.
    areas = [row.node_nm for row in chip.area.values() if row.node_nm != own.node_nm]
    moved += [Point(node, voltages(node)[1]) for node in areas]
    if not moved:
        return ()
    clocked = chip.static.core_clock_pj
    met_at = own if chip.technology.clock_is_met else Point(clocked.node_nm, clocked.voltage_v)
    return (*range_warnings([own, *moved]), *clock_warning(chip.clock_mhz, met_at, own))
