"""Counts by cell, photons as gaps and the search for an orientation, against plain NumPy. Tiny inputs."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.xray.spot_kernels import N, covariance, evaluate, maximize
from analysis.xray.wide_angle_kernels import (
    ESCAPE,
    PHI_BINS,
    RUN_WORDS,
    SATURATED,
    count_cells,
    orientation,
    sum_rings,
)
from analysis.xray.wide_angle_pass import counting_words

ROWS = 3


def counted(
    frame: np.ndarray, cell: np.ndarray, *, kept: tuple[bool, ...] = (True,) * ROWS, room: int = 4000
) -> tuple[np.ndarray, np.ndarray, int, int]:
    histogram = np.full(ROWS * PHI_BINS, 7, dtype=np.uint32)
    gaps = np.zeros(room, dtype=np.uint8)
    words = frame[: frame.size - frame.size % 4].view(np.uint64)
    runs = counting_words(cell >= 0)
    saturated, written = count_cells(frame, words, cell, runs, 100, np.array(kept), histogram, gaps)
    return histogram, gaps, saturated, written


@pytest.fixture
def frame() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.poisson(0.02, 1203).astype(np.uint16)


@pytest.fixture
def cell() -> np.ndarray:
    cell = np.random.default_rng(6).integers(0, ROWS * PHI_BINS, 1203).astype(np.int32)
    cell[::7] = -1
    return cell


def test_cells_sum_their_pixels(frame: np.ndarray, cell: np.ndarray) -> None:
    frame[-1], cell[-1] = 3, 11
    histogram, _, saturated, _ = counted(frame, cell)
    expected = np.bincount(cell[cell >= 0], weights=frame[cell >= 0], minlength=ROWS * PHI_BINS)
    np.testing.assert_array_equal(histogram, expected)
    assert saturated == 0


def test_words_without_a_pixel_that_counts_are_left_out_and_runs_are_not_too_long() -> None:
    counts = np.zeros(4 * (2 * RUN_WORDS + 60) + 3, dtype=np.bool_)
    counts[[9, 4 * 40 + 3]] = True
    counts[4 * 50 : 4 * 50 + 4 * (RUN_WORDS + 7)] = True
    expected = [[2, 3], [40, 41], [50, 50 + RUN_WORDS], [50 + RUN_WORDS, 57 + RUN_WORDS]]
    assert counting_words(counts).tolist() == expected
    assert counting_words(np.zeros(9, dtype=np.bool_)).shape == (0, 2)


def test_gaps_lead_to_every_photon(frame: np.ndarray, cell: np.ndarray) -> None:
    frame[:] = 0
    frame[[2, 3, 700, 1202]] = (1, 4, 2, 1)
    cell[[2, 3, 700, 1202]] = 5
    _, gaps, _, written = counted(frame, cell)
    pixels = np.cumsum(gaps[:written], dtype=np.int64)[gaps[:written] != ESCAPE]
    assert pixels.tolist() == [2, 3, 3, 3, 3, 700, 700, 1202]


def test_photons_of_rows_that_are_not_kept_are_counted_but_left_out(
    frame: np.ndarray, cell: np.ndarray
) -> None:
    histogram, gaps, _, written = counted(frame, cell, kept=(True, False, True))
    pixels = np.cumsum(gaps[:written], dtype=np.int64)[gaps[:written] != ESCAPE]
    row = cell // PHI_BINS
    meant = np.repeat(np.arange(frame.size), np.where((cell >= 0) & (row != 1), frame, 0))
    np.testing.assert_array_equal(pixels, meant)
    assert histogram[PHI_BINS : 2 * PHI_BINS].sum() > 0


def test_saturated_pixels_mark_their_cell_and_are_not_counted(frame: np.ndarray, cell: np.ndarray) -> None:
    frame[:] = 0
    frame[[10, 11]], cell[[10, 11]] = (100, 5), 42
    histogram, _, saturated, _ = counted(frame, cell)
    assert saturated == 1
    assert histogram[42] == SATURATED + 5


def test_a_frame_with_more_photons_than_room_keeps_none(frame: np.ndarray, cell: np.ndarray) -> None:
    frame[:] = 1
    assert counted(frame, cell, room=100)[3] == -1


def test_rings_are_sums_of_rows() -> None:
    rng = np.random.default_rng(8)
    histogram = rng.poisson(1.0, ROWS * PHI_BINS).astype(np.uint32)
    marked = histogram.copy()
    marked[5] |= SATURATED
    radial, rings = np.zeros(ROWS, dtype=np.float32), np.ones((1, PHI_BINS), dtype=np.uint32)
    sum_rings(marked, np.array([[1, 3]]), radial, rings)
    grid = histogram.reshape(ROWS, PHI_BINS)
    np.testing.assert_array_equal(radial, grid.sum(axis=1))
    np.testing.assert_array_equal(rings[0], grid[1:].sum(axis=0))


@pytest.mark.parametrize("place", [0, 31, 88])
def test_spots_a_quarter_turn_apart_are_found_wherever_they_stand(place: int) -> None:
    rng = np.random.default_rng(9)
    weight = np.full((2, PHI_BINS), 50.0)
    weight[0, 100:160] = 0.0
    mean = 0.1 * weight
    for ring, offset in ((0, 0), (1, 45)):
        for turn in (0, 90, 180, 270):
            for away, share in ((-2, 0.3), (-1, 0.7), (0, 1.0), (1, 0.7), (2, 0.3)):
                at = (place + offset + turn + away) % PHI_BINS
                mean[ring, at] += 8.0 * share * (weight[ring, at] > 0.0)
    rings = rng.poisson(mean).astype(np.uint32)
    found, signal = orientation(rings, 0.05 * weight, weight, np.array([0, 45]), 2)
    assert min((found - place) % 90, (place - found) % 90) <= 1
    assert signal > 7.0


def test_an_even_ring_has_no_orientation() -> None:
    weight = np.full((2, PHI_BINS), 50.0)
    heights = [
        orientation(
            np.random.default_rng(seed).poisson(0.1 * weight).astype(np.uint32),
            0.02 * weight,
            weight,
            np.array([0, 45]),
            4,
        )[1]
        for seed in range(10)
    ]
    assert max(heights) < 4.5


def cells_of(p: np.ndarray, seed: int) -> np.ndarray:
    """Counts in a small window of cells with these parameters, background included."""
    rng = np.random.default_rng(seed)
    q, phi = np.meshgrid(np.linspace(9.8, 11.8, 9), np.linspace(-0.2, 0.2, 9), indexing="ij")
    e, back = np.full(q.size, 20.0), np.full(q.size, 0.6)
    peak = np.exp(
        p[4]
        - 0.5 * ((q.ravel() - p[0]) / np.exp(p[2])) ** 2
        - 0.5 * ((phi.ravel() - p[1]) / np.exp(p[3])) ** 2
    )
    mean = e * (peak + p[5] + p[6] * (q.ravel() - 10.8)) + back
    return np.column_stack([q.ravel(), phi.ravel(), e, back, rng.poisson(mean).astype(float)])


TRUE = np.array([10.75, 0.01, np.log(0.3), np.log(0.07), 0.3, 0.05, 0.01])


def test_the_score_is_the_slope_of_the_likelihood() -> None:
    cells = cells_of(TRUE, 1)
    score, fisher = np.empty(N), np.empty((N, N))
    at = TRUE + 0.03
    evaluate(cells, len(cells), 10.8, at, score, fisher)
    for a in range(N):
        step = np.zeros(N)
        step[a] = 1e-5
        ends = [
            evaluate(cells, len(cells), 10.8, at + sign * step, np.empty(N), np.empty((N, N)))
            for sign in (1.0, -1.0)
        ]
        assert score[a] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-4)
    assert np.linalg.eigvalsh(fisher).min() > 0.0


def test_the_maximum_is_reached_and_its_covariance_inverts_the_information() -> None:
    cells = cells_of(TRUE, 2)
    p, fisher = TRUE + np.array([0.1, 0.02, 0.2, -0.2, -0.5, 0.02, 0.0]), np.empty((N, N))
    lower, upper = np.full(N, -40.0), np.full(N, 40.0)
    converged, _ = maximize(cells, len(cells), 10.8, p, lower, upper, np.zeros(N, dtype=np.bool_), fisher)
    variance, score = np.empty((N, N)), np.empty(N)
    assert converged
    evaluate(cells, len(cells), 10.8, p, score, fisher)
    assert covariance(fisher, np.zeros(N, dtype=np.bool_), variance)
    np.testing.assert_allclose(variance @ fisher, np.eye(N), atol=1e-6)
    assert np.all(np.abs(p - TRUE) < 4.5 * np.sqrt(np.diag(variance)))
