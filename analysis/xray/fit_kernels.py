"""Compiled loops of the peak fit: Poisson maximum likelihood on detector pixels by Fisher scoring.

Two families of first-order peaks, +-b1 and +-b2, each one Gaussian in (q, phi mod 180): the mean count of a
pixel is ``mu = e (A_1 G_1 + A_2 G_2 + c_f) + B`` with ``G_k = exp(-u^2/2 - v^2/2)``, ``u = (q - q_k)/s_k``,
``v = (phi - phi_k)/p_k``, e the pixel's efficiency, B the scaled background and c_f the offset of the window
that the pixel lies in. Averaging a Gaussian over a pixel gives, to second order in pixel over width, a
Gaussian whose variance is larger by a twelfth of the pixel's square: s and p are these effective widths. The
next term is below 2e-4 of the height at widths of one pixel and more.

Parameters, six a family: q, phi, ln s, ln p, ln A, c.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

N_FAMILY = 6
N_PARAMETERS = 12
MAX_STEPS = 40
TINY = 1e-12
FARTHEST = 50.0
"""Squared distance in widths beyond which a peak adds nothing (1e-11 of its height)."""

CONVERGED = 0
NOT_CONVERGED = 1


@njit(cache=True, nogil=True)
def axial(angle: float) -> float:
    """An angle in rad wrapped into (-pi/2, pi/2]: difference of two axes."""
    return angle - math.pi * math.ceil(angle / math.pi - 0.5)


@njit(cache=True, nogil=True)
def gather(
    counts: Counts,
    limit: int,
    usable: npt.NDArray[np.bool_],
    q: Array,
    phi: Array,
    efficiency: Array,
    background: Array,
    place: tuple[float, float, float],
    parameters: Array,
    reach: float,
    others: Array,
    pixels: Array,
    family: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Collect the pixels of the four windows; gives (pixels, saturated pixels near a peak).

    A pixel belongs to the family it is nearer to, in units of that family's widths, when both distances are
    within ``reach``. ``others`` (m, 2) holds q and phi of further lattice points: what lies nearer than 3
    widths to one, and nearer than to its own peak's 2, is left out. ``place`` is (beam column, beam row,
    nm^-1 per pixel), to bound the search. Columns of ``pixels``: q, phi, efficiency, background, counts.
    """
    rows, cols = counts.shape
    found, saturated = 0, 0
    beam_col, beam_row, step = place
    peaks = np.empty((2, 4))
    for k in range(2):
        peaks[k, 0], peaks[k, 1] = parameters[N_FAMILY * k], parameters[N_FAMILY * k + 1]
        peaks[k, 2] = math.exp(parameters[N_FAMILY * k + 2])
        peaks[k, 3] = math.exp(parameters[N_FAMILY * k + 3])
    for k in range(2):
        q0, phi0, s, p = peaks[k]
        half = min(reach * p, 0.5 * math.pi)
        near, far = max(0.0, q0 - reach * s) / step, (q0 + reach * s) / step
        for sign in (1.0, -1.0):
            row_lo, row_hi, col_lo, col_hi = _sector_box(beam_row, beam_col, sign, phi0, half, near, far)
            for row in range(max(0, row_lo), min(rows, row_hi + 1)):
                for col in range(max(0, col_lo), min(cols, col_hi + 1)):
                    if not usable[row, col] or sign * math.cos(phi[row, col] - phi0) <= 0.0:
                        continue
                    own = _own_distance(q[row, col], phi[row, col], peaks, k, reach)
                    if own < 0.0 or _belongs_elsewhere(q[row, col], phi[row, col], own, s, p, others):
                        continue
                    count = counts[row, col]
                    if count >= limit:
                        if own < 9.0:
                            saturated += 1
                        continue
                    if found >= pixels.shape[0]:
                        return found, saturated
                    pixels[found, 0] = q[row, col]
                    pixels[found, 1] = phi[row, col]
                    pixels[found, 2] = efficiency[row, col]
                    pixels[found, 3] = background[row, col]
                    pixels[found, 4] = count
                    family[found] = k
                    found += 1
    return found, saturated


@njit(cache=True, nogil=True)
def _own_distance(q: float, phi: float, peaks: Array, k: int, reach: float) -> float:
    """Squared distance to peak ``k`` in its widths; -1 beyond ``reach`` or where the other peak is nearer.

    ``peaks`` (2, 4): q, phi and their widths.
    """
    own = 0.0
    for j in (k, 1 - k):
        u = abs(q - peaks[j, 0]) / peaks[j, 2]
        v = abs(axial(phi - peaks[j, 1])) / peaks[j, 3]
        within = u <= reach and v <= reach
        if j == k:
            if not within:
                return -1.0
            own = u * u + v * v
        elif within:
            other = u * u + v * v
            if other < own or (other == own and k == 1):
                return -1.0
    return own


@njit(cache=True, nogil=True)
def _sector_box(
    beam_row: float, beam_col: float, sign: float, phi0: float, half: float, near: float, far: float
) -> tuple[int, int, int, int]:
    """Rows and columns that hold a sector of an annulus, radii in pixels, two pixels to spare."""
    top, bottom, left, right = 1e18, -1e18, 1e18, -1e18
    for n in range(9):
        angle = phi0 + half * (0.25 * n - 1.0)
        for radius in (near, far):
            row = beam_row - sign * radius * math.sin(angle)
            col = beam_col + sign * radius * math.cos(angle)
            top, bottom = min(top, row), max(bottom, row)
            left, right = min(left, col), max(right, col)
    spare = 2.0 + 0.04 * far
    return int(top - spare), int(bottom + spare) + 1, int(left - spare), int(right + spare) + 1


@njit(cache=True, nogil=True)
def _belongs_elsewhere(q: float, phi: float, own: float, s: float, p: float, others: Array) -> bool:
    for m in range(others.shape[0]):
        u = (q - others[m, 0]) / s
        v = axial(phi - others[m, 1]) / p
        distance = u * u + v * v
        if distance < own or (distance < 9.0 and own > 4.0):
            return True
    return False


@njit(cache=True, nogil=True)
def _slopes(
    q: float, phi: float, efficiency: float, background: float, own: int, shape: Array, slope: Array
) -> tuple[float, int, int]:
    """Mean count of one pixel, and its derivatives: gives (mean, first, stop) of the parameters it feels.

    ``shape`` (2, 6) holds q, phi, 1/s, 1/p, A, c of each family.
    """
    model = efficiency * shape[own, 5] + background
    seen0, seen1 = own == 0, own == 1
    for k in range(2):
        u = (q - shape[k, 0]) * shape[k, 2]
        v = axial(phi - shape[k, 1]) * shape[k, 3]
        exponent = u * u + v * v
        at = N_FAMILY * k
        if exponent > FARTHEST:
            if k == own:
                slope[at : at + 5] = 0.0
            continue
        peak = efficiency * shape[k, 4] * math.exp(-0.5 * exponent)
        model += peak
        slope[at] = peak * u * shape[k, 2]
        slope[at + 1] = peak * v * shape[k, 3]
        slope[at + 2] = peak * u * u
        slope[at + 3] = peak * v * v
        slope[at + 4] = peak
        slope[at + 5] = 0.0
        if k == 0:
            seen0 = True
        else:
            seen1 = True
    slope[N_FAMILY * own + 5] = efficiency
    return model, 0 if seen0 else N_FAMILY, N_PARAMETERS if seen1 else N_FAMILY


@njit(cache=True, nogil=True)
def _shapes(parameters: Array) -> Array:
    shape = np.empty((2, N_FAMILY))
    for k in range(2):
        at = N_FAMILY * k
        shape[k, 0], shape[k, 1] = parameters[at], parameters[at + 1]
        shape[k, 2], shape[k, 3] = math.exp(-parameters[at + 2]), math.exp(-parameters[at + 3])
        shape[k, 4], shape[k, 5] = math.exp(parameters[at + 4]), parameters[at + 5]
    return shape


@njit(cache=True, nogil=True)
def evaluate(
    pixels: Array, family: npt.NDArray[np.int64], count: int, parameters: Array, score: Array, fisher: Array
) -> float:
    """Log-likelihood ``sum n ln mu - mu`` at ``parameters``; fills ``score`` (12,), ``fisher`` (12, 12)."""
    score[:] = 0.0
    fisher[:] = 0.0
    total = 0.0
    slope = np.empty(N_PARAMETERS)
    shape = _shapes(parameters)
    for i in range(count):
        model, first, stop = _slopes(
            pixels[i, 0], pixels[i, 1], pixels[i, 2], pixels[i, 3], family[i], shape, slope
        )
        if model <= TINY:
            return -math.inf
        n = pixels[i, 4]
        if n > 0.0:
            total += n * math.log(model)
        total -= model
        inverse = 1.0 / model
        residual = n * inverse - 1.0
        for a in range(first, stop):
            weighted = slope[a] * inverse
            score[a] += slope[a] * residual
            for b in range(first, a + 1):
                fisher[a, b] += weighted * slope[b]
    for a in range(N_PARAMETERS):
        for b in range(a):
            fisher[b, a] = fisher[a, b]
    return total


@njit(cache=True, nogil=True)
def solve(matrix: Array, vector: Array, free: npt.NDArray[np.bool_], damping: float, step: Array) -> bool:
    """Solve ``(M + damping diag M) step = vector`` for the free parameters by Cholesky; False if singular."""
    size = 0
    index = np.empty(vector.size, dtype=np.int64)
    for a in range(vector.size):
        step[a] = 0.0
        if free[a]:
            index[size] = a
            size += 1
    lower = np.zeros((size, size))
    for a in range(size):
        for b in range(a + 1):
            value = matrix[index[a], index[b]]
            if a == b:
                value *= 1.0 + damping
            for k in range(b):
                value -= lower[a, k] * lower[b, k]
            if a == b:
                if not value > 1e-14 * matrix[index[a], index[a]]:
                    return False
                lower[a, a] = math.sqrt(value)
            else:
                lower[a, b] = value / lower[b, b]
    work = np.empty(size)
    for a in range(size):
        value = vector[index[a]]
        for k in range(a):
            value -= lower[a, k] * work[k]
        work[a] = value / lower[a, a]
    for a in range(size - 1, -1, -1):
        value = work[a]
        for k in range(a + 1, size):
            value -= lower[k, a] * work[k]
        work[a] = value / lower[a, a]
        step[index[a]] = work[a]
    return True


@njit(cache=True, nogil=True)
def maximize(
    pixels: Array,
    family: npt.NDArray[np.int64],
    count: int,
    parameters: Array,
    lower: Array,
    upper: Array,
    tolerance: float,
    free: npt.NDArray[np.bool_],
    score: Array,
    fisher: Array,
) -> int:
    """Climb to the maximum from ``parameters``, in place; gives a code.

    A parameter that wants to pass its bound, ``lower`` or ``upper`` (12,), is held there (``free`` is then
    False for it). It has converged when the gain that is left, half the Newton decrement, is below
    ``tolerance``.
    """
    trial, step = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS)
    trial_score, trial_fisher = np.empty(N_PARAMETERS), np.empty((N_PARAMETERS, N_PARAMETERS))
    best = evaluate(pixels, family, count, parameters, score, fisher)
    if not math.isfinite(best):
        return NOT_CONVERGED
    damping = 0.0
    for _ in range(MAX_STEPS):
        for a in range(N_PARAMETERS):
            free[a] = (parameters[a] > lower[a] or score[a] > 0.0) and (
                parameters[a] < upper[a] or score[a] < 0.0
            )
        if not solve(fisher, score, free, damping, step):
            return NOT_CONVERGED
        decrement = 0.0
        for a in range(N_PARAMETERS):
            decrement += step[a] * score[a]
        if decrement * (1.0 + damping) < 2.0 * tolerance:
            return CONVERGED
        expected = 0.5 * decrement * _limit(parameters, step)
        for a in range(N_PARAMETERS):
            trial[a] = min(max(parameters[a] + step[a], lower[a]), upper[a])
        reached = evaluate(pixels, family, count, trial, trial_score, trial_fisher)
        if reached >= best - 1e-9:
            # Scoring oversteps where counts fall short of the model's curvature: damp it then.
            gain = (reached - best) / expected
            parameters[:], score[:], fisher[:] = trial, trial_score, trial_fisher
            best = reached
            if gain < 0.5:
                damping = max(2.0 * damping, 0.3)
            elif gain > 0.8:
                damping = 0.0 if damping < 1e-2 else 0.3 * damping
        else:
            damping = max(4.0 * damping, 0.1)
            if damping > 1e8:
                return NOT_CONVERGED
    return NOT_CONVERGED


@njit(cache=True, nogil=True)
def _limit(parameters: Array, step: Array) -> float:
    """Shorten a step so that nothing moves by more than about a width at once; gives the factor."""
    shrink = 1.0
    for k in range(2):
        at = N_FAMILY * k
        shrink = min(shrink, 1.2 * math.exp(parameters[at + 2]) / max(abs(step[at]), TINY))
        shrink = min(shrink, 1.2 * math.exp(parameters[at + 3]) / max(abs(step[at + 1]), TINY))
        for j in (2, 3):
            shrink = min(shrink, 0.5 / max(abs(step[at + j]), TINY))
        shrink = min(shrink, 1.5 / max(abs(step[at + 4]), TINY))
    for a in range(step.size):
        step[a] *= shrink
    return shrink


@njit(cache=True, nogil=True)
def background_information(
    pixels: Array,
    family: npt.NDArray[np.int64],
    count: int,
    parameters: Array,
    scale_over_frames: float,
    into: Array,
) -> None:
    """Spread of the score that the background's own counting noise makes: ``sum J J^T var(B) / mu^2``.

    ``var(B) = B scale / frames``: B is the scaled mean of that many background frames.
    """
    into[:] = 0.0
    slope = np.empty(N_PARAMETERS)
    shape = _shapes(parameters)
    for i in range(count):
        if pixels[i, 3] <= 0.0:
            continue
        model, first, stop = _slopes(
            pixels[i, 0], pixels[i, 1], pixels[i, 2], pixels[i, 3], family[i], shape, slope
        )
        factor = pixels[i, 3] * scale_over_frames / model**2
        for a in range(first, stop):
            weighted = slope[a] * factor
            for b in range(first, a + 1):
                into[a, b] += weighted * slope[b]
    for a in range(N_PARAMETERS):
        for b in range(a):
            into[b, a] = into[a, b]


@njit(cache=True, nogil=True)
def describe(
    pixels: Array, family: npt.NDArray[np.int64], count: int, parameters: Array, summary: Array
) -> None:
    """Fill ``summary`` (2, 4) for each family: deviance, pixels, and within 2 widths the counts and what
    the model without this peak expects there."""
    summary[:] = 0.0
    for i in range(count):
        own = family[i]
        base = pixels[i, 2] * parameters[N_FAMILY * own + 5] + pixels[i, 3]
        peak, distance = 0.0, 0.0
        for k in range(2):
            u = (pixels[i, 0] - parameters[N_FAMILY * k]) / math.exp(parameters[N_FAMILY * k + 2])
            v = axial(pixels[i, 1] - parameters[N_FAMILY * k + 1]) / math.exp(parameters[N_FAMILY * k + 3])
            part = pixels[i, 2] * math.exp(parameters[N_FAMILY * k + 4] - 0.5 * (u * u + v * v))
            if k == own:
                peak, distance = part, u * u + v * v
            else:
                base += part
        model, n = base + peak, pixels[i, 4]
        summary[own, 0] += 2.0 * (model - n)
        if n > 0.0:
            summary[own, 0] += 2.0 * n * math.log(n / model)
        summary[own, 1] += 1.0
        if distance < 4.0:
            summary[own, 2] += n
            summary[own, 3] += base
