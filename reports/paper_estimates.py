"""What papers would print for a run: the estimates of the literature, each by its own rule, beside ours.

None of them is part of our numbers. Each takes counts of this run, and constants that its source gives.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import MaxPool, Population, Stationary
from sfnhw.neurons import Graded, Partial, Stream
from sfnhw.reports.neurobench import emissions, neurobench
from sfnhw.reports.operation_count import ACCUMULATE_PJ, MULTIPLY_ACCUMULATE_PJ, operation_count
from sfnhw.run import Run

# Horowitz, ISSCC 2014, 45 nm, 0.9 V: 8-bit integer add, and 8-bit multiply (0.2) + add.
INT8_ACCUMULATE_PJ = 0.03
INT8_MULTIPLY_ACCUMULATE_PJ = 0.23
# Davies et al., IEEE Micro 2018, Table 2: minimum energy of a synaptic operation, 14 nm, 0.75 V, pre-silicon.
LOIHI_SOP_PJ = 23.6
# Merolla et al., Science 2014: whole chip over synaptic events, 28 nm, 0.775 V; leakage, routing and neurons included.
TRUENORTH_SOP_PJ = 26.0

HOROWITZ = "Horowitz, ISSCC 2014 (45 nm, 0.9 V): 32-bit floating-point add 0.9 pJ, multiply and add 4.6 pJ"
HOROWITZ_8 = "Horowitz, ISSCC 2014 (45 nm, 0.9 V): 8-bit integer add 0.03 pJ, multiply 0.2 pJ"
NO_SYSTEM = "memory, spike routing, neuron updates, thresholds, pins, leakage, clock"


@dataclass(frozen=True)
class PaperEstimate:
    """One rule applied to one run.

    Attributes
    ----------
    rule : short name; meaning : how it counts.
    accumulates, multiply_accumulates : operations of one inference by the rule.
    accumulate_pj, multiply_accumulate_pj : its constants. [pJ]
    source : of rule and constants; leaves_out : what it does not count.
    """

    rule: str
    meaning: str
    accumulates: float
    multiply_accumulates: float
    accumulate_pj: float
    multiply_accumulate_pj: float
    source: str
    leaves_out: str

    @property
    def energy_j(self) -> float:
        """Operations × constants, per inference. [J]"""
        pj = self.accumulates * self.accumulate_pj + self.multiply_accumulates * self.multiply_accumulate_pj
        return pj * 1e-12


def paper_estimates(run: Run) -> list[PaperEstimate]:
    """Return every rule's estimate of one inference.

    Sources: ANN-to-SNN conversion (e.g. arXiv 2510.23383); Spikformer, arXiv 2209.15425 (SOPs = rate × T × FLOPs);
    NeuroBench, see `sfnhw.reports.neurobench`; H-MT, AAAI 2026, eq. 31 and 32; chips' published pJ per synaptic operation.
    """
    counted, effective = operation_count(run), neurobench(run)
    dense = float(run.network.dense_macs)
    rated = rate_operations(run)
    single, macs = counted.accumulates - counted.multilevel, counted.multiply_accumulates
    fp = (ACCUMULATE_PJ, MULTIPLY_ACCUMULATE_PJ)
    int8 = (INT8_ACCUMULATE_PJ, INT8_MULTIPLY_ACCUMULATE_PJ)
    wide = "what a spike of many levels costs more than a unit spike"
    operations = counted.accumulates
    return [
        PaperEstimate(
            "ANN", "dense MACs once, as frameworks count them", 0, dense, *fp, HOROWITZ, f"zeros; {NO_SYSTEM}"
        ),
        PaperEstimate("ANN, int8", "the same at 8 bits", 0, dense, *int8, HOROWITZ_8, f"zeros; {NO_SYSTEM}"),
        PaperEstimate(
            "SNN", "spikes × fan-out as ACs; synapses of layers fed by real values as MACs, once",
            operations, macs, *fp, f"ANN-to-SNN conversion papers, e.g. arXiv 2510.23383; {HOROWITZ}",
            f"{NO_SYSTEM}; {wide}",
        ),
        PaperEstimate(
            "SNN, levels as MACs", "the same, with a MAC for each spike that carries one of many levels",
            single, macs + counted.multilevel, *fp, f"our reading of NeuroBench's MAC; {HOROWITZ}", NO_SYSTEM,
        ),
        PaperEstimate(
            "SNN, int8", "counts of SNN at 8 bits", operations, macs, *int8, HOROWITZ_8, f"{NO_SYSTEM}; {wide}"
        ),
        PaperEstimate(
            "rate × T × FLOPs", "ACs: mean rate of a layer's inputs × T × its dense MACs; those of the first layer as MACs, once",
            rated[0], rated[1], *fp, f"Spikformer, arXiv 2209.15425; {HOROWITZ}",
            f"{NO_SYSTEM}; {wide}; which neurons spike (borders, fan-out), and the input's repetition",
        ),
        PaperEstimate(
            "NeuroBench effective", "non-zero activation × non-zero weight; MAC where activations are not binary",
            effective.effective_acs, effective.effective_macs, *fp,
            f"NeuroBench, docs/metrics/workload_metrics (it gives operations; joules by {HOROWITZ})",
            f"{NO_SYSTEM}; pooling, transposed convolutions, products of activations",
        ),
        PaperEstimate(
            "H-MT", "an AC for each threshold that fires: the ones in the level's binary number",
            cascade_operations(run), macs, *fp, f"H-MT, AAAI 2026, eq. 31 and 32; {HOROWITZ}",
            f"{NO_SYSTEM}; levels that are not uniform are written as their index",
        ),
        PaperEstimate(
            "Loihi SOP", "every synaptic operation of SNN at Loihi's minimum", operations, macs,
            LOIHI_SOP_PJ, LOIHI_SOP_PJ, "Davies et al. 2018, Table 2 (14 nm, pre-silicon minimum)",
            f"neuron updates, spike routing, pins, leakage; {wide}",
        ),
        PaperEstimate(
            "TrueNorth SOP", "every synaptic operation of SNN at TrueNorth's whole power over its events",
            operations, macs, TRUENORTH_SOP_PJ, TRUENORTH_SOP_PJ, "Merolla et al. 2014 (28 nm, all-in, at 20 Hz)",
            f"nothing of that chip, but all of it at another load; {wide}",
        ),
    ]  # fmt: skip


def paper_rows(run: Run) -> list[dict[str, Any]]:
    """Return the estimates as JSON values; `ours_over_this` is our energy / the rule's (None where that is 0)."""
    ours = run.cost.total.as_joules(run.samples)["value"]
    return [
        {
            "rule": e.rule,
            "meaning": e.meaning,
            "energy_j": e.energy_j,
            "operations": e.accumulates + e.multiply_accumulates,
            "accumulates": e.accumulates,
            "multiply_accumulates": e.multiply_accumulates,
            "accumulate_pj": e.accumulate_pj,
            "multiply_accumulate_pj": e.multiply_accumulate_pj,
            "ours_over_this": ours / e.energy_j if e.energy_j else None,
            "source": e.source,
            "leaves_out": e.leaves_out,
        }
        for e in paper_estimates(run)
    ]


def rate_operations(run: Run) -> tuple[float, float]:
    """(accumulates, multiply-accumulates) of one inference by SOPs = rate × T × FLOPs.

    The rate is that of the layer's source: spikes / (samples × T × neurons). FLOPs are the layer's dense MACs as
    frameworks count them; layers fed by real values (the first) count theirs once, as MACs.
    """
    accumulates = macs = 0.0
    for p in run.network.projections:
        source = run.network[p.source]
        flops = p.dense_macs(source, run.network[p.target])
        if isinstance(source.coding, Graded):
            macs += flops
        else:
            accumulates += float(emissions(run, source).sum()) / (run.samples * source.size) * flops
    return accumulates, macs


def cascade_operations(run: Run) -> float:
    """Accumulates of one inference where each threshold that fires is one: spikes counted by the ones of their level.

    A cascade θ, θ/2, .. θ/2^(n−1) of which all may fire writes a uniform level in binary. Of power-of-two levels, of a
    spike whose time is its value, and of a residual stream one fires.
    """
    total = 0.0
    for p in run.network.projections:
        source = run.network[p.source]
        if isinstance(p, MaxPool | Stationary) or isinstance(source.coding, Graded):
            continue
        fan = p.fan(source, run.network[p.target], source.block, run.network[p.target].block)
        total += float(fan.per_neuron(source.size) @ _fired(run, source))
    return total / run.samples


def _fired(run: Run, source: Population) -> NDArray[np.int64]:
    """(neurons,) thresholds that fire in the whole run."""
    coding = source.coding
    one = coding.burst or coding.window > 1 or isinstance(coding, Stream | Partial)
    one = one or coding.need().spacing == "power-of-two"
    if one:
        return run.recording.activity.sent(run.network, source.name).sum(axis=(0, 1), dtype=np.int64)
    magnitude = np.abs(run.recording.activity.levels[source.name].astype(np.int64))
    bits = int(magnitude.max(initial=0)).bit_length()
    fired = np.zeros(source.size, np.int64)
    for bit in range(bits):
        fired += ((magnitude >> bit) & 1).sum(axis=(0, 1))
    return fired
