"""Part of a bitshuffled, LZ4-compressed frame without decoding the rest of it.

A chunk of HDF5 filter 32008 is a 12-byte header (uint64 and uint32, big-endian: bytes in all, bytes a
block), then independent blocks, each a uint32 big-endian length and LZ4 data, then up to 7 plain elements. A
block of n elements holds bit planes of n/8 bytes, lowest bit first; bit k of byte g belongs to element
8 g + k. The lengths are walked and must add up exactly before anything is decoded, and every read and write
of the decoder is checked, so a damaged chunk gives an error code and never more.

Formats: bitshuffle 0.5 ``bitshuffle/src/bitshuffle.c`` and the LZ4 block format description, both as
published; the code is this project's own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Raw = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.uint32]

HEADER_BYTES = 12
LENGTH_BYTES = 4
MAX_BLOCK_BYTES = 1 << 20

OK = 0
BAD_HEADER = 1
BAD_TABLE = 2
BAD_BLOCK = 3

# numba: unsigned indices spare the branch for negative ones.
_U0, _U1, _U8 = np.uint64(0), np.uint64(1), np.uint64(8)
_U4, _U15, _U255 = np.uint64(4), np.uint64(15), np.uint64(255)


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
def decode_lz4(chunk: Raw, start: int, stop: int, out: Raw, out_bytes: int) -> int:
    """Decode one LZ4 block, ``chunk[start:stop]``, into exactly ``out_bytes`` bytes of ``out``."""
    if start < 0 or stop > chunk.size or out_bytes > out.size:
        return BAD_BLOCK
    read, end = np.uint64(start), np.uint64(stop)
    written, room = _U0, np.uint64(out_bytes)
    while read < end:
        token = np.uint64(chunk[read])
        read += _U1
        length = token >> _U4
        if length == _U15:
            more = _U255
            while more == _U255:
                if read >= end:
                    return BAD_BLOCK
                more = np.uint64(chunk[read])
                read += _U1
                length += more
        if length > end - read or length > room - written:
            return BAD_BLOCK
        for k in range(length):
            out[written + np.uint64(k)] = chunk[read + np.uint64(k)]
        read += length
        written += length
        if read == end:
            return OK if written == room else BAD_BLOCK
        if end - read < np.uint64(2):
            return BAD_BLOCK
        back = np.uint64(chunk[read]) | (np.uint64(chunk[read + _U1]) << _U8)
        read += np.uint64(2)
        length = (token & _U15) + _U4
        if length == _U15 + _U4:
            more = _U255
            while more == _U255:
                if read >= end:
                    return BAD_BLOCK
                more = np.uint64(chunk[read])
                read += _U1
                length += more
        if back == _U0 or back > written or length > room - written:
            return BAD_BLOCK
        _repeat(out, written, back, length)
        written += length
    return BAD_BLOCK


@njit(cache=True, nogil=True)
def _repeat(out: Raw, written: np.uint64, back: np.uint64, length: np.uint64) -> None:
    """Append ``length`` bytes that begin ``back`` bytes before the end; they may overlap what they make."""
    source = written - back
    if back == _U1:
        value = out[source]
        for k in range(length):
            out[written + np.uint64(k)] = value
        return
    for k in range(length):
        out[written + np.uint64(k)] = out[source + np.uint64(k)]


@njit(cache=True, nogil=True)
def _unshuffle(block: Raw, elements: int, item_bytes: int, first: int, stop: int, line: Counts) -> None:
    """Values of elements ``first`` to ``stop`` of a decoded block into ``line``, from 8 (first // 8) on."""
    group0, groups = first // 8, (stop + 7) // 8 - first // 8
    plane_bytes = elements // 8
    line[: 8 * groups] = 0
    for plane in range(8 * item_bytes):
        base = plane * plane_bytes + group0
        any_bit = np.uint8(0)
        for g in range(groups):
            any_bit |= block[np.uint64(base + g)]
        if any_bit == 0:
            continue
        for g in range(groups):
            bits = np.uint32(block[np.uint64(base + g)])
            if bits == 0:
                continue
            for k in range(8):
                line[np.uint64(8 * g + k)] |= ((bits >> np.uint32(k)) & np.uint32(1)) << np.uint32(plane)


@njit(cache=True, nogil=True)
def decode_region(
    chunk: Raw,
    item_bytes: int,
    cols: int,
    region: tuple[int, int, int, int],
    elements: int,
    out: Counts,
    starts: npt.NDArray[np.int64],
    block: Raw,
    line: Counts,
) -> int:
    """Decode rows and columns ``region`` = (row0, row1, col0, col1) of a frame into ``out``; gives a code.

    The frame has ``elements`` little-endian unsigned integers of ``item_bytes`` bytes (1, 2 or 4), ``cols``
    a row. ``starts``, ``block`` and ``line`` are room to work in: see :func:`workspace`.
    """
    code, per_block = walk_blocks(chunk, item_bytes, elements, starts)
    if code != OK:
        return code
    if per_block * item_bytes > block.size or per_block > line.size:
        return BAD_HEADER
    row0, row1, col0, col1 = region
    shuffled = elements - elements % 8
    rest = starts[(shuffled + per_block - 1) // per_block]
    held = -1
    for row in range(row0, row1):
        place, stop = row * cols + col0, row * cols + col1
        while place < stop:
            target = place - row * cols - col0
            if place >= shuffled:
                at = rest + (place - shuffled) * item_bytes
                value = np.uint32(0)
                for byte in range(item_bytes):
                    value |= np.uint32(chunk[at + byte]) << np.uint32(8 * byte)
                out[row - row0, target] = value
                place += 1
                continue
            number = place // per_block
            begin = number * per_block
            size = min(per_block, shuffled - begin)
            if number != held:
                length_end = starts[number + 1] - (LENGTH_BYTES if begin + size < shuffled else 0)
                code = decode_lz4(chunk, starts[number], length_end, block, size * item_bytes)
                if code != OK:
                    return code
                held = number
            last = min(stop, begin + size)
            _unshuffle(block, size, item_bytes, place - begin, last - begin, line)
            skip = (place - begin) % 8
            for k in range(last - place):
                out[row - row0, target + k] = line[skip + k]
            place = last
    return OK


def workspace(elements: int) -> tuple[npt.NDArray[np.int64], Raw, Counts]:
    """Room for :func:`decode_region` on frames of ``elements`` pixels: starts, block, line."""
    starts = np.zeros(elements // 64 + 16, dtype=np.int64)
    return starts, np.zeros(MAX_BLOCK_BYTES, dtype=np.uint8), np.zeros(MAX_BLOCK_BYTES, dtype=np.uint32)
