"""Rows of the price tables, and what a price is at a given configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from pydantic import Field

from sfnhw.chip.schema import Part, entry
from sfnhw.chip.stillmaker_baas import Point
from sfnhw.chip.technology import factor, rule_of_energy, scales, sentence

# Area terms that every chip file gives. `gate_equivalent` is one NAND2; `synapse_lane` one lane; the rest one core's
# or one router's.
AREA_TERMS: dict[str, str] = {
    "weight_memory": "weight memory of one core, with its periphery",
    "state_memory": "state memory of one core, with its periphery",
    "axon_table": "axon table of one core",
    "synapse_lane": "one synapse lane: multiplier, adder, pipeline registers",
    "function_unit_lane": "one lane of the function unit: multiplier, adders, table",
    "control": "sequencer and packet interface of one core",
    "gate_equivalent": "one gate equivalent (NAND2): the threshold unit is counted in these",
    "router": "one router with its buffers",
}

STATIC_UNITS: dict[str, str] = {
    "core_leakage_uw": "leakage of one powered core; of its memories, where `gate_leakage_uw` is given too",
    "gate_leakage_uw": "leakage of one gate equivalent of a powered core's logic; left out: none beside `core_leakage_uw`",
    "router_leakage_uw": "leakage of one powered router",
    "core_clock_pj": "clock of one core in a cycle in which its synapse lanes or its threshold unit work",
    "router_clock_pj": "clock of one router in a cycle in which it moves a flit",
}

# No single action costs more than 1 µJ, no core or router leaks more than 100 W, no component is larger than 1000 mm² (a
# lithography field is 858): what lies beyond is a slip of units, and would leave the integers that energies are counted in.
MAX_PJ, MAX_UW, MAX_UM2 = 10**6, 10**8, 10**9


@dataclass(frozen=True)
class Price:
    """Energy of one action, or of one active cycle. [pJ]"""

    value_pj: float
    low_pj: float
    high_pj: float


@dataclass(frozen=True)
class Power:
    """Leakage. [µW] One µW for one cycle of an f MHz clock is 1/f pJ."""

    value_uw: float
    low_uw: float
    high_uw: float


@dataclass(frozen=True)
class Area:
    """Silicon area. [µm²]"""

    value_um2: float
    low_um2: float
    high_um2: float


class Row(Part):
    """What all price rows share: where the number comes from, and how it follows the chip's fields.

    value = given value · Π (field / at[field]) ** scaling[field] · Π factors[field][value of field] · technology

    `technology` is 1 where the row's node and supply are the chip's; else what `sfnhw.chip.technology` says.
    """

    source: str = entry("", "where the number comes from and how it was derived", min_length=1, pattern=r"\S")
    at: dict[str, float] = Field(
        default={}, description="chip field -> the value that the price holds at", json_schema_extra={"unit": ""}
    )
    scaling: dict[str, float] = Field(
        default={}, description="chip field -> exponent of the power law", json_schema_extra={"unit": ""}
    )
    factors: dict[str, dict[str, float]] = Field(
        default={},
        description="chip field with choices -> choice -> factor (1 where a choice is not named)",
        json_schema_extra={"unit": ""},
    )

    def bounds(self) -> tuple[float, float, float]:
        """Return (value, low, high) as the file gives them."""
        raise NotImplementedError

    def factor(self, field: Callable[[str], Any]) -> float:
        """Return what the configuration multiplies the given price by; `field` looks up a dotted chip field."""
        power = prod((field(name) / self.at[name]) ** exponent for name, exponent in self.scaling.items())
        return power * prod(table.get(str(field(name)), 1.0) for name, table in self.factors.items())

    def rule(self, term: str) -> str:
        """Return the rule of `sfnhw.chip.technology` that this row, `term` in its table, follows."""
        raise NotImplementedError

    def moved(self, term: str, field: Callable[[str], Any]) -> tuple[str, Point, Point]:
        """Return the rule of technology that the row follows, and the points that it is moved from and to.

        term : the row's key in its table. Both points are the same unless the chip names a rule of scaling.
        """
        to = Point(field("technology.node_nm"), field("technology.voltage_v"))
        own = Point(getattr(self, "node_nm", to.node_nm), getattr(self, "voltage_v", to.voltage_v))
        return self.rule(term), own, to if scales(field("technology.scaling")) else own

    def scaled(self, term: str, field: Callable[[str], Any]) -> tuple[float, float, float]:
        """Return (value, low, high) of this row, `term` in its table, at a configuration."""
        size, move = self.factor(field), factor(*self.moved(term, field))
        value, low, high = self.bounds()
        return value * size * move.value, low * size * move.low, high * size * move.high

    def provenance(self, term: str, field: Callable[[str], Any]) -> str:
        """Return the source, and how the number was brought to the chip's node where it was."""
        return self.source + sentence(*self.moved(term, field))


class EnergyRow(Row):
    """The energy of one action, or of the clock in one active cycle."""

    energy_pj: float = entry("pJ", "best estimate", ge=0, le=MAX_PJ)
    low_pj: float = entry("pJ", "lower bound", ge=0, le=MAX_PJ)
    high_pj: float = entry("pJ", "upper bound", ge=0, le=MAX_PJ)
    node_nm: float = entry("nm", "node that the price holds for", gt=0)
    voltage_v: float = entry("V", "supply that the price holds for", gt=0)

    technology: Literal["default", "logic", "sram", "wire", "none"] = entry(
        "",
        "how the row follows node and supply, where the chip scales; `default`: as its action says",
        default="default",
    )

    def bounds(self) -> tuple[float, float, float]:
        """(value, low, high) in pJ."""
        return self.energy_pj, self.low_pj, self.high_pj

    def rule(self, term: str) -> str:
        """Return the row's own rule, or its action's."""
        return rule_of_energy(term) if self.technology == "default" else self.technology


class LeakageRow(Row):
    """Leakage power of one powered core or router."""

    power_uw: float = entry("uW", "best estimate", ge=0, le=MAX_UW)
    low_uw: float = entry("uW", "lower bound", ge=0, le=MAX_UW)
    high_uw: float = entry("uW", "upper bound", ge=0, le=MAX_UW)
    node_nm: float = entry("nm", "node that the price holds for", gt=0)
    voltage_v: float = entry("V", "supply that the price holds for", gt=0)

    technology: Literal["default", "leakage", "none"] = entry(
        "", "how the row follows node and supply, where the chip scales; `default`: leakage", default="default"
    )

    def bounds(self) -> tuple[float, float, float]:
        """(value, low, high) in µW."""
        return self.power_uw, self.low_uw, self.high_uw

    def rule(self, term: str) -> str:
        """Return ``leakage`` or ``none``."""
        return "leakage" if self.technology == "default" else self.technology


class AreaRow(Row):
    """The area of one component."""

    area_um2: float = entry("um2", "best estimate", ge=0, le=MAX_UM2)
    low_um2: float = entry("um2", "lower bound", ge=0, le=MAX_UM2)
    high_um2: float = entry("um2", "upper bound", ge=0, le=MAX_UM2)
    node_nm: float = entry("nm", "node that the area holds for", gt=0)

    technology: Literal["default", "area", "none"] = entry(
        "", "how the row follows node and supply, where the chip scales; `default`: area", default="default"
    )

    def bounds(self) -> tuple[float, float, float]:
        """(value, low, high) in µm²."""
        return self.area_um2, self.low_um2, self.high_um2

    def rule(self, term: str) -> str:
        """Return ``area`` or ``none``."""
        return "area" if self.technology == "default" else self.technology


class Static(Part):
    """Energy that time costs, not events."""

    core_leakage_uw: LeakageRow = entry("uW", STATIC_UNITS["core_leakage_uw"])
    gate_leakage_uw: LeakageRow | None = Field(
        default=None, description=STATIC_UNITS["gate_leakage_uw"], json_schema_extra={"unit": "uW"}
    )
    router_leakage_uw: LeakageRow = entry("uW", STATIC_UNITS["router_leakage_uw"])
    core_clock_pj: EnergyRow = entry("pJ per active cycle", STATIC_UNITS["core_clock_pj"])
    router_clock_pj: EnergyRow = entry("pJ per active cycle", STATIC_UNITS["router_clock_pj"])

    def rows(self) -> dict[str, EnergyRow | LeakageRow]:
        """Return the rows that the file gives, by key."""
        return {name: row for name, row in self if row is not None}
