"""The inputs of a network, read from an .npz file. Nothing is unpickled."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError, Where, nearest

KEYS = ("inputs", "labels")


class LabelledInputs(NamedTuple):
    """Inputs (samples, *input shape), or (samples, T, *input shape) for events; labels (samples,) int64 or None."""

    inputs: NDArray[Any]
    labels: NDArray[np.int64] | None


def load_inputs(path: str | Path) -> LabelledInputs:
    """Read ``inputs`` and, where it is there, ``labels`` from an .npz file.

    Whether their shape is the network's is for `sfnhw.record` to say.

    Raises
    ------
    ActivityError : no such file, not an .npz file, a truncated or pickled one, a missing or misspelt key, numbers that
        are none, NaN, no samples, labels that are not one class index (≥ 0) a sample.
    """
    path = Path(path)
    arrays = read_npz(path)
    where = Where(path)
    if "inputs" not in arrays:
        near = nearest("inputs", list(arrays))
        expected = "an array named 'inputs' (samples × the network's input shape)"
        raise ActivityError(f"no key 'inputs'{near}", where=where, found=sorted(arrays), expected=expected)
    inputs = arrays["inputs"]
    _check_inputs(inputs, where)
    if "labels" not in arrays:
        # A misspelt 'labels' would silently cost the accuracy.
        near = nearest("labels", [key for key in arrays if key not in KEYS])
        if near:
            raise ActivityError(
                f"no key 'labels'{near}", where=where, found=sorted(arrays), expected="keys inputs and labels"
            )
        return LabelledInputs(inputs, None)
    return LabelledInputs(inputs, _checked_labels(arrays["labels"], len(inputs), where))


INPUTS_FILE = "an .npz file written by numpy.savez, with an array 'inputs'"


def read_npz(path: Path, expected: str = INPUTS_FILE) -> dict[str, NDArray[Any]]:
    """Read all arrays of an .npz file; nothing is unpickled.

    Raises
    ------
    ActivityError : no such file, or not an .npz file, truncated or pickled; `expected` says what should be there.
    """
    where = Where(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise ActivityError(what, where=where, expected=expected)
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with np.load(path, allow_pickle=False) as body:
            if not isinstance(body, np.lib.npyio.NpzFile):
                raise ActivityError("a single array, not an .npz file", where=where, expected=expected)
            twice = [key for key in body.files if body.files.count(key) > 1]
            if twice:
                raise ActivityError("an array of this name stands in it twice", where=where, found=twice[0])
            for key in body.files:
                array = body[key]
                if isinstance(array, np.ndarray):
                    arrays[key] = array
    except ActivityError:
        raise
    except TypeError:  # numpy's own answer to `with` on the array of a .npy file
        raise ActivityError("a single array, not an .npz file", where=where, expected=expected) from None
    except ValueError as error:
        if "allow_pickle" in str(error):
            text = "holds Python objects (or is no .npz file), and nothing is unpickled"
            raise ActivityError(text, where=where, expected="arrays of numbers") from None
        raise ActivityError(f"cannot be read as an .npz file ({error})", where=where, expected=expected) from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, SyntaxError) as error:
        raise ActivityError(
            f"cannot be read as an .npz file, truncated or not one ({error})", where=where, expected=expected
        ) from None
    except MemoryError:
        raise ActivityError("an array in it is larger than this machine's memory", where=where) from None
    return arrays


def _check_inputs(inputs: NDArray[Any], where: Where) -> None:
    if inputs.dtype.kind not in "fiub":
        raise ActivityError(where=where, field="inputs", found=str(inputs.dtype), expected="real numbers or integers")
    if inputs.ndim < 2 or not inputs.size:
        raise ActivityError(
            where=where,
            field="inputs",
            found=inputs.shape,
            expected="shape (samples, *the network's input shape), with at least one sample",
        )
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(inputs))[0])
        raise ActivityError(f"NaN or infinite at index {first}", where=where, field="inputs", expected="finite numbers")


def _checked_labels(labels: NDArray[Any], samples: int, where: Where) -> NDArray[np.int64]:
    if labels.dtype.kind not in "iu" or labels.shape != (samples,):
        found = f"{labels.dtype} of shape {labels.shape}"
        expected = f"integers of shape ({samples},), one class index a sample"
        raise ActivityError(where=where, field="labels", found=found, expected=expected)
    for label in (labels.min(), labels.max()):
        if not 0 <= int(label) < 2**63:
            raise ActivityError(
                where=where, field="labels", found=int(label), expected="class indices ≥ 0, below 2**63"
            )
    return labels.astype(np.int64)
