"""Mosaic from rocking: intensities of four spots of leaning nanocrystals, made from the Gaussian by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import SPOT_COLUMNS
from analysis.xray.wide_angle_lattice import SpotTable
from analysis.xray.wide_angle_rocking import rocking_mosaic
from analysis.xray.wide_angle_start import spots_of

COLUMN = {name: k for k, name in enumerate(SPOT_COLUMNS)}
WAVELENGTH_NM = 0.0953724603
Q, SIGMA_Q = 10.76, 0.3
THETA = np.arcsin(Q * WAVELENGTH_NM / (4.0 * np.pi))
SPOTS = spots_of(("100",))


def table(
    *, mosaic_deg: float, lean_deg: float, points: int = 600, spots: int = 4, photons: float = 4000.0
) -> SpotTable:
    """Points whose brightness varies twofold and whose nanocrystals lean at random."""
    rng = np.random.default_rng(7)
    lean = np.radians(lean_deg) * rng.normal(size=(points, 2))
    bright = photons * rng.uniform(0.6, 1.4, points)
    spread = np.hypot(np.radians(mosaic_deg), SIGMA_Q / Q)
    values = np.full((points, len(SPOTS), len(SPOT_COLUMNS)), np.nan)
    for k, spot in enumerate(SPOTS):
        toward = lean[:, 0] * np.cos(spot.azimuth_rad) + lean[:, 1] * np.sin(spot.azimuth_rad)
        counts = rng.poisson(bright * np.exp(-0.5 * ((THETA - toward) / spread) ** 2)) + 1.0
        values[:, k, COLUMN["status"]] = 0.0 if k < spots else 2.0
        values[:, k, COLUMN["photons"]], values[:, k, COLUMN["photons_err"]] = counts, np.sqrt(counts)
        values[:, k, COLUMN["q_per_nm"]], values[:, k, COLUMN["sigma_q_per_nm"]] = Q, SIGMA_Q
    return SpotTable(values=values, spots=SPOTS)


@pytest.mark.parametrize("mosaic_deg", [3.0, 4.5, 6.0])
def test_the_mosaic_comes_back_whatever_the_brightness(mosaic_deg: float) -> None:
    found = rocking_mosaic(table(mosaic_deg=mosaic_deg, lean_deg=2.0), wavelength_nm=WAVELENGTH_NM)
    assert found is not None
    assert found.err is not None
    assert abs(found.value - mosaic_deg) < 3.0 * found.err
    assert found.err < 0.15 * mosaic_deg
    assert found.n == 600


def test_nanocrystals_that_do_not_lean_tell_nothing() -> None:
    assert rocking_mosaic(table(mosaic_deg=4.0, lean_deg=0.02), wavelength_nm=WAVELENGTH_NM) is None


@pytest.mark.parametrize("few", [{"spots": 3}, {"points": 12}], ids=["a spot off the detector", "few points"])
def test_all_four_spots_and_enough_points_are_needed(few: dict[str, int]) -> None:
    assert rocking_mosaic(table(mosaic_deg=4.0, lean_deg=2.0, **few), wavelength_nm=WAVELENGTH_NM) is None
