"""Figures to files: SVG, PNG, PDF."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from sfnhw.reports.style import styled

PNG_DPI = 150


def write_image(figure: Figure, path: Path, suffix: str) -> Path:
    """Write a figure as ``svg``, ``png`` or ``pdf``; no date and no text of the user's goes into the metadata."""
    metadata = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}.get(suffix, {"Software": None})
    with styled():
        figure.savefig(path, format=suffix, dpi=PNG_DPI, bbox_inches="tight", pad_inches=0.08, metadata=metadata)
    return path


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG document."""
    buffer = io.StringIO()
    with styled():
        figure.savefig(
            buffer,
            format="svg",
            dpi=PNG_DPI,
            bbox_inches="tight",
            pad_inches=0.08,
            metadata={"Date": None, "Creator": None},
        )
    return buffer.getvalue()
