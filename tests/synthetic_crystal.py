"""The made-up crystal behind :mod:`tests.synthetic_result`: its outline, its coordinate, its laws."""

from __future__ import annotations

import math

import numpy as np

from analysis.records import COORDINATES, Array, Coordinate, Outline

HALF_SIDE_UM = 5.0
TURN_RAD = math.radians(8.0)
S_ERR = 0.03


def a_sc_nm(s: Array, method: str) -> Array:
    """Mean lattice parameter in nm that the X-ray maps hold at s."""
    return 11.6 + 6.0 * s if method == "diffusion" else np.full_like(s, 7.39)


def spacing_nm(s: Array, method: str) -> Array:
    """Plane spacing in nm of the SEM image at s."""
    return 12.0 + 6.9 * s if method == "diffusion" else np.full_like(s, 8.4)


def modulus_gpa(s: Array, method: str) -> Array:
    """Young's modulus in GPa of the AFM field at s."""
    return 1.4 + 5.4 * s if method == "diffusion" else np.full_like(s, 0.14)


def outline_at(centre_um: tuple[float, float]) -> Outline:
    """The square's outline about a centre."""
    corners = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * HALF_SIDE_UM
    cos, sin = math.cos(TURN_RAD), math.sin(TURN_RAD)
    u, v = corners.T
    vertices = np.column_stack([centre_um[0] + cos * u - sin * v, centre_um[1] - sin * u - cos * v])
    return Outline(
        vertices_um=vertices,
        centre_um=centre_um,
        half_sides_um=(HALF_SIDE_UM, HALF_SIDE_UM),
        angle_rad=TURN_RAD,
        error_um=0.15,
        source="found",
    )


def coordinate_at(x_um: Array, y_um: Array, centre_um: tuple[float, float]) -> Coordinate:
    """Edge-to-centre coordinates of positions: s is NaN outside, depth negative."""
    dx, dy = x_um - centre_um[0], y_um - centre_um[1]
    u = math.cos(TURN_RAD) * dx - math.sin(TURN_RAD) * dy
    v = -math.sin(TURN_RAD) * dx - math.cos(TURN_RAD) * dy
    depth = HALF_SIDE_UM - np.maximum(np.abs(u), np.abs(v))
    s = np.where(depth >= 0, depth / HALF_SIDE_UM, np.nan)
    kinds = [kind for kind in COORDINATES if kind != "depth"]
    return Coordinate(
        s={kind: s.copy() for kind in kinds},
        s_err={kind: np.where(np.isfinite(s), S_ERR, np.nan) for kind in kinds},
        depth_um=depth,
    )
