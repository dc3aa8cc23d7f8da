"""The edge-to-centre coordinate: 0 at the edge, 1 at the centre, and the depth in um.

``rectangle``: ``s = 1 - max(|u|/A, |v|/B)`` with (u, v) along the fitted rectangle's axes and its half sides
A, B. ``distance``: distance to the outline over its largest value. ``ray``: ``s = 1 - r/R(direction)`` from
the rectangle's centre. On a whole square ``rectangle`` and ``distance`` are the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.records import Array, Coordinate, Outline
from analysis.registration.geometry import largest_depth_um, own_axes, ray_length_um, signed_distance_um


def coordinate_at(
    outline: Outline, x_um: npt.ArrayLike, y_um: npt.ArrayLike, *, footprint_um: float = 0.0
) -> Coordinate:
    """Coordinates of positions (x, y) in um, of any shape; s is NaN outside, where the depth is negative.

    ``footprint_um`` is 1 sigma of the area that a value at one position stands for (beam, pixel); with the
    outline's own error it makes the error of s.
    """
    x, y = np.broadcast_arrays(np.asarray(x_um, dtype=np.float64), np.asarray(y_um, dtype=np.float64))
    depth = signed_distance_um(outline.vertices_um, x, y)
    kinds = {
        "rectangle": _rectangle(outline, x, y, footprint_um),
        "distance": _distance(outline, depth, footprint_um),
        "ray": _ray(outline, x, y, footprint_um),
    }
    inside = depth >= 0.0
    on = {kind: inside & (s >= 0.0) for kind, (s, _) in kinds.items()}
    return Coordinate(
        s={kind: np.where(on[kind], s, np.nan) for kind, (s, _) in kinds.items()},
        s_err={kind: np.where(on[kind], error, np.nan) for kind, (_, error) in kinds.items()},
        depth_um=depth,
    )


def _rectangle(outline: Outline, x: Array, y: Array, footprint_um: float) -> tuple[Array, Array]:
    """s and its error.

    A side at c + A and its opposite at c - A, each known to ``error``, give c and A with error / sqrt(2):
    ``var(s) = (var(c) + footprint^2 + (|u|/A)^2 var(A)) / A^2`` for the axis that decides.
    """
    u, v = own_axes(x, y, centre_um=outline.centre_um, angle_rad=outline.angle_rad)
    A, B = outline.half_sides_um
    along, across = np.abs(u) / A, np.abs(v) / B
    ratio, half = np.maximum(along, across), np.where(along >= across, A, B)
    variance = (0.5 * outline.error_um**2 * (1.0 + ratio**2) + footprint_um**2) / half**2
    return 1.0 - ratio, np.sqrt(variance)


def _distance(outline: Outline, depth: Array, footprint_um: float) -> tuple[Array, Array]:
    """Depth over its largest value; the largest is half the distance of two edges: error / sqrt(2)."""
    deepest = largest_depth_um(outline.vertices_um)
    s = depth / deepest
    variance = (outline.error_um**2 * (1.0 + 0.5 * s**2) + footprint_um**2) / deepest**2
    return s, np.sqrt(variance)


def _ray(outline: Outline, x: Array, y: Array, footprint_um: float) -> tuple[Array, Array]:
    """1 - r/R and its error, the centre known to error / sqrt(2) and the edge on the ray to error."""
    reach = ray_length_um(outline.vertices_um, x, y, centre_um=outline.centre_um)
    radius = np.hypot(x - outline.centre_um[0], y - outline.centre_um[1])
    s = np.where(np.isfinite(reach), 1.0 - radius / reach, 1.0)
    length = np.where(np.isfinite(reach), reach, min(outline.half_sides_um))
    variance = (0.5 + (1.0 - s) ** 2) * outline.error_um**2 + footprint_um**2
    return s, np.sqrt(variance) / length
