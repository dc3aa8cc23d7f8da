"""Height and modulus along a line, sampled in two ways that differ and are named.

Positions are x to the right, y down, from the field's top-left corner; a pixel's centre is (col + 0.5) dx.

``gwyddion``: end points floored to pixel indices; ``n = round(hypot(|dcol| + 1, |drow| + 1))`` points evenly
from the centre of one pixel to that of the other; the nearest pixel's value (Gwyddion's "round").
``exact``: the line as it was drawn, points at most a pixel apart, bilinear between the centres of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.records import AfmLine, Array, PixelGrid
from analysis.units import NM_PER_UM

Convention = Literal["gwyddion", "exact"]
CONVENTIONS: tuple[Convention, ...] = ("gwyddion", "exact")
Ends = tuple[float, float, float, float]
TOLERANCE_PX = 1e-6


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Where a line is sampled: fractional indices (n,), pixel centres at integers.

    ``across_row``, ``across_col`` (thickness,) are added to each for the points across the line that are
    averaged. ``distance_um`` (n,) counts from the first point; ``thickness_nm`` is the width averaged over.
    """

    row: Array
    col: Array
    across_row: Array
    across_col: Array
    distance_um: Array
    thickness_nm: float
    convention: Convention


def is_in_field(ends_um: Ends, grid: PixelGrid) -> bool:
    """Whether both ends x0, y0, x1, y1 lie in the field, its border included."""
    row, col = grid.indices_at(ends_um[0::2], ends_um[1::2])
    low, (rows, cols) = -0.5 - TOLERANCE_PX, grid.shape
    return bool(
        (row >= low).all()
        and (col >= low).all()
        and (row <= rows - 0.5 + TOLERANCE_PX).all()
        and (col <= cols - 0.5 + TOLERANCE_PX).all()
    )


def line_samples(
    ends_um: Ends,
    grid: PixelGrid,
    *,
    convention: Convention,
    thickness_px: int = 1,
    points: int | None = None,
) -> Samples:
    """Sampling points of a line with ends x0, y0, x1, y1 in um, averaged over ``thickness_px`` across it.

    ``points`` asks for a number of points instead of the convention's own, as Gwyddion's "fix res." does.
    """
    if thickness_px < 1:
        raise ValueError(f"a line is at least one pixel thick, not {thickness_px}")
    if points is not None and points < 2:
        raise ValueError(f"a line has at least two points, not {points}")
    if convention == "gwyddion":
        return _gwyddion_samples(ends_um, grid, thickness_px, points)
    return _exact_samples(ends_um, grid, thickness_px, points)


def values_along(values: Array, samples: Samples) -> Array:
    """Values (n,) of a field (rows, cols) along a line, the mean across its thickness; NaN off the field."""
    rows, cols = values.shape
    row = samples.row[:, None] + samples.across_row
    col = samples.col[:, None] + samples.across_col
    inside = (row >= -0.5) & (row <= rows - 0.5) & (col >= -0.5) & (col <= cols - 0.5)
    row, col = np.clip(row, 0.0, rows - 1.0), np.clip(col, 0.0, cols - 1.0)
    if samples.convention == "gwyddion":
        taken = values[np.floor(row + 0.5).astype(np.intp), np.floor(col + 0.5).astype(np.intp)]
    else:
        taken = _bilinear(values, row, col)
    total = inside.sum(axis=1)
    summed = np.where(inside, taken, 0.0).sum(axis=1)
    mean = np.full(total.shape, np.nan)
    np.divide(summed, total, out=mean, where=total > 0)
    return mean


def _bilinear(values: Array, row: Array, col: Array) -> Array:
    """Value between the four nearest pixels; a pixel that has no weight may be NaN."""
    row0, col0 = (
        np.clip(np.floor(index).astype(np.intp), 0, max(length - 2, 0))
        for index, length in zip((row, col), values.shape, strict=True)
    )
    down, right = row - row0, col - col0
    total = np.zeros(row.shape)
    for i, weight_row in ((0, 1.0 - down), (1, down)):
        for j, weight_col in ((0, 1.0 - right), (1, right)):
            weight = weight_row * weight_col
            at = np.minimum(row0 + i, values.shape[0] - 1), np.minimum(col0 + j, values.shape[1] - 1)
            total += np.where(weight > 0.0, weight * values[at], 0.0)
    return total


def line_profile(
    ends_um: Ends,
    grid: PixelGrid,
    *,
    name: str,
    source: str,
    convention: Convention,
    height_nm: Array,
    modulus_gpa: Array,
    thickness_px: int = 1,
) -> AfmLine:
    """Height and modulus (rows, cols) along one line; ``s`` and ``depth_um`` stay NaN until registered."""
    samples = line_samples(ends_um, grid, convention=convention, thickness_px=thickness_px)
    unknown = np.full(samples.row.shape, np.nan)
    return AfmLine(
        name=name,
        source=source,
        convention=convention,
        thickness_px=thickness_px,
        thickness_nm=samples.thickness_nm,
        ends_um=ends_um,
        distance_um=samples.distance_um,
        x_um=grid.x0_um + samples.col * grid.col_step_um[0],
        y_um=grid.y0_um + samples.row * grid.row_step_um[1],
        height_nm=values_along(height_nm, samples),
        modulus_gpa=values_along(modulus_gpa, samples),
        s=unknown,
        depth_um=unknown.copy(),
    )


def _gwyddion_samples(ends_um: Ends, grid: PixelGrid, thickness_px: int, points: int | None) -> Samples:
    rows, cols = grid.shape
    row, col = grid.indices_at(ends_um[0::2], ends_um[1::2])
    row0, row1 = (int(index) for index in np.clip(np.floor(row + 0.5), 0, rows - 1))
    col0, col1 = (int(index) for index in np.clip(np.floor(col + 0.5), 0, cols - 1))
    d_row, d_col = row1 - row0, col1 - col0
    own = math.floor(math.hypot(abs(d_col) + 1, abs(d_row) + 1) + 0.5)
    n = own if points is None else points
    share = np.arange(n) / max(n - 1, 1)
    length_px = math.hypot(d_row, d_col)
    down, right = (d_col / length_px, -d_row / length_px) if length_px else (1.0, 0.0)
    offsets = np.arange(thickness_px, dtype=np.float64) - (thickness_px - 1) // 2
    dx, dy = grid.cell_um
    return Samples(
        row=row0 + share * d_row,
        col=col0 + share * d_col,
        across_row=offsets * down,
        across_col=offsets * right,
        distance_um=share * math.hypot(d_col * dx, d_row * dy),
        thickness_nm=thickness_px * math.hypot(down * dy, right * dx) * NM_PER_UM,
        convention="gwyddion",
    )


def _exact_samples(ends_um: Ends, grid: PixelGrid, thickness_px: int, points: int | None) -> Samples:
    x0, y0, x1, y1 = ends_um
    dx, dy = grid.cell_um
    length_um = math.hypot(x1 - x0, y1 - y0)
    own = math.ceil(math.hypot((x1 - x0) / dx, (y1 - y0) / dy) - TOLERANCE_PX) + 1
    share = np.linspace(0.0, 1.0, own if points is None else points)
    right, down = (-(y1 - y0) / length_um, (x1 - x0) / length_um) if length_um else (0.0, 1.0)
    # One pixel across the line, in um: what lies between the grid's lines in that direction.
    pixel_um = 1.0 / math.hypot(right / dx, down / dy)
    offsets_um = (np.arange(thickness_px, dtype=np.float64) - 0.5 * (thickness_px - 1)) * pixel_um
    row, col = grid.indices_at(x0 + share * (x1 - x0), y0 + share * (y1 - y0))
    return Samples(
        row=row,
        col=col,
        across_row=offsets_um * down / dy,
        across_col=offsets_um * right / dx,
        distance_um=share * length_um,
        thickness_nm=thickness_px * pixel_um * NM_PER_UM,
        convention="exact",
    )
