"""Compiled loop that puts a pattern away: pixels that do not count emptied, counts narrowed, sums kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Counts = npt.NDArray[np.uint32]


@njit(cache=True, nogil=True)
def put_away(
    counts: Counts,
    usable: npt.NDArray[np.bool_],
    kept: npt.NDArray[np.uint16],
    total: npt.NDArray[np.uint64],
    is_summed: bool,
) -> int:
    """Empty unusable pixels of ``counts``, copy it to ``kept``; gives the largest count, all arrays (h, w).

    ``kept`` is right where that count fits into it. Counts are added to ``total`` if ``is_summed``.
    """
    largest = np.uint32(0)
    for row in range(counts.shape[0]):
        # Rows as arrays of their own and no branch inside: several pixels go at a time.
        line, counted, narrow, sums = counts[row], usable[row], kept[row], total[row]
        for col in range(line.size):
            value = line[col] * np.uint32(counted[col])
            line[col] = value
            narrow[col] = np.uint16(value)
            largest = max(largest, value)
        if is_summed:
            for col in range(line.size):
                sums[col] += np.uint64(line[col])
    return int(largest)
