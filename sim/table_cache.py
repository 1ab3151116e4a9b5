"""Tables of the last mappings that were simulated, so that the next run of one of them begins with its packets.

Tables follow from a mapping and its packet formats alone, and a mapping is frozen: another chip, or other routes, make another
mapping, which has none yet. Two are kept, as long as their mappings are: the one at work, and the one that it is held against.
"""

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import formats_of
from sfnhw.sim.tables import Tables, build_tables

MOST = 2
Derived = TypeVar("Derived")


@dataclass
class _Kept:
    mapping: "weakref.ref[Mapping]"
    formats: dict[str, str]
    tables: Tables
    derived: dict[Callable[[Tables], Any], Any]


_kept: list[_Kept] = []  # the last one used is at the end; it is replaced, not changed
_lock = threading.RLock()  # also taken when a mapping dies, at any time


def tables_of(mapping: Mapping, formats: dict[str, str] | None = None) -> Tables:
    """Return `build_tables` of the same arguments, built once. They are shared: not to be written to."""
    formats = formats or formats_of(mapping, None)
    with _lock:
        for one in _kept:
            if one.mapping() is mapping and one.formats == formats:
                _keep(one)
                return one.tables
    tables = build_tables(mapping, formats)
    with _lock:
        _keep(_Kept(weakref.ref(mapping, _forget), dict(formats), tables, {}))
    return tables


def derived(build: Callable[[Tables], Derived], tables: Tables) -> Derived:
    """Return build(tables), built once where the tables are kept here. It is shared like them."""
    with _lock:
        known = next((one.derived for one in _kept if one.tables is tables), {})
    if build not in known:
        known[build] = build(tables)
    return cast(Derived, known[build])


def _keep(newest: _Kept) -> None:
    global _kept
    others = [one for one in _kept if one is not newest and one.mapping() is not None]
    _kept = [*others[max(0, len(others) - MOST + 1) :], newest]


def _forget(mapping: "weakref.ref[Mapping]") -> None:
    global _kept
    with _lock:
        _kept = [one for one in _kept if one.mapping is not mapping]
