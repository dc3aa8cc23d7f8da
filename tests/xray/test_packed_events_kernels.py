"""Pixels that counted, straight from packed frames: what the HDF5 filter packed, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.io.bitshuffle_lz4 import BAD_HEADER, BAD_TABLE
from analysis.io.lz4 import BAD_BLOCK, OK
from analysis.io.packed_events import decode_events, events_workspace

BLOCK_BYTES = 1 << 13


def sparse(dtype: type[np.unsignedinteger], shape: tuple[int, int], *, seed: int = 0) -> np.ndarray:
    """A frame that is nearly empty, with a few large counts."""
    random = np.random.default_rng(seed)
    frame = random.poisson(0.05, shape).astype(dtype)
    frame.flat[random.integers(0, frame.size, 3)] = np.iinfo(dtype).max - np.arange(3, dtype=dtype)
    return frame


def packed(frame: np.ndarray, path: Path) -> np.ndarray:
    """The bytes that the HDF5 library stores for a frame."""
    with h5py.File(path / "frame.h5", "w") as file:
        data = file.create_dataset("d", data=frame, chunks=frame.shape, **hdf5plugin.Bitshuffle())
        return np.frombuffer(data.id.read_direct_chunk((0, 0))[1], dtype=np.uint8)


def decoded(chunk: np.ndarray, frame: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    places, counts, *room = events_workspace(frame.size, BLOCK_BYTES)
    code, number = decode_events(chunk, frame.itemsize, frame.size, places, counts, *room)
    return code, places[:number], counts[:number]


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        (np.uint8, (7, 9)),
        (np.uint16, (31, 45)),
        (np.uint32, (40, 61)),
        (np.uint32, (3, 5)),
        (np.uint16, (2, 3)),
    ],
)
def test_they_are_the_pixels_above_zero(
    dtype: type[np.unsignedinteger], shape: tuple[int, int], tmp_path: Path
) -> None:
    frame = sparse(dtype, shape)
    code, places, counts = decoded(packed(frame, tmp_path), frame)
    assert code == OK
    assert places.tolist() == np.flatnonzero(frame).tolist()
    assert counts.tolist() == frame.ravel()[np.flatnonzero(frame)].tolist()


def test_an_empty_frame_has_none(tmp_path: Path) -> None:
    frame = np.zeros((20, 30), np.uint32)
    code, places, _ = decoded(packed(frame, tmp_path), frame)
    assert (code, places.size) == (OK, 0)


def test_damage_is_told_by_code(tmp_path: Path) -> None:
    frame = sparse(np.uint16, (31, 45))
    chunk = packed(frame, tmp_path)
    assert decoded(chunk[:-1], frame)[0] == BAD_TABLE
    wrong_size = chunk.copy()
    wrong_size[7] ^= 1
    assert decoded(wrong_size, frame)[0] == BAD_HEADER
    too_large = chunk.copy()
    too_large[8:12] = np.frombuffer(np.uint32(2 * BLOCK_BYTES).byteswap().tobytes(), np.uint8)
    assert decoded(too_large, frame)[0] != OK
    looks_back = chunk.copy()
    looks_back[16:19] = [0x04, 255, 255]
    assert decoded(looks_back, frame)[0] == BAD_BLOCK


def test_random_damage_never_gives_a_place_outside_of_the_frame(tmp_path: Path) -> None:
    frame = sparse(np.uint16, (9, 16))
    chunk = packed(frame, tmp_path)
    random = np.random.default_rng(1)
    for _ in range(60):
        damaged = chunk.copy()
        damaged[random.integers(12, chunk.size, 3)] = random.integers(0, 256, 3)
        code, places, counts = decoded(damaged, frame)
        assert code != OK or (places.size == counts.size and (places < frame.size).all())
