"""From a NIR graph to a network: neurons become populations, what lies between them projections."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sfnhw.errors import NetworkError, Where
from sfnhw.network import AveragePool, Conv2d, Elementwise, Network, Population, Projection
from sfnhw.neurons import Coding, Events, Graded, Readout, Relay
from sfnhw.nir.graph import FlatGraph, read_graph
from sfnhw.nir.layers import LINEAR, check_output, delayed, pair_of, real
from sfnhw.nir.notes import flag, number, text, whole
from sfnhw.nir.rules import NEURONS, Discrete, Rule, discretise, recognise, rule_of, threshold_only
from sfnhw.nir.settings import RESETS, Settings
from sfnhw.nir.sums import RefusedError, Sum, added, by_cause, grid_of, pooled_convolution, pooled_grid, scaled, spikes
from sfnhw.timesteps import OPEN

SPIKING = (*NEURONS, "Threshold")
POOLS = ("AvgPool2d", "SumPool2d")
# Node types that are known and refused, with what to do instead.
REFUSED = {
    "CubaLIF": "a synapse with a time constant of its own, which no coding here has (expected LIF: snnTorch's Leaky)",
    "CubaLI": "a synapse and a readout with time constants of their own (expected a Linear or a LIF before the Output)",
    "LI": "a leaky readout; the readout here is the mean over T of what arrives (expected a Linear or a LIF before the "
    "Output)",
    "I": "an integrator; the readout here is the mean over T of what arrives (expected a Linear or a LIF before the Output)",
    "Delay": "a delay in seconds; only a recurrent layer delays here, by one timestep",
}


def from_nir(
    source: Any,
    *,
    dt: float | None = None,
    reset: str | None = None,
    timesteps: int | None = None,
    library: str | None = None,
    input: str = "events",
    input_max: float = 1,
    input_signed: bool = False,
    input_bits: int = 8,
    name: str | None = None,
) -> Network:
    """Read a NIR graph as a network of `if` and `lif` neurons; docs/nir.md says which nodes and by which rules.

    Parameters
    ----------
    source : path of a NIR file (HDF5), or a `nir.NIRGraph`.
    dt : one timestep in seconds; 1e-4 in snnTorch, and in SpikingJelly unless it was told otherwise.
    reset : "subtract", "zero" or "none". dt and reset are asked for where the file has neurons and does not say them
        (files of `to_nir` do).
    timesteps : T; None takes it from the inputs that the network is recorded on.
    library : whose rule of threshold and reset to follow, "snntorch" or "spikingjelly"; None recognises the writer.
    input : "events", spikes (samples, T, *input shape), or "graded", real values (samples, *input shape), the same at
        every timestep and quantised to `input_bits`.
    input_max : largest event (an integer), or largest magnitude of a graded input.
    input_signed : whether inputs may be negative.
    name : of the network; the file's stem if not given.

    Raises
    ------
    NetworkError : not a NIR file; dt or reset missing; nodes that cannot be said here, all of them by name.
    """
    settings = Settings(dt, reset, timesteps, library, input, input_max, input_signed, input_bits)
    graph = read_graph(source)
    where = Where(source) if isinstance(source, str | Path) else None
    try:
        return _Importer(graph, settings).network(name or (Path(source).stem if where else "nir"))
    except NetworkError as error:
        raise NetworkError(str(error), where=where) if where else error from None
    except MemoryError:
        raise NetworkError("it describes more than this machine's memory holds", where=where) from None


@dataclass(eq=False)
class _Importer:
    graph: FlatGraph
    settings: Settings
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    values: dict[str, Sum] = field(default_factory=dict)

    def network(self, name: str) -> Network:
        """Build, or raise with everything that was refused."""
        self.dt, self.rules, self.exporter = self._what_the_file_does_not_say()
        self.steps = self.settings.timesteps or whole(self.graph.metadata, "sfnhw_timesteps", 1)
        for node in self.graph.nodes:
            kind = self.graph.kind(node)
            if kind in REFUSED:
                self.refused[node] = REFUSED[kind]
            elif kind not in LINEAR and kind not in SPIKING + POOLS:
                known = ", ".join(sorted({*LINEAR, *SPIKING, *POOLS}))
                self.refused[node] = f"no node of this type is known (expected one of {known})"
        for node in self._order():
            if node in self.refused or any(b not in self.values for b in self._forward(node)):
                continue
            try:
                self._visit(node)
            except (RefusedError, NetworkError) as error:
                self.refused[node] = str(error)
        if self.refused:
            refused = {f"{node!r} ({self.graph.kind(node)})": why for node, why in self.refused.items()}
            raise NetworkError(f"cannot be read as a network: {by_cause(refused, 'node')}")
        if not any(p.role == "input" for p in self.populations) or not any(
            p.role == "output" for p in self.populations
        ):
            raise NetworkError("a NIR graph needs an Input and an Output node, joined", found=list(self.graph.nodes))
        return Network(tuple(self.populations), tuple(self.projections), name, self._metadata())

    def _what_the_file_does_not_say(self) -> tuple[float, dict[str, Rule], str]:
        """dt, the rule of each neuron, and which library wrote the graph; raises with all that is missing."""
        given, said = self.settings, self.graph.metadata
        neurons = [n for n in self.graph.nodes if self.graph.kind(n) in NEURONS]
        notes = {n: dict(getattr(self.graph.nodes[n], "metadata", None) or {}) for n in neurons}
        noted = bool(neurons) and all("sfnhw_reset" in note for note in notes.values())
        missing = []
        if neurons and given.dt is None and "sfnhw_dt" not in said:
            missing.append("the timestep in seconds (dt=, --dt SECONDS; snnTorch and SpikingJelly export with 1e-4)")
        if neurons and given.reset is None and not noted:
            missing.append("the reset (reset=, --reset subtract|zero)")
        if missing:
            raise NetworkError("a NIR file does not say " + ", nor ".join(missing))
        dt = given.dt if given.dt is not None else number(said, "sfnhw_dt", 1.0)
        if noted and given.exporter is None:
            rules = {
                n: Rule(text(m["sfnhw_reset"]), flag(m, "sfnhw_delayed_reset"), flag(m, "sfnhw_strict"))
                for n, m in notes.items()
            }
            for n, rule in rules.items():
                if rule.reset not in RESETS:
                    expected = f"one of {', '.join(RESETS)}"
                    raise NetworkError(field=f"sfnhw_reset of {n!r}", found=rule.reset, expected=expected)
                if given.reset not in (None, rule.reset):
                    raise NetworkError(field="reset", found=given.reset, expected=f"{rule.reset!r}, as {n!r} says")
            return dt, rules, "sfnhw"
        exporter = given.exporter or recognise(self.graph.nodes)[0]
        return dt, dict.fromkeys(neurons, rule_of(exporter, given.reset or "subtract")), exporter

    def _order(self) -> list[str]:
        """Nodes so that every edge leads forwards but those that close the loop of a recurrent layer."""
        import networkx

        self.loops = {node: self._loop(node) for node in self.graph.nodes if self.graph.kind(node) in SPIKING}
        back = {(a, node) for node, through in self.loops.items() for a in through}
        graph = networkx.DiGraph()
        graph.add_nodes_from(self.graph.nodes)
        graph.add_edges_from(edge for edge in self.graph.edges if edge not in back)
        place = {node: i for i, node in enumerate(self.graph.nodes)}
        try:
            return list(networkx.lexicographical_topological_sort(graph, key=place.__getitem__))
        except networkx.NetworkXUnfeasible:
            cycle = [a for a, _ in networkx.find_cycle(graph)]
            raise NetworkError(
                "a loop over several layers",
                field="edges",
                found=" → ".join([*cycle, cycle[0]]),
                expected="only loops of one neuron layer onto itself, directly or over one linear node",
            ) from None

    def _loop(self, neuron: str) -> list[str]:
        """Nodes that bring a neuron layer's own spikes back to it: itself, or a linear node that hears nothing else."""
        through = [n for n in self.graph.after(neuron) if self.graph.before(n) == [neuron]]
        return [n for n in self.graph.before(neuron) if n == neuron or (n in through and self.graph.kind(n) in LINEAR)]

    def _forward(self, node: str) -> list[str]:
        return [b for b in self.graph.before(node) if b not in self.loops.get(node, ())]

    def _visit(self, node: str) -> None:
        kind, before = self.graph.kind(node), self._forward(node)
        if kind == "Input" and not before:
            self.values[node] = self._input(node)
            return
        if not before:
            raise RefusedError("nothing leads into it", "an edge from an Input or another node")
        value = added([self.values[b] for b in before], node)
        if kind in SPIKING:
            self.values[node] = self._neurons(node, value)
        elif kind in POOLS:
            self.values[node] = self._pool(node, value)
        elif kind == "Output" and not self.graph.after(node):
            check_output(self.graph.nodes[node], value)
            self._populate(node, value, Readout(self.steps), np.ones(value.grid[0]), value.bias, "output")
            self.values[node] = value
        else:
            merges = kind in ("Flatten", "Input", "Output")  # a pool may wait for what comes behind them
            self.values[node] = LINEAR[kind](self.graph.nodes[node], value if merges else self._relayed(value), node)

    def _input(self, node: str) -> Sum:
        shape = self.graph.nodes[node].input_type
        shape = shape.get("input") if isinstance(shape, dict) else shape
        if shape is None or np.asarray(shape).size == 0:
            raise RefusedError("it has no shape", "the shape of one sample at one timestep")
        own = tuple(int(n) for n in real(shape, "its shape").reshape(-1))
        given, grid = self.settings, grid_of(own)
        said = self.graph.nodes[node].metadata or {}
        coding: Coding
        if given.input == "events" and text(said.get("sfnhw_input", "events")) == "events":
            largest = whole(said, "sfnhw_input_max", given.input_max)
            coding = Events(self.steps, largest, flag(said, "sfnhw_input_signed", given.input_signed))
            scale = 1.0
        elif "sfnhw_input" in said:
            coding = Graded(whole(said, "sfnhw_input_bits"), flag(said, "sfnhw_input_signed"))
            scale = number(said, "sfnhw_input_scale")
        else:
            coding = Graded(given.input_bits, given.input_signed)
            scale = given.input_max / coding.max_level
        self.populations.append(Population(node, grid, coding, np.full(grid[0], scale), role="input"))
        return spikes(node, grid, own, np.ones(grid[0]))

    def _neurons(self, node: str, value: Sum) -> Sum:
        body = self.graph.nodes[node]
        if self.graph.kind(node) == "Threshold":
            found: Discrete = threshold_only(body, value.grid, self.steps)
        else:
            found = discretise(body, value.grid, self.dt, self.steps, self.rules[node])
        # NIR's spikes are worth 1; ours are worth the population's scale.
        own = spikes(node, value.grid, value.shape, 1 / found.scale)
        bias = value.bias + found.bias
        loops = []
        for through in self.loops[node]:
            back = own if through == node else LINEAR[self.graph.kind(through)](self.graph.nodes[through], own, through)
            if back.grid != value.grid:
                raise RefusedError(f"what comes back over {through!r} has shape {back.grid}, the layer {value.grid}")
            loops.append(delayed(back))
            bias = bias + back.bias
        if loops and self.exporter == "snntorch" and self.rules[node].reset == "zero":
            raise RefusedError(
                "a recurrent layer of snnTorch with reset zero also forgets the input of the step after a spike",
                "reset subtract, or library='spikingjelly', which resets at once",
            )
        terms = tuple(term for part in (value, *loops) for term in part.terms)
        self._populate(node, replace(value, terms=terms), found.coding, found.scale, bias, "hidden")
        return own

    def _populate(self, node: str, value: Sum, coding: Coding, scale: Any, bias: Any, role: Any) -> None:
        self.populations.append(
            Population(node, value.grid, coding, scale, role=role, bias=bias if np.any(bias) else None)
        )
        self.projections += [replace(term, target=node) for term in value.terms]

    def _pool(self, node: str, value: Sum) -> Sum:
        """Average or sum over windows: of spikes a projection, of a convolution one with a larger kernel."""
        body, is_sum = self.graph.nodes[node], self.graph.kind(node) == "SumPool2d"
        kernel, stride, padding = (pair_of(getattr(body, k), k) for k in ("kernel_size", "stride", "padding"))
        value = self._relayed(value)
        grid = pooled_grid(value.grid, kernel, stride, padding)
        if len(value.shape) != 3 or value.shape != value.grid:
            raise RefusedError(f"pooling on an input of shape {value.shape}", "(channels, height, width)")
        if any(padding) and value.bias.any():
            raise RefusedError("pads what has a bias", "padding in the convolution")
        terms: list[Projection] = []
        for term in value.terms:
            if isinstance(term, Conv2d) and not any(padding):
                terms.append(pooled_convolution(term, kernel, stride))
            elif isinstance(term, Elementwise):
                pool = AveragePool(term.source, "", kernel, stride, padding, term.delay)
                if (np.asarray(term.weight) == 1).all() and not is_sum:
                    terms.append(pool)
                else:
                    terms.append(replace(self._relay(node, pool, grid), weight=np.broadcast_to(term.weight, grid[0])))
            else:
                raise RefusedError("pools padded convolutions or linear layers", "a neuron between them, or no padding")
        pooled = Sum(tuple(terms), value.bias, grid, grid, node)
        return scaled(pooled, np.full(grid[0], float(kernel[0] * kernel[1]))) if is_sum else pooled

    def _relayed(self, value: Sum) -> Sum:
        """The same with pools as populations that pass their sums on, so that weights can follow."""
        terms = tuple(
            self._relay(value.name, term, value.grid) if isinstance(term, AveragePool) else term for term in value.terms
        )
        return replace(value, terms=terms)

    def _relay(self, node: str, pool: AveragePool, grid: tuple[int, ...]) -> Elementwise:
        source = next(p for p in self.populations if p.name == pool.source)
        window = pool.kernel[0] * pool.kernel[1]
        coding = Relay(self.steps, window * source.coding.max_level, source.coding.signed)
        name, count = node, 0
        for known in self.projections:
            if isinstance(known, AveragePool) and replace(known, target="") == pool and known.target == node:
                return Elementwise(node, "", np.ones(grid[0]))
        while any(p.name == name for p in self.populations):
            count += 1
            name = f"{node}_{count}"
        self.populations.append(Population(name, grid, coding, source.scale / window))
        self.projections.append(replace(pool, target=name))
        return Elementwise(name, "", np.ones(grid[0]))

    def _metadata(self) -> dict[str, Any]:
        from sfnhw import __version__

        codings = {p.coding.kind for p in self.populations if p.role == "hidden"}
        resets = sorted({rule.reset for rule in self.rules.values()})
        return {
            "source": "nir",
            "coding": "+".join(sorted(codings)),
            "timesteps": self.steps,
            OPEN: self.settings.timesteps is None and "sfnhw_timesteps" not in self.graph.metadata,
            "dt_s": self.dt,
            "reset": "+".join(resets),
            "library": self.exporter,
            "library_found_by": self._found_by(),
            "sfnhw_version": __version__,
        }

    def _found_by(self) -> str:
        if self.exporter == "sfnhw" or self.settings.exporter:
            return "the file" if self.exporter == "sfnhw" else "the option"
        return recognise(self.graph.nodes)[1]
