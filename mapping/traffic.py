"""Traffic: flits that each slice sends in the network on chip, and the nets that carry them between cores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.mapping.connections import Connections
from sfnhw.mapping.copies import neuron_targets
from sfnhw.mapping.packet_choice import Sent, planned_formats
from sfnhw.mapping.packet_formats import AER, packing
from sfnhw.mapping.slices import Slice, parts_of
from sfnhw.network import Network
from sfnhw.units import ceil_div

Ints = NDArray[np.int64]

PINS = -1  # the end of a net at the chip's pins


@dataclass(frozen=True, eq=False)
class Traffic:
    """Flits that slices send over each link of their trees, over all samples.

    Attributes
    ----------
    forward : (slices,) flits of spike packets, and end markers of one flit: over each link of `Mapping.routes`.
    back : (slices,) ready tokens of one flit: over each link of `Mapping.ready_routes`.
    samples : inferences that the flits are the sum of.
    sizes, own : (slices,) neurons, and (neurons,) flits of each one's packets, in slice-major order, where these go to what
        their own neuron feeds (``noc.destinations: neuron``); else None.
    """

    forward: Ints
    back: Ints
    samples: int
    sizes: Ints | None = None
    own: Ints | None = None

    def control(self) -> Ints:
        """(slices,) flits of end markers, which go to all that a slice feeds; where there is `own`."""
        assert self.own is not None
        assert self.sizes is not None
        upto = np.concatenate([[0], np.cumsum(self.own)])
        ends = np.cumsum(self.sizes)
        return self.forward - upto[ends] + upto[ends - self.sizes]


def slice_traffic(
    network: Network,
    slices: tuple[Slice, ...],
    chip: Chip,
    activity: Activity | None,
    formats: dict[str, str] | None = None,
) -> Traffic:
    """Flits of each slice: from what really spikes, or, without an activity, as if each neuron sent one spike.

    formats : population → packet format; None: the chip's, or what `auto` is expected to choose (`planned_formats`).
    End markers and ready tokens follow the rule of the simulation (`sfnhw.sim`): one of each for each window, and each row
    where rows work by themselves, none under a barrier.

    Raises
    ------
    ActivityError : an activity of another network. InputError : the chip's packet format has no room for bursts.
    """
    sent = Sent(network, activity)
    formats = formats or planned_formats(network, slices, chip, activity)
    windows = 0 if chip.execution.mode == "barrier" else sent.samples * network.updates
    forward, back = np.zeros(len(slices), np.int64), np.zeros(len(slices), np.int64)
    own: list[Ints] = []
    for s in slices:
        population = network[s.population]
        # Inputs and readouts of a network in windows work in the first timestep only (sfnhw.sim.tables).
        frames = 1 if population.coding.window == 1 else network.window
        parts = parts_of(s.block, chip)
        flits = int(sent.load(s, chip, formats[s.population]).flits.sum())
        forward[s.index] = flits + windows * frames * parts
        back[s.index] = 0 if population.role == "input" else windows * parts
        if chip.noc.destinations == "neuron":  # single spikes, of one length
            each = ceil_div(packing(population, s.block, chip, AER).fixed_bits, chip.noc.flit_bits)
            own.append(sent.of(s).sum(axis=0, dtype=np.int64) * each)
    if chip.noc.destinations == "slice":
        return Traffic(forward, back, sent.samples)
    return Traffic(forward, back, sent.samples, np.array([s.neurons for s in slices], np.int64), np.concatenate(own))


@dataclass(frozen=True, eq=False)
class Nets:
    """Who must hear whom: hyperedges over nodes (what shares a core is one node), as flat arrays.

    Attributes
    ----------
    nodes : number of nodes.
    root : (nets,) node that sends, or `PINS`.
    first, leaves : CSR (nets + 1,): nodes that must be reached, sorted, without the root.
    to_pins : (nets,) whether the pins must be reached too.
    weight : (nets,) flits over each link of the net's tree, over all samples; positive.
    """

    nodes: int
    root: Ints
    first: Ints
    leaves: Ints
    to_pins: NDArray[np.bool_]
    weight: Ints

    def __len__(self) -> int:
        return len(self.root)


def build_nets(
    node_of: Ints,
    connections: Connections,
    is_output: NDArray[np.bool_],
    traffic: Traffic,
    cast: str,
    merge: bool = True,
) -> Nets:
    """Nets of the slices' packets and of their ready tokens.

    Parameters
    ----------
    node_of : (slices,) node of each slice, `PINS` for those of input populations.
    is_output : (slices,) slices whose packets also go to the pins.
    cast : "multicast": one net for all targets; "unicast": one for each.
    merge : those with the same ends are one, as their trees are in dimension order; else each tree is a net by itself.
    """
    ends: dict[tuple[int, tuple[int, ...], int], int] = {}
    rows = np.stack([connections.source, connections.target]).astype(np.int64)
    out = np.flatnonzero(is_output)
    forward = _targets(rows[0], node_of[rows[1]], len(node_of), out)
    back = _targets(rows[1], node_of[rows[0]], len(node_of), out[:0])
    own = _own_weights(node_of, connections, is_output, traffic)
    for weights, targets, known in ((traffic.forward, forward, own), (traffic.back, back, {})):
        for i, (root, weight, reached) in enumerate(zip(node_of.tolist(), weights.tolist(), targets, strict=True)):
            others = tuple(t for t in reached if t != root)
            for group in [others] if cast == "multicast" else [(t,) for t in others]:
                flits = known.get((i, group[0]), weight) if group else 0
                if flits:
                    key = (root, group, 0 if merge else len(ends))
                    ends[key] = ends.get(key, 0) + flits
    leaves = [[t for t in group if t != PINS] for _, group, _ in ends]
    return Nets(
        nodes=int(node_of.max(initial=-1)) + 1,
        root=np.array([root for root, _, _ in ends], np.int64),
        first=np.concatenate([[0], np.cumsum([len(x) for x in leaves])]).astype(np.int64),
        leaves=np.array([t for x in leaves for t in x], np.int64),
        to_pins=np.array([PINS in group for _, group, _ in ends], np.bool_),
        weight=np.array(list(ends.values()), np.int64),
    )


def _own_weights(
    node_of: Ints, connections: Connections, is_output: NDArray[np.bool_], traffic: Traffic
) -> dict[tuple[int, int], int]:
    """(slice, node) → flits, where packets go to what their own neuron feeds; else nothing."""
    if traffic.own is None or traffic.sizes is None:
        return {}
    pins = int(node_of.max(initial=-1)) + 1
    targets = neuron_targets(traffic.sizes, connections, node_of, is_output, pins)
    slices = np.repeat(np.arange(len(node_of)), traffic.sizes)
    sums = targets.weights(traffic.own, slices, pins + 1).reshape(-1, pins + 1) + traffic.control()[:, None]
    many = np.diff(targets.first)
    pairs = np.unique(np.repeat(slices, many) * (pins + 1) + targets.places)
    places = zip(*np.divmod(pairs, pins + 1), strict=True)
    return {(int(s), PINS if t == pins else int(t)): int(sums[s, t]) for s, t in places}


def _targets(source: Ints, node: Ints, slices: int, to_pins: Ints) -> list[list[int]]:
    """For each slice the nodes that it must reach, sorted, each once."""
    source, node = np.concatenate([source, to_pins]), np.concatenate([node, np.full(len(to_pins), PINS)])
    pairs = np.unique(np.stack([source, node]), axis=1)
    cuts = np.searchsorted(pairs[0], np.arange(1, slices))
    return [part.tolist() for part in np.split(pairs[1], cuts)]
