"""Mapping: populations → slices → cores, and multicast routes."""

from sfnhw.mapping.balance import Balance, balance
from sfnhw.mapping.comparison import MappingComparison, MappingRow, compare
from sfnhw.mapping.connections import Connections, connect
from sfnhw.mapping.map_network import map_network
from sfnhw.mapping.mapping import Mapping
from sfnhw.mapping.objectives import OBJECTIVES, Choices, choose_splits
from sfnhw.mapping.partial_sums import partial_sums
from sfnhw.mapping.placement import PLACERS
from sfnhw.mapping.quality import Quality, quality
from sfnhw.mapping.routes import Routes, route
from sfnhw.mapping.slices import (
    Demand,
    Slice,
    bias_bits,
    capacity,
    initiation_interval,
    operand_bits,
    state_banks,
    step_skew,
)
from sfnhw.mapping.summary import summary
from sfnhw.mapping.verification import Verification, Violation, verify

__all__ = [
    "OBJECTIVES",
    "PLACERS",
    "Balance",
    "Choices",
    "Connections",
    "Demand",
    "Mapping",
    "MappingComparison",
    "MappingRow",
    "Quality",
    "Routes",
    "Slice",
    "Verification",
    "Violation",
    "balance",
    "bias_bits",
    "capacity",
    "choose_splits",
    "compare",
    "connect",
    "initiation_interval",
    "map_network",
    "operand_bits",
    "partial_sums",
    "quality",
    "route",
    "state_banks",
    "step_skew",
    "summary",
    "verify",
]
