"""LZW as TIFF uses it (most significant bit first, codes of 9 to 12 bits, early change), with its predictor.

Source: TIFF 6.0, section 13. Output and table are bounded by the size that the header declares.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt
import tifffile

CLEAR, END, FIRST = 256, 257, 258
MAX_CODES = 4096
HORIZONTAL = 2


@numba.njit(cache=True, nogil=True)
def lzw_decode(source: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8]) -> int:
    """Decode ``source`` (n,) into ``target`` (m,); gives the bytes written, or -1 for a code out of order.

    A code stands for ``length`` bytes that were written before, at ``start`` in ``target``.
    """
    start = np.zeros(MAX_CODES, dtype=np.int64)
    length = np.zeros(MAX_CODES, dtype=np.int64)
    bits, held, position, written = 9, 0, 0, 0
    pool = np.int64(0)
    next_code, previous_start, previous_length = FIRST, -1, 0
    while written < target.size:
        while held < bits:
            if position >= source.size:
                return written
            pool = ((pool << 8) | np.int64(source[position])) & 0xFFFFFFFF
            position += 1
            held += 8
        code = (pool >> (held - bits)) & ((1 << bits) - 1)
        held -= bits
        if code == END:
            return written
        if code == CLEAR:
            bits, next_code, previous_start = 9, FIRST, -1
            continue
        here = written
        if code < CLEAR:
            target[written] = code
            written += 1
        else:
            # The code being defined now is the previous string and its own first byte.
            known = code < next_code
            if previous_start < 0 or (not known and code != next_code):
                return -1
            origin = start[code] if known else previous_start
            count = length[code] if known else previous_length + 1
            for n in range(count):
                if written >= target.size:
                    break
                target[written] = target[origin + n]
                written += 1
        if previous_start >= 0 and next_code < MAX_CODES:
            start[next_code] = previous_start
            length[next_code] = previous_length + 1
            next_code += 1
        previous_start, previous_length = here, written - here
        if next_code + 1 >= (1 << bits) and bits < 12:
            bits += 1
    return written


def lzw_page(page: tifffile.TiffPage) -> npt.NDArray[np.generic]:
    """Pixels of an LZW page in strips, shape ``page.shape``; raises ValueError for a damaged one."""
    if page.is_tiled or page.dtype is None or page.bitspersample % 8 or page.axes == "SYX":
        raise ValueError("LZW in tiles, planes or odd bits: save it without compression")
    rows, cols = page.imagelength, page.imagewidth
    samples = page.samplesperpixel
    result = np.empty((rows, cols, samples), dtype=page.dtype.newbyteorder(page.parent.byteorder))
    strip_rows = min(page.rowsperstrip, rows)
    handle = page.parent.filehandle
    row = 0
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        height = min(strip_rows, rows - row)
        if height <= 0:
            break
        handle.seek(offset)
        source = np.frombuffer(handle.read(count), dtype=np.uint8)
        target = np.zeros(height * cols * samples * page.dtype.itemsize, dtype=np.uint8)
        if lzw_decode(source, target) != target.size:
            raise ValueError("a damaged LZW strip")
        result[row : row + height] = target.view(result.dtype).reshape(height, cols, samples)
        row += height
    if row < rows:
        raise ValueError("fewer LZW strips than rows")
    native = result.astype(page.dtype)
    if page.predictor == HORIZONTAL:
        np.cumsum(native, axis=1, out=native, dtype=native.dtype)
    elif page.predictor not in (0, 1):
        raise ValueError("an LZW predictor that is not served: save it without compression")
    return native.reshape(page.shape)
