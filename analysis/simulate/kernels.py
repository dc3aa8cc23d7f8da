"""Compiled loops: Poisson counts of a smooth expectation, and peaks photon by photon.

Both draw exactly from independent Poisson distributions of every pixel: the first pixel by pixel, the second
by placing each photon of a Poisson number of them.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

REACH_SIGMA = 5.0
"""Peaks are cut here, where they have fallen to 4e-6 of their height."""


@njit(cache=True, nogil=True)
def poisson_counts(
    rng: np.random.Generator, expected: Array, masked: npt.NDArray[np.bool_], masked_count: int
) -> Counts:
    """Independent Poisson counts with these expectations (rows, cols); ``masked_count`` where masked.

    Arrivals of a Poisson process of unit rate are laid along the running sum of the expectations.
    """
    rows, cols = expected.shape
    counts = np.empty((rows, cols), dtype=np.uint32)
    until_next = rng.standard_exponential()
    for row in range(rows):
        for col in range(cols):
            if masked[row, col]:
                counts[row, col] = masked_count
                continue
            until_next -= expected[row, col]
            arrived = 0
            while until_next < 0.0:
                arrived += 1
                until_next += rng.standard_exponential()
            counts[row, col] = arrived
    return counts


@njit(cache=True, nogil=True)
def scatter_photons(
    rng: np.random.Generator,
    counts: Counts,
    masked: npt.NDArray[np.bool_],
    efficiency: Array,
    beam_col: float,
    beam_row: float,
    distance_px: float,
    wavelength_nm: float,
    peaks: Array,
) -> None:
    """Add the photons of peaks to ``counts`` (rows, cols) in place, where not masked.

    ``peaks`` (n, 5) holds q in nm^-1, phi in rad, sigma_q, sigma_phi, expected photons. The expected counts
    per pixel are a Gaussian in (q, phi) times ``efficiency`` (at most 1): photons are drawn in (q, phi), kept
    in proportion to the pixels that a cell of (q, phi) covers, and kept with the probability ``efficiency``.
    """
    rows, cols = counts.shape
    kappa = 4.0 * math.pi / wavelength_nm
    for k in range(peaks.shape[0]):
        q0, phi0, sigma_q, sigma_phi, photons = peaks[k]
        bound = _cell(q0 + REACH_SIGMA * sigma_q, kappa) / _cell(q0, kappa)
        for _ in range(rng.poisson(photons * bound)):
            q = q0 + sigma_q * rng.standard_normal()
            phi = phi0 + sigma_phi * rng.standard_normal()
            keep = rng.random()
            if q <= 0.0 or abs(q - q0) > REACH_SIGMA * sigma_q:
                continue
            sine = q / kappa
            cosine = 1.0 - 2.0 * sine * sine
            radius = distance_px * math.sqrt(1.0 - cosine * cosine) / cosine
            row = math.floor(beam_row - radius * math.sin(phi) + 0.5)
            col = math.floor(beam_col + radius * math.cos(phi) + 0.5)
            if row < 0 or row >= rows or col < 0 or col >= cols or masked[row, col]:
                continue
            if keep * bound * _cell(q0, kappa) < efficiency[row, col] * _cell(q, kappa):
                counts[row, col] += 1


@njit(cache=True, nogil=True)
def _cell(q: float, kappa: float) -> float:
    """Pixels in a cell of (q, phi) up to a constant: ``r dr/dq ~ q / cos^3(2 theta)``."""
    sine = q / kappa
    cosine = 1.0 - 2.0 * sine * sine
    return q / cosine**3
