"""Fits of single spots to simulated pixels: bias, spread and errors against the bound of the counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from analysis.records import SPOT_COLUMNS, WIDE_ANGLE_STATUS
from analysis.xray.spot_window import N_COLUMNS, fit_spot
from analysis.xray.wide_angle_cells import CellMap, cell_map, with_background, without_hot
from analysis.xray.wide_angle_kernels import PHI_BINS
from tests.xray.wide_frames import GEOMETRY, SHAPE, expected_counts, q_and_phi

Array = np.ndarray
COLUMN = {name: k for k, name in enumerate(SPOT_COLUMNS)}
FITS = 250


@cache
def cells(gap: bool = False) -> CellMap:
    usable = np.ones(SHAPE, dtype=np.bool_)
    if gap:
        usable[:, 184:200] = False
        usable[:, 290:] = False
    made = cell_map(GEOMETRY, usable=usable, q_first_per_nm=6.0, limit=1000)
    assert made is not None
    return made


def fitted(frames: Array, of: CellMap, *, phi_deg: float = 0.0, q: float = 10.7) -> Array:
    """Columns of the spot in each frame (n, rows, cols), (n, columns)."""
    good = of.cell >= 0
    out, room = np.empty((len(frames), N_COLUMNS)), np.empty((4096, 5))
    for into, frame in zip(out, frames, strict=True):
        counts = np.bincount(of.cell[good], weights=frame[good], minlength=of.rows * PHI_BINS)
        fit_spot(
            counts.astype(np.uint32),
            of.layers,
            (of.q_first_per_nm, of.q_step_per_nm),
            of.pixel_per_nm,
            (q, np.radians(phi_deg), 0.3, np.radians(4.0)),
            room,
            into,
        )
    return out


def bound(mean: Array, usable: Array, **true: float) -> dict[str, float]:
    """Cramer-Rao errors of q0 and phi0 (deg), numerically, pixel by pixel, all other parameters unknown."""
    steps = {"q0": 1e-3, "phi0_deg": 1e-2, "sigma_q": 1e-3, "sigma_phi_deg": 1e-2, "photons": 1.0}
    steps |= {"level": 1e-4, "slope": 1e-4}
    base = {"q0": 10.76, "phi0_deg": 0.0, "sigma_q": 0.3, "sigma_phi_deg": 4.0, "level": 0.05, "slope": 0.0}
    base |= true
    slopes = []
    for name, step in steps.items():
        ends = [expected_counts(**(base | {name: base[name] + sign * step})) for sign in (1.0, -1.0)]
        slopes.append(((ends[0] - ends[1]) / (2.0 * step))[usable])
    J = np.array(slopes)
    errors = np.sqrt(np.diag(np.linalg.inv((J / mean[usable]) @ J.T)))
    return dict(zip(steps, errors, strict=True))


@dataclass(frozen=True)
class Run:
    found: Array
    least: dict[str, float]


@cache
def run(photons: float, gap: bool) -> Run:
    mean = expected_counts(photons=photons)
    frames = np.random.default_rng(int(photons) + gap).poisson(mean, (FITS, *SHAPE))
    of = cells(gap)
    q, phi, _ = q_and_phi()
    window = (np.abs(q - 10.7) < 3.6 * 0.3) & (np.abs(phi) < np.radians(15.5)) & (of.cell >= 0)
    return Run(fitted(frames, of), bound(mean, window, photons=photons))


@pytest.mark.parametrize("gap", [False, True], ids=["whole", "cut by gaps"])
@pytest.mark.parametrize("photons", [300.0, 1000.0, 20000.0])
def test_place_is_unbiased_near_the_bound_and_its_error_covers(photons: float, gap: bool) -> None:
    done = run(photons, gap)
    ok = done.found[:, 0] == WIDE_ANGLE_STATUS.index("ok")
    assert ok.mean() >= 0.95
    for name, column, true in (("q0", "q", 10.76), ("phi0_deg", "phi", 0.0)):
        unit = "_per_nm" if column == "q" else "_deg"
        value = done.found[ok, COLUMN[column + unit]]
        error = done.found[ok, COLUMN[f"{column}_err{unit}"]]
        spread = np.std(value)
        assert abs(np.mean(value) - true) < max(spread / 3.0, 3.0 * spread / np.sqrt(ok.sum()))
        assert 0.85 < spread / done.least[name] < 1.3
        share = np.mean(np.abs(value - true) < error)
        assert 0.60 < share < 0.77


@pytest.mark.parametrize("gap", [False, True], ids=["whole", "cut by gaps"])
def test_widths_and_photons_come_back(gap: bool) -> None:
    done = run(20000.0, gap)
    for column, true in (("sigma_q_per_nm", 0.3), ("sigma_phi_deg", 4.0), ("photons", 20000.0)):
        value = done.found[:, COLUMN[column]]
        assert np.mean(value) == pytest.approx(true, rel=0.01)
    assert np.mean(done.found[:, COLUMN["goodness"]]) == pytest.approx(1.0, abs=0.05)
    assert np.mean(done.found[:, COLUMN["seen_share"]]) < (0.95 if gap else 1.01)


def test_a_background_that_slopes_does_not_pull_the_spot() -> None:
    mean = np.maximum(expected_counts(photons=1000.0, level=0.2, slope=0.08), 0.0)
    frames = np.random.default_rng(11).poisson(mean, (120, *SHAPE))
    q = fitted(frames, cells())[:, COLUMN["q_per_nm"]]
    assert abs(np.nanmean(q) - 10.76) < 3.0 * np.nanstd(q) / np.sqrt(120)


def test_the_background_frames_are_taken_off_where_they_say() -> None:
    """A halo that rises through the window is in the background, not in the spot."""
    q, _, _ = q_and_phi()
    halo = 0.4 * np.exp(-0.5 * ((q - 11.6) / 0.35) ** 2)
    rng = np.random.default_rng(12)
    total = rng.poisson(40 * halo).astype(np.uint32)
    of = with_background(cells(), total, 40, 1.0)
    frames = rng.poisson(expected_counts(photons=1500.0) + halo, (80, *SHAPE))
    found = fitted(frames, of)[:, COLUMN["q_per_nm"]]
    assert abs(np.nanmean(found) - 10.76) < 4.0 * np.nanstd(found) / np.sqrt(80)
    bare = fitted(frames, cells())[:, COLUMN["q_per_nm"]]
    assert abs(np.nanmean(bare) - 10.76) > 10.0 * np.nanstd(bare) / np.sqrt(80)


def test_noise_alone_is_no_spot() -> None:
    frames = np.random.default_rng(13).poisson(expected_counts(photons=0.0), (200, *SHAPE))
    status = fitted(frames, cells())[:, 0]
    assert np.count_nonzero(status == WIDE_ANGLE_STATUS.index("ok")) == 0


def test_a_spot_of_which_too_little_is_seen_says_so() -> None:
    frames = np.random.default_rng(14).poisson(expected_counts(photons=3000.0, phi0_deg=37.0), (5, *SHAPE))
    found = fitted(frames, cells(), phi_deg=37.0)
    refused = [WIDE_ANGLE_STATUS.index(name) for name in ("masked_peak", "no_signal", "no_convergence")]
    assert np.isin(found[:, 0], refused).all()
    assert np.count_nonzero(found[:, 0] == WIDE_ANGLE_STATUS.index("masked_peak")) >= 3
    assert np.isnan(found[:, COLUMN["q_per_nm"]]).all()


def test_hot_pixels_are_found_against_the_rest_of_their_cell() -> None:
    total = np.random.default_rng(15).poisson(30 * expected_counts(photons=3000.0)).astype(np.uint32)
    hot = [(20, 30), (150, 180), (250, 100)]
    for place in hot:
        total[place] += 200
    usable, number = without_hot(cells(), total)
    assert number == 3
    assert not any(usable[place] for place in hot)
