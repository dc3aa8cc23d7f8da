"""Profiles: means of the right points, and bands that cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from analysis.records import Array, Profile
from analysis.registration.bootstrap import bootstrap_errors, correlation_length, noise_field
from analysis.registration.gradient import gradient, line_of_few
from analysis.registration.profiles import Sampled, axial_mean_deg, profile, profile_of_regions


def square_s(points: int) -> Array:
    """s on a grid whose square crystal fills 84 % of its side; NaN outside."""
    row, col = np.indices((points, points)) - 0.5 * (points - 1) + 0.01
    s = 1.0 - np.maximum(np.abs(row), np.abs(col)) / (0.42 * points)
    return np.where(s >= 0.0, s, np.nan)


def noise(points: int, length: float, seed: int) -> Array:
    """A random field of unit variance whose correlation falls as exp(-r^2 / (2 length)^2)."""
    random = np.random.default_rng(seed)
    if length == 0.0:
        return random.standard_normal((points, points))
    wide = gaussian_filter(random.standard_normal((points + 60, points + 60)), length)[30:-30, 30:-30]
    return wide * 2.0 * np.sqrt(np.pi) * length


def sampled(values: Array, **changes: object) -> Sampled:
    made: dict[str, object] = {
        "modality": "xray", "index": 0, "crystal": "A", "quantity": "a_sc", "unit": "nm", "values": values,
    }  # fmt: skip
    return Sampled(**(made | changes))  # type: ignore[arg-type]


def test_bins_hold_their_points_and_no_others() -> None:
    place = np.array([[0.0, 0.05, 0.0999], [0.1, 0.19, 1.0], [np.nan, -0.2, 0.55]])
    values = np.arange(9.0).reshape(3, 3)
    values[1, 1] = np.nan
    found = profile(sampled(values), place, "rectangle")
    assert list(found.n) == [3, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    np.testing.assert_allclose(found.mean[[0, 1, 5, 9]], [1.0, 3.0, 8.0, 5.0])
    assert found.std[0] == pytest.approx(np.sqrt(2.0 / 3.0))
    assert found.median[0] == 1.0
    assert np.isnan(found.mean[2])
    assert np.isnan(found.ci_lo[1])
    np.testing.assert_allclose(found.lo, np.arange(10) / 10)
    np.testing.assert_allclose(found.mid, np.arange(10) / 10 + 0.05)


def test_depth_is_binned_in_um_up_to_the_deepest_point() -> None:
    depth = np.linspace(-2.0, 5.0, 36).reshape(6, 6)
    found = profile(sampled(depth), depth, "depth")
    assert found.lo[0] == 0.0
    assert found.hi[-1] == pytest.approx(5.0)
    assert found.n.sum() == (depth >= 0.0).sum()


def test_an_axis_is_averaged_as_an_axis() -> None:
    assert axial_mean_deg(np.array([89.0, -89.0])) == pytest.approx(90.0)
    assert axial_mean_deg(np.array([10.0, 20.0, np.nan])) == pytest.approx(15.0)
    s = square_s(31)
    angles = 90.0 + noise(31, 0.0, 1)
    wrapped = np.where(angles > 90.0, angles - 180.0, angles)
    found = profile(sampled(wrapped, quantity="psi", axial=True), s, "rectangle")
    off = (found.mean - 90.0 + 90.0) % 180.0 - 90.0
    assert np.abs(off).max() < 1.0
    assert found.std.max() < 2.0


@pytest.mark.parametrize(
    ("points", "length", "white", "seeds"), [(31, 0.0, 0.05, 40), (31, 2.0, 0.02, 30), (61, 3.0, 0.1, 8)]
)
def test_the_band_covers_the_truth_as_it_says(points: int, length: float, white: float, seeds: int) -> None:
    s = square_s(points)
    covered, bins, slopes = 0, 0, 0
    for seed in range(seeds):
        correlated = 0.1 * noise(points, length, seed) if length else 0.0
        values = 11.6 + 6.0 * s + correlated + white * noise(points, 0.0, 1000 + seed)
        found = profile(sampled(values), s, "rectangle")
        truth = true_means(s, found)
        covered += int(np.sum((found.ci_lo <= truth) & (truth <= found.ci_hi)))
        bins += int(np.isfinite(found.ci_lo).sum())
        np.testing.assert_allclose(found.mean, truth, rtol=0.03)
        slope = gradient(values, s, lowest=0.05)
        assert slope is not None
        slopes += abs(slope.value - 6.0) < 1.96 * slope.err
    assert bins == 10 * seeds
    assert 0.90 <= covered / bins <= 0.99
    assert slopes / seeds >= 0.83


def true_means(s: Array, found: Profile) -> Array:
    return np.array(
        [np.mean((11.6 + 6.0 * s)[(s >= lo) & (s < hi)]) for lo, hi in zip(found.lo, found.hi, strict=True)]
    )


def test_a_band_is_wider_where_neighbours_are_alike() -> None:
    s = square_s(41)
    alone = profile(sampled(11.6 + 6.0 * s + 0.1 * noise(41, 0.0, 5)), s, "rectangle")
    alike = profile(sampled(11.6 + 6.0 * s + 0.1 * noise(41, 3.0, 5)), s, "rectangle")
    assert np.all(alike.sem > 2.0 * alone.sem)
    n = alone.n.astype(float)
    np.testing.assert_allclose(alone.sem, 0.1 / np.sqrt(n), rtol=0.25)


def test_the_same_numbers_come_out_every_time() -> None:
    s, values = square_s(31), noise(31, 2.0, 3)
    one, other = (profile(sampled(values), s, "ray") for _ in range(2))
    np.testing.assert_array_equal(one.sem, other.sem)


@pytest.mark.parametrize("length", [1.5, 3.0])
def test_the_correlation_length_is_that_of_the_field(length: float) -> None:
    # exp(-r^2 / (4 L^2)) falls from its value at 1 to 1/e of it at sqrt(1 + 4 L^2).
    found = [correlation_length(noise(60, length, seed), np.ones((60, 60), bool)) for seed in range(6)]
    assert np.mean(found) == pytest.approx(np.sqrt(1.0 + 4.0 * length**2), rel=0.2)
    assert correlation_length(noise(60, 0.0, 1), np.ones((60, 60), bool)) == 0.0


def test_too_few_points_have_no_error() -> None:
    values = np.full((5, 5), np.nan)
    values[2, 1:4] = 1.0, 2.0, 3.0
    errors = bootstrap_errors(noise_field(values, lost=1), np.ones((2, 5, 5)))
    assert np.isnan(errors).all()


def test_a_mean_over_a_large_map_has_the_error_of_its_pixels() -> None:
    values = noise(200, 0.0, 2)
    inner = np.zeros((200, 200))
    inner[40:60, 40:60] = 1.0 / 400.0
    error = bootstrap_errors(noise_field(values, lost=1), inner[None])[0]
    assert error == pytest.approx(1.0 / 20.0, rel=0.1)


def test_regions_carry_their_own_errors_into_the_bins() -> None:
    s = np.array([0.05, 0.15, 0.17, 0.31, 0.33, 0.35, 0.9])
    a = np.array([12.0, 13.0, 13.2, 14.0, 14.4, 14.8, 17.0])
    found = profile_of_regions(sampled(a), np.full(7, 0.1), s, "rectangle")
    np.testing.assert_allclose(found.sem[[0, 1]], [0.1, 0.1 / np.sqrt(2.0)])
    assert found.sem[3] == pytest.approx(np.std([14.0, 14.4, 14.8], ddof=1) / np.sqrt(3.0))
    assert found.mean[1] == pytest.approx(13.1)
    assert list(found.n) == [1, 2, 0, 3, 0, 0, 0, 0, 0, 1]
    assert np.isnan(found.sem[2])


# --- gradients ------------------------------------------------------------------------------------------


def test_a_gradient_is_found_among_outliers_by_the_robust_fit() -> None:
    s = square_s(41)
    values = 11.6 + 6.0 * s + 0.05 * noise(41, 0.0, 1)
    values[10:13, 10:13] += 25.0
    found = gradient(values, s, lowest=0.05)
    assert found is not None
    assert abs(found.robust - 6.0) < 0.1
    assert abs(found.value - 6.0) > 0.1
    assert found.n == int((s >= 0.05).sum())


def test_uncertain_points_weigh_less() -> None:
    s = square_s(41)
    uncertain = np.where(s < 0.4, 3.0, 0.02)
    values = 11.6 + 6.0 * s + np.where(s < 0.4, 3.0, 0.02) * noise(41, 0.0, 2)
    weighted, plain = gradient(values, s, errors=uncertain), gradient(values, s)
    assert weighted is not None
    assert plain is not None
    assert abs(weighted.value - 6.0) < 0.1 < abs(plain.value - 6.0)


def test_no_gradient_from_too_few_points_or_one_place() -> None:
    s = np.full((4, 4), np.nan)
    assert gradient(s, s) is None
    s[0, :3] = 0.1, 0.2, 0.3
    assert gradient(s, s) is None
    assert gradient(np.ones((4, 4)), np.full((4, 4), 0.5)) is None


def test_a_line_through_a_few_points() -> None:
    x = np.array([0.1, 0.3, 0.5, 0.9])
    found = line_of_few(x, 2.0 + 3.0 * x, np.full(4, 0.1))
    assert found is not None
    slope, slope_err, level, _ = found
    assert (slope, level) == pytest.approx((3.0, 2.0))
    assert slope_err == pytest.approx(0.1 / np.sqrt(np.sum((x - x.mean()) ** 2)))
    assert line_of_few(x[:2], x[:2], np.full(2, 0.1)) is None
