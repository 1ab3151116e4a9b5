"""Tables of the last mappings that were simulated, so that the next run of one of them begins with its packets.

Tables follow from a mapping and its packet formats alone, and a mapping is frozen: another chip, or other routes, make another
mapping, which has none yet. Two are kept, as long as their mappings are: the one at work, and the one that it is held against.
"""

import threading
import weakref
from dataclasses import dataclass

from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import formats_of
from sfnhw.sim.channel_order import Channels, order_channels
from sfnhw.sim.packed import Packed, pack
from sfnhw.sim.tables import Tables, build_tables

MOST = 2


@dataclass
class _Kept:
    mapping: "weakref.ref[Mapping]"
    formats: dict[str, str]
    tables: Tables
    packed: Packed | None = None
    channels: Channels | None = None
    ordered: bool = False


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
        _keep(_Kept(weakref.ref(mapping, _forget), dict(formats), tables))
    return tables


def packed_of(tables: Tables) -> Packed:
    """Return `pack` of tables, once where they are kept here."""
    mine = _kept_with(tables)
    if mine is None:
        return pack(tables)
    packed = mine.packed
    if packed is None:
        packed = mine.packed = pack(tables)
    return packed


def channels_of(tables: Tables) -> Channels | None:
    """Return `order_channels` of tables, once where they are kept here."""
    mine = _kept_with(tables)
    if mine is None:
        return order_channels(tables)
    if not mine.ordered:
        mine.channels = order_channels(tables)
        mine.ordered = True
    return mine.channels


def _kept_with(tables: Tables) -> _Kept | None:
    with _lock:
        return next((one for one in _kept if one.tables is tables), None)


def _keep(newest: _Kept) -> None:
    global _kept
    others = [one for one in _kept if one is not newest and one.mapping() is not None]
    _kept = [*others[max(0, len(others) - MOST + 1) :], newest]


def _forget(mapping: "weakref.ref[Mapping]") -> None:
    global _kept
    with _lock:
        _kept = [one for one in _kept if one.mapping is not mapping]
