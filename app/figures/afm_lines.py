"""Height and modulus along one line, or along several on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import AfmLine, Array
from app.figures.theme import AFM, Scheme, template

HEIGHT_COLOUR = "#7d8794"
"""h is drawn in a grey that is seen on light and on dark, E in the colour of AFM."""

LINE_COLOURS = ("#009E73", "#D55E00", "#0072B2", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of several lines, told apart by colour-blind eyes; more lines begin again."""

AXES = (("distance", "distance"), ("s", "s"), ("depth", "depth"))
AXIS_TITLE = {
    "distance": "distance along the line (µm)",
    "s": "s, 0 at the edge, 1 at the centre",
    "depth": "depth from the edge (µm)",
}

Mask = npt.NDArray[np.bool_]


def line_figure(
    line: AfmLine, counted: Mask | None = None, *, scheme: Scheme, axis: str = "distance"
) -> go.Figure:
    """h (left axis) and E (right axis) along one line on a common axis: distance, s or depth.

    E where ``counted`` (n,) is false, on the substrate or a facet, is dotted and does not set the axis.
    """
    counts = _counts(line, counted)
    inside, outside = (np.where(kept, line.modulus_gpa, np.nan) for kept in (counts, ~counts))
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(_along(line, line.height_nm, axis, "h", "nm", HEIGHT_COLOUR, side="y"))
    figure.add_trace(_along(line, inside, axis, "E", "GPa", AFM, side="y2"))
    if np.isfinite(outside).any():
        figure.add_trace(_along(line, outside, axis, "E not counted", "GPa", AFM, side="y2", dash="dot"))
    return _finished(figure, [inside], axis, meta=line)


def lines_figure(
    lines: Sequence[AfmLine], counted: Sequence[Mask | None], *, scheme: Scheme, axis: str = "distance"
) -> go.Figure:
    """h (dashed, left axis) and E (right axis, pixels that count) of several lines, a colour each."""
    figure = go.Figure(layout={"template": template(scheme)})
    shown = []
    for number, (line, counts) in enumerate(zip(lines, counted, strict=True)):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        inside = np.where(_counts(line, counts), line.modulus_gpa, np.nan)
        shown.append(inside)
        for values, name, unit, side, dash in (
            (inside, "E", "GPa", "y2", "solid"),
            (line.height_nm, "h", "nm", "y", "dash"),
        ):
            trace = _along(line, values, axis, f"{line.name}: {name}", unit, colour, side=side, dash=dash)
            figure.add_trace(trace.update(mode="lines", legendgroup=line.name))
    return _finished(figure, shown, axis, meta=None)


def _counts(line: AfmLine, counted: Mask | None) -> Mask:
    counts = np.isfinite(line.s) if counted is None else counted
    return counts if counts.any() else np.full(line.s.shape, True)


def _finished(figure: go.Figure, shown: Sequence[Array], axis: str, *, meta: AfmLine | None) -> go.Figure:
    """Axes and margins; E's axis is set by the pixels that count."""
    values = np.concatenate(shown) if shown else np.empty(0)
    values = values[np.isfinite(values)]
    most = float(values.max()) if values.size else 1.0
    least = min(float(values.min()), 0.0) if values.size else 0.0
    figure.update_xaxes(title_text=AXIS_TITLE[axis], hoverformat=".3f")
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
        hovermode="x" if axis == "distance" else "closest",
        meta={} if meta is None else {"line": {"x": meta.x_um.tolist(), "y": meta.y_um.tolist()}},
        uirevision=f"{axis} {'all' if meta is None else meta.name}",
    )


def _along(
    line: AfmLine,
    values: Array,
    axis: str,
    name: str,
    unit: str,
    colour: str,
    *,
    side: str,
    dash: str = "solid",
) -> go.Scatter:
    return go.Scatter(
        x={"distance": line.distance_um, "s": line.s, "depth": line.depth_um}[axis],
        y=values,
        customdata=np.column_stack([line.x_um, line.y_um, line.s, line.distance_um, line.depth_um]),
        mode="lines+markers",
        yaxis=side,
        name=f"{name} ({unit})",
        line={"color": colour, "width": 1.8 if dash == "solid" else 1.2, "dash": dash},
        marker={"size": 4, "color": colour, "symbol": "circle" if dash == "solid" else "circle-open"},
        hovertemplate=f"{name} %{{y:.4g}} {unit}, d %{{customdata[3]:.3f}} µm"
        "<br>x %{customdata[0]:.3f}, y %{customdata[1]:.3f} µm"
        "<br>s %{customdata[2]:.2f}, depth %{customdata[4]:.2f} µm<extra></extra>",
    )
