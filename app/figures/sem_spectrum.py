"""The power spectrum of one SEM region, with what was chosen in it, and its radial average."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from analysis.records import Array, SemRegion
from analysis.sem.tilt import Tilt
from app.figures.theme import CURSOR, SEM, Scheme, template, translucent

SCALE = "cividis"
N_CORNERS = 181


def spectrum_figure(region: SemRegion, *, scheme: Scheme, surface: Tilt | None = None) -> go.Figure:
    """log10 of the background-divided power over (kx, ky) in 1/nm, ky down, 1:1; colours begin at background.

    Circles mark the lattice vectors +-k1, +-k2; the dotted ring is the first order, delta_k. On a tilted
    ``surface`` they stand where the image shows them.
    """
    n = region.spectrum.shape[0]
    k = (np.arange(n) - n // 2) * (region.spectrum_k_max_per_nm / (n // 2))
    with np.errstate(divide="ignore"):
        z = np.log10(np.maximum(region.spectrum, 1e-3)).astype(np.float32)
    low, high = 0.0, float(np.percentile(z, 99.97))
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(
        go.Heatmap(
            x=k.astype(np.float32),
            y=k.astype(np.float32),
            z=z,
            zmin=low,
            zmax=max(high, low + 0.5),
            colorscale=SCALE,
            colorbar={"title": {"text": "log₁₀ power"}},
            hovertemplate="kₓ %{x:.4f}, k_y %{y:.4f} 1/nm<br>10^%{z:.2f}<extra></extra>",
            name="power",
        )
    )
    if np.isfinite(region.delta_k_per_nm):
        seen = np.eye(2) if surface is None else surface.stretch
        _add_ring(figure, region.delta_k_per_nm, seen)
        _add_peaks(figure, region, seen)
    half = (k[1] - k[0]) / 2
    figure.update_xaxes(
        range=[k[0] - half, k[-1] + half],
        constrain="domain",
        showgrid=False,
        title_text="k<sub>x</sub> (1/nm)",
    )
    figure.update_yaxes(
        range=[k[-1] + half, k[0] - half],
        scaleanchor="x",
        constrain="domain",
        showgrid=False,
        title_text="k<sub>y</sub> (1/nm), down",
    )
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 4, "b": 4}, uirevision="spectrum")


def _add_ring(figure: go.Figure, delta_k_per_nm: float, seen: Array) -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, N_CORNERS)
    ring = delta_k_per_nm * np.stack([np.cos(turn), np.sin(turn)], axis=1) @ seen
    figure.add_trace(
        go.Scatter(
            x=ring[:, 0],
            y=ring[:, 1],
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            name="first order",
            line={"color": "#ffffff", "width": 1.2, "dash": "dot"},
        )
    )


def _add_peaks(figure: go.Figure, region: SemRegion, seen: Array) -> None:
    own = np.vstack([region.k_per_nm, -region.k_per_nm])
    vectors = own @ seen
    names = ("k<sub>1</sub>", "k<sub>2</sub>", "", "")
    figure.add_trace(
        go.Scatter(
            x=vectors[:, 0],
            y=vectors[:, 1],
            mode="markers+text",
            text=names,
            textposition="top right",
            textfont={"color": "#ffffff", "size": 13, "shadow": "auto"},
            marker={"symbol": "circle-open", "size": 16, "color": "#ff7f50", "line": {"width": 2}},
            customdata=np.hypot(*own.T),
            hovertemplate="|k| %{customdata:.4f} 1/nm<br>(%{x:.4f}, %{y:.4f})<extra>chosen peak</extra>",
            showlegend=False,
            name="peaks",
        )
    )


def radial_figure(region: SemRegion, *, scheme: Scheme) -> go.Figure:
    """Radial average of the power, logarithmic; line and band: delta_k with 1 sigma; dotted: both of them."""
    figure = go.Figure(layout={"template": template(scheme)})
    k, power = region.radial_k_per_nm, region.radial_power
    seen = np.isfinite(power) & (power > 0)
    figure.add_trace(
        go.Scatter(
            x=k[seen],
            y=power[seen],
            mode="lines",
            line={"color": SEM, "width": 1.8},
            showlegend=False,
            hovertemplate="k %{x:.4f} 1/nm<br>%{y:.3g}<extra></extra>",
            name="radial",
        )
    )
    figure.update_xaxes(title_text="k (1/nm)", range=[0.0, region.spectrum_k_max_per_nm])
    figure.update_yaxes(title_text="power / background", type="log", exponentformat="power")
    if np.isfinite(region.delta_k_per_nm):
        _mark_delta_k(figure, region)
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 22, "b": 6}, uirevision="radial")


def _mark_delta_k(figure: go.Figure, region: SemRegion) -> None:
    middle, error = region.delta_k_per_nm, float(np.nan_to_num(region.delta_k_err_per_nm))
    figure.add_vrect(
        x0=middle - error, x1=middle + error, fillcolor=translucent(CURSOR, 0.25), line_width=0, layer="below"
    )
    figure.add_vline(
        x=middle,
        line={"color": CURSOR, "width": 1.5},
        annotation={"text": f"δk = {middle:.4f} 1/nm", "font": {"size": 11}},
        annotation_position="top",
    )
    for each in region.delta_k_each_per_nm:
        if np.isfinite(each):
            figure.add_vline(x=each, line={"color": CURSOR, "width": 1, "dash": "dot"})
