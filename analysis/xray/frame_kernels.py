"""Compiled recipe for one frame: from its counts to a row of numbers (peaks, covariance, goodness, status).

Everything that is the same for all frames comes in as arrays of :class:`analysis.xray.setup.ScanSetup`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.records import XRAY_STATUS
from analysis.xray.fit_kernels import (
    CONVERGED,
    N_FAMILY,
    N_PARAMETERS,
    axial,
    background_information,
    describe,
    gather,
    maximize,
    solve,
)
from analysis.xray.search_kernels import (
    MAX_CANDIDATES,
    choose_lattice,
    find_candidates,
    histogram,
    ring_levels,
    significance,
)

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int32]

ROW_LENGTH = 48
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
    LIKELIHOOD_GAIN,
    INTENSITY,
    COUNTED,
    SATURATED,
    UNEXPLAINED,
    WIDTH_ERRORS,
    ROUNDS,
) = (0, 1, 13, 29, 30, 31, 32, 34, 35, 37, 38, 39, 40, 41, 42, 46)
"""Where in a row things stand: 12 parameters, 4 x 4 covariance of (q1, phi1, q2, phi2), one signal and one
share of photons seen per family, errors of ln s and ln p per family."""

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

AMBIGUOUS_LEAST, AMBIGUOUS_SHARE = 7.0, 0.5
LEAST_WIDTH_PX, MOST_WIDTH, MOST_SPREAD_RAD = 0.45, 0.35, 0.6
"""Widths of peaks on the detector: at least so many pixels, at most this share of q, this angle."""

LEAST_SEPARATION_RAD = 0.3
FIRST_REACH, REACH = 3.0, 4.0
MAX_ROUNDS = 4


@njit(cache=True, nogil=True)
def search_frame(
    counts: Counts,
    limit: int,
    places: Index,
    bins: Index,
    expected: Array,
    weight: Array,
    window: tuple[int, int],
    steps: tuple[float, float, float],
    rings: Array,
    row: Array,
) -> bool:
    """Histogram a frame and look for a lattice; gives whether one was found.

    ``expected``, ``weight`` (n_q, n_phi) are the scaled background and the summed efficiency of each polar
    bin. ``steps`` is (nm^-1 per q bin, rad per phi bin, nm^-1 per pixel). Fills ``rings`` (n_q,) with the
    counts of each ring and, in ``row``, intensity, counts, saturated pixels and starting parameters.
    """
    n_q, n_phi = expected.shape
    seen = np.empty((n_q, n_phi))
    row[SATURATED] = histogram(counts, limit, places, bins, seen.ravel())
    row[INTENSITY], row[COUNTED] = 0.0, 0.0
    for i in range(n_q):
        rings[i] = 0.0
        for j in range(n_phi):
            rings[i] += seen[i, j]
            row[INTENSITY] += seen[i, j] - expected[i, j]
        row[COUNTED] += rings[i]
    level = np.empty(n_q)
    ring_levels(seen, expected, weight, level)
    full = expected + level.reshape(n_q, 1) * weight
    tables = np.empty((2, n_q + 1, n_phi + 9))
    candidates = np.zeros((MAX_CANDIDATES, 6))
    best = np.empty((n_q, n_phi))
    found = find_candidates(seen, full, window, SEARCH_THRESHOLD, tables, best, candidates)
    chosen = np.empty(2, dtype=np.int64)
    tolerance = np.array((2.0, 2.5))
    _, row[UNEXPLAINED] = choose_lattice(candidates, found, steps[1], chosen, tolerance)
    row[STATUS] = NO_SIGNAL
    if chosen[0] < 0:
        return False
    for k in range(2):
        _start(candidates[chosen[k]], steps, level, row[PARAMETERS + N_FAMILY * k :])
    return True


@njit(cache=True, nogil=True)
def _start(candidate: Array, steps: tuple[float, float, float], level: Array, into: Array) -> None:
    """Starting parameters of one family from its candidate."""
    q_step, phi_step, pixel = steps
    q = candidate[0] * q_step
    s = max(math.sqrt(max(candidate[2] ** 2 - 0.083, 0.25)) * q_step, 0.7 * pixel)
    p = max(math.sqrt(max(candidate[3] ** 2 - 0.083, 0.25)) * phi_step, 0.7 * pixel / q)
    photons = max(candidate[4], 4.0)
    into[0], into[1] = q, candidate[1] * phi_step
    into[2], into[3] = math.log(s), math.log(p)
    into[4] = math.log(photons / (4.0 * math.pi * s * p * q / pixel**2))
    into[5] = level[min(int(candidate[0]), level.size - 1)]


@njit(cache=True, nogil=True)
def fit_frame(
    counts: Counts,
    limit: int,
    usable: npt.NDArray[np.bool_],
    q: Array,
    phi: Array,
    efficiency: Array,
    background: Array,
    background_share: float,
    place: tuple[float, float, float],
    deviance_table: Array,
    pixels: Array,
    family: npt.NDArray[np.int64],
    row: Array,
) -> None:
    """Fit a frame from the starting parameters in ``row``; fills the rest of ``row`` and its status.

    ``background_share`` is beta over the number of background frames: variance over value of the scaled
    background. ``pixels`` (n, 5) and ``family`` (n,) are room to work in.
    """
    parameters = row[PARAMETERS : PARAMETERS + N_PARAMETERS]
    score, fisher = np.empty(N_PARAMETERS), np.empty((N_PARAMETERS, N_PARAMETERS))
    free = np.ones(N_PARAMETERS, dtype=np.bool_)
    lower, upper = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS)
    before = np.empty(N_PARAMETERS)
    code, count, saturated = 1, 0, 0
    for round_ in range(MAX_ROUNDS):
        before[:] = parameters
        last = round_ > 0
        count, saturated = gather(
            counts,
            limit,
            usable,
            q,
            phi,
            efficiency,
            background,
            place,
            parameters,
            REACH if last else FIRST_REACH,
            _further_spots(parameters, REACH + 3.0),
            pixels,
            family,
        )
        row[ROUNDS] = round_ + 1
        if not _enough(family, count):
            row[STATUS] = MASKED_PEAK
            return
        _bounds(pixels, family, count, parameters, place[2], lower, upper)
        for a in range(N_PARAMETERS):
            parameters[a] = min(max(parameters[a], lower[a]), upper[a])
        tolerance = 1e-7 if last else 1e-2
        code = maximize(pixels, family, count, parameters, lower, upper, tolerance, free, score, fisher)
        if last and _settled(before, parameters):
            break
    _conclude(
        pixels, family, count, parameters, background_share, place[2], deviance_table, free, fisher, row
    )
    if row[STATUS] == OK:
        row[STATUS] = _verdict(row, code == CONVERGED and _inside(free, parameters), saturated)


@njit(cache=True, nogil=True)
def _verdict(row: Array, converged: bool, saturated: int) -> int:
    """Status of a fit that found peaks: what stands against it, the gravest first."""
    if not converged:
        return NO_CONVERGENCE
    if saturated > 0:
        return SATURATED_STATUS
    weaker = min(row[SIGNAL], row[SIGNAL + 1])
    if row[UNEXPLAINED] > max(AMBIGUOUS_LEAST, AMBIGUOUS_SHARE * weaker):
        return AMBIGUOUS
    return OK


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
def _enough(family: npt.NDArray[np.int64], count: int) -> bool:
    """Whether each family has pixels for its six parameters and some more."""
    second = 0
    for i in range(count):
        second += family[i]
    return min(second, count - second) >= 10


@njit(cache=True, nogil=True)
def _bounds(
    pixels: Array,
    family: npt.NDArray[np.int64],
    count: int,
    parameters: Array,
    pixel: float,
    lower: Array,
    upper: Array,
) -> None:
    """Bounds of all parameters, around where they are: a peak is wider than a spike and narrower than a ring.

    Positions may move by three widths; with the lowest offset a tenth of the weakest background is left.
    """
    weakest = np.full(2, math.inf)
    for i in range(count):
        weakest[family[i]] = min(weakest[family[i]], pixels[i, 3] / pixels[i, 2])
    for k in range(2):
        at = N_FAMILY * k
        q = parameters[at]
        s, p = math.exp(parameters[at + 2]), math.exp(parameters[at + 3])
        lower[at], upper[at] = max(2.0 * pixel, q - 3.0 * s), q + 3.0 * s
        lower[at + 1], upper[at + 1] = parameters[at + 1] - 3.0 * p, parameters[at + 1] + 3.0 * p
        lower[at + 2], upper[at + 2] = math.log(LEAST_WIDTH_PX * pixel), math.log(MOST_WIDTH * q)
        lower[at + 3], upper[at + 3] = math.log(LEAST_WIDTH_PX * pixel / q), math.log(MOST_SPREAD_RAD)
        lower[at + 4], upper[at + 4] = -18.0, 18.0
        lower[at + 5], upper[at + 5] = 1e-6 - 0.9 * weakest[k], math.inf


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
    family: npt.NDArray[np.int64],
    count: int,
    parameters: Array,
    background_share: float,
    pixel: float,
    deviance_table: Array,
    free: npt.NDArray[np.bool_],
    fisher: Array,
    row: Array,
) -> None:
    """Covariance, photons, significance and goodness of a fit into ``row``; status ok or what is lacking."""
    covariance = np.zeros((N_PARAMETERS, N_PARAMETERS))
    if not _inverse(fisher, free, covariance):
        row[STATUS] = NO_CONVERGENCE
        return
    if background_share > 0.0:
        spread = np.empty((N_PARAMETERS, N_PARAMETERS))
        background_information(pixels, family, count, parameters, background_share, spread)
        covariance = covariance + covariance @ spread @ covariance
    index = (0, 1, N_FAMILY, N_FAMILY + 1)
    for a in range(4):
        row[WIDTH_ERRORS + a] = math.sqrt(covariance[(2, 3, 8, 9)[a], (2, 3, 8, 9)[a]])
        for b in range(4):
            row[COVARIANCE + 4 * a + b] = covariance[index[a], index[b]]
    summary = np.empty((2, 4))
    describe(pixels, family, count, parameters, summary)
    row[DEVIANCE] = summary[0, 0] + summary[1, 0]
    row[PIXELS] = summary[0, 1] + summary[1, 1]
    row[PHOTONS] = 0.0
    row[STATUS] = OK
    seen = _photons_on_pixels(pixels, family, count, parameters)
    for k in range(2):
        at = N_FAMILY * k
        total = math.exp(parameters[at + 4] + parameters[at + 2] + parameters[at + 3])
        total *= 4.0 * math.pi * parameters[at] / pixel**2
        row[PHOTONS] += total
        row[SEEN_SHARE + k] = seen[k] / total
        row[SIGNAL + k] = significance(summary[k, 2], summary[k, 3])
    row[EXPECTED_DEVIANCE] = _expected_deviance(pixels, family, count, parameters, deviance_table)
    if min(row[SIGNAL], row[SIGNAL + 1]) < SIGNAL_THRESHOLD:
        row[STATUS] = NO_SIGNAL
    elif min(row[SEEN_SHARE], row[SEEN_SHARE + 1]) < LEAST_SHARE:
        row[STATUS] = MASKED_PEAK


@njit(cache=True, nogil=True)
def _inverse(matrix: Array, free: npt.NDArray[np.bool_], into: Array) -> bool:
    unit, column = np.zeros(N_PARAMETERS), np.empty(N_PARAMETERS)
    for a in range(N_PARAMETERS):
        unit[:] = 0.0
        unit[a] = 1.0
        if not free[a]:
            continue
        if not solve(matrix, unit, free, 0.0, column):
            return False
        into[:, a] = column
    return True


@njit(cache=True, nogil=True)
def _photons_on_pixels(pixels: Array, family: npt.NDArray[np.int64], count: int, parameters: Array) -> Array:
    """Photons of each family's peaks that the model puts on the pixels of its windows."""
    seen = np.zeros(2)
    for i in range(count):
        at = N_FAMILY * family[i]
        u = (pixels[i, 0] - parameters[at]) / math.exp(parameters[at + 2])
        v = axial(pixels[i, 1] - parameters[at + 1]) / math.exp(parameters[at + 3])
        seen[family[i]] += pixels[i, 2] * math.exp(parameters[at + 4] - 0.5 * (u * u + v * v))
    return seen


@njit(cache=True, nogil=True)
def _expected_deviance(
    pixels: Array, family: npt.NDArray[np.int64], count: int, parameters: Array, table: Array
) -> float:
    """Deviance that Poisson counts with the model's means have on average, less what the fit takes up.

    ``table`` holds the mean deviance of one pixel at ``ln mu = -9, -8.9, ...``.
    """
    total = 0.0
    for i in range(count):
        model = pixels[i, 2] * parameters[N_FAMILY * family[i] + 5] + pixels[i, 3]
        for k in range(2):
            at = N_FAMILY * k
            u = (pixels[i, 0] - parameters[at]) / math.exp(parameters[at + 2])
            v = axial(pixels[i, 1] - parameters[at + 1]) / math.exp(parameters[at + 3])
            model += pixels[i, 2] * math.exp(parameters[at + 4] - 0.5 * (u * u + v * v))
        place = min(max(10.0 * (math.log(model) + 9.0), 0.0), table.size - 1.001)
        low = int(place)
        total += table[low] + (place - low) * (table[low + 1] - table[low])
    return total * (1.0 - N_PARAMETERS / max(count, N_PARAMETERS + 1))
