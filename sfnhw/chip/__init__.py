"""The chip: a validated description with prices, presets, and what follows from it."""

from sfnhw.chip.area import (
    ChipArea,
    SquareMillimetres,
    chip_area,
    core_area,
    core_leakage,
    logic_gates,
    threshold_overhead_area,
)
from sfnhw.chip.chip import Chip
from sfnhw.chip.gate_model import Gates, unit_gates, unit_parts
from sfnhw.chip.load import load_chip, preset_names
from sfnhw.chip.moving import moved_text
from sfnhw.chip.prices import Area, Power, Price
from sfnhw.chip.threshold_unit import UpdateCost, comparators, registers, update_cost
from sfnhw.chip.unit_figures import ScaleFigures, UnitFigures, scale_figures, unit_figures

__all__ = [
    "Area",
    "Chip",
    "ChipArea",
    "Gates",
    "Power",
    "Price",
    "ScaleFigures",
    "SquareMillimetres",
    "UnitFigures",
    "UpdateCost",
    "chip_area",
    "comparators",
    "core_area",
    "core_leakage",
    "load_chip",
    "logic_gates",
    "moved_text",
    "preset_names",
    "registers",
    "scale_figures",
    "threshold_overhead_area",
    "unit_figures",
    "unit_gates",
    "unit_parts",
    "update_cost",
]
