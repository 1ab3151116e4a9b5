"""Price keys in a unit that their table does not use, such as ``energy_nj`` or a power among energies."""

from collections.abc import Iterable

_PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "a": 1e-18, "f": 1e-15, "p": 1e-12}
# Unit as it stands in a key -> (quantity, size in the SI unit, as it is written).
_UNITS: dict[str, tuple[str, float, str]] = {
    **{f"{p}j": ("energy", size, f"{p}J") for p, size in _PREFIXES.items()},
    **{f"{p}w": ("power", size, f"{p}W") for p, size in _PREFIXES.items()},
    **{f"{p}m2": ("area", size * size, f"{p}m2") for p, size in _PREFIXES.items()},
}


def meant(key: str, fields: Iterable[str]) -> str | None:
    """Return the field of a price row that a key in another unit stands for, or None where it is no such key.

    key : as in the file, e.g. ``low_nj``; fields : those of the row, e.g. ``energy_pj``, ``low_pj``, ``high_pj``.
    """
    numbers = [name for name in fields if name.rpartition("_")[2] in _UNITS]
    what, _, unit = key.rpartition("_")
    if key in numbers or unit not in _UNITS or what not in ("energy", "power", "area", "low", "high"):
        return None
    side = what if what in ("low", "high") else ""
    return next((name for name in numbers if name.startswith(side or ("energy_", "power_", "area_"))), None)


def explanation(key: str, field: str) -> tuple[str, str]:
    """Return what is wrong with a key that stands for `field`, and what was expected."""
    quantity, size, shown = _UNITS[key.rpartition("_")[2]]
    right, base, unit = _UNITS[field.rpartition("_")[2]]
    if quantity != right:
        return f"{_article(quantity)} in {shown}, where {_article(right)} belongs", f"{field}, in {unit}"
    if size == base:
        return "unknown field", f"{field}, in {unit}"
    return f"{_article(quantity)} in {shown}", f"{field}, in {unit} (1 {shown} = {size / base:g} {unit})"


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "ae" else f"a {noun}"
