"""Compiled recipe for one frame: from its counts to a row of numbers (peaks, covariance, goodness, status).

Everything that is the same for all frames comes in as a :class:`analysis.xray.pixel_table.PixelTable`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.records import XRAY_STATUS
from analysis.xray.fit_kernels import (
    CONVERGED,
    N_PARAMETERS,
    inverse_of,
    maximize,
)
from analysis.xray.gather_kernels import (
    ALL,
    FIRST_OF_SECOND,
    N_FAMILY,
    SATURATED_PIXELS,
    axial,
    gather,
)
from analysis.xray.lattice_kernels import choose_lattice, strongest_left
from analysis.xray.pixel_table import PixelTable
from analysis.xray.profile_kernels import FEW_PHOTONS, stretch_errors
from analysis.xray.search_kernels import (
    MARGIN,
    find_candidates,
    histogram,
    padded,
    ring_levels,
    significance,
)
from analysis.xray.verdict_kernels import (
    BASE_OF,
    COUNTED_OF,
    DEVIANCE_OF,
    EXPECTED_OF,
    PIXELS_OF,
    SEEN_OF,
    VARIANCE_OF,
    background_information,
    describe,
)

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]

ROW_LENGTH = 50
(
    STATUS,
    PARAMETERS,
    COVARIANCE,
    DEVIANCE,
    EXPECTED_DEVIANCE,
    PIXELS,
    SIGNAL,
    PHOTONS,
    SEEN_SHARE,
    DEVIANCE_SPREAD,
    INTENSITY,
    COUNTED,
    SATURATED,
    UNEXPLAINED,
    WIDTH_ERRORS,
    ROUNDS,
    FAMILY_PHOTONS,
) = (0, 1, 13, 29, 30, 31, 32, 34, 35, 37, 38, 39, 40, 41, 42, 46, 47)
"""Where in a row things stand: 12 parameters, 4 x 4 covariance of (q1, phi1, q2, phi2), one signal and one
share of photons seen per family, errors of ln s and ln p per family, photons of each family's two peaks."""

OK = XRAY_STATUS.index("ok")
NO_SIGNAL = XRAY_STATUS.index("no_signal")
MASKED_PEAK = XRAY_STATUS.index("masked_peak")
NO_CONVERGENCE = XRAY_STATUS.index("no_convergence")
AMBIGUOUS = XRAY_STATUS.index("ambiguous_lattice")
SATURATED_STATUS = XRAY_STATUS.index("saturated")

SEARCH_THRESHOLD = 4.5
SIGNAL_THRESHOLD = 4.5
"""Signed roots of deviance: one family by chance in 3e5 places, both at once never."""

LEAST_SHARE = 0.15
"""Of a family's photons at least this share must fall on pixels that count."""

AMBIGUOUS_LEAST, AMBIGUOUS_SHARE = 7.0, 0.33
MISFIT_LEAST, MISFIT_SHARE = 3.3, 0.05
"""Deviance above what Poisson counts give, in its spread and per photon: more than a peak's shape can add."""

SLACK_WIDTHS = 0.7
"""What stands so far from a spot of the lattice, in its own widths and a bin, is not explained by it."""

LEAST_WIDTH_PX, MOST_WIDTH, MOST_SPREAD_RAD = 0.45, 0.35, 0.6
"""Widths of peaks on the detector: at least so many pixels, at most this share of q, this angle."""

LEAST_SEPARATION_RAD = 0.3
REACH = 4.0
MAX_ROUNDS = 5


@njit(cache=True, nogil=True)
def search_frame(counts: Counts, table: PixelTable, rings: Array, candidates: Array, row: Array) -> int:
    """Histogram a frame (flat) and look for a lattice; gives the number of candidates, 0 without a lattice.

    Fills ``rings`` (n_q,) with the counts of each ring, ``candidates`` (MAX_CANDIDATES, 6) and, in ``row``,
    intensity, counts, saturated pixels and starting parameters.
    """
    n_q, n_phi = table.expected.shape
    seen = np.empty((n_q, n_phi))
    row[SATURATED] = histogram(counts, table.limit, table.bins, seen.ravel())
    level = np.empty(n_q)
    empty = ring_levels(seen, table.expected, table.weight, rings, level)
    row[COUNTED] = rings.sum()
    row[INTENSITY] = row[COUNTED] - empty
    boxes = np.empty((9, n_q, n_phi + 2 * MARGIN), dtype=np.float32)
    padded(seen, boxes[7])
    for i in range(n_q):
        for j in range(n_phi):
            seen[i, j] = table.expected[i, j] + level[i] * table.weight[i, j]
    padded(seen, boxes[8])
    hits = np.empty((n_q * n_phi, 3))
    window = (table.first, table.stop)
    found = find_candidates(boxes[7], boxes[8], window, SEARCH_THRESHOLD, boxes[:7], hits, candidates)
    chosen = np.empty(2, dtype=np.int64)
    _, row[UNEXPLAINED] = choose_lattice(candidates, found, table.phi_step, chosen)
    row[STATUS] = NO_SIGNAL
    if chosen[0] < 0:
        return 0
    for k in range(2):
        _start(candidates[chosen[k]], table, level, row[PARAMETERS + N_FAMILY * k :])
    return found


@njit(cache=True, nogil=True)
def _start(candidate: Array, table: PixelTable, level: Array, into: Array) -> None:
    """Starting parameters of one family from its candidate."""
    pixel = table.pixel
    q = candidate[0] * table.q_step
    s = max(math.sqrt(max(candidate[2] ** 2 - 0.083, 0.25)) * table.q_step, 0.7 * pixel)
    p = max(math.sqrt(max(candidate[3] ** 2 - 0.083, 0.25)) * table.phi_step, 0.7 * pixel / q)
    photons = max(candidate[4], 4.0)
    into[0], into[1] = q, candidate[1] * table.phi_step
    into[2], into[3] = math.log(s), math.log(p)
    into[4] = math.log(photons / (4.0 * math.pi * s * p * q / pixel**2))
    into[5] = level[min(int(candidate[0]), level.size - 1)]


@njit(cache=True, nogil=True)
def fit_frame(
    counts: Counts, table: PixelTable, candidates: Array, found: int, pixels: Array, row: Array
) -> None:
    """Fit a frame (flat) from the starting parameters in ``row``; fills the rest of ``row`` and its status.

    ``candidates`` (n, 6), ``found`` of them, are what the search saw. ``pixels`` (5, n) is room to work in.
    """
    parameters = row[PARAMETERS : PARAMETERS + N_PARAMETERS]
    score, fisher = np.empty(N_PARAMETERS), np.empty((N_PARAMETERS, N_PARAMETERS))
    free = np.ones(N_PARAMETERS, dtype=np.bool_)
    bounds = np.empty((2, N_PARAMETERS))
    lower, upper = bounds[0], bounds[1]
    before, numbers = np.empty(N_PARAMETERS), np.empty(4, dtype=np.int64)
    code, best = 1, 0.0
    for round_ in range(MAX_ROUNDS):
        before[:] = parameters
        others = _further_spots(parameters, REACH + 3.0)
        gather(counts, table, parameters, REACH, others, pixels, numbers)
        row[ROUNDS] = round_ + 1
        if min(numbers[FIRST_OF_SECOND], numbers[ALL] - numbers[FIRST_OF_SECOND]) < 10:
            row[STATUS] = MASKED_PEAK
            return
        _bounds(pixels, numbers, parameters, table.pixel, lower, upper)
        for a in range(N_PARAMETERS):
            parameters[a] = min(max(parameters[a], lower[a]), upper[a])
        code, _ = maximize(pixels, numbers, parameters, lower, upper, 3e-2, -1, free, score, fisher)
        if _settled(before, parameters):
            break
    if code == CONVERGED:
        code, best = maximize(pixels, numbers, parameters, lower, upper, 1e-6, -1, free, score, fisher)
    _conclude(pixels, numbers, parameters, table, free, fisher, row)
    if row[STATUS] == OK:
        row[UNEXPLAINED] = strongest_left(
            candidates, found, table.q_step, table.phi_step, parameters, SLACK_WIDTHS
        )
        row[STATUS] = _verdict(row, code == CONVERGED and _inside(free, parameters), numbers)
    if row[STATUS] == OK:
        _look_at_profiles(pixels, numbers, parameters, best, bounds, fisher, row)


@njit(cache=True, nogil=True)
def _verdict(row: Array, converged: bool, numbers: Numbers) -> int:
    """Status of a fit that found peaks: what stands against it, the gravest first."""
    if numbers[SATURATED_PIXELS] > 0:
        return SATURATED_STATUS
    weaker = min(row[SIGNAL], row[SIGNAL + 1])
    if row[UNEXPLAINED] > max(AMBIGUOUS_LEAST, AMBIGUOUS_SHARE * weaker):
        return AMBIGUOUS
    misfit = row[DEVIANCE] - row[EXPECTED_DEVIANCE]
    if misfit > max(MISFIT_LEAST * row[DEVIANCE_SPREAD], MISFIT_SHARE * row[PHOTONS]):
        return AMBIGUOUS
    return OK if converged else NO_CONVERGENCE


@njit(cache=True, nogil=True)
def _further_spots(parameters: Array, reach: float) -> Array:
    """q and phi of lattice points beside the first orders that come near one of the windows, (m, 2)."""
    q1, p1, q2, p2 = parameters[0], parameters[1], parameters[6], parameters[7]
    x1, y1, x2, y2 = q1 * math.cos(p1), q1 * math.sin(p1), q2 * math.cos(p2), q2 * math.sin(p2)
    spots = np.empty((8, 2))
    found = 0
    for h, k in ((1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2), (2, -1), (1, -2)):
        x, y = h * x1 + k * x2, h * y1 + k * y2
        q, phi = math.hypot(x, y), math.atan2(y, x)
        for j in range(2):
            u = (q - parameters[N_FAMILY * j]) / math.exp(parameters[N_FAMILY * j + 2])
            v = axial(phi - parameters[N_FAMILY * j + 1]) / math.exp(parameters[N_FAMILY * j + 3])
            if abs(u) < reach and abs(v) < reach:
                spots[found, 0], spots[found, 1] = q, phi
                found += 1
                break
    return spots[:found]


@njit(cache=True, nogil=True)
def _bounds(
    pixels: Array, numbers: Numbers, parameters: Array, pixel: float, lower: Array, upper: Array
) -> None:
    """Bounds of all parameters, around where they are: a peak is wider than a spike and narrower than a ring.

    Positions may move by three widths; with the lowest offset a tenth of the weakest background is left.
    """
    for k in range(2):
        at = N_FAMILY * k
        start = 0 if k == 0 else numbers[FIRST_OF_SECOND]
        weakest = math.inf
        for i in range(start, numbers[FIRST_OF_SECOND] if k == 0 else numbers[ALL]):
            weakest = min(weakest, pixels[3, i] / pixels[2, i])
        q = parameters[at]
        s, p = math.exp(parameters[at + 2]), math.exp(parameters[at + 3])
        lower[at], upper[at] = max(2.0 * pixel, q - 3.0 * s), q + 3.0 * s
        lower[at + 1], upper[at + 1] = parameters[at + 1] - 3.0 * p, parameters[at + 1] + 3.0 * p
        lower[at + 2], upper[at + 2] = math.log(LEAST_WIDTH_PX * pixel), math.log(MOST_WIDTH * q)
        lower[at + 3], upper[at + 3] = math.log(LEAST_WIDTH_PX * pixel / q), math.log(MOST_SPREAD_RAD)
        lower[at + 4], upper[at + 4] = -18.0, 18.0
        lower[at + 5], upper[at + 5] = 1e-6 - 0.9 * weakest, math.inf


@njit(cache=True, nogil=True)
def _inside(free: npt.NDArray[np.bool_], parameters: Array) -> bool:
    """Whether no width or position is held at its bound, and the two families lie apart."""
    for k in range(2):
        for a in range(5):
            if not free[N_FAMILY * k + a]:
                return False
    return abs(axial(parameters[1] - parameters[7])) > LEAST_SEPARATION_RAD


@njit(cache=True, nogil=True)
def _settled(before: Array, after: Array) -> bool:
    """Whether windows made for ``before`` still suit ``after``."""
    for k in range(2):
        at = N_FAMILY * k
        if abs(after[at] - before[at]) > 0.3 * math.exp(after[at + 2]):
            return False
        if abs(after[at + 1] - before[at + 1]) > 0.3 * math.exp(after[at + 3]):
            return False
        if abs(after[at + 2] - before[at + 2]) > 0.15 or abs(after[at + 3] - before[at + 3]) > 0.15:
            return False
    return True


@njit(cache=True, nogil=True)
def _conclude(
    pixels: Array,
    numbers: Numbers,
    parameters: Array,
    table: PixelTable,
    free: npt.NDArray[np.bool_],
    fisher: Array,
    row: Array,
) -> None:
    """Covariance, photons, significance and goodness of a fit into ``row``; status ok or what is lacking."""
    covariance = np.empty((N_PARAMETERS, N_PARAMETERS))
    if not inverse_of(fisher, free, covariance):
        row[STATUS] = NO_CONVERGENCE
        return
    if table.background_share > 0.0:
        spread = np.empty((N_PARAMETERS, N_PARAMETERS))
        background_information(pixels, numbers, parameters, table.background_share, spread)
        covariance += covariance @ spread @ covariance
    index = (0, 1, N_FAMILY, N_FAMILY + 1)
    for a in range(4):
        row[WIDTH_ERRORS + a] = math.sqrt(covariance[(2, 3, 8, 9)[a], (2, 3, 8, 9)[a]])
        for b in range(4):
            row[COVARIANCE + 4 * a + b] = covariance[index[a], index[b]]
    summary = np.empty((2, 7))
    describe(pixels, numbers, parameters, table.deviance, summary)
    _weigh(summary, parameters, table.pixel, row)


@njit(cache=True, nogil=True)
def _look_at_profiles(
    pixels: Array, numbers: Numbers, parameters: Array, best: float, bounds: Array, fisher: Array, row: Array
) -> None:
    """Where a family has few photons a peak, its place's errors come from the profile likelihood."""
    weak0, weak1 = row[FAMILY_PHOTONS] < 2.0 * FEW_PHOTONS, row[FAMILY_PHOTONS + 1] < 2.0 * FEW_PHOTONS
    if not (weak0 or weak1):
        return
    inverse, curvature = np.empty((N_PARAMETERS, N_PARAMETERS)), np.empty(4)
    if not inverse_of(fisher, np.ones(N_PARAMETERS, dtype=np.bool_), inverse):
        return
    for place in range(4):
        at = N_FAMILY * (place // 2) + place % 2
        curvature[place] = math.sqrt(inverse[at, at])
    covariance = row[COVARIANCE : COVARIANCE + 16].reshape(4, 4)
    stretch_errors(pixels, numbers, parameters, best, bounds, (weak0, weak1), curvature, covariance)


@njit(cache=True, nogil=True)
def _weigh(summary: Array, parameters: Array, pixel: float, row: Array) -> None:
    """Photons, significance and goodness into ``row``, and whether both peaks are there to be seen."""
    row[DEVIANCE] = summary[0, DEVIANCE_OF] + summary[1, DEVIANCE_OF]
    row[PIXELS] = summary[0, PIXELS_OF] + summary[1, PIXELS_OF]
    taken_up = 1.0 - N_PARAMETERS / max(row[PIXELS], N_PARAMETERS + 1.0)
    row[EXPECTED_DEVIANCE] = taken_up * (summary[0, EXPECTED_OF] + summary[1, EXPECTED_OF])
    row[DEVIANCE_SPREAD] = math.sqrt(summary[0, VARIANCE_OF] + summary[1, VARIANCE_OF])
    row[PHOTONS] = 0.0
    for k in range(2):
        at = N_FAMILY * k
        total = math.exp(parameters[at + 4] + parameters[at + 2] + parameters[at + 3])
        total *= 4.0 * math.pi * parameters[at] / pixel**2
        row[PHOTONS] += total
        row[FAMILY_PHOTONS + k] = total
        row[SEEN_SHARE + k] = summary[k, SEEN_OF] / total
        row[SIGNAL + k] = significance(summary[k, COUNTED_OF], summary[k, BASE_OF])
    row[STATUS] = OK
    if min(row[SIGNAL], row[SIGNAL + 1]) < SIGNAL_THRESHOLD:
        row[STATUS] = NO_SIGNAL
    elif min(row[SEEN_SHARE], row[SEEN_SHARE + 1]) < LEAST_SHARE:
        row[STATUS] = MASKED_PEAK
