"""The whole detector at one scan point: photons of wide and small angles, with the rings and fitted spots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.records import SPOT_COLUMNS, Array, DetectorGeometry, XrayReduction
from analysis.units import UM_PER_MM, two_theta_rad_from_q
from app.figures.pattern import coloured_counts
from app.figures.theme import Scheme, template

MOST_CELLS = 420
"""Cells a side: photons are added up in square blocks."""

SPOT_COLOUR = "#ff7f50"
RING_COLOUR = "rgba(255,255,255,0.35)"


def photons_figure(
    photons: npt.NDArray[np.int64],
    region: Array,
    scan: XrayReduction,
    place: tuple[int, int],
    *,
    scheme: Scheme,
    fit: bool,
) -> go.Figure:
    """Photons (flat pixels of the detector) and counts of the small-angle region (h, w) in blocks of pixels.

    With ``fit`` the rings are drawn, and the spots that were fitted at ``place`` (row, column).
    """
    counts, block = in_blocks(photons, region, scan)
    figure = go.Figure(layout={"template": template(scheme)})
    middle = (block - 1) / 2
    figure.add_trace(
        go.Heatmap(
            x0=middle, dx=block, y0=middle, dy=block, **coloured_counts(counts.astype(np.float32)),
            hovertemplate="column %{x:.0f}, row %{y:.0f}<extra></extra>", name="photons",
        )
    )  # fmt: skip
    if fit and not any(scan.geometry.rotations_rad):
        figure.add_traces(_marks(scan, place))
    rows, cols = scan.geometry.shape
    figure.update_xaxes(
        range=[-0.5, cols - 0.5], constrain="domain", showgrid=False, title_text="column (px)"
    )
    figure.update_yaxes(
        range=[rows - 0.5, -0.5], scaleanchor="x", constrain="domain", showgrid=False, title_text="row (px)"
    )
    return figure.update_layout(uirevision="photons", showlegend=False)


def in_blocks(photons: npt.NDArray[np.int64], region: Array, scan: XrayReduction) -> tuple[Array, int]:
    """Counts of the whole detector in square blocks, and pixels a side of a block."""
    rows, cols = scan.geometry.shape
    block = -(-max(rows, cols) // MOST_CELLS)
    shape = (-(-rows // block), -(-cols // block))
    total = np.zeros(shape)
    np.add.at(total, (photons // cols // block, photons % cols // block), 1.0)
    row, col = np.nonzero(scan.valid & (region > 0))
    at = ((row + scan.region[0]) // block, (col + scan.region[1]) // block)
    np.add.at(total, at, region[row, col])
    return total, block


def _marks(scan: XrayReduction, place: tuple[int, int]) -> list[go.Scatter]:
    wide = scan.wide_angle
    if wide is None:
        return []
    turn = np.linspace(-180.0, 180.0, 181)
    marks = []
    for name, q in zip(wide.ring_names, wide.ring_q_per_nm, strict=True):
        if name != "saxs":
            x, y = pixels_at(scan.geometry, np.full(turn.size, q), turn)
            line = {"color": RING_COLOUR, "width": 1, "dash": "dot"}
            marks.append(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", name=f"ring {name}"))
    spots = wide.spots[place]
    status, q, phi = (spots[:, SPOT_COLUMNS.index(name)] for name in ("status", "q_per_nm", "phi_deg"))
    found = status == 0
    x, y = pixels_at(scan.geometry, q[found].astype(np.float64), phi[found].astype(np.float64))
    names = [name for name, known in zip(wide.spot_names, found, strict=True) if known]
    ring = {"symbol": "circle-open", "size": 14, "color": SPOT_COLOUR, "line": {"width": 1.6}}
    marks.append(
        go.Scatter(
            x=x, y=y, mode="markers", marker=ring, text=names, name="spots",
            hovertemplate="spot %{text}<extra></extra>",
        )
    )  # fmt: skip
    return marks


def pixels_at(geometry: DetectorGeometry, q_per_nm: Array, phi_deg: Array) -> tuple[Array, Array]:
    """Column and row of places in q and phi on a detector that is not tilted, pixel centres at integers."""
    angle = two_theta_rad_from_q(q_per_nm, wavelength_nm=geometry.wavelength_nm)
    radius_um = geometry.distance_mm * UM_PER_MM * np.tan(angle)
    turn, (size_x, size_y) = np.radians(phi_deg), geometry.pixel_size_um
    col0, row0 = geometry.beam_center_px
    return col0 + radius_um * np.cos(turn) / size_x, row0 - radius_um * np.sin(turn) / size_y
