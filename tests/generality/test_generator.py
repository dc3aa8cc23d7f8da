"""The second generator does what the definitions say: checked on frames without noise, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.generality import generator

SETUP = generator.Setup()


def test_spots_lie_where_the_definitions_put_them() -> None:
    a1, a2, gamma, psi = 14.0, 17.0, 75.0, 10.0
    spots = generator.lattice_spots(a1, a2, gamma, psi)
    (q1, phi1, _), (q2, phi2, _) = spots[0], spots[2]
    sine = math.sin(math.radians(gamma))
    assert 2 * math.pi / (q1 * sine) == pytest.approx(a1)
    assert 2 * math.pi / (q2 * sine) == pytest.approx(a2)
    assert math.degrees(phi1) == pytest.approx(psi + gamma - 90.0)
    assert math.degrees(phi2) == pytest.approx(psi + 90.0)


def test_a_spot_up_and_to_the_right_is_seen_there_on_the_frame() -> None:
    q, phi = generator.q_and_phi(SETUP)
    frame = np.zeros(SETUP.detector)
    q0, phi0 = 0.42, math.radians(30.0)
    generator.add_spot(frame, q, phi, (q0, phi0, 1.0), setup=SETUP)
    row, col = np.indices(frame.shape)
    centre = (np.average(row, weights=frame), np.average(col, weights=frame))
    two_theta = 2.0 * math.asin(q0 * SETUP.wavelength_nm / (4.0 * math.pi))
    radius_px = SETUP.distance_mm * math.tan(two_theta) / (SETUP.pixel_um / 1000.0)
    # the mean of an arc of 4 degrees lies inside of its radius by half its variance
    assert centre[0] == pytest.approx(SETUP.beam_row - radius_px * 0.5, abs=0.3)
    assert centre[1] == pytest.approx(SETUP.beam_col + radius_px * math.cos(phi0), abs=0.3)
    assert frame.sum() == pytest.approx(SETUP.counts, rel=0.02)


def test_frames_are_numbered_to_and_fro() -> None:
    order = generator.number_in_time(SETUP)
    columns = SETUP.points[1]
    assert sorted(order) == list(range(SETUP.points[0] * columns))
    assert order[:3] == [0, 1, 2]
    assert order[columns : columns + 3] == [2 * columns - 1, 2 * columns - 2, 2 * columns - 3]


def test_the_crystal_has_its_sides_where_it_says() -> None:
    crystal = generator.Crystal(centre_um=(1.0, 2.0), half_um=(3.0, 1.0), turn_deg=30.0)
    up_right = (1.0 + 3.0 * math.cos(math.radians(30)), 2.0 - 3.0 * math.sin(math.radians(30)))
    assert crystal.s_at(np.array([1.0]), np.array([2.0]))[0] == 1.0
    assert crystal.s_at(np.array([up_right[0]]), np.array([up_right[1]]))[0] == pytest.approx(0.0, abs=1e-12)


def test_particles_stand_on_the_lattice() -> None:
    """The strongest spatial frequency of the drawn image is one of the lattice's own."""
    image = generator.particle_image((256, 256), cell_px=(16.0, 16.0), gamma_deg=90.0, psi_deg=0.0, seed=1)
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    row, col = np.unravel_index(np.argmax(power), power.shape)
    assert sorted((min(row, 256 - row), min(col, 256 - col))) == [0, 16]
