"""The cube's scattering against a sum over random directions, and the shift against a brute-force peak."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.xray.form_factor import log_slope_nm, spacing_shift_nm

SIZE, SPREAD = 7.45, 0.89


def brute_force(q: np.ndarray) -> np.ndarray:
    """<F^2> by Monte Carlo over directions and edges, up to a constant."""
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(20_000, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    edge = rng.normal(SIZE, SPREAD, size=20_000)
    return np.array(
        [
            np.mean(edge**6 * np.prod(np.sinc(value * direction * edge[:, None] / (2 * np.pi)) ** 2, axis=1))
            for value in q
        ]
    )


def test_the_slope_is_that_of_cubes_averaged_over_directions() -> None:
    q = np.array([0.3, 0.45, 0.6])
    step = 0.01
    slope = (np.log(brute_force(q + step)) - np.log(brute_force(q - step))) / (2 * step)
    np.testing.assert_allclose(log_slope_nm(q, size_nm=SIZE, spread_nm=SPREAD), slope, rtol=0.02)


def test_the_shift_is_where_the_maximum_of_a_falling_peak_goes() -> None:
    q0, sigma = 2 * np.pi / 17.0, 0.012
    q = np.linspace(q0 - 0.06, q0 + 0.06, 601)
    peak = brute_force(q) * np.exp(-0.5 * ((q - q0) / sigma) ** 2)
    centre = np.sum(q * peak) / np.sum(peak)
    shift = spacing_shift_nm(
        np.array([17.0]), np.array([q0]), np.array([sigma]), size_nm=SIZE, spread_nm=SPREAD
    )
    assert shift[0] == pytest.approx(2 * np.pi / centre - 17.0, rel=0.15)
    assert shift[0] > 0.0


def test_no_value_gives_no_shift() -> None:
    nothing = np.array([np.nan])
    assert np.isnan(spacing_shift_nm(nothing, nothing, nothing, size_nm=SIZE, spread_nm=SPREAD)).all()
