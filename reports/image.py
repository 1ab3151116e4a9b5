"""Figures to files: SVG, PNG, PDF."""

import io
import re
from pathlib import Path

from matplotlib.figure import Figure

from sfnhw.reports.style import FAINT, GRID, INK, PAPER, styled

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


def inline_svg(svg: str, name: str, label: str) -> str:
    """Return the <svg> element for a page: ids made unique by `name`, ink and paper following the page's theme.

    `label` says in words what the figure shows, for screen readers; it is escaped here.
    """
    from html import escape

    body = svg[svg.index("<svg") :]
    body = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', body)
    body = re.sub(r'(xlink:href|href)="#', rf'\1="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-")
    # Only in style attributes: a layer that is called like a colour must keep its name.
    variables = {INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--grid)", PAPER: "var(--paper)"}

    def themed(match: re.Match[str]) -> str:
        style = match.group(0)
        for colour, variable in variables.items():
            style = style.replace(colour, variable)
        return style

    body = re.sub(r'style="[^"]*"', themed, body)
    # The page sets the width; the viewBox keeps the shape.
    head, rest = body.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(label, quote=True)}">{rest}'
