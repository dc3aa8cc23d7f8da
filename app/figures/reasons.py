"""Elements without a value: drawn apart from low ones, and saying why when pointed at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import PixelGrid
from app.figures.maps import FAILED
from app.figures.theme import translucent

NOTHING_THERE = translucent(FAILED, 0.16)
"""Colour of elements where nothing was to be measured; FAILED is that of those that should have a value."""


def reason_trace(
    grid: PixelGrid, where: npt.NDArray[np.bool_], reason: npt.NDArray[np.str_], *, colour: str, name: str
) -> go.Heatmap:
    """Points without a value in one flat colour; they say why when pointed at."""
    x_um, y_um, _ = grid.displayed_axes()
    return go.Heatmap(
        x=x_um.astype(np.float32),
        y=y_um.astype(np.float32),
        z=np.where(grid.displayed(where), np.float32(1), np.float32(np.nan)),
        text=grid.displayed(reason),
        colorscale=[[0, colour], [1, colour]],
        showscale=False,
        hoverongaps=False,
        hovertemplate="<b>no value</b><br>%{text}<br>x %{x:.2f}, y %{y:.2f} µm<extra></extra>",
        name=name,
    )
