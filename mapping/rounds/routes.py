"""The routes of all rounds as those of the whole mapping."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.routes import Routes


def joined_routes(parts: Sequence[tuple[Routes, NDArray[np.int64]]], slices: int) -> Routes:
    """Put trees side by side: of each round, with the indices of its slices in the whole mapping.

    A slice has a tree in its own round, and one from the pins in each round that needs its spikes.
    """
    nodes = np.concatenate([[0], np.cumsum([len(r) for r, _ in parts])]).astype(np.int64)

    def one(name: str, shift: bool = False) -> NDArray[np.int32]:
        shifts = nodes if shift else np.zeros_like(nodes)
        values = [getattr(r, name).astype(np.int64) for r, _ in parts]
        shifted = [np.where(v >= 0, v + at, v) for v, at in zip(values, shifts, strict=False)]
        return np.concatenate(shifted).astype(np.int32)

    def pointers(name: str) -> NDArray[np.int64]:
        counts = np.concatenate([np.diff(getattr(r, name)) for r, _ in parts])
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    owners = [home[np.repeat(np.arange(len(home)), np.diff(r.root_first))] for r, home in parts]
    owner = np.concatenate(owners)
    return Routes(
        owner=np.concatenate([home[r.owner] for r, home in parts]).astype(np.int32),
        router=one("router"),
        parent=one("parent", shift=True),
        link=one("link"),
        child_first=pointers("child_first"),
        children=one("children", shift=True),
        exit_first=pointers("exit_first"),
        exits=one("exits"),
        root_first=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=slices))]).astype(np.int64),
        roots=one("roots", shift=True)[np.argsort(owner, kind="stable")],
    )
