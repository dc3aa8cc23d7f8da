"""Compiled loops over wide-angle frames: counts into cells of (q, phi), photons as gaps, a few ring sums.

A frame beyond small angles is nearly empty, so pixels are looked at four at a time and only photons are
followed. Cells are sums of whole detector pixels: nothing is interpolated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int32]
Histogram = npt.NDArray[np.uint32]

PHI_BINS = 360
SATURATED = np.uint32(2**31)
"""Bit of a cell in which a pixel was saturated; its other pixels are counted in the lower bits."""

ESCAPE = 255
"""A gap of 255 and more is written as 255 and what is left."""


@njit(cache=True, nogil=True)
def count_cells(
    frame: npt.NDArray[np.uint16],
    packed: npt.NDArray[np.uint64],
    cell: Cells,
    limit: int,
    kept: npt.NDArray[np.bool_],
    histogram: Histogram,
    gaps: npt.NDArray[np.uint8],
) -> tuple[int, int]:
    """Fill ``histogram`` (n_q * 360,) and ``gaps``; gives saturated pixels and the number of gaps.

    ``frame`` (n,) are the counts of all pixels, ``packed`` the same memory four pixels a word (the last n % 4
    apart), ``cell`` (n,) the cell of each, -1 where it does not count. Counts of ``limit`` and more are
    saturated. ``gaps`` is filled with the photons of cells whose q is ``kept`` (n_q,): the distance in pixels
    from the photon before, 0 for one more in the same pixel. Where ``gaps`` is full the number is -1.
    """
    histogram[:] = 0
    saturated, written, last = 0, 0, 0
    words = packed.size
    for word in range(words + 1):
        if word < words:
            if packed[word] == 0:
                continue
            first, stop = 4 * word, 4 * word + 4
        else:
            first, stop = 4 * words, frame.size
        for pixel in range(first, stop):
            n = int(frame[pixel])
            if n == 0:
                continue
            at = cell[pixel]
            if at < 0:
                continue
            if n >= limit:
                saturated += 1
                histogram[at] |= SATURATED
                continue
            histogram[at] += np.uint32(n)
            if written < 0 or not kept[at // PHI_BINS]:
                continue
            gap = pixel - last
            if written + gap // ESCAPE + n >= gaps.size:
                written = -1
                continue
            last = pixel
            while gap >= ESCAPE:
                gaps[written] = ESCAPE
                written += 1
                gap -= ESCAPE
            gaps[written] = gap
            written += 1
            for _ in range(n - 1):
                gaps[written] = 0
                written += 1
    return saturated, written


@njit(cache=True, nogil=True)
def sum_rings(
    histogram: Histogram,
    spans: npt.NDArray[np.int64],
    radial: npt.NDArray[np.float32],
    rings: npt.NDArray[np.uint32],
) -> None:
    """Counts of each q in ``radial`` (n_q,), and of each ring by azimuth in ``rings`` (n_rings, 360).

    ``spans`` (n_rings, 2) are the q bins (first, stop) of the rings.
    """
    rings[:] = 0
    for i in range(radial.size):
        total = 0
        for j in range(PHI_BINS):
            total += int(histogram[i * PHI_BINS + j] & ~SATURATED)
        radial[i] = total
    for k in range(spans.shape[0]):
        for i in range(spans[k, 0], spans[k, 1]):
            for j in range(PHI_BINS):
                rings[k, j] += histogram[i * PHI_BINS + j] & ~SATURATED


@njit(cache=True, nogil=True)
def orientation(
    rings: npt.NDArray[np.uint32],
    expected: Array,
    weight: Array,
    offsets: npt.NDArray[np.int64],
    half_width: int,
) -> tuple[int, float]:
    """Bin (0 ... 89) at which spots of all rings stand, and how many sigma they stand out there.

    ``rings``, ``expected`` and ``weight`` (n_rings, 360) are counts, scaled background and efficiency. Each
    ring's own level is the median of its net intensity. Rings are folded by 90 degrees; ``offsets``
    (n_rings,) are the bins from the first axis to a spot of the ring; a spot is ``2 half_width + 1`` wide.
    """
    net, noise = np.zeros(90), np.zeros(90)
    for k in range(rings.shape[0]):
        seen = np.empty(PHI_BINS)
        number = 0
        for j in range(PHI_BINS):
            if weight[k, j] > 0.0:
                seen[number] = (rings[k, j] - expected[k, j]) / weight[k, j]
                number += 1
        if number < 20:
            continue
        level = np.median(seen[:number])
        for j in range(PHI_BINS):
            if weight[k, j] <= 0.0:
                continue
            model = max(expected[k, j] + level * weight[k, j], 1e-3 * weight[k, j])
            fold = (j - offsets[k]) % 90
            net[fold] += rings[k, j] - model
            noise[fold] += model
    best, place = -1e9, 0
    for j in range(90):
        total, variance = 0.0, 1e-9
        for m in range(-half_width, half_width + 1):
            total += net[(j + m) % 90]
            variance += noise[(j + m) % 90]
        # A spot's own photons count as noise too: otherwise a frame of ten photons would shine.
        height = total / np.sqrt(variance + max(total, 0.0))
        if height > best:
            best, place = height, j
    return place, best
