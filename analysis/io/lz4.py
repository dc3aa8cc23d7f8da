"""LZ4 blocks decoded in compiled code, every read and write checked: a damaged block gives a code, no more.

Format: the LZ4 block format description as published; the code is this project's own. Copies go sixteen
bytes at a time and may write up to ``SLACK`` bytes behind what was asked, into room that the caller leaves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.io.words import load64, store64

Raw = npt.NDArray[np.uint8]

OK = 0
BAD_BLOCK = 3

SLACK = 64

# numba: unsigned indices spare the branch for negative ones.
_U0, _U1, _U2, _U4, _U8 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8)
_U15, _U16, _U32, _U64, _U255 = np.uint64(15), np.uint64(16), np.uint64(32), np.uint64(64), np.uint64(255)


@njit(cache=True, nogil=True)
def decode_lz4(chunk: Raw, start: int, stop: int, out: Raw, out_bytes: int) -> int:
    """Decode one LZ4 block, ``chunk[start:stop]``, into exactly ``out_bytes`` bytes of ``out``; gives a code.

    ``out`` must be ``SLACK`` bytes longer than that.
    """
    if start < 0 or stop > chunk.size or out_bytes + SLACK > out.size:
        return BAD_BLOCK
    read, end, size = np.uint64(start), np.uint64(stop), np.uint64(chunk.size)
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
        if read + length + _U32 <= size:
            _copy(chunk, read, out, written, length)
        else:
            for k in range(length):
                out[written + np.uint64(k)] = chunk[read + np.uint64(k)]
        read += length
        written += length
        if read == end:
            return OK if written == room else BAD_BLOCK
        if end - read < _U2:
            return BAD_BLOCK
        back = np.uint64(chunk[read]) | (np.uint64(chunk[read + _U1]) << _U8)
        read += _U2
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


@njit(cache=True, nogil=True, inline="always")
def _copy(source: Raw, read: np.uint64, out: Raw, written: np.uint64, length: np.uint64) -> None:
    """Copy ``length`` bytes and up to 16 more; the two places lie at least 16 bytes apart."""
    done = _U0
    while True:
        one, two = load64(source, read + done), load64(source, read + done + _U8)
        store64(out, written + done, one)
        store64(out, written + done + _U8, two)
        done += _U16
        if done >= length:
            return


@njit(cache=True, nogil=True, inline="always")
def _repeat(out: Raw, written: np.uint64, back: np.uint64, length: np.uint64) -> None:
    """Append ``length`` bytes that begin ``back`` bytes before the end; they may overlap what they make."""
    if back >= _U16:
        _copy(out, written - back, out, written, length)
        return
    done = _U0
    if back >= _U8:
        while done < length:
            store64(out, written + done, load64(out, written - back + done))
            done += _U8
        return
    # A short period: fill one word with it, and go on by as many whole periods as a word holds.
    bits = _U8 * back
    word = load64(out, written - back) & ((_U1 << bits) - _U1)
    while bits < _U64:
        word |= word << bits
        bits += bits
    step = back * (_U8 // back)
    if step == _U8:
        while done < length:
            store64(out, written + done, word)
            store64(out, written + done + _U8, word)
            done += _U16
        return
    while done < length:
        store64(out, written + done, word)
        done += step
