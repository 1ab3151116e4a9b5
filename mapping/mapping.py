"""A mapping: slices on cores, and the routes of their packets."""

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.connections import Connections
from sfnhw.mapping.routes import Routes
from sfnhw.mapping.slices import Demand, Slice, capacity, together
from sfnhw.network import Network

if TYPE_CHECKING:
    from sfnhw.mapping.rounds.round import Round


@dataclass(frozen=True, eq=False)
class Mapping:
    """A network on a chip.

    What was built from the last mappings is kept (`sfnhw.sim.table_cache`), and holds these arrays themselves: do not write to
    them. (Unlike a network's they are not made read-only: kernels would be compiled once more for such arrays.)

    Attributes
    ----------
    slices : in network order; those of input populations sit at the pins.
    terminals : (slices,) int64, core of each slice, or `io` (= number of cores) for the pins.
    demands : what each slice asks of its core.
    connections : fan-out between slices.
    routes : trees of the slices' packets (spikes and end markers).
    ready_routes : trees back to the sources, for the tokens that say "ready for the next frame" (dataflow).
    placer : name of the placement rule.
    rounds : where the network is larger than the chip, its parts one after the other (`sfnhw.mapping.rounds`); then cores
        hold slices of one round after those of another, and the routes are those of all rounds. Else empty.
    objective : name of what layers were cut for (`sfnhw.mapping.OBJECTIVES`); None where nobody knows any more.
    """

    network: Network
    chip: Chip
    slices: tuple[Slice, ...]
    terminals: NDArray[np.int64]
    demands: tuple[Demand, ...]
    connections: Connections
    routes: Routes
    ready_routes: Routes
    placer: str
    rounds: tuple["Round", ...] = ()
    objective: str | None = None

    @property
    def io(self) -> int:
        """The terminal of the pins."""
        return self.chip.cores

    @property
    def io_router(self) -> int:
        """The router that the pins hang on."""
        x, y = self.chip.io.router
        return int(x + self.chip.columns * y)

    def routers_of(self, terminals: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the router that each terminal hangs on."""
        return np.where(terminals == self.io, self.io_router, terminals // self.chip.noc.cores_per_router)

    @property
    def routers_used(self) -> int:
        """Routers with at least one used core."""
        return len(np.unique(self.routers_of(self.terminals[self.terminals != self.io])))

    @property
    def cores_used(self) -> int:
        """Cores that hold at least one slice."""
        return len(np.unique(self.terminals[self.terminals != self.io]))

    def slices_of(self, population: str) -> list[Slice]:
        """Return the slices of one population."""
        return [s for s in self.slices if s.population == population]

    def occupancy(self) -> list[Demand]:
        """Demand on each core, indexed by core; of rounds, the most of each limit in any of them."""
        if self.rounds:
            every = zip(*(r.mapping.occupancy() for r in self.rounds), strict=True)
            return [Demand(*map(max, zip(*map(astuple, core), strict=True))) for core in every]
        used = [Demand()] * self.chip.cores
        for s, d in zip(self.slices, self.demands, strict=True):
            core = int(self.terminals[s.index])
            if core != self.io:
                used[core] = together(used[core], d, self.chip)
        return used

    @property
    def capacity(self) -> Demand:
        """Return the limits of one core."""
        return capacity(self.chip)

    def save(self, path: str | Path) -> Path:
        """Write one safe file (`.npz`); see `sfnhw.mapping.file`. Raises InputError where it cannot be written."""
        from sfnhw.mapping.file import save_mapping

        return save_mapping(self, path)

    @classmethod
    def load(cls, path: str | Path, network: Network, chip: Chip) -> "Mapping":
        """Read and verify a mapping of `network` on `chip`; raises InputError where it is of or for another one."""
        from sfnhw.mapping.file import load_mapping

        return load_mapping(path, network, chip)

    def onto(self, network: Network, chip: Chip) -> "Mapping":
        """Return it for an equal network, and a chip with other prices, clock or node; raises InputError as `load`."""
        from sfnhw.mapping.file import moved_onto

        return moved_onto(self, network, chip)
