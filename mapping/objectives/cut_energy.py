"""Energy of a choice of cuts, with the chip's own prices: all that cuts change of it.

Words of weight and state memory, axon look-ups and decodes, flits over routers and links (a tree to k cores has k
links, as if none were longer), clearing of stationary operands, the clock of busy cores, and leakage of powered cores
and of routers for as long as an inference takes. Additions, multiplications, comparisons are as many for any cut.
"""

from typing import TYPE_CHECKING

from sfnhw.actions import PACKING
from sfnhw.chip import Chip, core_leakage
from sfnhw.lowering import uses_decode_table
from sfnhw.mapping.objectives.packets import Packets
from sfnhw.mapping.objectives.work import CutWork
from sfnhw.mapping.packet_formats import AER
from sfnhw.mapping.slices import operand_bits
from sfnhw.mapping.slicing import Parts
from sfnhw.mapping.unit_cycles import frames_of
from sfnhw.network import MaxPool, Network, Projection, Stationary
from sfnhw.units import ceil_div

if TYPE_CHECKING:
    from sfnhw.mapping.objectives.model import Choice, Model


class CutEnergy:
    """The chip's prices, and sums over a choice."""

    def __init__(self, network: Network, chip: Chip, packets: Packets):
        """Look the prices up."""
        self.network, self.chip, self.packets = network, chip, packets

        def pj(action: str) -> float:
            return chip.energy_price(action).value_pj

        self.state = pj("state_read") + pj("state_write")
        self.read, self.write = pj("weight_read"), pj("weight_write")
        self.lookup, self.decode, self.packet = pj("axon_lookup"), pj("decode_read"), pj("packet")
        self.packing = pj(PACKING)
        clock = chip.static_price("router_clock_pj")
        self.router = pj("router_flit") + float(getattr(clock, "value_pj", 0.0))
        links = [chip.link_price(vertical).value_pj for vertical in (False, True)]
        self.link = sum(links) / 2
        self.clock = float(getattr(chip.static_price("core_clock_pj"), "value_pj", 0.0))
        self.core_leak = core_leakage(chip).value_uw / chip.clock_mhz  # pJ a cycle
        self.router_leak = float(getattr(chip.static_price("router_leakage_uw"), "value_uw", 0.0)) / chip.clock_mhz
        decodes = {p.source: int(uses_decode_table(network, chip.numerics, p.source)) for p in network.projections}
        self._clearing: dict[tuple[int, Parts], float] = {}
        self.decodes = {id(p): 0 if isinstance(p, MaxPool) else decodes[p.source] for p in network.projections}

    def leakage(self, cores: int, latency: float) -> float:
        """PJ of so many powered cores, and of all routers, for so many cycles."""
        powered = cores if self.chip.execution.gate_idle_cores else self.chip.cores
        return latency * (powered * self.core_leak + self.chip.routers * self.router_leak)

    def memory(self, name: str, work: CutWork, model: "Model") -> float:
        """PJ of all samples for words of weight and state memory, and the clock of the units that work them off."""
        frames = model.layers[name].frames
        total = self.clock * float(work.synapse.sum() + work.threshold.sum()) + self.state * work.update_words * frames
        for k, p in enumerate(model.into[name]):
            total += (self.write if isinstance(p, Stationary) else self.read) * float(work.words[k])
            total += self.state * float(work.state[k]) + self._cleared(p, work) * frames
        return total + self.read * work.bias_words * model.windows

    def layer(self, model: "Model", name: str, choice: "Choice") -> float:
        """PJ of all samples at one layer, and of the packets on their way to it."""
        network, work, frames = self.network, model.work(name, choice), model.layers[name].frames
        marks = 0 if model.barrier else frames
        total = self.router * float(work.flits.sum()) + self.packet * int(work.starts.sum()) * marks
        if model.layers[name].form != AER:  # what bundles are cut into is more packets
            total += self.packet * float(work.packets.sum()) + self.packing * float(work.flits.sum())
        for p in model.into[name]:
            met = model.meeting(p, choice)
            ends = 0 if model.barrier else int(met.parts.sum())
            ends *= model.windows * frames_of(network, network[p.source])
            heard = float(met.heard.sum())
            total += self.lookup * (heard + ends) + self.decode * self.decodes[id(p)] * met.spikes
            total += (self.router + self.link) * (met.flits + ends)
            if model.layers[p.source].form != AER:
                total += self.packing * met.flits
        if network[name].role == "input":
            return total
        if not model.barrier:  # ready tokens
            total += model.windows * int(work.starts.sum()) * (self.packet + self.router)
        return total + self.memory(name, work, model)

    def _cleared(self, p: Projection, work: CutWork) -> float:
        """PJ of clearing a stationary operand, in each frame."""
        if not isinstance(p, Stationary):
            return 0.0
        source, target, word = self.network[p.source], self.network[p.target], self.chip.core.weight_memory.word_bits
        bits = operand_bits(self.network, p.source, self.chip)
        key = (id(p), work.parts)
        if key not in self._clearing:
            words = sum(ceil_div(p.stored_weights(source, target, b) * bits, word) for b in work.cut.blocks)
            self._clearing[key] = self.write * words
        return self._clearing[key]
