"""The two kernels that make counts: Poisson in every pixel, Gaussian in (q, phi), nothing where masked."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.simulate.kernels import poisson_counts, scatter_photons

WAVELENGTH_NM, DISTANCE_PX = 0.0954, 5306.667


def test_counts_have_the_mean_and_the_variance_of_their_expectation() -> None:
    expected = np.array([[0.05, 0.7, 4.0], [0.0, 30.0, 2.0]])
    masked = np.zeros(expected.shape, dtype=bool)
    masked[1, 2] = True
    rng = np.random.default_rng(1)
    drawn = np.array([poisson_counts(rng, expected, masked, 99) for _ in range(3000)]).astype(float)
    assert np.all(drawn[:, 1, 2] == 99)
    assert np.all(drawn[:, 1, 0] == 0)
    for pixel in [(0, 0), (0, 1), (0, 2), (1, 1)]:
        values, mu = drawn[:, pixel[0], pixel[1]], expected[pixel]
        assert values.mean() == pytest.approx(mu, abs=4.0 * np.sqrt(mu / 3000))
        assert values.var() == pytest.approx(mu, rel=4.0 * np.sqrt((2.0 + 1.0 / mu) / 3000))
    pairs = np.corrcoef(drawn[:, 0, 1], drawn[:, 0, 2])[0, 1]
    assert abs(pairs) < 4.0 / np.sqrt(3000)


def scattered(
    peak: tuple[float, ...], *, seed: int, efficiency: float = 1.0, masked: bool = False
) -> np.ndarray:
    """Counts (101, 101) of one peak around a beam at (50, 50)."""
    counts = np.zeros((101, 101), dtype=np.uint32)
    mask = np.zeros(counts.shape, dtype=bool)
    mask[:, 50:] = masked
    seen = np.full(counts.shape, efficiency)
    scatter_photons(
        np.random.default_rng(seed),
        counts,
        mask,
        seen,
        50.0,
        50.0,
        DISTANCE_PX,
        WAVELENGTH_NM,
        np.array([peak]),
    )
    return counts


def test_counts_of_a_peak_are_a_gaussian_in_q_and_phi_over_pixels() -> None:
    q0, phi0, sigma_q, sigma_phi = 0.37, np.radians(20.0), 0.015, 0.06
    counts = scattered((q0, phi0, sigma_q, sigma_phi, 40_000.0), seed=2).astype(float)
    fine = np.linspace(-0.45, 0.45, 7)
    expected = np.zeros(counts.shape)
    for dr in fine:
        for dc in fine:
            row, col = np.indices(counts.shape) + np.array([dr, dc])[:, None, None]
            theta = 0.5 * np.arctan(np.hypot(row - 50.0, col - 50.0) / DISTANCE_PX)
            q = 4.0 * np.pi / WAVELENGTH_NM * np.sin(theta)
            phi = np.arctan2(50.0 - row, col - 50.0)
            expected += np.exp(-0.5 * ((q - q0) / sigma_q) ** 2 - 0.5 * ((phi - phi0) / sigma_phi) ** 2)
    expected *= 40_000.0 / expected.sum()
    assert counts.sum() == pytest.approx(40_000.0, abs=5.0 * np.sqrt(40_000.0))
    seen = expected > 20.0
    chi = (counts[seen] - expected[seen]) / np.sqrt(expected[seen])
    assert abs(chi.mean()) < 4.0 / np.sqrt(chi.size)
    assert chi.std() == pytest.approx(1.0, abs=5.0 / np.sqrt(2.0 * chi.size))


def test_phi_runs_counter_clockwise_as_displayed() -> None:
    counts = scattered((0.4, np.radians(90.0), 0.01, 0.02, 500.0), seed=3)
    row, col = np.argwhere(counts == counts.max())[0]
    assert row < 25
    assert abs(col - 50) <= 2


def test_efficiency_and_mask_take_photons_away() -> None:
    peak = (0.37, 0.0, 0.015, 0.05, 4000.0)
    assert scattered(peak, seed=4, efficiency=0.25).sum() == pytest.approx(1000.0, abs=160.0)
    assert scattered(peak, seed=4, masked=True).sum() == 0


def test_photons_beyond_the_detector_are_lost() -> None:
    assert scattered((1.5, 0.0, 0.02, 0.02, 300.0), seed=5).sum() == 0
