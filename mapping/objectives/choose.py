"""Which cuts serve an objective best."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.errors import InputError, nearest
from sfnhw.mapping.objectives.model import Choice, Figures, Model
from sfnhw.mapping.objectives.packets import packets_of
from sfnhw.mapping.objectives.search import Search
from sfnhw.mapping.slicing import Splits, parts_of, slice_network
from sfnhw.network import Network

# What is least, and what decides between equals.
SCORES: dict[str, Callable[[Figures], tuple[float, ...]]] = {
    "latency": lambda f: (f.latency, f.cores),
    "throughput": lambda f: (f.interval, f.latency, f.cores),
    "energy": lambda f: (f.energy_pj, f.cores),
}
FEWEST = "cores"
# Ends of descents that are worth trying trades on.
POLISHED = 3
OBJECTIVES: tuple[str, ...] = (FEWEST, *SCORES)


@dataclass(frozen=True)
class Choices:
    """Cuts for an objective, as the model sees them.

    Attributes
    ----------
    splits : layer → (parts of its channels, parts of its rows) of all layers on cores.
    figures : modelled, of these; None for `cores`, which needs no model, and where slices must share cores.
    fewest_slices : the cuts that `cores` would choose, and fewest_figures modelled of them.
    """

    splits: dict[str, tuple[int, int]]
    figures: Figures | None
    fewest_slices: dict[str, tuple[int, int]]
    fewest_figures: Figures | None


def check_objective(objective: Any) -> str:
    """Return it; raises InputError where it is none of `OBJECTIVES`."""
    if not isinstance(objective, str) or objective not in OBJECTIVES:
        hint = nearest(str(objective), OBJECTIVES)
        raise InputError(field="objective", found=objective, expected=f"one of {', '.join(OBJECTIVES)}{hint}")
    return objective


def choose_splits(
    network: Network,
    chip: Chip,
    objective: str,
    *,
    activity: Activity | None = None,
    splits: Splits | None = None,
    keep: Iterable[str] = (),
) -> Choices:
    """Choose how layers are cut.

    Where the fewest slices are more than the chip has cores, slices share cores whatever the objective, and the cuts are
    those of `cores`. They are also where the model finds nothing better.

    Parameters
    ----------
    objective : from `OBJECTIVES`.
    activity : what spikes; None: one packet from each neuron an inference.
    splits : layers that the user has cut. keep : layers that stay as `cores` cuts them (their slices are pinned).

    Raises
    ------
    InputError : an unknown objective, or a split that cannot be.
    MappingError : one channel of one row of a layer exceeds a limit of the core, or a part of a split does.
    ActivityError : an activity of another network.
    """
    check_objective(objective)
    fewest = parts_of(network, slice_network(network, chip, splits)[0])
    slices = sum(c * r for c, r in fewest.values())
    if objective == FEWEST or slices > chip.cores:
        return Choices(fewest, None, fewest, None)
    fixed = {*(splits or {}), *keep}
    model = Model(network, chip, packets_of(network, activity))
    candidates = {}
    for name, parts in fewest.items():
        others = [] if name in fixed else model.candidates(name, chip.cores - slices + parts[0] * parts[1])
        candidates[name] = list(dict.fromkeys([parts, *others]))
        candidates[name].sort(key=lambda pair: (pair[0] * pair[1], pair[1]))
    found = _best(Search(model, candidates, chip.cores), fewest, objective)
    figures, before = model.figures(found), model.figures(fewest)
    score = SCORES[objective]
    if score(figures) < score(before):
        return Choices(dict(found), figures, fewest, before)
    return Choices(fewest, before, fewest, before)


def _best(search: Search, fewest: Choice, objective: str) -> Choice:
    score = SCORES[objective]
    everything = search.enumerated(score)
    if everything is not None:
        return everything
    starts = [fewest, search.widest(fewest), *_priced(search, fewest)]
    descents = [search.descend(start, score) for start in starts]
    ends = [end for i, end in enumerate(descents) if end not in descents[:i]]
    ends.sort(key=lambda end: search.score(end, score) or (inf,))
    polished = [search.polish(end, score) for end in ends[:POLISHED]]
    return search.best(polished, score) or fewest


def _priced(search: Search, fewest: Choice) -> list[Choice]:
    """Choices that a descent comes to where each core costs some latency: so that the first layer does not take all."""
    each = search.model.figures(fewest).latency / search.cores
    found = []
    for share in (2.0, 0.5, 0.125):
        price = each * share

        def score(f: Figures, price: float = price) -> tuple[float, ...]:
            return (f.latency + price * f.cores,)

        found.append(search.descend(fewest, score))
    return found
