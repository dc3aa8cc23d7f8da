"""The compiled steps of the sliding map on one small region, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sem.lattice import find_lattice
from analysis.sem.lattice_kernels import all_around, choose_basis, members, on_a_ring, solve
from analysis.sem.sliding import vertex_correction
from analysis.sem.sliding_kernels import (
    LATTICE,
    NO_LATTICE,
    background_log,
    band_table,
    find_candidates,
    refine,
    search_regions,
    sharpen,
    window_regions,
)

N = 32


def window() -> np.ndarray:
    return np.sin(np.pi * (np.arange(N) + 0.5) / N) ** 2


def waves(kx: float, ky: float, qx: float, qy: float, noise: float = 3.0) -> np.ndarray:
    """Two plane waves, frequencies in periods per N px, on a slope with noise."""
    y, x = np.indices((N, N)) - 0.5 * (N - 1)
    one, two = (np.cos(2 * np.pi * (a * x + b * y) / N) for a, b in ((kx, ky), (qx, qy)))
    rng = np.random.default_rng(2)
    grey = 120.0 + 30.0 * one + 30.0 * two + 0.8 * x - 0.5 * y + rng.normal(0.0, noise, (N, N))
    return grey.clip(0, 255).astype(np.uint8)


def windowed(image: np.ndarray) -> np.ndarray:
    out = np.empty((1, N, N), dtype=np.float32)
    window_regions(image, 0, np.zeros(1, dtype=np.int64), window().astype(np.float32), out)
    return out


def transform(region: np.ndarray) -> np.ndarray:
    return np.fft.rfft2(region).astype(np.complex64)


def test_regions_lose_their_plane_and_get_the_window() -> None:
    image = np.pad(waves(5, 2, -2, 5), 3, mode="edge")
    out = np.empty((2, N, N), dtype=np.float32)
    window_regions(image, 2, np.array([1, 4]), window().astype(np.float32), out)
    for number, col in enumerate((1, 4)):
        part = image[2 : 2 + N, col : col + N].astype(float)
        y, x = np.indices(part.shape) - 0.5 * (N - 1)
        base = np.stack([np.ones(N * N), y.ravel(), x.ravel()], axis=1)
        plane = base @ np.linalg.lstsq(base, part.ravel(), rcond=None)[0]
        wanted = (part - plane.reshape(N, N)) * np.outer(window(), window())
        assert out[number] == pytest.approx(wanted, abs=2e-3)


def test_the_background_is_the_mean_of_exponential_power() -> None:
    power = np.random.default_rng(1).exponential(7.0, (64, 33)).astype(np.float32)
    logs = background_log(power, band_table(64, 33, 3.5))
    assert np.mean(logs) == pytest.approx(np.log(7.0), abs=0.2)


def test_peaks_stand_where_the_waves_are() -> None:
    k = np.array([[5.3, 2.2], [-2.1, 5.4]])
    region = windowed(waves(*k[0], *k[1]))
    power = (np.abs(transform(region[0])) ** 2).astype(np.float32)
    bands = band_table(N, N // 2 + 1, 3.5)
    inverse = np.exp(-background_log(power, bands)).astype(np.float32)
    peaks = find_candidates(power, bands, inverse, 11.0)
    places = refine(power, peaks, vertex_correction(N))
    for wave in k:
        near = np.minimum(np.hypot(*(places - wave).T), np.hypot(*(places + wave).T))
        assert near.min() < 0.05
    two = np.array([[5.25, 2.3], [2.0, -5.3]])
    sharpen(region[0], two, np.zeros((12, N), dtype=np.float32))
    assert two == pytest.approx(np.array([[5.3, 2.2], [2.1, -5.4]]), abs=0.03)


def test_a_region_is_searched_from_window_to_basis() -> None:
    regions = np.concatenate([windowed(waves(5.3, 2.2, -2.2, 5.3)), windowed(np.full((N, N), 9, np.uint8))])
    transforms = np.stack([transform(one) for one in regions])
    kind, order = np.zeros(2, dtype=np.uint8), np.zeros(2)
    basis, noise = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    bands = band_table(N, N // 2 + 1, 3.5)
    search_regions(regions, transforms, bands, vertex_correction(N), 11.0, kind, basis, noise, order)
    assert list(kind) == [LATTICE, NO_LATTICE]
    assert np.hypot(*basis[0].T) == pytest.approx(np.hypot(5.3, 2.2), abs=0.04)
    assert order[0] > 100.0
    assert 0.0 < noise[0, 0, 0] < 0.01


def test_the_compiled_choice_of_a_lattice_is_that_of_the_slow_one() -> None:
    rng = np.random.default_rng(8)
    b1, b2 = np.array([8.0, 1.0]), np.array([-1.5, 9.0])
    ideal = np.array([b1, b2, 2 * b1, b1 + b2, b1 - b2])
    places = np.vstack([ideal + rng.normal(0, 0.05, ideal.shape), [[3.3, 7.9]]])
    ratio = np.array([80.0, 60.0, 300.0, 50.0, 40.0, 16.0])
    found, basis = choose_basis(places, ratio, 12.0, 15.0)
    slow = find_lattice(places / N, ratio, size=N, floor=12.0, k_max=15.0 / N)
    assert found
    assert np.abs(basis) == pytest.approx(np.abs(slow * N))
    chosen, indices = members(basis, places)
    assert sorted(chosen) == [0, 1]
    exact, products = np.zeros((2, 2)), np.zeros((2, 2))
    solve(indices, places[chosen], np.diag([0.01, 0.02]), exact, products)
    assert indices @ exact == pytest.approx(places[chosen])
    assert sorted(np.diag(products)) == pytest.approx([0.01, 0.02])


def test_peaks_all_around_are_a_ring() -> None:
    angle = np.linspace(0.1, 3.0, 9)
    places = 9.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring, mean, error = on_a_ring(places, np.full(9, 50.0), places[[0, 4]])
    assert ring
    assert mean == pytest.approx(9.0)
    assert error == pytest.approx(0.0, abs=1e-6)
    assert all_around(places)[:2] == (True, pytest.approx(9.0))
    assert not all_around(places[:3])[0]
    assert not on_a_ring(places[:2], np.full(2, 50.0), places[[0, 1]])[0]
