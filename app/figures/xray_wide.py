"""Wide-angle scattering: I(q) with the rings, I(phi) along a ring, angular cross-correlation of two rings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.records import SPOT_COLUMNS, Array, WideAngle
from analysis.xray.cross_correlation import DELTA_DEG, MeanCorrelation
from app.figures.theme import XRAY, Scheme, template, translucent

PIN_COLOUR = {"A": "#D55E00", "B": "#CC79A7"}
MEAN = "mean"
RING_FILL = "rgba(127,127,127,0.16)"
TURNS = [-180, -90, 0, 90, 180]
PHI_DEG = np.arange(-179.5, 180.0)
"""Middles of the bins of a ring."""

Curve = tuple[str, Array, Array]
"""Name, values and 1 sigma of a curve."""


def ring_curve(wide: WideAngle, ring: int, counts: Array, points: int) -> tuple[Array, Array]:
    """I(phi) of a ring (360,) and 1 sigma from counts (360,) summed over so many points; NaN in gaps."""
    weight = np.where(wide.ring_pixels[ring] > 0, wide.ring_pixels[ring], np.nan) * max(points, 1)
    above = counts - points * wide.ring_background[ring]
    return above / weight, np.sqrt(np.maximum(counts, 1.0)) / weight


def wide_radial_figure(wide: WideAngle, curves: Sequence[Curve], *, scheme: Scheme) -> go.Figure:
    """I(q) beyond the small angles with bands of 1 sigma; the rings of reflections are shaded and named."""
    figure = go.Figure(layout={"template": template(scheme)})
    for curve in curves:
        _add_curve(figure, wide.q_per_nm, curve, "q %{x:.2f} nm⁻¹<br>%{y:.3g} counts per pixel")
    rings = zip(wide.ring_names, wide.ring_q_per_nm, wide.ring_half_width_per_nm, strict=True)
    for name, q, half in rings:
        if name == "saxs":
            continue
        figure.add_vrect(x0=q - half, x1=q + half, fillcolor=RING_FILL, line_width=0, layer="below")
        figure.add_annotation(
            x=q, y=1.0, yref="paper", yanchor="top", text=name, showarrow=False, font={"size": 11}
        )
    figure.update_xaxes(title_text="q (nm⁻¹)")
    figure.update_yaxes(title_text="counts per pixel", exponentformat="power")
    return _finished(figure, len(curves), "radial")


def azimuth_figure(
    curves: Sequence[Curve], *, ring: str, marks: Sequence[tuple[str, Array]] = (), scheme: Scheme
) -> go.Figure:
    """I(phi) along a ring with bands of 1 sigma; ``marks`` (name, phi in degrees) are fitted spots."""
    figure = go.Figure(layout={"template": template(scheme)})
    for curve in curves:
        _add_curve(figure, PHI_DEG, curve, "φ %{x:.0f}°<br>%{y:.3g} counts per pixel")
    for name, phi in marks:
        for place in phi:
            figure.add_vline(
                x=float(place), line={"color": _colour(name), "width": 1.2, "dash": "dash"}, opacity=0.8
            )
    figure.update_xaxes(title_text="φ (°), counter-clockwise", tickvals=TURNS, range=[-180, 180])
    figure.update_yaxes(title_text="counts per pixel")
    return _finished(figure, len(curves), f"azimuth{ring}")


def correlation_figure(
    average: MeanCorrelation | None, pinned: Sequence[Curve], *, pair: str, scheme: Scheme
) -> go.Figure:
    """C(Delta) averaged (band: standard error of the mean) and at pinned points (band: counting)."""
    figure = go.Figure(layout={"template": template(scheme)})
    hover = "Δ %{x:.0f}°<br>C %{y:.3g}"
    for curve in pinned:
        _add_curve(figure, DELTA_DEG, curve, hover)
    if average is not None:
        band = np.where(np.isfinite(average.sem), average.sem, average.counting_err)
        _add_curve(figure, DELTA_DEG, (MEAN, average.mean, band), hover)
    figure.add_hline(y=0.0, line={"color": "#8b949e", "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="Δ (°), counter-clockwise", tickvals=TURNS, range=[-180, 180])
    figure.update_yaxes(title_text="C(Δ)")
    return _finished(figure, len(pinned) + 1, f"axcca{pair}")


def spot_places_deg(wide: WideAngle, row: int, col: int, ring: str) -> Array:
    """phi in degrees of the spots of a ring that were fitted at one point."""
    status, phi = (wide.spots[row, col, :, SPOT_COLUMNS.index(name)] for name in ("status", "phi_deg"))
    return np.array(
        [
            place
            for name, code, place in zip(wide.spot_names, status, phi, strict=True)
            if code == 0 and reflection_of(name) == ring
        ]
    )


def reflection_of(spot: str) -> str:
    """The reflection of a spot: the sizes of its indices, falling, without signs (``-1 0 0``: ``100``)."""
    sizes = sorted((word.lstrip("-+") for word in spot.split()), reverse=True)
    return "".join(sizes) if all(len(size) == 1 for size in sizes) else " ".join(sizes)


def _add_curve(figure: go.Figure, x: Array, curve: Curve, hover: str) -> None:
    name, values, errors = curve
    colour = _colour(name)
    known = np.isfinite(values)
    for first, stop in _runs(known):
        part = slice(first, stop)
        spread = np.nan_to_num(errors[part])
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([x[part], x[part][::-1]]),
                y=np.concatenate([values[part] + spread, (values[part] - spread)[::-1]]),
                fill="toself", fillcolor=translucent(colour, 0.2), line={"width": 0}, mode="lines",
                hoverinfo="skip", showlegend=False, legendgroup=name,
            )
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=x, y=np.where(known, values, np.nan), mode="lines", name=name, legendgroup=name,
            line={"color": colour, "width": 2.0 if name == MEAN else 1.4},
            hovertemplate=f"{hover}<extra>{name}</extra>",
        )
    )  # fmt: skip


def _runs(known: np.ndarray) -> list[tuple[int, int]]:
    """First and stop of each stretch that is known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]


def _colour(name: str) -> str:
    return PIN_COLOUR.get(name[:1], XRAY) if name != MEAN else XRAY


def _finished(figure: go.Figure, curves: int, revision: str) -> go.Figure:
    return figure.update_layout(
        showlegend=curves > 1, margin={"l": 8, "r": 10, "t": 24, "b": 8}, uirevision=revision
    )
