"""The network: populations joined by projections."""

from sfnhw.network.block import Block, Fan
from sfnhw.network.file import load_network, save_network
from sfnhw.network.functions import FUNCTIONS, Function
from sfnhw.network.network import Network
from sfnhw.network.population import Population
from sfnhw.network.projections import (
    PROJECTIONS,
    AveragePool,
    Conv2d,
    Dense,
    Elementwise,
    MaxPool,
    Product,
    Projection,
    Sparse,
    Stationary,
    TransposedConv2d,
    Upsample,
)

__all__ = [
    "FUNCTIONS",
    "PROJECTIONS",
    "AveragePool",
    "Block",
    "Conv2d",
    "Dense",
    "Elementwise",
    "Fan",
    "Function",
    "MaxPool",
    "Network",
    "Population",
    "Product",
    "Projection",
    "Sparse",
    "Stationary",
    "TransposedConv2d",
    "Upsample",
    "load_network",
    "save_network",
]
