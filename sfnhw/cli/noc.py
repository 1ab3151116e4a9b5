"""`sfnhw noc`: synthetic traffic on a network-on-chip."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sfnhw.cli.compiling import tell_of_compiling
from sfnhw.cli.noc_options import NETWORK_OPTIONS, parse_hotspots, parse_size
from sfnhw.cli.noc_text import burst_text, run_text, sweep_text
from sfnhw.cli.options import as_json, as_typed
from sfnhw.cli.output import Progress, check_file, print_json, say
from sfnhw.errors import InputError

if TYPE_CHECKING:
    from sfnhw.sim.noc import NocSweep, Traffic

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
# What belongs to random traffic only, and what to a single run of it.
_RANDOM_ONLY, _SINGLE_ONLY = ("rate", "cycles", "warmup"), ("rate",)


def _network_options(function: Any) -> Any:
    for option in reversed(NETWORK_OPTIONS):
        function = option(function)
    return function


@click.command("noc", short_help="Latency and saturation of a network-on-chip by itself.")
@_network_options
@click.option(
    "--rate",
    default=0.1,
    show_default=True,
    type=float,
    metavar="R",
    help="Packets (not flits) per node and cycle (Bernoulli).",
)
@click.option(
    "--burst", type=int, metavar="B", help="Instead: every node sends B packets at once; prints the makespan."
)
@click.option("--sweep", "sweep_", is_flag=True, help="Instead: find saturation and print the latency-load curve.")
@click.option("--cycles", default=60_000, show_default=True, type=int, help="Cycles that are measured.")
@click.option("--warmup", default=10_000, show_default=True, type=int, help="Cycles before these.")
@click.option("--seed", default=0, show_default=True, type=int)
@click.option(
    "--fidelity",
    default="flit",
    show_default=True,
    metavar="F",
    help="`flit`: every flit, buffer and credit, cycle by cycle; `packet`: whole packets, event by event, "
    "where that is near enough; `auto`: packet, and flit near saturation.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --sweep: the figure (.png, .svg, .pdf), or a folder for noc.json, noc.svg and noc.png.",
)
@as_json
@click.pass_context
def command(
    context: click.Context,
    rate: float,
    burst: int | None,
    sweep_: bool,
    cycles: int,
    warmup: int,
    seed: int,
    fidelity: str,
    output: Path | None,
    as_json: bool,
    **network: Any,
) -> None:
    """Synthetic traffic on a network of virtual-channel routers.

    Latency runs from a packet's creation to the ejection of its last flit, the wait at its source included. The network
    is saturated where the mean is more than three times that of the empty network.
    """
    from sfnhw.sim.noc import simulate_burst, simulate_noc

    given = {name for name in context.params if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    _check_mode(burst is not None, sweep_, output, given)
    tell_of_compiling()
    flags = {name: "--" + name.replace("_", "-") for name in context.params}
    with as_typed(flags | {"columns": "--size", "rows": "--size"}):
        traffic = _traffic(network)
        if burst is not None:
            result = simulate_burst(traffic, burst, seed=seed, fidelity=fidelity)
        elif sweep_:
            _sweep(traffic, cycles, warmup, seed, fidelity, output, as_json)
            return
        else:
            progress = Progress()
            bar = partial(progress, "cycles")
            result = simulate_noc(
                traffic, rate, cycles=cycles, warmup=warmup, seed=seed, fidelity=fidelity, progress=bar
            )
            progress.clear()
    if as_json:
        print_json(result.as_json())
        return
    click.echo(run_text(result) if burst is None else burst_text(result))


def _check_mode(burst: bool, sweep: bool, output: Path | None, given: set[str]) -> None:
    if burst and sweep:
        raise InputError("a burst has no rate to sweep", field="--sweep", expected="--burst or --sweep")
    for name in _RANDOM_ONLY if burst else _SINGLE_ONLY if sweep else ():
        if name in given:
            mode = "--burst" if burst else "--sweep"
            raise InputError(f"has no meaning with {mode}", field=f"--{name}", expected="one of the two")
    if output is None:
        return
    if not sweep:
        raise InputError("is for the curve", field="--output", expected="--sweep with it")
    if output.suffix:
        check_file(output, FIGURE_SUFFIXES)
    elif output.exists() and not output.is_dir():
        raise InputError("is a file", field="--output", found=str(output), expected="a folder, or a figure's file")


def _traffic(network: dict[str, Any]) -> "Traffic":
    from sfnhw.sim.noc import NocConfig, Traffic

    columns, rows = parse_size("--size", network.pop("size"))
    block = network.pop("concentration")
    across, down = parse_size("--concentration", block) if block else (0, 0)
    pattern, hotspots = network.pop("pattern"), parse_hotspots(network.pop("hotspot"))
    config = NocConfig(columns=columns, rows=rows, concentration_columns=across, concentration_rows=down, **network)
    return Traffic(config, pattern, hotspots)


def _sweep(
    traffic: "Traffic", cycles: int, warmup: int, seed: int, fidelity: str, output: Path | None, as_json: bool
) -> None:
    from sfnhw.sim.noc import sweep

    progress = Progress()
    curve = sweep(traffic, cycles=cycles, warmup=warmup, seed=seed, fidelity=fidelity, progress=progress)
    progress.clear()
    if output is not None:
        _save(curve, output)
    if as_json:
        print_json(curve.as_json())
    else:
        click.echo(sweep_text(curve))
    if output is not None:
        say(f"wrote {output}")


def _save(curve: "NocSweep", output: Path) -> None:
    import json

    from sfnhw.files import replace_file, write_text
    from sfnhw.reports.image import write_image
    from sfnhw.reports.noc import noc_figure

    figure = noc_figure(curve.as_json())
    if output.suffix:
        replace_file(output, partial(write_image, figure, suffix=output.suffix[1:]))
        return
    write_text(output / "noc.json", json.dumps(curve.as_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    for suffix in ("svg", "png"):
        replace_file(output / f"noc.{suffix}", partial(write_image, figure, suffix=suffix))
