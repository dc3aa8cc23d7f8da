"""Compiled loops that say what a fit is worth: covariance, photons, goodness, significance, doubts."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.xray.fit_kernels import N_PARAMETERS, shapes, slopes
from analysis.xray.gather_kernels import ALL, COUPLED, FIRST_OF_SECOND, axial

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

DEVIANCE_OF, PIXELS_OF, COUNTED_OF, BASE_OF, SEEN_OF, EXPECTED_OF, VARIANCE_OF = range(7)
"""Columns of a summary: deviance, pixels, counts within 2 widths, what is expected there without the peak,
photons of the peak on the window's pixels, mean and variance of the deviance for Poisson counts."""


@njit(cache=True, nogil=True)
def background_information(
    pixels: Array, numbers: Numbers, parameters: Array, variance_share: float, into: Array
) -> None:
    """Spread of the score that the background's own counting noise makes: ``sum J J^T var(B) / mu^2``.

    ``var(B) = variance_share B``: B is the scaled mean of the background frames.
    """
    into[:] = 0.0
    slope = np.empty(N_PARAMETERS)
    shape = shapes(parameters)
    for i in range(numbers[ALL]):
        if pixels[3, i] <= 0.0:
            continue
        model = slopes(pixels, i, 0 if i < numbers[FIRST_OF_SECOND] else 1, shape, slope)
        factor = pixels[3, i] * variance_share / model**2
        for a in range(N_PARAMETERS):
            weighted = slope[a] * factor
            if weighted == 0.0:
                continue
            for b in range(a + 1):
                into[a, b] += weighted * slope[b]
    for a in range(N_PARAMETERS):
        for b in range(a):
            into[b, a] = into[a, b]


@njit(cache=True, nogil=True)
def describe(pixels: Array, numbers: Numbers, parameters: Array, deviances: Array, summary: Array) -> None:
    """Fill ``summary`` (2, 7), one row a family. ``deviances`` (2, n): mean and variance of one pixel's
    deviance at ``ln mu = -9, -8.9, ...``."""
    summary[:] = 0.0
    shape = shapes(parameters)
    for i in range(numbers[ALL]):
        own = 0 if i < numbers[FIRST_OF_SECOND] else 1
        base = pixels[2, i] * shape[own, 5] + pixels[3, i]
        u, v = (pixels[0, i] - shape[own, 0]) * shape[own, 2], (pixels[1, i] - shape[own, 1]) * shape[own, 3]
        distance = u * u + v * v
        peak = pixels[2, i] * shape[own, 4] * math.exp(-0.5 * distance)
        if numbers[COUPLED]:
            u = (pixels[0, i] - shape[1 - own, 0]) * shape[1 - own, 2]
            v = axial(pixels[1, i] - shape[1 - own, 1]) * shape[1 - own, 3]
            base += pixels[2, i] * shape[1 - own, 4] * math.exp(-0.5 * (u * u + v * v))
        model, n = base + peak, pixels[4, i]
        log_model = math.log(model)
        row = summary[own]
        row[DEVIANCE_OF] += 2.0 * (model - n)
        if n > 0.0:
            row[DEVIANCE_OF] += 2.0 * n * (math.log(n) - log_model)
        row[PIXELS_OF] += 1.0
        if distance < 4.0:
            row[COUNTED_OF] += n
            row[BASE_OF] += base
        row[SEEN_OF] += peak
        place = min(max(10.0 * (log_model + 9.0), 0.0), deviances.shape[1] - 1.001)
        low = int(place)
        part = place - low
        row[EXPECTED_OF] += deviances[0, low] + part * (deviances[0, low + 1] - deviances[0, low])
        row[VARIANCE_OF] += deviances[1, low] + part * (deviances[1, low + 1] - deviances[1, low])
