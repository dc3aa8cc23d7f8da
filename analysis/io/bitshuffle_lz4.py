"""Part of a bitshuffled, LZ4-compressed frame without decoding the rest of it.

A chunk of HDF5 filter 32008 is a 12-byte header (uint64 and uint32, big-endian: bytes in all, bytes a
block), then independent blocks, each a uint32 big-endian length and LZ4 data, then up to 7 plain elements. A
block of n elements holds bit planes of n/8 bytes, lowest bit first; bit k of byte g belongs to element
8 g + k. The lengths are walked and must add up exactly before anything is decoded, and every read and write
of the decoder is checked, so a damaged chunk gives an error code and never more.

Most counts are small: the low byte of 64 elements is put together from as many bit planes as hold anything,
and only elements with a bit above it (masked pixels, mostly) are looked up plane by plane.

Formats: bitshuffle 0.5 ``bitshuffle/src/bitshuffle.c``, as published; the code is this project's own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.io.lz4 import OK, SLACK, decode_lz4
from analysis.io.words import load64, store64

Raw = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.uint32]
WholeFrame = npt.NDArray[np.uint16]
Region = tuple[int, int, int, int]
Room = tuple[npt.NDArray[np.int64], Raw, Raw]

HEADER_BYTES = 12
LENGTH_BYTES = 4
MAX_BLOCK_BYTES = 1 << 20

BAD_HEADER = 1
BAD_TABLE = 2

SPREAD = np.array([sum((byte >> k & 1) << 8 * k for k in range(8)) for byte in range(256)], dtype=np.uint64)
"""The bits of a byte, each as the lowest bit of one of the eight bytes of a word."""

NO_FRAME = np.zeros((0, 0), dtype=np.uint16)
"""In place of a whole frame where none is wanted."""

# numba: unsigned indices spare the branch for negative ones.
_U0, _U1, _U2, _U3, _U4, _U5, _U6, _U7, _U8 = (np.uint64(n) for n in range(9))
_U64, _U255 = np.uint64(64), np.uint64(255)
MOST_16, MOST_32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _big_endian(chunk: Raw, start: int, size: int) -> int:
    value = 0
    for place in range(start, start + size):
        value = (value << 8) | int(chunk[place])
    return value


@njit(cache=True, nogil=True)
def walk_blocks(chunk: Raw, item_bytes: int, elements: int, starts: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Check the table of blocks; gives (code, elements a block) and fills ``starts``.

    ``starts[b]`` is where the LZ4 data of block b begins, ``starts[number of blocks]`` where the plain rest
    does. ``starts`` must hold at least ``elements // 8 + 2``, or be long enough for the block size at hand.
    """
    if chunk.size < HEADER_BYTES or _big_endian(chunk, 0, 8) != elements * item_bytes:
        return BAD_HEADER, 0
    block_bytes = _big_endian(chunk, 8, 4)
    if block_bytes <= 0 or block_bytes > MAX_BLOCK_BYTES or block_bytes % (8 * item_bytes) != 0:
        return BAD_HEADER, 0
    per_block = block_bytes // item_bytes
    whole = elements // per_block
    blocks = whole + (1 if (elements - whole * per_block) // 8 > 0 else 0)
    if blocks + 1 > starts.size:
        return BAD_HEADER, 0
    place = HEADER_BYTES
    for block in range(blocks):
        if place + LENGTH_BYTES > chunk.size:
            return BAD_TABLE, 0
        length = _big_endian(chunk, place, LENGTH_BYTES)
        place += LENGTH_BYTES
        starts[block] = place
        place += length
        if length <= 0 or place > chunk.size:
            return BAD_TABLE, 0
    starts[blocks] = place
    return (OK, per_block) if place + (elements % 8) * item_bytes == chunk.size else (BAD_TABLE, 0)


@njit(cache=True, nogil=True)
def _low_bytes(block: Raw, plane: np.uint64, first: int, stop: int, line: Raw) -> None:
    """The low byte of elements 64 ``first`` ... 64 ``stop`` of a decoded block into ``line``.

    ``plane`` is the length of a bit plane in bytes.
    """
    for word in range(first, stop):
        at, to = np.uint64(word) * _U8, np.uint64(word - first) * _U64
        p0, p1 = load64(block, at), load64(block, at + plane)
        p2, p3 = load64(block, at + _U2 * plane), load64(block, at + _U3 * plane)
        p4, p5 = load64(block, at + _U4 * plane), load64(block, at + _U5 * plane)
        p6, p7 = load64(block, at + _U6 * plane), load64(block, at + _U7 * plane)
        for k in range(8):
            turn = np.uint64(8 * k)
            low = SPREAD[(p0 >> turn) & _U255] | (SPREAD[(p1 >> turn) & _U255] << _U1)
            store64(line, to + turn, low)
        if p2 | p3:
            for k in range(8):
                turn = np.uint64(8 * k)
                low = (SPREAD[(p2 >> turn) & _U255] << _U2) | (SPREAD[(p3 >> turn) & _U255] << _U3)
                store64(line, to + turn, load64(line, to + turn) | low)
        if p4 | p5 | p6 | p7:
            for k in range(8):
                turn = np.uint64(8 * k)
                low = (SPREAD[(p4 >> turn) & _U255] << _U4) | (SPREAD[(p5 >> turn) & _U255] << _U5)
                low |= (SPREAD[(p6 >> turn) & _U255] << _U6) | (SPREAD[(p7 >> turn) & _U255] << _U7)
                store64(line, to + turn, load64(line, to + turn) | low)


@njit(cache=True, nogil=True)
def _beyond_a_byte(block: Raw, plane: np.uint64, item_bytes: int, word: int) -> tuple[np.uint64, np.uint64]:
    """Which of the 64 elements of a word have any bit above the low byte, and which have them all."""
    some, every = _U0, ~_U0
    for byte in range(1, item_bytes):
        at = np.uint64(8 * byte) * plane + np.uint64(word) * _U8
        p0, p1 = load64(block, at), load64(block, at + plane)
        p2, p3 = load64(block, at + _U2 * plane), load64(block, at + _U3 * plane)
        p4, p5 = load64(block, at + _U4 * plane), load64(block, at + _U5 * plane)
        p6, p7 = load64(block, at + _U6 * plane), load64(block, at + _U7 * plane)
        some |= p0 | p1 | p2 | p3 | p4 | p5 | p6 | p7
        every &= p0 & p1 & p2 & p3 & p4 & p5 & p6 & p7
    return some, every


@njit(cache=True, nogil=True)
def _unshuffle(
    block: Raw,
    elements: int,
    item_bytes: int,
    span: tuple[int, int],
    line: Raw,
    most: np.uint64,
    into: npt.NDArray[np.unsignedinteger],
) -> None:
    """Elements ``span`` (first, stop) of a decoded block of ``elements``, at most ``most``, to ``into``."""
    first, stop = span
    plane = np.uint64(elements // 8)
    word0, word1 = first // 64, (stop + 63) // 64
    _low_bytes(block, plane, word0, word1, line)
    skip = first - 64 * word0
    for k in range(stop - first):
        into[k] = line[skip + k]
    all_above = MOST_32 >> np.uint64(32 - 8 * item_bytes) & ~_U255
    for word in range(word0, word1):
        some, every = _beyond_a_byte(block, plane, item_bytes, word)
        if some == _U0:
            continue
        begin, end = max(first, 64 * word), min(stop, 64 * word + 64)
        if every == ~_U0:  # the gap between two modules
            for element in range(begin, end):
                value = np.uint64(line[element - 64 * word0]) | all_above
                into[element - first] = min(value, most)
            continue
        for element in range(begin, end):
            bit = np.uint64(element - 64 * word)
            if (some >> bit) & _U1 == _U0:
                continue
            value = np.uint64(line[element - 64 * word0])
            if (every >> bit) & _U1:
                value |= all_above
            else:
                for p in range(8, 8 * item_bytes):
                    at = np.uint64(p) * plane + np.uint64(word) * _U8
                    value |= ((load64(block, at) >> bit) & _U1) << np.uint64(p)
            into[element - first] = min(value, most)


@njit(cache=True, nogil=True)
def _is_wanted(at: int, size: int, cols: int, region: Region) -> bool:
    """Whether elements ``at`` ... ``at + size`` of a frame meet the region."""
    row0, row1, col0, col1 = region
    for row in range(max(row0, at // cols), min(row1, (at + size - 1) // cols + 1)):
        if max(row * cols + col0, at) < min(row * cols + col1, at + size):
            return True
    return False


@njit(cache=True, nogil=True)
def _place_block(
    block: Raw,
    at: int,
    size: int,
    item_bytes: int,
    cols: int,
    region: Region,
    out: Counts,
    whole: WholeFrame,
    line: Raw,
) -> None:
    """Put a decoded block, elements ``at`` ... ``at + size``, where it belongs in the flat arrays."""
    if whole.size > 0:
        _unshuffle(block, size, item_bytes, (0, size), line, MOST_16, whole[at : at + size])
    row0, row1, col0, col1 = region
    for row in range(max(row0, at // cols), min(row1, (at + size - 1) // cols + 1)):
        first, stop = max(row * cols + col0, at), min(row * cols + col1, at + size)
        if first < stop:
            to = (row - row0) * (col1 - col0) + first - row * cols - col0
            into = out[to : to + stop - first]
            _unshuffle(block, size, item_bytes, (first - at, stop - at), line, MOST_32, into)


@njit(cache=True, nogil=True)
def _place_rest(
    rest: Raw, shuffled: int, item_bytes: int, cols: int, region: Region, out: Counts, whole: WholeFrame
) -> None:
    """Put the plain elements from ``shuffled`` on where they belong; ``out``, ``whole`` are flat."""
    row0, row1, col0, col1 = region
    for number in range(rest.size // item_bytes):
        value = np.uint64(0)
        for byte in range(item_bytes):
            value |= np.uint64(rest[number * item_bytes + byte]) << np.uint64(8 * byte)
        row, col = (shuffled + number) // cols, (shuffled + number) % cols
        if row0 <= row < row1 and col0 <= col < col1:
            out[(row - row0) * (col1 - col0) + col - col0] = value
        if whole.size > 0:
            whole[shuffled + number] = min(value, MOST_16)


@njit(cache=True, nogil=True)
def decode_frame(
    chunk: Raw,
    item_bytes: int,
    cols: int,
    elements: int,
    region: Region,
    out: Counts,
    whole: WholeFrame,
    starts: npt.NDArray[np.int64],
    block: Raw,
    line: Raw,
) -> int:
    """Decode rows and columns ``region`` = (row0, row1, col0, col1) of a frame into ``out``; gives a code.

    The frame has ``elements`` little-endian unsigned integers of ``item_bytes`` bytes (1, 2 or 4), ``cols``
    a row. Unless ``whole`` is empty, all of it goes there too, counts clipped to 16 bits; otherwise blocks
    without a wanted pixel are not decoded. ``starts``, ``block``, ``line`` are room to work in: see
    :func:`workspace`.
    """
    code, per_block = walk_blocks(chunk, item_bytes, elements, starts)
    if code != OK:
        return code
    if per_block * item_bytes + SLACK > block.size or per_block + 64 > line.size:
        return BAD_HEADER
    out, whole = out.reshape(-1), whole.reshape(-1)
    shuffled = elements - elements % 8
    first, stop = 0, shuffled
    if whole.size == 0:
        first = (region[0] * cols + region[2]) // per_block * per_block
        stop = min(stop, (region[1] - 1) * cols + region[3])
    for at in range(first, stop, per_block):
        size = min(per_block, shuffled - at)
        if whole.size == 0 and not _is_wanted(at, size, cols, region):
            continue
        begin, end = starts[at // per_block], starts[at // per_block + 1]
        if at + size < shuffled:
            end -= LENGTH_BYTES
        code = decode_lz4(chunk, begin, end, block, size * item_bytes)
        if code != OK:
            return code
        _place_block(block, at, size, item_bytes, cols, region, out, whole, line)
    rest = starts[(shuffled + per_block - 1) // per_block]
    _place_rest(chunk[rest:], shuffled, item_bytes, cols, region, out, whole)
    return OK


def workspace(elements: int) -> Room:
    """Room for :func:`decode_frame` on frames of ``elements`` pixels: starts, block, line."""
    starts = np.zeros(elements // 64 + 16, dtype=np.int64)
    return (
        starts,
        np.zeros(MAX_BLOCK_BYTES + SLACK, dtype=np.uint8),
        np.zeros(MAX_BLOCK_BYTES + 64, dtype=np.uint8),
    )
