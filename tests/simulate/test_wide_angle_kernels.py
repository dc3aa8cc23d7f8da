"""Photons drawn one by one are Poisson in every pixel; spots are cubes' shape transforms. Tiny inputs."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.simulate.wide_angle import SmoothLight
from analysis.simulate.wide_angle_kernels import scatter_smooth, scatter_spots


def test_smooth_light_has_its_expectation_in_every_pixel() -> None:
    rng = np.random.default_rng(3)
    expected = rng.random((7, 9)) * 0.4
    expected[2, 3] = 0.0
    light = SmoothLight.of(expected)
    counts = np.zeros(expected.shape, dtype=np.uint32)
    for _ in range(400):
        scatter_smooth(rng, counts, light.places, light.running_sum, light.guide, 1.5)
    mean = 400 * 1.5 * expected
    assert counts[2, 3] == 0
    chi = np.sum((counts - mean)[mean > 0.0] ** 2 / mean[mean > 0.0])
    assert abs(chi - 62.0) < 5.0 * np.sqrt(2.0 * 62.0)


@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_no_light_leaves_nothing(factor: float) -> None:
    light = SmoothLight.of(np.ones((3, 3)))
    counts = np.zeros((3, 3), dtype=np.uint32)
    scatter_smooth(np.random.default_rng(1), counts, light.places, light.running_sum, light.guide, factor)
    assert counts.sum() == 0


def test_photons_of_a_spot_follow_the_shape_transform_of_its_cube() -> None:
    """Within the first zeros of sinc^2, 2 pi / L to each side, lie 90.28 % of it; a few lie far out."""
    counts = np.zeros((81, 241), dtype=np.uint32)
    wavelength, distance, edge, q = 0.1, 400.0, 10.0, 20.0
    scatter_spots(
        np.random.default_rng(2),
        counts,
        np.zeros(counts.shape, dtype=np.bool_),
        np.ones(counts.shape),
        (-60.0, 40.0, distance),
        wavelength,
        np.array([[q, 0.0, 3000.0]]),
        (0.0, np.arcsin(q * wavelength / (4.0 * np.pi)), 0.0, 0.05, edge, 1e-6),
    )
    row, col = np.nonzero(counts)
    number = counts[row, col]
    two_theta = np.arctan(np.hypot(row - 40.0, col + 60.0) / distance)
    found = 4.0 * np.pi / wavelength * np.sin(0.5 * two_theta)
    assert 500 < number.sum() < 3000
    within = number[np.abs(found - q) < 2.0 * np.pi / edge].sum() / number.sum()
    assert within == pytest.approx(0.9028, abs=0.05)


def test_nothing_is_put_where_pixels_are_masked_or_beyond_the_detector() -> None:
    counts = np.zeros((5, 5), dtype=np.uint32)
    scatter_spots(
        np.random.default_rng(2),
        counts,
        np.ones((5, 5), dtype=np.bool_),
        np.ones((5, 5)),
        (2.0, 2.0, 400.0),
        0.1,
        np.array([[0.3, 0.0, 200.0], [60.0, 0.0, 50.0]]),
        (0.0, 0.0, 0.0, 0.1, 10.0, 0.1),
    )
    assert counts.sum() == 0
