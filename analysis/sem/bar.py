"""Where the information bar begins, when no metadata says so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LOWER_SHARE = 0.35
"""A bar lies within the lowest part of the image that is this share of its rows."""

FLAT = 0.45
"""Rows of a bar hold one grey in at least this share of their pixels (text on a flat ground),"""

LINE = 0.85
"""and its first row, a ruled line or bare ground, in this share."""

ABOVE = 0.6
"""Rows of the picture just above it do so less than this."""

MIN_ROWS = 6
ROWS_ABOVE = 5


def bar_row(image: npt.NDArray[np.unsignedinteger]) -> int:
    """First row of the information bar burned into ``image`` (rows, cols); the number of rows without one."""
    rows = int(image.shape[0])
    first = int(rows * (1.0 - LOWER_SHARE))
    share = np.array([_largest_share(row) for row in image[first:]])
    for start in range(ROWS_ABOVE, share.size - MIN_ROWS + 1):
        below = share[start:-1] if share.size - start > MIN_ROWS else share[start:]
        if (
            share[start] >= LINE
            and np.mean(below >= FLAT) >= 0.9
            and share[start - ROWS_ABOVE : start].mean() < ABOVE
        ):
            return first + start
    return rows


def _largest_share(row: npt.NDArray[np.unsignedinteger]) -> float:
    """Share of the pixels of ``row`` that hold its most frequent grey."""
    return float(np.bincount(row).max() / row.size)
