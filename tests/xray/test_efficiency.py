"""Solid angle, polarization and absorption: pyFAI 2026.9 has the same for every pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.records import DetectorGeometry
from analysis.xray.efficiency import plate_transmission
from analysis.xray.geometry import direct_beam_px, flipped, pixel_directions
from tests.xray.test_rebin_kernels import SHAPE, TILTED, integrator

FLAT = replace(TILTED, rotations_rad=(0.0, 0.0, 0.0), distance_mm=9.0)


@pytest.mark.parametrize("geometry", [FLAT, TILTED], ids=["flat", "tilted"])
@pytest.mark.parametrize("horizontal", [0.0, 0.5, 0.97, None])
def test_polarization_and_solid_angle_are_pyfais(
    geometry: DetectorGeometry, horizontal: float | None
) -> None:
    reference = integrator(geometry)
    factor = 2.0 * (0.99 if horizontal is None else horizontal) - 1.0
    expected = reference.solidAngleArray(SHAPE) * reference.polarization(SHAPE, factor=factor)
    found = pixel_directions(replace(geometry, polarization=horizontal)).efficiency
    np.testing.assert_allclose(found, expected, rtol=3e-7)
    assert np.ptp(found) > 0.01


def test_a_holder_absorbs_as_pyfais_window() -> None:
    """pyFAI gives what a screen on the detector absorbs, over that at normal incidence."""
    absorbed = integrator(FLAT).calc_transmission(0.8, SHAPE) * (1.0 - 0.8)
    reference = (1.0 - absorbed) / 0.8
    bare, held = (pixel_directions(replace(FLAT, holder_transmission=t)).efficiency for t in (None, 0.8))
    np.testing.assert_allclose(held / bare, reference, rtol=1e-6)
    assert reference.min() < 0.97


def test_a_holder_stays_square_to_the_beam_when_the_detector_is_tilted() -> None:
    """The way through a plate of unit thickness, from where a ray enters and leaves it."""
    bare, held = (pixel_directions(replace(TILTED, holder_transmission=t)).efficiency for t in (None, 0.6))
    two_theta = integrator(TILTED).twoThetaArray(SHAPE)
    way = np.hypot(np.tan(two_theta), 1.0)
    np.testing.assert_allclose(held / bare, 0.6 ** (way - 1.0), rtol=1e-9)
    at = np.unravel_index(np.argmin(two_theta), SHAPE)
    assert held[at] / bare[at] == pytest.approx(1.0, abs=1e-4)


def test_what_runs_along_the_plate_does_not_come_through() -> None:
    cosine = np.array([1.0, 0.5, 1e-9, 0.0, -0.3])
    np.testing.assert_allclose(plate_transmission(cosine, transmission=0.5), [1.0, 0.5, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(plate_transmission(cosine, transmission=1.0), [1.0, 1.0, 1.0, 0.0, 0.0])


def test_mirrors_keep_what_is_not_a_place() -> None:
    geometry = replace(TILTED, polarization=0.9, holder_transmission=0.7, distance_err_mm=1.0)
    mirrored = flipped(geometry, "vertical")
    assert mirrored.mirrored == "vertical"
    np.testing.assert_allclose(
        pixel_directions(mirrored).efficiency[::-1], pixel_directions(geometry).efficiency, rtol=1e-12
    )
    assert mirrored.distance_err_mm == 1.0


@pytest.mark.parametrize("rotations", [(0.0, 0.0, 0.0), (0.11, -0.07, 0.4), (-0.3, 0.2, 2.0)])
def test_the_step_is_q_per_pixel_at_the_direct_beam(rotations: tuple[float, float, float]) -> None:
    geometry = replace(TILTED, rotations_rad=rotations, pixel_size_um=(80.0, 50.0))
    col, row = direct_beam_px(geometry)
    small = 1e-3
    places = [(0.0, 0.0), (small, 0.0), (0.0, small)]
    vectors = []
    for d_row, d_col in places:
        moved = replace(
            geometry,
            beam_center_px=(
                geometry.beam_center_px[0] - col - d_col,
                geometry.beam_center_px[1] - row - d_row,
            ),
        )
        one = pixel_directions(moved, shape=(1, 1))
        vectors.append(one.q_per_nm[0, 0] * np.exp(1j * one.phi_rad[0, 0]))
    assert abs(vectors[0]) < 1e-9
    down, right = ((vector - vectors[0]) / small for vector in vectors[1:])
    area = abs((down.conjugate() * right).imag)
    assert pixel_directions(geometry, shape=(1, 1)).step_per_nm == pytest.approx(area**0.5, rel=1e-4)
