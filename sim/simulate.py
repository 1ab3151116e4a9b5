"""simulate: the one door to every fidelity."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.errors import SimulationError, nearest
from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import FormatChoice, chosen_formats
from sfnhw.sim.analytic import analytic_timing
from sfnhw.sim.clockwork import Clockwork
from sfnhw.sim.counts import closed_form, to_actions
from sfnhw.sim.link_load import warnings_of_closed_form
from sfnhw.sim.result import Result
from sfnhw.sim.table_cache import tables_of
from sfnhw.sim.tables import Tables, sent_neurons

FIDELITIES = ("packet", "flit", "auto", "analytic")


def simulate(
    mapping: Mapping,
    activity: Activity,
    *,
    fidelity: str = "packet",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Simulate an activity on a mapping.

    Parameters
    ----------
    fidelity : ``packet`` runs every spike packet through core pipelines and routers with contention, cycle by cycle
        where anything happens, with unbounded queues; ``flit`` moves every flit through routers with finite buffers, credits
        and virtual channels, and full input buffers of cores push back; ``auto`` runs ``packet``, and again at ``flit`` the
        samples in which `packet` would warn, and those back to back where it would warn of any or of the interval
        (`sfnhw.sim.congestion`); ``analytic`` derives the same counts in closed form and estimates the times.
    threads : worker threads over samples, and at fidelity ``packet`` under a barrier over the timesteps of few samples (default:
        all cores); the result does not depend on it.
    progress : called as progress(done samples, samples).

    Raises
    ------
    SimulationError : unknown fidelity, a number of threads that is none, or a chip, or packets, that `flit` does not have.
    ActivityError : the activity does not fit the mapping's network.

    A mapping in rounds is simulated round by round, with the loads between them (`sfnhw.sim.rounds`).
    """
    if fidelity not in FIDELITIES:
        hint = nearest(str(fidelity), FIDELITIES)
        raise SimulationError(field="fidelity", found=fidelity, expected=f"one of {', '.join(FIDELITIES)}{hint}")
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise SimulationError(field="threads", found=threads, expected="a whole number ≥ 1, or None for all cores")
    activity.check(mapping.network)
    if mapping.rounds:
        from sfnhw.sim.rounds import simulate_rounds

        return simulate_rounds(mapping, activity, fidelity, threads, progress)
    return of_one_round(mapping, activity, fidelity, chosen_formats(mapping, activity), threads, progress)


def of_one_round(
    mapping: Mapping,
    activity: Activity,
    fidelity: str,
    formats: dict[str, FormatChoice],
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    stream: bool = True,
) -> Result:
    """Simulate a mapping that has no rounds, or is one of them, with packet formats that are chosen already.

    stream : whether samples follow one another without a pause; not in rounds.
    """
    tables = tables_of(mapping, {name: choice.format for name, choice in formats.items()})
    sent = sent_neurons(mapping, activity)
    if fidelity == "analytic":
        return in_closed_form(mapping, tables, sent, formats)
    # Imported here: Numba is not needed for the closed form.
    from sfnhw.sim.congestion import simulate_auto, warnings_of
    from sfnhw.sim.flits.wires import build_wires
    from sfnhw.sim.packet import simulate_packets

    if fidelity == "auto":
        return replace(simulate_auto(mapping, tables, sent, threads, progress, stream), formats=formats)
    wires = build_wires(mapping.chip, tables, sent) if fidelity == "flit" else None
    counts, timing = simulate_packets(tables, sent, threads, progress, wires)
    actions = to_actions(mapping, tables, counts, activity.samples)
    told = warnings_of(mapping, tables, sent, counts, timing, stream) if fidelity == "packet" else ()
    return Result(mapping, tables, fidelity, activity.samples, counts, actions, timing, formats=formats, warnings=told)


def in_closed_form(
    mapping: Mapping, tables: Tables, sent: NDArray[np.uint8], formats: dict[str, FormatChoice]
) -> Result:
    """Return the result at fidelity ``analytic`` of tables that may differ from the mapping's own.

    sent : (samples, T, neurons in slice-major order) spikes of each neuron, as `sfnhw.sim.tables.sent_neurons` has them.
    formats : population → packet format, those of the tables.
    """
    if mapping.rounds:
        from sfnhw.sim.rounds import rounds_in_closed_form

        return rounds_in_closed_form(mapping, tables, sent, formats)
    counts, timing = closed_form(tables, sent), analytic_timing(tables, sent, Clockwork.of(tables, mapping.chip))
    actions = to_actions(mapping, tables, counts, len(sent))
    told = warnings_of_closed_form(tables, counts, len(sent), timing.interval)
    return Result(mapping, tables, "analytic", len(sent), counts, actions, timing, formats=formats, warnings=told)
