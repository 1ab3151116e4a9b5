"""What one field cannot know: rules between the fields and the price tables of a chip."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from sfnhw.actions import ACTION_NAMES, OFF_CHIP, OPTIONAL_ROWS
from sfnhw.chip.fields import flatten
from sfnhw.chip.prices import AREA_TERMS, AreaRow, LeakageRow, Row
from sfnhw.chip.stillmaker_baas import NAME, is_defined
from sfnhw.chip.technology import NO_SCALING
from sfnhw.chip.validation import Problem
from sfnhw.errors import nearest
from sfnhw.units import ATTOJOULES_PER_PICOJOULE, attojoules

if TYPE_CHECKING:
    from sfnhw.chip.chip import Chip

# Wide enough for any real fit; narrow enough that no power of them overflows.
MAX_EXPONENT = 4
MIN_AT, MAX_AT = 1e-6, 1e9
# Routers across or down a board: what one chip may have.
MOST_SIDE = 1024
# What the check of every row depends on, beside the fields that it follows.
_EVERY_ROW = ("technology.scaling", "technology.node_nm", "technology.voltage_v", "clock_mhz")
_GATE_LEAKAGE = ("static", "gate_leakage_uw")


def problems(chip: "Chip") -> list[Problem]:
    """Return everything that is inconsistent in a chip whose single fields are valid."""
    found = _widths(chip) + _rounds(chip)
    found += _names("energy", chip.energy, ACTION_NAMES, "action", tuple(OPTIONAL_ROWS))
    found += _names("area", chip.area, tuple(AREA_TERMS), "component")
    fields = flatten(chip)
    always = tuple(fields[name] for name in _EVERY_ROW)
    for section, table in (("energy", chip.energy), ("static", chip.static.rows()), ("area", chip.area)):
        for name, row in table.items():
            path = (section, name)
            if not _is_sound(fields, always, path, row):
                found += _row(fields, path, row)
            elif path == _GATE_LEAKAGE:
                found += _gate_leakage(chip, fields, row)
    return found


def unknown_names(data: dict[str, Any]) -> list[Problem]:
    """Return the rows of plain data that price no action and no component."""
    found: list[Problem] = []
    for section, known, what in (
        ("energy", (*ACTION_NAMES, *OPTIONAL_ROWS), "action"),
        ("area", tuple(AREA_TERMS), "component"),
    ):
        table = data.get(section)
        found += _unknown(section, table, known, what) if isinstance(table, dict) else []
    return found


def _widths(chip: "Chip") -> list[Problem]:
    core, noc, board, found = chip.core, chip.noc, chip.board, []
    for place, router, limit in zip((0, 1), chip.io.router, (chip.columns, chip.rows), strict=True):
        if not 0 <= router < limit:
            side = "column" if place == 0 else "row"
            size = f"inside the mesh of {chip.columns} x {chip.rows}: a {side} from 0 to {limit - 1}"
            found.append(Problem(("io", "router"), "", list(chip.io.router), size))
            break
    for memory, width, what in (
        ("weight_memory", core.weight_bits, "weight"),
        ("state_memory", core.accumulator_bits, "accumulator"),
    ):
        word = getattr(core, memory).word_bits
        if word < width:
            found.append(
                Problem(("core", memory, "word_bits"), "", word, f"at least one {what} of {width} bits in a word")
            )
    if chip.chips > 1 and board.link_cycles is None:
        expected = f"the cycles of a link between two of the {chip.chips} chips"
        found.append(Problem(("board", "link_cycles"), "missing", None, expected))
    if chip.chips > 1 and chip.execution.rounds != "none":
        expected = f"none on a board of {chip.chips} chips: what loads between chips would cost is not modelled"
        found.append(Problem(("execution", "rounds"), "", chip.execution.rounds, expected))
    if chip.execution.mode == "barrier" and chip.execution.granularity != "layer":
        expected = "layer under execution.mode: barrier, where whole layers work in each global step"
        found.append(Problem(("execution", "granularity"), "", chip.execution.granularity, expected))
    if chip.noc.routing == "o1turn" and chip.execution.rounds != "none":
        expected = "none with noc.routing o1turn: files of rounds do not keep the ways that trees have chosen"
        found.append(Problem(("execution", "rounds"), "", chip.execution.rounds, expected))
    if chip.columns > MOST_SIDE or chip.rows > MOST_SIDE:
        expected = f"at most {MOST_SIDE} routers each way, noc.columns × board.columns and noc.rows × board.rows"
        found.append(Problem(("board",), "", f"{chip.columns} x {chip.rows}", expected))
    if noc.destinations == "neuron" and noc.cast != "unicast":
        expected = "slice under noc.cast: multicast, whose trees are laid once for all neurons of a slice"
        found.append(Problem(("noc", "destinations"), "", noc.destinations, expected))
    if noc.destinations == "neuron" and chip.packet.format != "aer":
        text = "spikes that share a packet go to the same cores: to each that any neuron of their slice feeds"
        found.append(Problem(("packet", "format"), text, chip.packet.format, "aer, or noc.destinations: slice"))
    if noc.header_bits >= noc.flit_bits:
        expected = f"fewer bits than a flit has ({noc.flit_bits})"
        found.append(Problem(("noc", "header_bits"), "", noc.header_bits, expected))
    if noc.routing == "o1turn" and noc.virtual_channels < 2:
        # Both orders together make all turns, and so cycles of waiting packets, unless each has channels of its own.
        expected = (
            "at least 2 under noc.routing: o1turn, so that XY and YX packets never wait for each other's channels"
        )
        found.append(Problem(("noc", "virtual_channels"), "", noc.virtual_channels, expected))
    return found


def _rounds(chip: "Chip") -> list[Problem]:
    """Check that rounds have a memory to read weights from, and that it has a price."""
    lacks = [] if chip.off_chip.bits_per_cycle else ["off_chip.bits_per_cycle"]
    lacks += [] if OFF_CHIP in chip.energy else [f"a price energy.{OFF_CHIP}"]
    if chip.execution.rounds == "none" or not lacks:
        return []
    text = "rounds read their weights from a memory off the chip, and this chip has none"
    return [Problem(("execution", "rounds"), text, "auto", f"none, or {' and '.join(lacks)} with it")]


def _names(
    section: str, table: dict[str, Any], known: tuple[str, ...], what: str, optional: tuple[str, ...] = ()
) -> list[Problem]:
    found = _unknown(section, table, (*known, *optional), what)
    found += [
        Problem((section, name), f"missing: every chip prices this {what}") for name in known if name not in table
    ]
    return found


def _unknown(section: str, table: dict[str, Any], known: tuple[str, ...], what: str) -> list[Problem]:
    return [
        Problem((section, name), f"unknown {what}", None, "one of " + ", ".join(known) + nearest(name, known), True)
        for name in table
        if name not in known
    ]


@dataclass(frozen=True, eq=False)
class _Same:
    """A row, told by which it is and not by what is in it: rows are frozen, and a chip shares them with those made of it."""

    row: Row

    def __hash__(self) -> int:
        return id(self.row)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.row is self.row


def _is_sound(fields: dict[str, Any], always: tuple[Any, ...], path: tuple[str, str], row: Row) -> bool:
    """Whether nothing is wrong with a row by itself: of a grid of chips most rows are the same, at the same configuration.

    always : values of `_EVERY_ROW`.
    """
    follows = tuple((name, fields[name]) for name in (*row.at, *row.scaling, *row.factors) if name in fields)
    if not all(isinstance(value, Hashable) for _, value in follows):
        return not _row(fields, path, row)
    return _was_sound(_Same(row), path, always, follows)


@lru_cache(maxsize=4096)
def _was_sound(
    row: _Same, path: tuple[str, str], always: tuple[Any, ...], follows: tuple[tuple[str, Any], ...]
) -> bool:
    return not _row(dict(zip(_EVERY_ROW, always, strict=True)) | dict(follows), path, row.row)


def _row(fields: dict[str, Any], path: tuple[str, str], row: Row) -> list[Problem]:
    """fields: at least what the row follows, and `_EVERY_ROW`."""
    found = []
    value, low, high = row.bounds()
    if not low <= value <= high:
        found.append(
            Problem(path, "the bounds are not in order", f"{low:g}, {value:g}, {high:g}", "low ≤ value ≤ high")
        )
    found += _technology(fields, path, row)
    found += _follows(row, fields, path)
    if found:
        return found
    scaled = row.scaled(path[1], fields.__getitem__)
    if not all(isfinite(number) for number in scaled):
        return [Problem(path, "the price is not finite at this configuration")]
    return [] if path == _GATE_LEAKAGE else _vanishing(fields, path, row, scaled)


def _technology(fields: dict[str, Any], path: tuple[str, str], row: Row) -> list[Problem]:
    """Check that a row holds at the chip's node and supply, or can be brought there."""
    rule, before, after = row.moved(path[1], fields.__getitem__)
    scaling = fields["technology.scaling"]
    if scaling != NO_SCALING:
        lost = [point for point in (before, after) if rule not in ("none", "area") and not is_defined(point)]
        places = {before: (*path, "voltage_v"), after: ("technology", "voltage_v")}
        return [
            Problem(places[point], f"the energy polynomial of {scaling} is not above 0 at {point}")
            for point in (lost if before != after else [])[:1]
        ]
    found = []
    for key in ("node_nm", "voltage_v"):
        of_row, of_chip = getattr(row, key, None), fields["technology." + key]
        if of_row is not None and of_row != of_chip:
            message = "a price of another node or supply than the chip's is not mixed in"
            expected = f"{of_chip:g}, as in technology.{key}, or technology.scaling: {NAME}"
            found.append(Problem((*path, key), message, of_row, expected, cause=("technology", key)))
    return found


def _vanishing(
    fields: dict[str, Any],
    path: tuple[str, str],
    row: Row,
    scaled: tuple[float, float, float],
    gates: float | None = None,
) -> list[Problem]:
    """Energies are counted in whole attojoules: a price below half of one would silently cost nothing.

    gates : how many of what leaks there are; None for a price of one.
    """
    if isinstance(row, AreaRow):
        return []
    # 1 µW for one cycle of f MHz is 1/f pJ.
    clock = fields["clock_mhz"]
    cycles, unit = (clock, f"uW at {clock:g} MHz") if isinstance(row, LeakageRow) else (1.0, "pJ")
    if gates is not None:
        cycles, unit = cycles / gates, f"uW with {gates:.0f} gates in a core at {clock:g} MHz"
    value, low, high = scaled
    # A lower bound that a move made vanish is still a lower bound; as a file gives it, it would be a slip of units.
    _, before, after = row.moved(path[1], fields.__getitem__)
    for number in (value, low, high) if before == after else (value, high):
        if number > 0 and attojoules(number / cycles) == 0:
            least = 0.5 / ATTOJOULES_PER_PICOJOULE * cycles
            message = "rounds to nothing, since energies are counted in whole attojoules"
            return [Problem(path, message, number, f"0, or more than {least:g} {unit}")]
    return []


def _gate_leakage(chip: "Chip", fields: dict[str, Any], row: Row) -> list[Problem]:
    """It is counted for all gates of a core together; a chip file whose areas are incomplete has that problem first."""
    from sfnhw.chip.area import logic_gates

    gates = logic_gates(chip) if set(AREA_TERMS) <= set(chip.area) else 0.0
    if not gates:
        return []
    return _vanishing(fields, _GATE_LEAKAGE, row, row.scaled(_GATE_LEAKAGE[1], fields.__getitem__), gates)


def _follows(row: Row, fields: dict[str, Any], path: tuple[str, str]) -> list[Problem]:
    """Check that what a price follows are fields, and that it says where it holds."""
    found = []
    for key, exponent in row.scaling.items():
        at = row.at.get(key)
        if not _is_number(fields.get(key)):
            found.append(_no_field((*path, "scaling", key), fields, numeric=True))
        elif at is None:
            found.append(
                Problem((*path, "scaling", key), "no reference value for this field", None, f"{key} under `at`")
            )
        elif fields[key] <= 0:
            found.append(Problem((*path, "scaling", key), f"{key} is {fields[key]:g}", None, "a field that is above 0"))
        if not abs(exponent) <= MAX_EXPONENT:
            expected = f"a number from -{MAX_EXPONENT} to {MAX_EXPONENT}"
            found.append(Problem((*path, "scaling", key), "", exponent, expected))
    for key, at in row.at.items():
        if not MIN_AT <= at <= MAX_AT:
            found.append(Problem((*path, "at", key), "", at, f"a number from {MIN_AT:g} to {MAX_AT:g}"))
        if not _is_number(fields.get(key)):
            found.append(_no_field((*path, "at", key), fields, numeric=True))
    for key, table in row.factors.items():
        if key not in fields:
            found.append(_no_field((*path, "factors", key), fields, numeric=False))
        for choice, factor in table.items():
            if not 0 <= factor <= MAX_AT:
                found.append(Problem((*path, "factors", key, choice), "", factor, f"a number from 0 to {MAX_AT:g}"))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _no_field(path: tuple[str, ...], fields: dict[str, Any], numeric: bool) -> Problem:
    known = [name for name, value in fields.items() if _is_number(value) or not numeric]
    message = "no such numeric field of a chip" if numeric else "no such field of a chip"
    return Problem(path, message, None, f"a dotted field as in core.weight_bits{nearest(path[-1], known)}", True)
