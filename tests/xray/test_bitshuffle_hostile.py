"""Thousands of damaged chunks: the decoder gives a code or counts, and never reads or writes elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.io.bitshuffle_lz4 import decode_frame, workspace
from analysis.io.eiger import read_series
from analysis.io.frames import FrameReader, Region
from analysis.io.lz4 import OK
from tests.xray.frames import write_data
from tests.xray.test_bitshuffle_kernels import frame_of, packed


def test_mutated_chunks_never_break_out() -> None:
    rng = np.random.default_rng(4)
    frame = frame_of(np.uint32, (40, 50))
    chunk = packed(frame, block=0)
    region = (5, 30, 10, 40)
    guarded = np.full((27, 30), 0xABCDEF, np.uint32)
    every = np.full((42, 50), 0xABCD, np.uint16)
    room = workspace(frame.size)
    refused = 0
    for _ in range(3000):
        damaged = chunk.copy()
        for place in rng.integers(0, chunk.size, size=rng.integers(1, 6)):
            damaged[place] = rng.integers(0, 256)
        if rng.random() < 0.3:
            damaged = damaged[: rng.integers(0, chunk.size)]
        out, whole = guarded[1:26], every[1:41] if rng.random() < 0.5 else every[:0]
        refused += decode_frame(damaged, 4, 50, frame.size, region, out, whole, *room) != OK
    assert refused > 500
    assert (guarded[[0, -1]] == 0xABCDEF).all()
    assert (every[[0, -1]] == 0xABCD).all()


def test_a_damaged_frame_is_missing_and_its_neighbours_are_not(tmp_path: Path) -> None:
    frames = np.stack([frame_of(np.uint32, (40, 50)) + k for k in range(3)]).astype(np.uint32)
    path = tmp_path / "lone.h5"
    write_data(path, frames, first=1)
    chunk = packed(frames[1], block=0).tobytes()
    raw = bytearray(path.read_bytes())
    place = raw.find(chunk)
    assert place > 0
    raw[place + 14] ^= 0xFF
    path.write_bytes(raw)
    out = np.zeros((40, 50), np.uint32)
    with FrameReader(read_series(path), Region(rows=(0, 40), cols=(0, 50))) as reader:
        assert reader.fast
        assert [reader.read(number, out) for number in (1, 2, 3, 4)] == [True, False, True, False]
        np.testing.assert_array_equal(out, frames[2])


@pytest.mark.real
def test_the_real_eiger_frame_is_decoded_as_hdf5plugin_does(real_data: Path) -> None:
    import h5py

    path = real_data / "xray" / "eiger4m_one_frame.h5"
    with h5py.File(path) as file:
        expected = file["entry/data/data"][0]
    series = read_series(path)
    for region in (Region(rows=(0, 2167), cols=(0, 2070)), Region(rows=(1000, 1326), cols=(700, 1101))):
        out = np.zeros(region.shape, np.uint32)
        with FrameReader(series, region) as reader:
            assert reader.fast
            assert reader.read(1, out)
        np.testing.assert_array_equal(out, region.cut(expected))
    assert np.count_nonzero(expected == 2**32 - 1) == 251_302
