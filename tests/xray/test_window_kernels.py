"""The loops behind windows of q and phi, on a handful of pixels counted by hand."""

from __future__ import annotations

import numpy as np

from analysis.xray.window_kernels import gathered, scattered, summed


def index(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint32)


def test_pixels_are_added_by_cell_and_the_room_is_left_empty() -> None:
    cell_of = np.array([0, 0, -1, 2, 1, 2], dtype=np.int32)
    total, cells, sums = (np.zeros(3, dtype=np.uint32) for _ in range(3))
    number = gathered(index(4, 1, 9, 2, 0, 2), cell_of, total, cells, sums)
    assert number == 2
    assert (cells[:2].tolist(), sums[:2].tolist()) == ([0, 2], [5, 4])
    assert total.tolist() == [0, 0, 0]


def test_cells_of_patterns_become_lists_of_points_and_their_sums() -> None:
    starts = np.array([0, 2, 2, 3])
    points, counts = (np.zeros(3, dtype=np.uint32) for _ in range(2))
    fill = starts[:-1].copy()
    scattered(index(0, 2), index(5, 4), 0, fill, points, counts)
    scattered(index(0), index(7), 3, fill, points, counts)
    assert points.tolist() == [0, 3, 0]
    assert counts.tolist() == [5, 7, 4]
    total = np.zeros(4)
    summed(np.array([0, 2]), starts, points, counts, total)
    assert total.tolist() == [9.0, 0.0, 0.0, 7.0]
