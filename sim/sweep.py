"""Many chips at once: one mapping and one activity, on chips that differ in their clockwork, clock and prices."""

from collections.abc import Sequence
from dataclasses import replace

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import FormatChoice, chosen_formats
from sfnhw.sim.analytic import analytic_timings
from sfnhw.sim.clockwork import Clockwork, differences, lists, retimed, same_lanes, shared_fields
from sfnhw.sim.counts import closed_form, to_actions
from sfnhw.sim.link_load import warnings_of_closed_form
from sfnhw.sim.result import Result
from sfnhw.sim.table_cache import tables_of
from sfnhw.sim.tables import sent_neurons


def analytic_sweep(mapping: Mapping, activity: Activity, chips: Sequence[Chip]) -> list[Result]:
    """Simulate an activity at fidelity ``analytic`` on each of several chips, all of them together.

    The activity is looked at once, packets are counted once, and the recurrence of the times runs over all chips side by side.
    Each result equals that of `simulate` on a mapping of its chip.

    Parameters
    ----------
    chips : that differ from the mapping's in `sfnhw.sim.TIMING_FIELDS`, prices, clock, technology and names alone: nothing
        that could change the mapping or a count (with ``packet.format: auto`` prices could).

    Raises
    ------
    SimulationError : a chip that differs in more, or a mapping in rounds.
    ActivityError : the activity does not fit the mapping's network.
    """
    if mapping.rounds:
        raise SimulationError(
            "a mapping in rounds loads weights, which takes what each chip makes of it",
            field="mapping",
            expected="one that fits on the chip at once",
        )
    shared = shared_fields(mapping.chip)
    for chip in chips:
        for name in differences(chip, mapping.chip):
            raise SimulationError(
                "chips of a sweep share one mapping and its counts",
                field=name,
                found=shared_fields(chip).get(name),
                expected=f"{shared.get(name)!r}, as on the mapping's chip (free are times, prices and the clock; not prices of "
                "packets under packet.format: auto)",
            )
    activity.check(mapping.network)
    if not chips:
        return []
    mappings = [replace(mapping, chip=chip) for chip in chips]
    formats = chosen_formats(mappings[0], activity)
    if not lists(mapping):
        return _together(activity, mappings, formats)
    results: dict[int, Result] = {}
    for lanes in dict.fromkeys(same_lanes(chip) for chip in chips):
        mine = [k for k, chip in enumerate(chips) if same_lanes(chip) == lanes]
        results |= zip(mine, _together(activity, [mappings[k] for k in mine], formats), strict=True)
    return [results[k] for k in range(len(chips))]


def _together(activity: Activity, mappings: Sequence[Mapping], formats: dict[str, FormatChoice]) -> list[Result]:
    """Return the results on chips on which runs of synapses differ in nothing but their cycles, if in that."""
    mapping = mappings[0]
    tables = tables_of(mapping, {name: choice.format for name, choice in formats.items()})
    sent = sent_neurons(mapping, activity)
    timed = [retimed(tables, m) for m in mappings]
    works = [Clockwork.of(t, m.chip) for t, m in zip(timed, mappings, strict=True)]
    timings = analytic_timings(tables, sent, works)
    counts = closed_form(tables, sent)
    actions = to_actions(mapping, tables, counts, activity.samples)
    return [
        Result(
            m,
            t,
            "analytic",
            activity.samples,
            counts,
            actions,
            timing,
            formats=formats,
            warnings=warnings_of_closed_form(t, counts, activity.samples, timing.interval),
        )
        for m, t, timing in zip(mappings, timed, timings, strict=True)
    ]
