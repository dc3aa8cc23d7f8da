"""Beyond small angles: where spots lie and which side is brighter; the small angles stay what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.simulate.detector import Detector, eiger_4m, small_angle_part
from analysis.simulate.diffraction import Diffraction
from analysis.simulate.form_factor import CubeFormFactor
from analysis.simulate.lattice import BeamLattice, Scan, beam_lattice
from analysis.simulate.presets import PRESETS
from analysis.simulate.seeds import Stream, generator
from analysis.simulate.wide_angle import wide_angle_spots
from analysis.simulate.wide_angle_kernels import scatter_spots

PRESET = PRESETS["cspbbr3-evaporation"].xray
SIZE_NM = (6.4, 0.6)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return eiger_4m(whole=True)


@pytest.fixture(scope="module")
def lattice() -> BeamLattice:
    scan = Scan.of_preset(PRESET, shape=(3, 3))
    return beam_lattice(PRESET, scan, np.random.default_rng(4))


@pytest.fixture(scope="module")
def form_factor() -> CubeFormFactor:
    return CubeFormFactor.of_population(mean_nm=SIZE_NM[0], std_nm=SIZE_NM[1])


@pytest.fixture(scope="module")
def whole(lattice: BeamLattice, form_factor: CubeFormFactor) -> Diffraction:
    return Diffraction.of_preset(
        PRESET, lattice=lattice, form_factor=form_factor, size_nm=SIZE_NM, wide_angle=True
    )


def test_spots_lie_at_the_papers_momentum_transfers(lattice: BeamLattice) -> None:
    spots = wide_angle_spots(lattice, 1, 1, half_integer=False)
    q = np.sort(np.hypot(spots[:, 0], spots[:, 1]))
    assert q.size == 12
    assert q[:4] == pytest.approx(10.76, abs=0.02)
    assert q[4:8] == pytest.approx(15.22, abs=0.03)
    assert q[8:] == pytest.approx(21.52, abs=0.04)


def test_half_integer_spots_are_weak(lattice: BeamLattice) -> None:
    spots = wide_angle_spots(lattice, 1, 1, half_integer=True)
    q = np.hypot(spots[:, 0], spots[:, 1])
    weak = (q > 16.5) & (q < 17.5)
    assert np.count_nonzero(weak) == 8
    assert spots[weak, 2].max() < 0.15 * spots[q < 11.0, 2].mean()


def photons_of(
    detector: Detector,
    *,
    azimuth_deg: float,
    lean_deg: float = 0.0,
    mosaic_deg: float = 5.0,
    n: float = 4e4,
    edge_nm: float = 8.0,
) -> tuple[float, float]:
    """Photons of a 100 spot within the first zeros of its cubes' shape, and their mean q."""
    counts = np.zeros(detector.shape, dtype=np.uint32)
    scatter_spots(
        np.random.default_rng(7),
        counts,
        np.zeros(detector.shape, dtype=np.bool_),
        detector.efficiency,
        (1034.0, 1083.0, detector.distance_px),
        detector.wavelength_nm,
        np.array([[10.76, 0.0, n]]),
        (np.radians(azimuth_deg), np.radians(lean_deg), 0.0, np.radians(mosaic_deg), edge_nm, 0.01),
    )
    row, col = np.nonzero(counts)
    two_theta = np.arctan(np.hypot(row - 1083.0, col - 1034.0) / detector.distance_px)
    q = 4.0 * np.pi / detector.wavelength_nm * np.sin(0.5 * two_theta)
    core = np.abs(q - 10.76) < 2.0 * np.pi / edge_nm
    number = counts[row, col][core]
    return float(number.sum()), float(np.average(q[core], weights=number))


THETA_DEG = np.degrees(np.arcsin(10.76 * (1.239841984 / 13.0) / (4.0 * np.pi)))


@pytest.mark.parametrize("mosaic_deg", [2.0, 5.0])
def test_untilted_nanocrystals_miss_the_bragg_condition_by_theta(
    detector: Detector, mosaic_deg: float
) -> None:
    """Those turned by theta meet it: the ratio of the two is the mosaic's Gaussian, widened by the size."""
    missed, _ = photons_of(detector, azimuth_deg=0.0, mosaic_deg=mosaic_deg)
    met, _ = photons_of(detector, azimuth_deg=0.0, mosaic_deg=mosaic_deg, lean_deg=THETA_DEG)
    size_deg = np.degrees(0.886 * 2.0 * np.pi / 8.0 / 2.3548 / 10.76)
    expected = np.exp(-0.5 * THETA_DEG**2 / (mosaic_deg**2 + size_deg**2))
    assert missed / met == pytest.approx(expected, rel=0.08)


def test_the_spot_that_the_nanocrystals_lean_to_is_brighter(detector: Detector) -> None:
    right, _ = photons_of(detector, azimuth_deg=0.0, lean_deg=2.0)
    left, _ = photons_of(detector, azimuth_deg=180.0, lean_deg=2.0)
    size_deg = np.degrees(0.886 * 2.0 * np.pi / 8.0 / 2.3548 / 10.76)
    expected = np.exp(2.0 * THETA_DEG * 2.0 / (5.0**2 + size_deg**2))
    assert right / left == pytest.approx(expected, rel=0.06)


def mean_q_by_quadrature(*, mosaic_deg: float, lean_deg: float, edge_nm: float) -> float:
    """Mean q within the first zeros of the shape, by summing over it along q and out of the plane."""
    x = np.linspace(-1.2, 1.2, 601)[:, None] * 2.0 * np.pi / edge_nm
    z = np.linspace(-40.0, 40.0, 4001)[None, :] * 2.0 / edge_nm
    shape = np.sinc(0.5 * x * edge_nm / np.pi) ** 2 * np.sinc(0.5 * z * edge_nm / np.pi) ** 2
    q = np.hypot(10.76 + x, z)
    missed = np.arcsin(q * (1.239841984 / 13.0) / (4.0 * np.pi)) - np.arctan2(z, 10.76 + x)
    weight = shape * np.exp(-0.5 * ((missed - np.radians(lean_deg)) / np.radians(mosaic_deg)) ** 2)
    weight = np.where(np.abs(q - 10.76) < 2.0 * np.pi / edge_nm, weight, 0.0)
    return float(np.sum(weight * q) / np.sum(weight))


def test_photons_come_from_the_side_that_is_nearer_to_the_ewald_sphere(detector: Detector) -> None:
    """Between nanocrystals that do not lean and that lean by theta q differs as the quadrature says."""
    found, expected = (
        of(lean_deg=0.0) - of(lean_deg=THETA_DEG)
        for of in (
            lambda lean_deg: photons_of(
                detector, azimuth_deg=0.0, mosaic_deg=3.0, n=4e5, lean_deg=lean_deg, edge_nm=8.0
            )[1],
            lambda lean_deg: mean_q_by_quadrature(mosaic_deg=3.0, lean_deg=lean_deg, edge_nm=8.0),
        )
    )
    assert expected < -0.004
    assert found == pytest.approx(expected, abs=0.0035)


def test_all_three_orders_reach_the_detector_with_the_beam_off_its_centre(
    lattice: BeamLattice, whole: Diffraction
) -> None:
    detector = whole.detector
    frame = whole.frame(1, 1, np.random.default_rng(5))
    empty = whole.empty_frame(np.random.default_rng(6))
    assert frame.shape == empty.shape == (2167, 2070)
    assert np.all(frame[detector.masked] == 2**32 - 1)
    q, phi = detector.polar_grid
    axis = float(lattice.mean("atomic_psi_rad")[1, 1])
    for at, turn in ((10.76, 0.0), (15.22, 45.0), (21.52, 90.0)):
        away = (phi - axis - np.radians(turn) + np.pi) % (2.0 * np.pi) - np.pi
        near = (np.abs(q - at) < 0.4) & (np.abs(away) < 0.1) & ~detector.masked
        assert np.count_nonzero(near) > 2000
        n, background = float(frame[near].sum()), float(empty[near].sum())
        assert (n - background) / np.sqrt(n + background) > 5.0


def test_the_small_angles_are_the_same_whether_or_not_the_rest_is_read(
    lattice: BeamLattice, form_factor: CubeFormFactor, whole: Diffraction
) -> None:
    alone = Diffraction.of_preset(
        PRESET, lattice=lattice, form_factor=form_factor, size_nm=SIZE_NM, wide_angle=False
    )
    for row, col in ((1, 1), (0, 0)):
        rng = [generator(3, Stream.FRAMES, 5) for _ in range(2)]
        np.testing.assert_array_equal(
            whole.frame(row, col, rng[0])[small_angle_part()], alone.frame(row, col, rng[1])
        )


def test_the_atomic_lattice_is_turned_from_the_superlattice_by_what_is_asked() -> None:
    scan = Scan.of_preset(PRESET, shape=(9, 9))
    asked = replace(PRESET, atomic_turn_deg=7.0)
    made = beam_lattice(asked, scan, np.random.default_rng(4))
    turn = np.degrees(made.mean("atomic_psi_rad") - made.mean("psi_rad"))
    assert np.nanmean(turn) == pytest.approx(7.0, abs=1.0)
    assert 0.2 < np.nanstd(turn) < 1.6


def test_what_is_drawn_for_the_atomic_lattice_changes_nothing_before_it() -> None:
    scan = Scan.of_preset(PRESET, shape=(5, 5))
    one, other = (
        beam_lattice(replace(PRESET, atomic_turn_deg=turn), scan, np.random.default_rng(4))
        for turn in (0.0, 9.0)
    )
    for name in ("a1_nm", "gamma_rad", "psi_rad", "a_al_nm", "tilt_rad"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
