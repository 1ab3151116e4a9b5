"""`sfnhw map`: which core holds what, how full the cores are, and the routes between them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sfnhw.cli.chip_options import set_option, with_settings
from sfnhw.cli.columns import WIDTH, columns
from sfnhw.cli.compiling import tell_of_compiling
from sfnhw.cli.options import as_json, as_typed, chip_option, network_argument, objective_option, optional_inputs_option
from sfnhw.cli.output import Progress, check_file, print_json, say
from sfnhw.errors import InputError, MappingError, SfnhwError

if TYPE_CHECKING:
    from sfnhw.chip import Chip
    from sfnhw.mapping import Verification
    from sfnhw.network import Network


@click.command("map", short_help="Put a network's layers on the cores of a chip.")
@network_argument
@chip_option
@set_option
@click.option(
    "--placer", default="hilbert", show_default=True, metavar="NAME", help="How slices are laid out over the cores."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the placers that draw or search."
)
@objective_option
@optional_inputs_option
@click.option(
    "--moves",
    type=click.IntRange(0),
    metavar="N",
    help="Moves that `annealed` may try, and then each run of `annealed-balanced`.",
)
@click.option(
    "--pin",
    "pin_texts",
    multiple=True,
    metavar="LAYER=CORE[,CORE..]",
    help="Put a layer's slices on these cores, in order; LAYER[i] is one of them.",
)
@click.option(
    "--split",
    "split_texts",
    multiple=True,
    metavar="LAYER=CHANNELSxROWS",
    help="Cut a layer into so many parts of its channels × parts of its rows.",
)
@click.option(
    "--placement",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML or JSON with `placement:`, the cores of every layer, instead of a placer.",
)
@click.option(
    "--timesteps", type=click.IntRange(1), metavar="T", help="Of a network whose T follows its inputs (from NIR)."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Save it, for `sfnhw estimate --mapping`.",
)
@click.option("--verify", "verified", is_flag=True, help="Derive from scratch what must hold, and say whether it does.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    network_path: Path,
    chip: str,
    settings: tuple[str, ...],
    placer: str,
    seed: int,
    objective: str,
    inputs_path: Path | None,
    moves: int | None,
    pin_texts: tuple[str, ...],
    split_texts: tuple[str, ...],
    placement: Path | None,
    timesteps: int | None,
    output: Path | None,
    verified: bool,
    as_json: bool,
) -> None:
    """Map NETWORK (a .sfn file) on a chip: cut layers into slices, place them, route their packets.

    Where it does not fit, the error says which limit of which layer is short, by how much, what the demand is made of, and
    what would make it fit; with --json also as an object, with `fits: false`.

    With --inputs, traffic and work are weighed by what spikes on them; else as if each neuron sent one packet an inference.
    """
    from sfnhw.inputs import load_inputs
    from sfnhw.mapping import map_network, verify
    from sfnhw.mapping.summary import summary
    from sfnhw.network import Network
    from sfnhw.record import record_on_chip
    from sfnhw.timesteps import fitted

    if output is not None:
        check_file(output, (".npz",))
    if placement is not None and context.get_parameter_source("placer") is not ParameterSource.DEFAULT:
        raise InputError("says where everything is", field="--placement", expected="--placer or --placement, not both")
    pins, splits = _pins(pin_texts), _splits(split_texts)
    target = with_settings(chip, settings)
    inputs = load_inputs(inputs_path).inputs if inputs_path else None
    network = _over(Network.load(network_path), timesteps)
    network = fitted(network, inputs) if timesteps is None and inputs is not None else network
    activity = None if inputs is None else record_on_chip(network, target, inputs).activity
    with _told(network, target, pins, splits, as_json) as progress:
        mapping = map_network(
            network,
            target,
            placer=placer,
            objective=objective,
            activity=activity,
            seed=seed,
            moves=moves,
            pins=pins or None,
            placement=placement,
            splits=splits,
            progress=progress,
        )
    found = verify(mapping) if verified else None
    # What does not hold is told, and not kept.
    kept = output if found is None or found.ok else None
    if kept is not None:
        mapping.save(kept)
    _print(summary(mapping, activity), objective, found, kept, as_json)
    if found and not found.ok:
        raise SfnhwError(f"the mapping is not valid, and not saved: {len(found.violations)} violations")


@contextmanager
def _told(
    network: "Network", chip: "Chip", pins: Mapping[str, Any], splits: Mapping[str, Any], as_json: bool
) -> Iterator[Callable[[int, int], None]]:
    """Show progress; name the options as they were typed; what does not fit is a result, also as JSON."""
    progress = Progress()
    tell_of_compiling()
    typed = {name: f"--{name}" for name in ("placer", "objective", "seed", "moves", "placement")} | {"pins": "--pin"}
    typed |= {f"pins.{layer}": f"--pin {layer}" for layer in pins}
    typed |= {f"splits.{layer}": f"--split {layer}" for layer in splits}
    try:
        with as_typed(typed):
            yield lambda done, total: progress("place", done, total)
    except MappingError as error:
        progress.clear()
        if as_json:
            print_json({"fits": False, "network": network.name, "chip": chip.name, **error.as_json()})
        raise
    finally:
        progress.clear()


def _print(
    about: dict[str, Any], objective: str, found: "Verification | None", kept: Path | None, as_json: bool
) -> None:
    """Print a mapping's summary, and what was verified."""
    if as_json:
        told = {"verification": found.as_json() if found else None, "file": str(kept) if kept else None}
        print_json({"fits": True, "objective": objective, **about, **told})
    else:
        click.echo(_text(about, objective))
        if found:
            click.echo("\n" + (fill(found.summary(), WIDTH) if found.ok else found.summary()))
    if kept is not None:
        say(f"\nmapping: {kept}")


def _over(network: "Network", timesteps: int | None) -> "Network":
    """Return the network over T timesteps, where that is open."""
    from sfnhw.timesteps import OPEN, with_timesteps

    if timesteps is None or timesteps == network.timesteps:
        return network
    if not network.metadata.get(OPEN):
        expected = f"{network.timesteps}, which it was made for"
        raise InputError(
            "the network's T does not follow its inputs", field="--timesteps", found=timesteps, expected=expected
        )
    return with_timesteps(network, timesteps)


def _pins(texts: tuple[str, ...]) -> dict[str, list[int]]:
    return _numbers("--pin", texts, ",", "LAYER=CORE[,CORE..] such as conv1=3,4")


def _splits(texts: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    expected = "LAYER=CHANNELSxROWS such as conv1=2x1"
    found = _numbers("--split", texts, "x", expected)
    for text, numbers in zip(texts, found.values(), strict=True):
        if len(numbers) != 2:
            raise InputError(field="--split", found=text, expected=expected)
    return {layer: (numbers[0], numbers[1]) for layer, numbers in found.items()}


def _numbers(option: str, texts: tuple[str, ...], between: str, expected: str) -> dict[str, list[int]]:
    """Read ``LAYER=NUMBERS`` texts."""
    found: dict[str, list[int]] = {}
    for text in texts:
        layer, equals, numbers = text.rpartition("=")
        layer, parts = layer.strip(), [part.strip() for part in numbers.split(between)]
        if not equals or not layer or not all(p.isascii() and p.isdigit() and len(p) < 10 for p in parts):
            raise InputError(field=option, found=text, expected=expected)
        if layer in found:
            raise InputError(f"{layer} is given twice", field=option, found=text, expected=f"one {option} for each")
        found[layer] = [int(part) for part in parts]
    return found


def _tables(tables: dict[str, Any]) -> str:
    if not tables["largest"]:
        return "multicast tables: none (unicast packets name their destination)"
    x, y = tables["router"]
    limit = "no limit" if tables["limit"] is None else f"of {tables['limit']:,}"
    return (
        f"multicast tables: {tables['largest']:,} entries at most ({limit}), in router ({x}, {y}); {tables['mean']:,.1f} on "
        f"average; {tables['keys']:,} of {tables['keys_limit']:,} route keys"
    )


def _text(found: dict[str, Any], objective: str) -> str:
    routes, tokens = found["routes"], found["tokens"]
    head = (
        f"{found['network']} on {found['chip']}: {found['cores_used']:,} of {found['cores']:,} cores, at "
        f"{found['routers_used']:,} of {found['routers']:,} routers, hold {found['slices']:,} slices "
        f"(inputs at the pins included); cut for {objective}, placed by {found['placer']}"
    )
    most = found["bottleneck"]
    bottleneck = (
        f"bottleneck: core {most['core']} ({', '.join(most['layers'])}), {most['cycles']:,.0f} cycles of its "
        f"{most['unit']} an inference"
    )
    links = (
        f"routes: {routes['trees']:,} trees over {routes['links']:,} links, the longest way {routes['longest_hops']} "
        f"links; ready tokens: {tokens['trees']:,} trees over {tokens['links']:,} links"
    )
    parts = [fill(head, WIDTH), _limits(found["limits"]), _layers(found["layers"])]
    parts += [_rounds(found["rounds"])] if found["rounds"] else []
    parts += [fill(text, WIDTH) for text in (bottleneck, links, _tables(found["tables"]))]
    return "\n\n".join([*parts, _bounds(found["bounds"], found["weighed_by"])])


def _rounds(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            f"{i:,}",
            f"{row['cores']:,}",
            f"{row['slices']:,}",
            f"{row['load_bits']:,}",
            f"{row['load_cycles']:,}",
            ", ".join(row["layers"]),
        ]
        for i, row in enumerate(rows, 1)
    ]
    note = "\n" + fill("larger than the chip: weights are loaded before each round, for each inference", WIDTH)
    return columns(["round", "cores", "slices", "bits to load", "cycles", "layers"], cells, [True] * 5) + note


def _limits(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            f"{row['capacity']:,}",
            f"{row['largest']:,} ({row['largest_share']:.0%})",
            f"{row['mean']:,.0f} ({row['mean_share']:.0%})",
            f"{row['unit']}, {row['field']}",
        ]
        for row in rows
    ]
    note = "\nlargest and mean over the cores that hold slices"
    return columns(["a core has", "largest", "mean", "limit"], cells, [True] * 3) + note


def _bounds(rows: list[dict[str, Any]], weighed: str) -> str:
    cells = [
        [
            f"{row['achieved']:,.0f}",
            f"{row['bound']:,.0f}",
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"{row['quantity']}",
        ]
        for row in rows
    ]
    note = (
        "the bound is what no placement of these slices can beat (cycles: nor any other cut); flits and cycles an "
        f"inference, weighed by {weighed}"
    )
    return columns(["achieved", "bound", "ratio", "of"], cells, [True] * 3) + "\n" + fill(note, WIDTH)


def _layers(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            f"{row['slices']:,}",
            f"{row['neurons']:,}",
            f"{row['weight_bits']:,}",
            "-" if row["cycles"] is None else f"{row['cycles']:,.0f}",
            _cores(row["cores"]),
            row["name"],
        ]
        for row in rows
    ]
    note = "\ncycles an inference of the unit that works longest for a slice of the layer"
    return columns(["slices", "neurons", "weight bits", "cycles", "on cores", "layer"], cells, [True] * 4) + note


def _cores(cores: list[int]) -> str:
    if not cores:
        return "pins"
    shown = ",".join(map(str, cores[:4]))
    return shown if len(cores) <= 4 else f"{shown},.. ({len(set(cores))})"
