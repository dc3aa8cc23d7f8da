"""Reduction, labels and types of lattices, against geometry worked out here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sem.lattice import find_lattice, labelled, lattice_type, reduced
from tests.sem.forward import Cell


@settings(max_examples=80, deadline=None)
@given(
    a1=st.floats(5, 20),
    ratio=st.floats(1.0, 1.6),
    gamma=st.floats(62, 118),
    psi=st.floats(-90, 90),
    turns=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
)
def test_a_lattice_keeps_its_vectors_whatever_basis_it_is_given_in(
    a1: float, ratio: float, gamma: float, psi: float, turns: tuple[int, int]
) -> None:
    if abs(np.cos(np.radians(gamma))) * ratio > 0.5 * 0.98:
        return  # that basis is not the reduced one
    vectors = Cell(a1=a1, a2=ratio * a1, gamma_deg=gamma, psi_deg=psi).vectors()
    m, n = turns
    unimodular = np.array([[1, m], [0, 1]]) @ np.array([[1, 0], [n, 1]])
    found = labelled(reduced(np.linalg.inv(unimodular @ vectors).T))
    assert sorted((found.a1, found.a2)) == pytest.approx(sorted((a1, ratio * a1)), rel=1e-9)
    assert min(abs(found.gamma_deg - gamma), abs(180 - found.gamma_deg - gamma)) < 1e-6
    omega = (found.psi_deg + 0.5 * (found.gamma_deg - 90) + 90) % 180 - 90
    assert -45 - 1e-9 < omega <= 45 + 1e-9
    own_psi = psi if found.a1 == pytest.approx(a1, rel=1e-9) else psi + gamma
    if ratio > 1.001:
        assert abs((found.psi_deg - own_psi + 90) % 180 - 90) < 1e-6


def test_labels_are_those_of_the_two_descriptions_of_one_lattice() -> None:
    one = labelled(np.linalg.inv(Cell(a1=10.0, a2=13.0, gamma_deg=80.0, psi_deg=30.0).vectors()).T)
    two = labelled(np.linalg.inv(Cell(a1=13.0, a2=10.0, gamma_deg=100.0, psi_deg=110.0).vectors()).T)
    for found in (one, two):
        assert (found.a1, found.a2) == pytest.approx((10.0, 13.0))
        assert (found.gamma_deg, found.psi_deg) == pytest.approx((80.0, 30.0))


@pytest.mark.parametrize(
    ("ratio", "gamma_deg", "name"),
    [
        (1.0, 90.0, "square"),
        (1.01, 92.5, "square"),
        (1.25, 90.5, "rectangular"),
        (1.0, 61.0, "hexagonal"),
        (0.99, 118.5, "hexagonal"),
        (1.2, 75.0, "oblique"),
        (1.0, 75.0, "oblique"),
    ],
)
def test_the_type_follows_from_ratio_and_angle(ratio: float, gamma_deg: float, name: str) -> None:
    found, confidence = lattice_type(ratio, gamma_deg)
    assert found == name
    assert 0.5 < confidence <= 1.0


def test_confidence_falls_between_two_types() -> None:
    assert lattice_type(1.07, 90.0)[1] < 0.75 < lattice_type(1.0, 90.0)[1]


def test_a_weak_first_order_explains_strong_harmonics_and_a_stray_peak_does_not_halve_the_lattice() -> None:
    b1, b2 = np.array([0.08, 0.01]), np.array([-0.01, 0.08])
    points = [b1, b2, 2 * b1, 2 * b2, b1 + b2, b1 - b2]
    ratio = np.array([40.0, 30.0, 900.0, 800.0, 60.0, 50.0])
    found = find_lattice(np.array(points), ratio, size=256, floor=15.0, k_max=0.48)
    assert np.hypot(*found.T) == pytest.approx([np.hypot(*b1)] * 2)
    stray = np.array([*points, 0.5 * b1 + b2])
    found = find_lattice(stray, np.append(ratio, 16.0), size=256, floor=15.0, k_max=0.48)
    assert np.hypot(*found.T) == pytest.approx([np.hypot(*b1)] * 2)


def test_peaks_on_one_line_or_without_order_are_no_lattice() -> None:
    row = np.array([[0.05, 0.0], [0.1, 0.0], [0.15, 0.0]])
    assert find_lattice(row, np.full(3, 100.0), size=256, floor=15.0, k_max=0.48) is None
    assert find_lattice(np.empty((0, 2)), np.empty(0), size=256, floor=15.0, k_max=0.48) is None
    scattered = np.random.default_rng(1).uniform(0.03, 0.45, (24, 2))
    assert find_lattice(scattered, np.full(24, 50.0), size=256, floor=15.0, k_max=0.48) is None
