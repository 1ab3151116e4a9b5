"""The field tables of docs/chip.md, written from the schema: ``python -m sfnhw.chip.describe [docs/chip.md]``.

Without an argument the tables are printed; with one they are put between the markers of that file.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from sfnhw.chip.chip import Chip
from sfnhw.chip.fields import TABLES
from sfnhw.chip.load import load_chip
from sfnhw.chip.prices import AREA_TERMS, AreaRow, EnergyRow, LeakageRow, Static
from sfnhw.chip.validation import alternatives, bounds, unit_of
from sfnhw.errors import InputError, Where
from sfnhw.files import write_text

BEGIN = "<!-- tables: begin (python -m sfnhw.chip.describe docs/chip.md) -->"
END = "<!-- tables: end -->"


def tables() -> str:
    """Return all tables: the fields of a chip with unit, values, the reference's value and meaning, then the rows."""
    parts = ["### Fields", "", _table(_field_rows(Chip), ("field", "unit", "may be", "`reference`", "meaning"))]
    for title, row in (
        ("A row of `energy`, and the clock rows of `static`", EnergyRow),
        ("A leakage row of `static`", LeakageRow),
        ("A row of `area`", AreaRow),
    ):
        rows = [
            (f"`{name}`", unit_of(info), _may_be(info), info.description) for name, info in row.model_fields.items()
        ]
        parts += ["", f"### {title}", "", _table(rows, ("field", "unit", "may be", "meaning"))]
    parts += ["", "### Prices of `reference`", "", _price_table()]
    terms = [(f"`{name}`", text) for name, text in AREA_TERMS.items()]
    statics = [(f"`{name}`", unit_of(info), info.description) for name, info in Static.model_fields.items()]
    parts += ["", "### Terms of `static`", "", _table(statics, ("term", "unit", "meaning"))]
    parts += ["", "### Components of `area`", "", _table(terms, ("component", "meaning"))]
    return "\n".join(parts) + "\n"


def with_tables(text: str, name: str | Path = "docs/chip.md") -> str:
    """Return a page with the tables between its markers; raises InputError where the markers are missing."""
    if BEGIN not in text or END not in text:
        raise InputError("the markers of the tables are missing", where=Where(name), expected=f"{BEGIN} and {END}")
    return text[: text.index(BEGIN)] + BEGIN + "\n\n" + tables() + "\n" + text[text.index(END) :]


def main(arguments: Sequence[str]) -> None:
    """Print the tables, or put them into the file that is named."""
    if not arguments:
        print(tables(), end="")
        return
    path = Path(arguments[0])
    write_text(path, with_tables(path.read_text(encoding="utf-8"), path))


def _field_rows(model: type[BaseModel], prefix: str = "") -> list[tuple[Any, ...]]:
    reference = load_chip("reference").fields()
    rows: list[tuple[Any, ...]] = []
    for name, info in model.model_fields.items():
        inner, dotted = info.annotation, prefix + name
        if not prefix and name in TABLES:
            rows.append((f"`{dotted}`", unit_of(info), "a mapping", "", f"{info.description}; see below"))
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            rows += _field_rows(inner, f"{dotted}.")
        else:
            value = "" if name in ("description", "not_modelled") else _plain(reference[dotted])
            rows.append((f"`{dotted}`", unit_of(info), _may_be(info), value, info.description))
    return rows


def _may_be(info: Any) -> str:
    """Say what a field may hold."""
    annotation = info.annotation
    if choices := alternatives(annotation):
        return (
            "whole number"
            + bounds(info, choices[0])
            + (", or a table of them" if len(choices) > 1 else ", or left out")
        )
    if str(get_origin(annotation)) == "typing.Literal":
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is dict:
        return "a mapping, or left out"
    if get_origin(annotation) is tuple:
        return "texts, or left out" if annotation == tuple[str, ...] else "two whole numbers"
    kinds = {bool: "true, false", int: "whole number", float: "number", str: "text"}
    return kinds[annotation] + bounds(info)


def _price_table() -> str:
    chip = load_chip("reference")
    rows = [
        (f"`{name}`", f"{row.energy_pj:g}", f"{row.low_pj:g} to {row.high_pj:g}", ", ".join(row.scaling) or "-")
        for name, row in chip.energy.items()
    ]
    return _table(rows, ("action", "pJ", "low to high", "follows"))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "left out"
    return str(list(value)) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


if __name__ == "__main__":
    main(sys.argv[1:])
