"""The detector: an EIGER X 4M, or the part of it around the beam that small-angle scattering reaches.

Arrays are (row, col), pixel centres at integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analysis.units import MM_PER_UM, q_per_nm_from_two_theta, two_theta_rad_from_q, wavelength_nm_from_energy

Array = npt.NDArray[np.float64]

FULL_SHAPE = (2167, 2070)
GAP_ROWS = ((514, 551), (1065, 1102), (1616, 1653))
GAP_COLUMNS = ((1030, 1040),)
BEAM_CENTER_PX = (1034.5, 1883.0)
SAXS_REGION = (1720, 871, 326, 326)
"""First row, first column, rows, columns of the part around the beam."""

ENERGY_KEV = 13.0
DISTANCE_MM = 398.0
PIXEL_SIZE_UM = 75.0
HORIZONTAL_POLARIZATION = 0.99

MASKED_COUNT = 2**32 - 1
GAP_BIT, DEAD_BIT, NOISY_BIT = 1, 2, 16
"""Bits of DECTRIS's pixel_mask: gap between modules, no response, noisy."""

SINGLE_MASKED_PIXELS = 972
HOT_PIXELS = 230
DETECTOR_SEED = 4_000_075


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Pixels that are read out: ``pixel_mask`` (rows, cols) uint32, 0 = good.

    ``hot_counts`` are expected counts without light; ``beam_center_px`` is (column, row) on these pixels.
    """

    beam_center_px: tuple[float, float]
    pixel_mask: npt.NDArray[np.uint32]
    hot_counts: Array
    wavelength_nm: float = wavelength_nm_from_energy(ENERGY_KEV)
    distance_px: float = DISTANCE_MM / (PIXEL_SIZE_UM * MM_PER_UM)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        rows, cols = self.pixel_mask.shape
        return rows, cols

    @cached_property
    def masked(self) -> npt.NDArray[np.bool_]:
        """Pixels that the firmware overwrites with 2^32 - 1."""
        return np.asarray(self.pixel_mask != 0)

    @cached_property
    def polar_grid(self) -> tuple[Array, Array]:
        """Momentum transfer in nm^-1 and azimuth in radians (counter-clockwise) of every pixel centre."""
        row, col = np.indices(self.shape, dtype=np.float64)
        up, right = self.beam_center_px[1] - row, col - self.beam_center_px[0]
        two_theta = np.arctan2(np.hypot(up, right), self.distance_px)
        return q_per_nm_from_two_theta(two_theta, wavelength_nm=self.wavelength_nm), np.arctan2(up, right)

    @cached_property
    def efficiency(self) -> Array:
        """Solid angle of a pixel relative to one on the beam, times polarization: ``cos^3 2theta * P``."""
        q, phi = self.polar_grid
        two_theta = two_theta_rad_from_q(q, wavelength_nm=self.wavelength_nm)
        along = (np.sin(two_theta) * np.cos(phi)) ** 2
        across = (np.sin(two_theta) * np.sin(phi)) ** 2
        share = HORIZONTAL_POLARIZATION
        polarization = share * (1.0 - along) + (1.0 - share) * (1.0 - across)
        return np.asarray(np.cos(two_theta) ** 3 * polarization)


def small_angle_part() -> tuple[slice, slice]:
    """Rows and columns of the whole detector that hold the part around the beam."""
    row, col, rows, cols = SAXS_REGION
    return slice(row, row + rows), slice(col, col + cols)


def eiger_4m(*, whole: bool) -> Detector:
    """The detector of every sample, whole or its small-angle part; always the same faulty pixels."""
    mask, hot = _faults()
    if whole:
        return Detector(beam_center_px=BEAM_CENTER_PX, pixel_mask=mask, hot_counts=hot)
    part = small_angle_part()
    centre = (BEAM_CENTER_PX[0] - part[1].start, BEAM_CENTER_PX[1] - part[0].start)
    return Detector(beam_center_px=centre, pixel_mask=mask[part].copy(), hot_counts=hot[part].copy())


def _faults() -> tuple[npt.NDArray[np.uint32], Array]:
    """Pixel mask and expected dark counts per frame of the whole detector."""
    rng = np.random.default_rng(DETECTOR_SEED)
    mask = np.zeros(FULL_SHAPE, dtype=np.uint32)
    singles = rng.choice(mask.size, size=SINGLE_MASKED_PIXELS, replace=False)
    mask.flat[singles] = np.where(rng.random(singles.size) < 0.5, DEAD_BIT, NOISY_BIT)
    for first, end in GAP_ROWS:
        mask[first:end] = GAP_BIT
    for first, end in GAP_COLUMNS:
        mask[:, first:end] = GAP_BIT
    hot = np.zeros(FULL_SHAPE)
    places = rng.choice(mask.size, size=HOT_PIXELS, replace=False)
    hot.flat[places] = np.minimum(rng.lognormal(np.log(40.0), 1.0, size=places.size), 5000.0)
    return mask, hot
