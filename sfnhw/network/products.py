"""What a network with products of activations must keep to."""

from typing import TYPE_CHECKING

import numpy as np

from sfnhw.errors import NetworkError
from sfnhw.network.projections import Product, Stationary
from sfnhw.network.projections.product import pair_of

if TYPE_CHECKING:
    from sfnhw.network.network import Network
    from sfnhw.network.population import Population


def check_products(network: "Network") -> None:
    """Raise NetworkError where operands do not pair up, or cannot be multiplied in integers.

    A sum over features or keys can leave the integers as one number only if every product in it has the same step: so
    both operands have one scale for all channels, and so has a target that is thresholded as it stands. Over several
    timesteps a product of sums is not the sum of products, so T = 1.
    """
    for target in network.populations:
        if target.needs_function_unit and network.timesteps > 1:
            raise NetworkError(
                f"{target.function} over several timesteps is not modelled (it is not linear in its argument)",
                field=f"population {target.name!r}.function",
                found=f"T = {network.timesteps}",
                expected="codings of one timestep (sfn, mtn, polarity, graded)",
            )
        into = network.into(target.name)
        operands = [p for p in into if isinstance(p, Product | Stationary)]
        if not operands:
            continue
        where = f"population {target.name!r}"
        if len(into) != 2 or not (pair_of(*operands) or pair_of(*operands[::-1])):
            raise NetworkError(
                "the operands of a product do not pair up",
                field=where,
                found=[p.label for p in into],
                expected="one stationary and one product projection of the same form and heads, and nothing else",
            )
        if network.timesteps > 1:
            raise NetworkError(
                "a product of spikes over several timesteps is not modelled",
                field=where,
                found=f"T = {network.timesteps}",
                expected="codings of one timestep (sfn, mtn, polarity, graded)",
            )
        scaled = [network[p.source] for p in operands]
        if not target.needs_function_unit:
            scaled.append(target)
        for population in scaled:
            _check_one_scale(population)
        if target.bias is not None:
            raise NetworkError("a product takes no bias", field=f"{where}.bias")


def _check_one_scale(population: "Population") -> None:
    if np.ptp(population.scale) > 0:
        raise NetworkError(
            "an operand or result of a product has a scale for each channel",
            field=f"population {population.name!r}.scale",
            expected="one scale for all channels",
        )
