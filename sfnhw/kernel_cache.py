"""What Numba keeps of compiled kernels, held to all the files that they are made of."""

from contextlib import suppress
from pathlib import Path
from typing import Any

# How kernels that allocate nothing are compiled: reference counts, which are atomic, are left out (`_nrt`). Each function counts
# those of all arrays that it is given, and each touch of an array in a tuple counts, unless it has no branch.
COMPILED: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cfunc_wrapper": True,
}
# And functions that only kernels call: no way in from Python or C, which takes the compiler longer than the function itself
# where tuples of many arrays are among the arguments. Called from Python such a function is a null pointer.
INNER: dict[str, Any] = COMPILED | {"no_cpython_wrapper": True}


def drop_stale(kernel: Any, *siblings: str) -> None:
    """Forget what Numba has kept of a kernel's file if one beside it is newer, whose functions or constants are compiled in.

    Numba itself looks at the kernel's own file only, so a change in another one would go unseen. To be called before the
    kernel is. siblings : paths of those files from the kernel's folder, without ending.
    """
    own = Path(kernel.py_func.__code__.co_filename)
    with suppress(OSError):
        newest = max((own.parent / f"{name}.py").stat().st_mtime for name in siblings)
        for index in Path(kernel.stats.cache_path).glob(f"{own.stem}.*.nbi"):
            if index.stat().st_mtime < newest:
                index.unlink(missing_ok=True)
