"""What a simulation gives: exact counts, and times in cycles."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import CORE_ACTIONS, OFF_CHIP, PACKING
from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import FormatChoice
from sfnhw.sim.counts import ActionCounts, Counts
from sfnhw.sim.tables import Tables
from sfnhw.sim.timing import Timing
from sfnhw.units import seconds

UNITS = ("axon", "synapse", "threshold", "injection")
if TYPE_CHECKING:
    from sfnhw.sim.rounds import RoundResult


@dataclass(frozen=True, eq=False)
class Result:
    """One simulation of a mapping with an activity, at one fidelity.

    Attributes
    ----------
    fidelity : the one asked for: "packet", "flit", "auto" or "analytic".
    samples : inferences simulated.
    counts : base counts, whole run.
    actions : the same in the vocabulary of `sfnhw.actions`.
    timing : cycles.
    rounds : of a mapping in rounds the result of each, and what its load took; else empty.
    at_flit : (samples,) of "auto": the inferences whose times are of fidelity flit; None elsewhere.
    interval_at_flit : of "auto": whether the interval is of fidelity flit; else False.
    warnings : sentences that a reader of the times must know.
    formats : population → packet format, and what it was chosen from.
    """

    mapping: Mapping
    tables: Tables
    fidelity: str
    samples: int
    counts: Counts
    actions: ActionCounts
    timing: Timing
    rounds: tuple["RoundResult", ...] = ()
    formats: dict[str, FormatChoice] = field(default_factory=dict)
    at_flit: NDArray[np.bool_] | None = None
    warnings: tuple[str, ...] = ()
    interval_at_flit: bool = False

    @property
    def sample_fidelity(self) -> tuple[str, ...]:
        """The fidelity that the times of each inference are of."""
        if self.at_flit is None:
            return (self.fidelity,) * self.samples
        return tuple("flit" if flit else "packet" for flit in self.at_flit)

    @property
    def interval_fidelity(self) -> str:
        """The fidelity that the interval is of; in rounds, which end one after the other, flit where any inference is."""
        return self.fidelity if self.fidelity != "auto" else "flit" if self.interval_at_flit else "packet"

    @property
    def latency_cycles(self) -> float:
        """Mean over samples: first input at the pins to last result at the pins, on an empty chip."""
        return float(self.timing.latency.mean())

    @property
    def latency_s(self) -> float:
        """`latency_cycles` at the chip's clock."""
        return seconds(self.latency_cycles, self.mapping.chip.clock_mhz)

    @property
    def throughput_inferences_per_s(self) -> float:
        """Results a second when samples follow each other."""
        return 1.0 / seconds(self.timing.interval, self.mapping.chip.clock_mhz)

    @property
    def _crossing(self) -> NDArray[np.bool_]:
        """(route nodes,) nodes that are entered over a link between two chips."""
        return self.tables.nodes.crossing[self.tables.nodes.link]

    @property
    def link_hops(self) -> int:
        """Flits over links, whole run: those on a chip (action `link_flit`) and those between chips (pins: `io_bit`)."""
        return int(self.actions.flits.total()[self.tables.nodes.link >= 0].sum())

    @property
    def chip_hops(self) -> int:
        """Flits over links between chips, whole run."""
        return int(self.actions.flits.total()[self._crossing].sum())

    def totals(self) -> dict[str, int]:
        """Action → count, whole run."""
        core = self.actions.core.sum(axis=(1, 2))
        out = {name: int(core[i]) for i, name in enumerate(CORE_ACTIONS)}
        flits = self.actions.flits.total()
        out["router_flit"] = int(flits.sum())
        crossing = int(flits[self._crossing].sum())
        out["link_flit"] = int(flits[self.tables.nodes.link >= 0].sum()) - crossing
        out["io_bit"] = int(self.actions.io_bits.sum()) + crossing * self.mapping.chip.noc.flit_bits
        if self.actions.off_chip_bits is not None:
            out[OFF_CHIP] = int(self.actions.off_chip_bits.sum())
        if self.actions.packing_flits is not None:
            out[PACKING] = int(self.actions.packing_flits.sum())
        return out

    def by_population(self, per_slice: NDArray[np.int64]) -> dict[str, int]:
        """Sum a (slices, T) count over the slices of each population."""
        names = [p.name for p in self.mapping.network.populations]
        sums = np.bincount(self.tables.slices.population, weights=per_slice.sum(axis=1), minlength=len(names))
        return {name: round(value) for name, value in zip(names, sums, strict=True)}

    def utilisation(self) -> NDArray[np.float64]:
        """(cores, 4) share of the inference time in which each of `UNITS` is busy, one sample at a time."""
        total = float(self.timing.latency.sum())
        return self.timing.busy[:-1] / max(total, 1.0)

    def action_table(self) -> dict[str, NDArray[np.generic]]:
        """Long table of all non-zero counts: columns action, place, id, population, timestep, count.

        place is "core" (id: core), "router" (id: router), "link" (id: 4·router + direction E, W, S, N), or "io" (id 0).
        """
        names = np.array([p.name for p in self.mapping.network.populations])
        pop = self.tables.slices.population
        owner, link = self.tables.nodes.owner, self.tables.nodes.link
        parts: list[tuple[str, str, NDArray[np.integer], NDArray[np.int64], NDArray[np.int64]]] = []
        io = self.mapping.io
        terminal = self.tables.slices.terminal
        for i, action in enumerate(CORE_ACTIONS):
            for place, chosen in (("core", terminal != io), ("io", terminal == io)):
                ids = np.where(terminal == io, 0, terminal)[chosen]
                parts.append((action, place, ids, pop[chosen], self.actions.core[i][chosen]))
        flits = self.actions.node_flits
        parts.append(("router_flit", "router", self.tables.nodes.router, pop[owner], flits))
        crossing = self._crossing
        inside = (link >= 0) & ~crossing
        parts.append(("link_flit", "link", link[inside], pop[owner[inside]], flits[inside]))
        bits = flits[crossing] * self.mapping.chip.noc.flit_bits
        parts.append(("io_bit", "link", link[crossing], pop[owner[crossing]], bits))
        parts.append(("io_bit", "io", np.zeros(len(pop), np.int64), pop, self.actions.io_bits))
        if self.actions.packing_flits is not None:
            places = np.where(terminal == io, 0, terminal)
            parts.append((PACKING, "core", places, pop, self.actions.packing_flits))
        if self.actions.off_chip_bits is not None:
            parts.append((OFF_CHIP, "io", np.zeros(len(pop), np.int64), pop, self.actions.off_chip_bits))
        columns: dict[str, list[NDArray[np.generic]]] = {
            k: [] for k in ("action", "place", "id", "population", "timestep", "count")
        }
        for action, place, ids, populations, counts in parts:
            rows, T = np.nonzero(counts)
            columns["action"].append(np.full(len(rows), action, dtype="U16"))
            columns["place"].append(np.full(len(rows), place, dtype="U8"))
            columns["id"].append(ids[rows].astype(np.int64))
            columns["population"].append(names[populations[rows]])
            columns["timestep"].append(T)
            columns["count"].append(counts[rows, T])
        return {k: np.concatenate(v) for k, v in columns.items()}
