"""What the detector counts without a crystal: Kapton, air, parasitic scattering, the beamstop's shadow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.simulate.detector import Detector

Array = npt.NDArray[np.float64]

BEAMSTOP_RADIUS_PX = 13.0
BEAMSTOP_EDGE_PX = 0.6
BEAMSTOP_TRANSMISSION = 0.004
PARASITIC_COUNTS = 1.2
PARASITIC_Q_PER_NM = 0.2
PARASITIC_POWER = 4.0
FLAT_COUNTS = 0.004
DIRECT_BEAM_COUNTS = 400.0


def background_counts(detector: Detector) -> Array:
    """Expected counts per frame without a crystal, (rows, cols), hot pixels included."""
    q, phi = detector.polar_grid
    scattered = (_parasitic(q, phi) + _kapton(q)) * detector.efficiency
    return np.asarray(scattered * shadow(detector) + _direct_beam(detector) + detector.hot_counts)


def shadow(detector: Detector) -> Array:
    """Transmission of the round beamstop, soft-edged and slightly transparent, (rows, cols)."""
    row, col = np.indices(detector.shape, dtype=np.float64)
    radius = np.hypot(col - detector.beam_center_px[0], row - detector.beam_center_px[1])
    seen = 1.0 / (1.0 + np.exp(np.clip((BEAMSTOP_RADIUS_PX - radius) / BEAMSTOP_EDGE_PX, -60.0, 60.0)))
    return np.asarray(BEAMSTOP_TRANSMISSION + (1.0 - BEAMSTOP_TRANSMISSION) * seen)


def _parasitic(q: Array, phi: Array) -> Array:
    """Scattering of apertures: a power law, with flares along the edges of the slits."""
    near = np.maximum(q, 0.02)
    flare = 1.0 + 0.6 * (np.exp(-0.5 * (np.sin(phi) / 0.12) ** 2) + np.exp(-0.5 * (np.cos(phi) / 0.12) ** 2))
    return np.asarray(PARASITIC_COUNTS * (near / PARASITIC_Q_PER_NM) ** -PARASITIC_POWER * flare)


def _kapton(q: Array) -> Array:
    """Kapton and air: nearly flat at small angles, a narrow halo at 4 nm^-1 and a broad one at 12 nm^-1."""
    narrow = 0.03 * np.exp(-0.5 * ((q - 4.0) / 0.35) ** 2)
    broad = 0.06 * np.exp(-0.5 * ((q - 12.0) / 3.0) ** 2)
    return np.asarray(FLAT_COUNTS + narrow + broad)


def _direct_beam(detector: Detector) -> Array:
    """What of the direct beam comes through the beamstop: a spot of 1.5 px."""
    row, col = np.indices(detector.shape, dtype=np.float64)
    radius = np.hypot(col - detector.beam_center_px[0], row - detector.beam_center_px[1])
    return np.asarray(DIRECT_BEAM_COUNTS * np.exp(-0.5 * (radius / 1.5) ** 2))
