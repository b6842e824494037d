"""From a matplotlib figure to an SVG that lives inside the page: its colours, its font, no links.

Figures are drawn in stand-in colours, which become the page's CSS variables: the same drawing is
right on a light screen, on a dark one and on paper. Text stays text. Namespaces, metadata and the
document type are dropped: the browser needs none of them, and they are all that names another host.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK: Final = "#101112"
MUTED: Final = "#707172"
GRID: Final = "#d0d1d2"
PAPER: Final = "#f0f1f2"
ACCENT: Final = "#2060a1"
WARNING: Final = "#c08011"
CRITICAL: Final = "#b02021"
SERIES: Final = ("#209081", "#8060b1", "#a06041", "#608021", "#b05081")

_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    ACCENT: "var(--accent)",
    WARNING: "var(--warning)",
    CRITICAL: "var(--critical)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES)},
}

_STYLE: Final = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "svg.hashsalt": "surgeline",
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.5,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw inside this: one look for all figures, and nothing of the user's own settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type] # its stubs list every key
        yield


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure, inches; no window system is asked."""
    return Figure(figsize=(width, height), layout="constrained")


def panel(figure: Figure, title: str, x: str, y: str) -> Axes:
    """Return the only panel of a figure, with its labels."""
    axes = figure.add_subplot()
    label(axes, title, x, y)
    return axes


def label(axes: Axes, title: str, x: str, y: str) -> None:
    """Name a panel and its axes; units belong in the names."""
    axes.set(title=title, xlabel=x, ylabel=y)


def to_svg(figure: Figure, key: str, description: str) -> Markup:
    """Return the figure as an ``<svg>`` element.

    Args:
        figure: Drawn under :func:`house_style`.
        key: Unique in the page; goes before every id.
        description: Read aloud in place of the drawing.
    """
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(xmlns(:xlink)?|version)="[^"]*"', "", text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{key}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    start = f'<svg role="img" aria-label="{escape(description)}"'
    return Markup(text.replace("<svg", start, 1).strip())  # noqa: S704 - matplotlib escaped it
