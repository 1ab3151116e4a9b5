"""Where the packets of each neuron go: to all that its slice feeds, or only to what it feeds itself.

Under ``noc.destinations: neuron`` a spike is one packet for each core that its neuron has a synapse on, as on Loihi, whose
neurons each have a list of axons. Paths are laid for slices; a neuron uses some of those of its slice.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.connections import Connections

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

Ints = NDArray[np.int64]


class NeuronTargets(NamedTuple):
    """For each neuron, in slice-major order, what it feeds: CSR, ascending, each once."""

    first: Ints  # (neurons + 1,)
    places: Ints

    def weights(self, amounts: Ints, slices: Ints, size: int) -> Ints:
        """Sums over the neurons of a slice of what goes to one place, at ``slice · size + place`` of the result.

        amounts : (neurons,) of each neuron to each of its places; slices : (neurons,) slice of each; size : places.
        """
        many = np.diff(self.first)
        at = np.repeat(slices, many) * size + self.places
        return np.bincount(at, np.repeat(amounts, many), (int(slices.max(initial=-1)) + 1) * size).astype(np.int64)


def neuron_targets(neurons: Ints, c: Connections, place: Ints, to_pins: NDArray[np.bool_], pins: int) -> NeuronTargets:
    """Return the places that each neuron feeds.

    Parameters
    ----------
    neurons : (slices,) of each slice.
    place : (slices,) where each slice is, ≥ 0 (slices that nothing leads into may be anywhere).
    to_pins : (slices,) slices whose packets all go to the place `pins` too.
    """
    counts, places = [], []
    for s, n in enumerate(neurons.tolist()):
        rows = np.arange(c.first[s], c.first[s + 1])
        channel, position = np.divmod(np.arange(n), c.positions[rows][:, None])
        width = c.width[c.width_first[rows][:, None] + channel * c.width_stride[rows][:, None]]
        taps = c.taps[c.taps_first[rows][:, None] + position * c.taps_stride[rows][:, None]]
        at = place[c.target[rows]]
        feeds = (width > 0) & (taps > 0)
        if to_pins[s]:
            at, feeds = np.append(at, pins), np.concatenate([feeds, np.ones((1, n), np.bool_)])
        known, which = np.unique(at, return_inverse=True)
        reach = np.zeros((len(known), n), np.bool_)
        if len(known) == len(at):
            reach[which.reshape(-1)] = feeds
        else:  # several connections lead to one place
            np.logical_or.at(reach, which.reshape(-1), feeds)
        counts.append(reach.sum(axis=0))
        places.append(known[np.nonzero(np.ascontiguousarray(reach.T))[1]])
    return NeuronTargets(
        np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64),
        np.concatenate(places).astype(np.int64),
    )


def neuron_copies(mapping: "Mapping") -> NeuronTargets:
    """Return the paths that each neuron's packets take: places among `Routes.roots` of the mapping's packets (unicast)."""
    routes, size = mapping.routes, mapping.chip.cores + 1
    neurons = np.array([s.neurons for s in mapping.slices], np.int64)
    to_pins = np.array([mapping.network.to_pins(s.population) for s in mapping.slices])
    targets = neuron_targets(neurons, mapping.connections, mapping.terminals, to_pins, mapping.io)
    # A path has one exit; which path of a slice leads to a terminal?
    path = tree_of(routes.link, routes.roots)
    node = np.repeat(np.arange(len(routes)), np.diff(routes.exit_first))
    ends = routes.owner[node].astype(np.int64) * size + routes.exits
    order = np.argsort(ends)
    slices = np.repeat(np.arange(len(neurons)), neurons)
    wanted = np.repeat(slices, np.diff(targets.first)) * size + targets.places
    return NeuronTargets(targets.first, path[node[order[np.searchsorted(ends[order], wanted)]]])


def tree_of(link: NDArray[np.integer], roots: NDArray[np.integer]) -> Ints:
    """(nodes,) place among `roots` of the root of each node's tree, whose nodes follow one another; link: −1 at a root."""
    place = np.zeros(len(link), np.int64)
    place[roots] = np.arange(len(roots))
    return place[np.maximum.accumulate(np.where(link < 0, np.arange(len(link)), 0))]
