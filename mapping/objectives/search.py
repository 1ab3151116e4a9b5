"""Search over the cuts of all layers.

`widest`: the least work of the busiest core, by layer. For a target t each layer, in network order, takes the fewest
slices none of whose units works longer than t; the cores used fall as t rises, so the least t whose slices the chip has
cores for is the optimum, exactly, where work does not depend on how the layers before are cut (all of it but axon
look-ups, which see the cuts chosen before).

`descend`: one layer at a time takes the cut that is best for a modelled figure with all others as they are, until none
changes; `trade`: one layer gives slices to another. Of large networks these end after a number of tries.
`enumerated` tries everything, where that is little.
"""

from collections.abc import Callable, Iterable
from itertools import product
from math import prod

from sfnhw.mapping.objectives.model import Choice, Figures, Model
from sfnhw.mapping.slicing import Parts

# Choices that are few enough to try all of them.
FEW = 300
# Choices that a search tries × layers: what it takes grows with the network no more than this (seconds).
MOST_STEPS = 500_000
# Rounds of a descent: each but the last has found something better.
MOST_ROUNDS = 8

# Cuts of a layer, with fewer and with more slices, that a trade tries.
NEAR = 2

Score = Callable[[Figures], tuple[float, ...]]
Candidates = dict[str, list[Parts]]


def slices_of(parts: Parts) -> int:
    """Slices of a cut."""
    return parts[0] * parts[1]


class Search:
    """A model, the cuts that each layer may have, and how many cores there are."""

    def __init__(self, model: Model, candidates: Candidates, cores: int):
        """Keep them, with a number of tries."""
        self.model, self.candidates, self.cores = model, candidates, cores
        self.tries = MOST_STEPS // len(model.layers)
        network = model.network
        self.around = {name: {name, *(p.target for p in network.out_of(name))} for name in candidates}
        self.free = [name for name, cuts in candidates.items() if len(cuts) > 1]

    def score(self, choice: Choice, score: Score) -> tuple[float, ...] | None:
        """Score of a choice (less is better), or None where it does not fit."""
        self.tries -= 1
        found = self.model.figures(choice)
        return score(found) if found.cores <= self.cores else None

    def fits_around(self, name: str, choice: Choice) -> bool:
        """Whether a layer, and those that hear it, fit with the cuts of a choice."""
        return all(self.model.fits(n, choice) for n in self.around[name])

    def descend(self, start: Choice, score: Score) -> Choice:
        """Return the choice that no other cut of one layer makes better."""
        best = dict(start)
        least = self.score(best, score)
        for _ in range(MOST_ROUNDS):
            before = dict(best)
            for name in self.free:
                for parts in self.candidates[name]:
                    tried = best | {name: parts}
                    if self.tries <= 0 or parts == best[name] or not self.fits_around(name, tried):
                        continue
                    found = self.score(tried, score)
                    if found is not None and (least is None or found < least):
                        best, least = tried, found
            if best == before:
                break
        return best

    def polish(self, start: Choice, score: Score) -> Choice:
        """Return what descents and trades come to, in turn."""
        best: Choice = start
        for _ in range(MOST_ROUNDS):
            best = self.descend(best, score)
            traded = self.trade(best, score)
            if traded is None:
                break
            best = traded
        return best

    def trade(self, start: Choice, score: Score) -> Choice | None:
        """Return a choice that is better because one layer has given slices to another; None where no such trade is.

        Of each layer the next few cuts with fewer, and with more, slices are tried.
        """
        best: Choice = dict(start)
        least = self.score(start, score)
        for giver in self.free:
            for taker in self.free:
                for less in self._near(giver, best, -1) if taker != giver else ():
                    for more in self._near(taker, best, 1):
                        tried = best | {giver: less, taker: more}
                        fits = self.tries > 0 and self.fits_around(giver, tried) and self.fits_around(taker, tried)
                        if not fits:
                            continue
                        found = self.score(tried, score)
                        if found is not None and (least is None or found < least):
                            best, least = tried, found
        return best if best != start else None

    def _near(self, name: str, choice: Choice, side: int) -> list[Parts]:
        """Cuts of a layer with the next numbers of slices below (−1) or above (1) its own."""
        now = slices_of(choice[name])
        cuts = [p for p in self.candidates[name] if (slices_of(p) - now) * side > 0]
        return cuts[-NEAR:] if side < 0 else cuts[:NEAR]

    def enumerated(self, score: Score) -> Choice | None:
        """Return the best choice of all; None where there are more than a few, or none fits."""
        if prod(len(cuts) for cuts in self.candidates.values()) > FEW:
            return None
        return self.best(
            (dict(zip(self.candidates, c, strict=True)) for c in product(*self.candidates.values())), score
        )

    def best(self, choices: Iterable[Choice], score: Score) -> Choice | None:
        """Return the first of the best choices; None where none fits."""
        found = [(self.score(c, score), i, c) for i, c in enumerate(choices) if self._all_fit(c)]
        return min(((s, i, c) for s, i, c in found if s is not None), default=(None, 0, None))[2]

    def _all_fit(self, choice: Choice) -> bool:
        return all(self.model.fits(name, choice) for name in self.candidates)

    def widest(self, start: Choice) -> Choice:
        """Return the choice with the least work of the busiest core, of those the one with the fewest slices for it."""
        best: Choice = dict(start)
        if not self.free:
            return best
        low, high = 0.0, self._busiest(best)
        while high - low > 1e-3 * high:  # bisection, to come near in few steps
            middle = (low + high) / 2
            found = self.within(middle)
            if found is None:
                low = middle
            else:
                best, high = found, self._busiest(found)
        while True:  # then to the next smaller work that there is
            found = self.within(self._busiest(best), below=True)
            if found is None:
                return self.within(self._busiest(best)) or best
            best = found

    def within(self, target: float, below: bool = False) -> Choice | None:
        """Return the fewest slices that work `target` cycles a window at most (or less): None where the chip has too few cores.

        Layers with one cut only keep it, whatever it takes.
        """
        choice: dict[str, Parts] = {}
        slices = 0
        for name in self.candidates:
            chosen = self._fewest(name, choice, target, below)
            if chosen is None:
                return None
            choice[name] = chosen
            slices += chosen[0] * chosen[1]
            if slices > self.cores:
                return None
        return choice if self._all_fit(choice) else None  # a delayed projection comes from a layer that was cut later

    def _fewest(self, name: str, choice: dict[str, Parts], target: float, below: bool) -> Parts | None:
        """Return the first cut of a layer with little enough work, after the cuts of the layers before it."""
        cuts = self.candidates[name]
        for parts in cuts:
            tried = choice | {name: parts}
            if not self.model.fits(name, tried):
                continue
            unit = self.model.stage(name, tried).unit
            if len(cuts) == 1 or unit < target or (not below and unit == target):
                return parts
        return None

    def _busiest(self, choice: Choice) -> float:
        """Cycles a window of the busiest unit of the layers that may be cut otherwise."""
        return max((self.model.stage(name, choice).unit for name in self.free), default=0.0)
