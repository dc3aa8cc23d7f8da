"""Compiled loops over wide-angle frames: counts into cells of (q, phi), photons as gaps, a few ring sums.

A frame beyond small angles is nearly empty: pixels are looked at four at a time, those with photons are
listed, and all else follows the list. Cells are sums of whole detector pixels: nothing is interpolated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int32]
Histogram = npt.NDArray[np.uint32]
Gaps = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
List = npt.NDArray[np.uint32]

PHI_BINS = 360
SATURATED = np.uint32(2**31)
"""Bit of a cell in which a pixel was saturated; its other pixels are counted in the lower bits."""

ESCAPE = 255
"""A gap of 255 and more is written as 255 and what is left."""

RUN_WORDS = 1024
"""Longest run of words: what is listed of it stays in the nearest cache."""

_0, _1, _ESCAPE, _BINS = np.uint64(0), np.uint64(1), np.uint64(ESCAPE), np.uint64(PHI_BINS)


@njit(cache=True, nogil=True)
def _photon_pixels(packed: Words, first: np.uint64, stop: np.uint64, words: List, pixels: List) -> np.uint64:
    """Pixels of the words ``first`` ... ``stop`` that hold photons, ascending, into ``pixels``; their number.

    Every place is written and then kept or not: where photons fall cannot be guessed, so nothing branches.
    """
    found = _0
    word = first
    while word < stop:
        words[found] = word
        found += np.uint64(packed[word] != _0)
        word += _1
    number, place = _0, _0
    while place < found:
        held, pixel = packed[words[place]], np.uint64(4) * np.uint64(words[place])
        pixels[number] = pixel
        number += np.uint64((held & np.uint64(0xFFFF)) != _0)
        pixels[number] = pixel + _1
        number += np.uint64((held & np.uint64(0xFFFF0000)) != _0)
        pixels[number] = pixel + np.uint64(2)
        number += np.uint64((held & np.uint64(0xFFFF00000000)) != _0)
        pixels[number] = pixel + np.uint64(3)
        number += np.uint64(held >> np.uint64(48) != _0)
        place += _1
    return number


@njit(cache=True, nogil=True)
def _last_pixels(frame: npt.NDArray[np.uint16], first: int, pixels: List) -> np.uint64:
    """Pixels with photons from ``first`` on, those that fill no word, and their number."""
    number = _0
    for pixel in range(first, frame.size):
        if frame[pixel] > 0:
            pixels[number] = pixel
            number += _1
    return number


@njit(cache=True, nogil=True)
def _written(gap: np.uint64, counts: np.uint64, gaps: Gaps, at: np.uint64) -> np.uint64:
    """Write a gap and what more its pixel holds from ``at`` on; gives where the next one goes."""
    while gap >= _ESCAPE:
        gaps[at] = ESCAPE
        at += _1
        gap -= _ESCAPE
    gaps[at] = gap
    at += _1
    while counts > _1:
        gaps[at] = 0
        at += _1
        counts -= _1
    return at


@njit(cache=True, nogil=True)
def count_cells(
    frame: npt.NDArray[np.uint16],
    packed: Words,
    cell: Cells,
    runs: npt.NDArray[np.uint32],
    limit: int,
    kept: npt.NDArray[np.bool_],
    histogram: Histogram,
    gaps: Gaps,
) -> tuple[int, int]:
    """Fill ``histogram`` (n_q * 360,) and ``gaps``; gives saturated pixels and the number of gaps.

    ``frame`` (n,) are the counts of all pixels, ``packed`` the same memory four pixels a word (the last n % 4
    apart), ``cell`` (n,) the cell of each, -1 where it does not count; ``runs`` (m, 2) are the words of which
    a pixel counts, first and stop, each of RUN_WORDS at most. Counts of ``limit`` and more are saturated.
    ``gaps`` is filled with the photons of cells whose q is ``kept`` (n_q,): the distance in pixels from the
    photon before, 0 for one more in the same pixel. Where ``gaps`` is full the number is -1.
    """
    histogram[:] = 0
    words, pixels = np.empty(RUN_WORDS + 1, dtype=np.uint32), np.empty(4 * RUN_WORDS + 4, dtype=np.uint32)
    saturated, at, last, full = 0, _0, _0, False
    trusted, room = np.uint64(limit), np.uint64(gaps.size)
    for run in range(runs.shape[0] + 1):
        if run < runs.shape[0]:
            number = _photon_pixels(packed, np.uint64(runs[run, 0]), np.uint64(runs[run, 1]), words, pixels)
        else:
            number = _last_pixels(frame, 4 * packed.size, pixels)
        place = _0
        while place < number:
            pixel = np.uint64(pixels[place])
            place += _1
            counts = np.uint64(frame[pixel])
            if cell[pixel] < 0:
                continue
            into = np.uint64(cell[pixel])
            if counts >= trusted:
                saturated += 1
                histogram[into] |= SATURATED
                continue
            histogram[into] += np.uint32(counts)
            if full or not kept[into // _BINS]:
                continue
            gap = pixel - last
            if at + gap // _ESCAPE + counts >= room:
                full = True
                continue
            last = pixel
            at = _written(gap, counts, gaps, at)
    return saturated, -1 if full else int(np.int64(at))


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
