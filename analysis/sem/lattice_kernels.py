"""Compiled choice of the lattice that explains the peaks of a small region; all in periods per region.

The rules are those of :mod:`analysis.sem.lattice` and :mod:`analysis.sem.measure`, which explain them.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MIN_SINE = 0.4
MAX_ORDER = 4
TOLERANCE_PERIODS = 0.6
TOLERANCE_SHARE = 0.012
MISSING_PENALTY = 1.5
MIN_EXPLAINED = 0.45
REDUCTION_ROUNDS = 12
RING_BAND, RING_SHARE, RING_PEAKS = 0.15, 0.6, 6
AROUND_PEAKS = 4
"""Peaks of one |k| that make a ring where no lattice explains them."""


@numba.njit(cache=True, nogil=True)
def _reduced(u: Array, v: Array) -> Array:
    """The two shortest independent vectors (2, 2) of the lattice of u and v, shorter first."""
    u0, u1, v0, v1 = u[0], u[1], v[0], v[1]
    for _ in range(REDUCTION_ROUNDS):
        if u0 * u0 + u1 * u1 > v0 * v0 + v1 * v1:
            u0, u1, v0, v1 = v0, v1, u0, u1
        turns = np.rint((u0 * v0 + u1 * v1) / (u0 * u0 + u1 * u1))
        v0, v1 = v0 - turns * u0, v1 - turns * u1
    if u0 * u0 + u1 * u1 > v0 * v0 + v1 * v1:
        u0, u1, v0, v1 = v0, v1, u0, u1
    out = np.empty((2, 2))
    out[0, 0], out[0, 1], out[1, 0], out[1, 1] = u0, u1, v0, v1
    return out


@numba.njit(cache=True, nogil=True)
def _nearest(places: Array, x: float, y: float) -> float:
    """Distance of (x, y) from the nearest of +-``places``."""
    best = np.inf
    for m in range(places.shape[0]):
        one = (places[m, 0] - x) ** 2 + (places[m, 1] - y) ** 2
        other = (places[m, 0] + x) ** 2 + (places[m, 1] + y) ** 2
        best = min(best, one, other)
    return float(np.sqrt(best))


@numba.njit(cache=True, nogil=True)
def _explains(basis: Array, x: float, y: float) -> bool:
    determinant = basis[0, 0] * basis[1, 1] - basis[0, 1] * basis[1, 0]
    h = np.rint((x * basis[1, 1] - y * basis[1, 0]) / determinant)
    k = np.rint((y * basis[0, 0] - x * basis[0, 1]) / determinant)
    off_x = x - h * basis[0, 0] - k * basis[1, 0]
    off_y = y - h * basis[0, 1] - k * basis[1, 1]
    order = max(abs(h), abs(k))
    near = np.hypot(off_x, off_y) <= TOLERANCE_PERIODS + TOLERANCE_SHARE * np.hypot(x, y)
    return bool(near and 0 < order <= MAX_ORDER)


@numba.njit(cache=True, nogil=True)
def _score(basis: Array, places: Array, weight: Array, k_max: float) -> tuple[float, float]:
    """Weight of the peaks that a lattice explains, and the same less the charge for absent low points."""
    explained, missing = 0.0, 0
    for m in range(places.shape[0]):
        if _explains(basis, places[m, 0], places[m, 1]):
            explained += weight[m]
    for h, k in ((1, 0), (0, 1), (1, 1), (1, -1)):
        x, y = h * basis[0, 0] + k * basis[1, 0], h * basis[0, 1] + k * basis[1, 1]
        length = np.hypot(x, y)
        if length <= k_max and _nearest(places, x, y) > TOLERANCE_PERIODS + TOLERANCE_SHARE * length:
            missing += 1
    return explained, explained - MISSING_PENALTY * missing


@numba.njit(cache=True, nogil=True)
def choose_basis(places: Array, ratio: Array, least: float, k_max: float) -> tuple[bool, Array]:
    """The reduced basis that explains most peaks (see ``find_lattice``), and whether there is one."""
    weight, total = np.empty(ratio.size), 0.0
    for m in range(ratio.size):
        weight[m] = 1.0 + np.log(max(ratio[m] / least, 1.0))
        total += weight[m]
    best, best_score, best_explained = np.zeros((2, 2)), -np.inf, 0.0
    for m in range(places.shape[0]):
        for n in range(m + 1, places.shape[0]):
            area = abs(places[m, 0] * places[n, 1] - places[m, 1] * places[n, 0])
            if area < MIN_SINE * np.hypot(places[m, 0], places[m, 1]) * np.hypot(places[n, 0], places[n, 1]):
                continue
            basis = _reduced(places[m], places[n])
            explained, score = _score(basis, places, weight, k_max)
            score += 1e-6 * area
            if score > best_score:
                best, best_score, best_explained = basis, score, explained
    return best_explained >= MIN_EXPLAINED * total and best_score > -np.inf, best


@numba.njit(cache=True, nogil=True)
def on_a_ring(places: Array, ratio: Array, basis: Array) -> tuple[bool, float, float]:
    """Whether the peaks near the first order are mostly none of the lattice's; |k|, its error."""
    one, two = np.hypot(basis[0, 0], basis[0, 1]), np.hypot(basis[1, 0], basis[1, 1])
    low, high = (1.0 - RING_BAND) * min(one, two), (1.0 + RING_BAND) * max(one, two)
    total, own, count = 0.0, 0.0, 0
    first, second = 0.0, 0.0
    for m in range(places.shape[0]):
        length = np.hypot(places[m, 0], places[m, 1])
        if not low < length < high:
            continue
        count += 1
        total += ratio[m]
        first += length
        second += length * length
        near = np.inf
        for h, k in ((1, 0), (0, 1), (1, 1), (1, -1)):
            x, y = h * basis[0, 0] + k * basis[1, 0], h * basis[0, 1] + k * basis[1, 1]
            near = min(near, _nearest(places[m : m + 1], x, y))
        if near < 2.5:
            own += ratio[m]
    if count < RING_PEAKS or own >= RING_SHARE * total:
        return False, 0.0, 0.0
    mean = first / count
    return True, mean, np.sqrt(max(second / count - mean * mean, 0.0) / (count - 1.0))


@numba.njit(cache=True, nogil=True)
def all_around(places: Array) -> tuple[bool, float, float]:
    """Whether peaks without a lattice stand on a ring, within RING_BAND of the strongest; |k|, its error."""
    middle = np.hypot(places[0, 0], places[0, 1])
    first, second, count = 0.0, 0.0, 0
    for m in range(places.shape[0]):
        length = np.hypot(places[m, 0], places[m, 1])
        if abs(length - middle) < RING_BAND * middle:
            first += length
            second += length * length
            count += 1
    if count < AROUND_PEAKS or 2 * count < places.shape[0]:
        return False, 0.0, 0.0
    mean = first / count
    return True, mean, np.sqrt(max(second / count - mean * mean, 0.0) / (count - 1.0))


@numba.njit(cache=True, nogil=True)
def members(basis: Array, places: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """The two peaks that a lattice is read from: their numbers (-1: none), and their indices (2, 2)."""
    chosen = np.zeros(2, dtype=np.int64) - 1
    indices = np.zeros((2, 2))
    count = 0
    for h, k in ((1, 0), (0, 1), (1, 1), (1, -1)):
        x, y = h * basis[0, 0] + k * basis[1, 0], h * basis[0, 1] + k * basis[1, 1]
        best, least = -1, TOLERANCE_PERIODS + TOLERANCE_SHARE * np.hypot(x, y)
        for m in range(places.shape[0]):
            off = _nearest(places[m : m + 1], x, y)
            if off < least:
                best, least = m, off
        if best >= 0 and count < 2:
            sign = 1.0 if places[best, 0] * x + places[best, 1] * y > 0.0 else -1.0
            chosen[count] = best
            indices[count, 0], indices[count, 1] = sign * h, sign * k
            count += 1
    return chosen, indices


@numba.njit(cache=True, nogil=True)
def solve(indices: Array, places: Array, products: Array, basis: Array, noise: Array) -> None:
    """The basis whose points ``indices`` stand at ``places``, and the products that belong to its vectors."""
    determinant = indices[0, 0] * indices[1, 1] - indices[0, 1] * indices[1, 0]
    inverse = np.empty((2, 2))
    inverse[0, 0], inverse[1, 1] = indices[1, 1] / determinant, indices[0, 0] / determinant
    inverse[0, 1], inverse[1, 0] = -indices[0, 1] / determinant, -indices[1, 0] / determinant
    for i in range(2):
        for j in range(2):
            basis[i, j] = inverse[i, 0] * places[0, j] + inverse[i, 1] * places[1, j]
            noise[i, j] = 0.0
            for k in range(2):
                for m in range(2):
                    noise[i, j] += inverse[i, k] * products[k, m] * inverse[j, m]
