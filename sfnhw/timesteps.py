"""The number of timesteps of a network that was trained as a spiking one, which its inputs choose."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from sfnhw.errors import NetworkError
from sfnhw.network import Network, Population
from sfnhw.neurons import Events

# Metadata key: T follows the inputs, (samples, T, *input shape). Set where a NIR file was read without a T.
OPEN = "timesteps_follow_inputs"


def with_timesteps(network: Network, timesteps: int) -> Network:
    """Return the same network over another number of timesteps T; weights, thresholds and leaks stay.

    Raises
    ------
    NetworkError : T below 1, or a population whose coding has one timestep only.
    """
    if not isinstance(timesteps, int) or isinstance(timesteps, bool) or timesteps < 1:
        raise NetworkError(field="timesteps", found=timesteps, expected="an integer ≥ 1")
    populations = tuple(_over(p, timesteps) for p in network.populations)
    metadata = network.metadata | {"timesteps": timesteps}
    return Network(populations, network.projections, network.name, metadata)


def fitted(network: Network, inputs: Any) -> Network:
    """Return `network` over as many timesteps as `inputs` have, where it leaves that to them; else `network` itself.

    inputs : as `sfnhw.record` takes them; whether their shape fits is for it to say.
    """
    if not network.metadata.get(OPEN):
        return network
    for population in network.inputs:
        if not isinstance(population.coding, Events):
            continue
        array = inputs.get(population.name) if isinstance(inputs, Mapping) else inputs
        shape = np.shape(array) if array is not None else ()
        # A sequence (channels, length) may leave out its one row.
        bare = population.shape[::2] if len(population.shape) == 3 and population.rows == 1 else population.shape
        if len(shape) in (len(bare) + 2, len(population.shape) + 2) and shape[1] >= 1:
            return network if shape[1] == network.timesteps else with_timesteps(network, int(shape[1]))
    return network


def _over(population: Population, timesteps: int) -> Population:
    coding: Any = population.coding
    if "steps" in {f.name for f in fields(coding)}:
        return replace(population, coding=replace(coding, steps=timesteps))
    return population
