"""Why pixels of the small-angle region are left out: one colour a reason, over the averaged pattern."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from analysis.records import PIXEL_VERDICTS, XrayReduction
from app.figures.words import VERDICT_TEXT

VERDICT_COLOUR = {
    "file_mask": "#8b949e",
    "user_mask": "#CC79A7",
    "never_read": "#57606a",
    "hot": "#D55E00",
    "flickering": "#F0E442",
    "beamstop": "#56B4E9",
    "arm": "#009E73",
    "gap_edge": "#E69F00",
    "outside_q": "#c8cdd3",
}


def verdict_counts(scan: XrayReduction) -> dict[str, int]:
    """Number of pixels of each verdict that occurs, in the order of the codes."""
    if scan.pixel_verdict is None:
        return {}
    numbers = np.bincount(scan.pixel_verdict.ravel(), minlength=len(PIXEL_VERDICTS))
    return {name: int(n) for name, n in zip(PIXEL_VERDICTS, numbers, strict=False) if n}


def add_verdicts(figure: go.Figure, scan: XrayReduction) -> go.Figure:
    """Put the pixels that are left out on a figure of the detector, on the axes of its first trace."""
    if scan.pixel_verdict is None:
        return figure
    under = figure.data[0]
    names = [name for name in verdict_counts(scan) if name != "counted"]
    place = np.full(len(PIXEL_VERDICTS), np.nan)
    place[[PIXEL_VERDICTS.index(name) for name in names]] = np.arange(len(names))
    words = np.array([VERDICT_TEXT[name] for name in PIXEL_VERDICTS])
    steps = np.linspace(0.0, 1.0, max(len(names), 1) + 1)
    axes = {key: getattr(under, key) for key in ("x", "y", "x0", "dx", "y0", "dy")}
    figure.add_trace(
        go.Heatmap(
            **{key: value for key, value in axes.items() if value is not None},
            z=place[scan.pixel_verdict].astype(np.float32),
            text=words[scan.pixel_verdict],
            zmin=-0.5,
            zmax=max(len(names), 1) - 0.5,
            colorscale=[
                [float(steps[number + side]), VERDICT_COLOUR[name]]
                for number, name in enumerate(names)
                for side in (0, 1)
            ]
            or [[0.0, "#8b949e"], [1.0, "#8b949e"]],
            showscale=False,
            hoverongaps=False,
            hovertemplate="<b>%{text}</b><extra></extra>",
            name="verdicts",
        )
    )
    return figure
