"""`sfnhw codings`: how values become spikes, and what each way asks of the hardware."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from sfnhw.cli.columns import WIDTH, columns
from sfnhw.cli.options import as_json
from sfnhw.cli.output import print_json

if TYPE_CHECKING:
    from sfnhw.neurons import Coding

SIZE = 8  # N thresholds, T steps or b bits of the examples
# Of the kinds of one coding that are listed apart.
TITLES = {"mtn": "level among N uniform thresholds", "mtn 2^k": "level among N powers of two"}


@click.command("codings", short_help="List the ways to spike and what each asks of the chip.")
@as_json
def command(as_json: bool) -> None:
    """List the neuron codings: timesteps, payload, what a spike is, what its threshold unit needs."""
    rows = [_row(name, coding) for name, coding in examples().items()]
    if as_json:
        print_json({"size": SIZE, "codings": rows})
        return
    table = [
        [
            row["name"],
            str(row["timesteps"]),
            str(row["payload_bits"]),
            row["packets"],
            row["threshold_unit"],
            row["title"],
        ]
        for row in rows
    ]
    head = ["coding", "T", "payload", "packets", "threshold unit", "what a spike is"]
    click.echo(columns(head, table, [False, True, True, True]))
    notes = (
        f"For N, T or b = {SIZE}, unsigned, on a 24-bit accumulator. payload: bits of a spike beside its address; a "
        "negative branch adds a sign bit to all but graded, and a comparison with the other sign. packets: sent for one "
        "value, over all T. threshold unit: what it compares with at each update.",
        "docs/codings.md draws and explains each.",
    )
    for note in notes:
        click.echo("\n" + fill(note, WIDTH))
    kinds = [row for row in rows if row["name"] == row["kind"]]
    click.echo("\n" + columns(["coding", "stands for"], [[row["name"], row["stands_for"]] for row in kinds]))
    click.echo("\n" + columns(["coding", "source"], [[row["name"], row["source"]] for row in kinds]))


def examples() -> dict[str, "Coding"]:
    """Return every coding by name, with `SIZE` levels, steps or bits, and the power-of-two kind of `mtn`."""
    from sfnhw.neurons import CODINGS, MTN

    out: dict[str, Coding] = {}
    for kind in CODINGS:
        out[kind] = example(kind)
        if kind == "mtn":
            out["mtn 2^k"] = MTN(SIZE, spacing="power-of-two", rounding="nearest")
    return out


def example(kind: str) -> "Coding":
    """Return a coding of its kind with `SIZE` levels, steps or bits."""
    from dataclasses import MISSING, fields

    from sfnhw.neurons import CODINGS

    cls: Any = CODINGS[kind]
    if hasattr(cls, "uniform"):
        coding: Coding = cls.uniform(SIZE)
        return coding
    required = [f.name for f in fields(cls) if f.init and f.default is MISSING and f.default_factory is MISSING]
    return cls(**dict.fromkeys(required, SIZE))


def _row(name: str, coding: "Coding") -> dict[str, Any]:
    from dataclasses import asdict

    from sfnhw.numerics import Numerics

    return {
        "name": name,
        "kind": coding.kind,
        "title": TITLES.get(name, coding.title),
        "stands_for": coding.stands_for,
        "timesteps": coding.timesteps,
        "levels": coding.max_level,
        "payload_bits": coding.payload_bits(Numerics()),
        "packets": "1" if coding.sends_zero else f"0-{coding.most_packets}",
        "threshold_unit": _need_text(coding.need()),
        "need": asdict(coding.need()),
        "config": coding.config(),
        "source": coding.source,
    }


def _need_text(need: Any) -> str:
    if need.kind == "bank":
        text = f"{need.thresholds} {need.spacing}" if need.thresholds > 1 else "1"
    else:
        text = {"requantise": "multiply, shift", "none": "none"}[need.kind]
    text += ", leaks" if need.leaks else ""
    return text + (", keeps v" if need.keeps_residual else "")
