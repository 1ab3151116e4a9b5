"""One look for all figures: colour-blind-safe colours, one width, no clutter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

INK, FAINT, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
UNUSED = "#eef0f2"
WIDTH_IN = 9.0

# Okabe and Ito (2008), "Color Universal Design": told apart with every common colour-vision deficiency.
BLUE, ORANGE, GREEN, RED, SKY, PURPLE, YELLOW, GREY = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442", "#999999",
)  # fmt: skip
# One colour for each group of sfnhw.reports.view.GROUPS, in its order.
GROUP_COLOURS = (BLUE, SKY, GREEN, ORANGE, YELLOW, PURPLE, RED, GREY)
# Perceptually uniform, monotonic in lightness, readable in grey.
SEQUENTIAL = "cividis_r"

RC: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    # A layer may be called "$x": names are never formulas.
    "text.parse_math": False,
    # Text stays text: small files that can be searched and read aloud.
    "svg.fonttype": "none",
    "svg.hashsalt": "sfnhw",
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save inside this: Matplotlib reads some settings when artists are made, others when a file is written."""
    import warnings

    with matplotlib.rc_context(RC), warnings.catch_warnings():
        # A name in a script that the font lacks shows boxes in a PNG; the SVG leaves it to the viewer's fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def ink_on(rgba: Any) -> str:
    """Return black or white, whichever reads better on a colour (relative luminance, ITU-R BT.709)."""
    red, green, blue = rgba[:3]
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else PAPER
