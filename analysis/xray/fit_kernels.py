"""Compiled loops of the peak fit: Poisson maximum likelihood on detector pixels by Fisher scoring.

Two families of first-order peaks, +-b1 and +-b2, each one Gaussian in (q, phi mod 180): the mean count of a
pixel is ``mu = e (A_1 G_1 + A_2 G_2 + c_f) + B`` with ``G_k = exp(-u^2/2 - v^2/2)``, ``u = (q - q_k)/s_k``,
``v = (phi - phi_k)/p_k``, e the pixel's efficiency, B the scaled background and c_f the offset of the window
that the pixel lies in. Averaging a Gaussian over a pixel gives, to second order in pixel over width, a
Gaussian whose variance is larger by a twelfth of the pixel's square: s and p are these effective widths. The
next term is below 2e-4 of the height at widths of one pixel and more.

Parameters, six a family: q, phi, ln s, ln p, ln A, c. Where no family is felt in the other's window the
Fisher matrix has two blocks, which are summed apart.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.xray.gather_kernels import ALL, COUPLED, FARTHEST, FIRST_OF_SECOND, N_FAMILY, axial

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

N_PARAMETERS = 12
MAX_STEPS = 40
TINY = 1e-12
SLACK = 1e-6
"""What the likelihood may lose by rounding in a step that counts as no loss."""

CONVERGED, NOT_CONVERGED = 0, 1

BLOCK = 512
"""Pixels that are laid out together; a multiple of 8."""


@njit(cache=True, nogil=True)
def shapes(parameters: Array) -> Array:
    """(2, 6): q, phi, 1/s, 1/p, A, c of each family."""
    shape = np.empty((2, N_FAMILY))
    for k in range(2):
        at = N_FAMILY * k
        shape[k, 0], shape[k, 1] = parameters[at], parameters[at + 1]
        shape[k, 2], shape[k, 3] = math.exp(-parameters[at + 2]), math.exp(-parameters[at + 3])
        shape[k, 4], shape[k, 5] = math.exp(parameters[at + 4]), parameters[at + 5]
    return shape


@njit(cache=True, nogil=True)
def evaluate(pixels: Array, numbers: Numbers, parameters: Array, score: Array, fisher: Array) -> float:
    """Log-likelihood ``sum n ln mu - mu`` at ``parameters``; fills ``score`` (12,), ``fisher`` (12, 12).

    ``pixels`` and ``numbers`` are what :func:`analysis.xray.gather_kernels.gather` collects.
    """
    score[:] = 0.0
    fisher[:] = 0.0
    shape = shapes(parameters)
    middle, stop = numbers[FIRST_OF_SECOND], numbers[ALL]
    if numbers[COUPLED]:
        total = _coupled(pixels, middle, stop, shape, score, fisher)
    else:
        total = _alone(pixels, 0, middle, shape[0], score[:N_FAMILY], fisher[:N_FAMILY, :N_FAMILY])
        total += _alone(pixels, middle, stop, shape[1], score[N_FAMILY:], fisher[N_FAMILY:, N_FAMILY:])
    for a in range(N_PARAMETERS):
        for b in range(a):
            fisher[b, a] = fisher[a, b]
    return total


@njit(cache=True, nogil=True)
def _alone(pixels: Array, start: int, stop: int, shape: Array, score: Array, fisher: Array) -> float:
    """Likelihood, score (6,) and Fisher matrix (6, 6, lower half) of one family's own pixels.

    Slopes over ``sqrt(mu)`` and the residual in the same unit are laid out pixel by pixel, a block at a time;
    the sums over pixels are then products of their rows.
    """
    total = 0.0
    work = np.zeros((8, BLOCK))
    lanes = work.reshape(8, BLOCK // 8, 8)
    for lo in range(start, stop, BLOCK):
        size = min(BLOCK, stop - lo)
        used = (size + 7) // 8
        _block_slopes(pixels[:, lo : lo + size], shape, work[:, :size])
        work[:, size : 8 * used] = 0.0
        likelihood = _block_likelihood(pixels[4, lo : lo + size], work[7, :size])
        if not math.isfinite(likelihood):
            return likelihood
        total += likelihood
        for a in range(N_FAMILY):
            score[a] += _product(lanes[a, :used], lanes[6, :used])
            for b in range(a + 1):
                fisher[a, b] += _product(lanes[a, :used], lanes[b, :used])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _block_slopes(pixels: Array, shape: Array, work: Array) -> None:
    """Rows of ``work`` (8, n): six slopes and ``n - mu``, all over ``sqrt(mu)``, and mu.

    Short loops without branches, so that several pixels are taken at once. ``exp(y)`` is the series of
    ``exp(y/256)`` to the seventh power of its argument, squared eight times: good to 1e-13 where it counts.
    """
    q, phi, e, background, n = pixels[0], pixels[1], pixels[2], pixels[3], pixels[4]
    s0, s1, s2, s3, s4, s5, s6, mu = work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7]
    q0, phi0, inverse_s, inverse_p, height, offset = shape
    for i in range(q.size):
        s0[i], s1[i] = (q[i] - q0) * inverse_s, (phi[i] - phi0) * inverse_p
    for i in range(q.size):
        y = max((s0[i] * s0[i] + s1[i] * s1[i]) * (-0.5 / 256.0), -0.3)
        power = 1.0 + y * (
            1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0 * (1.0 + y / 5.0 * (1.0 + y / 6.0))))
        )
        for _ in range(8):
            power *= power
        s4[i] = e[i] * height * power
    for i in range(q.size):
        mu[i] = s4[i] + e[i] * offset + background[i]
        s6[i] = math.sqrt(mu[i])
    for i in range(q.size):
        inverse = 1.0 / s6[i]
        s5[i] = e[i] * inverse
        s4[i] *= inverse
        s6[i] = n[i] * inverse - s6[i]
    for i in range(q.size):
        u, v, peak = s0[i], s1[i], s4[i]
        s2[i], s3[i] = peak * u * u, peak * v * v
        s0[i], s1[i] = peak * u * inverse_s, peak * v * inverse_p


@njit(cache=True, nogil=True)
def _block_likelihood(counts: Array, mu: Array) -> float:
    """``sum n ln mu - mu``, -inf where a mean is not positive; one logarithm for sixteen single counts."""
    total, product, pending = 0.0, 1.0, 0
    for i in range(counts.size):
        if not mu[i] > TINY:
            return -math.inf
        total -= mu[i]
        if counts[i] > 1.0:
            total += counts[i] * math.log(mu[i])
        elif counts[i] > 0.0:
            product *= mu[i]
            pending += 1
            if pending == 16:
                total += math.log(product)
                product, pending = 1.0, 0
    return total + math.log(product)


@njit(cache=True, nogil=True)
def _product(one: Array, other: Array) -> float:
    """Sum of the products of (n, 8) numbers, eight sums side by side."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for i in range(one.shape[0]):
        s0 += one[i, 0] * other[i, 0]
        s1 += one[i, 1] * other[i, 1]
        s2 += one[i, 2] * other[i, 2]
        s3 += one[i, 3] * other[i, 3]
        s4 += one[i, 4] * other[i, 4]
        s5 += one[i, 5] * other[i, 5]
        s6 += one[i, 6] * other[i, 6]
        s7 += one[i, 7] * other[i, 7]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@njit(cache=True, nogil=True)
def slopes(pixels: Array, i: int, own: int, shape: Array, slope: Array) -> float:
    """Mean count of pixel ``i`` of family ``own`` and its derivatives by all 12 parameters."""
    q, phi, e = pixels[0, i], pixels[1, i], pixels[2, i]
    model = e * shape[own, 5] + pixels[3, i]
    for k in range(2):
        at = N_FAMILY * k
        u, v = (q - shape[k, 0]) * shape[k, 2], (phi - shape[k, 1]) * shape[k, 3]
        if k != own:
            v = axial(phi - shape[k, 1]) * shape[k, 3]
        distance = u * u + v * v
        slope[at + 5] = 0.0
        if k != own and distance > FARTHEST:
            slope[at : at + 5] = 0.0
            continue
        peak = e * shape[k, 4] * math.exp(-0.5 * distance)
        model += peak
        slope[at], slope[at + 1] = peak * u * shape[k, 2], peak * v * shape[k, 3]
        slope[at + 2], slope[at + 3], slope[at + 4] = peak * u * u, peak * v * v, peak
    slope[N_FAMILY * own + 5] = e
    return float(model)


@njit(cache=True, nogil=True)
def _coupled(pixels: Array, middle: int, stop: int, shape: Array, score: Array, fisher: Array) -> float:
    """The same for two families that are felt in each other's windows."""
    total = 0.0
    slope = np.empty(N_PARAMETERS)
    for i in range(stop):
        own = 0 if i < middle else 1
        model = slopes(pixels, i, own, shape, slope)
        if model <= TINY:
            return -math.inf
        n = pixels[4, i]
        if n > 0.0:
            total += n * math.log(model)
        total -= model
        inverse = 1.0 / model
        residual = n * inverse - 1.0
        for a in range(N_PARAMETERS):
            weighted = slope[a] * inverse
            if weighted == 0.0:
                continue
            score[a] += slope[a] * residual
            for b in range(a + 1):
                fisher[a, b] += weighted * slope[b]
    return total


@njit(cache=True, nogil=True)
def solve(matrix: Array, vector: Array, free: Flags, damping: float, step: Array) -> bool:
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
def inverse_of(matrix: Array, free: Flags, into: Array) -> bool:
    """Inverse over the free parameters, zero elsewhere; False if singular."""
    unit, column = np.zeros(free.size), np.empty(free.size)
    into[:] = 0.0
    for a in range(free.size):
        if not free[a]:
            continue
        unit[:] = 0.0
        unit[a] = 1.0
        if not solve(matrix, unit, free, 0.0, column):
            return False
        into[:, a] = column
    return True


@njit(cache=True, nogil=True)
def maximize(
    pixels: Array,
    numbers: Numbers,
    parameters: Array,
    lower: Array,
    upper: Array,
    tolerance: float,
    held: int,
    free: Flags,
    score: Array,
    fisher: Array,
) -> tuple[int, float]:
    """Climb to the maximum from ``parameters``, in place; gives a code and the log-likelihood.

    A parameter that wants to pass its bound, ``lower`` or ``upper`` (12,), is held there (``free`` is then
    False for it), and so is number ``held`` (-1: none). It has converged when the gain that is left, half the
    Newton decrement, is below ``tolerance``.
    """
    trial, step = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS)
    trial_score, trial_fisher = np.empty(N_PARAMETERS), np.empty((N_PARAMETERS, N_PARAMETERS))
    best = evaluate(pixels, numbers, parameters, score, fisher)
    if not math.isfinite(best):
        return NOT_CONVERGED, best
    damping = 0.0
    for _ in range(MAX_STEPS):
        for a in range(N_PARAMETERS):
            free[a] = (
                a != held
                and (parameters[a] > lower[a] or score[a] > 0.0)
                and (parameters[a] < upper[a] or score[a] < 0.0)
            )
        if not solve(fisher, score, free, damping, step):
            return NOT_CONVERGED, best
        decrement = 0.0
        for a in range(N_PARAMETERS):
            decrement += step[a] * score[a]
        if decrement * (1.0 + damping) < 2.0 * tolerance:
            return CONVERGED, best
        expected = 0.5 * decrement * _limit(parameters, step)
        for a in range(N_PARAMETERS):
            trial[a] = min(max(parameters[a] + step[a], lower[a]), upper[a])
        reached = evaluate(pixels, numbers, trial, trial_score, trial_fisher)
        if reached >= best - SLACK:
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
                return NOT_CONVERGED, best
    return NOT_CONVERGED, best


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
