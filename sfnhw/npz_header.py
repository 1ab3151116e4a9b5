"""The versioned JSON header of our .npz files: UTF-8 JSON as bytes under the key ``header``; nothing is pickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError, InputError
from sfnhw.files import replace_file

KEY = "header"


def write_npz(
    path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, Any], error: type[InputError] = InputError
) -> Path:
    """Write a header and arrays beside the file, then rename; returns its path.

    Raises
    ------
    InputError : a name that does not end in .npz (the given kind of error), or a folder that cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise error(field="output", found=path.name, expected="a name that ends in .npz")
    whole: dict[str, Any] = {KEY: header_array(header), **arrays}
    return replace_file(path, lambda beside: np.savez_compressed(beside, **whole))


def header_array(header: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return a header as the array that goes into the file."""
    return np.frombuffer(json.dumps(header, ensure_ascii=False, allow_nan=False).encode(), np.uint8)


def read_header(arrays: Mapping[str, NDArray[Any]], name: str, version: int, expected: str) -> dict[str, Any]:
    """Return the header of a file's arrays, whose ``format`` and ``version`` must be these.

    Raises
    ------
    ActivityError : no header, not JSON, another format or version; `expected` says what should be there.
    """
    if KEY not in arrays or arrays[KEY].dtype != np.uint8:
        raise ActivityError("no header", found=sorted(arrays)[:8], expected=expected)
    try:
        header = json.loads(arrays[KEY].tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise ActivityError(f"the header is not JSON ({error})", expected=expected) from None
    if not isinstance(header, dict) or header.get("format") != name:
        found = header.get("format") if isinstance(header, dict) else header
        raise ActivityError(field="format", found=found, expected=repr(name))
    if header.get("version") != version:
        raise ActivityError("unknown version", field="version", found=header.get("version"), expected=str(version))
    return header
