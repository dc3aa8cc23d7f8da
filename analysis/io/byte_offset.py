"""The byte-offset compression of CBF images: each value is the one before it plus a signed difference.

A difference is one byte; the byte -128 says that two bytes follow, -32768 in them that four follow, and
-2^31 in those that eight do, little-endian. (imgCIF dictionary, ``x-CBF_BYTE_OFFSET``.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.uint32]

OK = 0
CUT_SHORT = 1
OUT_OF_RANGE = 2

LOWEST, HIGHEST = -(2**31), 2**32


@njit(cache=True, nogil=True)
def decode_rows(raw: Bytes, cols: int, region: tuple[int, int, int, int], out: Counts) -> int:
    """Fill ``out`` (h, w) with the ``region`` (row, stop, column, stop) of an image ``cols`` columns wide.

    ``raw`` (n,) is the compressed image; it is decoded up to the region's last row. Values below zero come as
    32 bits without sign. Gives OK, CUT_SHORT where ``raw`` ends too early, OUT_OF_RANGE for no count at all.
    """
    row0, row1, col0, col1 = region
    at, value = 0, np.int64(0)
    for row in range(row1):
        for col in range(cols):
            width, step = 1, np.int64(0)
            while True:
                if at + width > raw.size:
                    return CUT_SHORT
                step = _signed(raw, at, width)
                at += width
                if width == 8 or step != -(np.int64(1) << (8 * width - 1)):
                    break
                width *= 2
            if step < 2 * LOWEST or step > HIGHEST:
                return OUT_OF_RANGE
            value += step
            if value < LOWEST or value >= HIGHEST:
                return OUT_OF_RANGE
            if row >= row0 and col0 <= col < col1:
                out[row - row0, col - col0] = np.uint32(value & 0xFFFFFFFF)
    return OK


@njit(cache=True, nogil=True)
def _signed(raw: Bytes, at: int, width: int) -> np.int64:
    """Little-endian integer of ``width`` bytes (1, 2, 4, 8) with its sign."""
    value = np.int64(0)
    for place in range(width):
        value |= np.int64(raw[at + place]) << (8 * place)
    if width < 8 and value >= np.int64(1) << (8 * width - 1):
        value -= np.int64(1) << (8 * width)
    return value
