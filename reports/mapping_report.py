"""The mapping beside its bounds, as plain values for run.json."""

from typing import Any

from sfnhw.mapping.balance import balance
from sfnhw.mapping.quality import quality
from sfnhw.run import Run


def mapping_report(run: Run) -> dict[str, Any]:
    """Placer, and what its mapping achieves beside what none can beat; flits and cycles are per inference (see docs/reports.md).

    `ratio` is None where the bound is 0: no packet need go over a link.
    """
    work = balance(run.mapping, run.recording.activity)
    found = quality(run.mapping, run.recording.activity, work)
    n = found.samples
    return {
        "placer": run.mapping.placer,
        "traffic_links": found.traffic_links / n,
        "bound": found.traffic_bound / n,
        "ratio": found.traffic_links / found.traffic_bound if found.traffic_bound else None,
        "worst_link_load": found.worst_link_load / n,
        "worst_link_bound": found.worst_link_bound / n,
        "cores_used": found.cores_used,
        "cores_bound": found.cores_bound,
        "busiest_cycles": found.busiest_cycles / n,
        "busiest_bound": found.busiest_bound / n,
        "bottleneck": work.bottleneck(),
        "layers": work.layers(),
    }
