"""Arrays that nobody changes by way of a network."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def read_only(values: Any, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return `values` as an array that cannot be written to, without a copy where they are an array of that type.

    It is a view: an array of the caller's stays as writable as it was, and what the caller writes to it is seen here.
    """
    view = np.asarray(values, dtype).view()
    view.flags.writeable = False
    return view
