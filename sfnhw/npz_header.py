"""The versioned JSON header of our .npz files: UTF-8 JSON as bytes under the key ``header``; nothing is pickled."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError

KEY = "header"


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
