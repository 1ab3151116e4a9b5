"""What papers report: operations times 45 nm constants. Beside our numbers, never in them."""

from dataclasses import dataclass

import numpy as np

from sfnhw.network import MaxPool
from sfnhw.neurons import Graded, Stream
from sfnhw.run import Run

# Horowitz, ISSCC 2014, 45 nm, 0.9 V: 32-bit floating-point add, and multiply + add. The convention's own constants,
# used verbatim by most papers on converted networks; no uncertainty is stated there.
ACCUMULATE_PJ = 0.9
MULTIPLY_ACCUMULATE_PJ = 4.6


@dataclass(frozen=True)
class OperationCount:
    """Operations of one inference by the papers' rule.

    Attributes
    ----------
    accumulates : Σ spikes × fan-out over layers fed by spikes, all timesteps.
    multiply_accumulates : synapses (`Network.macs`) of layers fed by real values, once (of every layer, for a quantised ANN).
    multilevel : the part of `accumulates` whose spike value is not in {0, ±1}: MACs by NeuroBench's rule. A spike whose
        time is its value (`ttfs`) is one of them: the synapse multiplies by it.
    """

    accumulates: float
    multiply_accumulates: float
    multilevel: float

    @property
    def energy_j(self) -> float:
        """0.9 pJ × accumulates + 4.6 pJ × multiply-accumulates."""
        return (self.accumulates * ACCUMULATE_PJ + self.multiply_accumulates * MULTIPLY_ACCUMULATE_PJ) * 1e-12

    @property
    def multilevel_as_mac_j(self) -> float:
        """The same with every multi-level spike operation at 4.6 pJ."""
        return self.energy_j + self.multilevel * (MULTIPLY_ACCUMULATE_PJ - ACCUMULATE_PJ) * 1e-12


def operation_count(run: Run) -> OperationCount:
    """Count one inference by the convention; max pooling and function units are not counted.

    A residual stream feeds sums and function units only, so its values are added and never multiplied: accumulates.

    Source: the accounting of the ANN-to-SNN conversion literature (e.g. arXiv 2510.23383): ANN 4.6 pJ × MACs, SNN
    0.9 pJ × spikes × fan-out, a first layer with real-valued input as MACs.
    """
    network, result = run.network, run.result
    per_projection = np.bincount(
        result.tables.rows.projection,
        weights=result.counts.row_synapses.sum(axis=1),
        minlength=len(network.projections),
    )
    accumulates = macs = multilevel = 0.0
    for p, operations in zip(network.projections, per_projection, strict=True):
        source = network[p.source]
        if isinstance(p, MaxPool):
            continue
        if isinstance(source.coding, Stream):
            accumulates += operations / run.samples
            continue
        if isinstance(source.coding, Graded):
            macs += p.macs(source, network[p.target])
            continue
        accumulates += operations / run.samples
        if source.coding.max_level > 1 and not source.coding.burst:
            multilevel += operations / run.samples
    return OperationCount(accumulates, macs, multilevel)
