"""Draw docs/images/codings/*.png, one picture a coding: its staircase, and what it sends. Run it from the repository.

Everything drawn is what `sfnhw.neurons` computes; nothing is sketched by hand.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfnhw.neurons import IF, MTN, SFN, TTFS, Coding, Graded, Polarity
from sfnhw.numerics import Numerics
from sfnhw.reports.style import BLUE, FAINT, GRID, INK, ORANGE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).parent / "images" / "codings"
N = 8
# Values whose packets are drawn, as shares of full scale: none lies on a boundary of the codings below.
SHOWN = (0.03, 0.15, 0.27, 0.4, 0.52, 0.66, 0.78, 0.97)
SHOWN_SIGNED = (-0.97, -0.66, -0.4, -0.15, 0.03, 0.27, 0.52, 0.97)

# File name → (title, coding, full scale in units of the coding).
PICTURES: dict[str, tuple[str, Coding, float]] = {
    "sfn": (
        "sfn: N = 8 free thresholds, level stands for a calibrated value",
        SFN((0.4, 1.0, 1.6, 2.4, 3.3, 4.5, 6.0, 7.6), (0.7, 1.3, 2.0, 2.8, 3.9, 5.2, 6.7, 8.0)),
        8.0,
    ),
    "mtn-uniform": ("mtn: N = 8 uniform thresholds, v(0) = ½", MTN(N, 0.5), 8.0),
    "mtn-power-of-two": (
        "mtn: N = 4 powers of two, nearest",
        MTN(4, spacing="power-of-two", rounding="nearest"),
        8.0,
    ),
    "mtn-free": ("mtn: N = 5 free thresholds, floor", MTN((0.5, 1.0, 2.0, 4.5, 7.0), spacing="free"), 7.0),
    "if": ("if: T = 8 steps, v(0) = ½", IF(N, 0.5), 1.0),
    "if-threshold-scale": ("if: T = 4 steps, v(0) = 0, fires at 0.75 θ", IF(4, threshold_scale=0.75), 1.0),
    "if-signed": ("if: T = 8 steps, signed", IF(N, signed=True), 1.0),
    "polarity": ("polarity: bursts of up to N = 8 spikes", Polarity(N, 0.5), 8.0),
    "ttfs": ("ttfs: T = 8 steps, one spike, the earlier the larger", TTFS(N, 0.5), 8.0),
    "graded": ("graded: b = 3 bits", Graded(3), 7.0),
}


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (title, coding, full) in PICTURES.items():
        draw(FOLDER / f"{name}.png", title, coding, full)


def draw(path: Path, title: str, coding: Coding, full: float) -> None:
    """Left the value that arrives over the value that went in; right the packets that carry a few of them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with styled():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.0), layout="constrained", sharey=False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        staircase(left, coding, full)
        packets(right, coding, full)
        figure.savefig(path, dpi=110)
        plt.close(figure)


def staircase(axes: "Axes", coding: Coding, full: float) -> None:
    """Draw what a receiver gets for every value, as shares of full scale."""
    low = -1.15 if coding.signed else 0.0
    h = np.linspace(low, 1.15, 4001)
    axes.plot([low / 1.15, 1], [low / 1.15, 1], color=FAINT, lw=1, ls=(0, (3, 3)))
    axes.plot(h, coding.represent(h * full) / full, color=BLUE, lw=1.8)
    axes.set(xlabel="value in / full scale", ylabel="value at the receiver", xlim=(low, 1.15), ylim=(low - 0.02, 1.12))
    axes.set_title("staircase (dashed: exact)", fontweight="normal", fontsize=9)
    axes.grid(color=GRID)


def packets(axes: "Axes", coding: Coding, full: float) -> None:
    """Draw the packets of the values in `SHOWN`, one row a value; the number is what a packet says."""
    values = np.array(SHOWN_SIGNED if coding.signed else SHOWN)
    steps = coding.timesteps
    train = coding.encode(np.repeat((values * full / coding.window)[None], steps, axis=0))
    payload = coding.payload_bits(Numerics())
    for row in range(len(values)):
        for t in range(steps):
            level = int(train[t, row])
            count = int(coding.packets(train[t : t + 1, row])[0])
            if count == 0:
                continue
            if coding.burst:
                x = t + 0.06 + np.arange(count) * 0.9 / coding.max_level
                axes.plot(x, np.full(count, row), "|", color=ORANGE, ms=11, mew=2)
            elif payload and coding.max_level > 1:
                axes.text(
                    t + 0.5, row, str(level), ha="center", va="center", fontsize=9, color=INK,
                    bbox={"boxstyle": "round,pad=0.25", "fc": "#fff4dc", "ec": ORANGE},
                )  # fmt: skip
            else:
                axes.plot([t + 0.5], [row], "|", color=ORANGE if level > 0 else BLUE, ms=11, mew=2)
        if not train[:, row].any():
            axes.text(steps / 2, row, "nothing is sent", ha="center", va="center", color=FAINT, fontsize=8)
    says = f"packets; the number is the level, {payload} bits" if payload else "packets, no payload"
    if payload and coding.max_level == 1:
        says = "packets; 1 bit: the sign (blue: −1)"
    axes.set_title(says, fontweight="normal", fontsize=9)
    axes.set_yticks(range(len(values)), [f"{v:.2f}" for v in values])
    axes.set(xlim=(0, steps), ylim=(-0.7, len(values) - 0.3), xlabel="timestep", ylabel="value in / full scale")
    axes.set_xticks(np.arange(steps) + 0.5, [str(t) for t in range(steps)])
    for t in range(1, steps):
        axes.axvline(t, color=GRID, lw=0.8, zorder=0)
    axes.tick_params(length=0)


if __name__ == "__main__":
    main()
