"""The decoder of regions: the same counts as the reference filter, an error code for anything damaged."""

from __future__ import annotations

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.io.bitshuffle_lz4 import BAD_HEADER, BAD_TABLE, NO_FRAME, decode_frame, workspace
from analysis.io.lz4 import BAD_BLOCK, OK, SLACK, decode_lz4


def packed(frame: np.ndarray, *, block: int = 64) -> np.ndarray:
    """The chunk that the reference filter makes of a frame, ``block`` elements a block."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        data = file.create_dataset(
            "x",
            data=frame[None],
            chunks=(1, *frame.shape),
            **hdf5plugin.Bitshuffle(nelems=block, cname="lz4"),
        )
        return np.frombuffer(data.id.read_direct_chunk((0, 0, 0))[1], dtype=np.uint8)


def decoded(
    chunk: np.ndarray, frame: np.ndarray, region: tuple[int, int, int, int]
) -> tuple[int, np.ndarray]:
    out = np.zeros((region[1] - region[0], region[3] - region[2]), np.uint32)
    code = decode(chunk, frame, region, out, NO_FRAME)
    return code, out


def decode(
    chunk: np.ndarray,
    frame: np.ndarray,
    region: tuple[int, int, int, int],
    out: np.ndarray,
    whole: np.ndarray,
) -> int:
    room = workspace(frame.size)
    return decode_frame(chunk, frame.dtype.itemsize, frame.shape[1], frame.size, region, out, whole, *room)


def frame_of(kind: type[np.unsignedinteger], shape: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(2)
    frame = rng.poisson(0.6, shape).astype(kind)
    frame[3:5] = 0
    frame[-2] = np.iinfo(kind).max
    frame[rng.random(shape) < 0.02] = np.iinfo(kind).max // 3
    return frame


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("shape", [(9, 13), (8, 32)])
def test_regions_are_what_the_reference_filter_gives(
    kind: type[np.unsignedinteger], shape: tuple[int, int]
) -> None:
    frame = frame_of(kind, shape)
    chunk = packed(frame)
    for region in ((0, shape[0], 0, shape[1]), (2, 7, 3, 11), (shape[0] - 1, shape[0], 5, shape[1])):
        code, out = decoded(chunk, frame, region)
        assert code == OK
        np.testing.assert_array_equal(out, frame[region[0] : region[1], region[2] : region[3]])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize(("shape", "block"), [((9, 13), 64), ((7, 40), 128), ((3, 71), 0)])
def test_a_frame_and_its_region_come_from_one_decoding(
    kind: type[np.unsignedinteger], shape: tuple[int, int], block: int
) -> None:
    frame = frame_of(kind, shape)
    region = (1, shape[0], 2, shape[1] - 3)
    out = np.zeros((region[1] - region[0], region[3] - region[2]), np.uint32)
    whole = np.zeros(shape, np.uint16)
    assert decode(packed(frame, block=block), frame, region, out, whole) == OK
    np.testing.assert_array_equal(out, frame[region[0] : region[1], region[2] : region[3]])
    np.testing.assert_array_equal(whole, np.minimum(frame.astype(np.int64), 2**16 - 1))


@pytest.mark.parametrize("period", [1, 2, 3, 5, 7, 8, 11, 16, 40])
@pytest.mark.parametrize("length", [4, 9, 19, 100])
def test_repeats_of_any_period_are_decoded(period: int, length: int) -> None:
    """A period of literals, a match that overlaps itself, five literals: the format's own example."""
    start = list(range(1, period + 1))
    head = [min(period, 15) << 4 | min(length - 4, 15)] + ([period - 15] if period >= 15 else [])
    tail = [period, 0] + ([length - 19] if length >= 19 else []) + [0x50, 9, 9, 9, 9, 9]
    data = [*head, *start, *tail]
    expected = [start[k % period] for k in range(period + length)] + [9] * 5
    out = np.zeros(len(expected) + SLACK, np.uint8)
    assert decode_lz4(np.array(data, np.uint8), 0, len(data), out, len(expected)) == OK
    assert out[: len(expected)].tolist() == expected


def test_damaged_tables_are_told_by_code() -> None:
    frame = frame_of(np.uint16, (9, 13))
    chunk = packed(frame)
    whole = (0, 9, 0, 13)
    assert decoded(chunk[:8], frame, whole)[0] == BAD_HEADER
    wrong_size = chunk.copy()
    wrong_size[7] ^= 1
    assert decoded(wrong_size, frame, whole)[0] == BAD_HEADER
    for block_bytes in (0, 24, 1 << 30):
        wrong_block = chunk.copy()
        wrong_block[8:12] = np.frombuffer(np.uint32(block_bytes).byteswap().tobytes(), np.uint8)
        assert decoded(wrong_block, frame, whole)[0] != OK
    assert decoded(chunk[:-1], frame, whole)[0] == BAD_TABLE
    assert decoded(np.append(chunk, np.uint8(0)), frame, whole)[0] == BAD_TABLE
    wrong_length = chunk.copy()
    wrong_length[12] = 255
    assert decoded(wrong_length, frame, whole)[0] == BAD_TABLE


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([0x30, 1, 2, 3], [1, 2, 3]),
        ([0x12, 7, 1, 0, 0x10, 9], [7] * 7 + [9]),  # one literal, a run of 6 of it, one literal
        ([0x22, 1, 2, 2, 0, 0x10, 3], [1, 2, 1, 2, 1, 2, 1, 2, 3]),
        ([0xF0, 2, *range(17)], list(range(17))),
        ([0x1F, 5, 1, 0, 3, 0x10, 6], [5] * 23 + [6]),
    ],
)
def test_blocks_of_the_published_format_are_decoded(data: list[int], expected: list[int]) -> None:
    out = np.zeros(64 + SLACK, np.uint8)
    assert decode_lz4(np.array(data, np.uint8), 0, len(data), out, len(expected)) == OK
    assert out[: len(expected)].tolist() == expected


@pytest.mark.parametrize(
    "data",
    [
        [0x30, 1, 2],  # fewer literals than said
        [0x10],
        [0xF0],  # length goes on beyond the end
        [0x14, 7, 2, 0, 0x10, 9],  # looks back before the beginning
        [0x14, 7, 0, 0, 0x10, 9],  # looks back by nothing
        [0x14, 7, 1],  # half an offset
        [0x1F, 7, 1, 0],  # a length that never ends
        [0x1F, 7, 1, 0, 200, 0x10, 9],  # more than there is room for
        [0x30, 1, 2, 3],  # less than was promised
        [],
    ],
)
def test_damaged_blocks_are_told_by_code(data: list[int]) -> None:
    out = np.zeros(16 + SLACK, np.uint8)
    assert decode_lz4(np.array(data, np.uint8), 0, len(data), out, 16) == BAD_BLOCK
    assert decode_lz4(np.array(data, np.uint8), 0, len(data), out, 99) == BAD_BLOCK
