"""The lognormal fit, and the modulus against height and slope."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from analysis.afm.against import modulus_against
from analysis.afm.distribution import fitted_lognormal
from analysis.afm.status import slope_of


def test_lognormal_is_scipys() -> None:
    values = np.random.default_rng(0).lognormal(1.2, 0.4, 5000)
    fit = fitted_lognormal(values)
    shape, _, scale = stats.lognorm.fit(values, floc=0)
    assert (fit.sigma, fit.median) == (pytest.approx(shape, rel=1e-4), pytest.approx(scale, rel=1e-4))
    mean, variance = stats.lognorm.stats(shape, scale=scale)
    assert (fit.mean, fit.std) == (pytest.approx(mean, rel=1e-4), pytest.approx(variance**0.5, rel=1e-4))
    theirs = stats.kstest(values, stats.lognorm(s=shape, scale=scale).cdf).statistic
    assert fit.distance == pytest.approx(theirs, abs=1e-4)


def test_distance_tells_a_bad_fit() -> None:
    two = np.concatenate([np.full(500, 1.0), np.full(500, 10.0)]) * np.random.default_rng(1).normal(
        1, 0.01, 1000
    )
    assert fitted_lognormal(two).distance > 0.2


def test_what_is_not_positive_is_left_out_and_counted() -> None:
    fit = fitted_lognormal(np.array([1.0, np.e, 0.0, -3.0, np.nan]))
    assert (fit.n, fit.left_out) == (2, 3)
    assert fit.median == pytest.approx(np.exp(0.5))
    with pytest.raises(ValueError, match="two positive"):
        fitted_lognormal(np.array([1.0, -1.0]))


def test_equal_values_have_no_spread() -> None:
    fit = fitted_lognormal(np.full(10, 3.0))
    assert (fit.sigma, fit.std) == (pytest.approx(0.0, abs=1e-12), pytest.approx(0.0, abs=1e-12))


def crossed(seed: int, shape: tuple[int, int] = (80, 80)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A coordinate and two quantities that rise with it and share nothing else."""
    rng = np.random.default_rng(seed)
    row, col = np.indices(shape)
    s = 1.0 - np.maximum(np.abs(row - 39.5), np.abs(col - 39.5)) / 40.0
    alike = [gaussian_filter(rng.standard_normal(shape), 2.0) * 7.0 for _ in range(2)]
    return s, 2.0 * s + 0.1 * alike[0], 5.0 * s + 0.3 * alike[1]


def test_a_correlation_through_s_alone_vanishes_given_s() -> None:
    s, height, modulus = crossed(0)
    found = modulus_against(modulus, height, np.ones(s.shape, dtype=bool), s=s)
    assert found.pearson_r > 0.8
    assert found.pearson_r == pytest.approx(stats.pearsonr(height.ravel(), modulus.ravel()).statistic)
    assert found.slope == pytest.approx(stats.linregress(height.ravel(), modulus.ravel()).slope)
    assert abs(found.partial_r_s) < 0.15
    assert found.r_ci[0] < found.pearson_r < found.r_ci[1]


def test_intervals_given_s_hold_zero_nearly_as_often_as_they_say() -> None:
    held = []
    for seed in range(30):
        s, height, modulus = crossed(seed)
        found = modulus_against(modulus, height, np.ones(s.shape, dtype=bool), s=s)
        held.append(found.partial_ci[0] < 0.0 < found.partial_ci[1])
    assert np.mean(held) >= 0.8


def test_partial_correlation_is_that_of_the_rests() -> None:
    s, height, modulus = crossed(1)
    rests = [
        y.ravel() - np.polyval(np.polyfit(s.ravel(), y.ravel(), 1), s.ravel()) for y in (height, modulus)
    ]
    found = modulus_against(modulus, height, np.ones(s.shape, dtype=bool), s=s)
    assert found.partial_r_s == pytest.approx(stats.pearsonr(*rests).statistic, abs=1e-9)


def test_blocks_give_the_error_of_alike_pixels() -> None:
    rng = np.random.default_rng(5)
    counted = np.ones((64, 64), dtype=bool)
    slopes, errors = [], []
    for _ in range(60):
        x, y = (gaussian_filter(rng.standard_normal((64, 64)), 2.0, mode="wrap") for _ in range(2))
        found = modulus_against(y, x, counted)
        slopes.append(found.slope)
        errors.append(found.slope_err)
    assert np.mean(errors) == pytest.approx(np.std(slopes), rel=0.3)
    assert np.isnan(found.partial_r_s)


def test_few_blocks_have_no_error() -> None:
    rng = np.random.default_rng(5)
    found = modulus_against(rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), np.ones((4, 4), dtype=bool))
    assert found.blocks == 4
    assert np.isnan(found.slope_err)
    with pytest.raises(ValueError, match="three pixels"):
        modulus_against(np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 2), dtype=bool))


def test_large_offsets_lose_no_digits() -> None:
    rng = np.random.default_rng(6)
    x, y = 8e6 + rng.normal(size=(40, 40)), 1e6 + rng.normal(size=(40, 40))
    found = modulus_against(y, x, np.ones(x.shape, dtype=bool))
    assert found.pearson_r == pytest.approx(stats.pearsonr(x.ravel(), y.ravel()).statistic, abs=1e-9)


def test_slope_of_a_plane() -> None:
    row, col = np.indices((10, 12))
    np.testing.assert_allclose(slope_of(3.0 * col + 8.0 * row, dx_nm=1.0, dy_nm=2.0), 5.0)
