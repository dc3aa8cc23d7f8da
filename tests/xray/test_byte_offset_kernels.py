"""Byte-offset compression of CBF images: what fabio packs is unpacked, and nothing is read past the end."""

from __future__ import annotations

import numpy as np
import pytest
from fabio.compression import compByteOffset

from analysis.io.byte_offset import CUT_SHORT, OK, OUT_OF_RANGE, decode_rows

IMAGE = np.array(
    [
        [0, 1, -1, -2, 127, 128],
        [-128, 255, 256, 32767, 32768, -32768],
        [65535, 65536, 2**31 - 1, 0, -(2**31 - 1), 0],
        [2**31 - 1, 1, 7, 7, 7, 9],
    ],
    np.int32,
)
WHOLE = (0, 4, 0, 6)


def unpacked(raw: bytes, region: tuple[int, int, int, int] = WHOLE) -> tuple[int, np.ndarray]:
    out = np.zeros((region[1] - region[0], region[3] - region[2]), np.uint32)
    return decode_rows(np.frombuffer(raw, np.uint8), 6, region, out), out


def test_what_fabio_packs_is_unpacked() -> None:
    code, out = unpacked(compByteOffset(IMAGE))
    assert code == OK
    np.testing.assert_array_equal(out, IMAGE.astype(np.uint32))


@pytest.mark.parametrize("region", [(1, 3, 2, 5), (3, 4, 0, 1), (0, 1, 5, 6)])
def test_a_region_is_cut_from_the_whole(region: tuple[int, int, int, int]) -> None:
    code, out = unpacked(compByteOffset(IMAGE), region)
    assert code == OK
    row0, row1, col0, col1 = region
    np.testing.assert_array_equal(out, IMAGE[row0:row1, col0:col1].astype(np.uint32))


def test_what_is_cut_anywhere_is_told() -> None:
    whole = compByteOffset(IMAGE)
    assert {unpacked(whole[:length])[0] for length in range(len(whole))} == {CUT_SHORT}
    assert unpacked(whole + b"\x80")[0] == OK


@pytest.mark.parametrize("step", [2**40, -(2**40), -(2**62), 2**33])
def test_values_beyond_counts_are_refused(step: int) -> None:
    escape = b"\x80" + b"\x00\x80" + b"\x00\x00\x00\x80"
    assert unpacked(escape + step.to_bytes(8, "little", signed=True) + b"\0" * 30)[0] == OUT_OF_RANGE


def test_sums_that_wander_off_are_refused() -> None:
    up = b"\x80\x00\x80" + (2**31 - 1).to_bytes(4, "little")
    assert unpacked(up * 24)[0] == OUT_OF_RANGE
