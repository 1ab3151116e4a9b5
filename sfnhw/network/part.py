"""A part of a network that a chip works off by itself, while the rest is not there."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from sfnhw.errors import NetworkError
from sfnhw.network.network import Network
from sfnhw.network.population import Population
from sfnhw.neurons import Readout


@dataclass(frozen=True, eq=False)
class Replayed(Population):
    """A population of an earlier part, whose spikes enter at the pins as they once were sent: any coding but a readout's."""

    def _check_role(self, where: str) -> None:
        if self.role != "input" or isinstance(self.coding, Readout):
            raise NetworkError(
                "what is replayed is an input of spikes",
                field=f"{where}.role",
                found=(self.role, self.coding.kind),
                expected="'input', and no readout",
            )


@dataclass(frozen=True, eq=False)
class NetworkPart(Network):
    """Some populations of a network with all that leads into them. Made by `part_of`.

    Populations that are not of this part and lead into it are `Replayed`, or inputs of the network. A part need not have
    an output of the network.

    Attributes
    ----------
    leaving : hidden populations whose spikes leave over the pins, because another part needs them.
    """

    leaving: frozenset[str] = field(default_factory=frozenset)

    def to_pins(self, name: str) -> bool:
        """Whether what a population sends leaves over the pins: outputs, and what other parts need."""
        return name in self.leaving or super().to_pins(name)

    def _check_ends(self) -> None:
        """A part may end in populations that are no outputs."""

    def _check_partials(self) -> None:
        """The whole network has been checked; partial sums may leave for a layer of another part."""

    def _check_window(self) -> None:
        """The whole network has been checked; a replayed population keeps the window in which it was sent."""


def replayed(population: Population) -> Replayed:
    """Return a population as it comes back: the same name, shape, coding and scale, an input without a bias."""
    kept = {f.name: getattr(population, f.name) for f in fields(Population)}
    kept |= {"role": "input", "function": "identity", "bias": None, "epsilon": 0.0}
    return Replayed(**kept)


def part_of(network: Network, names: Iterable[str], leaving: Iterable[str]) -> tuple[NetworkPart, list[int]]:
    """Return the part of a network with these populations, and the places of its projections in the whole one.

    Parameters
    ----------
    names : populations of the part; inputs of the network come in where they are needed.
    leaving : names of those whose spikes another part needs.
    """
    mine = set(names)
    places = [i for i, p in enumerate(network.projections) if p.target in mine]
    projections = tuple(network.projections[i] for i in places)
    sources = {p.source for p in projections} - mine
    populations = tuple(
        p if p.name in mine or p.role == "input" else replayed(p)
        for p in network.populations
        if p.name in mine or p.name in sources
    )
    kept = frozenset(leaving) & mine
    return NetworkPart(populations, projections, network.name, network.metadata, kept), places
