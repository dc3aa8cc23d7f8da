"""The fitted first-order peaks as they are drawn on a pattern: ellipses in (q, phi) about +-b1 and +-b2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from analysis.records import Array, XrayReduction
from analysis.xray.geometry import pixel_directions

FAMILY_COLOUR = {"b1": "#ff7f50", "b2": "#7fd4ff"}
FAMILY_NAME = {"b1": "b<sub>1</sub>", "b2": "b<sub>2</sub>"}
LEVELS = (1.0, 2.0)
"""Contours at these multiples of the fitted widths."""

NAME_AT = 5.0
"""The name of a family stands this many widths outside its peak."""

N_CORNERS = 49
SAMPLES = 24
DEFAULT_SPREAD_DEG = 5.0


@dataclass(frozen=True, kw_only=True)
class Peak:
    """One fitted reflection: place and widths (1 sigma) in q (nm^-1) and phi (degrees)."""

    family: str
    sign: int
    q_per_nm: float
    phi_deg: float
    sigma_q_per_nm: float
    sigma_phi_deg: float


def peaks_at(scan: XrayReduction, row: int, col: int) -> tuple[Peak, ...]:
    """The four first-order peaks fitted at one point, from the maps and the fit's widths; none without a fit.

    ``phi(b1) = psi + gamma - 90``, ``phi(b2) = psi + 90``, counter-clockwise as displayed.
    """
    q1, q2, gamma, psi, width = (
        float(scan.maps[name].values[row, col]) for name in ("q1", "q2", "gamma", "psi", "sigma_q")
    )
    if not np.isfinite([q1, q2, gamma, psi]).all():
        return ()
    places = {"b1": (q1, psi + gamma - 90.0), "b2": (q2, psi + 90.0)}
    return tuple(
        Peak(
            family=family,
            sign=sign,
            q_per_nm=q,
            phi_deg=(phi + (0.0 if sign > 0 else 180.0) + 180.0) % 360.0 - 180.0,
            sigma_q_per_nm=_width(scan, row, col, f"sigma_q{family[1]}", width),
            sigma_phi_deg=_width(scan, row, col, f"sigma_phi{family[1]}", DEFAULT_SPREAD_DEG),
        )
        for family, (q, phi) in places.items()
        for sign in (1, -1)
    )


def _width(scan: XrayReduction, row: int, col: int, name: str, otherwise: float) -> float:
    """A width among the fit's parameters, whose names end in their unit; ``otherwise`` without one."""
    for number, full_name in enumerate(scan.fit_names):
        if full_name.startswith(f"{name}_"):
            value = float(scan.fit_parameters[row, col, number])
            turned = np.degrees(value) if full_name.endswith("_rad") else value
            return float(turned) if np.isfinite(turned) and turned > 0 else otherwise
    return otherwise


def ellipse(peak: Peak, level: float) -> tuple[Array, Array]:
    """q and phi of a closed contour (N_CORNERS,) at ``level`` widths about a peak."""
    turn = np.linspace(0.0, 2.0 * np.pi, N_CORNERS)
    return (
        peak.q_per_nm + level * peak.sigma_q_per_nm * np.cos(turn),
        peak.phi_deg + level * peak.sigma_phi_deg * np.sin(turn),
    )


def pixels_of(scan: XrayReduction) -> Callable[[Array, Array], tuple[Array, Array]]:
    """A function from q (nm^-1) and phi (degrees) to column and row, pixel centres at integers.

    It is a cubic in (qx, qy) fitted to the region's own pixels, so that it holds for tilted detectors too.
    """
    directions = pixel_directions(scan.geometry, origin=scan.region, shape=scan.valid.shape)
    step = max(1, max(scan.valid.shape) // SAMPLES)
    q, phi = directions.q_per_nm[::step, ::step], directions.phi_rad[::step, ::step]
    row, col = np.indices(q.shape) * step
    known = _cubic_terms((q * np.cos(phi)).ravel(), (q * np.sin(phi)).ravel())
    wanted = np.column_stack([col.ravel() + scan.region[1], row.ravel() + scan.region[0]])
    factors = np.linalg.lstsq(known, wanted, rcond=None)[0]

    def place(q_per_nm: Array, phi_deg: Array) -> tuple[Array, Array]:
        turn = np.radians(phi_deg)
        found = _cubic_terms(q_per_nm * np.cos(turn), q_per_nm * np.sin(turn)) @ factors
        return found[:, 0], found[:, 1]

    return place


def _cubic_terms(x: Array, y: Array) -> Array:
    """All products x^i y^j with i + j <= 3, one column each: (n, 10)."""
    return np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=-1)


def on_detector(peaks: tuple[Peak, ...], scan: XrayReduction, *, in_q: bool) -> list[go.Scatter]:
    """Contours and names of the peaks on the detector, in pixels or (``in_q``) as (qx, qy), y down."""
    if not peaks:
        return []
    place = _in_q if in_q else pixels_of(scan)
    traces = [_contour(peak, *place(*ellipse(peak, level)), level) for peak in peaks for level in LEVELS]
    for peak in (peak for peak in peaks if peak.sign > 0):
        x, y = place(np.array([_name_q(peak)]), np.array([peak.phi_deg]))
        traces.append(_name(peak, float(x[0]), float(y[0])))
    return traces


def _in_q(q: Array, phi_deg: Array) -> tuple[Array, Array]:
    return q * np.cos(np.radians(phi_deg)), -q * np.sin(np.radians(phi_deg))


def _name_q(peak: Peak) -> float:
    return peak.q_per_nm + NAME_AT * peak.sigma_q_per_nm


def on_polar(peaks: tuple[Peak, ...]) -> list[go.Scatter]:
    """The same contours on axes phi (degrees) and q (nm^-1), broken where phi jumps by a whole turn."""
    traces = []
    for peak in peaks:
        for level in LEVELS:
            q, phi = ellipse(peak, level)
            folded = (phi + 180.0) % 360.0 - 180.0
            q = np.where(np.abs(np.diff(folded, prepend=folded[0])) > 180.0, np.nan, q)
            traces.append(_contour(peak, folded, q, level))
    named = [peak for peak in peaks if peak.sign > 0]
    return [
        *traces,
        *(_name(peak, peak.phi_deg, _name_q(peak)) for peak in named),
    ]


def _contour(peak: Peak, x: Array, y: Array, level: float) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name=f"fit {peak.family}",
        line={"color": FAMILY_COLOUR[peak.family], "width": 1.6 if level == LEVELS[0] else 1.0},
    )


def _name(peak: Peak, x: float, y: float) -> go.Scatter:
    return go.Scatter(
        x=[x],
        y=[y],
        mode="text",
        text=[FAMILY_NAME[peak.family]],
        hoverinfo="skip",
        showlegend=False,
        textfont={"color": FAMILY_COLOUR[peak.family], "size": 13, "shadow": "auto"},
        name=f"name {peak.family}",
    )
