"""The better of two mappings for an objective: what the mapper's model chose, and the fewest slices, both simulated."""

from collections.abc import Callable

from sfnhw.mapping import Mapping
from sfnhw.sim import Result, price

FIGURES: dict[str, Callable[[Result], float]] = {
    "latency": lambda result: result.latency_cycles,
    "throughput": lambda result: float(result.timing.interval),
    "energy": lambda result: float(price(result).total.value_aj),
}


def better(
    objective: str,
    chosen: Mapping,
    fewest: Callable[[], Mapping],
    simulated: Callable[[Mapping], Result],
) -> tuple[Mapping, Result, str | None]:
    """Return the mapping that is better for an objective, its simulation, and what a reader must know of the choice.

    The model that chose the cuts knows nothing of placement and shared links, so a simulation has the last word: the result
    is never worse, for the objective, on this activity and at this fidelity, than with the fewest slices.

    Parameters
    ----------
    objective : from `sfnhw.mapping.OBJECTIVES`.
    chosen : mapped for it. fewest : maps with the fewest slices. simulated : simulates a mapping.
    """
    result = simulated(chosen)
    if objective not in FIGURES:
        return chosen, result, None
    other = fewest()
    if [s.block for s in other.slices] == [s.block for s in chosen.slices]:
        return chosen, result, None
    plain, figure = simulated(other), FIGURES[objective]
    if figure(result) <= figure(plain):
        return chosen, result, None
    note = (
        f"objective {objective}: the cuts that the mapper's model prefers came out worse in the simulation "
        f"({figure(result) / figure(plain):.2f} times) than the fewest slices, which are kept"
    )
    return other, plain, note
