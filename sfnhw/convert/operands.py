"""Which operand of a product stays and which streams: the cheaper way round, by what calibration saw."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sfnhw.network import Network, Product, Stationary
from sfnhw.network.projections.product import Side

_OTHER: dict[Side, Side] = {"left": "right", "right": "left"}


def with_cheaper_operands(network: Network, spikes: Mapping[str, float]) -> tuple[Network, dict[str, Any]]:
    """Turn every product round where that takes fewer operations, and say what was compared.

    Streaming an operand takes (its spikes × what each meets) synaptic operations and as many writes as the other has
    spikes; both are counted as one. Copies of the stationary operand over several cores are not known yet.

    Parameters
    ----------
    spikes : population → mean spikes in one inference.

    Returns
    -------
    The network, and for each product's population ``{"stationary", "streaming", "operations", "turned_round"}``, the
    operations being those of the chosen way and of the other one.
    """
    chosen: dict[str, Any] = {}
    projections = {(p.target, p.source): p for p in network.projections}
    for product in [p for p in network.projections if isinstance(p, Product)]:
        stay, go = product.operand, product.source
        turned = _turned(product)
        costs = _operations(network, product, spikes), _operations(network, turned, spikes)
        better = costs[1] < costs[0]
        if better:
            projections[product.target, stay] = turned
            projections[product.target, go] = Stationary(go, product.target, product.form, product.side, product.heads)
            stay, go = go, stay
        chosen[product.target] = {
            "stationary": stay,
            "streaming": go,
            "operations": [round(c) for c in (costs[::-1] if better else costs)],
        }
    return replace(network, projections=tuple(projections.values())), chosen


def _turned(product: Product) -> Product:
    """The same product with its operands' parts exchanged."""
    return replace(product, source=product.operand, operand=product.source, side=_OTHER[product.side])


def _operations(network: Network, product: Product, spikes: Mapping[str, float]) -> float:
    source, target = network[product.source], network[product.target]
    per_spike = product.macs(source, target) / source.size
    return spikes[product.source] * per_spike + spikes[product.operand]
