"""The global steps of barrier execution: how many, how long, and what of them the barriers take."""

from collections.abc import Mapping
from typing import Any

from sfnhw.reports.text import count, percent, quantity
from sfnhw.run import Run
from sfnhw.sim import Result
from sfnhw.units import seconds


def global_steps(run: Run) -> dict[str, Any] | None:
    """Return the global steps of one inference, the mean over samples; None where nothing waits for a barrier.

    Keys
    ----
    number : steps of an inference; in rounds, of all rounds.
    step_cycles, step_s : mean of a step, from its first cycle until its barrier has ended: the steps follow one another from the
        first input at the pins until the last barrier, which may be after the last result has left. In rounds without the loads.
    barrier_cycles : mean of a barrier.
    barrier_share : of the steps' cycles, what all barriers take.
    """
    if not run.result.counts.steps:
        return None
    parts: list[Result] = [r.result for r in run.result.rounds] or [run.result]
    number = run.result.counts.steps // run.samples  # every inference takes the same
    cycles = sum(float(part.timing.occupied.mean()) for part in parts)
    # How long a barrier takes may follow from the routers in use, which each round has its own of.
    barriers = sum(part.counts.steps * part.tables.fabric.barrier_cycles for part in parts) / run.samples
    return {
        "number": number,
        "step_cycles": cycles / number,
        "step_s": seconds(cycles / number, run.chip.clock_mhz),
        "barrier_cycles": barriers / number,
        "barrier_share": barriers / cycles if cycles else 0.0,
    }


def global_steps_text(found: Mapping[str, Any]) -> str:
    """Return e.g. ``28 global steps of 1.2 µs (482 cycles) in the mean; barriers, of 100 cycles, take 20.7 % of them``."""
    one, b = found["number"] == 1, found["barrier_cycles"]
    return (
        f"{count(found['number'])} global step{'s' * (not one)} of {quantity(found['step_s'], 's')} "
        f"({count(found['step_cycles'])} cycles){' in the mean' * (not one)}; "
        f"barriers, of {count(b)} cycle{'s' * (b != 1)}, take {percent(found['barrier_share'])} of {'it' if one else 'them'}"
    )
