"""Which neurons share one distribution of levels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError, nearest
from sfnhw.network import Network, Population

GRANULARITIES = ("population", "channel", "row", "channel+row", "position", "neuron")
# In a mapping: all populations that it does not name.
OTHERS = "*"

By = str | NDArray[Any] | Mapping[str, Any]


def group_index(population: Population, by: str | NDArray[Any]) -> NDArray[np.int32]:
    """(neurons,) the group of each neuron, counted from 0.

    Parameters
    ----------
    by : ``population`` (one group), ``channel``, ``row`` (a line of positions: a token where tokens are rows),
        ``channel+row`` (a line of positions of one channel), ``position`` (all channels of one place), ``neuron``; or an
        array of integers, of the population's shape or flat: neurons with equal numbers are one group, and groups are
        in the order of their numbers.

    Raises
    ------
    ActivityError : an unknown granularity (with the nearest), or an array of another size or of other things.
    """
    c, r, x = population.channels, population.rows, population.columns
    channel = np.arange(c)[:, None, None]
    row = np.arange(r)[None, :, None]
    column = np.arange(x)[None, None, :]
    if isinstance(by, str):
        known = {
            "population": np.zeros((1, 1, 1), int),
            "channel": channel,
            "row": row,
            "channel+row": channel * r + row,
            "position": row * x + column,
            "neuron": (channel * r + row) * x + column,
        }
        if by not in known:
            text = f"one of {', '.join(GRANULARITIES)}, or an array of group numbers{nearest(by, GRANULARITIES)}"
            raise ActivityError(field="by", found=by, expected=text)
        return np.broadcast_to(known[by], (c, r, x)).reshape(-1).astype(np.int32)
    groups = np.asarray(by)
    if groups.dtype.kind not in "iu" or groups.size != population.size:
        raise ActivityError(
            field=f"by[{population.name!r}]",
            found=f"{groups.dtype} of shape {groups.shape}",
            expected=f"integers of shape {population.shape}: the group of each neuron",
        )
    return np.unique(groups.reshape(-1), return_inverse=True)[1].reshape(-1).astype(np.int32)


def granularity_of(by: By, network: Network, name: str) -> tuple[str, str | NDArray[Any]]:
    """Return (what to call it, what `group_index` takes) for one population.

    Raises
    ------
    ActivityError : a mapping that names no such population, or leaves this one out.
    """
    if isinstance(by, Mapping):
        known = [p.name for p in network.populations]
        for key in by:
            if key != OTHERS and key not in known:
                raise ActivityError(f"no population of that name{nearest(str(key), known)}", field="by", found=key)
        if name not in by and OTHERS not in by:
            text = f"a granularity for {name!r}, or for {OTHERS!r} (all others)"
            raise ActivityError("a population is missing", field="by", found=sorted(by), expected=text)
        by = by.get(name, by.get(OTHERS))
    return (by, by) if isinstance(by, str) else ("groups", np.asarray(by))
