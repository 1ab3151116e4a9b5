"""The gates of a threshold unit: what it is built of, block by block, as functions of N thresholds and W bits.

A unit adds (membrane + input), finds the level, and takes the threshold that is reached off the membrane (soft reset);
it holds the membrane in a register. Not in it: the thresholds (see `sfnhw.chip.sharing`) and saturation, which the
synapse lanes do. B = ⌈log2(N + 1)⌉ bits of a level, s = 1 or 2 sides (signed), R = s N thresholds that are walked.

| kind | parts beside adder and subtractor of W bits |
| --- | --- |
| parallel | s N comparators of W bits, s N words of AND-OR select, encoder, register W |
| serial | (R − 1) words of multiplexers, a multiplexer in front of each of 2 registers of W bits, walk counter |
| binary-search | (N − 1) words of multiplexers, 2 registers of W bits with load, search; signed: 2 negations |
| uniform | B words of AND-OR select, 1 register of W bits with load, search; signed: 2 negations |
| power-of-two | leading-one detector of n = min(N, W − 1) levels, encoder, register W; signed: 1 negation |

One threshold makes every unsigned unit the parallel one (plain integrate-and-fire), and a signed search, divider or
detector one subtractor that tries both signs in turn; a serial one walks through its two thresholds.

Source: the amounts are those of the Verilog in ``benchmarks/synthesis``; the gates of one of each block are least-squares
fits to its netlists, which were checked against the codings' NumPy reference (`python -m benchmarks.synthesis --fit`
repeats both). Gate equivalents are of generic cells with the areas of Nangate45; the same units mapped to that library
come out within 12 %, a power-of-two unit of another design within 23 %.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sfnhw.chip.threshold_unit import check_serves
from sfnhw.errors import InputError
from sfnhw.neurons import ThresholdNeed
from sfnhw.units import bits_for


@dataclass(frozen=True)
class Gates:
    """An amount of logic.

    Attributes
    ----------
    gates : cells of a netlist of two-input gates, inverters and flip-flops.
    equivalents : area of the mapped netlist in that of a NAND2. [GE]
    """

    gates: float
    equivalents: float

    def __add__(self, other: "Gates") -> "Gates":
        return Gates(self.gates + other.gates, self.equivalents + other.equivalents)

    def times(self, amount: float) -> "Gates":
        """Return `amount` of them."""
        return Gates(self.gates * amount, self.equivalents * amount)


# What one of each block takes: two-input gates, gate equivalents. Fits: the largest errors are 10.1 % and 8.9 % over
# N = 1 .. 32 at 16 bits, all kinds, unsigned and signed; 9.5 % and 14.4 % for N = 1 and 8 at 8, 24 and 32 bits.
BLOCKS: dict[str, Gates] = {
    "adder bit": Gates(4.91, 8.39),
    "comparator bit": Gates(5.89, 5.94),
    "select bit": Gates(1.47, 0.39),
    "multiplexer bit": Gates(2.32, 1.48),
    # Its index is what the comparison before it said: synthesis buys speed with gates.
    "late multiplexer bit": Gates(2.95, 2.12),
    "increment bit": Gates(3.86, 4.15),
    "load bit": Gates(3.86, 2.66),
    "zero-test bit": Gates(2.69, 3.63),
    "encoder input": Gates(1.63, 1.32),
    "sequencer bit": Gates(3.30, 2.87),
    # SFN's scaling step alone, at 8 to 32 bits: within 5 % and 7 % of its netlists.
    "multiplier bit": Gates(6.2, 8.2),
    "shifter bit": Gates(2.6, 2.1),
    # Cells: 4.522 and 6.38 over 0.798 µm² of Nangate45; an enable is a multiplexer in front.
    "flip-flop": Gates(1, 5.67),
    "flip-flop with enable": Gates(1, 8.0),
}
# Not fitted: counted in the netlists exactly, or fitted to the scaling step alone.
NOT_FITTED = ("multiplier bit", "shifter bit", "flip-flop", "flip-flop with enable")
# Largest relative error of the gate equivalents at 16 bits, N = 1 .. 32, both signs.
FIT_ERROR: dict[str, float] = {
    "parallel": 0.07,
    "serial": 0.08,
    "binary-search": 0.05,
    "uniform": 0.07,
    "power-of-two": 0.09,
}

Amount = tuple[str, str, float]  # part, block, how many


def amounts(kind: str, thresholds: int, width_bits: int, signed: bool) -> list[Amount]:
    """Return (part, block, how many) of one lane's unit.

    Raises
    ------
    ChipError : an unknown kind.
    """
    check_serves(kind, ThresholdNeed("none"))
    if thresholds == 1 and not signed:
        kind = "parallel"
    if thresholds == 1 and signed and kind not in ("parallel", "serial"):
        return list(_signed_fire(width_bits))
    makers = {
        "parallel": _parallel,
        "serial": _serial,
        "binary-search": _binary_search,
        "uniform": _uniform,
        "power-of-two": _power_of_two,
    }
    return [("adder", "adder bit", _chain(width_bits)), *makers[kind](thresholds, width_bits, signed)]


def unit_parts(kind: str, thresholds: int, width_bits: int, signed: bool) -> dict[str, Gates]:
    """Return the gates of each part of one lane's unit; together they are the unit.

    Raises
    ------
    ChipError : an unknown kind.
    """
    parts: dict[str, Gates] = {}
    for part, block, amount in amounts(kind, thresholds, width_bits, signed):
        parts[part] = parts.get(part, Gates(0, 0)) + BLOCKS[block].times(amount)
    return parts


def unit_gates(kind: str, thresholds: int, width_bits: int, signed: bool) -> Gates:
    """Return the gates of one lane of a threshold unit, with its flip-flops and without threshold registers.

    thresholds : N for each polarity. width_bits : W, of the membrane and the thresholds.

    Raises
    ------
    ChipError : an unknown kind.
    """
    return sum(unit_parts(kind, thresholds, width_bits, signed).values(), Gates(0, 0))


def scale_gates(step: str, width_bits: int, factor_bits: int = 8) -> Gates:
    """Return the gates of SFN's scaling step of W bits with its register: ``multiply`` by M bits, or ``shift``.

    A multiplier has M rows of W − 1 adders, a barrel shifter ⌈log2 W⌉ rows of W multiplexers.

    Raises
    ------
    InputError : another step.
    """
    if step not in ("multiply", "shift"):
        raise InputError(field="step", found=step, expected="'multiply' or 'shift'")
    if step == "multiply":
        logic = BLOCKS["multiplier bit"].times((width_bits - 1) * factor_bits)
    else:
        logic = BLOCKS["shifter bit"].times(width_bits * bits_for(width_bits))
    return logic + BLOCKS["flip-flop"].times(width_bits)


def _parallel(n: int, w: int, signed: bool) -> Iterator[Amount]:
    sides = 1 + signed
    yield "comparators", "comparator bit", sides * n * _chain(w)
    yield "encoder", "encoder input", _encoder_inputs(n) * sides
    yield "residual", "select bit", sides * n * w
    yield "residual", "adder bit", _chain(w)
    yield "membrane register", "flip-flop", w


def _serial(n: int, w: int, signed: bool) -> Iterator[Amount]:
    steps, level = n * (1 + signed), bits_for(n + 1)
    count = bits_for(steps)
    yield "threshold select", "multiplexer bit", (steps - 1) * w
    yield "comparators", "adder bit", _chain(w)
    if signed:
        yield "comparators", "zero-test bit", w
    yield "residual", "load bit", 2 * w
    yield "sequencer", "sequencer bit", count + level
    yield "sequencer", "flip-flop with enable", count + level + signed
    yield "sequencer", "flip-flop", 1
    yield "membrane register", "flip-flop with enable", 2 * w


def _binary_search(n: int, w: int, signed: bool) -> Iterator[Amount]:
    level = bits_for(n + 1)
    yield "threshold select", "late multiplexer bit", (n - 1) * w
    yield "comparators", "adder bit", _chain(w)
    if signed:
        yield "sign", "increment bit", 2 * w
    yield "residual", "load bit", w
    yield "sequencer", "sequencer bit", 2 * level
    yield "sequencer", "flip-flop", 2 * level + 1
    yield "membrane register", "flip-flop with enable", 2 * w + signed


def _uniform(n: int, w: int, signed: bool) -> Iterator[Amount]:
    level = bits_for(n + 1)
    yield "threshold select", "select bit", level * w
    yield "comparators", "adder bit", _chain(w + level)
    if signed:
        yield "sign", "increment bit", 2 * w
    yield "residual", "load bit", w
    yield "sequencer", "sequencer bit", 2 * level
    yield "sequencer", "flip-flop", 2 * level + 1
    yield "membrane register", "flip-flop with enable", w + signed


def _power_of_two(n: int, w: int, signed: bool) -> Iterator[Amount]:
    n = min(n, w - 1)  # W bits hold no larger thresholds
    if signed:
        yield "sign", "increment bit", w
    yield "encoder", "encoder input", _encoder_inputs(n)
    yield "residual", "increment bit", w
    yield "membrane register", "flip-flop", w


def _signed_fire(w: int) -> Iterator[Amount]:
    yield "adder", "adder bit", _chain(w)
    yield "comparators", "adder bit", _chain(w)
    yield "comparators", "zero-test bit", w
    yield "residual", "load bit", 2 * w
    yield "sequencer", "sequencer bit", 3
    yield "sequencer", "flip-flop with enable", 3
    yield "sequencer", "flip-flop", 1
    yield "membrane register", "flip-flop with enable", w


def _encoder_inputs(n: int) -> int:
    """Inputs of the encoder of n levels: n edges of the thermometer code, and the ones in 1 .. n, ORed into B bits.

    None where n is 1: the comparison is the level.
    """
    return n + sum(k.bit_count() for k in range(1, n + 1)) if n > 1 else 0


def _chain(w: int) -> int:
    """Full bits of a carry chain: nothing is carried into its lowest bit, and nothing out of its highest."""
    return w - 2
