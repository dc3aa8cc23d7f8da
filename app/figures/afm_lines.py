"""Height and modulus along a line, and the distribution of the modulus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import AFM_STATUS, AfmLine, AfmReduction, Array
from app.figures.theme import AFM, CURSOR, Scheme, template, translucent

HEIGHT_COLOUR = "#7d8794"
"""h is drawn in a grey that is seen on light and on dark, E in the colour of AFM."""

MAX_BARS = 60


def line_figure(line: AfmLine, counted: npt.NDArray[np.bool_] | None = None, *, scheme: Scheme) -> go.Figure:
    """h (left axis) and E (right axis) along one line on a common distance axis.

    E where ``counted`` (n,) is false, on the substrate or a facet, is dotted and does not set the axis.
    """
    counts = np.isfinite(line.s) if counted is None else counted
    counts = counts if counts.any() else np.full(line.s.shape, True)
    inside, outside = (np.where(kept, line.modulus_gpa, np.nan) for kept in (counts, ~counts))
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(_along(line, line.height_nm, "h", "nm", HEIGHT_COLOUR, axis="y"))
    figure.add_trace(_along(line, inside, "E", "GPa", AFM, axis="y2"))
    if np.isfinite(outside).any():
        figure.add_trace(_along(line, outside, "E not counted", "GPa", AFM, axis="y2", dash="dot"))
    most = float(np.nanmax(inside)) if np.isfinite(inside).any() else 1.0
    least = min(float(np.nanmin(inside)), 0.0) if np.isfinite(inside).any() else 0.0
    figure.update_xaxes(title_text="distance along the line (µm)", hoverformat=".3f")
    return figure.update_layout(
        yaxis={"title": {"text": "h (nm)"}, "rangemode": "tozero"},
        yaxis2={
            "title": {"text": "E (GPa)"},
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "range": [1.15 * least, 1.15 * most if most > 0 else 1.0],
            "tickmode": "auto",
        },
        margin={"l": 8, "r": 8, "t": 26, "b": 6},
        hovermode="x",
        meta={"line": {"x": line.x_um.tolist(), "y": line.y_um.tolist()}},
        uirevision=line.name,
    )


def _along(
    line: AfmLine, values: Array, name: str, unit: str, colour: str, *, axis: str, dash: str = "solid"
) -> go.Scatter:
    return go.Scatter(
        x=line.distance_um,
        y=values,
        customdata=np.column_stack([line.x_um, line.y_um, line.s]),
        mode="lines+markers",
        yaxis=axis,
        name=f"{name} ({unit})",
        line={"color": colour, "width": 1.8 if dash == "solid" else 1.2, "dash": dash},
        marker={"size": 4, "color": colour, "symbol": "circle" if dash == "solid" else "circle-open"},
        hovertemplate=f"{name} %{{y:.4g}} {unit}, d %{{x:.3f}} µm"
        "<br>x %{customdata[0]:.3f}, y %{customdata[1]:.3f} µm, s %{customdata[2]:.2f}<extra></extra>",
    )


def histogram_figure(field: AfmReduction, *, scheme: Scheme) -> go.Figure:
    """Distribution of E over the pixels that count, with mean, mean +- std (ddof = 0), median and MAD."""
    counted = field.modulus_gpa[field.status == AFM_STATUS.index("ok")]
    counted = counted[np.isfinite(counted)]
    figure = go.Figure(layout={"template": template(scheme)})
    if counted.size == 0:
        return figure
    low, high = (float(limit) for limit in np.percentile(counted, (0.1, 99.9)))
    high = high if high > low else low + 1.0
    bars = int(np.clip(np.sqrt(counted.size), 8, MAX_BARS))
    number, edges = np.histogram(counted, bins=bars, range=(low, high))
    figure.add_trace(
        go.Bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=number,
            width=np.diff(edges),
            marker={"color": translucent(AFM, 0.65), "line": {"width": 0}},
            hovertemplate="E %{x:.3g} GPa<br>%{y} pixels<extra></extra>",
            showlegend=False,
            name="pixels",
        )
    )
    _mark_statistics(figure, field)
    figure.update_xaxes(title_text="E (GPa)", range=[low, high])
    figure.update_yaxes(title_text="pixels")
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 26, "b": 6}, bargap=0, uirevision="histogram")


def _mark_statistics(figure: go.Figure, field: AfmReduction) -> None:
    values = {name: measured.value for name, measured in field.statistics.items()}
    for middle, half, colour, name, dash in (
        ("modulus_mean", "modulus_std", CURSOR, "mean ± std", "solid"),
        ("modulus_median", "modulus_mad", "#CC79A7", "median, MAD", "dash"),
    ):
        if middle not in values:
            continue
        at, width = values[middle], values.get(half, np.nan)
        if np.isfinite(width):
            figure.add_vrect(
                x0=at - width, x1=at + width, fillcolor=translucent(colour, 0.12), line_width=0, layer="below"
            )
        figure.add_vline(x=at, line={"color": colour, "width": 2, "dash": dash})
        figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="lines",
                line={"color": colour, "width": 2, "dash": dash},
                name=f"{name}: {at:.3g}" + (f" ± {width:.2g} GPa" if np.isfinite(width) else " GPa"),
            )
        )
