"""From spots to the atomic lattice: numbers worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import SPOT_COLUMNS, DetectorGeometry
from analysis.xray.wide_angle_lattice import (
    SpotTable,
    folded_deg,
    geometry_parts_nm,
    lattice_constant,
    mean_of,
    mosaic_deg,
    orientation_deg,
    scherrer_nm,
)
from analysis.xray.wide_angle_start import spots_of

COLUMN = {name: k for k, name in enumerate(SPOT_COLUMNS)}
SPOTS = spots_of(("100", "110", "200"))


def table(*, a_nm: float = 0.584, psi_deg: float = 12.0, **columns: float) -> SpotTable:
    """One point whose spots all are ok and say the same."""
    values = np.full((1, len(SPOTS), len(SPOT_COLUMNS)), np.nan)
    values[..., 0] = 0.0
    for k, spot in enumerate(SPOTS):
        phi = psi_deg + np.degrees(spot.azimuth_rad)
        known = {"q_per_nm": 2.0 * np.pi * spot.order / a_nm, "q_err_per_nm": 0.02, "phi_deg": phi}
        known |= {"phi_err_deg": 0.3, "sigma_q_per_nm": 0.3, "sigma_q_err_per_nm": 0.02}
        known |= {"sigma_phi_deg": 4.0, "sigma_phi_err_deg": 0.2, "photons": 1000.0} | columns
        for name, value in known.items():
            values[0, k, COLUMN[name]] = value
    return SpotTable(values=values, spots=SPOTS)


def test_every_reflection_has_its_four_spots_by_name() -> None:
    names = [spot.name for spot in SPOTS]
    assert len(names) == len(set(names)) == 12
    assert {"1 0 0", "-1 0 0", "0 1 0", "0 -1 0", "1 1 0", "-1 1 0", "2 0 0", "0 -2 0"} <= set(names)
    assert len(spots_of(("3/2 1/2 0",))) == 8


def test_the_papers_peaks_give_its_lattice_constant() -> None:
    """10.76, 15.22 and 21.52 nm^-1 are 0.584 nm (ACS Nano 2025, 19, 26117)."""
    made = table()
    for spot, q in (("1 0 0", 10.76), ("1 1 0", 15.22), ("2 0 0", 21.52)):
        made.values[0, [s.name for s in SPOTS].index(spot), COLUMN["q_per_nm"]] = q
    a_al, error = lattice_constant(made)
    assert a_al[0] == pytest.approx(0.584, abs=2e-4)
    # Weights 1 / err^2 with the same error of q: each spot's a has the error a 0.02 / q.
    each = 0.584 * 0.02 / (10.759 * np.array([1.0] * 4 + [2.0**0.5] * 4 + [2.0] * 4))
    assert error[0] == pytest.approx(1.0 / np.sqrt(np.sum(each**-2.0)), rel=1e-3)


def test_spots_that_do_not_count_are_left_out() -> None:
    made = table()
    made.values[0, 1:, 0] = 1.0
    made.values[0, 1:, COLUMN["q_per_nm"]] = 3.0
    assert lattice_constant(made)[0][0] == pytest.approx(0.584)
    made.values[0, 0, 0] = 2.0
    assert np.isnan(lattice_constant(made)[0][0])
    assert np.isnan(orientation_deg(made)[0][0])


@pytest.mark.parametrize("psi", [-44.9, -30.0, 0.0, 12.0, 44.9])
def test_the_orientation_is_where_100_points(psi: float) -> None:
    assert orientation_deg(table(psi_deg=psi))[0][0] == pytest.approx(psi, abs=1e-9)
    assert orientation_deg(table(psi_deg=psi + 90.0))[0][0] == pytest.approx(psi, abs=1e-9)


def test_a_fourfold_axis_is_folded() -> None:
    assert folded_deg(np.array([46.0, -45.0, 45.0, 180.0])) == pytest.approx([-44.0, 45.0, 45.0, 0.0])


def test_mosaic_is_what_the_size_leaves_of_the_azimuthal_width() -> None:
    """Each spot has ``sigma_phi^2 = mosaic^2 + (sigma_q / q)^2``."""
    made = table()
    for k, spot in enumerate(SPOTS):
        size = np.degrees(0.3 * 0.584 / (2.0 * np.pi * spot.order))
        made.values[0, k, COLUMN["sigma_phi_deg"]] = np.hypot(2.5, size)
    assert mosaic_deg(made)[0][0] == pytest.approx(2.5, abs=1e-6)


def test_a_spot_that_its_size_explains_has_no_mosaic() -> None:
    assert np.isnan(mosaic_deg(table(sigma_phi_deg=0.5))[0][0])


def test_scherrers_size_is_that_of_a_cube_whose_peak_is_so_wide() -> None:
    """Full width at half maximum of sinc^2(q L / 2), found on a grid."""
    q = np.linspace(0.0, 1.0, 200001)
    half = q[np.argmax(np.sinc(q * 7.45 / 2.0 / np.pi) ** 2 < 0.5)]
    width = 2.0 * half / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    assert scherrer_nm(table(sigma_q_per_nm=width))[0][0] == pytest.approx(7.45, rel=1e-3)


def test_a_wrong_distance_does_to_the_lattice_constant_what_is_stated() -> None:
    """The spots' radii on the detector stay: q and a are worked out anew with the distance 1 mm longer."""
    geometry = DetectorGeometry(
        wavelength_nm=0.09537,
        distance_mm=398.0,
        pixel_size_um=(75.0, 75.0),
        beam_center_px=(1034.5, 1883.0),
        shape=(2167, 2070),
        distance_err_mm=1.0,
        pixel_size_err_pct=0.1,
    )
    made = table()
    q = made["q_per_nm"][0]
    radius = 398.0 * np.tan(2.0 * np.arcsin(q * 0.09537 / (4.0 * np.pi)))
    moved = made.values.copy()
    moved[0, :, COLUMN["q_per_nm"]] = 4.0 * np.pi / 0.09537 * np.sin(0.5 * np.arctan(radius / 399.0))
    change = lattice_constant(SpotTable(values=moved, spots=SPOTS))[0][0] - 0.584
    parts = geometry_parts_nm(made, 0.584, geometry)
    assert parts["distance"] == pytest.approx(change, rel=0.01)
    assert parts["pixel_size"] == pytest.approx(change * 0.398, rel=0.01)


def test_a_mean_says_its_error_spread_and_number() -> None:
    rng = np.random.default_rng(1)
    errors = np.full(400, 0.001)
    quiet = mean_of(0.584 + errors * rng.normal(size=400), errors, unit="nm", systematic=0.0014)
    assert quiet is not None
    assert quiet.err == pytest.approx(0.001 / 20.0, rel=0.1)
    assert (quiet.sys, quiet.n) == (0.0014, 400)
    loud = mean_of(0.584 + 0.003 * rng.normal(size=400), errors, unit="nm")
    assert loud is not None
    assert loud.err == pytest.approx(0.003 / 20.0, rel=0.1)
    assert mean_of(np.full(3, np.nan), np.full(3, np.nan), unit="nm") is None
