"""Grids from positions: noise, serpentine, missing and repeated points; truth is the grid they came from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.xray.raster import NoRasterError, Raster, fast_first, fit_raster, ordered_raster


def scan(
    shape: tuple[int, int], step: tuple[float, float], *, serpentine: bool, noise: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (fast, slow) in scan order with noise in pitches, and the true (row, col) of each point."""
    rng = np.random.default_rng(seed)
    cells = []
    for row in range(shape[0]):
        along = range(shape[1])
        cells += [(row, col) for col in (reversed(along) if serpentine and row % 2 else along)]
    truth = np.array(cells)
    place = truth + noise * rng.standard_normal(truth.shape)
    return 3.7 + step[1] * place[:, 1], -120.0 + step[0] * place[:, 0], truth


def assert_is(raster: Raster, shape: tuple[int, int], step: tuple[float, float], *, serpentine: bool) -> None:
    assert raster.shape == shape
    assert raster.step == pytest.approx(step, rel=0.02)
    assert raster.serpentine is serpentine


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    step=st.tuples(*[st.sampled_from([-2.5, -0.3, 0.3, 2.5])] * 2),
    serpentine=st.booleans(),
)
def test_any_grid_is_found_again(shape: tuple[int, int], step: tuple[float, float], serpentine: bool) -> None:
    fast, slow, truth = scan(shape, step, serpentine=serpentine)
    raster = fit_raster(fast, slow)
    assert_is(raster, shape, step, serpentine=serpentine)
    np.testing.assert_array_equal(raster.cells, truth)
    assert raster.residual_max < 1e-6


@pytest.mark.parametrize("serpentine", [False, True])
@pytest.mark.parametrize("shape", [(61, 61), (5, 40), (40, 3)])
def test_noisy_readback_finds_every_cell(shape: tuple[int, int], serpentine: bool) -> None:
    fast, slow, truth = scan(shape, (0.4, -0.4), serpentine=serpentine, noise=0.05, seed=3)
    assert np.unique(fast).size == fast.size
    raster = fit_raster(fast, slow)
    assert_is(raster, shape, (0.4, -0.4), serpentine=serpentine)
    np.testing.assert_array_equal(raster.cells, truth)
    assert raster.residual_rms == pytest.approx(0.05 * np.sqrt(2), rel=0.1)


def test_points_that_are_not_there_leave_empty_cells() -> None:
    fast, slow, truth = scan((7, 9), (1.0, 0.5), serpentine=True, noise=0.03)
    kept = np.setdiff1d(np.arange(63), [5, 17, 18, 40])
    raster = fit_raster(fast[kept], slow[kept])
    np.testing.assert_array_equal(raster.cells, truth[kept])
    assert (raster.shape, raster.empty) == ((7, 9), 4)
    fast[[4, 30]] = np.nan
    told = fit_raster(fast, slow)
    assert told.unplaced == 2
    assert told.cells[[4, 30]].tolist() == [[-1, -1], [-1, -1]]
    np.testing.assert_array_equal(np.delete(told.cells, [4, 30], axis=0), np.delete(truth, [4, 30], axis=0))


def test_a_point_taken_twice_keeps_its_first_frame() -> None:
    fast, slow, truth = scan((4, 6), (1.0, 1.0), serpentine=False)
    again = np.insert(np.arange(24), 10, 9)
    raster = fit_raster(fast[again], slow[again])
    assert raster.repeated == 1
    assert raster.cells[10].tolist() == [-1, -1]
    np.testing.assert_array_equal(np.delete(raster.cells, 10, axis=0), truth)


def test_the_fast_axis_is_told_from_the_slow_one() -> None:
    for serpentine in (False, True):
        fast, slow, _ = scan((6, 4), (1.0, 1.0), serpentine=serpentine, noise=0.05)
        assert fast_first(fast, slow)
        assert not fast_first(slow, fast)


def test_positions_without_a_grid_are_refused() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(NoRasterError):
        fit_raster(rng.uniform(0, 10, 100), rng.uniform(0, 10, 100))
    fast, slow, _ = scan((6, 6), (1.0, 1.0), serpentine=False)
    slow[8] += 0.3
    with pytest.raises(NoRasterError, match=r"within 0\.25 pitch"):
        fit_raster(fast, slow)


def test_other_faults_are_named() -> None:
    line = np.arange(20.0)
    with pytest.raises(NoRasterError, match="one-dimensional"):
        fit_raster(line, np.zeros(20))
    with pytest.raises(NoRasterError, match="at rest"):
        fit_raster(np.zeros(20), line)
    with pytest.raises(NoRasterError, match="four points"):
        fit_raster(np.full(20, np.nan), line)
    fast, slow, _ = scan((6, 6), (1.0, 1.0), serpentine=False)
    with pytest.raises(NoRasterError, match="half of the 16 x 6"):
        fit_raster(fast, slow, shape=(16, 6))
    with pytest.raises(NoRasterError, match="6 x 6"):
        fit_raster(fast, slow, shape=(6, 7))
    with pytest.raises(NoRasterError, match="in cells that were taken"):
        fit_raster(np.tile(fast, 2), np.tile(slow, 2))


def test_the_order_of_a_command_places_points_that_read_far_off() -> None:
    fast, slow, truth = scan((11, 11), (0.01, 0.01), serpentine=False, noise=0.05)
    fast[::11] -= 0.007
    raster = ordered_raster(fast[:97], slow[:97], shape=(11, 11))
    np.testing.assert_array_equal(raster.cells, truth[:97])
    assert (raster.empty, raster.serpentine) == (24, False)
    assert raster.residual_max > 0.5
    fast, slow, truth = scan((4, 5), (1.0, 2.0), serpentine=True)
    assert_is(ordered_raster(fast, slow, shape=(4, 5)), (4, 5), (1.0, 2.0), serpentine=True)


def test_an_order_that_positions_deny_is_refused() -> None:
    fast, slow, _ = scan((8, 8), (1.0, 1.0), serpentine=False)
    lost = np.delete(np.arange(64), 20)
    with pytest.raises(NoRasterError, match="on the fast axis"):
        ordered_raster(fast[lost], slow[lost], shape=(8, 8))
    with pytest.raises(NoRasterError, match="31 of 64"):
        ordered_raster(fast[:31], slow[:31], shape=(8, 8))
    with pytest.raises(NoRasterError, match="64 of 56"):
        ordered_raster(fast, slow, shape=(7, 8))
    with pytest.raises(NoRasterError, match="does not"):
        ordered_raster(fast, np.zeros(64), shape=(8, 8))


@pytest.mark.parametrize("serpentine", [False, True])
@pytest.mark.parametrize("shape", [(8, 10), (2, 2), (7, 5)])
def test_exact_positions_in_the_order_of_a_command_are_placed(
    shape: tuple[int, int], serpentine: bool
) -> None:
    """Of an even number of rows, straight columns do not move at all with those of a serpentine."""
    fast, slow, truth = scan(shape, (0.5, 0.25), serpentine=serpentine)
    raster = ordered_raster(fast, slow, shape=shape)
    assert raster.serpentine is serpentine
    np.testing.assert_array_equal(raster.cells, truth)
    np.testing.assert_allclose(raster.residuals, 0.0, atol=1e-9)
