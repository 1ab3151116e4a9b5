"""The network: populations joined by projections."""

from sfnhw.network.block import Block, Fan
from sfnhw.network.file import load_network, save_network
from sfnhw.network.network import Network
from sfnhw.network.population import Population
from sfnhw.network.projections import (
    PROJECTIONS,
    AveragePool,
    Conv2d,
    Dense,
    Elementwise,
    MaxPool,
    Projection,
    Sparse,
    TransposedConv2d,
    Upsample,
)

__all__ = [
    "PROJECTIONS",
    "AveragePool",
    "Block",
    "Conv2d",
    "Dense",
    "Elementwise",
    "Fan",
    "MaxPool",
    "Network",
    "Population",
    "Projection",
    "Sparse",
    "TransposedConv2d",
    "Upsample",
    "load_network",
    "save_network",
]
