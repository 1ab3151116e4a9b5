"""From a network to NIR, where NIR can say it: `if` and `lif` populations and linear maps between them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import NetworkError
from sfnhw.files import replace_file
from sfnhw.network import AveragePool, Conv2d, Dense, Elementwise, Network, Population, Projection, Sparse
from sfnhw.neurons import IF, LIF, Events, Graded, Readout, Relay
from sfnhw.nir.graph import nir_package
from sfnhw.nir.sums import RefusedError, by_cause


def to_nir(network: Network, path: str | Path | None = None, *, dt: float = 1e-4) -> Any:
    """Return the network as a `nir.NIRGraph`, and write it to `path` (HDF5) if given.

    A spike is worth 1 in NIR, so each weight takes in what its source's spike is worth here. τ = dt/(1 − β) and
    r = τ/dt (IF: r = 1/dt), whose forward Euler step of dt gives β and a gain of 1 back. What NIR leaves open (reset,
    its time, v > θ or v ≥ θ, T, dt) stands in the metadata of nodes and graph, under keys that begin with `sfnhw_`;
    another simulator does not read them. The output is the current into it at each step; its mean over T is ours.

    Parameters
    ----------
    dt : one timestep, in seconds.

    Raises
    ------
    NetworkError : what NIR cannot say, all of it by name: codings other than if, lif and pools between them, an
        initial potential, max pooling, delays that are no recurrent layer, ...; or the package nir is not installed.
    InputError : `path` cannot be written.
    """
    nir = nir_package()
    if not isinstance(dt, int | float) or not 0 < dt < np.inf:
        raise NetworkError(field="dt", found=dt, expected="a number of seconds above 0")
    graph = _Exporter(network, float(dt), nir).graph()
    if path is not None:
        replace_file(path, lambda beside: nir.write(beside, graph))
    return graph


@dataclass(eq=False)
class _Exporter:
    network: Network
    dt: float
    nir: Any
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def graph(self) -> Any:
        """Build all nodes, or raise with everything that was refused."""
        for population in self.network.order:
            try:
                self._node(population)
                self._incoming(population)
            except RefusedError as error:
                self.refused.setdefault(population.name, str(error))
        if self.refused:
            refused = {repr(name): why for name, why in self.refused.items()}
            raise NetworkError(f"NIR cannot say this network: {by_cause(refused, 'population')}")
        metadata = {"sfnhw_dt": self.dt, "sfnhw_timesteps": self.network.timesteps, "sfnhw_name": self.network.name}
        return self.nir.NIRGraph(nodes=self.nodes, edges=self.edges, metadata=metadata, type_check=False)

    def _node(self, p: Population) -> None:
        coding, shape = p.coding, np.array(p.shape)
        if p.function == "max":
            raise RefusedError("max pooling", "average pooling")
        if isinstance(coding, Events | Graded) and p.role == "input":
            self.nodes[p.name] = self.nir.Input(input_type={"input": shape}, metadata=_input_notes(p))
        elif isinstance(coding, Readout):
            self.nodes[p.name] = self.nir.Output(output_type={"output": shape})
        elif isinstance(coding, IF | LIF):
            self.nodes[p.name] = self._neuron(p, coding)
        elif isinstance(coding, Relay):
            (pool,) = self.network.into(p.name)
            if not isinstance(pool, AveragePool) or p.bias is not None:
                raise RefusedError("sums that are no average pool")
            self.nodes[p.name] = self._pool(pool)
        else:
            raise RefusedError(f"coding {coding.kind!r}", "if or lif, e.g. sfnhw.recode(network, 'if')")

    def _neuron(self, p: Population, coding: IF | LIF) -> Any:
        if coding.initial_potential:
            raise RefusedError(
                f"an initial potential of {coding.initial_potential:g}", "0, e.g. recode(.., initial_potential=0)"
            )
        plain = IF(coding.steps, reset=coding.reset) if isinstance(coding, IF) else coding
        if plain != coding:  # whatever an IF may have beside its reset
            raise RefusedError(f"an if coding with {coding.config()}", "spikes of one sign at one threshold")
        late, strict = (coding.delayed_reset, coding.strict) if isinstance(coding, LIF) else (False, False)
        notes = {"sfnhw_reset": coding.reset, "sfnhw_delayed_reset": int(late), "sfnhw_strict": int(strict)}
        theta = self._whole(p.scale * (coding.threshold if isinstance(coding, LIF) else 1.0), p)
        zero = np.zeros(p.shape)
        beta = np.broadcast_to(np.atleast_1d(coding.beta if isinstance(coding, LIF) else 1.0), p.channels)
        if (beta == 1).all():
            return self.nir.IF(r=np.full(p.shape, 1 / self.dt), v_threshold=theta, v_reset=zero, metadata=notes)
        if (beta == 1).any():
            raise RefusedError("a β of 1 beside others in one layer, which has no time constant", "β below 1, or all 1")
        tau = self._whole(self.dt / (1 - beta), p)
        return self.nir.LIF(
            tau=tau, r=tau / self.dt, v_leak=zero, v_threshold=theta, v_reset=zero.copy(), metadata=notes
        )

    def _whole(self, by_channel: NDArray[np.float64], p: Population) -> NDArray[np.float64]:
        return np.repeat(by_channel, p.positions).reshape(p.shape)

    def _pool(self, pool: AveragePool) -> Any:
        assert pool.stride is not None
        kernel, stride, padding = (np.array(v) for v in (pool.kernel, pool.stride, pool.padding))
        return self.nir.AvgPool2d(kernel_size=kernel, stride=stride, padding=padding)

    def _incoming(self, p: Population) -> None:
        """A node for each projection into `p`; its bias goes into the first of them that can hold one."""
        bias = None if p.bias is None else p.bias
        for i, q in enumerate(self.network.into(p.name)):
            if isinstance(p.coding, Relay):
                self.edges.append((q.source, p.name))
                continue
            if getattr(q, "delay", 0) and not (q.source == q.target and isinstance(q, Dense)):
                raise RefusedError(f"a {q.label} one step late", "a delay only in a dense layer onto itself")
            node, bias = self._linear(q, p, bias)
            self._join(q, p, node, f"{p.name}.{i}" if len(self.network.into(p.name)) > 1 else f"{p.name}.in")
        if bias is not None and not isinstance(p.coding, Relay):
            raise RefusedError("a bias without a dense layer or a convolution into it")

    def _join(self, q: Projection, p: Population, node: Any, name: str) -> None:
        """source → (Flatten →) node → target."""
        source = self.network[q.source]
        before = q.source
        if isinstance(q, Dense | Sparse) and len(source.shape) == 3:
            flat = f"{name}.flatten"
            self.nodes[flat] = self.nir.Flatten(input_type={"input": np.array(source.shape)}, start_dim=0, end_dim=-1)
            self.edges.append((before, flat))
            before = flat
        for k, part in enumerate(node):
            label = name if k == 0 else f"{name}.{k}"
            self.nodes[label] = part
            self.edges.append((before, label))
            before = label
        if len(p.shape) == 3 and isinstance(q, Dense | Sparse):
            raise RefusedError("a dense layer onto an image", "a population of shape (features,)")
        self.edges.append((before, p.name))

    def _linear(self, q: Projection, p: Population, bias: Any) -> tuple[list[Any], Any]:
        """NIR nodes of a projection, one after the other, and the bias if it is still to be placed."""
        source = self.network[q.source]
        worth = self._worth(source)
        if getattr(q, "source_channels", None) is not None:
            raise RefusedError(f"a {q.label} from some channels of its source", "one that reads all channels")
        if isinstance(q, Dense | Sparse):
            matrix = q.weight if isinstance(q, Dense) else _dense(q, source, p)
            weight = matrix * np.repeat(worth, source.positions)[None, :]
            if bias is None:
                return [self.nir.Linear(weight=weight)], None
            return [self.nir.Affine(weight=weight, bias=np.repeat(bias, p.positions))], None
        if isinstance(q, Conv2d):
            rows = np.repeat(worth.reshape(q.groups, -1), p.channels // q.groups, axis=0)
            return [
                self.nir.Conv2d(
                    input_shape=tuple(source.shape[1:]),
                    weight=q.weight * rows[:, :, None, None],
                    stride=np.array(q.stride),
                    padding=np.array(q.padding),
                    dilation=np.array(q.dilation),
                    groups=q.groups,
                    bias=np.zeros(p.channels) if bias is None else bias,
                )
            ], None
        if isinstance(q, AveragePool):
            pool = [self._pool(q)]
            return pool if (worth == 1).all() else [*pool, self._scale(worth, p)], bias
        if isinstance(q, Elementwise):
            weight = np.broadcast_to(q.weight, p.channels) * worth
            return [] if (weight == 1).all() else [self._scale(weight, p)], bias
        raise RefusedError(f"a {q.label}", "dense, convolution, average pooling or elementwise")

    def _scale(self, by_channel: NDArray[np.float64], p: Population) -> Any:
        return self.nir.Scale(scale=self._whole(by_channel, p))

    def _worth(self, p: Population) -> NDArray[np.float64]:
        """(channels,) real value here of a 1 in NIR: a spike, a mean of spikes, or a real-valued input itself."""
        if isinstance(p.coding, Graded):
            return np.ones(p.channels)
        if isinstance(p.coding, Relay):
            (pool,) = self.network.into(p.name)
            return self._worth(self.network[pool.source])
        return p.scale


def _input_notes(p: Population) -> dict[str, Any]:
    if isinstance(p.coding, Events):
        return {
            "sfnhw_input": "events",
            "sfnhw_input_max": p.coding.largest,
            "sfnhw_input_signed": int(p.coding.signed),
        }
    assert isinstance(p.coding, Graded)
    if (p.scale != p.scale[0]).any():
        raise RefusedError("an input whose channels have scales of their own", "one scale for the input")
    return {
        "sfnhw_input": "graded",
        "sfnhw_input_bits": p.coding.bits,
        "sfnhw_input_signed": int(p.coding.signed),
        "sfnhw_input_scale": float(p.scale[0]),
    }


def _dense(q: Sparse, source: Population, target: Population) -> NDArray[np.float64]:
    """(target size, source size) of explicit synapses; parallel ones add up."""
    matrix = np.zeros((target.size, source.size))
    np.add.at(matrix, (q.targets, np.repeat(np.arange(source.size), np.diff(q.offsets))), q.weight)
    return matrix
