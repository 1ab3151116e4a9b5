"""Whether a netlist does what its unit should: the mapped gates, computed for random operands."""

import numpy as np

from benchmarks.synthesis.designs import SCALES, Design, trial
from benchmarks.synthesis.netlist import Netlist
from benchmarks.synthesis.yosys import Synthesised

VECTORS, SEED = 512, 20


def wrong_answers(design: Design, made: Synthesised) -> list[str]:
    """Return what is wrong, nothing if all is well: level, sign and residual of every vector, in the model's cycles.

    Both netlists are clocked for `design.cycles` cycles, no more; a unit with a sequencer must then say it is done.
    """
    rng = np.random.default_rng(SEED)
    asked = trial(design, VECTORS, rng)
    mask = (1 << design.width_bits) - 1
    wrong = []
    for name, netlist in (("two-input gates", made.gates), ("cells", made.cells)):
        out = netlist.run(asked.inputs, design.width_bits, design.cycles, rng)
        # The sign of level 0 means nothing: no spike is sent.
        right = {
            "level": out["level"] == asked.level,
            "sign": (out["negative"] == asked.negative) | (asked.level == 0),
            "residual": out["residual"] == (asked.residual & mask),
            "done": out.get("done", np.ones(VECTORS)) == 1,
        }
        wrong += [
            f"{name}: {what} wrong in {int((~np.asarray(ok)).sum())} of {VECTORS}"
            for what, ok in right.items()
            if not np.all(ok)
        ]
    return wrong


def wrong_scales(step: str, width: int, netlist: Netlist) -> list[str]:
    """Return what is wrong with SFN's scaling step: v · factor / 256 or v / 2^amount, rounded down."""
    rng = np.random.default_rng(SEED)
    half = 1 << (width - 1)
    v = rng.integers(-half, half, VECTORS)
    factor, amount = rng.integers(0, 256, VECTORS), rng.integers(0, width, VECTORS)
    out = netlist.run({"v": [v], "factor": [factor], "amount": [amount]}, width, 1, rng)["scaled"]
    wrong = out != (SCALES[step][1](v, factor, amount) & (2 * half - 1))
    return [f"scaled wrong in {int(wrong.sum())} of {VECTORS}"] if wrong.any() else []
