"""Answers about index maps that are asked again: the forty blocks of a transformer look at the same few maps.

A map is known by its memory: address, shape and strides. That is safe because only read-only arrays are remembered, and
because what is remembered keeps its arguments alive, so that no other array can come to lie at the same address. Results
of the same content share memory, so that a block whose maps came about in another way than those of the block before is
still known to be like it.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

# Bytes of arguments and results that are held at a time; those used longest ago go first.
BUDGET = 2**29
# Elements by which an array of the same content is looked for, before all are compared.
SAMPLED = 64

P = ParamSpec("P")
R = TypeVar("R")


class _Entry(NamedTuple):
    arguments: tuple[Any, ...]
    result: Any


class _Memo:
    """Results by function and arguments, least recently used first.

    Attributes
    ----------
    held : for each piece of memory that entries hold, by the id of the array that owns it, how many times they do.
    size : bytes of all these pieces, each once: maps share memory more often than not.
    made : results by some of their content, as long as anyone holds them.
    """

    def __init__(self, budget: int) -> None:
        self.budget, self.size = budget, 0
        self.entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self.held: Counter[int] = Counter()
        self.made: WeakValueDictionary[Hashable, NDArray[Any]] = WeakValueDictionary()

    def find(self, key: Hashable) -> _Entry | None:
        """Entry of a key, which becomes the one used last."""
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def keep(self, key: Hashable, entry: _Entry) -> None:
        """Add an entry; drop those used longest ago until all fit."""
        self.entries[key] = entry
        for owner in _owners(entry):
            self.size += 0 if self.held[id(owner)] else owner.nbytes
            self.held[id(owner)] += 1
        while self.size > self.budget:  # perhaps all, the new one too
            _, dropped = self.entries.popitem(last=False)
            for owner in _owners(dropped):
                self.held[id(owner)] -= 1
                self.size -= 0 if self.held[id(owner)] else owner.nbytes

    def shared(self, value: Any) -> Any:
        """The same value, read-only, with arrays that were made before where their content is the same."""
        if isinstance(value, tuple):
            parts = [self.shared(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        if not isinstance(value, np.ndarray) or value.base is not None:
            return _frozen(value)
        flat = value.ravel(order="K")
        some = flat[:: max(1, flat.size // SAMPLED)].tobytes()
        before = self.made.setdefault((value.shape, value.strides, value.dtype.str, some), value)
        return _frozen(before) if before is value or np.array_equal(before, value) else _frozen(value)


_ACTIVE: ContextVar[_Memo | None] = ContextVar("sfnhw_convert_memo", default=None)


@contextmanager
def remembering(budget: int = BUDGET) -> Iterator[None]:
    """Inside, functions marked with `once` remember their results; afterwards everything is forgotten."""
    token = _ACTIVE.set(_Memo(budget))
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a pure function of arrays and hashable values, or of tuples of them; its arrays are read-only from then on.

    Called with an array that can be written to, it computes as ever. An exception is not remembered.
    """

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        memo = _ACTIVE.get()
        asked_for = None if memo is None or kwargs else _key(args)
        if memo is None or asked_for is None:
            return _frozen(function(*args, **kwargs))
        key = (function, asked_for)
        entry = memo.find(key)
        if entry is None:
            entry = _Entry(args, memo.shared(function(*args, **kwargs)))
            memo.keep(key, entry)
        result: R = entry.result
        return result

    return asked


def same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays are one and the same view."""
    return _view(a) == _view(b)


def _view(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def _key(value: Any) -> Hashable | None:
    """Something that tells a value from all others while it is alive; None where its content may change."""
    if isinstance(value, np.ndarray):
        base = value.base
        fixed = not value.flags.writeable and (
            base is None or (isinstance(base, np.ndarray) and not base.flags.writeable)
        )
        return _view(value) if fixed else None
    if isinstance(value, tuple):
        keys = tuple(_key(v) for v in value)
        return None if None in keys else (type(value), keys)
    return (type(value), value)


def _frozen(value: R) -> R:
    """The same value, its arrays read-only, and with them the memory that they are views of."""
    if isinstance(value, np.ndarray):
        for array in (value, value.base):
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
    elif isinstance(value, tuple):
        for v in value:
            _frozen(v)
    return value


def _owners(value: Any) -> Iterator[NDArray[Any]]:
    """The arrays whose memory a value holds, as often as it does."""
    if isinstance(value, np.ndarray):
        yield value if value.base is None else value.base
    elif isinstance(value, tuple):
        for part in value:
            yield from _owners(part)
