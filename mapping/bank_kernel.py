"""The loop behind `sfnhw.mapping.memory_banks`: words and banks of groups of listed accumulators."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@nb.njit(nogil=True, cache=True)
def accesses(
    first: Ints, targets: Ints, lanes: int, bits: int, word: int, banks: int, least: int, words: Ints, cycles: Ints
) -> None:
    """Fill words and cycles of each run; banks 0: as many as are needed. least: cycles that a group takes at least.

    bits : of an accumulator; word : bits of a word. The rules are those in `sfnhw.mapping.memory_banks`.
    """
    spans = (bits - 1) // word + 2
    seen_word, seen_again = np.empty(lanes * spans, np.int64), np.empty(lanes * spans, np.int64)
    load = np.zeros(max(banks, 1), np.int64)
    for run in range(len(first) - 1):
        total = taken = 0
        for begin in range(first[run], first[run + 1], lanes):
            end = min(begin + lanes, first[run + 1])
            seen = fullest = 0
            load[:] = 0
            for k in range(begin, end):
                again = 0
                for other in range(begin, k):
                    again += targets[other] == targets[k]
                for w in range(targets[k] * bits // word, ((targets[k] + 1) * bits - 1) // word + 1):
                    new = True
                    for i in range(seen):
                        new &= seen_word[i] != w or seen_again[i] != again
                    if new:
                        seen_word[seen], seen_again[seen] = w, again
                        seen += 1
                        if banks > 0:
                            load[w % banks] += 1
                            fullest = max(fullest, load[w % banks])
            total += seen
            if banks > 0:
                taken += max(fullest, least)
        words[run], cycles[run] = total, taken
