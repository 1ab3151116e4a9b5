"""What `sfnhw export` notes in a NIR file's metadata, read with care: any program can write a NIR file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sfnhw.errors import NetworkError


def text(value: Any) -> str:
    """A text of an HDF5 file, which gives bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def number(notes: Mapping[str, Any], key: str, default: float | None = None) -> float:
    """A finite real number.

    Raises
    ------
    NetworkError : it is missing, and there is no default, or is another kind of value.
    """
    if key not in notes and default is not None:
        return default
    array = np.asarray(notes.get(key))
    if array.dtype.kind not in "fiub" or array.size != 1 or not np.isfinite(array).all():
        raise NetworkError(
            "missing from the file's metadata" if key not in notes else "",
            field=key,
            found=notes.get(key),
            expected="one finite number",
        )
    return float(array.reshape(-1)[0])


def whole(notes: Mapping[str, Any], key: str, default: float | None = None) -> int:
    """A whole number; raises NetworkError as `number` does."""
    found = number(notes, key, default)
    if found != int(found):
        raise NetworkError(field=key, found=found, expected="a whole number")
    return int(found)


def flag(notes: Mapping[str, Any], key: str, default: bool | None = None) -> bool:
    """0 or 1; raises NetworkError as `number` does."""
    found = number(notes, key, default)
    if found not in (0, 1):
        raise NetworkError(field=key, found=found, expected="0 or 1")
    return bool(found)
