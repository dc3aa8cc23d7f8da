"""The sliding map on arrays of known spacing, angle and edge: values, and stated errors against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import SEM_STATUS
from analysis.sem.order import ordered_area, ordered_mask
from analysis.sem.region import Scale
from analysis.sem.sliding import Raster, raster_over, sliding_fit
from analysis.sem.sliding_maps import sliding_maps
from analysis.sem.tilt import Tilt
from tests.sem import forward
from tests.sem.forward import Cell, square

SCALE = Scale(pixel_nm=1.0, relative_err=0.01)
OK = SEM_STATUS.index("ok")


def raster_of(image: np.ndarray, size: int, step: int) -> Raster:
    found = raster_over(shape=image.shape, size_px=size, step_px=step)
    assert found is not None
    return found


def truth_and_found(period: float, *, jitter: float, noise: float, images: int) -> tuple[np.ndarray, ...]:
    """Spacings and errors of regions of 21 periods side by side, in arrays turned at random."""
    size = int(21 * period) // 2 * 2
    values, errors = [], []
    for seed in range(images):
        psi = float(np.random.default_rng(seed).uniform(-45.0, 45.0))
        image = forward.array_image(
            square(period, psi_deg=psi), (4 * size, 4 * size), seed=seed, jitter=jitter, noise=noise
        )
        maps = sliding_maps(sliding_fit(image, raster_of(image, size, size)), scale=SCALE)
        values.append(maps["spacing"].values.ravel())
        errors.append(maps["spacing"].errors.ravel())
    return np.concatenate(values), np.concatenate(errors)


def test_one_sigma_covers_what_it_says_over_three_hundred_regions() -> None:
    pulls, relative = [], []
    for period, jitter, noise in ((8.3, 0.0, 100.0), (8.3, 0.06, 8.0), (6.1, 0.03, 30.0), (11.2, 0.04, 40.0)):
        values, errors = truth_and_found(period, jitter=jitter, noise=noise, images=5)
        pulls.append((values - period) / errors)
        relative.append(values / period - 1.0)
    found, off = np.concatenate(pulls), np.abs(np.concatenate(relative))
    assert found.size >= 300
    assert np.isfinite(found).all()
    assert np.median(off) < 0.001
    assert 0.60 <= np.mean(np.abs(found) < 1.0) <= 0.80
    assert np.mean(np.abs(found) < 2.0) > 0.90
    assert abs(np.mean(found)) < 0.2


def test_the_map_follows_the_spacing_and_keeps_to_its_errors() -> None:
    image = forward.widening_image((384, 1536), a_left=9.0, a_right=13.0, length=1536, seed=4)
    raster = raster_of(image, 256, 64)
    maps = sliding_maps(sliding_fit(image, raster, k_limit=0.3), scale=SCALE)
    row = int(np.argmin(np.abs(raster.rows + 128 - 192)))
    true = 9.0 + 4.0 * (raster.cols + 128.0) / 1536.0
    found, errors = maps["a_sc"].values[row], maps["a_sc"].errors[row]
    assert np.abs(found / true - 1.0).max() < 0.003
    assert np.mean(np.abs(found - true) < 2.0 * errors) > 0.8
    x, _ = raster.grid(pixel_nm=2.0).positions_um()
    assert x[row] == pytest.approx((raster.cols + 128.0) * 2.0e-3)


@pytest.mark.parametrize(
    "cell",
    [
        Cell(a1=12.0, a2=15.0, gamma_deg=90.0, psi_deg=20.0),
        Cell(a1=12.0, a2=14.5, gamma_deg=75.0, psi_deg=20.0),
        Cell(a1=13.0, a2=13.0, gamma_deg=60.0, psi_deg=11.0),
        square(12.0, psi_deg=44.8),
    ],
    ids=["rectangular", "oblique", "hexagonal", "square at 45 degrees"],
)
def test_lengths_and_angles_come_back_without_flips(cell: Cell) -> None:
    image = forward.array_image(cell, (400, 400), seed=7)
    fit = sliding_fit(image, raster_of(image, 256, 48))
    maps = sliding_maps(fit, scale=SCALE)
    assert (fit.status == OK).all()
    assert maps["a_sc"].values == pytest.approx(0.5 * (cell.a1 + cell.a2), rel=3e-3)
    gamma, psi = maps["gamma"].values, maps["psi"].values
    assert np.abs(gamma - np.median(gamma)).max() < 1.0
    assert min(abs(np.median(gamma) - g) for g in (cell.gamma_deg, 180.0 - cell.gamma_deg)) < 0.3
    spread = (psi - psi[0, 0] + 90.0) % 180.0 - 90.0
    assert np.abs(spread).max() < 1.0
    if cell.a1 == cell.a2 and cell.gamma_deg == 90.0:
        assert abs((psi[0, 0] - cell.psi_deg + 45.0) % 90.0 - 45.0) < 0.5


def test_a_tilted_array_has_the_lengths_of_its_own_surface() -> None:
    """A square array on a surface that leans by 40 degrees about an axis 25 degrees from +x."""
    lean, axis = np.deg2rad(40.0), np.deg2rad(25.0)
    along, across = np.array([np.cos(axis), -np.sin(axis)]), np.array([-np.sin(axis), -np.cos(axis)])
    places = forward.sites(square(12.0, psi_deg=10.0), (700, 700))
    middle = np.array([350.0, 350.0])
    offset = places - middle
    seen = 150.0 + np.outer(offset @ along, along) + np.outer(np.cos(lean) * (offset @ across), across)
    image = forward.as_grey(
        forward.drawn(seen, (300, 300), radius=2.5), rng=np.random.default_rng(1), noise=10.0
    )
    scale = Scale(pixel_nm=1.0, relative_err=0.01, tilt=Tilt(angle_deg=40.0, axis_deg=25.0))
    maps = sliding_maps(sliding_fit(image, raster_of(image, 256, 44)), scale=scale)
    assert maps["a_sc"].values == pytest.approx(12.0, rel=3e-3)
    assert maps["gamma"].values == pytest.approx(90.0, abs=0.4)
    flat = sliding_maps(sliding_fit(image, raster_of(image, 256, 44)), scale=SCALE)
    assert flat["a_sc"].values.max() < 11.5


def test_noise_and_flat_ground_give_nothing_but_a_reason() -> None:
    noise = np.random.default_rng(3).normal(120.0, 20.0, (320, 320)).clip(0, 255).astype(np.uint8)
    for image in (noise, np.full((320, 320), 80, dtype=np.uint8)):
        fit = sliding_fit(image, raster_of(image, 256, 32))
        assert (fit.status == SEM_STATUS.index("no_peak")).all()
        maps = sliding_maps(fit, scale=SCALE)
        assert np.isnan(maps["a_sc"].values).all()
        assert np.isfinite(maps["order"].values).all()


def test_grains_turned_at_random_are_a_ring_with_their_spacing() -> None:
    image = forward.polycrystal_image(12.0, (260, 260), grains=30, seed=1)
    fit = sliding_fit(image, raster_of(image, 256, 2))
    maps = sliding_maps(fit, scale=SCALE)
    ring = fit.status == SEM_STATUS.index("ring")
    assert ring.all()
    assert maps["spacing"].values[ring] == pytest.approx(12.0, rel=0.04)
    assert np.isnan(maps["psi"].values[ring]).all()


def test_order_finds_the_edge_of_the_crystal() -> None:
    """An array in a square of 560 px, turned by 12 degrees, on bare ground."""
    y, x = np.indices((900, 900)) + 0.5 - 450.0
    turn = np.deg2rad(12.0)
    u, v = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    inside = np.maximum(np.abs(u), np.abs(v)) < 280.0
    waves = 0.5 + 0.25 * (np.cos(2 * np.pi * u / 9.0) + np.cos(2 * np.pi * v / 9.0))
    image = forward.as_grey(np.where(inside, waves, 0.5), rng=np.random.default_rng(5), noise=25.0)
    raster = raster_of(image, 128, 16)
    order = sliding_fit(image, raster, k_limit=0.3).order
    area = ordered_area(order, raster.grid(pixel_nm=1.0), size_um=0.128)
    assert area is not None
    assert area.share_of_border == 0.0
    corners = area.vertices_um * 1e3 - 450.0
    u, v = (
        corners[:, 0] * np.cos(turn) - corners[:, 1] * np.sin(turn),
        corners[:, 0] * np.sin(turn) + corners[:, 1] * np.cos(turn),
    )
    away = np.maximum(np.abs(u), np.abs(v)) - 280.0
    assert np.abs(away).max() < 2.5 * area.error_um * 1e3
    assert abs(np.median(away)) < area.error_um * 1e3


def test_an_image_that_is_ordered_all_over_or_nowhere_has_no_edge() -> None:
    everywhere = np.exp(np.random.default_rng(0).normal(7.0, 0.2, (20, 30)))
    assert ordered_mask(everywhere) is None
    assert ordered_mask(np.full((20, 30), 5.0)) is None


def test_rasters_stay_within_the_image_and_within_their_number() -> None:
    raster = raster_of(np.empty((4096, 5000), dtype=np.uint8), 256, 8)
    assert max(raster.shape) <= 128
    for at, extent in ((raster.rows, 4096), (raster.cols, 5000)):
        assert at[0] >= 0
        assert at[-1] + 256 <= extent
        assert len(set(np.diff(at))) == 1
    assert raster_over(shape=(200, 400), size_px=256) is None
