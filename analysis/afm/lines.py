"""Height and modulus along a line, sampled in two ways that differ and are named.

Positions are x to the right, y down, from the field's top-left corner; a pixel's centre is (col + 0.5) dx.

``gwyddion``: as Gwyddion 2.62 does, to the digit. End points floored to pixel indices;
``n = round(hypot(|dcol| + 1, |drow| + 1))`` points evenly from the centre of one pixel to that of the other;
the nearest pixel's value (its "round" interpolation). Points across a thick line are one sampling step
apart, not one pixel, and where they would leave the field the line's own value stands in for them.
``exact``: the line as it was drawn, points at most a pixel apart along it and a pixel apart across it,
bilinear between the centres of pixels; points off the field are left out.
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
    """Where a line is sampled: positions (n,) in pixels from the top-left corner, centres at halves.

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
    row = samples.row[:, None] + samples.across_row
    col = samples.col[:, None] + samples.across_col
    if samples.convention == "gwyddion":
        return _nearest_mean(values, samples, row, col)
    rows, cols = values.shape
    slack = TOLERANCE_PX
    inside = (row >= -slack) & (row <= rows + slack) & (col >= -slack) & (col <= cols + slack)
    taken = _bilinear(values, np.clip(row - 0.5, 0.0, rows - 1.0), np.clip(col - 0.5, 0.0, cols - 1.0))
    total = inside.sum(axis=1)
    mean = np.full(total.shape, np.nan)
    np.divide(np.where(inside, taken, 0.0).sum(axis=1), total, out=mean, where=total > 0)
    return mean


def _nearest_mean(values: Array, samples: Samples, row: Array, col: Array) -> Array:
    """Mean (n,) of nearest pixels at ``row``, ``col`` (n, thickness), by Gwyddion's rule at the border.

    It takes a neighbour for off the field from half a pixel before the centre of the last row or column on.
    """
    own = _nearest(values, samples.row, samples.col)
    if samples.across_row.size == 1:
        return own
    inside = (row >= 0.0) & (row < values.shape[0] - 1) & (col >= 0.0) & (col < values.shape[1] - 1)
    return np.asarray(np.where(inside, _nearest(values, row, col), own[:, None]).mean(axis=1))


def _nearest(values: Array, row: Array, col: Array) -> Array:
    at = [
        np.clip(np.floor(place).astype(np.intp), 0, length - 1)
        for place, length in zip((row, col), values.shape, strict=True)
    ]
    return np.asarray(values[at[0], at[1]])


def _bilinear(values: Array, row: Array, col: Array) -> Array:
    """Value between the four nearest pixels, indices in the field; a pixel without weight may be NaN."""
    row0, col0 = np.floor(row).astype(np.intp), np.floor(col).astype(np.intp)
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
        x_um=grid.x0_um + (samples.col - 0.5) * grid.col_step_um[0],
        y_um=grid.y0_um + (samples.row - 0.5) * grid.row_step_um[1],
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
    # Multiplied by the reciprocal, not divided: points halfway between pixels then fall as in Gwyddion.
    share = 1.0 / max(n - 1, 1)
    step_row, step_col = d_row * share, d_col * share
    along = np.arange(n, dtype=np.float64)
    across = np.arange(thickness_px, dtype=np.float64) - (thickness_px - 1) // 2
    dx, dy = grid.cell_um
    return Samples(
        row=row0 + 0.5 + along * step_row,
        col=col0 + 0.5 + along * step_col,
        across_row=across * step_col,
        across_col=-across * step_row,
        distance_um=along * share * math.hypot(d_col * dx, d_row * dy),
        thickness_nm=thickness_px * math.hypot(step_col * dy, step_row * dx) * NM_PER_UM,
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
        row=row + 0.5,
        col=col + 0.5,
        across_row=offsets_um * down / dy,
        across_col=offsets_um * right / dx,
        distance_um=share * length_um,
        thickness_nm=thickness_px * pixel_um * NM_PER_UM,
        convention="exact",
    )
