"""The event wheel of the packet kernel: pushing an event costs a few stores, and finding the next one a look at a list."""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import COMPILED, INNER
from sfnhw.sim.prefetch import prefetch

Ints = NDArray[np.int64]
Words = NDArray[np.int32]
int64: Any = np.int64  # numbers of 32 bits are widened everywhere; to mypy the result is any integer


# The wheel of events: a bucket for each cycle of this turn, and for each turn to come, whose events are dealt out when it
# begins. A bucket of a cycle is a list in order of arrival. A turn's events lie in `LISTS` lists, one event in each in turn:
# they are far apart in memory, and from several lists the next ones can be fetched while one is dealt out.
TURN_BITS, TURN_SLOTS, LISTS = 10, 256, 16
WHEEL, TURNS = 1 << TURN_BITS, TURN_SLOTS * LISTS
BUCKETS = WHEEL + TURNS
# Columns of events, 32 bytes each: two numbers of 64 bits (cycles), then four of 32 bits: kind and place (node, slice or
# call) in one, neuron or control, frame, next in the bucket.
WHEN, BORN = 0, 1
WHAT, INDEX, FRAME, NEXT = 4, 5, 6, 7


def free_events(size: int) -> dict[str, Any]:
    """Return free events, each followed by the next one; a record lies within a line of the cache."""
    memory = np.zeros(4 * size + 8, np.int64)
    aligned = memory[-memory.ctypes.data % 64 // 8 :][: 4 * size]
    events = aligned.view(np.int32)
    events[NEXT::8] = np.arange(1, size + 1)
    return {"when_born": aligned, "events": events}


@nb.njit(**INNER)
def cell(record: Any, width: int, column: Any) -> Any:
    """Place of a column of a record in a flat array. Unsigned: Numba then neither looks for negative places nor strides."""
    return np.uint64(record * width + column)


@nb.njit(**INNER)
def place(index: Any) -> Any:
    """Return an index that is not negative, as Numba cannot know."""
    return np.uint64(index)


@nb.njit(**COMPILED)
def push(
    when_born: Ints,
    events: Words,
    tail: Ints,
    many: Ints,
    free: Any,
    now: Any,
    when: Any,
    born: Any,
    what: Any,
    index: Any,
    g: Any,
) -> Any:
    """Enter an event; returns the next free place."""
    after = int64(events[cell(free, 8, NEXT)])
    when_born[cell(free, 4, WHEN)] = when
    when_born[cell(free, 4, BORN)] = born
    events[cell(free, 8, WHAT)] = what
    events[cell(free, 8, INDEX)] = index
    events[cell(free, 8, FRAME)] = g
    append(events, tail, free, _bucket(many, now >> TURN_BITS, when))
    return after


@nb.njit(**INNER)
def _bucket(many: Ints, this_turn: int, when: Any) -> Any:
    """Return the list that an event goes into."""
    cycle = when & (WHEEL - 1)
    turn = when >> TURN_BITS
    later = int64(turn > this_turn)
    slot = turn & (TURN_SLOTS - 1)
    number = many[place(slot)]
    many[place(slot)] = number + later
    return cycle + later * (WHEEL + slot * LISTS + (number & (LISTS - 1)) - cycle)


@nb.njit(**INNER)
def append(events: Words, tail: Ints, e: Any, bucket: Any) -> None:
    """Put event e at the end of a bucket."""
    events[cell(e, 8, NEXT)] = -1
    events[cell(tail[place(bucket)], 8, NEXT)] = e
    tail[place(bucket)] = e


@nb.njit(**COMPILED)
def deal(when_born: Ints, events: Words, tail: Ints, many: Ints, heads: Ints, turn: int) -> None:
    """Deal a turn's events out to the buckets of its cycles; those of `TURN_SLOTS` turns later stay.

    heads : (LISTS,) room for the next event of each list.
    """
    slot = turn & (TURN_SLOTS - 1)
    lists = WHEEL + slot * LISTS
    number, many[slot] = many[slot], 0
    for k in range(LISTS):
        heads[k] = events[cell(lists + k, 8, NEXT)]
        events[cell(lists + k, 8, NEXT)] = -1
        tail[lists + k] = lists + k
        prefetch(events, cell(heads[k], 8, 0))
    for k in range(number):
        e = heads[place(k & (LISTS - 1))]
        after = int64(events[cell(e, 8, NEXT)])
        heads[place(k & (LISTS - 1))] = after
        prefetch(events, cell(after, 8, 0))
        when = when_born[cell(e, 4, WHEN)]
        if when >> TURN_BITS == turn:
            append(events, tail, e, when & (WHEEL - 1))
        else:
            append(events, tail, e, _bucket(many, turn, when))
