"""The trained network itself: a converted network's weights and functions in real numbers, without any coding.

What conversion lost is the difference to this on the *same* inputs. A `.sfn` file holds all that it takes (folded
weights, biases, functions, caps), so neither torch nor the trained module is needed.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import FUNCTIONS, MaxPool, Network, Population, Product, Stationary
from sfnhw.neurons import Events
from sfnhw.record import Inputs, chunks, given_inputs

Reals = NDArray[np.float64]


def has_ideal(network: Network) -> bool:
    """Whether there is a trained network behind this one: `sfnhw.convert` made it, and values are not spikes in time."""
    return (
        "module" in network.metadata
        and not any(isinstance(p.coding, Events) for p in network.inputs)
        and not any(getattr(p, "delay", 0) for p in network.projections)
    )


def ideal_outputs(network: Network, inputs: Inputs) -> Reals:
    """Return (samples, output neurons): what the trained network computes, in float64.

    Parameters
    ----------
    network : one for which `has_ideal` holds.
    inputs : (samples, *input shape) real values, as for `sfnhw.record.record`; they are not rounded or clipped.

    Raises
    ------
    ActivityError : as `record`.
    """
    given = given_inputs(network, inputs)
    samples = len(next(iter(given.values())))
    flat = {name: values.reshape(samples, -1) for name, values in given.items()}
    parts = [
        _forward(network, {name: values[part] for name, values in flat.items()}) for part in chunks(network, samples)
    ]
    return np.concatenate(parts)


def ideal_accuracy(network: Network, inputs: Inputs, labels: NDArray[np.int64] | None) -> float | None:
    """Return the trained network's share of right answers on these inputs; None without labels or trained network."""
    if labels is None or not has_ideal(network):
        return None
    return float((ideal_outputs(network, inputs).argmax(axis=1) == np.asarray(labels)).mean())


def _forward(network: Network, values: Mapping[str, Reals]) -> Reals:
    """One chunk of samples through all populations."""
    done = dict(values)
    for target in network.order:
        if target.role != "input":
            done[target.name] = _values(network, target, done)
    return np.concatenate([done[p.name] for p in network.outputs], axis=1)


def _values(network: Network, target: Population, done: Mapping[str, Reals]) -> Reals:
    """(samples, neurons) of one population, from those before it."""
    samples = len(next(iter(done.values())))
    total = np.zeros((samples, target.channels, target.positions))
    if target.bias is not None:
        total = total + target.bias.reshape(target.channels, -1)
    for p in network.into(target.name):
        if isinstance(p, Stationary):
            continue
        weight = done[p.operand] * p.gain if isinstance(p, Product) else np.asarray(p.weight, float)
        total = total + p.apply(done[p.source], weight, network[p.source], target).reshape(total.shape)
        if isinstance(p, MaxPool):
            return total.reshape(samples, -1)
    if target.needs_function_unit:
        grid = total.reshape(samples, target.channels, target.rows, target.columns)
        total = FUNCTIONS[target.function].apply(grid, target.epsilon).reshape(total.shape)
    elif target.role == "hidden" and not target.coding.signed:
        # An unsigned coding is a ReLU by itself; for values that cannot be negative it changes nothing.
        total = np.maximum(total, 0.0)
    if "cap" in target.statistics:
        total = np.minimum(total, np.asarray(target.statistics["cap"], float)[:, None])
    return total.reshape(samples, -1)
