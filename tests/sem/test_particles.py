"""Edge lengths of particles drawn with known ones, bright and dark, and the share left out."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sem.particles import particle_sizes
from tests.sem import forward
from tests.sem.forward import square


def squares(
    edge: float, spread: float, *, period: float, blur: float, seed: int, dark: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """An image of soft-edged squares on a square array, and the edge of each in px."""
    rng = np.random.default_rng(seed)
    shape = (420, 420)
    places = forward.sites(square(period, psi_deg=4.0), shape)
    edges = np.clip(rng.normal(edge, spread, len(places)), 0.6 * edge, None)
    canvas = np.zeros(shape)
    for (x, y), side, turn in zip(places, edges, rng.normal(np.deg2rad(4.0), 0.05, len(places)), strict=True):
        reach = int(edge) + 8
        rows = slice(max(0, int(y) - reach), max(0, int(y) + reach))
        cols = slice(max(0, int(x) - reach), max(0, int(x) + reach))
        dy, dx = np.mgrid[rows, cols][:, : shape[0], : shape[1]]
        dy, dx = dy + 0.5 - y, dx + 0.5 - x
        part = canvas[rows, cols]
        dy, dx = dy[: part.shape[0], : part.shape[1]], dx[: part.shape[0], : part.shape[1]]
        u = np.abs(dx * np.cos(turn) - dy * np.sin(turn))
        v = np.abs(dx * np.sin(turn) + dy * np.cos(turn))
        part += 0.25 * (1 + np.tanh((side / 2 - u) / blur)) * (1 + np.tanh((side / 2 - v) / blur))
    signal = 1.0 - canvas if dark else canvas
    return forward.as_grey(signal, rng=rng, noise=8.0), edges


@pytest.mark.parametrize("dark", [False, True], ids=["bright", "dark"])
def test_the_mean_edge_and_its_spread_come_back(dark: bool) -> None:
    image, edges = squares(15.0, 1.2, period=20.0, blur=1.0, seed=2, dark=dark)
    found = particle_sizes(image, pixel_nm=0.5, period_px=20.0)
    assert found is not None
    assert found.polarity == ("dark" if dark else "bright")
    assert found.n > 250
    assert found.rejected < 0.1 * found.n
    assert found.mean_nm == pytest.approx(0.5 * edges.mean(), rel=0.03)
    assert found.std_nm == pytest.approx(0.5 * edges.std(), rel=0.3)
    assert found.n == found.edge_nm.size


def test_merged_and_broken_particles_are_rejected_and_counted() -> None:
    image, _ = squares(15.0, 0.5, period=20.0, blur=1.0, seed=2)
    clean = particle_sizes(image, pixel_nm=1.0, period_px=20.0)
    image[100:200, 100:220] = 200
    found = particle_sizes(image, pixel_nm=1.0, period_px=20.0)
    assert clean is not None
    assert found is not None
    assert found.rejected > clean.rejected
    assert found.mean_nm == pytest.approx(clean.mean_nm, rel=0.02)


def test_what_is_not_resolved_gives_no_sizes() -> None:
    fine = forward.array_image(square(6.0), (300, 300), seed=1)
    assert particle_sizes(fine, pixel_nm=1.0, period_px=6.0) is None
    noise = np.random.default_rng(1).normal(120, 20, (300, 300)).clip(0, 255).astype(np.uint8)
    found = particle_sizes(noise, pixel_nm=1.0, period_px=20.0)
    assert found is None or found.rejected > 0.3 * found.n
    assert particle_sizes(np.full((300, 300), 7, dtype=np.uint8), pixel_nm=1.0, period_px=20.0) is None
