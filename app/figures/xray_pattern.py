"""One scan point's pattern, the difference of two, or the average: on the detector, polar, and along q."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.records import Array, Position, XrayReduction
from analysis.xray.geometry import pixel_directions
from app.figures import pattern
from app.figures.theme import Scheme, template, translucent
from app.figures.xray_fit import FAMILY_COLOUR, FAMILY_NAME, Peak, on_detector, on_polar, pixels_of
from app.figures.xray_verdicts import add_verdicts

STACK = 10.0
"""Factor between neighbouring curves when they are stacked."""

DECADES = 3.0
"""Radial profiles are drawn down to this many powers of ten below the lowest maximum."""

NEAR = 2.15
"""The near view of a pattern ends at this many times the first order: the second order is still in it."""

POSITION_COLOUR = ("#3b6fb6", "#2a9d8f", "#7a9b2e", "#d08c1f", "#d1495b")
"""Pos1 (centre) to Pos5 (edge): seen on light and on dark alike."""


def near_q_per_nm(scan: XrayReduction) -> float:
    """Where the near view ends: beyond the second order of nearly all points, at most all that was kept."""
    first = np.concatenate([scan.maps[name].values.ravel() for name in ("q1", "q2")])
    first, last = first[np.isfinite(first)], float(scan.q_per_nm[-1])
    return min(NEAR * float(np.percentile(first, 95.0)), last) if first.size else last


def detector_figure(
    counts: Array,
    scan: XrayReduction,
    *,
    scheme: Scheme,
    in_q: bool,
    peaks: tuple[Peak, ...] = (),
    difference: bool = False,
    q_most_per_nm: float | None = None,
) -> go.Figure:
    """Counts (h, w) on the detector with the fit drawn on them, axes in pixels or (``in_q``) in nm^-1.

    ``q_most_per_nm`` ends the view there; without it the whole region is seen.
    """
    figure = pattern.detector_figure(counts, scan, scheme=scheme, difference=difference)
    if in_q:
        _axes_in_q(figure, scan, counts.shape)
    if q_most_per_nm is not None:
        _end_view(figure, scan, q_most_per_nm, in_q=in_q)
    figure.add_traces(on_detector(peaks, scan, in_q=in_q))
    return figure.update_layout(uirevision=f"detector{in_q}{q_most_per_nm}")


def _end_view(figure: go.Figure, scan: XrayReduction, q_most_per_nm: float, *, in_q: bool) -> None:
    """Show the square about the beam that reaches up to a q."""
    turns = np.array([180.0, 0.0, -90.0, 90.0])  # left, right, down, up
    q = np.full(4, q_most_per_nm)
    x, y = (
        (q * np.cos(np.radians(turns)), -q * np.sin(np.radians(turns))) if in_q else pixels_of(scan)(q, turns)
    )
    figure.update_xaxes(range=[float(x[0]), float(x[1])])
    figure.update_yaxes(range=[float(y[2]), float(y[3])])


def _axes_in_q(figure: go.Figure, scan: XrayReduction, shape: tuple[int, int]) -> None:
    """Give a detector figure the axes qx and qy (down), exact along the row and the column of the beam."""
    directions = pixel_directions(scan.geometry, origin=scan.region, shape=shape)
    q, phi = directions.q_per_nm, directions.phi_rad
    row, col = np.unravel_index(np.argmin(q), shape)
    x, y = (q * np.cos(phi))[row, :], (-q * np.sin(phi))[:, col]
    figure.data[0].update(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        x0=None,
        y0=None,
        dx=None,
        dy=None,
        customdata=q.astype(np.float32),
        hovertemplate="q %{customdata:.3f} nm⁻¹<br>qₓ %{x:.3f}, q_y %{y:.3f}<extra></extra>",
    )
    half_x, half_y = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    figure.update_xaxes(range=[x[0] - half_x, x[-1] + half_x], title_text="q<sub>x</sub> (nm⁻¹)")
    figure.update_yaxes(range=[y[-1] + half_y, y[0] - half_y], title_text="q<sub>y</sub> (nm⁻¹), down")


def polar_figure(
    counts: Array,
    scan: XrayReduction,
    *,
    scheme: Scheme,
    peaks: tuple[Peak, ...] = (),
    difference: bool = False,
    q_most_per_nm: float | None = None,
) -> go.Figure:
    """The same counts on axes phi and q with the fit drawn on them."""
    figure = pattern.polar_figure(counts, scan, scheme=scheme, difference=difference)
    if q_most_per_nm is not None:
        figure.update_yaxes(range=[0.0, q_most_per_nm])
    return figure.add_traces(on_polar(peaks)).update_layout(uirevision=f"polar{q_most_per_nm}")


def radial_figure(
    curves: list[tuple[str, Array, Array]],
    scan: XrayReduction,
    *,
    scheme: Scheme,
    peaks: tuple[Peak, ...] = (),
) -> go.Figure:
    """Radial profiles with bands of 1 sigma; thin lines where the fit has q1 and q2."""
    figure = pattern.radial_figure(curves, scan, scheme=scheme)
    for peak in (peak for peak in peaks if peak.sign > 0):
        figure.add_vline(
            x=peak.q_per_nm,
            line={"color": FAMILY_COLOUR[peak.family], "width": 1.5, "dash": "dash"},
            annotation={"text": FAMILY_NAME[peak.family], "font": {"size": 12}},
            annotation_position="top right" if peak.family == "b1" else "bottom right",
        )
    return figure


def positions_figure(scan: XrayReduction, *, scheme: Scheme, stacked: bool) -> go.Figure:
    """Radial profiles of Pos1 (centre) to Pos5 (edge) with bands of 1 sigma and a mark at the fitted q.

    ``stacked`` multiplies each curve by ``STACK`` once more than the one before it, so none hides another.
    """
    figure = go.Figure(layout={"template": template(scheme)})
    last = len(scan.positions) - 1
    for number, position in enumerate(scan.positions):
        factor = STACK ** (last - number) if stacked else 1.0
        colour = POSITION_COLOUR[number % len(POSITION_COLOUR)]
        _add_position(figure, position, scan.q_per_nm, factor, colour)
    figure.update_xaxes(title_text="q (nm⁻¹)")
    figure.update_yaxes(
        title_text="counts per pixel" + (f", each × {STACK:g}" if stacked else ""),
        type="log",
        range=_decades(scan.positions, stacked=stacked),
        exponentformat="power",
    )
    return figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"},
        dragmode="select",
        selectdirection="h",
        uirevision=f"positions{stacked}",
    )


def _decades(positions: Sequence[Position], *, stacked: bool) -> list[float] | None:
    """Range of a logarithmic axis: from DECADES below the lowest curve's maximum to above the highest."""
    highest = [float(np.nanmax(one.intensity)) for one in positions if np.isfinite(one.intensity).any()]
    highest = [most for most in highest if most > 0]
    if not highest:
        return None
    lift = (len(positions) - 1) * np.log10(STACK) if stacked else 0.0
    return [float(np.log10(min(highest)) - DECADES), float(np.log10(max(highest)) + lift + 0.6)]


def _add_position(figure: go.Figure, position: Position, q: Array, factor: float, colour: str) -> None:
    seen = np.isfinite(position.intensity) & (position.intensity > 0)
    x, mean = q[seen], factor * position.intensity[seen]
    spread = factor * np.nan_to_num(position.intensity_err[seen])
    low = np.maximum(mean - spread, 0.05 * mean)
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([mean + spread, low[::-1]]),
            fill="toself",
            fillcolor=translucent(colour, 0.2),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            legendgroup=position.name,
        )
    )
    spacing = f" {position.a_sc_nm:.2f} nm" if np.isfinite(position.a_sc_nm) else ""
    figure.add_trace(
        go.Scatter(
            x=x,
            y=mean,
            mode="lines",
            name=f"{position.name}{spacing}",
            legendgroup=position.name,
            line={"color": colour, "width": 1.8},
            customdata=mean / factor,
            hovertemplate="q %{x:.3f} nm⁻¹<br>%{customdata:.3g} counts per pixel<extra>"
            + position.name
            + "</extra>",
        )
    )
    if x.size and np.isfinite(position.q_per_nm):
        figure.add_trace(
            go.Scatter(
                x=[position.q_per_nm],
                y=[1.25 * float(np.interp(position.q_per_nm, x, mean))],
                mode="markers",
                marker={"symbol": "triangle-down", "size": 9, "color": colour},
                showlegend=False,
                legendgroup=position.name,
                hovertemplate="fitted q %{x:.3f} nm⁻¹<extra>" + position.name + "</extra>",
            )
        )


def average_figure(scan: XrayReduction, *, scheme: Scheme, in_q: bool, verdicts: bool = False) -> go.Figure:
    """The averaged pattern on the detector; with ``verdicts``, why each other pixel is left out."""
    figure = detector_figure(scan.average_pattern, scan, scheme=scheme, in_q=in_q)
    if verdicts:
        add_verdicts(figure, scan)
    return figure.update_layout(uirevision=f"average{in_q}")


def iq_phi_figure(scan: XrayReduction, *, scheme: Scheme, marks: Sequence[float] = ()) -> go.Figure:
    """I(q, phi) of the averaged pattern, logarithmic over at most DECADES; dotted lines at some q."""
    figure = go.Figure(layout={"template": template(scheme)})
    intensity = scan.polar.intensity.astype(np.float32)
    positive = intensity[np.isfinite(intensity) & (intensity > 0)]
    high = float(np.log10(np.percentile(positive, 99.9))) if positive.size else 0.0
    low = max(float(np.log10(np.percentile(positive, 1.0))), high - DECADES) if positive.size else -1.0
    z = np.log10(np.maximum(intensity, np.float32(10.0**low)))
    ticks = [step * 10.0**power for power in range(-4, 8) for step in (1, 3)]
    ticks = [tick for tick in ticks if low <= np.log10(tick) <= high]
    figure.add_trace(
        go.Heatmap(
            x=scan.polar.phi_deg,
            y=scan.polar.q_per_nm,
            z=z,
            customdata=intensity,
            zmin=low,
            zmax=max(high, low + 0.1),
            colorscale=pattern.SCALE,
            hoverongaps=False,
            colorbar={
                "title": {"text": "counts per px"},
                "tickvals": [float(np.log10(tick)) for tick in ticks],
                "ticktext": [f"{tick:g}" for tick in ticks],
            },
            hovertemplate="φ %{x:.0f}°, q %{y:.3f} nm⁻¹<br>%{customdata:.3g} counts per px<extra></extra>",
        )
    )
    for q in marks:
        figure.add_hline(y=q, line={"color": "#ffffff", "width": 1, "dash": "dot"})
    figure.update_xaxes(
        title_text="φ (°), counter-clockwise", tickvals=[-180, -90, 0, 90, 180], showgrid=False
    )
    figure.update_yaxes(title_text="q (nm⁻¹)", showgrid=False)
    return figure.update_layout(dragmode="select", uirevision="polar")
