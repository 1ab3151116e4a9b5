"""NeuroBench's algorithm-track metrics of a run, by its own definitions.

Source: NeuroBench, docs/metrics and neurobench/metrics (github.com/NeuroBench/neurobench; Yik et al., "The neurobench
framework for benchmarking neuromorphic computing algorithms and systems", Nature Communications 16, 2025). Synaptic
operations are counted at connection layers (linear and convolution), biases, pooling, normalisation and products of
activations are not. *Dense* operations count every synapse of every layer in every timestep, *effective* ones those where
neither the activation nor the weight is zero: accumulates where the layer's activations are binary, multiply-accumulates
where they are not. NeuroBench's binary is 0 and ±1. An input's real values are held to that as they are; a spike of one
magnitude throughout the run is binary too, as it is 1 once the magnitude is folded into the weights.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import Conv2d, Dense, Population, Projection, Sparse
from sfnhw.neurons import Graded, Partial, Stream
from sfnhw.run import Run

# The layers that NeuroBench counts and that a network here can have; its recurrent cells become linear layers.
COUNTED = (Dense, Conv2d, Sparse)
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class NeuroBench:
    """The metrics, operations per inference.

    Attributes
    ----------
    effective_macs, effective_acs, dense : synaptic operations, summed over timesteps, mean over samples.
    activation_sparsity : share of zeros among all that hidden neurons emit, all timesteps and samples.
    connection_sparsity : share of zeros among the weights of the counted layers.
    footprint_bytes : weights and biases at 4 bytes each, as a float32 module holds them.
    footprint_on_chip_bytes : weight memory that the mapping fills: at the chip's width, with indices, biases and the
        copies that slices need.
    """

    effective_macs: float
    effective_acs: float
    dense: float
    activation_sparsity: float
    connection_sparsity: float
    footprint_bytes: int
    footprint_on_chip_bytes: float

    def as_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def neurobench(run: Run) -> NeuroBench:
    """Count a run by NeuroBench's definitions."""
    network, activity = run.network, run.recording.activity
    macs = acs = dense = 0.0
    zeros = weights = 0
    for p in network.projections:
        if not isinstance(p, COUNTED):
            continue
        source, target = network[p.source], network[p.target]
        emitted = emissions(run, source)
        present = (p.weight != 0).astype(float)
        # Linear in the activations: what all samples and timesteps do is what the sum of their ones and zeros does.
        effective = float(p.apply(emitted[None].astype(float), present, source, target).sum()) / run.samples
        if is_binary(run, source):
            acs += effective
        else:
            macs += effective
        dense += p.macs(source, target) * activity.levels[p.source].shape[1]
        some, every = _zero_weights(p, source, target)
        zeros, weights = zeros + some, weights + every
    return NeuroBench(
        effective_macs=macs,
        effective_acs=acs,
        dense=dense,
        activation_sparsity=_activation_sparsity(run),
        connection_sparsity=zeros / weights if weights else 0.0,
        footprint_bytes=network.parameters * FLOAT32_BYTES,
        footprint_on_chip_bytes=sum(d.weight_bits for d in run.mapping.occupancy()) / 8,
    )


def emissions(run: Run, population: Population) -> NDArray[np.int64]:
    """(neurons,) how often each neuron emits something other than zero in the whole run; a burst is as many as its spikes."""
    levels = run.recording.activity.levels[population.name]
    if population.coding.burst:
        return np.abs(levels).sum(axis=(0, 1), dtype=np.int64)
    return np.count_nonzero(levels, axis=(0, 1)).astype(np.int64)


def is_binary(run: Run, population: Population) -> bool:
    """Whether a real-valued input holds nothing but 0 and ±1, or all that another population emits has one magnitude."""
    if population.coding.burst:
        return True
    levels = run.recording.activity.levels[population.name]
    if population.role == "input" and isinstance(population.coding, Graded):
        one = np.repeat(1 / population.scale, population.positions)
        return bool(((levels == 0) | np.isclose(np.abs(levels), one)).all())
    most = max(int(levels.max(initial=0)), -int(levels.min(initial=0)))
    largest = np.count_nonzero(levels == most) + np.count_nonzero(levels == -most)
    return most == 0 or bool(largest == np.count_nonzero(levels))


def _activation_sparsity(run: Run) -> float:
    """Of hidden populations with a neuron of their own: pooled maxima and residual streams are no activation layer."""
    silent = total = 0
    for p in run.network.populations:
        if p.role == "hidden" and p.function != "max" and not isinstance(p.coding, Stream | Partial):
            levels = run.recording.activity.levels[p.name]
            silent += levels.size - int(np.count_nonzero(levels))
            total += levels.size
    return silent / total if total else 0.0


def _zero_weights(p: Projection, source: Population, target: Population) -> tuple[int, int]:
    """(zeros, all) of a layer's weights; explicit synapses are the non-zero ones of a full matrix."""
    if isinstance(p, Sparse):
        neuron = np.repeat(np.arange(source.size), np.diff(p.offsets))
        pairs = np.unique((neuron * target.size + p.targets)[p.weight != 0])
        return source.size * target.size - len(pairs), source.size * target.size
    return int(np.count_nonzero(p.weight == 0)), int(p.weight.size)
