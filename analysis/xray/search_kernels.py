"""Compiled loops that find candidate peaks in one frame: polar histogram, box sums, maxima, moments.

The polar histogram is folded: phi and phi + 180 degrees share a bin, since every first-order peak has its
Friedel mate. Bins are (q, phi), one pixel by a few degrees; bin centres at integers + 1/2.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int32]

MAX_CANDIDATES = 12
LEAST_OF_FIRST = 0.03
"""Candidates below this share of the strongest one's significance are its halo."""

HALF_BOXES = ((1, 1), (2, 2), (2, 4))
"""Half sides (bins of q, bins of phi) of the boxes that counts are summed in."""


@njit(cache=True, nogil=True)
def histogram(counts: Counts, limit: int, places: Index, bins: Index, into: Array) -> int:
    """Sum the counts of pixels ``places`` by ``bins`` into ``into`` (all flat); gives saturated ones."""
    flat = counts.ravel()
    into[:] = 0.0
    saturated = 0
    for i in range(places.size):
        n = flat[places[i]]
        if n >= limit:
            saturated += 1
        else:
            into[bins[i]] += n
    return saturated


@njit(cache=True, nogil=True)
def ring_levels(seen: Array, expected: Array, weight: Array, level: Array) -> None:
    """Excess per weight of each ring (n_q,) over its expectation, peaks left out (two rounds).

    ``seen``, ``expected``, ``weight`` are (n_q, n_phi).
    """
    n_q, n_phi = seen.shape
    for i in range(n_q):
        level[i] = 0.0
        for round_ in range(3):
            excess, total = 0.0, 0.0
            for j in range(n_phi):
                mean = expected[i, j] + level[i] * weight[i, j]
                if round_ > 0 and seen[i, j] > mean + 2.0 * math.sqrt(mean) + 1.0:
                    continue
                excess += seen[i, j] - expected[i, j]
                total += weight[i, j]
            level[i] = max(excess / total, 0.0) if total > 0.0 else 0.0


@njit(cache=True, nogil=True)
def significance(n: float, mean: float) -> float:
    """Signed root of the Poisson deviance of ``n`` counts where ``mean`` are expected."""
    if mean <= 0.0:
        mean = 1e-3
    deviance = 2.0 * (mean - n)
    if n > 0.0:
        deviance += 2.0 * n * math.log(n / mean)
    root: float = math.sqrt(max(deviance, 0.0))
    return root if n > mean else -root


@njit(cache=True, nogil=True)
def summed_table(values: Array, margin: int, table: Array) -> None:
    """Summed-area table (n_q + 1, n_phi + 2 margin + 1) of values (n_q, n_phi), periodic in phi."""
    n_q, n_phi = values.shape
    table[0, :] = 0.0
    table[:, 0] = 0.0
    for i in range(n_q):
        run = 0.0
        for j in range(n_phi + 2 * margin):
            run += values[i, (j - margin) % n_phi]
            table[i + 1, j + 1] = table[i, j + 1] + run


@njit(cache=True, nogil=True)
def _box(table: Array, i0: int, i1: int, j0: int, j1: int) -> float:
    return float(table[i1, j1] - table[i0, j1] - table[i1, j0] + table[i0, j0])


@njit(cache=True, nogil=True)
def find_candidates(
    seen: Array,
    expected: Array,
    window: tuple[int, int],
    threshold: float,
    tables: Array,
    best: Array,
    candidates: Array,
) -> int:
    """Find up to MAX_CANDIDATES peaks; gives their number.

    ``seen`` and ``expected`` (background and ring level included) are (n_q, n_phi); only bins of q in
    ``window`` (first, stop) are looked at. Rows of ``candidates``: q bin, phi bin (fractional),
    width in q bins, width in phi bins, excess counts, significance, strongest first.
    """
    n_q, n_phi = seen.shape
    margin = 4
    summed_table(seen, margin, tables[0])
    summed_table(expected, margin, tables[1])
    best[:] = 0.0
    for half_q, half_phi in HALF_BOXES:
        for i in range(window[0], window[1]):
            i0, i1 = max(0, i - half_q), min(n_q, i + half_q + 1)
            for j in range(n_phi):
                j0, j1 = j + margin - half_phi, j + margin + half_phi + 1
                n = _box(tables[0], i0, i1, j0, j1)
                mean = _box(tables[1], i0, i1, j0, j1)
                gain = n - mean
                if gain < 4.0 or gain * gain < 9.0 * mean:
                    continue
                z = significance(n, mean)
                if z > best[i, j]:
                    best[i, j] = z
    found = 0
    centre = np.empty(2, dtype=np.int64)
    while found < MAX_CANDIDATES:
        top, at_q, at_phi = threshold, -1, -1
        for i in range(window[0], window[1]):
            for j in range(n_phi):
                if best[i, j] > top:
                    top, at_q, at_phi = best[i, j], i, j
        if at_q < 0:
            break
        _centre_of_box(tables, margin, at_q, at_phi, n_phi, centre)
        if found == 0:
            threshold = max(threshold, LEAST_OF_FIRST * top)
        _moments(seen, expected, centre[0], centre[1], candidates[found])
        candidates[found, 5] = top
        _suppress(best, at_q, at_phi, candidates[found], window)
        found += 1
    return found


@njit(cache=True, nogil=True)
def _centre_of_box(
    tables: Array, margin: int, at_q: int, at_phi: int, n_phi: int, centre: npt.NDArray[np.int64]
) -> None:
    """The 3 x 3 bins with the largest excess in the widest box around a place: wide boxes are indifferent."""
    centre[0], centre[1] = at_q, at_phi
    n_q = tables.shape[1] - 1
    most = -math.inf
    half_q, half_phi = HALF_BOXES[-1]
    for i in range(max(0, at_q - half_q), min(n_q, at_q + half_q + 1)):
        i0, i1 = max(0, i - 1), min(n_q, i + 2)
        for turn in range(at_phi - half_phi, at_phi + half_phi + 1):
            j = turn % n_phi
            j0, j1 = j + margin - 1, j + margin + 2
            gain = _box(tables[0], i0, i1, j0, j1) - _box(tables[1], i0, i1, j0, j1)
            if gain > most:
                most = gain
                centre[0], centre[1] = i, j


@njit(cache=True, nogil=True)
def _moments(seen: Array, expected: Array, at_q: int, at_phi: int, row: Array) -> None:
    """Centre and widths of the excess around a bin, in three rounds of a window of 2.5 widths."""
    n_q, n_phi = seen.shape
    centre_q, centre_phi = at_q + 0.5, at_phi + 0.5
    width_q, width_phi = 1.5, 2.0
    total = 0.0
    for _ in range(4):
        reach_q, reach_phi = max(1.6, 2.0 * width_q), min(max(1.6, 2.0 * width_phi), 0.25 * n_phi)
        total, sum_q, sum_phi, sum_qq, sum_pp = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(max(0, int(centre_q - reach_q)), min(n_q, int(centre_q + reach_q) + 1)):
            d_q = i + 0.5 - centre_q
            if abs(d_q) > reach_q:
                continue
            for j in range(math.floor(centre_phi - reach_phi), int(centre_phi + reach_phi) + 1):
                d_phi = j + 0.5 - centre_phi
                if abs(d_phi) > reach_phi:
                    continue
                gain = seen[i, j % n_phi] - expected[i, j % n_phi]
                total += gain
                sum_q += gain * d_q
                sum_phi += gain * d_phi
                sum_qq += gain * d_q * d_q
                sum_pp += gain * d_phi * d_phi
        if total <= 1.0:
            break
        d_q, d_phi = sum_q / total, sum_phi / total
        centre_q += min(max(d_q, -1.0), 1.0)
        centre_phi += min(max(d_phi, -1.0), 1.0)
        # A Gaussian cut at 2 widths shows 0.88 of its width in each direction.
        width_q = min(max(math.sqrt(max(sum_qq / total - d_q * d_q, 0.0)) / 0.88, 0.7), 6.0)
        width_phi = min(max(math.sqrt(max(sum_pp / total - d_phi * d_phi, 0.0)) / 0.88, 0.7), 12.0)
    row[0], row[1] = centre_q, centre_phi % n_phi
    row[2], row[3], row[4] = width_q, width_phi, total


@njit(cache=True, nogil=True)
def _suppress(best: Array, at_q: int, at_phi: int, row: Array, window: tuple[int, int]) -> None:
    """Take the bins around a found peak out of the list of maxima."""
    n_phi = best.shape[1]
    reach_q = max(4.0, 3.5 * row[2])
    reach_phi = min(max(5.0, 3.5 * row[3]), 0.3 * n_phi)
    first, stop = max(window[0], int(row[0] - reach_q)), min(window[1], int(row[0] + reach_q) + 1)
    for i in range(first, stop):
        for turn in range(math.floor(row[1] - reach_phi), int(row[1] + reach_phi) + 1):
            best[i, turn % n_phi] = 0.0
    best[at_q, at_phi] = 0.0


@njit(cache=True, nogil=True)
def choose_lattice(
    candidates: Array, found: int, bin_rad: float, chosen: npt.NDArray[np.int64], tolerance: Array
) -> tuple[float, float]:
    """Choose the pair of candidates whose lattice explains most; gives (explained, strongest unexplained).

    Only first and second orders are asked for. Vectors of a pair must be the two shortest of their lattice
    (within a tenth). Among pairs that explain about the same the one with the larger reciprocal cell, that
    is the sparser set of spots, is taken. ``chosen`` (2,) gets the candidates' numbers, -1 where there is
    none. ``tolerance`` (2,) is how far off, in q bins and phi bins, a spot may lie.
    """
    chosen[:] = -1
    best_score, best_explained, best_left = -1.0, 0.0, 0.0
    for i in range(found):
        for j in range(i + 1, found):
            q1, q2 = candidates[i, 0], candidates[j, 0]
            p1, p2 = candidates[i, 1] * bin_rad, candidates[j, 1] * bin_rad
            cross = abs(math.sin(p2 - p1))
            cosine = abs(math.cos(p2 - p1))
            if cross < 0.5 or max(q1, q2) > 3.0 * min(q1, q2):
                continue
            if cosine * max(q1, q2) > 0.6 * min(q1, q2):
                continue
            explained, left = _explained(candidates, found, i, j, bin_rad, tolerance)
            score = explained * explained + 1e-3 * q1 * q2 * cross
            if score > best_score:
                best_score, best_explained, best_left = score, explained, left
                chosen[0], chosen[1] = i, j
    return best_explained, best_left


@njit(cache=True, nogil=True)
def _explained(
    candidates: Array, found: int, i: int, j: int, bin_rad: float, tolerance: Array
) -> tuple[float, float]:
    """Root of the summed squares of explained significances, and the largest unexplained one."""
    explained, left = 0.0, 0.0
    x1, y1 = (
        candidates[i, 0] * math.cos(candidates[i, 1] * bin_rad),
        candidates[i, 0] * math.sin(candidates[i, 1] * bin_rad),
    )
    x2, y2 = (
        candidates[j, 0] * math.cos(candidates[j, 1] * bin_rad),
        candidates[j, 0] * math.sin(candidates[j, 1] * bin_rad),
    )
    for n in range(found):
        z = candidates[n, 5]
        matched = n in (i, j)
        for h in range(-2, 3):
            for k in range(3):
                x, y = h * x1 + k * x2, h * y1 + k * y2
                q = math.hypot(x, y)
                d_phi = math.atan2(y, x) - candidates[n, 1] * bin_rad
                d_phi -= math.pi * math.floor(d_phi / math.pi + 0.5)
                order = max(1.0, math.sqrt(float(h * h + k * k)))
                if (
                    abs(q - candidates[n, 0]) < tolerance[0] * order
                    and abs(d_phi) < tolerance[1] * bin_rad + 0.1
                ):
                    matched = True
        if matched:
            explained += z * z
        elif z > left:
            left = z
    return math.sqrt(explained), left
