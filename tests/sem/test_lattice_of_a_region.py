"""Arrays of known lattice: spacing, vectors, angle and type from 4 to 40 px a period."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sem import forward
from tests.sem.conftest import Measure
from tests.sem.forward import Cell, square

SHAPE = (264, 264)

CELLS = {
    "square": square(12.0),
    "rectangular": Cell(a1=12.0, a2=15.0, gamma_deg=90.0, psi_deg=20.0),
    "oblique": Cell(a1=12.0, a2=14.5, gamma_deg=75.0, psi_deg=20.0),
    "hexagonal": Cell(a1=13.0, a2=13.0, gamma_deg=60.0, psi_deg=11.0),
}


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_lattice_type_gives_its_vectors_its_angle_and_its_name(name: str, middle: Measure) -> None:
    cell = CELLS[name]
    found = middle(forward.array_image(cell, SHAPE, seed=3))
    assert found.status == "ok"
    assert found.lattice == name
    assert found.lattice_confidence > 0.7
    assert found.a_sc_nm == pytest.approx(0.5 * (cell.a1 + cell.a2), rel=2e-3)
    assert min(abs(found.gamma_deg - g) for g in (cell.gamma_deg, 180 - cell.gamma_deg)) < 0.3
    if name != "hexagonal":  # three first-order pairs there, any two of them
        assert sorted(found.delta_k_each_per_nm) == pytest.approx(sorted(cell.k), rel=3e-3)
    assert found.delta_k_per_nm == pytest.approx(np.mean(cell.k), rel=2e-3)
    assert found.spacing_nm == pytest.approx(1.0 / np.mean(cell.k), rel=2e-3)
    assert found.n_periods == pytest.approx(256.0 * np.mean(cell.k), rel=2e-3)


def test_the_plane_spacing_of_a_hexagonal_array_is_not_its_lattice_constant(middle: Measure) -> None:
    found = middle(forward.array_image(CELLS["hexagonal"], SHAPE, seed=4))
    assert found.a_sc_nm / found.spacing_nm == pytest.approx(2.0 / np.sqrt(3.0), rel=3e-3)


@pytest.mark.parametrize(("period", "size"), [(4.4, 128), (7.0, 160), (20.0, 300), (40.0, 520)])
def test_periods_of_4_to_40_px_come_back(period: float, size: int, middle: Measure) -> None:
    image = forward.array_image(square(period, psi_deg=31.0), (size + 8, size + 8), seed=8)
    found = middle(image, size)
    assert found.status == "ok"
    assert found.spacing_nm == pytest.approx(period, rel=3e-3)


@pytest.mark.parametrize("psi_deg", [0.0, 21.0, 44.0, 46.0, 80.0])
def test_the_vectors_lie_where_the_lattice_has_them(psi_deg: float, middle: Measure) -> None:
    cell = Cell(a1=11.0, a2=14.0, gamma_deg=82.0, psi_deg=psi_deg)
    found = middle(forward.array_image(cell, SHAPE, seed=5))
    reciprocal = np.linalg.inv(cell.vectors()).T
    for vector in found.k_per_nm:
        distance = min(np.hypot(*(sign * b - vector)) for b in reciprocal for sign in (1, -1))
        assert distance < 3e-4
    omega = _psi_of(found.k_per_nm) + 0.5 * (found.gamma_deg - 90.0)
    assert -45.0 < (omega + 90.0) % 180.0 - 90.0 <= 45.0


def _psi_of(k_per_nm: np.ndarray) -> float:
    a1 = np.linalg.inv(k_per_nm).T[0]
    return float(np.degrees(np.arctan2(-a1[1], a1[0])))


def test_a_stronger_harmonic_does_not_pass_for_the_first_order(middle: Measure) -> None:
    rng = np.random.default_rng(2)
    y, x = np.indices((256, 256)) + 0.5
    c, s = np.cos(0.2), np.sin(0.2)
    u, v = (x * c - y * s) / 16.0, (x * s + y * c) / 16.0
    waves = sum(
        weight * (np.cos(2 * np.pi * n * u) + np.cos(2 * np.pi * n * v))
        for n, weight in ((1, 0.06), (2, 0.3))
    )
    found = middle(forward.as_grey(0.5 + waves, rng=rng))
    assert found.spacing_nm == pytest.approx(16.0, rel=3e-3)
    k = found.radial_k_per_nm
    first, second = (found.radial_power[np.argmin(abs(k - n / 16.0))] for n in (1, 2))
    assert second > 3 * first


def test_the_stronger_direction_does_not_hide_the_weaker(middle: Measure) -> None:
    rng = np.random.default_rng(2)
    y, x = np.indices((256, 256)) + 0.5
    waves = 0.4 * np.cos(2 * np.pi * x / 12.0) + 0.02 * np.cos(2 * np.pi * y / 17.0)
    found = middle(forward.as_grey(0.5 + waves, rng=rng))
    assert sorted(1.0 / np.array(found.delta_k_each_per_nm)) == pytest.approx([12.0, 17.0], rel=3e-3)


@pytest.mark.parametrize("grains", [12, 40])
def test_a_polycrystal_is_a_ring_read_from_the_radial_average(grains: int, middle: Measure) -> None:
    found = middle(forward.polycrystal_image(12.0, SHAPE, grains=grains, seed=1))
    assert found.status == "ring"
    assert found.spacing_nm == pytest.approx(12.0, rel=0.03)
    assert abs(found.spacing_nm - 12.0) < 4 * found.spacing_err_nm
    assert np.isnan(found.gamma_deg)


def test_noise_alone_and_a_flat_region_have_no_peak(middle: Measure) -> None:
    rng = np.random.default_rng(0)
    for seed in range(4):
        noise = np.random.default_rng(seed).normal(120, 20, (256, 256)).clip(0, 255).astype(np.uint8)
        assert middle(noise).status == "no_peak"
    flat = middle(np.full((256, 256), 80, dtype=np.uint8))
    assert flat.status == "no_peak"
    assert np.isnan([flat.spacing_nm, flat.a_sc_nm, flat.spacing_err_nm, flat.delta_k_per_nm]).all()
    lines = 120.0 + 30.0 * rng.normal(size=(256, 1)) + rng.normal(0, 5, (256, 256))
    assert middle(lines.clip(0, 255).astype(np.uint8)).status == "no_peak"


def test_few_periods_and_few_pixels_a_period_are_told_and_carry_values(middle: Measure) -> None:
    few = middle(forward.array_image(square(40.0), SHAPE, seed=1))
    assert few.status == "few_periods"
    assert few.spacing_nm == pytest.approx(40.0, rel=0.02)
    fine = middle(forward.array_image(square(3.4), (136, 136), seed=1, radius=0.2), 128)
    assert fine.status == "undersampled"
    assert fine.spacing_nm == pytest.approx(3.4, rel=0.005)


def test_the_spectrum_stands_around_k_zero_with_its_peaks_where_the_vectors_say(middle: Measure) -> None:
    found = middle(forward.array_image(CELLS["oblique"], SHAPE, seed=6))
    n = found.spectrum.shape[0]
    assert found.spectrum.dtype == np.float32
    assert 128 <= n <= 256
    step = found.spectrum_k_max_per_nm / (n // 2)
    for kx, ky in found.k_per_nm:
        row, col = round(ky / step) + n // 2, round(kx / step) + n // 2
        near = found.spectrum[row - 2 : row + 3, col - 2 : col + 3]
        assert near.max() > 50 * np.median(found.spectrum)
        top = np.unravel_index(np.argmax(near), near.shape)
        assert max(abs(top[0] - 2), abs(top[1] - 2)) <= 1


def test_the_systematic_error_is_the_pixel_size_and_no_part_of_the_statistical(middle: Measure) -> None:
    found = middle(forward.array_image(square(12.0), SHAPE, seed=9))
    assert found.a_sc_sys_nm == pytest.approx(0.01 * found.a_sc_nm)
    assert found.a_sc_err_nm < 0.2 * found.a_sc_sys_nm
