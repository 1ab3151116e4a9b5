"""How large a module would be as a network, from shapes alone: no weights need to exist (torch's meta device)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sfnhw.convert.values import Joined, Pooled, Shape, Sum
from sfnhw.convert.weights import hollow
from sfnhw.errors import ConversionError
from sfnhw.network import MaxPool, Population, Projection
from sfnhw.neurons import SFN

if TYPE_CHECKING:
    import torch

    from sfnhw.convert.conversion import Progress


@dataclass(frozen=True)
class LayerSize:
    """One population with what leads into it.

    Attributes
    ----------
    name, shape, neurons : of the population.
    weights : stored weights, shared ones once, and biases.
    dense_macs : dense MACs, as frameworks count them (`Network.dense_macs`).
    macs : synapses: multiply-accumulates of one timestep if every neuron spiked (`Network.macs`); what activity scales down.
    """

    name: str
    shape: Shape
    neurons: int
    weights: int
    dense_macs: int
    macs: int


@dataclass(frozen=True)
class NetworkSize:
    """Size of a module as a network.

    Attributes
    ----------
    layers : every population, inputs first.
    coverage : what became of each operation (`sfnhw.convert.coverage`).
    """

    layers: tuple[LayerSize, ...]
    coverage: dict[str, dict[str, int]]

    @property
    def neurons(self) -> int:
        """All neurons, inputs included."""
        return sum(layer.neurons for layer in self.layers)

    @property
    def weights(self) -> int:
        """Stored weights and biases; × bits a weight it is the weight memory needed."""
        return sum(layer.weights for layer in self.layers)

    @property
    def dense_macs(self) -> int:
        """Dense MACs, as frameworks count them."""
        return sum(layer.dense_macs for layer in self.layers)

    @property
    def macs(self) -> int:
        """Synapses: multiply-accumulates of one timestep if every neuron spiked."""
        return sum(layer.macs for layer in self.layers)


def size_of(module: "torch.nn.Module", input_shape: Shape, *, progress: "Progress | None" = None) -> NetworkSize:
    """Size of a module as a spiking network, layer by layer, from shapes alone.

    Neither weights nor activations lie in memory, so a billion parameters take seconds: build the module under
    ``with torch.device("meta"):``. Conversion itself needs the weights.

    Parameters
    ----------
    module : in eval mode, on any device, meta included.
    input_shape : of one sample, without the sample axis.
    progress : called as progress(stage, done, total).

    Raises
    ------
    ConversionError : as `convert`, but for what depends on values.
    """
    import torch

    from sfnhw.convert.coverage import coverage
    from sfnhw.convert.trace import trace

    if not isinstance(module, torch.nn.Module):
        raise ConversionError(field="module", found=type(module).__name__, expected="a torch.nn.Module")
    shape = tuple(input_shape)
    if not shape or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ConversionError(
            field="input_shape", found=input_shape, expected="positive sizes, without the sample axis"
        )
    traced = trace(module, shape, signed=True, empty=True, progress=progress)
    plan = traced.plan
    populations = {p.name: Population(p.name, p.shape, SFN.uniform(1, signed=True)) for p in plan.populations.values()}
    layers = []
    for name, population in populations.items():
        into = [(p, populations[p.source]) for p in plan.into(name)]
        bias = plan[name].bias
        layers.append(
            LayerSize(
                name,
                population.shape,
                population.size,
                sum(p.weight.size for p, _ in into if p.tensor_fields) + (0 if bias is None else bias.size),
                sum(p.dense_macs(source, population) for p, source in into),
                sum(p.macs(source, population) for p, source in into if not isinstance(p, MaxPool)),
            )
        )
    return NetworkSize(tuple(layers), coverage(plan, traced.visited))


def emptied(value: Any) -> Any:
    """The same value, or projection, with weights that take no memory."""
    if isinstance(value, Projection):
        if "weight" not in value.tensor_fields or not hasattr(value, "weight"):
            return value
        return replace(value, weight=hollow(value.weight.shape))  # type: ignore[call-arg]
    if isinstance(value, Sum):
        return replace(value, terms=tuple(emptied(term) for term in value.terms))
    if isinstance(value, Pooled):
        return replace(value, inner=emptied(value.inner))
    if isinstance(value, Joined):
        return replace(value, parts=tuple(emptied(part) for part in value.parts))
    return value
