"""Foreshortening of a surface that is seen at an angle, and places on it.

A surface whose normal leans by t away from the beam shows lengths across the axis of the lean shortened by
cos t: what is x, y in the image is S r of the surface, S = R diag(1, cos t) R^T with R the axis' direction.
Frequencies go the other way, k = S^-1 K with K the surface's own: K = S k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tilt:
    """``angle_deg`` between the surface's normal and the beam; the axis counter-clockwise from +x."""

    angle_deg: float
    axis_deg: float = 0.0

    @property
    def shrink(self) -> Array:
        """S (2, 2), for vectors (x, y) with y down: surface to image; symmetric."""
        axis = np.deg2rad(self.axis_deg)
        along = np.array([np.cos(axis), -np.sin(axis)])
        across = np.array([along[1], -along[0]])
        cosine = float(np.cos(np.deg2rad(self.angle_deg)))
        return np.asarray(np.outer(along, along) + cosine * np.outer(across, across))

    @property
    def stretch(self) -> Array:
        """S^-1 (2, 2): image to surface."""
        return np.asarray(np.linalg.inv(self.shrink))


def height_of(
    x: float, y: float, *, foot: tuple[tuple[float, float], tuple[float, float]], tilt: Tilt | None
) -> float:
    """Distance of a place from the line of the surface's foot, above it positive, corrected for the tilt.

    ``foot`` holds two places (x, y) on the line; all in one unit of length, y down.
    """
    matrix = np.eye(2) if tilt is None else tilt.stretch
    one, other, place = (matrix @ np.array(at) for at in (*foot, (x, y)))
    along = (other - one) / np.hypot(*(other - one))
    if along[0] < 0.0 or (along[0] == 0.0 and along[1] > 0.0):
        along = -along
    return float((place - one) @ np.array([along[1], -along[0]]))
