"""The `.sfn` file: a safetensors body (no pickle, nothing is executed) with a versioned JSON header.

Header key `sfnhw` holds JSON: ``format`` ("sfnhw.network"), ``version`` (1), ``name``, ``metadata``, ``populations``
and ``projections`` (each as its `config()`). Tensors are named ``population/<i>/<field>`` and
``projection/<i>/<field>``, so a name given by a user is never a key.
"""

import json
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError, NetworkError, Where, nearest
from sfnhw.files import replace_file
from sfnhw.network.network import Network
from sfnhw.network.population import Population
from sfnhw.network.projections import PROJECTIONS, Projection
from sfnhw.neurons import coding_from_config

FORMAT, VERSION = "sfnhw.network", 1
MOST_DEPTH, MOST_NEURONS = 50, 2**40


def save_network(network: Network, path: str | Path) -> Path:
    """Write beside, then rename: a reader never sees half a file."""
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {}
    for i, p in enumerate(network.populations):
        tensors[f"population/{i}/scale"] = p.scale
        if p.bias is not None:
            tensors[f"population/{i}/bias"] = p.bias
        for key, value in p.statistics.items():
            tensors[f"population/{i}/statistics/{key}"] = np.asarray(value, float)
    for i, q in enumerate(network.projections):
        tensors.update({f"projection/{i}/{key}": value for key, value in q.tensors().items()})
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "metadata": network.metadata,
        "populations": [p.config() for p in network.populations],
        "projections": [p.config() for p in network.projections],
    }
    text = json.dumps(header, allow_nan=False)
    ready = {k: np.ascontiguousarray(v) for k, v in tensors.items()}
    return replace_file(path, lambda beside: save_file(ready, str(beside), metadata={"sfnhw": text}))


def load_network(path: str | Path) -> Network:
    """Read a `.sfn` file.

    Raises
    ------
    NetworkError : no such file, not a safetensors file (truncated, pickled, ...), unknown version, a missing tensor,
        a wrong shape, a NaN.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise NetworkError(
            "is a folder" if path.is_dir() else "no such file", where=Where(path), expected="a network file (.sfn)"
        )
    try:
        with safe_open(str(path), framework="numpy") as body:
            metadata = body.metadata() or {}
            tensors = {key: body.get_tensor(key) for key in body.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise NetworkError(
            f"cannot be read as a network file ({str(error).splitlines()[0]}): truncated, or not written by sfnhw",
            where=Where(path),
        ) from None
    try:
        return _build(_header(metadata), tensors)
    except NetworkError as error:
        raise NetworkError(str(error), where=Where(path)) from None
    except InputError as error:
        raise NetworkError(str(error), where=Where(path)) from None
    except MemoryError:
        raise NetworkError("it describes more than this machine's memory holds", where=Where(path)) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise NetworkError(f"the header is malformed ({type(error).__name__}: {error})", where=Where(path)) from None


def _header(metadata: dict[str, str]) -> dict[str, Any]:
    if "sfnhw" not in metadata:
        raise NetworkError(
            "a safetensors file without an sfnhw header", expected=f"header key 'sfnhw' with format {FORMAT!r}"
        )
    try:
        header = json.loads(metadata["sfnhw"])
    except RecursionError:
        raise NetworkError("the header is nested too deeply") from None
    except ValueError as error:
        raise NetworkError(f"the header is not JSON ({error})") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise NetworkError(
            field="format", found=header.get("format") if isinstance(header, dict) else header, expected=repr(FORMAT)
        )
    if header.get("version") != VERSION or type(header["version"]) is not int:
        raise NetworkError("unknown version", field="version", found=header.get("version"), expected=str(VERSION))
    _check_header(header)
    return header


def _check_header(header: dict[str, Any]) -> None:
    """Raise NetworkError where the header's values are not of their kind, or are no text that can be written again."""
    for key, kind, what in (("name", str, "a text"), ("metadata", dict, "an object")):
        if not isinstance(header.get(key), kind):
            raise NetworkError(field=key, found=header.get(key), expected=what)
    for key in ("populations", "projections"):
        if not isinstance(header.get(key), list) or not all(isinstance(item, dict) for item in header[key]):
            raise NetworkError(field=key, found=header.get(key), expected="a list of objects")
    for i, config in enumerate(header["populations"]):
        shape, name = config.get("shape"), config.get("name")
        if not isinstance(name, str):
            raise NetworkError(field=f"populations[{i}].name", found=name, expected="a text")
        if not isinstance(shape, list) or not all(type(n) is int and 0 < n <= MOST_NEURONS for n in shape):
            raise NetworkError(field=f"population {name!r}.shape", found=shape, expected="a list of whole numbers ≥ 1")
        if type(config.get("bias")) is not bool:
            raise NetworkError(field=f"population {name!r}.bias", found=config.get("bias"), expected="true or false")
    for i, config in enumerate(header["projections"]):
        for key, value in config.items():
            numbers = value if isinstance(value, list) else [value]
            if any(isinstance(n, bool) for n in numbers):
                raise NetworkError(field=f"projections[{i}].{key}", found=value, expected="numbers, not true or false")
    accuracy = header["metadata"].get("ann_accuracy")
    if accuracy is not None and (type(accuracy) not in (int, float) or not 0 <= accuracy <= 1):
        raise NetworkError(field="metadata.ann_accuracy", found=accuracy, expected="a number from 0 to 1, or null")
    _check_values(header, "header", 0)


def _check_values(value: Any, where: str, depth: int) -> None:
    """Text without halves of surrogate pairs, finite numbers, no deep nesting: what JSON and UTF-8 hold again."""
    if depth > MOST_DEPTH:
        raise NetworkError("the header is nested too deeply", expected=f"at most {MOST_DEPTH} levels")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise NetworkError("half of a surrogate pair is not a character", field=where, found=value)
    if isinstance(value, float) and not isfinite(value):
        raise NetworkError(field=where, found=value, expected="a finite number")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        _check_values(key, where, depth)
        _check_values(item, f"{where}.{key}" if where != "header" else str(key), depth + 1)


def _build(header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Network:
    left = dict(tensors)

    def take(key: str, whose: str) -> NDArray[Any]:
        if key not in left:
            raise NetworkError(f"tensor {key!r} ({whose}) is missing")
        return left.pop(key)

    populations = []
    for i, config in enumerate(header["populations"]):
        prefix, name = f"population/{i}/", config.get("name")
        statistics = {
            k.removeprefix(prefix + "statistics/"): left.pop(k)
            for k in list(left)
            if k.startswith(prefix + "statistics/")
        }
        populations.append(
            Population(
                name=name,
                shape=tuple(config["shape"]),
                coding=coding_from_config(config["coding"], f"population {name!r}.coding"),
                scale=take(prefix + "scale", f"scale of population {name!r}"),
                role=config["role"],
                function=config["function"],
                bias=take(prefix + "bias", f"bias of population {name!r}") if config["bias"] else None,
                statistics=statistics,
                epsilon=config.get("epsilon", 0.0),
            )
        )
    projections: list[Projection] = []
    for i, config in enumerate(header["projections"]):
        kind = config.get("kind")
        if kind not in PROJECTIONS:
            known = list(PROJECTIONS)
            raise NetworkError(
                field=f"projections[{i}].kind",
                found=kind,
                expected=f"one of {', '.join(known)}{nearest(str(kind), known)}",
            )
        cls = PROJECTIONS[kind]
        whose = f"{kind} {config.get('source')!r} → {config.get('target')!r}"
        arrays: dict[str, Any] = {key: take(f"projection/{i}/{key}", whose) for key in cls.tensor_fields}
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k != "kind"}
        projections.append(cls(**plain, **arrays))
    if left:
        raise NetworkError("a tensor that the header knows nothing of", found=sorted(left)[0])
    return Network(tuple(populations), tuple(projections), header["name"], header["metadata"])
