"""RunView: a run as it is saved, so that figures and pages can be drawn from a folder alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import STATIC_TERMS
from sfnhw.network.population import CHIP_NAME
from sfnhw.run import Run

Table = Mapping[str, NDArray[Any]]

# What the figures stack: few groups that a reader can name, each a set of actions.
GROUPS: dict[str, tuple[str, ...]] = {
    "synapse weights": ("weight_read", "weight_write"),
    "synapse arithmetic": ("accumulate", "multiply_bit", "shift_bit", "decode_read"),
    "neuron state": ("state_read", "state_write"),
    "threshold unit": ("neuron_update", "threshold_read", "compare", "encode", "requantise", "leak", "spike"),
    "function unit": ("gelu", "softmax", "layer_norm"),
    "packets": ("axon_lookup", "packet", "packing_flit", "injection", "barrier"),
    "network and pins": ("router_flit", "link_flit", "io_bit", "off_chip_bit"),
    "leakage and clock": STATIC_TERMS,
}
CHIP_LAYER = CHIP_NAME


@dataclass(frozen=True, eq=False)
class RunView:
    """What is known of a run without its network.

    Attributes
    ----------
    json : content of run.json (see docs/reports.md).
    tables : name → column → array: cores, links, actions, layers, and packets where packets were simulated.
    """

    json: Mapping[str, Any]
    tables: Mapping[str, Table]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Rows of layers, in network order."""
        return list(self.json["layers"])

    @property
    def columns(self) -> int:
        """Width of the mesh, over all chips of the board."""
        return self.chip_columns * int(self.json["chip"].get("board.columns", 1))

    @property
    def rows(self) -> int:
        """Height of the mesh, over all chips of the board."""
        return self.chip_rows * int(self.json["chip"].get("board.rows", 1))

    @property
    def chip_columns(self) -> int:
        """Width of one chip's mesh."""
        return int(self.json["chip"]["noc.columns"])

    @property
    def chip_rows(self) -> int:
        """Height of one chip's mesh."""
        return int(self.json["chip"]["noc.rows"])

    @property
    def energy(self) -> dict[str, float]:
        """``{value, low, high}`` in J per inference."""
        return dict(self.json["energy_per_inference_j"])

    @property
    def title(self) -> str:
        """The network on the chip, by the names that the user gave (escape before use), and where its prices hold."""
        chip = self.json["chip"]
        where = f"{chip['technology.node_nm']:g} nm, {chip['technology.voltage_v']:g} V"
        return f"{self.json['network']['name']} on {chip['name']} ({where})"

    @property
    def cores_per_router(self) -> int:
        """Cores of a tile."""
        return int(self.json["chip"].get("noc.cores_per_router", 1))

    def busiest(self) -> NDArray[np.float64]:
        """(cores,) share of the inference in which the busiest unit of each core works."""
        cores = self.tables["cores"]
        busy: NDArray[np.float64] = np.max([cores[k] for k in cores if k.startswith("busy_")], axis=0)
        return busy

    def fullest(self) -> NDArray[np.float64]:
        """(cores,) share of the limit that is fullest on each core."""
        fill: NDArray[np.float64] = np.max(self._fill(), axis=0)
        return fill

    def fullest_limit(self) -> list[str]:
        """(cores,) name of the limit that is fullest on each core."""
        names = list(self.json["occupancy"])
        return [names[i] for i in np.argmax(self._fill(), axis=0)]

    def _fill(self) -> NDArray[np.float64]:
        """(limits, cores) share of each limit that each core uses."""
        cores, limits = self.tables["cores"], self.json["occupancy"]
        return np.array([cores[k] / max(1, limits[k]["core_capacity"]) for k in limits])


def as_view(run: "Run | RunView") -> RunView:
    """Return the view of a run, or the view itself."""
    if isinstance(run, RunView):
        return run
    from sfnhw.reports.run_json import run_json
    from sfnhw.reports.tables import all_tables

    return RunView(run_json(run), all_tables(run))
