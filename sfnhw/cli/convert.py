"""`sfnhw convert`: a trained torch module to a network file."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import click

from sfnhw.cli.output import check_file, say
from sfnhw.errors import ConversionError, Where


@click.command("convert")
@click.argument("source", metavar="FILE.py:FUNCTION")
@click.option(
    "--calibration", required=True, type=click.Path(path_type=Path), metavar="FILE.npz", help="Typical inputs."
)
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE.safetensors", help="State for the module.")
@click.option("--coding", default="sfn", show_default=True, help="Neuron coding (see `sfnhw codings`).")
@click.option("--thresholds", default=8, show_default=True, type=click.IntRange(1), help="N, for sfn and mtn.")
@click.option("--timesteps", type=click.IntRange(1), help="T, for if.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NET.sfn")
def command(
    source: str,
    calibration: Path,
    weights: Path | None,
    coding: str,
    thresholds: int,
    timesteps: int | None,
    output: Path,
) -> None:
    """Convert the torch module that FUNCTION in FILE.py returns.

    FILE.py is your own code and is run. Weights are read from safetensors only: nothing is unpickled.
    """
    from sfnhw.inputs import load_inputs

    check_file(output, (".sfn",))
    given = load_inputs(calibration)
    module = _module(source)
    if weights is not None:
        _load_weights(module, weights)
    from sfnhw.convert import convert

    options: dict[str, Any] = {"thresholds": thresholds} if coding in ("sfn", "mtn") else {}
    if timesteps is not None:
        options["timesteps"] = timesteps
    network = convert(module.eval(), given.inputs, labels=given.labels, coding=coding, **options)
    network.save(output)
    say(f"{output}: {len(network.populations)} populations, {network.parameters:,} parameters, {network.macs:,} MACs")


def _module(source: str) -> Any:
    path_text, colon, name = source.rpartition(":")
    path = Path(path_text)
    if not colon or not name.isidentifier():
        raise ConversionError(
            field="FILE.py:FUNCTION", found=source, expected="a Python file, a colon, and a function in it"
        )
    if not path.is_file():
        raise ConversionError("no such file", where=Where(path), expected="a Python file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConversionError("cannot be run", where=Where(path), expected="a Python file (.py)")
    loaded = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(loaded)
        function = getattr(loaded, name, None)
        if not callable(function):
            known = [n for n, v in vars(loaded).items() if callable(v) and not n.startswith("_")]
            raise ConversionError(
                "no such function", where=Where(path), found=name, expected=f"one of {', '.join(known)}"
            )
        module = function()
    except ConversionError:
        raise
    except Exception as error:
        raise ConversionError(f"your code raised {type(error).__name__}: {error}", where=Where(path)) from None
    finally:
        sys.path.pop(0)
    import torch

    if not isinstance(module, torch.nn.Module):
        raise ConversionError(
            f"{name}() does not return a module",
            where=Where(path),
            found=type(module).__name__,
            expected="a torch.nn.Module",
        )
    return module


def _load_weights(module: Any, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ConversionError("no such file", where=Where(path), expected="weights (.safetensors)")
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        text = " ".join(str(error).split())[:300]
        raise ConversionError(f"cannot be loaded into the module ({text})", where=Where(path)) from None
