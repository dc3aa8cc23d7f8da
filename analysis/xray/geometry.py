"""Where every detector pixel looks: momentum transfer, azimuth, solid angle and polarization.

Detector coordinates are (row, col), pixel centres at integers; phi is counter-clockwise as displayed. With
rotations the point of normal incidence is ``beam_center_px`` (pyFAI's PONI), and positions are turned as in
pyFAI: ``R = R3(rot3) R2(-rot2) R1(-rot1)`` (Kieffer et al., J. Synchrotron Rad. 2020, 27, 558).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.records import DetectorGeometry
from analysis.units import MM_PER_UM, q_per_nm_from_two_theta
from analysis.xray.efficiency import (
    HORIZONTAL_POLARIZATION,
    plate_transmission,
    polarization_factor,
    solid_angle,
)

Array = npt.NDArray[np.float64]

Box = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns, each (first, stop)."""

COARSE = 16


@dataclass(frozen=True, kw_only=True)
class PixelDirections:
    """For each pixel of a region (h, w): q in nm^-1, phi in radians (-pi, pi], relative efficiency.

    ``efficiency`` is polarization times absorption in the holder times solid angle, the last relative to a
    pixel at normal incidence; ``step_per_nm`` is q per pixel where the direct beam meets the detector.
    """

    q_per_nm: Array
    phi_rad: Array
    efficiency: Array
    step_per_nm: float


def pixel_directions(
    geometry: DetectorGeometry, *, origin: tuple[int, int] = (0, 0), shape: tuple[int, int] | None = None
) -> PixelDirections:
    """Directions of the pixels of a region that begins at ``origin`` (row, col) of the detector."""
    rows, cols = geometry.shape if shape is None else shape
    row, col = np.ogrid[origin[0] : origin[0] + rows, origin[1] : origin[1] + cols]
    across, up, along = _laboratory(geometry, row.astype(np.float64), col.astype(np.float64))
    radius = np.hypot(across, up)
    two_theta = np.arctan2(radius, along)
    phi = np.arctan2(up, across)
    phi[phi == -np.pi] = np.pi
    path = np.sqrt(radius**2 + along**2)
    horizontal = geometry.polarization
    efficiency = polarization_factor(
        two_theta, phi, horizontal=HORIZONTAL_POLARIZATION if horizontal is None else horizontal
    )
    if geometry.holder_transmission is not None:
        efficiency *= plate_transmission(along / path, transmission=geometry.holder_transmission)
    efficiency *= solid_angle(path, distance_mm=geometry.distance_mm)
    return PixelDirections(
        q_per_nm=q_per_nm_from_two_theta(two_theta, wavelength_nm=geometry.wavelength_nm),
        phi_rad=phi,
        efficiency=efficiency,
        step_per_nm=_step_per_nm(geometry),
    )


def _step_per_nm(geometry: DetectorGeometry) -> float:
    """q per pixel where the direct beam meets the detector: square root of a pixel's area there in q.

    ``2 pi / lambda sqrt(size_x size_y) cos(tilt)^1.5 / L``: on a tilted detector the beam's way to it is
    ``L / cos(tilt)``, and a pixel's area there looks smaller by ``cos(tilt)``.
    """
    pixel_mm = math.sqrt(geometry.pixel_size_um[0] * geometry.pixel_size_um[1]) * MM_PER_UM
    cosine = math.cos(geometry.rotations_rad[0]) * math.cos(geometry.rotations_rad[1])
    return 2.0 * math.pi / geometry.wavelength_nm * pixel_mm / geometry.distance_mm * math.pow(cosine, 1.5)


def _laboratory(geometry: DetectorGeometry, row: Array, col: Array) -> tuple[Array, Array, Array]:
    """Positions in mm: across (to the right), up, along the beam; each (rows, cols)."""
    size_x, size_y = (size * MM_PER_UM for size in geometry.pixel_size_um)
    down = (row - geometry.beam_center_px[1]) * size_y
    right = (col - geometry.beam_center_px[0]) * size_x
    distance = geometry.distance_mm
    if geometry.rotations_rad == (0.0, 0.0, 0.0):
        shape = np.broadcast_shapes(down.shape, right.shape)
        return np.broadcast_to(right, shape), np.broadcast_to(-down, shape), np.full(shape, distance)
    (s1, s2, s3), (c1, c2, c3) = (
        [function(angle) for angle in geometry.rotations_rad] for function in (math.sin, math.cos)
    )
    first = down * c2 * c3 + right * (c3 * s1 * s2 - c1 * s3) - distance * (c1 * c3 * s2 + s1 * s3)
    second = down * c2 * s3 + right * (c1 * c3 + s1 * s2 * s3) + distance * (c3 * s1 - c1 * s2 * s3)
    third = down * s2 - right * c2 * s1 + distance * c1 * c2
    return second, -first, third


def direct_beam_px(geometry: DetectorGeometry) -> tuple[float, float]:
    """Where the direct beam meets the detector, (column, row), pixel centres at integers.

    On a tilted detector that is not the point of normal incidence, ``beam_center_px``. The beam,
    ``(0, 0, t)`` in the laboratory, is ``t (sin rot2, -cos rot2 sin rot1, cos rot1 cos rot2)`` on the
    detector's axes (down, right, away): ``down = L tan(rot2) / cos(rot1)``, ``right = -L tan(rot1)``.
    """
    rot1, rot2, _ = geometry.rotations_rad
    size_x, size_y = (size * MM_PER_UM for size in geometry.pixel_size_um)
    right = -geometry.distance_mm * math.tan(rot1)
    down = geometry.distance_mm * math.tan(rot2) / math.cos(rot1)
    return geometry.beam_center_px[0] + right / size_x, geometry.beam_center_px[1] + down / size_y


def saxs_region(geometry: DetectorGeometry, q_max_per_nm: float) -> Box:
    """Rows and columns (first, stop) of the smallest rectangle that holds every pixel with q < q_max.

    The pixels form a filled ellipse or a part of one, so every ``COARSE``-th row and column finds it, and
    only its surroundings are looked at one by one.
    """
    rows, cols = geometry.shape
    whole = (0, rows), (0, cols)
    coarse = _box_below(geometry, q_max_per_nm, whole, COARSE)
    if coarse is None:
        return _box_below(geometry, q_max_per_nm, whole, 1) or ((0, 0), (0, 0))
    (top, bottom), (left, right) = coarse
    near = (
        (max(0, top - 2 * COARSE), min(rows, bottom + 2 * COARSE)),
        (max(0, left - 2 * COARSE), min(cols, right + 2 * COARSE)),
    )
    return _box_below(geometry, q_max_per_nm, near, 1) or ((0, 0), (0, 0))


def _box_below(geometry: DetectorGeometry, q_max_per_nm: float, within: Box, step: int) -> Box | None:
    """Rows and columns (first, stop) of the pixels below q_max among every ``step``-th; None without any."""
    row = np.arange(*within[0], step, dtype=np.float64)
    col = np.arange(*within[1], step, dtype=np.float64)
    across, up, along = _laboratory(geometry, row[:, None], col[None, :])
    two_theta = np.arctan2(np.hypot(across, up), along)
    inside = q_per_nm_from_two_theta(two_theta, wavelength_nm=geometry.wavelength_nm) < q_max_per_nm
    hit_rows, hit_cols = row[inside.any(axis=1)], col[inside.any(axis=0)]
    if hit_rows.size == 0:
        return None
    return (int(hit_rows[0]), int(hit_rows[-1]) + 1), (int(hit_cols[0]), int(hit_cols[-1]) + 1)


def flipped(geometry: DetectorGeometry, flip: str) -> DetectorGeometry:
    """The same detector after its frames were mirrored, left-right (``horizontal``) or up-down."""
    if flip == "none":
        return geometry
    rows, cols = geometry.shape
    col, row = geometry.beam_center_px
    rot1, rot2, rot3 = geometry.rotations_rad
    horizontal = flip == "horizontal"
    return replace(
        geometry,
        beam_center_px=(cols - 1 - col, row) if horizontal else (col, rows - 1 - row),
        rotations_rad=(-rot1, rot2, -rot3) if horizontal else (rot1, -rot2, -rot3),
        sources={
            **geometry.sources,
            "beam_center_px": f"{geometry.sources.get('beam_center_px', '')}, mirrored",
        },
        mirrored=flip,
    )
