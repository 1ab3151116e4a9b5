"""Packets of each neuron: recorded, or one from each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity, checked
from sfnhw.network import Block, Network

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Packets:
    """What each neuron sends.

    Attributes
    ----------
    per_neuron : population → (neurons,) packets, all samples and timesteps.
    samples : inferences that they are the sum of.
    activity : where they come from; None: one packet from each neuron in one inference.
    """

    network: Network
    per_neuron: dict[str, Ints]
    samples: int
    activity: Activity | None

    def grid(self, name: str, block: Block) -> Ints:
        """(channels, positions) packets of a block of a population."""
        p = self.network[name]
        whole = self.per_neuron[name].reshape(p.channels, p.positions)
        return whole[block.c0 : block.c1, block.r0 * p.columns : block.r1 * p.columns]

    def of(self, name: str, block: Block) -> int:
        """Packets of a block of a population."""
        return int(self.grid(name, block).sum())

    def spiking_groups(self, name: str, block: Block, lanes: int, by_position: bool = False) -> int:
        """Groups of `lanes` neighbours of a block in which any neuron sends something, over samples and timesteps.

        by_position : neighbours are the channels of a position, not the positions of a channel.
        """
        p = self.network[name]
        if self.activity is None:
            return -(-p.block_size(block) // lanes)
        indices = p.indices(block)
        if by_position:
            indices = indices.reshape(block.channels, -1).T.reshape(-1)
        fired = self.activity.sent(self.network, name)[:, :, indices] > 0
        groups = np.logical_or.reduceat(fired, np.arange(0, fired.shape[2], lanes), axis=2)
        return int(groups.sum())


def packets_of(network: Network, activity: Activity | None) -> Packets:
    """Packets of an activity, or one from each neuron.

    Raises
    ------
    ActivityError : an activity of another network.
    """
    if activity is None:
        return Packets(network, {p.name: np.ones(p.size, np.int64) for p in network.populations}, 1, None)
    checked(activity, network)
    counts = {p.name: activity.sent(network, p.name).sum(axis=(0, 1), dtype=np.int64) for p in network.populations}
    return Packets(network, counts, activity.samples, activity)
