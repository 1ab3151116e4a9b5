"""Dotted chip fields: reading one, listing all, changing some."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from sfnhw.actions import OPTIONAL_ROWS
from sfnhw.chip.dimensions import explanation, meant
from sfnhw.chip.validation import Locate, nowhere
from sfnhw.errors import ChipError, nearest
from sfnhw.yaml_source import parse_yaml

if TYPE_CHECKING:
    from sfnhw.chip.chip import Chip

# Sections that hold prices; they are no fields of the configuration.
TABLES = ("energy", "static", "area")
# Fields that say what the chip is called, not what it is.
LABELS = ("name", "description", "not_modelled", "schema_version")

C = TypeVar("C", bound="Chip")


def flatten(part: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Return dotted name -> value of all fields but the price tables."""
    flat: dict[str, Any] = {}
    for name in type(part).model_fields:
        if not prefix and name in TABLES:
            continue
        value = getattr(part, name)
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {f"{prefix}{name}": value}
    return flat


def names_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all fields that hold a value, price tables left out."""
    names: list[str] = []
    for name, info in model.model_fields.items():
        if not prefix and name in TABLES:
            continue
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += names_of(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def sweepable(model: type[BaseModel]) -> list[str]:
    """Return the dotted names of the fields that describe the hardware."""
    return [name for name in names_of(model) if name not in LABELS]


def lookup(chip: Chip, name: str) -> Any:
    """Return the value of a dotted field; raises ChipError where there is none."""
    if is_price(name):
        section, row, key = _price_parts(chip, name)
        there = dict(getattr(chip, section)).get(row)
        if there is None:
            raise ChipError("this chip has no such price", field=name)
        return getattr(there, key)
    value: Any = chip
    for part in name.split("."):
        if not isinstance(value, BaseModel) or part not in type(value).model_fields:
            raise unknown_field(name, type(chip))
        value = getattr(value, part)
    if isinstance(value, BaseModel) or name in TABLES:
        raise unknown_field(name, type(chip))
    return value


def unknown_field(name: str, model: type[BaseModel]) -> ChipError:
    """Return the error for a dotted name that is no field, with the nearest ones."""
    known = sweepable(model)
    # People type the last part alone: 'columns' is as near to noc.columns as can be.
    ends = [field for field in known if field.endswith(f".{name}")]
    hint = f" (did you mean {ends[0]!r}?)" if len(ends) == 1 else nearest(name, known)
    near = get_close_matches(name, known, 5, 0.3) or ["core.synapse_lanes", "noc.columns"]
    return ChipError(
        f"no such field of a chip{hint}",
        found=name,
        expected="a field such as " + ", ".join(near) + " (`sfnhw chips reference` lists them all)",
    )


def is_price(name: str) -> bool:
    """Whether a dotted name looks into a price table: ``energy.compare.energy_pj``."""
    return name.partition(".")[0] in TABLES and "." in name


def replaced(chip: C, changes: dict[str, Any], origin: str, locate: Locate = nowhere) -> C:
    """Return the chip with dotted fields changed, validated again; see `Chip.replace`."""
    from sfnhw.chip.load import build

    # Rows are given as they are: they need not be read, nor checked at the same configuration (`checks`), once more.
    data: dict[str, Any] = chip.model_dump(exclude=set(TABLES))
    data |= {"energy": dict(chip.energy), "static": chip.static.rows(), "area": dict(chip.area)}
    known = names_of(type(chip))
    prices: dict[tuple[str, str], dict[str, Any]] = {}
    for name, value in changes.items():
        if is_price(name):
            section, row, key = _price_parts(chip, name)
            prices.setdefault((section, row), {})[key] = value if key == "source" else _read(name, value)
            continue
        if name not in known:
            raise unknown_field(name, type(chip))
        *around, last = name.split(".")
        target = data
        for part in around:
            target = target[part]
        target[last] = value if name in LABELS else _read(name, value)
    for (section, row), given in prices.items():
        before = data[section].get(row)
        fields = _blank(section, row, given) if before is None else before.model_dump()
        data[section][row] = _priced(fields, given, data["technology"], origin)
    return build(data, locate, type(chip))


def _read(name: str, value: Any) -> Any:
    return parse_yaml(value or "''", f"the value of {name}").value if isinstance(value, str) else value


def _price_parts(chip: Chip, name: str) -> tuple[str, str, str]:
    """Split ``energy.compare.energy_pj``; raises ChipError where the table has no such row, or the row no such field."""
    section, _, rest = name.partition(".")
    row, _, key = rest.partition(".")
    rows = [*dict(getattr(chip, section)), *(name for name in _may_be_added(section) if name not in chip.energy)]
    if row not in rows:
        expected = "one of " + ", ".join(rows) + nearest(row, rows)
        raise ChipError(f"no such price in {section}", field=name, found=row, expected=expected)
    there = dict(getattr(chip, section)).get(row)
    keys = list((_may_be_added(section)[row] if there is None else type(there)).model_fields)
    if other := meant(key, keys):
        message, expected = explanation(key, other)
        raise ChipError(message, field=name, expected=expected)
    if key not in keys:
        expected = ", ".join(f"{section}.{row}.{k}" for k in keys)
        raise ChipError("no such field of a price", field=name, found=key or None, expected="one of " + expected)
    return section, row, key


def _may_be_added(section: str) -> dict[str, type[BaseModel]]:
    """Return the rows that a chip may do without, and so may be given one by a change: name -> kind of row."""
    from sfnhw.chip.prices import EnergyRow, LeakageRow

    if section == "energy":
        return dict.fromkeys(OPTIONAL_ROWS, EnergyRow)
    return {"gate_leakage_uw": LeakageRow} if section == "static" else {}


def _blank(section: str, row: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a row that the chip has not had; raises ChipError where the change gives it no value."""
    fields = _may_be_added(section)[row].model_fields
    main = next(key for key in fields if key.endswith(("_pj", "_uw")) and not key.startswith(("low", "high")))
    if main not in given:
        field = f"{section}.{row}.{next(iter(given))}"
        raise ChipError("this chip has no such price", field=field, expected=f"{section}.{row}.{main} with it")
    return dict.fromkeys(fields)


def _priced(row: dict[str, Any], given: dict[str, Any], technology: dict[str, Any], origin: str) -> dict[str, Any]:
    """Return a price row with fields given. A value is a new row; a bound alone is said to be given in the source."""
    numbers = [key for key in row if key.endswith(("_pj", "_uw", "_um2"))]
    main = next(key for key in numbers if not key.startswith(("low", "high")))
    if main in given:
        here = {key: technology[key] for key in ("node_nm", "voltage_v") if key in row}
        return {**dict.fromkeys(numbers, given[main]), **here, "source": origin, **given}
    changed = ", ".join(key for key in given if key != "source")
    source = row["source"] + (f"; {changed} {origin}" if changed else "")
    return {**row, "source": source, **given}
