"""The loops behind `sfnhw.mapping.memory_banks`: words and banks of groups of listed accumulators, slice by slice."""

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


@nb.njit(nogil=True, cache=True)
def by_slice(offsets: Ints, targets: Ints, home: Ints, local: Ints, first: Ints, out: Ints) -> None:
    """Sort synapses that are listed neuron by neuron (CSR: offsets, targets) by the slice of their target, then by neuron.

    home, local : of each target, its slice and its place there; first : (slices · neurons + 1,) zeros, in which is returned where
    each run begins in `out`; out : (synapses,) the places. Those of a run stay in order.
    """
    neurons = len(offsets) - 1
    for neuron in range(neurons):
        for k in range(offsets[neuron], offsets[neuron + 1]):
            first[home[targets[k]] * neurons + neuron + 1] += 1
    for run in range(len(first) - 1):
        first[run + 1] += first[run]
    free = first.copy()
    for neuron in range(neurons):
        for k in range(offsets[neuron], offsets[neuron + 1]):
            run = home[targets[k]] * neurons + neuron
            out[free[run]] = local[targets[k]]
            free[run] += 1
