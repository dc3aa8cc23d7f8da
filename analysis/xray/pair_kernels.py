"""Compiled loops that ask the pixels near the peaks of one frame where the beam's centre is.

The mean count of a pixel is ``mu = e (A_1 G_1 + A_2 G_2 + c_f) + B`` with Gaussians G in (q, phi mod 180), as
in the peak fit. Moving the beam moves q and phi of every pixel, +b and -b apart; the derivative of mu by the
beam's place is ``-dmu/dq_peak . dq_pixel - dmu/dphi_peak . dphi_pixel``, summed over the two families.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]

N_FAMILY, N_PEAKS = 6, 12
N_ALL = N_PEAKS + 2
"""Parameters of the peaks (q, phi, ln s, ln p, ln A, c of two families), then the beam's column and row."""

LEAST_MEAN = 1e-9


@njit(cache=True, nogil=True)
def axial(angle: float) -> float:
    """An angle in rad wrapped into (-pi/2, pi/2]: difference of two axes."""
    return angle - math.pi * math.ceil(angle / math.pi - 0.5)


@njit(cache=True, nogil=True)
def near_peaks(q: Array, phi: Array, places: Index, parameters: Array, reach: float, found: Index) -> int:
    """Flat indices, of ``places``, of pixels within ``reach`` widths of a peak into ``found``; how many."""
    number = 0
    narrow = np.exp(-parameters)
    for place in places:
        for k in range(2):
            at = N_FAMILY * k
            u = (q[place] - parameters[at]) * narrow[at + 2]
            if abs(u) > reach:
                continue
            v = axial(phi[place] - parameters[at + 1]) * narrow[at + 3]
            if u * u + v * v <= reach * reach:
                found[number] = place
                number += 1
                break
    return number


@njit(cache=True, nogil=True)
def information(
    q: Array,
    phi: Array,
    slopes: Array,
    efficiency: Array,
    background: Array,
    places: Index,
    counts: Array,
    parameters: Array,
    score: Array,
    fisher: Array,
) -> None:
    """Score (14,) and Fisher information (14, 14) of one frame's ``counts`` (n,) on pixels ``places`` (n,).

    ``slopes`` (4, pixels): derivatives of q by the beam's column and row, and of phi likewise.
    """
    score[:] = 0.0
    fisher[:] = 0.0
    slope, distance = np.empty(N_ALL), np.empty(2)
    narrow = np.exp(-parameters)
    for i in range(places.size):
        place = places[i]
        slope[:] = 0.0
        mean = background[place]
        for k in range(2):
            at = N_FAMILY * k
            u = (q[place] - parameters[at]) * narrow[at + 2]
            v = axial(phi[place] - parameters[at + 1]) * narrow[at + 3]
            distance[k] = u * u + v * v
            peak = efficiency[place] * math.exp(parameters[at + 4] - 0.5 * distance[k])
            mean += peak
            slope[at], slope[at + 1] = peak * u * narrow[at + 2], peak * v * narrow[at + 3]
            slope[at + 2], slope[at + 3], slope[at + 4] = peak * u * u, peak * v * v, peak
            for d in range(2):
                slope[N_PEAKS + d] -= slope[at] * slopes[d, place] + slope[at + 1] * slopes[2 + d, place]
        own = N_FAMILY * (1 if distance[1] < distance[0] else 0) + 5
        mean += efficiency[place] * parameters[own]
        slope[own] = efficiency[place]
        mean = max(mean, LEAST_MEAN)
        surplus = counts[i] / mean - 1.0
        for a in range(N_ALL):
            if slope[a] == 0.0:
                continue
            score[a] += surplus * slope[a]
            for b in range(a + 1):
                fisher[a, b] += slope[a] * slope[b] / mean
    for a in range(N_ALL):
        for b in range(a):
            fisher[b, a] = fisher[a, b]
