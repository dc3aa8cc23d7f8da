"""Polygons and rotated rectangles in the plane: distances, rays, largest inscribed circle.

Positions are (x, y) in um, x to the right, y down; angles are counter-clockwise as displayed, so the axis
at angle t points along (cos t, -sin t).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.records import Array, Outline


def own_axes(
    x_um: npt.ArrayLike, y_um: npt.ArrayLike, *, centre_um: tuple[float, float], angle_rad: float
) -> tuple[Array, Array]:
    """Coordinates (u, v) in um along a rectangle's axes from its centre: u at ``angle_rad``, v 90 deg on."""
    dx = np.asarray(x_um, dtype=np.float64) - centre_um[0]
    up = centre_um[1] - np.asarray(y_um, dtype=np.float64)
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return dx * cos + up * sin, up * cos - dx * sin


def rectangle_corners(
    *, centre_um: tuple[float, float], half_sides_um: tuple[float, float], angle_rad: float
) -> Array:
    """Corners (4, 2) of a rectangle as x, y, in order around it."""
    u, v = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]).T * np.array(half_sides_um)[:, None]
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.column_stack([centre_um[0] + u * cos - v * sin, centre_um[1] - u * sin - v * cos])


def area_um2(vertices_um: Array) -> float:
    """Area of a polygon (n, 2), by the shoelace formula."""
    x, y = vertices_um.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def signed_distance_um(vertices_um: Array, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Array:
    """Distance of points to a polygon's outline, positive inside and negative outside, of the points' shape.

    Inside is by the even-odd rule, so the order of the vertices does not matter.
    """
    x, y = np.broadcast_arrays(np.asarray(x_um, dtype=np.float64), np.asarray(y_um, dtype=np.float64))
    nearest = np.full(x.shape, np.inf)
    inside = np.zeros(x.shape, dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(vertices_um, np.roll(vertices_um, -1, axis=0), strict=True):
        ex, ey = x1 - x0, y1 - y0
        length = ex * ex + ey * ey
        along = np.clip(((x - x0) * ex + (y - y0) * ey) / length, 0.0, 1.0) if length > 0.0 else 0.0
        np.minimum(nearest, np.hypot(x - x0 - along * ex, y - y0 - along * ey), out=nearest)
        if ey != 0.0:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * ex / ey)
    return np.where(inside, nearest, -nearest)


def largest_depth_um(vertices_um: Array) -> float:
    """Radius of the largest circle in a polygon: the greatest distance to its outline, to 1e-5 of its size.

    A grid over the bounding box is refined about its deepest points until the step no longer matters.
    """
    low, high = vertices_um.min(axis=0), vertices_um.max(axis=0)
    step = float((high - low).max()) / 40.0
    x, y = np.meshgrid(np.arange(low[0], high[0] + step, step), np.arange(low[1], high[1] + step, step))
    depth = signed_distance_um(vertices_um, x, y).ravel()
    order = np.argsort(depth)[::-1][:12]
    points, best = np.column_stack([x.ravel()[order], y.ravel()[order]]), float(depth[order[0]])
    offsets = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], dtype=np.float64)
    while step > 1e-6 * float((high - low).max()):
        step *= 0.5
        tried = (points[:, None, :] + step * offsets).reshape(-1, 2)
        depth = signed_distance_um(vertices_um, tried[:, 0], tried[:, 1])
        order = np.argsort(depth)[::-1][:12]
        points, best = tried[order], max(best, float(depth[order[0]]))
    return best


def ray_length_um(
    vertices_um: Array, x_um: npt.ArrayLike, y_um: npt.ArrayLike, *, centre_um: tuple[float, float]
) -> Array:
    """Distance from the centre to the outline in the direction of each point, of the points' shape.

    The farthest crossing counts where a ray crosses more than once; at the centre itself it is infinite.
    """
    dx = np.asarray(x_um, dtype=np.float64) - centre_um[0]
    dy = np.asarray(y_um, dtype=np.float64) - centre_um[1]
    length = np.hypot(dx, dy)
    safe = np.where(length > 0.0, length, 1.0)
    ux, uy = np.where(length > 0.0, dx / safe, 0.0), np.where(length > 0.0, dy / safe, 0.0)
    farthest = np.zeros(length.shape)
    for (x0, y0), (x1, y1) in zip(vertices_um, np.roll(vertices_um, -1, axis=0), strict=True):
        ex, ey, px, py = x1 - x0, y1 - y0, x0 - centre_um[0], y0 - centre_um[1]
        cross = ux * ey - uy * ex
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            along = (px * ey - py * ex) / cross
            place = (px * uy - py * ux) / cross
        hit = (cross != 0.0) & (place >= -1e-12) & (place <= 1.0 + 1e-12) & (along > 0.0)
        farthest = np.where(hit & (along > farthest), along, farthest)
    return np.where((length > 0.0) & (farthest > 0.0), farthest, np.inf)


def outline_of_rectangle(
    *,
    centre_um: tuple[float, float],
    half_sides_um: tuple[float, float],
    angle_rad: float,
    error_um: float,
    source: str,
) -> Outline:
    """An outline that is the rectangle itself."""
    corners = rectangle_corners(centre_um=centre_um, half_sides_um=half_sides_um, angle_rad=angle_rad)
    return Outline(
        vertices_um=corners,
        centre_um=centre_um,
        half_sides_um=half_sides_um,
        angle_rad=angle_rad,
        error_um=error_um,
        source=source,
    )
