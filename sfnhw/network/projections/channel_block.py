"""What dense and convolutional projections have in common: they may read some of their source's channels only."""

from dataclasses import dataclass, field
from typing import Any

from sfnhw.errors import NetworkError
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values


@dataclass(frozen=True, eq=False)
class ChannelBlock(Projection):
    """Base of projections that read channels [a, b) of their source; the others have no synapse at all.

    Attributes
    ----------
    source_channels : (a, b), or None for all channels. The weight covers these alone.
    """

    source_channels: tuple[int, int] | None = field(default=None, kw_only=True)

    def config(self) -> dict[str, Any]:
        """Return the JSON form, without the tensors; a projection that reads all channels does not say so."""
        plain = super().config()
        if self.source_channels is None:
            del plain["source_channels"]
        return plain

    def channels_read(self, source: Population) -> tuple[int, int]:
        """Return the half-open range of source channels that have synapses."""
        return (0, source.channels) if self.source_channels is None else self.source_channels

    def read(self, values: Values, source: Population) -> Values:
        """(samples, source size) → (samples, size of the channels that are read), a view."""
        a, b = self.channels_read(source)
        return values[:, a * source.positions : b * source.positions]

    def _check_channels(self, source: Population) -> None:
        found = self.source_channels
        if found is None:
            return
        whole = isinstance(found, tuple) and len(found) == 2 and all(type(n) is int for n in found)
        if not whole or not 0 <= found[0] < found[1] <= source.channels:
            expected = f"(a, b) with 0 ≤ a < b ≤ {source.channels}, or all channels"
            raise NetworkError(field=f"{self.label}.source_channels", found=found, expected=expected)
