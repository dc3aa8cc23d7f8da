"""Hot and flickering pixels are found, and no crystal's peak is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.xray.pixel_quality import always_high, flickering, hot_pixels, second_largest_neighbours

FRAMES, ROWS, COLS = 64, 50, 60


def crystal(rng: np.random.Generator, *, width_px: float = 0.8, height: float = 80.0) -> np.ndarray:
    """Frames with a smooth film and a bright peak that moves slowly, seen in half of the frames."""
    row, col = np.mgrid[0:ROWS, 0:COLS].astype(float)
    expected = np.full((FRAMES, ROWS, COLS), 0.3)
    for k in range(0, FRAMES, 2):
        at = 20.0 + 8.0 * k / FRAMES, 30.0 + 3.0 * np.sin(0.2 * k)
        expected[k] += height * np.exp(-0.5 * ((row - at[0]) ** 2 + (col - at[1]) ** 2) / width_px**2)
    return rng.poisson(expected).astype(np.uint32)


@pytest.mark.parametrize(("share", "counts"), [(0.12, 30.0), (0.5, 8.0), (0.9, 3.0)])
def test_flickering_pixels_are_found_and_peaks_are_left(share: float, counts: float) -> None:
    rng = np.random.default_rng(5)
    frames = crystal(rng)
    bad = np.zeros((ROWS, COLS), bool)
    bad[(5, 40, 23, 47, 6), (7, 50, 12, 30, 7)] = True  # two of them side by side
    flashes = rng.random(frames.shape) < share
    frames += (rng.poisson(counts, frames.shape) * flashes * bad).astype(np.uint32)
    usable = np.ones((ROWS, COLS), bool)
    found = flickering(frames, usable) | always_high(frames, usable)
    if share < 0.9:
        assert found[bad].all()
    assert not found[~bad].any()
    assert not flickering(frames, ~bad).any()


def test_a_flash_in_one_frame_condemns_no_pixel() -> None:
    frames = crystal(np.random.default_rng(6))
    frames[11, 8, 9] += 5000
    frames[30, 8, 9] += 70
    assert not flickering(frames, np.ones((ROWS, COLS), bool)).any()


def test_a_pixel_that_flickers_on_a_peak_is_found() -> None:
    rng = np.random.default_rng(7)
    frames = crystal(rng, width_px=2.5)
    frames[::5, 24, 31] += rng.poisson(400, frames[::5, 24, 31].shape).astype(np.uint32)
    found = flickering(frames, np.ones((ROWS, COLS), bool))
    assert np.argwhere(found).tolist() == [[24, 31]]


def test_steadily_high_pixels_are_hot_and_a_steady_peak_is_not() -> None:
    rng = np.random.default_rng(8)
    frames = crystal(rng)
    frames[:, 10, 45] += rng.poisson(9, FRAMES).astype(np.uint32)
    usable = np.ones((ROWS, COLS), bool)
    assert np.argwhere(always_high(frames, usable)).tolist() == [[10, 45]]
    assert np.argwhere(hot_pixels(frames[1::2].sum(axis=0).astype(float), usable)).tolist() == [[10, 45]]
    usable[10, 45] = False
    assert not flickering(frames, usable).any()


def test_few_frames_condemn_nothing() -> None:
    frames = np.zeros((5, 8, 8), np.uint32)
    frames[:, 3, 3] = (0, 900, 0, 900, 900)
    assert not flickering(frames, np.ones((8, 8), bool)).any()
    assert not always_high(frames, np.ones((8, 8), bool)).any()


def test_second_largest_neighbours_by_hand() -> None:
    values = np.array([[1.0, 9.0, 2.0], [4.0, 7.0, 3.0], [0.0, 5.0, 6.0]])
    into = np.zeros((3, 3))
    second_largest_neighbours(values, into)
    assert into.tolist() == [[7.0, 4.0, 7.0], [7.0, 6.0, 7.0], [5.0, 6.0, 5.0]]
