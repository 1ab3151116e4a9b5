"""`sfnhw numerics`: accuracy as a function of each width of the chip's data path."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfnhw.cli.chip_options import set_option, with_settings
from sfnhw.cli.columns import columns
from sfnhw.cli.options import as_json, chip_option, inputs_option, network_argument
from sfnhw.cli.output import Progress, print_json, say
from sfnhw.errors import InputError, Where

if TYPE_CHECKING:
    from sfnhw.numerics_sweep import NumericsSweep

JSON_FILE, FIGURE = "numerics.json", "numerics"


@click.command("numerics", short_help="Accuracy against bits of weights, thresholds, ...")
@network_argument
@chip_option
@set_option
@inputs_option
@click.option("--weight-bits", default="2-16", show_default=True, metavar="BITS", help="E.g. 2-16 or 2,4,8; or none.")
@click.option("--decode-bits", default="1-12", show_default=True, metavar="BITS", help="Of decode-table words, if any.")
@click.option("--threshold-bits", default="2-16", show_default=True, metavar="BITS", help="Of threshold registers.")
@click.option("--accumulator-bits", default="8-24", show_default=True, metavar="BITS", help="Of accumulators.")
@click.option(
    "--overflow",
    default="saturate,wrap",
    show_default=True,
    metavar="RULES",
    help="What accumulators beyond their range do, at each of their widths.",
)
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Table and figure.")
@as_json
def command(
    network_path: Path,
    chip: str,
    settings: tuple[str, ...],
    inputs_path: Path,
    weight_bits: str,
    decode_bits: str,
    threshold_bits: str,
    accumulator_bits: str,
    overflow: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Record NETWORK (a .sfn file) at other widths of weights, decode words, thresholds and accumulators.

    One width is varied at a time; the others are the chip's own. With labels in FILE.npz the result is the accuracy,
    without them how often the answer is the one of real-valued arithmetic.
    """
    from sfnhw.inputs import load_inputs
    from sfnhw.network import Network
    from sfnhw.numerics_sweep import numerics_sweep

    widths = {
        "weight_bits": parse_bits("--weight-bits", weight_bits),
        "decode_bits": parse_bits("--decode-bits", decode_bits),
        "threshold_bits": parse_bits("--threshold-bits", threshold_bits),
        "accumulator_bits": parse_bits("--accumulator-bits", accumulator_bits),
    }
    rules = [rule.strip() for rule in overflow.split(",") if rule.strip()]
    if not rules:
        raise InputError(field="--overflow", found=overflow, expected="saturate, wrap or both")
    if folder is not None:
        _check_folder(folder)
    target = with_settings(chip, settings)
    given = load_inputs(inputs_path)
    network = Network.load(network_path)
    progress = Progress()
    sweep = numerics_sweep(
        network,
        given.inputs,
        given.labels,
        numerics=target.numerics,
        threshold_sharing=target.core.threshold_unit.sharing,
        overflow=rules,
        progress=progress,
        **widths,
    )
    progress.clear()
    if folder is not None:
        _save(sweep, folder, network.name)
    if as_json:
        print_json(sweep.as_json())
    else:
        click.echo(table(sweep))
    if folder is not None:
        say(f"\ntable:  {folder / JSON_FILE}\nfigure: {folder / FIGURE}.svg")


def parse_bits(option: str, text: str) -> list[int]:
    """Read ``2-16``, ``2,4,8``, both mixed, or ``none`` (an empty list).

    Raises
    ------
    InputError : anything else, or more than 64 bits.
    """
    if text.strip() == "none":
        return []
    bits: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first, first]
        if not all(end.strip().isascii() and end.strip().isdecimal() and len(end) < 4 for end in ends):
            raise InputError(field=option, found=text, expected="bits such as 2-16 or 2,4,8, or none")
        low, high = map(int, ends)
        if low > high or high > 64:
            raise InputError(field=option, found=text, expected="bits from low to high, 64 at most")
        bits += range(low, high + 1)
    return bits


def table(sweep: "NumericsSweep") -> str:
    """The rows in at most 80 columns."""
    from sfnhw.reports.few_samples import few_samples_text

    head = ["bits", "accuracy", "as real", "output error", "overflows", "what is varied"]
    rows = []
    for row in sweep.rows:
        accuracy = "unknown" if row.accuracy is None else f"{100 * row.accuracy:.2f} %"
        what = row.field.replace("_", " ")
        what += f", {row.overflow}" if row.field == "accumulator_bits" else ""
        what += " (the chip's own)" if row.own else ""
        error = f"{100 * row.output_error:.3g} %"
        rows.append([str(row.value), accuracy, f"{100 * row.agreement:.2f} %", error, f"{row.overflows:,}", what])
    lines = [columns(head, rows, [True] * 5), ""]
    lines += [f"{field.replace('_', ' ')}: {why}" for field, why in sweep.skipped.items()]
    if sweep.real_accuracy is not None:
        lines.append(f"real-valued arithmetic: {100 * sweep.real_accuracy:.2f} %")
    if sweep.ann_accuracy is not None:
        lines.append(f"trained network, as its conversion recorded it: {100 * sweep.ann_accuracy:.2f} %")
    lines.append("as real: share of inferences with the answer of real-valued arithmetic")
    few = few_samples_text([row.accuracy for row in sweep.rows if row.accuracy is not None], sweep.samples)
    lines += [f"accuracy {few}"] if few else []
    return "\n".join(lines)


def _check_folder(folder: Path) -> None:
    """Refuse, before long work, a folder that cannot be made or written."""
    import os

    above = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not above.is_dir():
        raise InputError("is a file", where=Where(above), expected="a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError("cannot be written", where=Where(above), expected="a folder that you may write to")


def _save(sweep: "NumericsSweep", folder: Path, name: str) -> None:
    from sfnhw.files import replace_file, write_text
    from sfnhw.reports.image import write_image
    from sfnhw.reports.numerics import numerics_figure

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / JSON_FILE, json.dumps(sweep.as_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    figure = numerics_figure(sweep.as_json(), name)
    for suffix in ("svg", "png"):
        replace_file(folder / f"{FIGURE}.{suffix}", partial(write_image, figure, suffix=suffix))
