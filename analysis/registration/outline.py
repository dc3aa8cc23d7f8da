"""The crystal's outline: found on a map, given as a polygon, or told by one edge and the centre."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.records import Array, Outline, PixelGrid
from analysis.registration.geometry import (
    area_um2,
    outline_of_rectangle,
    own_axes,
    rectangle_corners,
    signed_distance_um,
)
from analysis.registration.rectangle_fit import Coverage, FittedRectangle, fit_rectangle

Mask = npt.NDArray[np.bool_]

MIN_CELLS = 4
"""A region of fewer cells is no crystal."""

MIN_CONTRAST = 4.0
"""Levels on and off the crystal must differ by so many times the noise off it."""

MISSING_SHARE = 0.03
"""Where more of the rectangle than this is not filled, the contour itself is the outline."""

FULL_SIGMA = 2.5
"""Deeper than so many sigma of the footprint the crystal fills it."""

NOISE_FLOOR = 0.05
RASTER = 96


def outline_from_map(
    grid: PixelGrid, values: Array, *, footprint_um: tuple[float, float], region: Mask | None = None
) -> Outline | None:
    """Outline of the crystal on a map (rows, cols) that is high on it; None where none shows.

    ``footprint_um`` is 1 sigma of what one value averages over, along x and y. NaN values are unknown.
    ``region`` is where the crystal is known to be, about; otherwise it is the largest bright region.
    """
    known = np.isfinite(values)
    if known.sum() < MIN_CELLS:
        return None
    bright = largest_region(known & (np.where(known, values, -np.inf) > threshold(values[known])))
    region = bright if region is None else region
    share = _normalised(values, known, region)
    if share is None:
        return None
    region = largest_region(known & region, near=region)
    # First by the distance to the region's border, then by the coordinate that this gives.
    place = ndimage.distance_transform_edt(region)
    place, full = place / max(float(place.max()), 1.0), place > 1.0
    for quick in (True, False):
        levelled = _levelled(share, place, known & region & full)
        region = largest_region(known & (levelled > 0.5), near=region)
        if region.sum() < MIN_CELLS or region.all():
            return None
        # What lies apart from the crystal (a neighbour, debris) tells nothing about its edge.
        others = known & (levelled > 0.5) & ~region
        used = known & _surroundings(region) & ~(ndimage.binary_dilation(others) & ~region)
        fitted = fit_rectangle(_coverage(grid, levelled, used, region, footprint_um), quick=quick)
        place, full = _place_in(fitted, grid, margin_um=FULL_SIGMA * max(footprint_um))
    return _outline(grid, levelled, region, known, fitted)


def outline_around(
    grid: PixelGrid,
    values: Array,
    place_um: tuple[float, float],
    *,
    footprint_um: tuple[float, float],
) -> Outline | None:
    """Outline of the crystal that holds a place (x, y) of a map; None where the place lies on none.

    The region is the connected part above the level that divides all values, holes filled.
    """
    row, col = (int(np.rint(index)) for index in grid.indices_at(*place_um))
    known = np.isfinite(values)
    if not (0 <= row < grid.shape[0] and 0 <= col < grid.shape[1]) or known.sum() < MIN_CELLS:
        return None
    bright = ndimage.binary_fill_holes(known & (np.where(known, values, -np.inf) > threshold(values[known])))
    labels, _ = ndimage.label(bright)
    if labels[row, col] == 0:
        return None
    return outline_from_map(grid, values, footprint_um=footprint_um, region=labels == labels[row, col])


def outline_of_polygon(vertices_um: npt.ArrayLike, *, error_um: float) -> Outline:
    """Outline from the corners (n, 2) of a polygon, with the rectangle that fits its edges."""
    vertices = np.asarray(vertices_um, dtype=np.float64)
    rectangle = _exact_rectangle(vertices) or _rectangle_of_polygon(vertices)
    return Outline(
        vertices_um=vertices,
        centre_um=rectangle.centre_um,
        half_sides_um=rectangle.half_sides_um,
        angle_rad=rectangle.angle_rad,
        error_um=error_um,
        source="given",
    )


def outline_of_edge_and_centre(
    edge_um: tuple[float, float], centre_um: tuple[float, float], *, error_um: float
) -> Outline:
    """The square with that centre, one of whose sides has ``edge_um`` as its middle."""
    dx, up = edge_um[0] - centre_um[0], centre_um[1] - edge_um[1]
    half = float(np.hypot(dx, up))
    return outline_of_rectangle(
        centre_um=centre_um,
        half_sides_um=(half, half),
        angle_rad=float(np.arctan2(up, dx)),
        error_um=error_um,
        source="edge and centre",
    )


def threshold(values: Array) -> float:
    """Level between two populations of values (n,): Otsu's, on a scale that is logarithmic for large ones.

    Source: N. Otsu, IEEE Trans. SMC 9 (1979) 62: it maximises the variance between the two classes.
    """
    low, high = np.percentile(values, [10.0, 98.0])
    scale = max(0.05 * float(high - low), np.finfo(float).tiny)
    stretched = np.sort(np.arcsinh((values - low) / scale))
    n = np.arange(1, stretched.size)
    total = np.cumsum(stretched)
    below, above = total[:-1] / n, (total[-1] - total[:-1]) / (stretched.size - n)
    between = n * (stretched.size - n) * (above - below) ** 2
    split = int(np.argmax(between))
    return float(low + scale * np.sinh(0.5 * (stretched[split] + stretched[split + 1])))


def largest_region(mask: Mask, *, near: Mask | None = None) -> Mask:
    """The largest connected region of a mask, holes filled; with ``near`` the one that overlaps it most."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return np.zeros_like(mask)
    counted = labels if near is None else labels[near]
    sizes = np.bincount(counted.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == np.argmax(sizes)), dtype=np.bool_)


def _surroundings(region: Mask) -> Mask:
    """The region's bounding box and a margin of a quarter of its size, at least two cells."""
    around = np.zeros_like(region)
    rows, cols = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    spans = []
    for found in (rows, cols):
        margin = max(2, (int(found[-1]) - int(found[0])) // 4)
        spans.append(slice(max(0, int(found[0]) - margin), int(found[-1]) + margin + 1))
    around[spans[0], spans[1]] = True
    return around


def _normalised(values: Array, known: Mask, region: Mask) -> Array | None:
    """Values with the level off the crystal as 0 and on it as 1; None where the two hardly differ."""
    on, off = known & region, known & ~ndimage.binary_dilation(region)
    if on.sum() < MIN_CELLS or off.sum() < 1:
        return None
    level_on, level_off = float(np.median(values[on])), float(np.median(values[off]))
    noise = 1.4826 * float(np.median(np.abs(values[off] - level_off)))
    if not level_on - level_off > MIN_CONTRAST * noise:
        return None
    return np.asarray((values - level_off) / (level_on - level_off))


def _levelled(share: Array, place: Array, full: Mask) -> Array:
    """Shares over the level that the crystal has at each place, 0 at its edge to 1 at its centre.

    ``ln(level) = a + b place`` by robust regression over the points that the crystal covers in full: an
    intensity may well be three times as high in the middle.
    """
    used = full & (share > 0.05)
    if used.sum() < 2 * MIN_CELLS or float(np.ptp(place[used])) == 0.0:
        return np.asarray(np.clip(share, -0.5, 1.5))
    x, y = place[used], np.log(share[used])
    design = np.column_stack([np.ones_like(x), x])
    weight = np.ones_like(x)
    for _ in range(10):
        a, b = np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)[0]
        left = y - a - b * x
        scale = 1.4826 * float(np.median(np.abs(left))) + 1e-6
        weight = 1.0 / np.sqrt(1.0 + (left / (2.0 * scale)) ** 2)
    level = np.exp(a + b * np.clip(place, 0.0, 1.0))
    return np.asarray(np.clip(share / level, -0.5, 1.5))


def _place_in(fitted: FittedRectangle, grid: PixelGrid, *, margin_um: float) -> tuple[Array, Mask]:
    """s of the grid's points, negative outside, and which lie deeper than the margin."""
    x, y = grid.positions_um()
    u, v = own_axes(x, y, centre_um=fitted.centre_um, angle_rad=fitted.angle_rad)
    A, B = fitted.half_sides_um
    place = 1.0 - np.maximum(np.abs(u) / A, np.abs(v) / B)
    return place, np.minimum(A - np.abs(u), B - np.abs(v)) > margin_um


def _coverage(
    grid: PixelGrid, share: Array, used: Mask, region: Mask, footprint_um: tuple[float, float]
) -> Coverage:
    x, y = grid.positions_um()
    inner = used & ndimage.binary_erosion(region)
    outer = used & ~ndimage.binary_dilation(region)
    noise_on = 1.4826 * float(np.median(np.abs(share[inner] - 1.0))) if inner.any() else 0.1
    noise_off = 1.4826 * float(np.median(np.abs(share[outer]))) if outer.any() else 0.0
    return Coverage(
        x_um=x[used],
        y_um=y[used],
        share=share[used],
        noise_off=max(noise_off, NOISE_FLOOR),
        noise_on=max(noise_on, NOISE_FLOOR),
        footprint_um=footprint_um,
        cell_um=max(grid.cell_um),
    )


def _outline(grid: PixelGrid, share: Array, region: Mask, known: Mask, fitted: FittedRectangle) -> Outline:
    """The rectangle where it is filled, the contour at half the level where a part of it is missing."""
    corners = rectangle_corners(
        centre_um=fitted.centre_um, half_sides_um=fitted.half_sides_um, angle_rad=fitted.angle_rad
    )
    x, y = grid.positions_um()
    depth = signed_distance_um(corners, x, y)
    margin = 0.75 * max(grid.cell_um)
    missing = known & ~region & (depth > margin)
    extra = region & (depth < -margin)
    whole = missing.sum() + extra.sum() <= max(2.0, MISSING_SHARE * float((depth > 0.0).sum()))
    vertices = corners if whole else _contour(grid, share, region, known)
    return Outline(
        vertices_um=vertices,
        centre_um=fitted.centre_um,
        half_sides_um=fitted.half_sides_um,
        angle_rad=fitted.angle_rad,
        error_um=fitted.error_um,
        source="found",
    )


def _contour(grid: PixelGrid, share: Array, region: Mask, known: Mask) -> Array:
    """Polygon (n, 2) at half the level around a region, sub-pixel, of no more points than it needs."""
    level = np.where(known, share, np.where(region, 1.0, 0.0))
    level = np.where(region, np.maximum(level, 0.55), np.where(ndimage.binary_dilation(region), level, 0.0))
    from skimage.measure import approximate_polygon, find_contours  # takes half a second

    lines = find_contours(np.pad(level, 1), 0.5)  # type: ignore[no-untyped-call]
    longest = max(lines, key=len)
    index = approximate_polygon(longest, tolerance=1.0)[:-1] - 1.0  # type: ignore[no-untyped-call]
    row, col = index.T
    x = grid.x0_um + col * grid.col_step_um[0] + row * grid.row_step_um[0]
    y = grid.y0_um + col * grid.col_step_um[1] + row * grid.row_step_um[1]
    return np.column_stack([x, y])


def _exact_rectangle(vertices: Array) -> FittedRectangle | None:
    """The rectangle that four corners are, or None where they are none to a thousandth of its size."""
    if len(vertices) != 4:
        return None
    centre = vertices.mean(axis=0)
    (ax, ay), (bx, by) = 0.5 * (vertices[0] - vertices[1]), 0.5 * (vertices[1] - vertices[2])
    A, B = float(np.hypot(ax, ay)), float(np.hypot(bx, by))
    closes = np.abs(vertices[0] + vertices[2] - vertices[1] - vertices[3]).max()
    if min(A, B) == 0.0 or closes > 1e-3 * max(A, B) or abs(ax * bx + ay * by) > 1e-3 * A * B:
        return None
    return FittedRectangle(
        centre_um=(float(centre[0]), float(centre[1])),
        half_sides_um=(A, B),
        angle_rad=float(np.arctan2(-ay, ax)),
        error_um=0.0,
    )


def _rectangle_of_polygon(vertices: Array) -> FittedRectangle:
    """Rectangle fitted to the edges of a polygon, by way of a fine raster."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    cell = float((high - low).max()) / RASTER
    x, y = np.meshgrid(
        np.arange(low[0] - 4.5 * cell, high[0] + 5.0 * cell, cell),
        np.arange(low[1] - 4.5 * cell, high[1] + 5.0 * cell, cell),
    )
    depth = signed_distance_um(vertices, x, y)
    return fit_rectangle(
        Coverage(
            x_um=x.ravel(),
            y_um=y.ravel(),
            share=np.clip(0.5 + depth.ravel() / cell, 0.0, 1.0),
            noise_off=NOISE_FLOOR,
            noise_on=NOISE_FLOOR,
            footprint_um=(0.3 * cell, 0.3 * cell),
            cell_um=cell,
        )
    )


def is_usable_polygon(vertices_um: npt.ArrayLike) -> bool:
    """Whether a polygon encloses an area that is not nothing against its size."""
    vertices = np.asarray(vertices_um, dtype=np.float64)
    size = float(np.ptp(vertices, axis=0).max())
    return bool(np.isfinite(size) and size > 0.0 and area_um2(vertices) > 1e-6 * size * size)
