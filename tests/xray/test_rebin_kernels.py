"""I(q) and I(q, phi): pyFAI 2026.9 agrees bin by bin, without splitting, to rounding."""

from __future__ import annotations

from pathlib import Path

import fabio
import numpy as np
import pyFAI
import pytest
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from analysis.io.poni import read_poni
from analysis.records import DetectorGeometry
from analysis.xray.geometry import pixel_directions
from analysis.xray.rebin import add_up, mean_and_error, mean_in_bins, polar_bins, total_in_bins

WIDER = 1.0 + float(np.finfo(np.float32).eps)
NO_SPLIT = ("no", "histogram", "cython")
SHAPE = (61, 83)
TILTED = DetectorGeometry(
    wavelength_nm=0.0954,
    distance_mm=98.0,
    pixel_size_um=(75.0, 75.0),
    beam_center_px=(184.64, 114.13),
    shape=SHAPE,
    rotations_rad=(0.11, -0.07, 0.4),
)


def integrator(geometry: DetectorGeometry) -> AzimuthalIntegrator:
    size = geometry.pixel_size_um[0] * 1e-6
    rot1, rot2, rot3 = geometry.rotations_rad
    return AzimuthalIntegrator(
        dist=geometry.distance_mm * 1e-3,
        poni1=(geometry.beam_center_px[1] + 0.5) * size,
        poni2=(geometry.beam_center_px[0] + 0.5) * size,
        rot1=rot1, rot2=rot2, rot3=rot3,
        pixel1=size, pixel2=size,
        wavelength=geometry.wavelength_nm * 1e-9,
    )  # fmt: skip


def assert_agrees(
    counts: np.ndarray,
    masked: np.ndarray,
    geometry: DetectorGeometry,
    reference: AzimuthalIntegrator,
    *,
    q_range: tuple[float, float],
    n_q: int,
    n_phi: int,
) -> None:
    directions = pixel_directions(geometry)
    # pyFAI truncates towards zero, so that its first bin takes pixels below the range: they are masked.
    masked = masked | (directions.q_per_nm < q_range[0])
    common = {
        "correctSolidAngle": True, "polarization_factor": 0.98, "mask": masked, "unit": "q_nm^-1",
        "method": NO_SPLIT, "radial_range": q_range, "variance": np.maximum(counts, 0),
    }  # fmt: skip
    # It also widens a range at its end by one unit in the last place of single precision.
    q_range = q_range[0], q_range[1] * WIDER
    radial = reference.integrate1d_ng(counts, n_q, **common)
    bins = polar_bins(directions, ~masked, q_range_per_nm=q_range, n_q=n_q)
    mean, error = mean_and_error(counts, bins)
    seen = bins.pixels[:, 0] > 0
    np.testing.assert_allclose(bins.q_per_nm, radial.radial, rtol=1e-6)
    np.testing.assert_array_equal(bins.pixels[:, 0], radial.count)
    np.testing.assert_allclose(mean[seen, 0], radial.intensity[seen], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(error[seen, 0], radial.sigma[seen], rtol=1e-6, atol=1e-12)
    assert np.isnan(mean[~seen]).all()
    # pyFAI has azimuth first, and its chi grows downwards on the screen.
    polar = reference.integrate2d_ng(counts, n_q, n_phi, azimuth_range=(-180.0, 180.0), **common)
    bins = polar_bins(
        directions,
        ~masked,
        q_range_per_nm=q_range,
        n_q=n_q,
        phi_range_rad=(-np.pi * WIDER, np.pi),
        n_phi=n_phi,
    )
    seen = bins.pixels > 0
    np.testing.assert_array_equal(bins.pixels, polar.count[::-1].T)
    found, expected = mean_in_bins(counts, bins), polar.intensity[::-1].T
    np.testing.assert_allclose(found[seen], expected[seen], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(bins.phi_deg, -polar.azimuthal[::-1], atol=1e-4)
    assert seen.mean() > 0.4


def test_pyfai_agrees_on_a_tilted_detector() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(30.0, SHAPE)
    masked = rng.random(SHAPE) < 0.1
    assert_agrees(
        counts, masked, TILTED, integrator(TILTED), q_range=(0.45, 4.05), n_q=37, n_phi=24
    )  # fmt: skip


@pytest.mark.real
def test_pyfai_agrees_on_a_real_frame(real_data: Path) -> None:
    """A frame of a PILATUS 1M with the calibration that came with it, gaps masked."""
    folder = real_data / "xray"
    counts = fabio.open(folder / "CeO2_Pilatus1M.tif").data
    found = read_poni(folder / "CeO2_Pilatus1M.poni")
    assert found.pixel_size_um is not None
    assert found.wavelength_nm is not None
    geometry = DetectorGeometry(
        wavelength_nm=found.wavelength_nm,
        distance_mm=found.distance_mm,
        pixel_size_um=found.pixel_size_um,
        beam_center_px=found.beam_center_px(found.pixel_size_um),
        shape=counts.shape,
        rotations_rad=found.rotations_rad,
    )
    reference = pyFAI.load(str(folder / "CeO2_Pilatus1M.poni"))
    assert_agrees(
        counts, counts < 0, geometry, reference, q_range=(5.0, 75.0), n_q=500, n_phi=180
    )  # fmt: skip


def test_a_window_across_the_turn_is_one_window() -> None:
    directions = pixel_directions(TILTED)
    everything = np.ones(SHAPE, bool)
    window = polar_bins(
        directions, everything, q_range_per_nm=(0.5, 3.0), n_q=1, phi_range_rad=(3.0, 3.4), n_phi=1
    )
    phi = np.mod(directions.phi_rad, 2 * np.pi)
    inside = (directions.q_per_nm >= 0.5) & (directions.q_per_nm < 3.0) & (phi >= 3.0) & (phi < 3.4)
    assert window.pixels[0, 0] == inside.sum() > 10
    assert window.weight[0, 0] == pytest.approx(directions.efficiency[inside].sum())


def test_every_usable_pixel_of_the_range_is_in_one_bin_and_others_in_none() -> None:
    directions = pixel_directions(TILTED)
    usable = np.random.default_rng(4).random(SHAPE) < 0.7
    bins = polar_bins(directions, usable, q_range_per_nm=(0.0, 20.0), n_q=13, n_phi=9)
    assert bins.pixels.sum() == usable.sum()
    values = np.where(usable, 2.0, np.nan)
    np.testing.assert_allclose(total_in_bins(values, bins), 2.0 * bins.pixels)
    empty = polar_bins(directions, usable, q_range_per_nm=(30.0, 40.0), n_q=3)
    assert np.isnan(mean_in_bins(values, empty)).all()


def test_adding_up_by_hand() -> None:
    total = np.zeros(3)
    add_up(np.array([1, 2, 4, 8], np.uint32), np.array([0, 2, 0, 1], np.int32), total)
    assert total.tolist() == [5.0, 8.0, 2.0]
