"""The pixels of a bitshuffled, LZ4-compressed frame that counted something, without making the frame.

Nearly all pixels of a diffraction pattern are 0, and so are nearly all of its bit planes: only bytes of eight
pixels that have a bit anywhere are looked at. The format is that of :mod:`analysis.io.bitshuffle_lz4`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.io.bitshuffle_lz4 import BAD_HEADER, LENGTH_BYTES, Counts, Raw, walk_blocks
from analysis.io.lz4 import OK, SLACK, decode_lz4


@njit(cache=True, nogil=True)
def decode_events(
    chunk: Raw,
    item_bytes: int,
    elements: int,
    places: npt.NDArray[np.uint32],
    counts: Counts,
    starts: npt.NDArray[np.int64],
    block: Raw,
    any_bit: Raw,
) -> tuple[int, int]:
    """Fill ``places`` (flat indices, rising) and ``counts`` of the pixels above 0; gives (code, how many).

    ``places`` and ``counts`` hold at least ``elements``. ``starts``, ``block`` and ``any_bit`` are room to
    work in: see :func:`events_workspace`.
    """
    code, per_block = walk_blocks(chunk, item_bytes, elements, starts)
    if code != OK:
        return code, 0
    if per_block * item_bytes + SLACK > block.size or per_block // 8 > any_bit.size:
        return BAD_HEADER, 0
    shuffled, number, found = elements - elements % 8, 0, 0
    for begin in range(0, shuffled, per_block):
        size = min(per_block, shuffled - begin)
        stop = starts[number + 1] - (LENGTH_BYTES if begin + size < shuffled else 0)
        code = decode_lz4(chunk, starts[number], stop, block, size * item_bytes)
        if code != OK:
            return code, 0
        found = _gather(block, size, item_bytes, begin, any_bit, places, counts, found)
        number += 1
    rest = starts[number]
    for k in range(elements - shuffled):
        value = np.uint32(0)
        for byte in range(item_bytes):
            value |= np.uint32(chunk[rest + k * item_bytes + byte]) << np.uint32(8 * byte)
        if value != 0:
            places[found], counts[found] = shuffled + k, value
            found += 1
    return OK, found


@njit(cache=True, nogil=True)
def _gather(
    block: Raw,
    size: int,
    item_bytes: int,
    begin: int,
    any_bit: Raw,
    places: npt.NDArray[np.uint32],
    counts: Counts,
    found: int,
) -> int:
    """Append what ``size`` elements of a decoded block hold; gives how many there are now."""
    groups = size // 8
    any_bit[:groups] = 0
    highest = 0
    for plane in range(8 * item_bytes):
        base, here = plane * groups, np.uint8(0)
        for g in range(groups):
            bits = block[np.uint64(base + g)]
            any_bit[np.uint64(g)] |= bits
            here |= bits
        if here != 0:
            highest = plane + 1
    for g in range(groups):
        hit = any_bit[np.uint64(g)]
        if hit == 0:
            continue
        for k in range(8):
            if (hit >> np.uint8(k)) & np.uint8(1):
                value = np.uint32(0)
                for plane in range(highest):
                    bit = (block[np.uint64(plane * groups + g)] >> np.uint8(k)) & np.uint8(1)
                    value |= np.uint32(bit) << np.uint32(plane)
                places[found], counts[found] = begin + 8 * g + k, value
                found += 1
    return found


def events_workspace(
    elements: int, block_bytes: int
) -> tuple[npt.NDArray[np.uint32], Counts, npt.NDArray[np.int64], Raw, Raw]:
    """Room for :func:`decode_events` on so many pixels a frame: places, counts, starts, block, any_bit."""
    return (
        np.zeros(elements, dtype=np.uint32),
        np.zeros(elements, dtype=np.uint32),
        np.zeros(elements // 64 + 16, dtype=np.int64),
        np.zeros(block_bytes + SLACK, dtype=np.uint8),
        np.zeros(block_bytes // 8, dtype=np.uint8),
    )
