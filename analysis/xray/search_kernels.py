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
Narrow = npt.NDArray[np.float32]
Counts = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int32]

MAX_CANDIDATES = 12
LEAST_OF_FIRST = 0.03
"""Candidates below this share of the strongest one's significance are its halo."""

MARGIN = 4
"""Columns that stand at either end of padded histograms once more: azimuth is periodic."""

HALF_BOXES = ((1, 1), (2, 2), (2, 4))
"""Half sides (bins of q, bins of phi) of the boxes that counts are summed in."""


@njit(cache=True, nogil=True)
def histogram(counts: Counts, limit: int, bins: Index, into: Array) -> int:
    """Sum counts by ``bins`` (-1: not counted) into ``into`` (all flat); gives the number of saturated ones.

    Most pixels of a frame are empty, so four are looked at together.
    """
    into[:] = 0.0
    saturated = 0
    whole = counts.size // 4 * 4
    for i in range(0, whole, 4):
        if (counts[i] | counts[i + 1] | counts[i + 2] | counts[i + 3]) == 0:
            continue
        for k in range(i, i + 4):
            saturated += _count_one(counts[k], bins[k], limit, into)
    for k in range(whole, counts.size):
        saturated += _count_one(counts[k], bins[k], limit, into)
    return saturated


@njit(cache=True, nogil=True, inline="always")
def _count_one(n: int, bin_: int, limit: int, into: Array) -> int:
    if n == 0 or bin_ < 0:
        return 0
    if n >= limit:
        return 1
    into[bin_] += n
    return 0


@njit(cache=True, nogil=True)
def ring_levels(seen: Array, expected: Array, weight: Array, rings: Array, level: Array) -> float:
    """Counts ``rings`` (n_q,) and excess per weight ``level`` (n_q,) of each ring; gives all counts expected.

    ``seen``, ``expected``, ``weight`` are (n_q, n_phi). Peaks are left out of the level in two rounds:
    what lies two standard deviations and one count above the mean.
    """
    n_q, n_phi = seen.shape
    whole = 0.0
    for i in range(n_q):
        ring, empty, total = 0.0, 0.0, 0.0
        for j in range(n_phi):
            ring += seen[i, j]
            empty += expected[i, j]
            total += weight[i, j]
        rings[i] = ring
        whole += empty
        level[i] = max((ring - empty) / total, 0.0) if total > 0.0 else 0.0
        for _ in range(2):
            if ring == 0.0 or total <= 0.0:
                break
            excess, total = 0.0, 0.0
            for j in range(n_phi):
                mean = expected[i, j] + level[i] * weight[i, j]
                above = seen[i, j] - mean - 1.0
                if above > 0.0 and above * above > 4.0 * mean:
                    continue
                excess += seen[i, j] - expected[i, j]
                total += weight[i, j]
            level[i] = max(excess / total, 0.0) if total > 0.0 else 0.0
    return whole


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
def padded(values: Array, into: Narrow) -> None:
    """Copy values (n_q, n_phi) between ``MARGIN`` columns of their other end."""
    n_q, n_phi = values.shape
    for i in range(n_q):
        for j in range(n_phi):
            into[i, j + MARGIN] = values[i, j]
        for j in range(MARGIN):
            into[i, j] = values[i, (j - MARGIN) % n_phi]
            into[i, n_phi + MARGIN + j] = values[i, j % n_phi]


@njit(cache=True, nogil=True)
def _sum_shifted(values: Narrow, first: int, stop: int, stride: int, into: Narrow) -> None:
    """Add ``values`` shifted by ``first`` to ``stop - 1`` strides to ``into``, both flat, ends cut off."""
    size = values.size
    for k in range(first, stop):
        shift = k * stride
        ahead, behind = max(shift, 0), max(-shift, 0)
        source, target = values[ahead : size - behind], into[behind : size - ahead]
        for n in range(target.size):
            target[n] += source[n]


@njit(cache=True, nogil=True)
def box_sums(values: Narrow, room: Narrow, into: Narrow) -> None:
    """Sums ``into`` (3, n_q, n_phi + 2 MARGIN) over the boxes of ``HALF_BOXES`` around each bin.

    ``values`` (n_q, n_phi + 2 MARGIN) is padded; ``room`` is as large. Rings beyond the first and last are
    left out of a box; in the margins sums mean nothing.
    """
    stride = values.shape[1]
    column, flat = room.reshape(-1), into.reshape(len(HALF_BOXES), -1)
    into[:] = 0.0
    column[:] = 0.0
    half_q, half_phi = 0, 0
    _sum_shifted(values.reshape(-1), 0, 1, stride, column)
    for number in range(len(HALF_BOXES)):
        new_q, new_phi = HALF_BOXES[number]
        if new_q > half_q:
            _sum_shifted(values.reshape(-1), half_q + 1, new_q + 1, stride, column)
            _sum_shifted(values.reshape(-1), -new_q, -half_q, stride, column)
            half_phi = -1
        else:
            flat[number] = flat[number - 1]
        _sum_shifted(column, half_phi + 1, new_phi + 1, 1, flat[number])
        _sum_shifted(column, -new_phi, -half_phi if half_phi >= 0 else 0, 1, flat[number])
        half_q, half_phi = new_q, new_phi


@njit(cache=True, nogil=True)
def bright_boxes(seen: Narrow, expected: Narrow, window: tuple[int, int], boxes: Narrow, hits: Array) -> int:
    """List bins around which some box holds 3 sigma and 4 counts too many; gives their number.

    ``seen`` and ``expected`` are padded (n_q, n_phi + 2 MARGIN); ``boxes`` (7, n_q, n_phi + 2 MARGIN) is room
    to work in. Rows of ``hits`` (m, 3): q bin, phi bin, significance of the best box.
    """
    box_sums(seen, boxes[6], boxes[:3])
    box_sums(expected, boxes[6], boxes[3:6])
    found = 0
    for i in range(window[0], window[1]):
        for j in range(MARGIN, seen.shape[1] - MARGIN):
            best = 0.0
            for k in range(3):
                mean = boxes[k + 3, i, j]
                gain = boxes[k, i, j] - mean
                if gain >= 4.0 and gain * gain >= 9.0 * mean:
                    best = max(best, significance(float(boxes[k, i, j]), float(mean)))
            if best > 0.0 and found < hits.shape[0]:
                hits[found, 0], hits[found, 1], hits[found, 2] = i, j - MARGIN, best
                found += 1
    return found


@njit(cache=True, nogil=True)
def find_candidates(
    seen: Narrow,
    expected: Narrow,
    window: tuple[int, int],
    threshold: float,
    boxes: Narrow,
    hits: Array,
    candidates: Array,
) -> int:
    """Find up to MAX_CANDIDATES peaks; gives their number.

    ``seen`` and ``expected`` (background and ring level included) are padded (n_q, n_phi + 2 MARGIN); only
    bins of q in ``window`` (first, stop) are looked at. ``boxes`` and ``hits`` are room to work in. Rows of
    ``candidates``: q bin, phi bin (fractional), width in q bins, width in phi bins, excess counts,
    significance, strongest first.
    """
    n_phi = seen.shape[1] - 2 * MARGIN
    total = bright_boxes(seen, expected, window, boxes, hits)
    found = 0
    centre = np.empty(2, dtype=np.int64)
    while found < MAX_CANDIDATES:
        top, at = threshold, -1
        for k in range(total):
            if hits[k, 2] > top:
                top, at = hits[k, 2], k
        if at < 0:
            break
        at_q, at_phi = int(hits[at, 0]), int(hits[at, 1])
        _centre_of_box(seen, expected, at_q, at_phi, n_phi, centre)
        if found == 0:
            threshold = max(threshold, LEAST_OF_FIRST * top)
        _moments(seen, expected, centre[0], centre[1], candidates[found])
        candidates[found, 5] = top
        total = _suppress(hits, total, at, n_phi, candidates[found])
        if not _seen_before(candidates, found, n_phi):
            found += 1
    return found


@njit(cache=True, nogil=True)
def _seen_before(candidates: Array, found: int, n_phi: int) -> bool:
    """Whether the moments led candidate ``found`` to the centre of an earlier one: it was its flank."""
    for k in range(found):
        d_phi = candidates[k, 1] - candidates[found, 1]
        d_phi -= n_phi * math.floor(d_phi / n_phi + 0.5)
        if (
            abs(candidates[k, 0] - candidates[found, 0]) < 0.7 * candidates[k, 2]
            and abs(d_phi) < 0.7 * candidates[k, 3]
        ):
            return True
    return False


@njit(cache=True, nogil=True)
def _centre_of_box(
    seen: Narrow, expected: Narrow, at_q: int, at_phi: int, n_phi: int, centre: npt.NDArray[np.int64]
) -> None:
    """The 3 x 3 bins with the largest excess in the widest box around a place: wide boxes are indifferent."""
    centre[0], centre[1] = at_q, at_phi
    n_q = seen.shape[0]
    most = -math.inf
    half_q, half_phi = HALF_BOXES[-1]
    for i in range(max(0, at_q - half_q), min(n_q, at_q + half_q + 1)):
        for turn in range(at_phi - half_phi, at_phi + half_phi + 1):
            j = turn % n_phi
            gain = 0.0
            for r in range(max(0, i - 1), min(n_q, i + 2)):
                for c in range(j + MARGIN - 1, j + MARGIN + 2):
                    gain += seen[r, c] - expected[r, c]
            if gain > most:
                most = gain
                centre[0], centre[1] = i, j


@njit(cache=True, nogil=True)
def _moments(seen: Narrow, expected: Narrow, at_q: int, at_phi: int, row: Array) -> None:
    """Centre and widths of the excess around a bin, in four rounds of a window of 2 widths."""
    n_q, n_phi = seen.shape[0], seen.shape[1] - 2 * MARGIN
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
            for turn in range(math.floor(centre_phi - reach_phi), int(centre_phi + reach_phi) + 1):
                d_phi = turn + 0.5 - centre_phi
                if abs(d_phi) > reach_phi:
                    continue
                j = turn % n_phi + MARGIN
                gain = seen[i, j] - expected[i, j]
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
def _suppress(hits: Array, total: int, at: int, n_phi: int, row: Array) -> int:
    """Take the bins around a found peak, and the maximum ``at`` that led to it, out of the list.

    Gives the number of hits that stay; they keep their order.
    """
    reach_q = max(4.0, 3.5 * row[2])
    reach_phi = min(max(5.0, 3.5 * row[3]), 0.3 * n_phi)
    kept = 0
    for k in range(total):
        d_phi = hits[k, 1] + 0.5 - row[1]
        d_phi -= n_phi * math.floor(d_phi / n_phi + 0.5)
        if k == at or (abs(hits[k, 0] + 0.5 - row[0]) < reach_q and abs(d_phi) < reach_phi):
            continue
        hits[kept, 0], hits[kept, 1], hits[kept, 2] = hits[k, 0], hits[k, 1], hits[k, 2]
        kept += 1
    return kept
