"""The network as it is being built: populations without codings, and the projections between them."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from sfnhw.convert.layout import is_plain, plain
from sfnhw.convert.narrow import narrowed
from sfnhw.convert.values import EXAMPLE_SAMPLES, Call, Index, Pooled, Reals, Shape, Spikes, Sum, UnsupportedError
from sfnhw.network import FUNCTIONS, Elementwise, MaxPool, Product, Projection, Stationary


@dataclass(frozen=True, eq=False)
class Planned:
    """A population before it is given a coding.

    Attributes
    ----------
    name, shape, role, function, bias : as of `sfnhw.network.Population`.
    signed : whether its values may be negative.
    cap : largest real value (a ReLU6: 6, a softmax: 1), or None.
    epsilon : of a layer norm.
    """

    name: str
    shape: Shape
    role: Literal["input", "hidden", "output"]
    function: str
    bias: Reals | None
    signed: bool
    cap: float | None = None
    epsilon: float = 0.0


class Plan:
    """Collects populations and projections; populations come in an order in which spikes flow forwards."""

    def __init__(self) -> None:
        self.populations: dict[str, Planned] = {}
        self.projections: list[Projection] = []

    def __getitem__(self, name: str) -> Planned:
        return self.populations[name]

    def into(self, name: str) -> list[Projection]:
        """Projections into a population."""
        return [p for p in self.projections if p.target == name]

    # Values -> populations

    def input(self, shape: Shape, signed: bool) -> Spikes:
        """Add the input population; `shape` is without the sample axis."""
        grid = grid_of(shape)
        name = self._add(Planned("input", grid, "input", "identity", None, signed), ())
        return Spikes(name, plain(grid).reshape(EXAMPLE_SAMPLES, *shape))

    def spikes(self, value: Spikes | Sum | Pooled) -> Spikes:
        """Turn any value into spikes: a sum without a ReLU becomes a population that keeps the sign."""
        if isinstance(value, Spikes):
            return value
        if isinstance(value, Pooled):
            raise UnsupportedError(
                "a maximum over values that may be negative",
                "put the ReLU before it, or directly after it (or after its batch norm, if that has positive weights)",
            )
        return self._fire(value, "identity", signed=not value.nonnegative)

    def rectify(self, value: Spikes | Sum | Pooled, call: Call, cap: float | None = None) -> Spikes:
        """Apply a ReLU, capped at `cap` if given."""
        if isinstance(value, Pooled):  # max(relu(x)) = relu(max(x))
            pooled = self.pool_max(self.rectify(value.inner, call, cap), value.window, value.grid, value.name)
            return replace(self.spikes(pooled), index=value.index)
        if isinstance(value, Spikes):
            planned = self[value.population]
            bounded = cap is None or (planned.cap is not None and planned.cap <= cap)
            if not planned.signed and bounded:
                return value
            value = self.as_sum(value, call.layer)
        return self._fire(value, "relu", signed=False, cap=cap)

    def function(self, value: Spikes | Sum | Pooled, name: str, call: Call, epsilon: float = 0.0) -> Spikes:
        """Apply a function of `sfnhw.network.FUNCTIONS` to a value that is seen as its population is."""
        rule = FUNCTIONS[name]
        if isinstance(value, Pooled):
            value = self.spikes(value)
        if isinstance(value, Spikes):
            value = self.as_sum(value, call.layer)
        value = narrowed(value)
        planned = Planned(call.layer, value.grid, "hidden", name, value.bias, rule.signed, rule.cap, epsilon)
        return Spikes(self._add(planned, value.terms), value.index)

    def query_shape(self, scores: str) -> Shape:
        """(rows, columns) that the queries of a score population have, so that what they mix takes it up again."""
        for term in self.into(scores):
            if isinstance(term, Product | Stationary) and term.form == "scores" and term.side == "left":
                return self[term.source].shape[1:]
        return self[scores].shape[1], 1

    def pool_max(self, value: Spikes | Sum, window: dict[str, Any], grid: Shape, name: str) -> Spikes | Pooled:
        """Largest value of each window, or a `Pooled` that waits for its ReLU; `grid` is the result's."""
        if isinstance(value, Sum) or self[value.population].signed:
            return Pooled(value, window, grid, plain(grid), name)
        if self[value.population].role == "input":
            # A max population shares its source's coding, and an input's is not one over several timesteps.
            value = self._fire(self.as_sum(value, name + ".in"), "relu", signed=False)
        source = self[value.population]
        pool = MaxPool(value.population, "", **window)
        planned = Planned(name, grid, "hidden", "max", None, False, source.cap)
        return Spikes(self._add(planned, (pool,)), plain(grid))

    def output(self, value: Spikes | Sum | Pooled) -> str:
        """Add the readout."""
        if isinstance(value, Pooled):
            value = self.spikes(value)
        if isinstance(value, Spikes):
            value = self.as_sum(value, "output")
        if not is_plain(value.index, value.grid):
            raise UnsupportedError(
                f"a result of shape {value.shape[1:]} that is a part of a population of shape {value.grid}, or another"
                " order of it",
                "return a layer's result as it is",
            )
        return self._add(Planned(value.name, value.grid, "output", "identity", value.bias, True), value.terms)

    # Values -> sums

    def grid(self, value: Spikes | Sum | Pooled) -> Shape:
        """Shape of the population that a value comes from or will become."""
        return self[value.population].shape if isinstance(value, Spikes) else value.grid

    def image(self, value: Spikes | Sum | Pooled) -> Spikes:
        """Spikes whose population is shaped as the module sees it.

        Raises
        ------
        UnsupportedError : where it cannot be: positions in another order, or another shape of them.
        """
        spikes = self.spikes(value)
        planned, grid = self[spikes.population], grid_of(spikes.shape[1:])
        if not is_plain(spikes.index, planned.shape):
            raise UnsupportedError(
                f"its input of shape {spikes.shape[1:]} is a part of a population of shape {planned.shape}, or another"
                " order of it",
                "let it work on a layer's result as it is",
            )
        if planned.shape != grid:
            if planned.role != "input" or any(p.source == planned.name for p in self.projections):
                raise UnsupportedError(
                    f"its input of shape {spikes.shape[1:]} is a reshaped {planned.shape}",
                    "only reshapes that flatten are supported after the first layer",
                )
            self.populations[planned.name] = replace(planned, shape=grid)
        return spikes

    def rows_of_input(self, value: Any) -> Index | None:
        """Which row each vector of a value is, counted over all samples, where it is the network's input (rows, features).

        From then on the input is an image of one channel. None where the value is another one, or a layer before has
        read the rows as channels.
        """
        if not isinstance(value, Spikes) or self[value.population].role != "input":
            return None
        planned, features = self[value.population], value.shape[-1]
        rows = int(np.prod(planned.shape)) // features
        unread = planned.shape == (rows, 1, features) and not any(p.source == planned.name for p in self.projections)
        first = value.index[..., 0]
        whole = np.array_equal(np.sort(first, axis=None), np.arange(EXAMPLE_SAMPLES * rows) * features)
        in_order = np.array_equal(value.index, first[..., None] + np.arange(features))
        if not (unread or planned.shape == (1, rows, features)) or not whole or not in_order:
            return None
        self.populations[planned.name] = replace(planned, shape=(1, rows, features))
        return first // features

    def as_sum(self, value: Spikes, name: str) -> Sum:
        """The same values as a sum of one: neuron i to neuron i, weight 1."""
        grid = self[value.population].shape
        term = Elementwise(value.population, "", np.ones(grid[0]))
        unsigned = not self[value.population].signed
        return Sum((term,), np.zeros(grid[0]), grid, value.index, name, nonnegative=unsigned)

    def _fire(self, value: Sum, function: str, signed: bool, cap: float | None = None) -> Spikes:
        value = narrowed(value)
        planned = Planned(value.name, value.grid, "hidden", function, value.bias, signed, cap)
        return Spikes(self._add(planned, value.terms), value.index)

    def _add(self, planned: Planned, terms: tuple[Projection, ...]) -> str:
        for term in terms:
            if isinstance(term, Elementwise) and term.weight.size not in (1, planned.shape[0]):
                raise UnsupportedError(
                    "a factor that differs from position to position",
                    "let a linear layer follow directly (it folds in there), or use one factor for each channel",
                )
        name, count = planned.name, 0
        while name in self.populations:
            count += 1
            name = f"{planned.name}_{count}"
        bias = planned.bias if planned.bias is not None and planned.bias.any() else None
        if bias is not None and bias.size != planned.shape[0]:
            bias = bias.reshape(planned.shape)
        self.populations[name] = replace(planned, name=name, bias=bias)
        self.projections += [replace(term, target=name) for term in terms]
        return name

    # What a population is for

    def is_stream(self, name: str) -> bool:
        """Whether a population keeps the sign and feeds sums and function units only: the residual stream."""
        planned = self[name]
        out = [p for p in self.projections if p.source == name]
        return (
            planned.role == "hidden"
            and planned.function == "identity"
            and planned.signed
            and bool(out)
            and all(isinstance(p, Elementwise) for p in out)
            and any(self[p.target].function in FUNCTIONS for p in out)
        )

    def has_one_scale(self, name: str) -> bool:
        """Whether all channels must share a scale: operands of products, and results that are coded as they stand."""
        near = [p for p in self.projections if isinstance(p, Product | Stationary)]
        return (
            self.is_stream(name)
            or any(p.source == name for p in near)
            or any(p.target == name and self[name].function not in FUNCTIONS for p in near)
        )


def grid_of(shape: Shape) -> Shape:
    """Shape of a population from one sample's: (features,), (channels, 1, length) of a sequence, or an image's."""
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    if len(shape) not in (1, 3):
        raise UnsupportedError(f"values of shape {shape}", "networks of one or two spatial dimensions are supported")
    return shape
