"""How price rows follow a chip to another node and supply, and what a reader must be told about it.

A row keeps the node and supply that its number was published for; the chip's `technology` says where it is priced, and
`technology.scaling` by which rule rows are brought there. Nothing accumulates: a chip moved twice is the chip moved once.

=========  ====================================================================================================
rule       value, and bounds
=========  ====================================================================================================
logic      energy of Stillmaker and Baas (`stillmaker_baas`)
sram       the same, corrected between 45 and 22 nm by CACTI 7: reads of nine memories of 2 to 1024 KiB shrink
           x0.54 from 45 to 32 nm and x0.47 on to 22, less than logic; bounds wider by the spread of the nine
wire       capacitance of a millimetre does not shrink: V² only; the other bound: as logic
leakage    power follows area and supply. INFERRED, the paper has none: CACTI 7 memories from 45 to 22 nm leak
           x0.19 (HP cells), x0.29 (LOP), x0.16 (LSTP cells, HP periphery) where area goes x0.25; bounds: the
           lowest of these, no change at all (LSTP cells), and V³ for V (drain-induced barrier lowering)
area       area of Stillmaker and Baas
none       stays: pads have a supply of their own
=========  ====================================================================================================
"""

from collections.abc import Iterable
from itertools import pairwise
from math import exp, log

from sfnhw.chip.stillmaker_baas import (
    CITATION,
    LARGEST,
    NAME,
    SMALLEST,
    UNCHANGED,
    Factor,
    Point,
    area_factor,
    delay_factor,
    energy_factor,
    voltages,
)

NO_SCALING = "none"
MEMORIES = ("axon_lookup", "weight_read", "weight_write", "state_read", "state_write")
_BY_TERM = {
    **dict.fromkeys(MEMORIES, "sram"),
    "link_flit": "wire",
    "link_flit_vertical": "wire",
    "io_bit": "none",
    "off_chip_bit": "none",
}

_BY = {
    "logic": CITATION,
    "sram": f"{CITATION}, corrected by CACTI 7",
    "wire": "V², wires not shrinking per mm",
    "leakage": f"supply and {CITATION} area, INFERRED",
    "area": f"{CITATION} area",
}

# CACTI 7 (LSTP, one port) reads at 45, 32 and 22 nm [pJ]: 2/32, 8/32, 8/64, 32/64, 64/32, 64/64, 64/128, 256/64, 1024/64
# KiB/bit. CACTI takes each node's own supply.
_READS = {
    45: (2.23, 5.25, 6.14, 17.0, 17.8, 25.9, 39.3, 44.7, 93.5),
    32: (1.21, 2.96, 3.44, 8.26, 9.82, 12.9, 19.7, 26.8, 52.0),
    22: (0.53, 1.82, 1.59, 3.79, 4.36, 5.67, 8.97, 11.9, 23.5),
}
_CACTI_SUPPLY = {45: 1.0, 32: 0.9, 22: 0.8}
_SHRINKS = [last / first for first, last in zip(_READS[45], _READS[22], strict=True)]
# LSTP cells with HP periphery, µW/KiB at 45 and 22 nm, over the area of the same step.
_LEAST_LEAKAGE = 9 / 57 / area_factor(45, 22).value


def rule_of_energy(term: str) -> str:
    """Return the rule that the energy of an action, or of a clock, follows unless its row names another."""
    return _BY_TERM.get(term, "logic")


def factor(rule: str, before: Point, after: Point) -> Factor:
    """Return what a row's numbers are multiplied by from `before` to `after`; see the table above."""
    if before == after or rule == "none":
        return UNCHANGED
    if rule == "area":
        return area_factor(before.node_nm, after.node_nm)
    if rule == "leakage":
        return _leakage(before, after)
    logic = energy_factor(before, after)
    if rule == "logic":
        return logic
    if rule == "wire":
        square = (after.voltage_v / before.voltage_v) ** 2
        return Factor(square, min(square, logic.low), max(square, logic.high))
    more = _memory(after.node_nm) / _memory(before.node_nm)
    spread, mean = _step(before, after, 22), _geometric_mean(_SHRINKS)
    low, high = (min(_SHRINKS) / mean) ** spread, (max(_SHRINKS) / mean) ** spread
    return logic.times(more * low, more, more * high)


def sentence(rule: str, before: Point, after: Point) -> str:
    """Return what is added to a row's source where it was moved: ``; scaled from 28 nm 0.9 V ... x0.26 (x0.2 to x0.3)``."""
    if before == after:
        return ""
    f = factor(rule, before, after)
    if rule == "none":
        return f"; not scaled from {before}"
    where = f"{before.node_nm:g} nm" if rule == "area" else str(before)
    return f"; scaled from {where} by {_BY[rule]}: x{f.value:.3g} (x{f.low:.3g} to x{f.high:.3g})"


def range_warnings(points: Iterable[Point]) -> list[str]:
    """Say for each point what of it lies outside the range of the rule."""
    out = []
    for at in dict.fromkeys(points):
        if not SMALLEST <= at.node_nm <= LARGEST:
            out.append(
                f"prices: {at.node_nm:g} nm is outside the {SMALLEST} to {LARGEST} nm of {CITATION}; its trend was carried "
                "on, and the bounds are wider"
            )
        lowest, nominal, highest = voltages(at.node_nm)
        if not lowest <= at.voltage_v <= highest + 1e-9:
            out.append(
                f"prices: {at.voltage_v:g} V at {at.node_nm:g} nm is outside the {lowest:.3g} to {highest:.3g} V (nominal "
                f"{nominal:.3g} V) for which {CITATION} is taken to hold; its polynomial was carried on, and the bounds are "
                "wider"
            )
    return out


def clock_warning(clock_mhz: float, before: Point, after: Point) -> list[str]:
    """Say where logic at `after` is too slow for a clock that is taken to have been met at `before`."""
    slower = delay_factor(before, after)
    if slower is None:
        return [f"clock: {CITATION} gives no delay between {before} and {after}; {clock_mhz:g} MHz was not checked"]
    if slower <= 1 + 1e-9:
        return []
    return [
        f"clock: logic at {after} is {slower:.3g} times slower than at the {before} of the clock's price, by {CITATION}; "
        f"where {clock_mhz:.4g} MHz was just met there, {clock_mhz / slower:.3g} MHz is what can be met now"
    ]


def scales(name: str) -> bool:
    """Whether `technology.scaling` names a rule."""
    return name == NAME


def _leakage(before: Point, after: Point) -> Factor:
    area, supply = area_factor(before.node_nm, after.node_nm), after.voltage_v / before.voltage_v
    # Towards older nodes the trend runs the other way.
    trend = _LEAST_LEAKAGE ** (log(before.node_nm / after.node_nm) / log(45 / 22))
    nodes = (1.0,) if before.node_nm == after.node_nm else (area.low, area.high, area.value * trend, 1.0)
    tried = [node * law for node in nodes for law in (supply, supply**3)]
    return Factor(area.value * supply, min(tried), max(tried))


def _step(before: Point, after: Point, to_nm: float) -> float:
    """Share of the step from 45 nm to `to_nm` that a move is as long as, at most 1."""
    return min(1.0, abs(log(before.node_nm / after.node_nm)) / log(45 / to_nm))


def _memory(node_nm: float) -> float:
    """Energy of a memory read over that of logic at the same point, relative to 45 nm; constant beyond 45 and 22 nm."""
    steps = sorted(_READS)
    node = min(max(node_nm, steps[0]), steps[-1])
    low, high = next((a, b) for a, b in pairwise(steps) if node <= b)
    share = log(node / low) / log(high / low)
    return exp((1 - share) * log(_correction(low)) + share * log(_correction(high)))


def _correction(node_nm: int) -> float:
    shrink = _geometric_mean([a / b for a, b in zip(_READS[node_nm], _READS[45], strict=True)])
    here, there = Point(node_nm, _CACTI_SUPPLY[node_nm]), Point(45, _CACTI_SUPPLY[45])
    return shrink / energy_factor(there, here).value


def _geometric_mean(values: list[float]) -> float:
    return exp(sum(map(log, values)) / len(values))
