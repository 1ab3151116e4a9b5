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


@click.command("codings")
@as_json
def command(as_json: bool) -> None:
    """List the neuron codings: timesteps, payload, what a spike is, what its threshold unit needs."""
    from sfnhw.neurons import CODINGS

    rows = [_row(example(kind)) for kind in CODINGS]
    if as_json:
        print_json({"size": SIZE, "codings": rows})
        return
    table = [
        [row["kind"], str(row["timesteps"]), str(row["payload_bits"]), row["threshold_unit"], row["title"]]
        for row in rows
    ]
    note = (
        f"T, payload (bits beside the address) and unit are for N, T or b = {SIZE}, unsigned, on a 24-bit accumulator."
    )
    click.echo(columns(["coding", "T", "payload", "threshold unit", "what a spike is"], table, [False, True, True]))
    click.echo("\n" + fill(note, WIDTH) + "\n\nsources")
    click.echo(columns(["coding", "source"], [[row["kind"], row["source"]] for row in rows]))


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


def _row(coding: "Coding") -> dict[str, Any]:
    from dataclasses import asdict

    from sfnhw.numerics import Numerics

    need = coding.need()
    return {
        "kind": coding.kind,
        "title": coding.title,
        "timesteps": coding.timesteps,
        "levels": coding.max_level,
        "payload_bits": coding.payload_bits(Numerics()),
        "threshold_unit": _need_text(need),
        "need": asdict(need),
        "source": coding.source,
    }


def _need_text(need: Any) -> str:
    if need.kind == "bank":
        text = f"{need.thresholds} threshold" + ("s" if need.thresholds > 1 else "")
        text += f", {need.spacing}" if need.thresholds > 1 else ""
    else:
        text = {"requantise": "multiply, shift", "none": "none"}[need.kind]
    text += ", leak multiply" if need.leaks else ""
    return text + (", keeps state" if need.keeps_residual else "")
