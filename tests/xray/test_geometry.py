"""Directions of pixels: pyFAI agrees for every pixel, mirrored detectors keep what they look at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from analysis.records import DetectorGeometry
from analysis.xray.geometry import flipped, pixel_directions, saxs_region
from tests.xray.frames import Instrument

SHAPE = (60, 90)
BEAM = (40.3, 20.2)


def geometry(rotations: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> DetectorGeometry:
    return DetectorGeometry(
        wavelength_nm=0.0954,
        distance_mm=398.0,
        pixel_size_um=(75.0, 60.0),
        beam_center_px=BEAM,
        shape=SHAPE,
        rotations_rad=rotations,
    )


@pytest.mark.parametrize("rotations", [(0.0, 0.0, 0.0), (-0.0184, 0.0041, 0.3), (0.2, -0.1, -1.0)])
def test_pyfai_sees_every_pixel_at_the_same_q_and_phi(rotations: tuple[float, float, float]) -> None:
    reference = AzimuthalIntegrator(
        dist=0.398,
        poni1=(BEAM[1] + 0.5) * 60e-6,
        poni2=(BEAM[0] + 0.5) * 75e-6,
        rot1=rotations[0],
        rot2=rotations[1],
        rot3=rotations[2],
        pixel1=60e-6,
        pixel2=75e-6,
        wavelength=0.0954e-9,
    )
    ours = pixel_directions(geometry(rotations))
    np.testing.assert_allclose(ours.q_per_nm, reference.center_array(SHAPE, unit="q_nm^-1"), atol=1e-12)
    # pyFAI's chi grows downwards on the screen, phi upwards
    chi = reference.center_array(SHAPE, unit="chi_rad")
    np.testing.assert_allclose(np.angle(np.exp(1j * (ours.phi_rad + chi))), 0.0, atol=1e-9)
    expected = reference.solidAngleArray(SHAPE) * reference.polarization(SHAPE, factor=0.98)
    np.testing.assert_allclose(ours.efficiency, expected, rtol=2e-7)


def test_phi_is_counter_clockwise_as_displayed() -> None:
    ours = pixel_directions(geometry())
    assert ours.phi_rad[20, 80] == pytest.approx(0.0, abs=0.01)  # right of the beam
    assert ours.phi_rad[0, 40] == pytest.approx(np.pi / 2, abs=0.02)  # above it: towards row 0
    assert ours.phi_rad[50, 40] == pytest.approx(-np.pi / 2, abs=0.02)


def test_q_has_its_two_pi_and_follows_the_definition() -> None:
    instrument = Instrument()
    q, phi = instrument.pixel_centres()
    ours = pixel_directions(
        DetectorGeometry(
            wavelength_nm=instrument.wavelength_nm,
            distance_mm=instrument.distance_mm,
            pixel_size_um=(150.0, 150.0),
            beam_center_px=instrument.beam_px,
            shape=instrument.shape,
        )
    )
    np.testing.assert_allclose(ours.q_per_nm, q, rtol=1e-12)
    np.testing.assert_allclose(ours.phi_rad, phi, atol=1e-12)
    assert ours.step_per_nm == pytest.approx(instrument.q_per_px)
    # 100 px off: d = lambda / (2 sin theta), q = 2 pi / d
    theta = 0.5 * np.arctan(0.100 * 150.0 / 400.0)
    assert 2 * np.pi / (0.1 / (2 * np.sin(theta))) == pytest.approx(
        float(instrument.q_phi(np.array(149.3), np.array(46.8))[0])
    )


@pytest.mark.parametrize("rotations", [(0.0, 0.0, 0.0), (0.02, -0.03, 0.4)])
@pytest.mark.parametrize("flip", ["horizontal", "vertical"])
def test_a_mirrored_detector_looks_where_the_mirror_shows(
    flip: str, rotations: tuple[float, float, float]
) -> None:
    plain = pixel_directions(geometry(rotations))
    mirrored = pixel_directions(flipped(geometry(rotations), flip))
    view = np.s_[:, ::-1] if flip == "horizontal" else np.s_[::-1]
    np.testing.assert_allclose(mirrored.q_per_nm[view], plain.q_per_nm, atol=1e-12)
    turned = np.pi - plain.phi_rad if flip == "horizontal" else -plain.phi_rad
    np.testing.assert_allclose(np.angle(np.exp(1j * (mirrored.phi_rad[view] - turned))), 0.0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    q_max=st.floats(0.05, 3.0),
    col=st.floats(-40, 300),
    row=st.floats(-40, 340),
    tilt=st.floats(-0.3, 0.3),
)
def test_the_region_is_the_smallest_with_every_pixel_below_q_max(
    q_max: float, col: float, row: float, tilt: float
) -> None:
    detector = DetectorGeometry(
        wavelength_nm=0.1,
        distance_mm=300.0,
        pixel_size_um=(172.0, 172.0),
        beam_center_px=(col, row),
        shape=(300, 260),
        rotations_rad=(tilt, -0.5 * tilt, 0.0),
    )
    (row0, row1), (col0, col1) = saxs_region(detector, q_max)
    whole = pixel_directions(detector).q_per_nm
    rows, cols = np.nonzero(whole < q_max)
    if rows.size == 0:
        assert (row1 - row0) * (col1 - col0) == 0
        return
    assert (row0, row1, col0, col1) == (rows.min(), rows.max() + 1, cols.min(), cols.max() + 1)
    part = pixel_directions(detector, origin=(row0, col0), shape=(row1 - row0, col1 - col0))
    np.testing.assert_array_equal(part.q_per_nm, whole[row0:row1, col0:col1])
