"""What a network with layers cut over their inputs must keep to."""

from typing import TYPE_CHECKING

from sfnhw.errors import NetworkError
from sfnhw.network.projections import Elementwise, Projection
from sfnhw.neurons import Partial

if TYPE_CHECKING:
    from sfnhw.network.network import Network


def is_partial(network: "Network", name: str) -> bool:
    """Whether a population holds partial sums of another one."""
    return isinstance(network[name].coding, Partial)


def receiver_of(network: "Network", name: str) -> str | None:
    """Return the layer that adds these partial sums; None in a part of a network that does not hold it."""
    return next((p.target for p in network.projections if p.source == name), None)


def check_partials(network: "Network") -> None:
    """Raise NetworkError where partial sums are more than sums, or are not added as they are to one layer.

    They are in the accumulator steps of that layer, so nothing else can read them.
    """
    for population in network.populations:
        if not isinstance(population.coding, Partial):
            continue
        where = f"population {population.name!r}"
        if population.function != "identity" or population.bias is not None:
            raise NetworkError(
                "partial sums have no bias and no function: those are the layer's that adds them",
                field=where,
                found=f"function {population.function!r}" if population.function != "identity" else "a bias",
            )
        out = network.out_of(population.name)
        if len(out) != 1 or not _adds(out[0]):
            raise NetworkError(
                "partial sums are added as they are to one layer",
                field=where,
                found=[p.label for p in out],
                expected="one elementwise projection of weight 1 without a delay",
            )
        if isinstance(network[out[0].target].coding, Partial):
            raise NetworkError("partial sums of partial sums", field=where, found=out[0].label)


def _adds(p: Projection) -> bool:
    return isinstance(p, Elementwise) and p.weight.shape == (1,) and p.weight[0] == 1.0 and p.delay == 0
