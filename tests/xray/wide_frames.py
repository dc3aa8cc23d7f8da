"""Wide-angle counts made apart from the analysis: a small detector far off the beam, spots on its pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.records import DetectorGeometry

Array = npt.NDArray[np.float64]

WAVELENGTH_NM, DISTANCE_MM, PIXEL_MM = 0.0953724603, 398.0, 0.2
SHAPE = (300, 300)
BEAM_COL, BEAM_ROW = -150.0, 150.0

GEOMETRY = DetectorGeometry(
    wavelength_nm=WAVELENGTH_NM,
    distance_mm=DISTANCE_MM,
    pixel_size_um=(200.0, 200.0),
    beam_center_px=(BEAM_COL, BEAM_ROW),
    shape=SHAPE,
)


def q_and_phi(fine: int = 1) -> tuple[Array, Array, Array]:
    """q, phi and cos 2theta of pixels, or of ``fine`` x fine points in each: (rows * fine, cols * fine)."""
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    col = (np.arange(SHAPE[1])[:, None] + offsets).ravel()[None, :] - BEAM_COL
    up = BEAM_ROW - (np.arange(SHAPE[0])[:, None] + offsets).ravel()[:, None]
    two_theta = np.arctan(np.hypot(col, up) * PIXEL_MM / DISTANCE_MM)
    q = 4.0 * np.pi / WAVELENGTH_NM * np.sin(0.5 * two_theta)
    return q, np.arctan2(up, col), np.cos(two_theta)


def efficiency() -> Array:
    """cos^3 2theta times polarization, 99 % horizontal, (rows, cols)."""
    _, phi, cosine = q_and_phi()
    sine = np.sqrt(1.0 - cosine**2)
    return cosine**3 * (0.99 * (1.0 - (sine * np.cos(phi)) ** 2) + 0.01 * (1.0 - (sine * np.sin(phi)) ** 2))


def expected_counts(
    *,
    photons: float,
    q0: float = 10.76,
    phi0_deg: float = 0.0,
    sigma_q: float = 0.3,
    sigma_phi_deg: float = 4.0,
    level: float = 0.05,
    slope: float = 0.0,
) -> Array:
    """Mean counts (rows, cols): a Gaussian in (q, phi), times efficiency, integrated over the pixels."""
    fine = 3
    q, phi, _ = q_and_phi(fine)
    shape = np.exp(
        -0.5 * ((q - q0) / sigma_q) ** 2
        - 0.5 * ((phi - np.radians(phi0_deg)) / np.radians(sigma_phi_deg)) ** 2
    )
    shape = shape.reshape(SHAPE[0], fine, SHAPE[1], fine).mean(axis=(1, 3))
    centre_q, _, _ = q_and_phi()
    step = 2.0 * np.pi / WAVELENGTH_NM * PIXEL_MM / DISTANCE_MM
    height = photons * step**2 / (2.0 * np.pi * sigma_q * np.radians(sigma_phi_deg) * q0)
    return efficiency() * (height * shape + level + slope * (centre_q - q0))
