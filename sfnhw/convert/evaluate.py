"""The planned network in torch: in real values (the ANN, folded), or through codings (the SNN).

An implementation of its own beside `sfnhw.record`: conversion needs it fast, and the tests hold the two together,
level for level.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sfnhw.convert.plan import Plan, Planned
from sfnhw.network import (
    AveragePool,
    Conv2d,
    Dense,
    Elementwise,
    MaxPool,
    Product,
    Projection,
    Stationary,
    TransposedConv2d,
    Upsample,
)
from sfnhw.neurons import IF, LIF, SFN, Bank, Coding, Graded

BATCH_VALUES = 2**23  # values of the widest population in one batch: 64 MiB of float64


class Coded(NamedTuple):
    """What came of a run through codings.

    Attributes
    ----------
    outputs : (samples, outputs).
    rate : spikes (packets) per hidden neuron and timestep.
    packets : hidden population → mean packets in one inference.
    """

    outputs: NDArray[np.float64]
    rate: float
    packets: dict[str, float]


class Evaluator:
    """Runs a plan; weights become tensors once."""

    def __init__(self, plan: Plan, dtype: torch.dtype = torch.float64) -> None:
        self.plan, self.dtype = plan, dtype
        self.into = {
            name: [(p, _weight(p, plan[p.source].shape, dtype)) for p in plan.into(name)] for name in plan.populations
        }
        last = {p.source: p.target for name in plan.populations for p in plan.into(name)}
        self.last_read: dict[str, list[str]] = {}
        for source, target in last.items():
            self.last_read.setdefault(target, []).append(source)
        self.bias = {p.name: None if p.bias is None else _bias(p, dtype) for p in plan.populations.values()}

    def batches(self, inputs: NDArray[Any]) -> Iterator[torch.Tensor]:
        """(samples, ...) → tensors (batch, *input shape) that fit in memory."""
        shape = next(iter(self.plan.populations.values())).shape
        widest = max(int(np.prod(p.shape)) for p in self.plan.populations.values())
        step = max(1, BATCH_VALUES // widest)
        for start in range(0, len(inputs), step):
            yield (
                torch.from_numpy(np.ascontiguousarray(inputs[start : start + step])).to(self.dtype).reshape(-1, *shape)
            )

    def sums(self, planned: Planned, values: dict[str, torch.Tensor]) -> torch.Tensor:
        """f(Σ projections + bias), (batch, *shape), f the function unit's, if the population has one."""
        total: Any = 0
        for p, w in self.into[planned.name]:
            if isinstance(p, Product):
                total = total + _multiply(p, values[p.source], values[p.operand], planned.shape)
            elif not isinstance(p, Stationary):
                total = total + _project(p, w, values[p.source], planned.shape)
        bias = self.bias[planned.name]
        assert isinstance(total, torch.Tensor)
        return _function(planned, total if bias is None else total + bias)

    def ideal(self, batch: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and real-valued activation of each population: what the trained network computes.

        What no later population reads is let go: a large network's activations never lie in memory all at once.
        """
        values: dict[str, torch.Tensor] = {}
        for planned in self.plan.populations.values():
            values[planned.name] = batch if planned.role == "input" else _rectified(planned, self.sums(planned, values))
            yield planned.name, values[planned.name]
            self._let_go(planned, values)

    def _let_go(self, planned: Planned, values: dict[str, torch.Tensor]) -> None:
        for name in self.last_read.get(planned.name, ()):
            del values[name]

    def ideal_outputs(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        """(samples, outputs) of the trained network."""
        parts = []
        for batch in self.batches(inputs):
            last = [values for name, values in self.ideal(batch) if self.plan[name].role == "output"]
            parts.append(_side_by_side(last))
        return torch.cat(parts).double().numpy()

    def coded(
        self, inputs: NDArray[Any], codings: dict[str, Coding], scales: dict[str, NDArray[np.float64]]
    ) -> "Coded":
        """Run the network through its codings."""
        steps = max(c.timesteps for c in codings.values())
        # Where layers work in windows one after the other, each is updated once.
        updates = steps // max(c.window for c in codings.values())
        hidden = [p for p in self.plan.populations.values() if p.role == "hidden"]
        results = [name for name, p in self.plan.populations.items() if p.role == "output"]
        outputs: list[torch.Tensor] = []
        packets = {p.name: 0 for p in hidden}
        for batch in self.batches(inputs):
            neurons = _Neurons(codings, scales, self.dtype)
            total = torch.zeros(())
            for _ in range(updates):
                values: dict[str, torch.Tensor] = {}
                for planned in self.plan.populations.values():
                    if planned.role == "input":
                        values[planned.name] = neurons.fire(planned, batch)
                    elif planned.function == "max":
                        values[planned.name] = self._running_max(planned, values, neurons)
                    else:
                        membrane = self.sums(planned, values)
                        values[planned.name] = membrane if planned.role == "output" else neurons.fire(planned, membrane)
                    if planned.role == "hidden":
                        packets[planned.name] += neurons.packets(planned, values[planned.name])
                    self._let_go(planned, values)
                total = total + _side_by_side([values[name] for name in results])
            outputs.append(total / updates)
        chances = sum(int(np.prod(p.shape)) for p in hidden) * steps * len(inputs)
        rate = sum(packets.values()) / max(1, chances)
        each = {name: count / len(inputs) for name, count in packets.items()}
        return Coded(torch.cat(outputs).double().numpy(), rate, each)

    def _running_max(self, planned: Planned, values: dict[str, torch.Tensor], neurons: "_Neurons") -> torch.Tensor:
        """What the largest running sum of each window gained in this timestep; at T = 1 the largest value."""
        source = self.into[planned.name][0][0].source
        before = neurons.running.get(planned.name)
        now = values[source] if before is None else before + values[source]
        neurons.running[planned.name] = now
        gained = self.sums(planned, {source: now})
        return gained if before is None else gained - self.sums(planned, {source: before})


def _side_by_side(outputs: list[torch.Tensor]) -> torch.Tensor:
    """(samples, all outputs) of several output populations."""
    return torch.cat([values.flatten(1) for values in outputs], dim=1)


def work(plan: Plan) -> int:
    """Multiply-accumulates of one sample, roughly: every weight at every position of its target."""
    return sum(
        int(p.weight.size) * (1 if isinstance(p, Dense) else int(np.prod(plan[p.target].shape[1:])))
        for p in plan.projections
    )


class _Neurons:
    """The codings in torch, with the membranes that some keep between timesteps."""

    def __init__(self, codings: dict[str, Coding], scales: dict[str, NDArray[np.float64]], dtype: torch.dtype) -> None:
        self.codings, self.scales, self.dtype = codings, scales, dtype
        self.membranes: dict[str, torch.Tensor] = {}
        self.running: dict[str, torch.Tensor] = {}

    def fire(self, planned: Planned, values: torch.Tensor) -> torch.Tensor:
        """Real values that the population sends in this timestep, (batch, *shape)."""
        coding = self.codings[planned.name]
        scale = _per_channel(self.scales[planned.name], planned.shape, self.dtype)
        h = values / scale
        if isinstance(coding, IF):
            theta = coding.threshold_scale
            h = h + self.membranes.get(planned.name, torch.full_like(h, coding.initial_potential * theta))
            spikes = (h >= theta).to(self.dtype)
            if coding.signed:
                spikes = spikes - (h <= -theta).to(self.dtype)
            self.membranes[planned.name] = h - spikes * theta
            return spikes * scale
        if isinstance(coding, LIF):
            return self._leaky(planned.name, coding, h) * scale
        return _levels_to_values(coding, h) * scale

    def packets(self, planned: Planned, values: torch.Tensor) -> int:
        """How many packets send these values: one each but for zeros, or as many as units in a burst."""
        if not self.codings[planned.name].burst:
            return int(torch.count_nonzero(values))
        units = values / _per_channel(self.scales[planned.name], planned.shape, self.dtype)
        return int(units.abs().round().sum())

    def _leaky(self, name: str, coding: LIF, h: torch.Tensor) -> torch.Tensor:
        """Spikes 0 or 1; the membrane with its reset, decayed for the next timestep."""
        h = h + self.membranes.get(name, torch.full_like(h, coding.initial_potential))
        spikes = (h > coding.threshold if coding.strict else h >= coding.threshold).to(self.dtype)
        shape = (-1, *[1] * (h.ndim - 2)) if isinstance(coding.beta, tuple) else ()
        beta = torch.as_tensor(coding.beta, dtype=self.dtype).reshape(shape)
        late = coding.delayed_reset and coding.reset == "subtract"
        if coding.reset == "zero":
            h = h * (1 - spikes)
        elif coding.reset == "subtract" and not late:
            h = h - coding.threshold * spikes
        self.membranes[name] = h * beta - (coding.threshold * spikes if late else 0)
        return spikes


def _levels_to_values(coding: Coding, h: torch.Tensor) -> torch.Tensor:
    if isinstance(coding, Graded):
        low = -coding.max_level if coding.signed else 0
        return torch.clamp(torch.floor(h + 0.5), low, coding.max_level)
    if not isinstance(coding, SFN | Bank):
        raise TypeError(f"no torch rule for {coding.kind!r}")
    edges = coding.boundaries() if isinstance(coding, Bank) else np.asarray(coding.boundaries)
    steps, table = torch.tensor(edges, dtype=h.dtype), torch.tensor([0.0, *coding.values()], dtype=h.dtype)
    if coding.signed:
        # One table for both signs. −h reaches a threshold that h equals: the negative ones stand one float higher.
        below = torch.nextafter(-steps.flip(0), torch.zeros((), dtype=h.dtype))
        steps, table = torch.cat([below, steps]), torch.cat([-table[1:].flip(0), table])
    levels = torch.bucketize(h.contiguous(), steps, right=True, out_int32=True)
    return table.index_select(0, levels.flatten()).reshape(h.shape)


def _rectified(planned: Planned, total: torch.Tensor) -> torch.Tensor:
    if planned.function != "relu":
        return total
    return torch.clamp(total, 0, planned.cap)


def _function(planned: Planned, total: torch.Tensor) -> torch.Tensor:
    if planned.function == "gelu":
        return functional.gelu(total)
    if planned.function == "gelu_tanh":
        return functional.gelu(total, approximate="tanh")
    if planned.function == "softmax":
        return functional.softmax(total, dim=-1)
    if planned.function == "layer_norm":
        moved = total.movedim(1, -1)
        return functional.layer_norm(moved, moved.shape[-1:], eps=planned.epsilon).movedim(-1, 1)
    return total


def _multiply(p: Product, source: torch.Tensor, operand: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """A product of heads (`sfnhw.network.projections.product`)."""
    left, right = (source, operand) if p.side == "left" else (operand, source)
    samples = len(source)
    if p.form == "scores":
        rule, left = "bhdi,bhdj->bhij", left.reshape(samples, p.heads, -1, shape[1])
        right = right.reshape(samples, p.heads, -1, shape[2])
    else:
        rule, left = "bhij,bhej->bhei", left.reshape(samples, p.heads, shape[1] * shape[2], -1)
        right = right.reshape(samples, p.heads, shape[0] // p.heads, -1)
    return (torch.einsum(rule, left, right) * p.gain).reshape(samples, *shape)


def _per_channel(values: NDArray[np.float64], shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype).reshape(-1, *[1] * (len(shape) - 1))


def _bias(planned: Planned, dtype: torch.dtype) -> torch.Tensor:
    assert planned.bias is not None
    if planned.bias.size == planned.shape[0]:
        return _per_channel(planned.bias, planned.shape, dtype)
    return torch.tensor(planned.bias, dtype=dtype).reshape(planned.shape)


def _weight(projection: Projection, source: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    weight = torch.tensor(np.asarray(projection.weight), dtype=dtype)
    return weight.reshape(-1, *[1] * (len(source) - 1)) if isinstance(projection, Elementwise) else weight


def _project(p: Projection, weight: torch.Tensor, values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    if isinstance(p, Dense):
        return (values.flatten(1) @ weight.T).reshape(-1, *shape)
    if isinstance(p, Conv2d):
        result = functional.conv2d(values, weight, None, p.stride, p.padding, p.dilation, p.groups)
        if p.first_row is None:
            return result
        tokens = result.flatten(2)
        after = shape[1] - p.first_row - tokens.shape[2]
        return functional.pad(tokens, (p.first_row, after)).unsqueeze(3)
    if isinstance(p, Elementwise):
        return values * weight
    if isinstance(p, TransposedConv2d):
        return functional.conv_transpose2d(
            values, weight, None, p.stride, p.padding, p.output_padding, p.groups, p.dilation
        )
    if isinstance(p, Upsample):
        return values.repeat_interleave(p.factor[0], dim=2).repeat_interleave(p.factor[1], dim=3)
    if isinstance(p, AveragePool | MaxPool):
        (ph, pw) = p.padding
        padded = functional.pad(
            values, (pw, pw, ph, ph)
        )  # windows may be padded by more than half, which torch's own refuses
        pool = functional.avg_pool2d if isinstance(p, AveragePool) else functional.max_pool2d
        return pool(padded, p.kernel, p.stride)
    raise TypeError(f"no torch rule for {p.kind!r}")
