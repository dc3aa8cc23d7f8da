"""Diffraction patterns: one scan point's counts on the detector, on polar axes, and along q."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import Array, XrayReduction
from analysis.xray.geometry import pixel_directions
from analysis.xray.rebin import mean_in_bins, polar_bins
from app.figures.maps import colour_limits
from app.figures.png import Pixels, grey
from app.figures.theme import XRAY, Scheme, template, translucent, with_unit

PATTERN_VIEWS = ("detector", "polar", "q")
THUMBNAIL_PX = 96
N_Q, N_PHI = 100, 180
SCALE = "cividis"
DIFFERENCE_SCALE = "RdBu_r"


def thumbnail_shape(shape: tuple[int, int]) -> tuple[int, int, int]:
    """Rows, columns and block size of the thumbnail of a pattern (h, w)."""
    block = max(1, -(-max(shape) // THUMBNAIL_PX))
    return shape[0] // block, shape[1] // block, block


def thumbnail(counts: Array, valid: npt.NDArray[np.bool_], *, brightest: float) -> Pixels:
    """Grey thumbnail of a pattern (h, w): block means of valid pixels, log(1 + 20 n / brightest)."""
    rows, cols, block = thumbnail_shape(counts.shape)
    cut = (slice(0, rows * block), slice(0, cols * block))
    tiles = (rows, block, cols, block)
    seen = valid[cut].reshape(tiles)
    number = seen.sum(axis=(1, 3))
    total = np.where(seen, counts[cut].reshape(tiles), 0).sum(axis=(1, 3))
    mean = total / np.maximum(number, 1)
    return grey(np.log1p(20.0 * mean / brightest), limits=(0.0, float(np.log1p(20.0))))


def shaded(counts: Array, valid: npt.NDArray[np.bool_], *, brightest: float) -> Pixels:
    """Grey picture of a pattern (h, w), scaled as its thumbnail but from 1 on; 0 has no value."""
    with np.errstate(invalid="ignore"):
        scaled = np.log1p(20.0 * np.where(valid, counts, 0) / brightest) / np.log1p(20.0)
    return np.where(valid, 1 + np.clip(254.0 * scaled, 0.0, 254.0), 0.0).astype(np.uint8)


def brightest(scan: XrayReduction) -> float:
    """Counts that are drawn white: ten times the 99th percentile of the averaged pattern, at least 1."""
    seen = scan.average_pattern[scan.valid & np.isfinite(scan.average_pattern)]
    return max(10.0 * float(np.percentile(seen, 99.0)), 1.0) if seen.size else 1.0


def detector_figure(
    counts: Array, scan: XrayReduction, *, scheme: Scheme, difference: bool = False
) -> go.Figure:
    """Counts (h, w) of the SAXS region on the detector's pixels, log colours (linear for a difference)."""
    rows, cols = counts.shape
    row0, col0 = scan.region
    shown = np.where(scan.valid, counts, np.nan).astype(np.float32)
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(
        go.Heatmap(
            x0=col0, dx=1, y0=row0, dy=1, hoverongaps=False,
            **_colours(shown, difference),
            hovertemplate="column %{x}, row %{y}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(
        range=[col0 - 0.5, col0 + cols - 0.5], constrain="domain", showgrid=False, title_text="column (px)"
    )
    figure.update_yaxes(
        range=[row0 + rows - 0.5, row0 - 0.5], scaleanchor="x", constrain="domain", showgrid=False,
        title_text="row (px)",
    )  # fmt: skip
    return figure


def polar_figure(
    counts: Array, scan: XrayReduction, *, scheme: Scheme, difference: bool = False
) -> go.Figure:
    """The same counts averaged on (q, phi) bins."""
    q_axis, phi_axis, intensity = polar(counts, scan)
    figure = go.Figure(layout={"template": template(scheme)})
    figure.add_trace(
        go.Heatmap(
            x=phi_axis, y=q_axis, hoverongaps=False, **_colours(intensity.astype(np.float32), difference),
            hovertemplate="φ %{x:.0f}°, q %{y:.3f} nm⁻¹<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title_text="φ (°)", showgrid=False, tickvals=[-180, -90, 0, 90, 180])
    figure.update_yaxes(title_text="q (nm⁻¹)", showgrid=False)
    return figure


def polar(counts: Array, scan: XrayReduction) -> tuple[Array, Array, Array]:
    """q (n_q,), phi (n_phi,) and mean counts at full efficiency (n_q, n_phi); NaN where no pixel lies."""
    directions = pixel_directions(scan.geometry, origin=scan.region, shape=counts.shape)
    q_range = (0.0, float(scan.q_per_nm[-1]))
    bins = polar_bins(directions, scan.valid, q_range_per_nm=q_range, n_q=N_Q, n_phi=N_PHI)
    return bins.q_per_nm, bins.phi_deg, mean_in_bins(counts, bins)


def radial_figure(
    curves: list[tuple[str, Array, Array]], scan: XrayReduction, *, scheme: Scheme
) -> go.Figure:
    """Radial profiles (name, intensity, error; each (n_q,)) on a logarithmic axis with their bands."""
    figure = go.Figure(layout={"template": template(scheme)})
    for (name, intensity, error), dash in zip(curves, ("solid", "dot", "dash"), strict=False):
        seen = np.isfinite(intensity) & (intensity > 0)
        q, mean, spread = scan.q_per_nm[seen], intensity[seen], error[seen]
        low = np.maximum(mean - spread, mean * 1e-2)
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([q, q[::-1]]), y=np.concatenate([mean + spread, low[::-1]]), fill="toself",
                fillcolor=translucent(XRAY, 0.16), line={"width": 0}, hoverinfo="skip", showlegend=False,
            )
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=q, y=mean, name=name, mode="lines", line={"color": XRAY, "width": 1.8, "dash": dash},
                hovertemplate="q %{x:.3f} nm⁻¹<br>%{y:.3g}<extra>" + name + "</extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(title_text="q (nm⁻¹)")
    figure.update_yaxes(title_text="counts per pixel", type="log", exponentformat="power")
    figure.update_layout(showlegend=len(curves) > 1, margin={"t": 24 if len(curves) > 1 else 6})
    return figure


def coloured_counts(counts: npt.NDArray[np.float32]) -> dict[str, object]:
    """Values, limits, colour scale and bar of a heatmap of counts, logarithmic."""
    return _colours(counts, False)


def _colours(shown: npt.NDArray[np.float32], difference: bool) -> dict[str, object]:
    bar = {
        "title": {"text": "counts", "side": "top"},
        "thickness": 8,
        "outlinewidth": 0,
        "x": 1.01,
        "xpad": 4,
    }
    if difference:
        most = max(abs(limit) for limit in colour_limits(shown, percentiles=(0.5, 99.5)))
        return {
            "z": shown,
            "zmin": -most,
            "zmax": most,
            "colorscale": DIFFERENCE_SCALE,
            "colorbar": with_unit("counts"),
        }
    z = np.log10(shown + np.float32(1.0))
    high = float(np.nanmax(z)) if np.isfinite(z).any() else 1.0
    ticks = [
        n for n in (0, 1, 3, 10, 30, 100, 300, 1000, 1e4, 1e5, 1e6) if np.log10(n + 1) <= max(high, 0.31)
    ]
    bar = with_unit(
        "counts", tickvals=[float(np.log10(n + 1)) for n in ticks], ticktext=[f"{n:g}" for n in ticks]
    )
    return {"z": z, "zmin": 0.0, "zmax": max(high, 0.3), "colorscale": SCALE, "colorbar": bar}
