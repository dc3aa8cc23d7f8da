"""The maps of an SEM image laid over it: spacing, angles and order of overlapping regions."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from analysis.records import SEM_STATUS, Array, SemReduction
from app.figures.maps import FAILED, colour_limits
from app.figures.theme import Scheme, template, with_unit
from app.figures.words import STATUS_TEXT, unit_text, with_error

MAPS = {"a_sc": "⟨a_SC⟩", "spacing": "1/δk", "psi": "ψ", "gamma": "γ", "order": "order"}
SCALES = {"order": "cividis"}
SEQUENTIAL, CYCLIC = "viridis", "twilight"
WIDE_DEG = 90.0
"""An axial angle that spreads over less keeps away from its own turn: low and high are then different."""
OPACITY = 0.82
EMPTY_SHOWN = 0.35


def map_traces(image: SemReduction, name: str, *, opacity: float = OPACITY) -> list[go.Heatmap]:
    """Colours of one map over the image, x right, y down in um; grey where a region has no value, and why."""
    grid, shown = image.map_grid, image.maps.get(name)
    if grid is None or shown is None:
        return []
    x, y = grid.positions_um()
    values = np.log10(np.maximum(shown.values, 1.0)) if name == "order" else shown.values
    limits, scale = (
        axial_colours(values) if name == "psi" else (colour_limits(values), SCALES.get(name, SEQUENTIAL))
    )
    unit = "log₁₀" if name == "order" else unit_text(shown.unit)
    place = {"x": x[0].astype(np.float32), "y": y[:, 0].astype(np.float32), "hoverinfo": "skip"}
    return [
        go.Heatmap(
            z=np.where(np.isfinite(values), np.nan, 0.0).astype(np.float32),
            colorscale=[[0, FAILED], [1, FAILED]],
            showscale=False,
            opacity=EMPTY_SHOWN,
            name="no value",
            **place,
        ),
        go.Heatmap(
            z=values.astype(np.float32),
            zmin=limits[0],
            zmax=limits[1],
            colorscale=scale,
            colorbar=with_unit(unit),
            opacity=opacity,
            name="map",
            **(place | {"hoverinfo": "all"}),
            text=_words(image, name),
            hovertemplate="%{text}<br>x %{x:.3f}, y %{y:.3f} µm<extra></extra>",
        ),
    ]


def axial_colours(values: Array) -> tuple[tuple[float, float], str]:
    """Colour limits and scale of an axial angle in degrees.

    A cyclic scale has one colour at both ends, so it stands for the whole half turn or for nothing: angles
    that spread over less than WIDE_DEG get their range in a sequential scale.
    """
    limits = colour_limits(values)
    return (limits, SEQUENTIAL) if limits[1] - limits[0] < WIDE_DEG else ((-90.0, 90.0), CYCLIC)


def _words(image: SemReduction, name: str) -> np.ndarray:
    shown = image.maps[name]
    errors = np.full(shown.values.shape, np.nan) if shown.errors is None else shown.errors
    return np.array(
        [
            [
                f"{MAPS[name]} {with_error(value, error, shown.unit)}<br>{STATUS_TEXT[SEM_STATUS[code]]}"
                for value, error, code in zip(*row, strict=True)
            ]
            for row in zip(shown.values, errors, image.map_status, strict=True)
        ]
    )


def sizes_figure(image: SemReduction, *, scheme: Scheme) -> go.Figure:
    """Histogram of the edges of the particles that were resolved, with mean and median."""
    figure = go.Figure(layout={"template": template(scheme)})
    sizes = image.sizes
    if sizes is None:
        return figure
    figure.add_trace(
        go.Histogram(x=sizes.edge_nm.astype(np.float32), nbinsx=48, marker={"color": "#E69F00"}, name="edges")
    )
    figure.add_vline(x=sizes.mean_nm, line={"width": 2}, annotation_text="mean")
    figure.update_xaxes(title_text="edge (nm)")
    figure.update_yaxes(title_text="particles")
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 22, "b": 6}, showlegend=False)
