"""The chip: a validated description with prices, presets, and what follows from it."""

from sfnhw.chip.area import ChipArea, SquareMillimetres, chip_area, core_area, threshold_overhead_area
from sfnhw.chip.chip import Chip
from sfnhw.chip.load import load_chip, preset_names
from sfnhw.chip.moving import moved_text
from sfnhw.chip.prices import Area, Power, Price
from sfnhw.chip.threshold_unit import UpdateCost, comparators, registers, unit_gates, update_cost

__all__ = [
    "Area",
    "Chip",
    "ChipArea",
    "Power",
    "Price",
    "SquareMillimetres",
    "UpdateCost",
    "chip_area",
    "comparators",
    "core_area",
    "load_chip",
    "moved_text",
    "preset_names",
    "registers",
    "threshold_overhead_area",
    "unit_gates",
    "update_cost",
]
