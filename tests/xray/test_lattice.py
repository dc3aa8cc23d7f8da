"""From peaks to the lattice: against inverted matrices, label rules, reduction, errors by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.xray.lattice import cells_from_peaks, circular_median_deg, omega_deg, reduced_pair
from tests.xray.frames import Crystal

lengths = st.floats(6.0, 40.0)
gammas = st.floats(62.0, 118.0)
angles = st.floats(-89.0, 89.0)


def peaks_of(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """q and phi (1, 2) of b1 and b2."""
    b = crystal.reciprocal()
    return np.hypot(b[:, 0], b[:, 1])[None], np.arctan2(b[:, 1], b[:, 0])[None]


def is_reduced(crystal: Crystal) -> bool:
    one, two = np.radians(crystal.psi), np.radians(crystal.psi + crystal.gamma)
    a1 = crystal.a1 * np.array([np.cos(one), np.sin(one)])
    a2 = crystal.a2 * np.array([np.cos(two), np.sin(two)])
    return min(np.linalg.norm(a1 + a2), np.linalg.norm(a1 - a2)) > 1.001 * max(crystal.a1, crystal.a2)


COVARIANCE = np.diag([1e-6, 1e-4, 2e-6, 3e-4])[None]


@settings(max_examples=200, deadline=None)
@given(
    a1=lengths, ratio=st.floats(0.72, 1.38), gamma=gammas, psi=angles, flip=st.booleans(), swap=st.booleans()
)
def test_a_lattice_comes_back_whatever_its_peaks_are_called(
    a1: float, ratio: float, gamma: float, psi: float, flip: bool, swap: bool
) -> None:
    crystal = Crystal(a1=a1, a2=a1 * ratio, gamma=gamma, psi=psi)
    assume(is_reduced(crystal))
    omega = (psi + 0.5 * (gamma - 90.0) + 90.0) % 180.0 - 90.0
    assume(abs(abs(omega) - 45.0) > 0.01)
    q, phi = peaks_of(crystal)
    if flip:
        phi = phi + np.array([[np.pi, 0.0]])
    if swap:
        q, phi = q[:, ::-1], phi[:, ::-1]
    found = cells_from_peaks(q, phi, COVARIANCE, omega_centre_deg=0.0)
    if -45.0 < omega <= 45.0:
        expected = (crystal.a1, crystal.a2, gamma, psi)
    else:
        expected = (crystal.a2, crystal.a1, 180.0 - gamma, psi + gamma)
    assert found.a1_nm[0] == pytest.approx(expected[0], rel=1e-9)
    assert found.a2_nm[0] == pytest.approx(expected[1], rel=1e-9)
    assert found.gamma_deg[0] == pytest.approx(expected[2], abs=1e-7)
    assert (found.psi_deg[0] - expected[3] + 90.0) % 180.0 - 90.0 == pytest.approx(0.0, abs=1e-7)
    assert found.a_sc_nm[0] == pytest.approx(crystal.a_sc, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(gamma=gammas, psi=angles, h=st.integers(-2, 2), k=st.integers(-2, 2))
def test_a_skewed_pair_of_peaks_is_reduced(gamma: float, psi: float, h: int, k: int) -> None:
    crystal = Crystal(a1=14.0, a2=12.0, gamma=gamma, psi=psi)
    assume(is_reduced(crystal))
    b = crystal.reciprocal() @ np.array([1.0, 1.0j])
    b1, b2 = (b[0] + h * b[1], b[1]) if h else (b[0], b[1] + k * b[0])
    one, two, whole = reduced_pair(np.array([b1]), np.array([b2]))
    lengths_found = sorted(np.abs([one[0], two[0]]))
    np.testing.assert_allclose(lengths_found, sorted(np.abs(b)), rtol=1e-9)
    assert abs(np.linalg.det(whole[0])) == pytest.approx(1.0)
    np.testing.assert_allclose(whole[0] @ np.array([b1, b2]), [one[0], two[0]], atol=1e-12)


def test_labels_do_not_flip_between_points_of_a_crystal_near_forty_five_degrees() -> None:
    psi = 45.0 + np.linspace(-6.0, 6.0, 25)
    both = [peaks_of(Crystal(a1=14.0, a2=13.0, gamma=90.0, psi=float(angle))) for angle in psi]
    q, phi = (np.concatenate(part) for part in zip(*both, strict=True))
    found = cells_from_peaks(q, phi, np.repeat(COVARIANCE, 25, axis=0))
    assert np.ptp(found.a1_nm) < 1e-9
    assert np.ptp(found.psi_deg) == pytest.approx(12.0, abs=1e-6)


def test_stated_errors_are_those_of_drawn_peaks() -> None:
    crystal = Crystal(a1=14.0, a2=11.0, gamma=75.0, psi=8.0)
    q, phi = peaks_of(crystal)
    mixed = np.array([[1.0, 0.4, 0, 0], [0.4, 2.0, 0, 0], [0, 0, 3.0, -0.5], [0, 0, -0.5, 1.5]]) * 1e-6
    found = cells_from_peaks(q, phi, mixed[None], omega_centre_deg=0.0)
    rng = np.random.default_rng(3)
    centre = np.array([q[0, 0], phi[0, 0], q[0, 1], phi[0, 1]])
    drawn = rng.multivariate_normal(centre, mixed, size=20_000)
    many = cells_from_peaks(
        drawn[:, (0, 2)], drawn[:, (1, 3)], np.repeat(mixed[None], len(drawn), axis=0), omega_centre_deg=0.0
    )
    for name, values in (
        ("a1", many.a1_nm),
        ("a2", many.a2_nm),
        ("gamma", many.gamma_deg),
        ("psi", many.psi_deg),
        ("a_sc", many.a_sc_nm),
        ("q1", many.q1_per_nm),
    ):
        assert np.std(values) == pytest.approx(found.errors[name][0], rel=0.03), name


def test_the_middle_of_angles_wraps() -> None:
    assert circular_median_deg(
        np.array([89.0, 1.0, 0.0, 88.0, 2.0]), period_deg=90.0
    ) % 90.0 == pytest.approx(0.0)
    assert np.isnan(circular_median_deg(np.array([np.nan]), period_deg=90.0))
    assert omega_deg(np.array(80.0), np.array(10.0)) == pytest.approx(5.0)
