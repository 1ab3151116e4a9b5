"""`sfnhw chips`: the presets, or one chip with its prices."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from sfnhw.cli.chip_options import at_technology, set_option, technology_options, with_settings
from sfnhw.cli.columns import WIDTH, columns
from sfnhw.cli.options import as_json
from sfnhw.cli.output import print_json
from sfnhw.errors import InputError

if TYPE_CHECKING:
    from sfnhw.chip import Chip

# Section of prices -> the column that names a row, and the unit in its keys.
SECTIONS = {"energy": ("action", "pj", "pJ"), "static": ("term", "", ""), "area": ("term", "um2", "µm²")}


@click.command("chips", short_help="List the chips, or show one with its prices and sources.")
@click.argument("name", required=False, metavar="[NAME]")
@set_option
@technology_options
@as_json
def command(
    name: str | None,
    settings: tuple[str, ...],
    node_nm: float | None,
    voltage_v: float | None,
    clock: str | None,
    as_json: bool,
) -> None:
    """List the chips that ship with sfnhw, or show one (a preset or a YAML file) with its prices and their sources.

    With --set, --node or --voltage: as it is then, and how each price was brought there.
    """
    from sfnhw.chip import load_chip, preset_names

    if name is None:
        if settings or clock or node_nm is not None or voltage_v is not None:
            raise InputError("--set, --node, --voltage and --clock change one chip", field="NAME", expected="its name")
        chips = [load_chip(preset) for preset in preset_names()]
        if as_json:
            print_json({"chips": [{"preset": p, **_short(c)} for p, c in zip(preset_names(), chips, strict=True)]})
        else:
            rows = [
                [preset, str(chip.cores), f"{chip.technology.node_nm:g} nm", chip.description]
                for preset, chip in zip(preset_names(), chips, strict=True)
            ]
            click.echo(columns(["chip", "cores", "node", "what it is"], rows, [False, True, True]))
        return
    chip = with_settings(at_technology(name, node_nm, voltage_v, clock), settings)
    if as_json:
        print_json(_whole(chip))
    else:
        click.echo(_text(chip))


def _short(chip: "Chip") -> dict[str, Any]:
    return {
        "name": chip.name,
        "description": chip.description,
        "cores": chip.cores,
        "node_nm": chip.technology.node_nm,
        "voltage_v": chip.technology.voltage_v,
        "clock_mhz": chip.clock_mhz,
        "sha256": chip.fingerprint(),
    }


def _whole(chip: "Chip") -> dict[str, Any]:
    return {
        **_short(chip),
        "not_modelled": list(chip.not_modelled),
        "warnings": list(chip.technology_warnings),
        "fields": chip.fields(),
        "prices": chip.price_rows("energy"),
        "static": chip.price_rows("static"),
        "area": chip.price_rows("area"),
    }


def _text(chip: "Chip") -> str:
    from sfnhw.reports.text import field_text

    hidden = ("name", "description", "not_modelled", "schema_version")
    fields = [[key, field_text(value)] for key, value in chip.fields().items() if key not in hidden]
    parts = [
        f"{chip.name}: " + fill(chip.description, WIDTH, initial_indent=" " * (len(chip.name) + 2)).strip(),
        *_where(chip),
        columns(["field", "value"], fields),
    ]
    for section, title in (
        ("energy", "energy of one action, pJ"),
        ("static", "leakage and clock of one core or router"),
        ("area", "area of one component, µm²"),
    ):
        parts.append(f"{title}\n{_prices(chip.price_rows(section), section)}")
    if chip.not_modelled:
        parts.append(
            "not modelled\n"
            + "\n".join(fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ") for text in chip.not_modelled)
        )
    parts += [fill(f"warning: {text}", WIDTH, subsequent_indent="  ") for text in chip.technology_warnings]
    return "\n\n".join(parts)


def _where(chip: "Chip") -> list[str]:
    """Say at what node and supply the prices are, where rows were brought there: a description may say another."""
    from sfnhw.chip import moved_text

    moved = moved_text(chip)
    at = chip.technology
    return [fill(f"Prices are at {at.node_nm:g} nm and {at.voltage_v:g} V{moved}.", WIDTH)] if moved else []


def _prices(rows: list[dict[str, Any]], section: str) -> str:
    label = SECTIONS[section][0]
    lines = []
    for row in rows:
        keys = [key for key in row if key.endswith(("_pj", "_uw", "_um2"))]
        value, low, high = (row[key] for key in sorted(keys, key=lambda key: key.startswith(("low", "high"))))
        unit = {"pj": "pJ", "uw": "µW", "m2": "µm²"}[keys[0][-2:]]
        lines.append([row[label], f"{value:.4g}", f"{low:.3g}..{high:.3g}", unit, row["source"]])
    return columns([label, "value", "band", "unit", "source"], lines, [False, True, True])
