"""What a mapping in rounds achieves beside what none can beat, and the rounds in figures."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sfnhw.activity import Activity
from sfnhw.mapping.rounds.loads import load_of

if TYPE_CHECKING:
    from sfnhw.mapping.balance import Balance
    from sfnhw.mapping.mapping import Mapping
    from sfnhw.mapping.quality import Quality


def quality_of_rounds(
    mapping: "Mapping", activity: Activity | None, work: "Balance", formats: dict[str, str]
) -> "Quality":
    """Flits over links add up over the rounds, and so do their bounds; loads are not among them.

    The fullest link is of all rounds together, bounded by the largest bound of a round, and so are the cores.
    """
    from sfnhw.mapping.quality import Quality, link_loads, quality
    from sfnhw.mapping.traffic import slice_traffic

    parts = [quality(r.mapping, activity, formats=formats) for r in mapping.rounds]
    loads = np.zeros(4 * mapping.chip.routers, np.int64)
    for r in mapping.rounds:
        own = slice_traffic(r.mapping.network, r.mapping.slices, mapping.chip, activity, formats)
        loads += link_loads(r.mapping, own)
    return Quality(
        traffic_links=int(loads.sum()),
        traffic_bound=sum(q.traffic_bound for q in parts),
        worst_link_load=int(loads.max(initial=0)),
        worst_link_bound=max(q.worst_link_bound for q in parts),
        cores_used=mapping.cores_used,
        cores_bound=max(q.cores_bound for q in parts),
        samples=parts[0].samples,
        busiest_cycles=work.busiest,
        busiest_bound=work.bound,
    )


def round_rows(mapping: "Mapping") -> list[dict[str, Any]]:
    """For each round: ``layers`` (names), ``slices`` and ``cores``, ``load_bits`` and ``load_cycles``; [] without rounds."""
    rows = []
    for r in mapping.rounds:
        load = load_of(r.mapping)
        names = [r.mapping.slices[i].population for i in r.on_cores]
        rows.append(
            {
                "layers": list(dict.fromkeys(names)),
                "slices": len(names),
                "cores": r.mapping.cores_used,
                "load_bits": int(load.bits.sum()),
                "load_cycles": load.cycles,
            }
        )
    return rows
