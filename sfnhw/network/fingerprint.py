"""What tells two networks apart: a digest of each population and projection, and one of the whole."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sfnhw.network.network import Network

# Numbers hashed at a time, so that a large or broadcast array is never copied whole.
CHUNK = 1 << 20


def part_digests(network: "Network") -> dict[str, str]:
    """Return the sha256 of each population and projection, in their order, by what a message calls them.

    Names, shapes, codings, functions, scales, biases and weights count; calibration statistics and metadata do not.
    """
    parts: dict[str, str] = {}
    for p in network.populations:
        arrays = {"scale": p.scale} | ({} if p.bias is None else {"bias": p.bias})
        parts[f"population {p.name!r}"] = _digest(p.config(), arrays)
    for i, q in enumerate(network.projections):
        parts[f"projection {i} ({q.kind} {q.source!r} → {q.target!r})"] = _digest(q.config(), q.tensors())
    return parts


def whole_digest(parts: dict[str, str]) -> str:
    """Return the sha256 of a network from those of its parts."""
    return hashlib.sha256(json.dumps(list(parts.items()), ensure_ascii=True).encode()).hexdigest()


def _digest(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode())
    for name, array in sorted(arrays.items()):
        kind = "<i8" if array.dtype.kind in "iu" else "<f8"  # files and machines may differ in widths and byte order
        sha.update(f"{name}{array.shape}{kind}".encode())
        chunks = np.nditer(
            array,
            ["external_loop", "buffered", "zerosize_ok"],
            op_dtypes=kind,
            casting="same_kind",
            order="C",
            buffersize=CHUNK,
        )
        for chunk in chunks:
            sha.update(np.asarray(chunk).tobytes())
    return sha.hexdigest()
