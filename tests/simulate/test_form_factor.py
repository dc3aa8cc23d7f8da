"""The cube's form factor and what it makes of a peak, against integrals done by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.simulate.diffraction import POSITION_DISORDER_NM, _under_form_factor
from analysis.simulate.form_factor import CubeFormFactor, cube_orientation_average


def test_small_angles_follow_guinier() -> None:
    """A cube's radius of gyration is L / 2: ln P = -q^2 L^2 / 12 + ..."""
    x = np.array([0.01, 0.05, 0.1])
    assert np.log(cube_orientation_average(x)) == pytest.approx(-((2.0 * x) ** 2) / 12.0, rel=0.01)


@pytest.mark.parametrize("x", [1.0, 2.5, 5.0])
def test_the_average_over_orientations_is_that_of_random_directions(x: float) -> None:
    directions = np.random.default_rng(7).standard_normal((400_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    squares = np.prod(np.sinc(x * directions / np.pi) ** 2, axis=1)
    error = squares.std() / np.sqrt(squares.size)
    assert cube_orientation_average(np.array([x]))[0] == pytest.approx(squares.mean(), abs=5.0 * error)


def test_a_population_weighs_its_cubes_with_their_volume_squared() -> None:
    population = CubeFormFactor.of_population(mean_nm=7.45, std_nm=0.89)
    edges = np.random.default_rng(8).normal(7.45, 0.89, size=1500)
    for q in (0.2, 0.5, 0.85):
        single = cube_orientation_average(0.5 * q * edges)
        expected = np.sum(edges**6 * single) / np.sum(edges**6)
        assert float(population.relative(np.array(q))) == pytest.approx(expected, rel=0.08)


def test_derivatives_are_those_of_the_curve() -> None:
    population = CubeFormFactor.of_population(mean_nm=7.45, std_nm=0.89)
    q, step = np.array([0.3, 0.5, 0.9]), 1e-4

    def log(at: np.ndarray) -> np.ndarray:
        return np.log(population.relative(at))

    assert population.log_slope_nm(q) == pytest.approx((log(q + step) - log(q - step)) / (2 * step), rel=1e-4)
    second = (log(q + step) - 2 * log(q) + log(q - step)) / step**2
    assert population.log_curvature_nm2(q) == pytest.approx(second, rel=1e-2)


@pytest.mark.parametrize("q0", [0.33, 0.5, 0.85])
def test_a_peak_under_the_form_factor_is_the_product_of_both(q0: float) -> None:
    population = CubeFormFactor.of_population(mean_nm=7.45, std_nm=0.89)
    sigma = 0.015
    q = np.linspace(q0 - 0.12, q0 + 0.12, 4001)
    product = population.relative(q) * np.exp(-0.5 * ((q - q0) / sigma) ** 2)
    total = product.sum()
    mean = float(np.sum(q * product) / total)
    width = float(np.sqrt(np.sum((q - mean) ** 2 * product) / total))
    share = total / np.exp(-0.5 * ((q - q0) / sigma) ** 2).sum() * np.exp(-((q0 * POSITION_DISORDER_NM) ** 2))

    centre, narrowed, photons = _under_form_factor(
        np.array([q0]), np.array([sigma]), np.array([1000.0]), population
    )
    assert mean < q0
    assert centre[0] - q0 == pytest.approx(mean - q0, rel=0.03)
    assert narrowed[0] == pytest.approx(width, rel=0.01)
    assert photons[0] == pytest.approx(1000.0 * share, rel=0.01)
