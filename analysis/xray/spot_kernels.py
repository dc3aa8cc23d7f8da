"""Compiled Poisson fit of one wide-angle spot to the counts of cells, by Fisher scoring.

A cell is a sum of whole pixels. Its mean count is ``mu = e (A g(q, phi) + c + d (q - q_mid)) + B`` at the
centroid of its pixels: ``g`` a Gaussian in q and phi, ``e`` the summed efficiency, ``B`` the scaled
background. Parameters are q0, phi0, ln sigma_q, ln sigma_phi, ln A, c, d. Widths are those seen through the
cells; the cell's own part is taken off by whoever reads them.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Free = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]

N = 7
Q0, PHI0, LN_SQ, LN_SP, LN_A, LEVEL, SLOPE = range(N)
MAX_STEPS = 60
TOLERANCE = 1e-6
LEAST = 1e-12


@njit(cache=True, nogil=True)
def evaluate(cells: Array, count: int, middle: float, p: Array, score: Array, fisher: Array) -> float:
    """Log-likelihood ``sum n ln mu - mu`` of ``cells`` (count, 5): q, phi, e, B, n; fills both matrices."""
    score[:] = 0.0
    fisher[:] = 0.0
    slope = np.empty(N)
    inverse_q, inverse_p, top = math.exp(-p[LN_SQ]), math.exp(-p[LN_SP]), math.exp(p[LN_A])
    total = 0.0
    for i in range(count):
        e = cells[i, 2]
        u = (cells[i, 0] - p[Q0]) * inverse_q
        v = (cells[i, 1] - p[PHI0]) * inverse_p
        peak = 0.0
        square = u * u + v * v
        if square < 60.0:
            peak = e * top * math.exp(-0.5 * square)
        away = cells[i, 0] - middle
        model = peak + e * (p[LEVEL] + p[SLOPE] * away) + cells[i, 3]
        if model <= LEAST * e:
            return -math.inf
        slope[Q0] = peak * u * inverse_q
        slope[PHI0] = peak * v * inverse_p
        slope[LN_SQ] = peak * u * u
        slope[LN_SP] = peak * v * v
        slope[LN_A] = peak
        slope[LEVEL] = e
        slope[SLOPE] = e * away
        n = cells[i, 4]
        if n > 0.0:
            total += n * math.log(model)
        total -= model
        inverse = 1.0 / model
        residual = n * inverse - 1.0
        first = Q0 if peak > 1e-9 * model else LEVEL
        for a in range(first, N):
            weighted = slope[a] * inverse
            score[a] += slope[a] * residual
            for b in range(first, a + 1):
                fisher[a, b] += weighted * slope[b]
    for a in range(N):
        for b in range(a):
            fisher[b, a] = fisher[a, b]
    return total


@njit(cache=True, nogil=True)
def cholesky(matrix: Array, free: Free, damping: float, lower: Array, index: Index) -> int:
    """Factor the free part of ``matrix`` with its diagonal raised by ``damping``; size, or -1 if singular."""
    size = 0
    for a in range(N):
        if free[a]:
            index[size] = a
            size += 1
    for a in range(size):
        for b in range(a + 1):
            value = matrix[index[a], index[b]]
            if a == b:
                value *= 1.0 + damping
            for k in range(b):
                value -= lower[a, k] * lower[b, k]
            if a == b:
                if not value > 1e-13 * matrix[index[a], index[a]]:
                    return -1
                lower[a, a] = math.sqrt(value)
            else:
                lower[a, b] = value / lower[b, b]
    return size


@njit(cache=True, nogil=True)
def solve(lower: Array, index: Index, size: int, vector: Array, into: Array) -> None:
    """Solve with a Cholesky factor; entries of parameters that are held are 0."""
    into[:] = 0.0
    work = np.empty(N)
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
        into[index[a]] = work[a]


@njit(cache=True, nogil=True)
def maximize(
    cells: Array, count: int, middle: float, p: Array, lower: Array, upper: Array, held: Free, fisher: Array
) -> tuple[bool, float]:
    """Climb to the maximum from ``p`` (7,), in place, within bounds; gives whether it converged, and ln L.

    Parameters in ``held`` stay. ``fisher`` is that of the last point.
    """
    trial, step, score = np.empty(N), np.empty(N), np.empty(N)
    trial_score, trial_fisher = np.empty(N), np.empty((N, N))
    factor, index, free = np.empty((N, N)), np.empty(N, dtype=np.int64), np.empty(N, dtype=np.bool_)
    best = evaluate(cells, count, middle, p, score, fisher)
    damping = 0.0
    for _ in range(MAX_STEPS):
        if not math.isfinite(best):
            return False, best
        for a in range(N):
            free[a] = (
                not held[a] and (p[a] > lower[a] or score[a] > 0.0) and (p[a] < upper[a] or score[a] < 0.0)
            )
        size = cholesky(fisher, free, damping, factor, index)
        if size < 0:
            damping = max(4.0 * damping, 0.1)
            if damping > 1e6:
                return False, best
            continue
        solve(factor, index, size, score, step)
        decrement = 0.0
        for a in range(N):
            decrement += step[a] * score[a]
        if decrement * (1.0 + damping) < 2.0 * TOLERANCE:
            return True, best
        shrink = _shrink(p, step)
        for a in range(N):
            trial[a] = min(max(p[a] + shrink * step[a], lower[a]), upper[a])
        reached = evaluate(cells, count, middle, trial, trial_score, trial_fisher)
        if reached >= best - 1e-9:
            gain = (reached - best) / max(0.5 * decrement * shrink, 1e-12)
            p[:], score[:], fisher[:] = trial, trial_score, trial_fisher
            best = reached
            if gain < 0.5:
                damping = max(2.0 * damping, 0.3)
            elif gain > 0.8:
                damping = 0.0 if damping < 1e-2 else 0.3 * damping
        else:
            damping = max(4.0 * damping, 0.1)
            if damping > 1e6:
                return False, best
    return False, best


@njit(cache=True, nogil=True)
def _shrink(p: Array, step: Array) -> float:
    """Shorten a step so that the spot moves by no more than a width and changes by no more than a half."""
    shrink = min(1.0, math.exp(p[LN_SQ]) / max(abs(step[Q0]), LEAST))
    shrink = min(shrink, math.exp(p[LN_SP]) / max(abs(step[PHI0]), LEAST))
    for a in (LN_SQ, LN_SP):
        shrink = min(shrink, 0.5 / max(abs(step[a]), LEAST))
    return float(min(shrink, 1.5 / max(abs(step[LN_A]), LEAST)))


@njit(cache=True, nogil=True)
def covariance(fisher: Array, held: Free, into: Array) -> bool:
    """Inverse of the Fisher matrix over parameters that are not held; False where it has none."""
    into[:] = 0.0
    factor, index, unit, column = np.empty((N, N)), np.empty(N, dtype=np.int64), np.empty(N), np.empty(N)
    free = ~held
    size = cholesky(fisher, free, 0.0, factor, index)
    if size < 0:
        return False
    for a in range(size):
        unit[:] = 0.0
        unit[index[a]] = 1.0
        solve(factor, index, size, unit, column)
        into[:, index[a]] = column
    return True


@njit(cache=True, nogil=True)
def start(cells: Array, count: int, middle: float, sigma_q: float, sigma_phi: float, p: Array) -> float:
    """Starting parameters around (middle, 0) with these widths; gives the net counts of the spot's box.

    The level comes from cells farther than 2.2 widths, photons and place from the net counts within 2.
    """
    far_n, far_e, net_e = 0.0, LEAST, LEAST
    for i in range(count):
        u, v = (cells[i, 0] - middle) / sigma_q, cells[i, 1] / sigma_phi
        if u * u + v * v > 4.84:
            far_n += cells[i, 4] - cells[i, 3]
            far_e += cells[i, 2]
    level = far_n / far_e
    net, at_q, at_p, share = 0.0, 0.0, 0.0, LEAST
    for i in range(count):
        u, v = (cells[i, 0] - middle) / sigma_q, cells[i, 1] / sigma_phi
        if u * u + v * v <= 4.0:
            excess = cells[i, 4] - cells[i, 3] - level * cells[i, 2]
            net += excess
            at_q += excess * u
            at_p += excess * v
            net_e += cells[i, 2]
            share += cells[i, 2] * math.exp(-0.5 * (u * u + v * v))
    scale = max(net, 1.0)
    p[Q0] = middle + sigma_q * min(max(at_q / scale, -1.0), 1.0)
    p[PHI0] = sigma_phi * min(max(at_p / scale, -1.0), 1.0)
    p[LN_SQ], p[LN_SP] = math.log(sigma_q), math.log(sigma_phi)
    p[LN_A] = math.log(scale / share)
    p[LEVEL], p[SLOPE] = level, 0.0
    return net
