"""A torch module from the user's own Python file, with weights from a safetensors file. Nothing is unpickled."""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sfnhw.cli.output import say
from sfnhw.errors import ConversionError, Where, nearest

if TYPE_CHECKING:
    import torch

SYNTAX = "FILE.py:FUNCTION, a function without arguments that returns a torch.nn.Module"


def split_spec(spec: str) -> tuple[Path, str]:
    """Split ``FILE.py:FUNCTION``; raises ConversionError where it is not that, or where there is no such file."""
    name, colon, function = spec.rpartition(":")
    if not colon or not name or not function.isidentifier():
        raise ConversionError(field="MODULE", found=spec, expected=SYNTAX)
    path = Path(name)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise ConversionError(what, where=Where(path), expected=SYNTAX)
    return path, function


def load_user_module(spec: str, weights: Path | None = None) -> "torch.nn.Module":
    """Run the user's file, call the function, load the weights, and return the module in eval mode, saying so where it was not.

    Raises
    ------
    ConversionError : no such file or function, an error inside it (with its line), a result that is no module, or
        weights that cannot be read or do not fit.
    """
    import torch

    path, name = split_spec(spec)
    module_of_file = _run_file(path)
    if not callable(getattr(module_of_file, name, None)):
        known = [k for k, v in vars(module_of_file).items() if callable(v) and not k.startswith("_")]
        raise ConversionError(f"no function {name!r} in it{nearest(name, known)}", where=Where(path), expected=SYNTAX)
    try:
        module = getattr(module_of_file, name)()
    except Exception as error:
        raise ConversionError(f"{name}() raised {_text(error)}", where=_where(error, path)) from None
    if not isinstance(module, torch.nn.Module):
        found = type(module).__name__
        raise ConversionError(
            where=Where(path), field=f"the result of {name}()", found=found, expected="a torch.nn.Module"
        )
    if weights is not None:
        _load_weights(module, weights)
    if module.training:
        say(f"{path}: {name}() returned a module in training mode; it is converted in eval mode")
    return module.eval()


def _run_file(path: Path) -> ModuleType:
    """Import a file under a name of its own, with its folder on the path as `python FILE.py` has it."""
    name = f"_sfnhw_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConversionError("not a Python file", where=Where(path), expected=SYNTAX)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        where = Where(path, error.lineno, error.offset)
        raise ConversionError(f"not valid Python ({error.msg})", where=where) from None
    except SystemExit as error:
        raise ConversionError(f"it left with exit code {error.code} when it was imported", where=Where(path)) from None
    except Exception as error:
        raise ConversionError(f"it raised {_text(error)} when it was imported", where=_where(error, path)) from None
    return module


def _load_weights(module: "torch.nn.Module", path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    where = Where(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise ConversionError(what, where=where, expected="weights in a .safetensors file")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ConversionError(
            f"cannot be read ({str(error).splitlines()[0]})", where=where, expected="weights in a .safetensors file"
        ) from None
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise ConversionError(
            f"the weights do not fit the module: {reasons[0].rstrip('.')}{more}", where=where
        ) from None


def _text(error: Exception) -> str:
    lines: list[Any] = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _where(error: Exception, path: Path) -> Where:
    """Return the last line of the user's own file that the error passed through."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == path.resolve()]
    return Where(path, own[-1].lineno if own else None)
