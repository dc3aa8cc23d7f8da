"""Which pixels count: each reason on a field where its pixels are known."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.afm.status import clipped_pixels, excluded_counts, rim_pixels, status_map, steep_pixels
from analysis.records import AFM_STATUS


@pytest.mark.parametrize(("degrees", "steep"), [(44.0, False), (46.0, True), (80.0, True)])
@pytest.mark.parametrize("axis", [0, 1])
def test_slopes_are_measured_in_pixels_of_their_own_size(degrees: float, steep: bool, axis: int) -> None:
    dx, dy = 10.0, 25.0
    step = (dy, dx)[axis]
    ramp = np.indices((12, 15))[axis] * step * np.tan(np.radians(degrees))
    assert (steep_pixels(ramp, dx_nm=dx, dy_nm=dy) == steep).all()


def test_a_step_is_steep_on_both_sides_and_nowhere_else() -> None:
    height = np.zeros((8, 12))
    height[:, 6:] = 500.0
    steep = steep_pixels(height, dx_nm=50.0, dy_nm=50.0)
    assert steep.all(axis=0).tolist() == [col in {5, 6} for col in range(12)]
    assert not steep[:, [4, 7]].any()


def test_missing_height_is_not_steep_and_a_single_row_has_a_slope() -> None:
    assert not steep_pixels(np.full((3, 3), np.nan), dx_nm=1.0, dy_nm=1.0).any()
    assert steep_pixels(np.array([[0.0, 2.0, 4.0]]), dx_nm=1.0, dy_nm=1.0).all()


def test_the_rim_is_one_pixel_and_not_at_the_border_of_the_field() -> None:
    inside = np.zeros((7, 9), dtype=bool)
    inside[2:, 3:8] = True
    rim = rim_pixels(inside)
    expected = np.zeros_like(inside)
    expected[2, 3:8] = expected[2:, 3] = expected[2:, 7] = True
    np.testing.assert_array_equal(rim, expected)


def test_plateaus_at_both_ends_of_the_range_are_clipped() -> None:
    values = np.random.default_rng(2).normal(3.0, 1.0, (40, 40))
    clipped = np.clip(values, 1.0, 5.0)
    np.testing.assert_array_equal(clipped_pixels(clipped), (values <= 1.0) | (values >= 5.0))


def test_a_single_extreme_is_no_plateau() -> None:
    assert not clipped_pixels(np.random.default_rng(2).normal(3.0, 1.0, (40, 40))).any()


def test_few_levels_have_no_plateau() -> None:
    assert not clipped_pixels(np.repeat([0.0, 2.0], 50).reshape(10, 10)).any()


def test_missing_pixels_are_not_clipped() -> None:
    values = np.arange(100.0).reshape(10, 10)
    values[0] = np.nan
    values[9] = np.inf
    assert not clipped_pixels(values).any()


def test_each_pixel_has_its_first_reason() -> None:
    def at(*places: int) -> np.ndarray:
        return np.isin(np.arange(8), places)[None, :]

    status = status_map(
        inside=~at(0), edge=at(0, 1, 2, 3, 4), masked=at(2, 3, 4), clipped=at(3, 4, 5), finite=~at(4, 6)
    )
    names = [AFM_STATUS[code] for code in status[0]]
    assert names == ["outside", "edge", "masked", "clipped", "not_finite", "clipped", "not_finite", "ok"]
    assert excluded_counts(status) == {"edge": 1, "clipped": 2, "masked": 1, "not_finite": 2}
