"""The crystal is found by its height, whatever the tilt of the ground under it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from analysis.afm.crystal import NoCrystalError, find_crystal, ground_of
from tests.afm.made_fields import Block


def assert_found(height: np.ndarray, truth: np.ndarray, wrong_px: int = 0) -> None:
    assert int((find_crystal(height).inside != truth).sum()) <= wrong_px


@pytest.mark.parametrize("tilt", [(0, 0), (200, -150), (800, 800), (-2400, 1600), (3000, -3000)])
def test_crystal_and_ground_are_exact_without_noise(tilt: tuple[float, float]) -> None:
    block = Block(tilt=tilt, offset=-37.0)
    found = find_crystal(block.measured())
    np.testing.assert_array_equal(found.inside, block.inside())
    np.testing.assert_allclose(found.plane.over(block.shape), block.plane(), atol=1e-8)
    assert found.step == pytest.approx(800.0)


@settings(max_examples=40, deadline=None)
@given(
    tilt=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    noise=st.floats(0, 0.03),
    dome=st.floats(0, 0.4),
    angle=st.floats(0, 90),
    seed=st.integers(0, 1000),
)
def test_crystal_is_found_with_noise_steps_between_rows_and_a_bent_top(
    tilt: tuple[float, float], noise: float, dome: float, angle: float, seed: int
) -> None:
    h = 500.0
    block = Block(
        height=h,
        tilt=(tilt[0] * h, tilt[1] * h),
        noise=noise * h,
        row_noise=0.01 * h,
        dome=dome,
        angle_deg=angle,
    )
    assert_found(block.measured(seed), block.inside(), wrong_px=3)


def test_a_crystal_cut_by_the_field_is_found() -> None:
    block = Block(centre_px=(15.0, 20.0), half_px=(40.0, 30.0), tilt=(400.0, 100.0), noise=4.0)
    assert_found(block.measured(), block.inside())


def test_a_crystal_that_fills_most_of_the_field_is_found() -> None:
    block = Block(half_px=(46.0, 33.0), centre_px=(47.5, 35.5), angle_deg=0.0, tilt=(500.0, 100.0), noise=4.0)
    assert block.inside().mean() > 0.85
    assert_found(block.measured(), block.inside())


def test_only_the_largest_piece_is_the_crystal() -> None:
    one, other = Block(half_px=(20, 20), centre_px=(30, 36)), Block(half_px=(8, 8), centre_px=(80, 30))
    found = find_crystal(one.top() + other.top())
    np.testing.assert_array_equal(found.inside, one.inside())
    assert (found.others, found.others_px) == (1, int(other.inside().sum()))


def test_holes_belong_to_the_crystal() -> None:
    block = Block(noise=2.0)
    height = block.measured()
    height[34:40, 40:47] = 0.0
    assert_found(height, block.inside())


def test_dirt_spikes_and_missing_pixels_do_not_matter() -> None:
    block = Block(tilt=(300.0, 300.0), noise=4.0)
    height = block.measured()
    height[3:6, 5:9] += 90.0
    height[60, 90] = 1e6
    height[10, 50] = -1e6
    height[5, 80:90] = np.nan
    truth = block.inside()
    truth[60, 90] = False
    assert_found(height, truth, wrong_px=1)


@pytest.mark.parametrize("smooth", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_rough_ground_alone_is_no_crystal(smooth: float, slope: float) -> None:
    rng = np.random.default_rng(8)
    rough = gaussian_filter(rng.standard_normal((90, 110)), smooth) + slope * np.arange(110)
    with pytest.raises(NoCrystalError):
        find_crystal(rough)


@pytest.mark.parametrize(
    "height",
    [np.zeros((30, 30)), np.full((30, 30), np.nan), np.arange(900.0).reshape(30, 30)],
    ids=["flat", "missing", "plane"],
)
def test_nothing_to_find_is_told(height: np.ndarray) -> None:
    with pytest.raises(NoCrystalError):
        find_crystal(height)


def test_a_single_spike_is_no_crystal() -> None:
    height = np.random.default_rng(0).normal(0, 1, (60, 60))
    height[30, 30] = 1e4
    with pytest.raises(NoCrystalError):
        find_crystal(height)


def test_ground_keeps_clear_of_the_crystal() -> None:
    inside = np.zeros((40, 40), dtype=bool)
    inside[15:25, 15:25] = True
    ground = ground_of(inside, np.ones((40, 40), dtype=bool))
    assert not ground[12:28, 12:28].any()
    assert ground.sum() == 1600 - 16 * 16
