"""compare: mappings side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity, checked
from sfnhw.errors import InputError
from sfnhw.mapping.summary import hops

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

HEAD = ("mapping", "cores", "routers", "links", "packets × links", "worst link", "mean hops")


@dataclass(frozen=True)
class MappingRow:
    """One mapping.

    Attributes
    ----------
    name : as given, or the placer's.
    cores, routers : with at least one slice.
    links : of all packet trees together.
    packet_links : spike packets × links of the tree that carries them, per inference; end markers are not counted.
    worst_link : packets over the busiest link, per inference.
    mean_hops : links from its slice to a core (or the pins) that a packet reaches, over all deliveries; 0 without any.
    """

    name: str
    cores: int
    routers: int
    links: int
    packet_links: float
    worst_link: float
    mean_hops: float


@dataclass(frozen=True)
class MappingComparison:
    """Rows in the order given.

    `activity` says whether packets are those of an activity; without one each neuron sends one packet an inference.
    """

    rows: tuple[MappingRow, ...]
    activity: bool

    def text(self) -> str:
        """Return a table."""
        cells = [list(HEAD)]
        for r in self.rows:
            numbers = [f"{v:,}" for v in (r.cores, r.routers, r.links)]
            cells.append([r.name, *numbers, f"{r.packet_links:,.1f}", f"{r.worst_link:,.1f}", f"{r.mean_hops:.2f}"])
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
            for row in cells
        ]
        what = "packets of the activity" if self.activity else "one packet of each neuron"
        return "\n".join([*lines, f"({what}, per inference; spike packets alone)"])

    def as_json(self) -> dict[str, Any]:
        """Return the rows as objects."""
        return {"activity": self.activity, "rows": [asdict(row) for row in self.rows]}


def compare(mappings: "Sequence[Mapping] | dict[str, Mapping]", activity: Activity | None = None) -> MappingComparison:
    """Set mappings side by side: cores, and what their routes carry.

    Parameters
    ----------
    mappings : a list, or name → mapping; all of equal networks where an activity is given.
    activity : what spikes; None: one packet of each neuron, so that mappings of one network compare.

    Raises
    ------
    InputError : nothing to compare, or an activity that is not of a mapping's network.
    """
    named = dict(mappings) if isinstance(mappings, dict) else {str(i): m for i, m in enumerate(mappings)}
    if not named:
        raise InputError(field="mappings", found=mappings, expected="at least one mapping")
    labels = list(named) if isinstance(mappings, dict) else [m.placer for m in named.values()]
    rows = []
    for label, mapping in zip(labels, named.values(), strict=True):
        if activity is not None:
            checked(activity, mapping.network)
        rows.append(_row(label, mapping, activity))
    return MappingComparison(tuple(rows), activity is not None)


def _row(name: str, mapping: "Mapping", activity: Activity | None) -> MappingRow:
    r = mapping.routes
    packets = _packets(mapping, activity)
    linked = r.link >= 0
    over = packets[r.owner[linked]]
    loads = np.bincount(r.link[linked], weights=over, minlength=1)
    delivered = packets[np.repeat(r.owner, np.diff(r.exit_first))]
    far = np.repeat(hops(r), np.diff(r.exit_first))
    return MappingRow(
        name=name,
        cores=mapping.cores_used,
        routers=mapping.routers_used,
        links=int(linked.sum()),
        packet_links=float(over.sum()),
        worst_link=float(loads.max()),
        mean_hops=float((delivered * far).sum() / delivered.sum()) if delivered.any() else 0.0,
    )


def _packets(mapping: "Mapping", activity: Activity | None) -> NDArray[np.float64]:
    """(slices,) spike packets of each slice, per inference."""
    if activity is None:
        return np.array([s.neurons for s in mapping.slices], float)
    network = mapping.network
    sent = {p.name: activity.sent(network, p.name).sum(axis=(0, 1), dtype=np.int64) for p in network.populations}
    each = [sent[s.population][network[s.population].indices(s.block)].sum() for s in mapping.slices]
    return np.array(each, float) / activity.samples
