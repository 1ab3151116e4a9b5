"""Units. Counts and times inside the tool are integers: cycles, and energy in attojoules (1 pJ = 10**6 aJ).

Integer energies make "the parts add up to the whole" true to the last bit along every axis; they become
floating-point joules once, when they are shown.
"""

ATTOJOULES_PER_PICOJOULE = 10**6
JOULES_PER_ATTOJOULE = 1e-18
BITS_PER_KIB = 8 * 1024
PICOSECONDS_PER_MICROSECOND = 10**6
# SI prefixes that are written, the largest first.
PREFIXES = (
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
    (1e-12, "p"),
    (1e-15, "f"),
)


def attojoules(picojoules: float) -> int:
    """Convert a price in pJ to integer aJ (rounded to the nearest; a chip with a price that this makes 0 is refused)."""
    return round(picojoules * ATTOJOULES_PER_PICOJOULE)


def joules(attojoules_: int) -> float:
    """Convert integer aJ to J."""
    return int(attojoules_) * JOULES_PER_ATTOJOULE


def seconds(cycles: float, clock_mhz: float) -> float:
    """Convert clock cycles to seconds."""
    return cycles / (clock_mhz * 1e6)


def ceil_div(a: int, b: int) -> int:
    """Return ⌈a / b⌉ for integers, b > 0."""
    return -(-a // b)


def bits_for(states: int) -> int:
    """Return ⌈log2(states)⌉: the bits that tell `states` things apart (0 for one thing)."""
    return max(0, (states - 1).bit_length())


def engineering(value: float, unit: str, digits: int = 3) -> str:
    """Write a value with an SI prefix, e.g. ``1.23 µJ``."""
    if value == 0:
        return f"0 {unit}"
    for factor, prefix in PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.{digits}g} {prefix}{unit}"
    return f"{value / 1e-18:.{digits}g} a{unit}"
