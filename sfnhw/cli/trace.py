"""`sfnhw trace`: what happened when, of a run that logged its events."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from sfnhw.cli.options import as_json
from sfnhw.cli.output import check_file, print_json, say
from sfnhw.errors import InputError, nearest

if TYPE_CHECKING:
    from sfnhw.reports.event_file import EventFile


@click.command("trace", short_help="What happened when: a Perfetto trace of a run's event log.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--layer", "layers", multiple=True, metavar="NAME", help="Packets and work of this layer; more than once."
)
@click.option(
    "--core", "cores", multiple=True, type=click.IntRange(0), metavar="C", help="At this core; more than once."
)
@click.option("--cycles", metavar="A:B", help="Events that begin in cycles A to B (B excluded).")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="[default: DIR/trace.json.gz]")
@as_json
def command(
    folder: Path,
    layers: tuple[str, ...],
    cores: tuple[int, ...],
    cycles: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write a Perfetto trace of a run that `sfnhw estimate --events` saved in DIR, and print a table by layer.

    Open ui.perfetto.dev in a browser and drop the file on it.
    """
    from sfnhw.files import replace_file
    from sfnhw.reports.event_file import read_events
    from sfnhw.reports.perfetto import write_perfetto
    from sfnhw.reports.run_folder import EVENT_FILE, load_run_json
    from sfnhw.reports.terminal import plain, wrapped
    from sfnhw.reports.trace_rows import inference_row, layer_names, layer_rows
    from sfnhw.reports.trace_text import trace_text

    load_run_json(folder)
    if not (folder / EVENT_FILE).is_file():
        raise InputError(f"no {EVENT_FILE} in it", field="DIR", found=str(folder), expected="a run with --events")
    output = output or folder / "trace.json.gz"
    check_file(output, (".json", ".gz"))
    file = read_events(folder / EVENT_FILE)
    chosen = _chosen(file, layers, cores, cycles)
    replace_file(output, lambda beside: write_perfetto(file, chosen, beside))
    log = file.log
    # Events of a layer's packets at other layers, and of other layers' at it, are chosen with it: those rows would be torsos.
    asked = layers or log.only
    rows, inference = layer_rows(file, chosen, asked), inference_row(file, chosen)
    left_out = [] if asked is None else [name for name in layer_names(file, chosen) if name not in asked]
    if as_json:
        print_json(
            {
                "sample": log.sample,
                "clock_mhz": file.clock_mhz,
                "logged": len(log),
                "in_all": log.events_in_all,
                "in_trace": int(chosen.sum()),
                "inference": inference,
                "log_is_of": log.only,
                "layers": rows,
                "layers_left_out": left_out,
                "trace": str(output),
            }
        )
        return
    click.echo(f"{file.network} on {file.chip}, inference {log.sample}; cycles of {file.clock_mhz:g} MHz\n")
    click.echo(trace_text(rows, inference))
    if left_out:
        many = f"{len(left_out)} other layer{'s' * (len(left_out) != 1)}"
        click.echo(f"\n{many} left out: the trace has only what they share with those above")
    if log.only is not None:
        say("\n".join(wrapped(f"the log is of {', '.join(map(plain, log.only))} alone (--event-layer)")))
    if log.events_in_all > len(log):
        say(f"\nthe log is cut short: the first {len(log):,} of {log.events_in_all:,} events (--event-limit)")
    say(f"\nwrote {int(chosen.sum()):,} events: {output}\nopen ui.perfetto.dev in a browser and drop the file on it")


def _chosen(
    file: "EventFile", layers: tuple[str, ...], cores: tuple[int, ...], cycles: str | None
) -> NDArray[np.bool_]:
    """Which events are asked for; raises InputError where that is none."""
    from sfnhw.sim.event_records import BARRIER

    c = file.log.columns
    chosen, within = np.ones(len(file.log), np.bool_), np.ones(len(file.log), np.bool_)
    if layers:
        for name in layers:
            if name not in file.log.layers:
                expected = f"one of {', '.join(file.log.layers)}{nearest(name, list(file.log.layers))}"
                raise InputError("no such layer in the log", field="--layer", found=name, expected=expected)
        wanted = [file.log.layers.index(name) for name in layers]
        chosen &= np.isin(c["layer"], wanted) | np.isin(c["target_layer"], wanted)
    if cores:
        if max(cores) > file.cores:
            raise InputError(field="--core", found=max(cores), expected=f"0 to {file.cores} (the last one is the pins)")
        chosen &= np.isin(c["core"], cores)
    if cycles is not None:
        first, colon, last = cycles.partition(":")
        if not (colon and first.strip().isdecimal() and last.strip().isdecimal() and int(first) < int(last)):
            raise InputError(field="--cycles", found=cycles, expected="two whole numbers A:B with A < B")
        within = (c["begin_cycle"] >= int(first)) & (c["begin_cycle"] < int(last))
        chosen &= within
    if not chosen.any():
        text = f"none of the {len(file.log):,} logged events is of that"
        raise InputError(text, field="--layer, --core, --cycles", expected="a choice that leaves one")
    # Barriers are of no layer and of no core: all wait for them.
    return chosen | within & (c["event"] == BARRIER)
