"""Energy, delay and area of logic from one process node and supply to another: Stillmaker and Baas, Integration 58 (2017).

The paper fits HSPICE simulations of a FO4 inverter chain with predictive transistor models of 180 to 7 nm: energy is
a V² + b V + c, delay d₃V³ + d₂V² + d₁V + d₀ for each node (tables of coefficients), area a factor (table, two digits). Only
ratios of these mean anything. The cubics of 45 and 32 nm turn at 0.95 and 0.85 V, below the nominal supply: beyond, they
have logic get slower. Coefficients were read in the MIT-licensed `nodeScale` of UCLA NanoCAD, not in the paper itself.
Ours, and INFERRED:

- between nodes log(quantity) is linear in log(node); a bound lies half-way to each neighbour's;
- beyond 7 or 180 nm the last segment is carried on, and a bound lies at the last node, the other as far on the other side;
- value: high-performance transistors (HP); a bound lies as far off as the factor of low-power ones (LP, 45 nm and below) is,
  on either side;
- supplies: the paper limits them for each node, but the copy we read does not say how. We take 0.5 V (more in old nodes,
  where the polynomial turns earlier) to 1.1 times the nominal supply of the transistor model. Outside, the polynomial is
  carried on, and V² from the nearest end is the second opinion of the bounds.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import log
from typing import NamedTuple

NAME = "stillmaker-baas-2017"
CITATION = "Stillmaker-Baas 2017"

# An if1 neuron of ours: 204 µm² in Nangate45, 17.3 in ASAP7 (7 nm), where the paper's area factor says 12.0.
AREA_MISS = 17.3 / 204 / 0.059


class Node(NamedTuple):
    """One node of the paper: coefficients from the highest power of V down, area relative to 45 nm, supplies in V."""

    energy: tuple[float, ...]
    energy_lp: tuple[float, ...]
    delay: tuple[float, ...]
    area: float
    lowest_v: float
    nominal_v: float


_180, _130 = (24.64, -17.98), (7.171, -6.709, 2.904)
_90, _65 = (4.762, -4.781, 2.092), (3.755, -4.398, 1.975)
NODES: dict[int, Node] = {
    180: Node(_180, _180, (97.09, -356.7, 406.5), 19, 1.0, 1.8),
    130: Node(_130, _130, (-76.65, 334.9, -493.4, 275.8), 6.4, 0.6, 1.3),
    90: Node(_90, _90, (-60.34, 262.5, -384.2, 210.9), 2.8, 0.6, 1.2),
    65: Node(_65, _65, (-53.3, 230.4, -333.9, 178.6), 1.5, 0.7, 1.1),
    45: Node((1.018, -0.3107, 0.1539), (1.103, -0.362, 0.2767), (-501.6, 1567, -1619, 566.1), 1, 0.5, 1.0),
    32: Node((0.8367, -0.4341, 0.1701), (0.9559, -0.7823, 0.471), (-1047, 2982, -2797, 873.5), 0.46, 0.5, 0.9),
    20: Node((0.373, -0.1582, 0.04104), (0.2632, -0.14, 0.06841), (34.63, -66.37, 41.15), 0.21, 0.5, 0.9),
    16: Node((0.2958, -0.1241, 0.03024), (0.2139, -0.1187, 0.05639), (24.8, -47.52, 28.87), 0.19, 0.5, 0.85),
    14: Node((0.2363, -0.09675, 0.02239), (0.1556, -0.06472, 0.03066), (-40.66, 109.2, -100.6, 35.92), 0.17, 0.5, 0.8),
    10: Node((0.2068, -0.09311, 0.02375), (0.1261, -0.0518, 0.02769), (-34.95, 93.65, -85.99, 30.4), 0.1, 0.5, 0.75),
    7: Node((0.1776, -0.09097, 0.02447), (0.09365, -0.03409, 0.02043), (-28.58, 76.6, -70.26, 24.69), 0.059, 0.5, 0.7),
}
SMALLEST, LARGEST = min(NODES), max(NODES)
_STEPS = sorted(NODES)
# An interpolated node's value, and the two that its bounds lean to: the neighbours' side.
_LEANS = (0, -1, 1)


class Point(NamedTuple):
    """A process node and its supply."""

    node_nm: float
    voltage_v: float

    def __str__(self) -> str:
        return f"{self.node_nm:g} nm {self.voltage_v:g} V"


@dataclass(frozen=True)
class Factor:
    """What a move multiplies a quantity by, with its bounds; low ≤ value ≤ high."""

    value: float
    low: float
    high: float

    def times(self, low: float, value: float, high: float) -> "Factor":
        """Return the factor with each of its parts multiplied."""
        return Factor(self.value * value, self.low * low, self.high * high)


UNCHANGED = Factor(1.0, 1.0, 1.0)


def voltages(node_nm: float) -> tuple[float, float, float]:
    """Return (lowest, nominal, highest) supply of a node; the lowest between nodes is one that holds at both. [V]"""
    low, high, share = _bracket(node_nm)
    share = min(max(share, 0.0), 1.0)
    used = [NODES[n].lowest_v for n, part in ((low, 1 - share), (high, share)) if part]
    nominal = _mix(NODES[low].nominal_v, NODES[high].nominal_v, share)
    return max(used), nominal, 1.1 * nominal


def is_defined(at: Point) -> bool:
    """Whether the polynomials of energy are above zero here: not so at 180 nm below 0.73 V."""
    return all(_polynomial(NODES[n].energy, at.voltage_v) > 0 for n in _bracket(at.node_nm)[:2])


@lru_cache(maxsize=4096)
def energy_factor(before: Point, after: Point) -> Factor:
    """Return what the energy of logic is multiplied by; both points must be defined."""
    if before == after:
        return UNCHANGED
    value = _energy(after, False, 0, False) / _energy(before, False, 0, False)
    tried = []
    for square, (start, to) in product((False, True), _leans(before, after)):
        hp, lp = (
            _energy(after, low_power, to, square) / _energy(before, low_power, start, square)
            for low_power in (False, True)
        )
        tried += [hp, lp, hp * hp / lp]
    return Factor(value, min(value, *tried), max(value, *tried))


@lru_cache(maxsize=4096)
def area_factor(before_nm: float, after_nm: float) -> Factor:
    """Return what an area is multiplied by; bounds as wide as the rule missed a circuit of ours from 45 to 7 nm, x1.44."""
    if before_nm == after_nm:
        return UNCHANGED
    before, after = Point(before_nm, 1.0), Point(after_nm, 1.0)
    value = _area(after_nm, 0) / _area(before_nm, 0)
    tried = [_area(after_nm, to) / _area(before_nm, start) for start, to in _leans(before, after)]
    miss = AREA_MISS ** (abs(log(before_nm / after_nm)) / log(45 / 7))
    return Factor(value, min(value, *tried) / miss, max(value, *tried) * miss)


def delay_factor(before: Point, after: Point) -> float | None:
    """Return what the delay of logic is multiplied by; None where the cubic is not above zero.

    Within a node a higher supply is never slower: where the cubic says so, beyond its turn, the delay stays.
    """
    start, end = _delay(before), _delay(after)
    if start is None or end is None:
        return None
    if before.node_nm == after.node_nm:
        return min(1.0, end / start) if after.voltage_v >= before.voltage_v else max(1.0, end / start)
    return end / start


def _leans(before: Point, after: Point) -> list[tuple[int, int]]:
    # Two nodes between the same neighbours lean to the same one.
    together = _bracket(before.node_nm)[:2] == _bracket(after.node_nm)[:2]
    return [(k, k) for k in _LEANS] if together else [(a, b) for a in _LEANS for b in _LEANS]


def _bracket(node_nm: float) -> tuple[int, int, float]:
    """Return the neighbours below and above, and the share of the way up to the latter on a log scale."""
    place = next((i for i, n in enumerate(_STEPS) if node_nm <= n), len(_STEPS) - 1)
    low, high = _STEPS[max(place, 1) - 1], _STEPS[max(place, 1)]
    return low, high, log(node_nm / low) / log(high / low)


def _leaning(share: float, lean: int) -> float:
    if 0 <= share <= 1:
        inside = 0 < share < 1  # a node of the paper is what the paper says
        return share + 0.5 * inside * ((1 - share) * (lean > 0) - share * (lean < 0))
    return share + lean * max(-share, share - 1)


def _mix(low: float, high: float, share: float) -> float:
    # The ends exactly, so that a node of the paper gives the paper's number.
    return low if share == 0 else high if share == 1 else float(low ** (1 - share) * high**share)


def _polynomial(coefficients: tuple[float, ...], v: float) -> float:
    total = 0.0
    for c in coefficients:
        total = total * v + c
    return total


def _energy(at: Point, lp: bool, lean: int, square: bool) -> float:
    low, high, share = _bracket(at.node_nm)
    v, factor = at.voltage_v, 1.0
    if square:
        lowest, _, highest = voltages(at.node_nm)
        v = min(max(v, lowest), highest)
        factor = (at.voltage_v / v) ** 2
    below, above = (_polynomial(NODES[n].energy_lp if lp else NODES[n].energy, v) for n in (low, high))
    return factor * _mix(below, above, _leaning(share, lean))


def _delay(at: Point) -> float | None:
    low, high, share = _bracket(at.node_nm)
    below, above = (_polynomial(NODES[n].delay, at.voltage_v) for n in (low, high))
    return _mix(below, above, share) if below > 0 and above > 0 else None


def _area(node_nm: float, lean: int) -> float:
    low, high, share = _bracket(node_nm)
    return _mix(NODES[low].area, NODES[high].area, _leaning(share, lean))
