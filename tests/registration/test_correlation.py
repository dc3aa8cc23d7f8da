"""A co-trend is two slopes and no p; what s explains is taken out where it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.records import Array, Profile
from analysis.registration.correlation import co_trend, partial_correlation, pearson

MID = np.arange(0.05, 1.0, 0.1)


def made(mean: Array, sem: Array | float, *, modality: str = "xray") -> Profile:
    error = np.broadcast_to(np.asarray(sem, dtype=float), mean.shape).copy()
    return Profile(
        modality=modality, index=0, crystal="A", quantity="a_sc", unit="", coordinate="rectangle",
        lo=MID - 0.05, mid=MID, hi=MID + 0.05, mean=mean, std=error, sem=error, median=mean,
        ci_lo=mean - 2 * error, ci_hi=mean + 2 * error, n=np.full(mean.size, 20),
    )  # fmt: skip


def test_the_ratio_of_the_slopes_is_that_of_the_laws() -> None:
    random = np.random.default_rng(1)
    a = made(11.6 + 6.0 * MID + random.normal(0, 0.02, 10), 0.02)
    e = made(1.4 + 5.4 * MID + random.normal(0, 0.1, 10), 0.1, modality="afm")
    found = co_trend(a, e, x_quantity="a_sc", y_quantity="modulus")
    assert found is not None
    assert found.pairing == "coordinate"
    assert np.isnan(found.p_block_bootstrap)
    assert found.n == 10
    assert found.slope == pytest.approx(0.9, abs=3 * found.slope_err)
    assert 0.01 < found.slope_err < 0.1
    assert found.pearson_r == pytest.approx(stats.pearsonr(a.mean, e.mean).statistic)
    assert found.spearman_rho == pytest.approx(stats.spearmanr(a.mean, e.mean).statistic)
    assert found.r_ci_lo <= found.pearson_r <= found.r_ci_hi <= 1.0
    assert abs(found.partial_r_s) < 0.9


def test_the_stated_error_of_the_ratio_is_how_much_it_scatters() -> None:
    random = np.random.default_rng(2)
    ratios, errors = [], []
    for _ in range(200):
        a = made(11.6 + 6.0 * MID + random.normal(0, 0.3, 10), 0.3)
        e = made(1.4 + 5.4 * MID + random.normal(0, 0.3, 10), 0.3)
        found = co_trend(a, e, x_quantity="a_sc", y_quantity="modulus")
        assert found is not None
        ratios.append(found.slope)
        errors.append(found.slope_err)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.25)


def test_without_a_slope_in_x_there_is_no_ratio() -> None:
    random = np.random.default_rng(3)
    a = made(7.39 + random.normal(0, 0.02, 10), 0.02)
    e = made(0.14 + random.normal(0, 0.01, 10), 0.01)
    found = co_trend(a, e, x_quantity="a_sc", y_quantity="modulus")
    assert found is not None
    assert np.isnan(found.slope)
    assert np.isnan(found.slope_err)
    assert found.r_ci_lo < 0.0 < found.r_ci_hi


def test_bins_that_one_of_them_lacks_are_left_out() -> None:
    a, e = 11.6 + 6.0 * MID, 1.4 + 5.4 * MID
    a[2], e[7] = np.nan, np.nan
    found = co_trend(made(a, 0.1), made(e, 0.1), x_quantity="a_sc", y_quantity="modulus")
    assert found is not None
    assert found.n == 8
    assert 0.25 not in found.s.round(2)
    few = np.where(MID < 0.2, a, np.nan)
    assert co_trend(made(few, 0.1), made(e, 0.1), x_quantity="a_sc", y_quantity="modulus") is None


def test_a_bin_without_an_error_takes_the_largest_of_the_others() -> None:
    errors = np.linspace(0.1, 0.2, 10)
    errors[9] = np.nan
    found = co_trend(
        made(11.6 + 6.0 * MID, errors), made(1.4 + 5.4 * MID, 0.1), x_quantity="a_sc", y_quantity="modulus"
    )
    assert found is not None
    assert found.x_err[9] == pytest.approx(0.1 + 0.1 * 8 / 9)


def test_what_s_explains_is_no_correlation_of_its_own() -> None:
    random = np.random.default_rng(4)
    s = random.uniform(0, 1, 4000)
    x, y = 6.0 * s + random.normal(0, 1, 4000), 5.4 * s + random.normal(0, 1, 4000)
    assert pearson(x, y) > 0.6
    assert abs(partial_correlation(x, y, s)) < 0.05
    shared = random.normal(0, 1, 4000)
    assert partial_correlation(x + shared, y + shared, s) == pytest.approx(0.5, abs=0.05)
    # The textbook's formula from the three correlations.
    r_xy, r_xs, r_ys = pearson(x, y), pearson(x, s), pearson(y, s)
    expected = (r_xy - r_xs * r_ys) / np.sqrt((1 - r_xs**2) * (1 - r_ys**2))
    assert partial_correlation(x, y, s) == pytest.approx(expected)


def test_straight_lines_leave_nothing_to_correlate() -> None:
    assert np.isnan(partial_correlation(3.0 * MID, 2.0 - MID, MID))
    assert np.isnan(pearson(np.ones(5), np.arange(5.0)))
    assert np.isnan(partial_correlation(MID[:3], MID[:3] ** 2, MID[:3]))
