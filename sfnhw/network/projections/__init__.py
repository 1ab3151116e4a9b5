"""Projections: synapses between populations. A new kind is one file here and one line in `PROJECTIONS`."""

from sfnhw.network.projections.base import Projection
from sfnhw.network.projections.conv2d import Conv2d
from sfnhw.network.projections.dense import Dense
from sfnhw.network.projections.elementwise import Elementwise
from sfnhw.network.projections.pool import AveragePool, MaxPool
from sfnhw.network.projections.product import Product, Stationary
from sfnhw.network.projections.sparse import Sparse
from sfnhw.network.projections.transposed_conv2d import TransposedConv2d
from sfnhw.network.projections.upsample import Upsample

PROJECTIONS: dict[str, type[Projection]] = {
    p.kind: p
    for p in (
        Dense,
        Conv2d,
        AveragePool,
        MaxPool,
        Elementwise,
        Sparse,
        Product,
        Stationary,
        Upsample,
        TransposedConv2d,
    )
}

__all__ = [
    "PROJECTIONS",
    "AveragePool",
    "Conv2d",
    "Dense",
    "Elementwise",
    "MaxPool",
    "Product",
    "Projection",
    "Sparse",
    "Stationary",
    "TransposedConv2d",
    "Upsample",
]
