"""Pixels that tell lies: high in every frame, or flickering, found over a sample of frames of the scan.

A crystal's peak moves from frame to frame as well, but it is wider than a pixel: its neighbours move with it.
So a pixel is judged by the pixels around it, in mean, in spread and, in each frame, in height.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.ndimage import median_filter

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]

HOT_SIGMA, HOT_FACTOR = 8.0, 3.0
LEAST_FRAMES = 8
"""Fewer frames than these tell nothing of how a pixel behaves over a scan."""

QUARTILE_FRAMES = 32
"""So many frames tell a lower quartile well enough."""

SPIKE_SIGMA, SPIKE_LEAST = 6.0, 4.0
LEAST_SPIKES = 3
SPREAD_SIGMA, SPREAD_FACTOR = 8.0, 3.0


def hot_pixels(total: Array, usable: Mask) -> Mask:
    """Pixels (h, w) far above the median of the 5 x 5 pixels around them; ``total`` counts of many frames."""
    level = median_filter(np.where(usable, total, 0.0), size=5, mode="reflect")
    excess = total - level
    return np.asarray(usable & (excess > HOT_SIGMA * np.sqrt(level + 1.0)) & (total > HOT_FACTOR * level))


def always_high(counts: Counts, usable: Mask) -> Mask:
    """Pixels (h, w) that are hot in three quarters of the frames (n, h, w): no crystal shines so steadily.

    The lower quartile of each pixel over the scan is compared, so a peak that most frames have not is none.
    """
    if counts.shape[0] < LEAST_FRAMES:
        return np.zeros(usable.shape, dtype=np.bool_)
    some = counts[:: max(1, counts.shape[0] // QUARTILE_FRAMES)]
    low = np.quantile(some, 0.25, axis=0)
    level = median_filter(np.where(usable, low, 0.0), size=5, mode="reflect")
    return np.asarray(usable & (low > HOT_FACTOR * level + 4.0 * np.sqrt(level + 1.0) + 1.0))


def flickering(counts: Counts, usable: Mask) -> Mask:
    """Pixels (h, w) that jump as none of their neighbours do, over the frames (n, h, w) of a sample.

    Either the variance over the mean (1 for Poisson counts), the two largest counts left aside, is far above
    1 and above that of all neighbours but one; or in three frames and more the count stands alone, by
    ``6 sqrt(n + 1) + 4`` above n, the second largest of its neighbours. One neighbour is let pass in both: it
    may flicker itself. A single flash, as of a cosmic ray, condemns no pixel.
    """
    if counts.shape[0] < LEAST_FRAMES:
        return np.zeros(usable.shape, dtype=np.bool_)
    spikes = np.zeros(usable.shape, dtype=np.int64)
    count_spikes(counts, usable, spikes)
    return np.asarray(usable & ((spikes >= LEAST_SPIKES) | _spread_alone(counts, usable)))


def _spread_alone(counts: Counts, usable: Mask) -> Mask:
    """Where variance over mean is errors above 1 and a factor above its neighbours'."""
    n = counts.shape[0] - 2
    total, square = np.zeros(usable.shape), np.zeros(usable.shape)
    trimmed_sums(counts, total, square)
    mean = np.where(usable, total / n, 0.0)
    variance = np.where(usable, (square - n * mean**2) / (n - 1), 0.0)
    least = np.maximum(mean, 1.0 / n)
    excess = variance / least - 1.0
    # Of Poisson counts, the variance of (variance over mean) is 2 / (n - 1) + 1 / (n mean) to leading order.
    sigma = np.sqrt(2.0 / (n - 1) + 1.0 / (n * least))
    around = np.zeros(usable.shape)
    second_largest_neighbours(np.where(usable, np.maximum(excess, 0.0), 0.0), around)
    return np.asarray((excess > SPREAD_SIGMA * sigma) & (excess > SPREAD_FACTOR * around + 1.0))


@njit(cache=True, nogil=True)
def trimmed_sums(counts: Counts, total: Array, square: Array) -> None:
    """Sum and sum of squares (h, w) over the frames (n, h, w), each pixel's two largest left out."""
    frames, rows, cols = counts.shape
    first, second = np.zeros((rows, cols)), np.zeros((rows, cols))
    for k in range(frames):
        for row in range(rows):
            for col in range(cols):
                count = float(counts[k, row, col])
                total[row, col] += count
                square[row, col] += count * count
                if count > first[row, col]:
                    first[row, col], second[row, col] = count, first[row, col]
                elif count > second[row, col]:
                    second[row, col] = count
    for row in range(rows):
        for col in range(cols):
            for count in (first[row, col], second[row, col]):
                total[row, col] -= count
                square[row, col] -= count * count


@njit(cache=True, nogil=True)
def second_largest_neighbours(values: Array, into: Array) -> None:
    """Second largest of the eight neighbours of each pixel (h, w), those beyond the border taken as 0."""
    rows, cols = values.shape
    for row in range(rows):
        for col in range(cols):
            first, second = 0.0, 0.0
            for r in range(max(0, row - 1), min(rows, row + 2)):
                for c in range(max(0, col - 1), min(cols, col + 2)):
                    if r == row and c == col:
                        continue
                    if values[r, c] > first:
                        first, second = values[r, c], first
                    elif values[r, c] > second:
                        second = values[r, c]
            into[row, col] = second


@njit(cache=True, nogil=True)
def count_spikes(counts: Counts, usable: Mask, spikes: npt.NDArray[np.int64]) -> None:
    """Add to ``spikes`` (h, w) the frames (n, h, w) in which a pixel stands alone above its neighbours."""
    frames, rows, cols = counts.shape
    least = SPIKE_SIGMA + SPIKE_LEAST
    for k in range(frames):
        for row in range(rows):
            for col in range(cols):
                count = counts[k, row, col]
                if count <= least or not usable[row, col]:
                    continue
                first, second = 0.0, 0.0
                for r in range(max(0, row - 1), min(rows, row + 2)):
                    for c in range(max(0, col - 1), min(cols, col + 2)):
                        if (r == row and c == col) or not usable[r, c]:
                            continue
                        near = float(counts[k, r, c])
                        if near > first:
                            first, second = near, first
                        elif near > second:
                            second = near
                if count > second + SPIKE_SIGMA * np.sqrt(second + 1.0) + SPIKE_LEAST:
                    spikes[row, col] += 1
