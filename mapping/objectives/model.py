"""What a choice of cuts costs, before anything is placed: latency, interval, energy and cores.

Cycles of units are exact (`sfnhw.mapping.objectives.work`); when they happen is a recurrence over layers, one slice a
core, with the mean work of a window and the slice of each layer that has most to do. In dataflow, with S the synapse
work, D the threshold walk and E = max(D, injection port) of a layer:

    fed     = max over its sources, by arrival, of (the head of its packets + S of all that do not come before it)
    start   = max(fed, last arrival),  end = start + E
    interval = max(busiest unit or pins, (start_c + D_c + token − start_a) / banks over a → c)

Under a barrier a step lasts as long as the slowest sender and receiver among the layers at work in it. The way of a
packet is a guess: a walk of as many routers as two neighbouring squares with the slices of both layers are wide. Nothing
is known of links that several trees share.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.objectives.cut_energy import CutEnergy
from sfnhw.mapping.objectives.packets import Packets
from sfnhw.mapping.objectives.work import CutWork, LayerWork
from sfnhw.mapping.packet_choice import looks_up_spikes
from sfnhw.mapping.slices import initiation_interval
from sfnhw.mapping.slicing import Parts
from sfnhw.mapping.unit_cycles import frames_of, port_cycles, unit_weights
from sfnhw.network import Network, Projection, Stationary

Ints = NDArray[np.int64]
Choice = dict[str, Parts]
# Blocks of all cuts that are looked at, of all layers.
MOST_BLOCKS = 60_000
WHOLE = (1, 1)  # how an input is cut


class Figures(NamedTuple):
    """Modelled figures of a choice of cuts: cycles, cycles, pJ an inference (what cuts change of it), slices on cores."""

    latency: float
    interval: float
    energy_pj: float
    cores: int


class Meeting(NamedTuple):
    """How a layer's blocks hear a source, through one projection; all samples.

    heard : (blocks,) look-ups, of packets or of the spikes in them. spikes : in all packets that reach blocks. slices :
    (blocks,) source slices that reach each block. parts : (blocks,) parts of these that start by themselves, and send end
    markers.
    flits : of all packets, once for each block that they reach.
    """

    heard: Ints
    spikes: int
    slices: Ints
    parts: Ints
    flits: int


class Stage(NamedTuple):
    """One layer of one choice, a window: cycles, and pJ but for leakage.

    synapse : of the slice with most to do, by projection. walk, emission : D and E. unit : of its busiest unit.
    """

    synapse: tuple[float, ...]
    walk: float
    emission: float
    unit: float
    slices: int
    energy_pj: float


class Model:
    """All layers of a network on a chip, and what a choice of cuts costs."""

    def __init__(self, network: Network, chip: Chip, packets: Packets):
        """Prepare; nothing is cut yet."""
        units = unit_weights(network, chip)
        self.network, self.chip, self.packets = network, chip, packets
        self.layers = {p.name: LayerWork(network, p, chip, packets, units) for p in network.order}
        self.into = {p.name: network.into(p.name) for p in network.order}
        self.order = [
            (p.name, p.role, [(q.source, isinstance(q, Stationary)) for q in self.into[p.name]]) for p in network.order
        ]
        self.windows = packets.samples * network.updates
        self.barrier = chip.execution.mode == "barrier"
        self.energy = CutEnergy(network, chip, packets)
        noc = chip.noc
        router = noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles
        self.alone, self.hop = router + noc.interface_cycles, router + noc.link_cycles
        self._meetings: dict[tuple[int, Parts, Parts], Meeting] = {}
        self._stages: dict[tuple[str, Parts, tuple[Parts, ...]], Stage] = {}

    def work(self, name: str, choice: Choice) -> CutWork:
        """Work of a layer as it is cut in a choice; inputs are whole."""
        return self.layers[name].cut(choice.get(name, WHOLE))

    def meeting(self, p: Projection, choice: Choice) -> Meeting:
        """How the blocks of a projection's target hear those of its source."""
        key = (id(p), choice.get(p.source, WHOLE), choice.get(p.target, WHOLE))
        if key not in self._meetings:
            source, target = self.work(p.source, choice), self.work(p.target, choice)
            a, b = self.network[p.source], self.network[p.target]
            looked_up = source.spikes if looks_up_spikes(p, self.chip) else source.packets
            heard, slices, parts, flits, spikes = [], [], [], 0, 0
            for block in target.cut.blocks:
                places = source.cut.meeting(p.reach(a, b, block))
                heard.append(int(looked_up[places].sum()))
                spikes += int(source.spikes[places].sum())
                slices.append(len(places))
                parts.append(int(source.starts[places].sum()))
                flits += int(source.flits[places].sum())
            self._meetings[key] = Meeting(
                np.array(heard, np.int64), spikes, np.array(slices, np.int64), np.array(parts, np.int64), flits
            )
        return self._meetings[key]

    def fits(self, name: str, choice: Choice) -> bool:
        """Whether a layer's axon entries fit with its sources cut as they are."""
        if self.chip.core.axon_sharing != "slice":
            return True  # a pointer for each source neuron, however these are cut: `LayerWork.fits`
        entries = sum((self.meeting(p, choice).slices for p in self.into[name] if not p.has_indices), start=0)
        pointers = self.layers[name].pointers(choice.get(name, WHOLE))
        return bool(np.max(entries + pointers) <= self.chip.core.axons)

    def candidates(self, name: str, most_slices: int) -> list[Parts]:
        """Cuts of a layer, fewest slices first, without those that another with no more slices beats in all that is its own."""
        layer = self.layers[name]
        kept: list[tuple[float, ...]] = []
        found = []
        for parts in layer.candidates(most_slices, MOST_BLOCKS // len(self.layers)):
            work = layer.cut(parts)
            lanes = work.synapse.sum(axis=0).max(initial=0)
            own = (
                -float(parts[1]),  # what is cut by rows hears less of its sources
                float(lanes),
                float(work.threshold.max()),
                float(work.port.max()),
                self.energy.memory(name, work, self),
            )
            if not any(all(a <= b for a, b in zip(other, own, strict=True)) for other in kept):
                kept.append(own)
                found.append(parts)
        return found

    def stage(self, name: str, choice: Choice) -> Stage:
        """Cycles of a layer in one window, by its busiest slices."""
        key = (name, choice.get(name, WHOLE), tuple(choice.get(p.source, WHOLE) for p in self.into[name]))
        if key not in self._stages:
            self._stages[key] = self._stage(name, choice)
        return self._stages[key]

    def _stage(self, name: str, choice: Choice) -> Stage:
        network, axon = self.network, self.chip.core.axon_cycles
        own, population = self.work(name, choice), network[name]
        looked_up = np.zeros(own.slices, np.int64)
        service, synapse = [], []
        for k, p in enumerate(self.into[name]):
            met = self.meeting(p, choice)
            marks = 0 if self.barrier else self.windows * frames_of(network, network[p.source]) * met.parts
            looked_up += axon * (met.heard + marks)
            synapse.append(own.synapse[k])
            service.append(np.maximum(own.synapse[k], met.heard * max(axon, 1)))
        worst = int(np.argmax(np.sum(service, axis=0))) if service else 0
        pins = population.role == "input"
        control = 0 if self.barrier else self.windows * (frames_of(network, population) + (not pins))
        port = own.port + own.starts * control * int(port_cycles(1, self.chip, pins))
        lanes = np.sum(synapse, axis=0) if synapse else np.zeros(own.slices)
        unit = 0 if pins else max(looked_up.max(), lanes.max(), own.threshold.max(), port.max())
        n = self.windows
        return Stage(
            synapse=tuple(float(s[worst]) / n for s in service),
            walk=float(own.threshold.max()) / n,
            emission=float(max(own.threshold.max(), port.max())) / n,
            unit=float(unit) / n,
            slices=0 if pins else own.slices,
            energy_pj=self.energy.layer(self, name, choice) / n,
        )

    def figures(self, choice: Choice) -> Figures:
        """Latency, interval, energy and cores of a choice."""
        stages = {name: self.stage(name, choice) for name, _, _ in self.order}
        cores = sum(s.slices for s in stages.values())
        latency, interval = self._barrier(stages, cores) if self.barrier else self._dataflow(stages)
        energy = self.network.updates * sum(s.energy_pj for s in stages.values())
        return Figures(latency, interval, energy + self.energy.leakage(cores, latency), cores)

    def busiest(self, choice: Choice) -> float:
        """Cycles an inference of the busiest unit of any core."""
        return max(self.stage(p.name, choice).unit for p in self.network.order) * self.network.updates

    def _way(self, a: Stage, c: Stage) -> float:
        """Cycles of a packet from a slice of one layer to one of another, alone."""
        routers = sqrt((a.slices + c.slices) / self.chip.noc.cores_per_router)
        return self.alone + routers * self.hop

    def _dataflow(self, stages: dict[str, Stage]) -> tuple[float, float]:
        """Latency and interval where layers start when their inputs are in."""
        core = self.chip.core
        start: dict[str, float] = {}
        end: dict[str, float] = {}
        finish = 0.0
        interval = max(s.unit for s in stages.values())
        for name, role, sources in self.order:
            stage = stages[name]
            ways = [self._way(stages[source], stage) for source, _ in sources]
            begin = self._begin(stage, sources, ways, start, end)
            start[name], end[name] = begin, begin + stage.emission
            for (source, _), way in zip(sources, ways, strict=True):
                interval = max(interval, (begin + stage.walk + way - start[source]) / core.state_banks)
            if role == "input":
                interval = max(interval, stage.emission)
            if role == "output":
                finish = max(finish, end[name] + self._way(stage, stage))
        return finish + (self.network.updates - 1) * interval, self.network.updates * interval

    def _begin(
        self,
        stage: Stage,
        sources: list[tuple[str, bool]],
        ways: list[float],
        start: dict[str, float],
        end: dict[str, float],
    ) -> float:
        """When a layer's threshold walk begins: all synapses are done, and all end markers are in."""
        if not sources:
            return 0.0
        heads = [(start[name] + 1 + way, s) for (name, _), way, s in zip(sources, ways, stage.synapse, strict=True)]
        last = [end[name] + way + self.chip.core.axon_cycles for (name, _), way in zip(sources, ways, strict=True)]
        begin = max(_fed(heads), *last)
        held = [k for k, (_, stationary) in enumerate(sources) if stationary]
        if held:  # the stream's synapses begin when the last of the stationary operand is written
            complete = max(_fed([heads[k] for k in held]), *(last[k] for k in held))
            begin = max(begin, complete + sum(s for k, s in enumerate(stage.synapse) if k not in held))
        return begin

    def _barrier(self, stages: dict[str, Stage], cores: int) -> tuple[float, float]:
        """Steps of one inference: those in which the wavefront fills and empties, and those between."""
        network, depth = self.network, self.network.depth
        ahead = initiation_interval(network)
        routers = -(-cores // self.chip.noc.cores_per_router)
        barrier = self.chip.execution.barrier_cycles_of(max(1, min(routers, self.chip.routers)))

        def step(active: set[int]) -> float:
            sends = max((s.emission for n, s in stages.items() if depth[n] in active), default=0.0)
            takes = [
                sum(s for q, s in zip(self.into[n], stage.synapse, strict=True) if depth[q.source] in active)
                for n, stage in stages.items()
            ]
            return max(sends, max(takes, default=0.0)) + barrier

        last = max(depth.values())
        windows = network.updates
        total, known = 0.0, dict[frozenset[int], float]()
        for now in range((windows - 1) * ahead + last + 1):
            first = max(0, -(-(now - last) // ahead))
            active = frozenset(now - w * ahead for w in range(first, min(windows - 1, now // ahead) + 1))
            if active not in known:
                known[active] = step(set(active))
            total += known[active]
        return total, windows * ahead * step(set(range(last + 1)))


def _fed(heads: list[tuple[float, float]]) -> float:
    """When lanes that serve in order of arrival are done: from each head on they have all that do not come before it to do."""
    left, done = 0.0, 0.0
    for head, synapse in sorted(heads, reverse=True):
        left += synapse
        done = max(done, head + left)
    return done
