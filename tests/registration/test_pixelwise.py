"""Two maps of one crystal, point by point: p is uniform where nothing is shared, slopes allow both errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from analysis.records import Array, PixelGrid
from analysis.registration.pixelwise import (
    association,
    errors_in_variables,
    pixel_correlation,
    under_footprint,
)
from analysis.registration.transform import landmark_transform

POINTS, SEEDS = 17, 200


def coordinate(points: int = POINTS) -> Array:
    own = (np.arange(points) - 0.5 * (points - 1)) / (0.5 * points)
    return 1.0 - np.maximum(np.abs(own)[:, None], np.abs(own)[None, :])


def noise(length: float, rng: np.random.Generator, points: int = POINTS) -> Array:
    """A stationary field of about unit variance that is alike over ``length`` points."""
    white = rng.normal(size=(3 * points, 3 * points))
    smooth = gaussian_filter(white, length) if length else white
    return (smooth / (0.5 / (np.sqrt(np.pi) * length) if length else 1.0))[points:-points, points:-points]


@pytest.mark.parametrize("length", [0.0, 1.2])
def test_p_is_uniform_for_a_uniform_modulus_whose_noise_is_alike_nearby(length: float) -> None:
    s, found = coordinate(), []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        lattice = 11.6 + 6.0 * s + 0.1 * noise(2.0, rng)
        found.append(association(lattice, 3.0 + 0.5 * noise(length, rng)).p)
    assert stats.kstest(found, "uniform").pvalue > 0.01


@pytest.mark.parametrize("length", [0.0, 1.2])
def test_the_partial_p_is_uniform_where_both_rise_with_s_and_share_nothing_else(length: float) -> None:
    s, found, raw = coordinate(), [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(1000 + seed)
        lattice = 11.6 + 6.0 * s + 0.3 * noise(1.5, rng)
        modulus = 1.4 + 5.4 * s + 0.8 * noise(length, rng)
        found.append(association(lattice, modulus, s=s).p)
        raw.append(np.corrcoef(lattice.ravel(), modulus.ravel())[0, 1])
    assert min(raw) > 0.6
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_what_is_shared_beyond_s_is_seen() -> None:
    s, rng = coordinate(), np.random.default_rng(3)
    shared = noise(1.0, rng)
    lattice = 11.6 + 6.0 * s + 0.3 * shared + 0.1 * noise(0.0, rng)
    modulus = 1.4 + 5.4 * s + 0.8 * shared + 0.3 * noise(0.0, rng)
    found = association(lattice, modulus, s=s)
    assert found.r > 0.8
    assert found.p < 1e-6
    assert found.ci_lo < found.r < found.ci_hi


def test_pairs_that_are_alike_are_fewer_than_their_number() -> None:
    rng = np.random.default_rng(4)
    white = association(noise(0.0, rng), noise(0.0, rng))
    smooth = association(noise(2.0, rng), noise(2.0, rng))
    assert white.pairs == pytest.approx(POINTS**2, rel=0.25)
    assert smooth.pairs < 0.35 * POINTS**2


def test_too_few_pairs_or_a_constant_have_no_correlation() -> None:
    few = np.full((POINTS, POINTS), np.nan)
    few[:2, :3] = 1.0
    assert np.isnan(association(few, few).r)
    assert np.isnan(association(np.ones((POINTS, POINTS)), noise(0.0, np.random.default_rng(1))).p)


def test_a_slope_with_errors_in_both_is_right_where_least_squares_is_flattened() -> None:
    rng, slopes, stated, plain = np.random.default_rng(6), [], [], []
    for _ in range(200):
        true = rng.uniform(12.0, 17.0, 60)
        x_err, y_err = np.full(60, 0.9), np.full(60, 0.5)
        x, y = true + x_err * rng.normal(size=60), 0.9 * true - 8.0 + y_err * rng.normal(size=60)
        slope, slope_err, *_ = errors_in_variables(x, y, x_err, y_err)
        slopes.append(slope)
        stated.append(slope_err)
        plain.append(np.polyfit(x, y, 1)[0])
    assert np.mean(plain) < 0.72
    assert np.mean(slopes) == pytest.approx(0.9, abs=0.03)
    assert np.mean(stated) == pytest.approx(np.std(slopes), rel=0.2)


def test_york_1966_pearsons_data_give_the_published_line() -> None:
    # Pearson's data with York's weights: D. York, Can. J. Phys. 44 (1966) 1079.
    x = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    wx = np.array([1000.0, 1000.0, 500.0, 800.0, 200.0, 80.0, 60.0, 20.0, 1.8, 1.0])
    wy = np.array([1.0, 1.8, 4.0, 8.0, 20.0, 20.0, 70.0, 70.0, 100.0, 500.0])
    slope, _, level, _ = errors_in_variables(x, y, 1.0 / np.sqrt(wx), 1.0 / np.sqrt(wy))
    assert slope == pytest.approx(-0.48053, abs=1e-5)
    assert level == pytest.approx(5.47991, abs=1e-5)


def test_a_fine_map_is_averaged_under_the_footprint_of_each_coarse_point() -> None:
    fine_grid = PixelGrid.of_image((160, 160), dx_um=0.1, dy_um=0.1)
    coarse_grid = PixelGrid(
        shape=(9, 9), col_step_um=(0.8, 0.0), row_step_um=(0.0, 0.8), x0_um=1.0, y0_um=1.0
    )
    to_fine = landmark_transform(
        np.array([[0.0, 0.0], [5.0, 0.0]]), np.array([[4.0, 4.0], [9.0, 4.0]]), kind="rigid"
    )
    x, y = fine_grid.positions_um()
    sigma = (0.3, 0.2)
    found = under_footprint(2.0 + 0.5 * x - 0.2 * y + 0.3 * x**2, fine_grid, coarse_grid, to_fine, sigma)
    at_x, at_y = coarse_grid.positions_um()
    at_x, at_y = at_x + 4.0, at_y + 4.0
    # A Gaussian mean of a quadratic adds its curvature times the variance.
    wanted = 2.0 + 0.5 * at_x - 0.2 * at_y + 0.3 * (at_x**2 + sigma[0] ** 2)
    np.testing.assert_allclose(found.values, wanted, atol=0.003)
    np.testing.assert_allclose(found.covered, 1.0, atol=1e-3)


def test_a_point_whose_footprint_is_mostly_off_the_fine_map_has_no_value() -> None:
    fine_grid = PixelGrid.of_image((40, 40), dx_um=0.1, dy_um=0.1)
    coarse_grid = PixelGrid(
        shape=(1, 3), col_step_um=(1.0, 0.0), row_step_um=(0.0, 1.0), x0_um=-0.9, y0_um=2.0
    )
    same = landmark_transform(np.zeros((1, 2)), np.zeros((1, 2)), kind="translation")
    found = under_footprint(np.ones((40, 40)), fine_grid, coarse_grid, same, (0.3, 0.3))
    assert np.isnan(found.values[0, 0])
    np.testing.assert_allclose(found.values[0, 1:], 1.0)
    assert found.covered[0, 1] == pytest.approx(stats.norm.cdf(0.1 / 0.3), abs=0.08)


def test_the_record_holds_every_number_and_its_pairs() -> None:
    s, rng = coordinate(), np.random.default_rng(8)
    lattice, modulus = 11.6 + 6.0 * s + 0.1 * noise(1.0, rng), 1.4 + 5.4 * s + 0.5 * noise(1.0, rng)
    modulus[0, :5] = np.nan
    found = pixel_correlation(
        lattice,
        modulus,
        np.full_like(s, 0.05),
        np.full_like(s, 0.4),
        s,
        crystal="A",
        x_quantity="a_sc",
        y_quantity="modulus",
    )
    assert found is not None
    assert found.pairing == "pixel"
    assert found.n == POINTS**2 - 5 == found.x.size
    assert found.pearson_r > 0.8
    assert abs(found.partial_r_s) < 0.4
    assert 0.0 <= found.p_partial <= 1.0
    assert found.p_block_bootstrap < 1e-3
    assert found.slope == pytest.approx(0.9, abs=4.0 * found.slope_err)
