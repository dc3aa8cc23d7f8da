"""Compiled loops that take the error of a weak peak's place from the likelihood itself.

With few photons the likelihood is no parabola and its curvature says too little: the error is then half the
interval in which the profile of the log-likelihood, all else fitted anew, stays within 1/2 of its maximum
(Wilks; Cowan, Statistical Data Analysis, 1998, sec. 9.6).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.xray.fit_kernels import CONVERGED, N_PARAMETERS, maximize
from analysis.xray.gather_kernels import N_FAMILY

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

FEW_PHOTONS = 100.0
"""Photons a peak below which errors come from the profile."""

ROUNDS = 3
LEAST_RATIO, MOST_RATIO = 0.7, 2.0
"""What the profile may make of a curvature's error: beyond, the peak is not one that was found."""


@njit(cache=True, nogil=True)
def stretch_errors(
    pixels: Array,
    numbers: Numbers,
    parameters: Array,
    best: float,
    bounds: Array,
    weak: tuple[bool, bool],
    curvature_errors: Array,
    covariance: Array,
) -> None:
    """Scale ``covariance`` (4, 4) of (q1, phi1, q2, phi2) to the errors of weak families' profiles.

    ``best`` is the log-likelihood at ``parameters`` (12,), ``bounds`` (2, 12) the lowest and highest of each;
    ``curvature_errors`` (4,) are what the Fisher matrix alone gives.
    """
    for place in range(4):
        k, number = place // 2, place % 2
        if not weak[k]:
            continue
        error = curvature_errors[place]
        held = N_FAMILY * k + number
        width = 0.5 * (
            _half_width(pixels, numbers, parameters, best, bounds, held, error)
            + _half_width(pixels, numbers, parameters, best, bounds, held, -error)
        )
        ratio = min(max(width / error, LEAST_RATIO), MOST_RATIO)
        for other in range(4):
            covariance[place, other] *= ratio
            covariance[other, place] *= ratio


@njit(cache=True, nogil=True)
def _half_width(
    pixels: Array,
    numbers: Numbers,
    parameters: Array,
    best: float,
    bounds: Array,
    held: int,
    step: float,
) -> float:
    """How far parameter ``held`` goes to the side of ``step`` until the profile has lost 1/2.

    The loss is taken to grow with the square of the way, from the last place looked at.
    """
    score, fisher = np.empty(N_PARAMETERS), np.empty((N_PARAMETERS, N_PARAMETERS))
    free, moved = np.ones(N_PARAMETERS, dtype=np.bool_), parameters.copy()
    way = step
    for _ in range(ROUNDS):
        moved[:] = parameters
        moved[held] += way
        code, reached = maximize(
            pixels, numbers, moved, bounds[0], bounds[1], 1e-3, held, free, score, fisher
        )
        loss = best - reached
        if code != CONVERGED or not loss > 0.02:
            return abs(step)
        way *= min(max(math.sqrt(0.5 / loss), 0.5), 2.0)
    return abs(way)
