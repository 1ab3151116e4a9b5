"""What one neuron update costs on each threshold-unit microarchitecture: actions, cycles, registers, comparators.

N is the number of thresholds for each polarity, B = ⌈log2(N+1)⌉ the bits that tell N+1 outcomes apart.

| kind | comparators | compares | threshold reads | encodes | cycles | serves |
| --- | --- | --- | --- | --- | --- | --- |
| parallel | N (2N signed) | N (2N) | N (2N) | 1 | 1 | any spacing |
| serial | 1 | N (2N) | N (2N) | 1 | N (2N) | any spacing |
| binary-search | 1 | B (+1 signed) | B | 1 | 1 + B | any spacing |
| uniform | 1 | B (+1 signed) | 1 | 1 | 1 + B | uniform |
| power-of-two | 0 | 0 | 0 | 1 | 1 | power of two |

With N = 1 every kind is plain integrate-and-fire: 1 compare, 1 read, no encode, 1 cycle; a signed one compares with
both signs (2 and 2, in 2 cycles unless the unit is parallel). A leaky neuron takes one multiply (`leaks`) and one
cycle more, since the reset decides what decays, and a register for each decay factor.

The circuits behind the table are in ``benchmarks/synthesis``; their gates are modelled by `sfnhw.chip.gate_model`, and
where the thresholds are kept by `sfnhw.chip.sharing`.
"""

from dataclasses import dataclass, replace

from sfnhw.errors import ChipError, nearest
from sfnhw.neurons import ThresholdNeed
from sfnhw.units import bits_for

KINDS: tuple[str, ...] = ("parallel", "serial", "binary-search", "uniform", "power-of-two")

# Spacings that each kind serves; a bank of one threshold is of every spacing.
_SERVES: dict[str, tuple[str, ...]] = {
    "parallel": ("free", "uniform", "power-of-two"),
    "serial": ("free", "uniform", "power-of-two"),
    "binary-search": ("free", "uniform", "power-of-two"),
    "uniform": ("uniform",),
    "power-of-two": ("power-of-two",),
}


@dataclass(frozen=True)
class UpdateCost:
    """One neuron through the threshold unit: cycles of a lane, and how often each action happens."""

    cycles: int
    compares: int = 0
    threshold_reads: int = 0
    encodes: int = 0
    requantises: int = 0
    leaks: int = 0


def update_cost(kind: str, need: ThresholdNeed) -> UpdateCost:
    """Return what one neuron update costs on a threshold unit of this kind.

    Raises
    ------
    ChipError : an unknown kind, or a unit that cannot serve the spacing of the thresholds.
    """
    check_serves(kind, need)
    if need.leaks:
        plain = update_cost(kind, replace(need, leaks=0))
        return replace(plain, cycles=plain.cycles + 1, leaks=1)
    if need.kind == "requantise":
        return UpdateCost(cycles=1, requantises=1)
    if need.kind == "none":
        return UpdateCost(cycles=1)
    n, sides = need.thresholds, 2 if need.signed else 1
    if n == 1:
        return UpdateCost(cycles=1 if kind == "parallel" else sides, compares=sides, threshold_reads=sides)
    if kind == "power-of-two":
        return UpdateCost(cycles=1, encodes=1)
    bits = bits_for(n + 1)
    if kind == "parallel":
        return UpdateCost(cycles=1, compares=sides * n, threshold_reads=sides * n, encodes=1)
    if kind == "serial":
        return UpdateCost(cycles=sides * n, compares=sides * n, threshold_reads=sides * n, encodes=1)
    reads = bits if kind == "binary-search" else 1
    return UpdateCost(cycles=1 + bits, compares=bits + sides - 1, threshold_reads=reads, encodes=1)


def registers(kind: str, need: ThresholdNeed, groups: int) -> int:
    """Return the threshold registers, in words, of `groups` tables (1, or one for each channel of a slice).

    A signed parallel or serial bank holds both signs (2N words); the binary search works on the magnitude (N). A
    uniform unit holds one word, a power-of-two unit its base exponent. Requantising takes a multiplier word, a leak one
    for each decay factor of the population.

    Raises
    ------
    ChipError : as `update_cost`.
    """
    check_serves(kind, need)
    if need.kind == "none":
        return 0
    if need.kind == "requantise" or kind in ("uniform", "power-of-two"):
        return groups + need.leaks
    sides = 2 if need.signed and kind in ("parallel", "serial") else 1
    return groups * sides * need.thresholds + need.leaks


def comparators(kind: str, need: ThresholdNeed) -> int:
    """Return how many comparators one lane of the unit has for this need.

    Raises
    ------
    ChipError : as `update_cost`.
    """
    check_serves(kind, need)
    if need.kind != "bank" or (kind == "power-of-two" and need.thresholds > 1):
        return 0
    return need.thresholds * (2 if need.signed else 1) if kind == "parallel" else 1


def check_serves(kind: str, need: ThresholdNeed) -> None:
    """Raise a ChipError where a unit of this kind cannot serve the need."""
    if kind not in KINDS:
        expected = "one of " + ", ".join(KINDS) + nearest(str(kind), KINDS)
        raise ChipError(field="core.threshold_unit.kind", found=kind, expected=expected)
    if need.kind != "bank" or need.thresholds == 1 or need.spacing in _SERVES[kind]:
        return
    can = [name for name in KINDS if need.spacing in _SERVES[name]]
    raise ChipError(
        f"a {kind!r} threshold unit cannot serve {need.thresholds} thresholds of {need.spacing} spacing",
        field="core.threshold_unit.kind",
        expected="one of " + ", ".join(can),
    )
