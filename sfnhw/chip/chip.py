"""The chip: what it is made of, what its actions cost, and how to change one field of it."""

import hashlib
import json
from typing import Any

from pydantic import Field

from sfnhw.actions import ACTIONS, OPTIONAL_ROWS, PACKING
from sfnhw.chip.fields import flatten, lookup, replaced
from sfnhw.chip.prices import (
    AREA_TERMS,
    STATIC_UNITS,
    Area,
    AreaRow,
    EnergyRow,
    LeakageRow,
    Power,
    Price,
    Static,
)
from sfnhw.chip.schema import Board, Core, Execution, Io, Noc, OffChip, Packet, Part, Technology, entry
from sfnhw.errors import ChipError, nearest
from sfnhw.numerics import Numerics

# Sections of a chip file that mapping and simulation read; the others name, time and price it.
STRUCTURE = ("core", "noc", "board", "packet", "execution", "io", "off_chip")


class Chip(Part):
    """A multi-core neuromorphic chip, as its file describes it. Made by `load_chip`; frozen."""

    name: str = entry("", "what the chip is called in reports", min_length=1)
    description: str = entry("", "one sentence about it")
    not_modelled: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="what of the real thing this file leaves out",
        json_schema_extra={"unit": ""},
    )
    schema_version: int = entry("", "version of this file format", ge=1, le=1)
    technology: Technology = entry("", "node and supply")
    clock_mhz: float = entry("MHz", "clock of cores and routers", ge=0.001, le=10_000)
    core: Core = entry("", "one core")
    noc: Noc = entry("", "network-on-chip")
    board: Board = Field(
        default=Board(), description="chips whose meshes are joined; left out: one", json_schema_extra={"unit": ""}
    )
    packet: Packet = entry("", "spike packets")
    execution: Execution = entry("", "when a layer starts")
    io: Io = entry("", "pins")
    off_chip: OffChip = entry("", "memory beside the chip", default=OffChip())
    energy: dict[str, EnergyRow] = entry("pJ", "action -> price row")
    static: Static = entry("", "leakage and clock")
    area: dict[str, AreaRow] = entry("um2", "component -> area row")

    @property
    def chips(self) -> int:
        """Number of chips on the board."""
        return self.board.columns * self.board.rows

    @property
    def columns(self) -> int:
        """Routers across the whole board; router x + columns·y is at column x and row y."""
        return self.noc.columns * self.board.columns

    @property
    def rows(self) -> int:
        """Routers down the whole board."""
        return self.noc.rows * self.board.rows

    @property
    def cores(self) -> int:
        """Number of cores, of all chips: `noc.cores_per_router` at each router; core c is at router c // cores_per_router."""
        return self.routers * self.noc.cores_per_router

    @property
    def routers(self) -> int:
        """Number of routers, of all chips."""
        return self.columns * self.rows

    @property
    def numerics(self) -> Numerics:
        """The widths at which the chip computes."""
        core = self.core
        return Numerics(
            weight_bits=core.weight_bits,
            decode_bits=core.decode_bits,
            threshold_bits=core.threshold_unit.register_bits,
            accumulator_bits=core.accumulator_bits,
            overflow=core.overflow,
        )

    def field(self, name: str) -> Any:
        """Return the value of a dotted field, e.g. ``core.weight_memory.kib``; raises ChipError where there is none."""
        return lookup(self, name)

    def fields(self) -> dict[str, Any]:
        """Return all fields but the price tables, flat: dotted name -> value."""
        return flatten(self)

    def structure(self) -> dict[str, Any]:
        """Return the fields that a mapping or a simulation may depend on, flat: no names, technology, clock or prices."""
        return {name: value for name, value in self.fields().items() if name.partition(".")[0] in STRUCTURE}

    def replace(self, changes: dict[str, Any], *, origin: str = "given in a change of the chip") -> "Chip":
        """Return a chip with dotted fields changed, validated like a file; texts are read as YAML scalars.

        Prices are fields too: ``energy.compare.energy_pj``, ``static.core_leakage_uw.high_uw``, ``area.router.source``. A
        new value is a new row, at the chip's node and supply, that follows nothing: its bounds are the value unless given,
        its source is `origin` unless given.

        Raises
        ------
        ChipError : an unknown field (with the nearest names), or a value that does not fit.
        """
        return replaced(self, changes, origin)

    def at(self, node_nm: float | None = None, voltage_v: float | None = None, *, clock: str = "keep") -> "Chip":
        """Return the chip at another node or supply, every price brought there by Stillmaker and Baas 2017.

        Rows keep what was published, so that a chip moved away and back is the same chip, with the same bounds;
        `price_rows` shows the factors, `technology_warnings` what a reader must know.

        Parameters
        ----------
        node_nm, voltage_v : what is left out stays. [nm, V]
        clock : ``keep``, or ``scale``: the clock by the ratio of the delays of logic.

        Raises
        ------
        ChipError : a node or supply without meaning, or another word for the clock.
        """
        from sfnhw.chip.moving import moved_chip

        return moved_chip(self, node_nm, voltage_v, clock)

    @property
    def technology_warnings(self) -> tuple[str, ...]:
        """What readers of prices must know: points outside the rule of scaling's range, a clock that logic cannot meet."""
        from sfnhw.chip.moving import warnings_of

        return warnings_of(self)

    def energy_price(self, action: str) -> Price:
        """Return the energy of one action at this configuration. [pJ]

        Without a row of its own `packing_flit` takes none.

        Raises
        ------
        ChipError : no such action.
        """
        if action == PACKING and action not in self.energy:
            return Price(0.0, 0.0, 0.0)
        return Price(*self._row(self.energy, action, "energy").scaled(action, self.field))

    def link_price(self, vertical: bool) -> Price:
        """Return the energy of a flit over a link of a row, or of a column (`link_flit_vertical` where it is given). [pJ]"""
        own = vertical and "link_flit_vertical" in self.energy
        return self.energy_price("link_flit_vertical" if own else "link_flit")

    def static_price(self, term: str) -> Price | Power:
        """Return leakage (`Power`, µW of one powered core or router) or clock (`Price`, pJ of one active cycle).

        `term` is a name of `sfnhw.actions.STATIC_TERMS`, or the file's key, which has the unit at its end. A row that the
        file leaves out (`gate_leakage`, of one gate equivalent) is no leakage.

        Raises
        ------
        ChipError : no such term.
        """
        keys = {key.rpartition("_")[0]: key for key in STATIC_UNITS}
        key = keys.get(term, term)
        row: EnergyRow | LeakageRow | None = self._row(dict(self.static), key, "static")
        if row is None:
            return Power(0.0, 0.0, 0.0)
        scaled = row.scaled(key, self.field)
        return Power(*scaled) if isinstance(row, LeakageRow) else Price(*scaled)

    def area_of(self, term: str) -> Area:
        """Return the area of one component at this configuration. [µm²]

        Raises
        ------
        ChipError : no such component.
        """
        return Area(*self._row(self.area, term, "area").scaled(term, self.field))

    @staticmethod
    def _row(table: dict[str, Any], name: str, section: str) -> Any:
        if name not in table:
            expected = "one of " + ", ".join(table) + nearest(name, list(table))
            raise ChipError(f"the chip has no {section} price for this", field=section, found=name, expected=expected)
        return table[name]

    def price_rows(self, section: str = "energy") -> list[dict[str, Any]]:
        """Return a price table as flat rows at this configuration: ``energy``, ``static`` or ``area``.

        Keys: action (energy) or term, the value with `low` and `high` (pJ, µW or µm²: the unit is in the key),
        source (with the factor, where the row was brought from another node), node_nm and voltage_v that the numbers
        hold at (no supply for an area), meaning.

        Raises
        ------
        ChipError : no such section.
        """
        tables: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
            "energy": ("action", self.energy, {action.name: action.meaning for action in ACTIONS} | OPTIONAL_ROWS),
            "static": ("term", self.static.rows(), STATIC_UNITS),
            "area": ("term", self.area, AREA_TERMS),
        }
        if section not in tables:
            raise ChipError(field="section", found=section, expected="'energy', 'static' or 'area'")
        label, table, meanings = tables[section]
        rows = []
        for name, row in table.items():
            numbers = [key for key in type(row).model_fields if key.endswith(("_pj", "_uw", "_um2"))]
            numbers.sort(key=lambda key: key.startswith(("low", "high")))
            rule, own, here = row.moved(name, self.field)
            at = own if rule == "none" else here
            rest = {
                "source": row.provenance(name, self.field),
                "node_nm": at.node_nm,
                "voltage_v": at.voltage_v if section != "area" else None,
                "meaning": meanings[name],
            }
            rows.append({label: name, **dict(zip(numbers, row.scaled(name, self.field), strict=True)), **rest})
        return rows

    def fingerprint(self) -> str:
        """Return the sha256 of the canonical content: equal chips have equal fingerprints."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()
