"""Three hundred regions of known arrays, each read as the regions of a result are: errors and their sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from analysis.records import SemRegion
from analysis.sem.region import Place, Scale, measure_region
from tests.sem import forward
from tests.sem.forward import Cell

PERIODS_A_SIDE = 20.3
SHAPES = {"square": (90.0, 1.0), "hexagonal": (60.0, 1.0), "rectangular": (90.0, 1.25)}
"""Angle in degrees and a2 / a1 of each lattice."""

SPANS = ((4.05, 4.8, 62), (4.8, 7.0, 30), (7.0, 12.0, 6), (20.0, 22.0, 2), (40.0, 40.0, 1))
"""Shortest and longest plane spacing in px, and how many regions of each lattice have one between them."""

DISTURBED = ((0.0, 60.0), (0.04, 12.0), (0.07, 8.0))
"""Displacement of the particles in units of a, and noise of the image in grey levels (1 sigma)."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A region as it was read, and the truth: lattice, plane spacing and lattice constant in px (= nm)."""

    lattice: str
    spacing: float
    a_sc: float
    found: SemRegion


def known_region(lattice: str, *, spacing: float, seed: int) -> Known:
    """A region of PERIODS_A_SIDE periods of an array turned at random, as one of DISTURBED."""
    gamma_deg, longer = SHAPES[lattice]
    rng = np.random.default_rng([seed, len(lattice)])
    per_a1 = 0.5 * (1.0 + 1.0 / longer) / np.sin(np.deg2rad(gamma_deg))
    a1 = spacing * per_a1
    cell = Cell(a1=a1, a2=longer * a1, gamma_deg=gamma_deg, psi_deg=float(rng.uniform(-45.0, 45.0)))
    side = int(np.ceil(0.5 * PERIODS_A_SIDE * spacing)) * 2
    jitter, noise = DISTURBED[seed % len(DISTURBED)]
    image = forward.array_image(cell, (side, side), seed=int(rng.integers(2**31)), jitter=jitter, noise=noise)
    place = Place(label="whole", row0=0, col0=0, size_px=side)
    found = measure_region(image, place, scale=Scale(pixel_nm=1.0, relative_err=0.01))
    return Known(lattice=lattice, spacing=spacing, a_sc=0.5 * (cell.a1 + cell.a2), found=found)


@pytest.fixture(scope="module")
def regions() -> list[Known]:
    spacings = np.concatenate([np.geomspace(low, high, n) for low, high, n in SPANS])
    return [
        known_region(lattice, spacing=float(spacing), seed=seed)
        for lattice in SHAPES
        for seed, spacing in enumerate(spacings)
    ]


def pulls(regions: list[Known]) -> np.ndarray:
    """Errors of the plane spacing in units of their stated 1 sigma."""
    return np.array([(one.found.spacing_nm - one.spacing) / one.found.spacing_err_nm for one in regions])


def test_every_region_is_read_as_the_lattice_that_it_is(regions: list[Known]) -> None:
    assert len(regions) >= 300
    assert {one.found.status for one in regions} <= {"ok", "undersampled"}
    assert all(one.found.status == "ok" for one in regions if one.spacing > 4.8)
    assert [one.found.lattice for one in regions] == [one.lattice for one in regions]
    assert min(one.found.n_periods for one in regions) > 20.0


def test_the_median_error_is_far_below_three_thousandths_at_every_sampling(regions: list[Known]) -> None:
    off = np.array([abs(one.found.spacing_nm / one.spacing - 1.0) for one in regions])
    a_sc_off = np.array([abs(one.found.a_sc_nm / one.a_sc - 1.0) for one in regions])
    spacing = np.array([one.spacing for one in regions])
    for low, high, _ in SPANS:
        assert np.median(off[(spacing >= low) & (spacing <= high)]) < 0.003
    assert np.median(off) < 0.001
    assert np.median(a_sc_off) < 0.001


def test_one_sigma_covers_sixty_to_eighty_percent(regions: list[Known]) -> None:
    pull = pulls(regions)
    assert 0.60 <= np.mean(np.abs(pull) < 1.0) <= 0.80
    assert np.mean(np.abs(pull) < 2.0) >= 0.90
    assert abs(np.mean(pull)) < 0.2
    a_sc = np.array([(one.found.a_sc_nm - one.a_sc) / one.found.a_sc_err_nm for one in regions])
    assert 0.60 <= np.mean(np.abs(a_sc) < 1.0) <= 0.80


@pytest.mark.parametrize("lattice", sorted(SHAPES))
def test_one_sigma_covers_as_much_on_each_lattice(lattice: str, regions: list[Known]) -> None:
    pull = pulls([one for one in regions if one.lattice == lattice])
    assert 0.57 <= np.mean(np.abs(pull) < 1.0) <= 0.83  # 68 % of 101, give or take 2.5 standard errors
