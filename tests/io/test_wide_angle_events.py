"""Photons beyond small angles: what is packed comes back from the result, and what lies is refused."""

from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from analysis.errors import ResultError
from analysis.io.results import read_result, write_result
from analysis.io.wide_angle_events import ESCAPE, read_photons, write_photons
from analysis.records import EventStack
from tests.io.test_wide_angle_result import wide_angle
from tests.synthetic_result import make_result

DETECTOR = (40, 50)


def packed(pixels: list[int]) -> np.ndarray:
    """Gaps by hand: a byte each, 255 for 255 and what follows."""
    gaps, last = bytearray(), 0
    for pixel in pixels:
        gap = pixel - last
        while gap >= ESCAPE:
            gaps.append(ESCAPE)
            gap -= ESCAPE
        gaps.append(gap)
        last = pixel
    return np.frombuffer(zlib.compress(bytes(gaps)), dtype=np.uint8)


FRAMES = {(0, 0): [0, 0, 5], (0, 2): [254, 255, 256, 510, 1999], (1, 1): [1999, 1999], (1, 2): [765]}


@pytest.fixture
def stack(tmp_path: Path) -> EventStack:
    lengths = np.zeros((2, 3), dtype=np.int64)
    rows: list[np.ndarray] = []
    for row in range(2):
        parts = [packed(FRAMES[row, col]) for col in range(3) if (row, col) in FRAMES]
        for (r, col), pixels in FRAMES.items():
            if r == row:
                lengths[row, col] = packed(pixels).size
        rows.append(np.concatenate(parts))
    return write_photons(tmp_path, rows, lengths, detector=DETECTOR)


def test_every_frame_comes_back(stack: EventStack) -> None:
    for row in range(2):
        for col in range(3):
            assert read_photons(stack, row, col).tolist() == FRAMES.get((row, col), [])
    with pytest.raises(IndexError):
        read_photons(stack, 2, 0)


def test_they_go_through_a_result_file(tmp_path: Path) -> None:
    made = make_result(size=7, sem=False, afm=False)
    lengths = np.zeros((7, 7), dtype=np.int64)
    bytes_ = packed([3, 700])
    lengths[2, 4] = bytes_.size
    big = write_photons(tmp_path, [bytes_], lengths, detector=DETECTOR)
    wide = dataclasses.replace(wide_angle((7, 7), np.uint16), events=big)
    result = dataclasses.replace(made, xray=(dataclasses.replace(made.xray[0], wide_angle=wide),))
    write_result(tmp_path / "a.h5", result)
    found = read_result(tmp_path / "a.h5").xray[0].wide_angle
    assert found is not None
    assert found.events is not None
    assert found.events.path == str(tmp_path / "a.h5")
    assert read_photons(found.events, 2, 4).tolist() == [3, 700]
    assert read_photons(found.events, 0, 0).size == 0


@pytest.mark.parametrize(
    "frame",
    [
        b"not zlib at all",
        zlib.compress(bytes([200] * 60))[:-6],
        zlib.compress(bytes([254] * 60)),
    ],
    ids=["no stream", "cut", "beyond the detector"],
)
def test_a_frame_that_lies_is_refused(frame: bytes, tmp_path: Path) -> None:
    lengths = np.array([[len(frame)]])
    stack = write_photons(tmp_path, [np.frombuffer(frame, dtype=np.uint8)], lengths, detector=DETECTOR)
    with pytest.raises(ResultError):
        read_photons(stack, 0, 0)


def test_a_bomb_is_not_unpacked_whole(tmp_path: Path) -> None:
    bomb = np.frombuffer(zlib.compress(b"\0" * (2**26 + 4096), 9), dtype=np.uint8)
    stack = write_photons(tmp_path, [bomb], np.array([[bomb.size]]), detector=DETECTOR)
    with pytest.raises(ResultError, match="does not end"):
        read_photons(stack, 0, 0)


def test_lengths_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    made = make_result(size=7, sem=False, afm=False)
    lengths = np.zeros((7, 7), dtype=np.int64)
    lengths[0, 0] = packed([1]).size
    stack = write_photons(tmp_path, [packed([1])], lengths, detector=DETECTOR)
    wide = dataclasses.replace(wide_angle((7, 7), np.uint16), events=stack)
    result = dataclasses.replace(made, xray=(dataclasses.replace(made.xray[0], wide_angle=wide),))
    write_result(tmp_path / "a.h5", result)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["entry/xray/wide_angle/photons/lengths"][0, 0] += 1
    with pytest.raises(ResultError):
        read_result(tmp_path / "a.h5")
