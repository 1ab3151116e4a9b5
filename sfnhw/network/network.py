"""The converted SNN: populations joined by projections."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnhw.errors import NetworkError, nearest
from sfnhw.network.partials import check_partials
from sfnhw.network.population import Population
from sfnhw.network.products import check_products
from sfnhw.network.projections import MaxPool, Product, Projection, Stationary

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, eq=False)
class Network:
    """Populations joined by projections; without the delayed ones a directed acyclic graph.

    Weights, biases and scales are real numbers in the trained network's own units; `sfnhw.lowering` turns them
    into the integers of a chip. What follows from them is kept (`sfnhw.lowering`, tables of a mapping), so their arrays cannot be
    written to through the network, its populations and projections: they are read-only views. An array that a projection was
    made of stays writable where the caller has it, and must not be changed as long as the network is in use.

    Attributes
    ----------
    populations, projections : in any order; `order` gives the populations in theirs.
    name : for reports.
    metadata : JSON values: how the network came about (conversion settings, accuracies, versions).
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    name: str = "network"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        names = [p.name for p in self.populations]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError("two populations of one name", field="populations", found=name)
        for projection in self.projections:
            for end in (projection.source, projection.target):
                if end not in self._by_name:
                    raise NetworkError(
                        f"no population of that name{nearest(end, names)}", field=projection.label, found=end
                    )
            self._check_projection(projection)
        self._check_ends()
        for population in self.populations:
            if population.role != "input" and not self.into(population.name):
                raise NetworkError("no projection leads into it", field=f"population {population.name!r}")
        steps = {p.name: p.coding.timesteps for p in self.populations if p.coding.timesteps != 1}
        if len(set(steps.values())) > 1:
            raise NetworkError(
                "populations differ in timesteps", field="populations", found=steps, expected="one T for all"
            )
        for population in self.populations:
            if population.role != "input" and population.coding.timesteps != self.timesteps:
                raise NetworkError(
                    "is updated at one timestep only, in a network over several",
                    field=f"population {population.name!r}.coding",
                    found=population.coding.kind,
                    expected=f"a coding with T = {self.timesteps}",
                )
        self._check_window()
        self.order  # noqa: B018  raises where a cycle has no delay
        check_products(self)
        self._check_partials()

    def _check_ends(self) -> None:
        if not self.inputs or not self.outputs:
            missing = "inputs" if not self.inputs else "outputs"
            raise NetworkError("a network needs at least one input and one output population", field=missing, found=0)

    def _check_projection(self, projection: Projection) -> None:
        source, target = self[projection.source], self[projection.target]
        if target.role == "input":
            raise NetworkError("nothing can project into an input", field=projection.label)
        if source.role == "output":
            raise NetworkError("an output has no spikes to project", field=projection.label)
        projection.check(source, target)
        pools = isinstance(projection, MaxPool)
        if pools != (target.function == "max"):
            raise NetworkError(
                "max pooling and a population with function 'max' go together",
                field=projection.label,
                found=target.function,
            )
        if pools and (source.coding != target.coding or not (source.scale == target.scale).all()):
            raise NetworkError(
                "max pooling passes levels on, so both ends need one coding and scale", field=projection.label
            )
        if isinstance(projection, Product):
            self[projection.operand]
        if pools and len(self.into(target.name)) > 1:
            raise NetworkError("a max population takes one projection", field=projection.label)

    def _check_partials(self) -> None:
        check_partials(self)

    def _check_window(self) -> None:
        """Where the time of a spike is its value, every layer waits for the whole window of the one before."""
        if self.window == 1:
            return
        for population in self.populations:
            coding = population.coding
            allowed = coding.window == self.window or population.role == "output"
            if population.role == "input":
                allowed = coding.timesteps == 1
            if not allowed:
                raise NetworkError(
                    f"a network of 'ttfs' neurons over {self.window} steps works in windows, and this does not",
                    field=f"population {population.name!r}.coding",
                    found=coding.kind,
                    expected="'graded' for an input, 'ttfs' for every hidden population",
                )
        for projection in self.projections:
            if _delay(projection):
                raise NetworkError(
                    "layers that work in windows have no delays",
                    field=f"{projection.label}.delay",
                    found=1,
                    expected="0",
                )

    @cached_property
    def _by_name(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    def __getitem__(self, name: str) -> Population:
        """Population by name; raises NetworkError."""
        if name not in self._by_name:
            raise NetworkError(
                f"no population of that name{nearest(name, list(self._by_name))}", field="population", found=name
            )
        return self._by_name[name]

    def into(self, name: str) -> tuple[Projection, ...]:
        """Projections into a population."""
        return tuple(p for p in self.projections if p.target == name)

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """Projections out of a population."""
        return tuple(p for p in self.projections if p.source == name)

    @property
    def inputs(self) -> tuple[Population, ...]:
        """Input populations."""
        return tuple(p for p in self.populations if p.role == "input")

    def to_pins(self, name: str) -> bool:
        """Whether what a population sends leaves over a chip's pins: outputs."""
        return self[name].role == "output"

    @property
    def outputs(self) -> tuple[Population, ...]:
        """Output populations."""
        return tuple(p for p in self.populations if p.role == "output")

    @cached_property
    def timesteps(self) -> int:
        """T of one inference."""
        return max(p.coding.timesteps for p in self.populations)

    @cached_property
    def window(self) -> int:
        """Timesteps that a layer must have seen before it may fire: 1; T where the time of a spike is its value."""
        return max(p.coding.window for p in self.populations)

    @property
    def updates(self) -> int:
        """Times that a neuron takes in new input in one inference: T, or 1 where layers work in windows."""
        return self.timesteps // self.window

    @cached_property
    def has_products(self) -> bool:
        """Whether any population multiplies two others' spikes (attention)."""
        return any(isinstance(p, Product | Stationary) for p in self.projections)

    @cached_property
    def has_delays(self) -> bool:
        """Whether any projection carries a delay."""
        return any(_delay(p) for p in self.projections)

    @cached_property
    def order(self) -> tuple[Population, ...]:
        """Populations so that every undelayed projection leads forwards; raises NetworkError on a cycle."""
        import networkx

        graph = networkx.DiGraph()
        graph.add_nodes_from(self._by_name)
        graph.add_edges_from((p.source, p.target) for p in self.projections if _delay(p) == 0)
        place = {p.name: i for i, p in enumerate(self.populations)}
        try:
            names = list(networkx.lexicographical_topological_sort(graph, key=place.__getitem__))
        except networkx.NetworkXUnfeasible:
            cycle = [a for a, _ in networkx.find_cycle(graph)]
            raise NetworkError(
                "a cycle without a delay",
                field="projections",
                found=" → ".join([*cycle, cycle[0]]),
                expected="delay=1 on one of them",
            ) from None
        return tuple(self._by_name[n] for n in names)

    @cached_property
    def depth(self) -> dict[str, int]:
        """Longest undelayed path from an input, for each population (inputs: 0)."""
        depth: dict[str, int] = {}
        for population in self.order:
            before = [depth[p.source] for p in self.into(population.name) if _delay(p) == 0]
            depth[population.name] = 1 + max(before) if before else 0
        return depth

    @property
    def macs(self) -> int:
        """Synapses: multiply-accumulates of one timestep if every neuron spiked.

        Padding makes none; pooling and residuals count, max pooling does not. `dense_macs` is the frameworks' count.
        """
        return sum(p.macs(self[p.source], self[p.target]) for p in self.projections if not isinstance(p, MaxPool))

    @property
    def dense_macs(self) -> int:
        """Dense MACs: multiply-accumulates of one pass as frameworks count them (`torch.utils.flop_counter` / 2).

        Products with zero padding count; pooling, residuals, upsampling and biases do not. `macs`, the synapses, are the
        other way round, since a chip does no work for padding, and adds what it pools.
        """
        return sum(p.dense_macs(self[p.source], self[p.target]) for p in self.projections)

    @property
    def parameters(self) -> int:
        """Weights and biases of dense, convolutional, elementwise and sparse projections."""
        weights = sum(p.weight.size for p in self.projections if p.tensor_fields)
        return weights + sum(p.bias.size for p in self.populations if p.bias is not None)

    def graph(self) -> "networkx.DiGraph":
        """Return a networkx DiGraph: nodes are population names, edges carry `kind`, `delay`, `macs`, `weights`.

        Two projections between the same populations share one edge, whose attributes then are those of the last.
        """
        import networkx

        graph = networkx.DiGraph(name=self.name)
        for p in self.populations:
            graph.add_node(
                p.name, shape=p.shape, neurons=p.size, coding=p.coding.kind, role=p.role, function=p.function
            )
        for q in self.projections:
            graph.add_edge(
                q.source,
                q.target,
                kind=q.kind,
                delay=_delay(q),
                macs=q.macs(self[q.source], self[q.target]),
                weights=int(q.weight.size),
            )
        return graph

    def fingerprint(self) -> str:
        """Return the sha256 of populations, projections and weights: equal networks have equal fingerprints.

        Calibration statistics, metadata and the network's name do not count.
        """
        from sfnhw.network.fingerprint import part_digests, whole_digest

        return whole_digest(part_digests(self))

    def save(self, path: str | Path) -> Path:
        """Write one safe file (`.sfn`); see `sfnhw.network.file`."""
        from sfnhw.network.file import save_network

        return save_network(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Read a `.sfn` file; raises NetworkError."""
        from sfnhw.network.file import load_network

        return load_network(path)


def _delay(projection: Projection) -> int:
    return int(getattr(projection, "delay", 0))
