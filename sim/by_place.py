"""Counts of many places, route nodes or connections, by timestep: as they were tallied, and widened when asked for.

A kernel tallies 32-bit numbers, timestep by timestep. What follows it needs sums: over the places of a core, of a link, over
all timesteps. They are taken from the tally in one pass, and no (places, T) array of 64-bit numbers is made on the way.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.words import Words, narrowed

Ints = NDArray[np.int64]
Tallied = NDArray[np.uint32] | NDArray[np.int64]


class Term(NamedTuple):
    """A column of a tally (T, k, columns), each place's number times `times` (k,), where given; beyond the k places all is 0.

    of : where given, (places,) which of the k numbers each place has, of one column: several may have the same one.
    """

    tally: Tallied
    column: int = 0
    times: Ints | None = None
    of: Words | None = None


@dataclass(frozen=True, eq=False)
class ByPlace:
    """(places, T) counts: the sum of some terms, or an array.

    Attributes
    ----------
    size : places.
    steps : T.
    terms : of a kernel's tallies.
    array : (places, T) int64 instead; or (kinds, T), where places of a kind have the same.
    kind : (k,) kind of each of the first k ≤ size places, and 0 beyond; None: each is one of its own.
    """

    size: int
    steps: int
    terms: tuple[Term, ...] = ()
    array: Ints | None = None
    kind: NDArray[np.integer] | None = None

    @classmethod
    def of(cls, array: Ints) -> "ByPlace":
        """Return counts that are an array (places, T) already."""
        return cls(len(array), array.shape[1], array=array)

    @classmethod
    def tallied(
        cls, size: int, tally: Tallied, column: int = 0, times: Ints | None = None, of: Words | None = None
    ) -> "ByPlace":
        """Return those of a column of a tally (T, k, columns) or (T, k), times whole numbers (k,); k ≤ size, or see `Term.of`."""
        return cls(size, len(tally), (Term(tally if tally.ndim == 3 else tally[:, :, None], column, times, of),))

    @classmethod
    def alike(cls, size: int, array: Ints, kind: NDArray[np.integer]) -> "ByPlace":
        """Return counts (kinds, T) of places by their kind (k,), k ≤ size; 0 of those beyond."""
        return cls(size, array.shape[1], array=array, kind=kind)

    def __add__(self, other: "ByPlace") -> "ByPlace":
        if self.array is None and other.array is None:
            return ByPlace(self.size, self.steps, self.terms + other.terms)
        return ByPlace.of(self.dense() + other.dense())

    def dense(self) -> Ints:
        """(places, T) int64; of tallies it is made at each call."""
        if self.array is not None and self.kind is None:
            return self.array
        out = np.zeros((self.size, self.steps), np.int64)
        if self.array is not None and self.kind is not None:
            out[: len(self.kind)] = self.array[self.kind]
        for term in self.terms:
            from sfnhw.sim.tally_kernels import add_turned  # Numba: not needed for the closed form

            if term.of is None:
                add_turned(term.tally, term.column, _times(term), out)
                continue
            each = np.zeros((term.tally.shape[1], self.steps), np.int64)
            add_turned(term.tally, term.column, _times(term), each)
            out[: len(term.of)] += each[term.of]
        return out

    def total(self) -> Ints:
        """(places,) over all timesteps."""
        if self.array is not None and self.kind is None:
            return self.array.sum(axis=1)
        out = np.zeros(self.size, np.int64)
        if self.array is not None and self.kind is not None:
            out[: len(self.kind)] = self.array.sum(axis=1)[self.kind]
        for term in self.terms:
            from sfnhw.sim.tally_kernels import add_totals

            whole = np.zeros(term.tally.shape[1], np.int64)
            add_totals(term.tally, term.column, whole)
            whole = whole if term.times is None else whole * term.times
            whole = whole if term.of is None else whole[term.of]
            out[: len(whole)] += whole
        return out

    def summed(self, key: NDArray[np.integer], size: int, places: NDArray[np.integer] | None = None) -> Ints:
        """(size, T) sums over the places of each key.

        key : (places,) 0 ≤ key < size; or, with `places`, of each of these.
        """
        return sums((self,), key, size, places)[0]


def sums(
    counts: tuple[ByPlace, ...], key: NDArray[np.integer], size: int, places: NDArray[np.integer] | None = None
) -> list[Ints]:
    """Return `ByPlace.summed` of several counts; columns of one tally are added up in one pass over it."""
    out: list[Ints] = []
    known: dict[int, Ints] = {}
    for one in counts:
        if one.array is not None:
            out.append(_sum_of_array(one.array, one.kind, key, size, places))
            continue
        whole = np.zeros((size, one.steps), np.int64)
        for term in one.terms:
            each = _columns(term, key, size, places, known)
            whole += each[:, :, term.column if term.times is None else 0].T
        out.append(whole)
    return out


def _sum_of_array(
    array: Ints,
    kind: NDArray[np.integer] | None,
    key: NDArray[np.integer],
    size: int,
    places: NDArray[np.integer] | None,
) -> Ints:
    """(size, T) `sums` of counts that are an array; kind : as of `ByPlace`."""
    if kind is None:
        return sum_by(key, array if places is None else array[places], size)
    from scipy.sparse import csr_array

    if places is None:
        key, which = key[: len(kind)], kind
    else:
        key, which = key[places < len(kind)], kind[places[places < len(kind)]]
    # How many places of each kind have each key.
    many = csr_array((np.ones(len(key), np.int64), (key, which)), (size, len(array)))
    return np.asarray(many @ array)


def _columns(
    term: Term, key: NDArray[np.integer], size: int, places: NDArray[np.integer] | None, known: dict[int, Ints]
) -> Ints:
    """(T, size, columns) sums of all columns of a tally; of its own column alone where numbers are multiplied."""
    from sfnhw.sim.tally_kernels import add_by, add_fours_by, add_one_by

    T, many, columns = term.tally.shape
    if id(term.tally) in known and term.times is None:
        return known[id(term.tally)]
    tally, keys, where = term.tally, narrowed(key, "places"), np.arange(many if term.of is None else len(term.of))
    if places is not None:
        keys, where = keys[places < len(where)], places[places < len(where)].astype(np.int64)
    times = term.times
    if times is not None and columns > 1:
        tally, columns, times = np.ascontiguousarray(tally[:, :, term.column] * times)[:, :, None], 1, None
    out = np.zeros((T, size, columns), np.int64)
    if columns == 1:
        sources = where if term.of is None else term.of[where]
        each = np.ones(len(where), np.int64) if times is None else times[sources]
        add_one_by(tally, narrowed(sources, "places"), keys[: len(where)], each, out)
    elif columns == 4 and places is None:
        add_fours_by(tally, keys[:many], out)
    else:
        add_by(tally, where, keys[: len(where)], out)
    if term.times is None:
        known[id(term.tally)] = out
    return out


def _times(term: Term) -> Ints:
    """(k,) what to multiply by, or empty."""
    return np.zeros(0, np.int64) if term.times is None else term.times


def sum_by(key: NDArray[np.integer], values: NDArray[Any], size: int) -> NDArray[Any]:
    """(size, ...) sums of the values (n, ...) with each key."""
    if values.ndim == 2 and values.size > 2**16:
        from scipy.sparse import csc_array

        # One pass over the values, where sorting them would copy them.
        where = csc_array((np.ones(len(key), np.int64), key, np.arange(len(key) + 1)), (size, len(key)))
        return np.asarray(where @ values)
    out = np.zeros((size, *values.shape[1:]), values.dtype)
    if len(key):
        order = np.argsort(key, kind="stable")
        keys = key[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        out[keys[first]] = np.add.reduceat(values[order], first, axis=0)
    return out
