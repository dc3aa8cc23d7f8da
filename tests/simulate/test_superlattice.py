"""The lattice under the beam: laws, coordinate, handedness, and where its peaks come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.simulate import PRESETS, simulate_sample
from analysis.simulate.crystal import Rectangle, SmoothVariation
from analysis.simulate.lattice import Scan, coverage, spacing_nm
from tests.simulate.reading import (
    Array,
    described,
    frames,
    pixel_mask,
    q_and_phi,
    rectangle_s,
    truth,
    truth_attributes,
)


@pytest.mark.parametrize(("s", "a_nm"), [(0.897, 16.98), (0.12, 12.32)])
def test_the_law_gives_the_papers_first_and_last_position(s: float, a_nm: float) -> None:
    law = PRESETS["cspbbr3-diffusion"].xray.spacing_nm
    assert float(spacing_nm(law, np.array(s))) == pytest.approx(a_nm, abs=0.005)


@pytest.mark.parametrize(
    ("preset", "edge", "rise"),
    [
        ("cspbbr3-diffusion", 11.6, 6.0),
        ("cspbbr2cl-diffusion", 12.2, 6.0),
        ("cspbcl3-diffusion", 11.0, 9.0),
        ("cspbbr3-evaporation", 7.39, 0.0),
    ],
)
def test_the_true_spacing_follows_the_law_but_for_its_variation(
    samples: Path, preset: str, edge: float, rise: float
) -> None:
    s, a_sc = truth(samples / preset, "xray/s"), truth(samples / preset, "xray/a_sc_nm")
    well_inside = s > 0.15
    assert np.count_nonzero(well_inside) >= 12
    difference = a_sc[well_inside] - (edge + rise * s[well_inside])
    assert abs(np.median(difference)) < 0.1
    assert 0.02 < difference.std() < 0.2


def test_the_coordinate_is_the_rectangles(sample: Path) -> None:
    attributes = truth_attributes(sample, "xray")
    step = described(sample)["xray"]["step_um"][0]
    s, row, col = truth(sample, "xray/s"), *np.indices(truth(sample, "xray/s").shape)
    expected = rectangle_s(col * step, row * step, attributes)
    assert np.array_equal(np.isfinite(s), expected >= 0.0)
    assert s[expected >= 0.0] == pytest.approx(expected[expected >= 0.0], abs=1e-9)


def test_coverage_is_whole_inside_half_on_a_side_and_nothing_far_away(sample: Path) -> None:
    covered, s = truth(sample, "xray/coverage"), truth(sample, "xray/s")
    assert np.all(covered[s > 0.2] > 0.98)
    assert np.all(np.isnan(truth(sample, "xray/a_sc_nm")[covered == 0.0]))
    assert np.all(np.isfinite(truth(sample, "xray/a_sc_nm")[covered > 0.01]))
    on_side = Scan(
        shape=(1, 1),
        step_um=1.0,
        crystal=Rectangle(centre_um=(3.0, 0.0), half_sides_um=(3.0, 5.0), rotation_deg=0.0),
    )
    assert coverage(on_side)[0, 0] == pytest.approx(0.5, abs=1e-9)


def test_gamma_and_psi_vary_smoothly_about_the_crystals_own_frame(sample: Path) -> None:
    preset = PRESETS[sample.name].xray
    gamma, psi = truth(sample, "xray/gamma_deg"), truth(sample, "xray/psi_deg")
    assert np.nanmean(gamma) == pytest.approx(90.0, abs=1.0)
    assert np.nanstd(gamma) == pytest.approx(preset.gamma_variation_deg, rel=0.35)
    assert np.nanmax(np.abs(psi - preset.rotation_deg)) < 6.0


def test_a_smooth_variation_has_the_stated_mean_and_spread() -> None:
    drawn = SmoothVariation.drawn(np.random.default_rng(3), std=0.1, length_um=1.5, half_sides_um=(5.0, 3.0))
    u, v = np.meshgrid(np.linspace(-5, 5, 201), np.linspace(-3, 3, 201))
    assert drawn.at(u, v).mean() == pytest.approx(0.0, abs=0.01)
    assert drawn.at(u, v).std() == pytest.approx(0.1, rel=0.05)
    step = np.abs(drawn.at(u + 0.01, v) - drawn.at(u, v)).max()
    assert step < 0.1 * 0.01 * 4.0


def on_grid(sample: Path, per_frame: Array) -> Array:
    """Values of frames on the scan grid: rows slow, odd rows reversed in a serpentine scan."""
    table = described(sample)["xray"]
    grid = per_frame.reshape(table["shape"]).copy()
    if table.get("serpentine", False):
        grid[1::2] = grid[1::2, ::-1]
    return grid


def test_the_crystal_lights_up_where_the_truth_says_rows_down_and_columns_right(sample: Path) -> None:
    q, _ = q_and_phi(sample)
    ring = (q > 0.3) & (q < 1.0) & (pixel_mask(sample) == 0)
    photons = on_grid(sample, frames(sample)[:, ring].sum(axis=1).astype(float))
    covered = truth(sample, "xray/coverage")
    bright = photons - np.median(photons[covered == 0.0])
    assert bright[covered > 0.9].min() > 10.0 * np.abs(bright[covered == 0.0]).std()
    assert np.corrcoef(bright.ravel(), covered.ravel())[0, 1] > 0.85
    preset = PRESETS[sample.name].xray
    row, col = np.indices(covered.shape) - 0.5 * (np.array(covered.shape) - 1.0)[:, None, None]
    step = described(sample)["xray"]["step_um"][0]
    assert np.average(col, weights=covered) * step == pytest.approx(preset.offset_um[0], abs=0.35 * step)
    assert np.average(row, weights=covered) * step == pytest.approx(preset.offset_um[1], abs=0.35 * step)


def centroid(values: Array, weights: Array) -> float:
    return float(np.sum(values * weights) / np.sum(weights))


def peak_of(
    sample: Path, frame: Array, kapton: Array, q0: float, phi0_deg: float
) -> tuple[float, float, float]:
    """Centroid q, phi (degrees) and photons of a peak near (q0, phi0), background subtracted."""
    q, phi = q_and_phi(sample)
    away = (phi - phi0_deg + 180.0) % 360.0 - 180.0
    near = (np.abs(q - q0) < 0.055) & (np.abs(away) < 12.0) & (pixel_mask(sample) == 0)
    net = (frame - kapton)[near]
    return centroid(q[near], net), phi0_deg + centroid(away[near], net), float(net.sum())


def test_peaks_of_ideal_frames_lie_at_the_reciprocal_vectors_of_the_true_lattice(tmp_path: Path) -> None:
    simulate_sample(tmp_path, preset="cspbcl3-diffusion", ideal=True)
    kapton = frames(tmp_path, "kapton").mean(axis=0)
    stack = frames(tmp_path).astype(float)
    a1, a2, gamma, psi, s = (
        truth(tmp_path, f"xray/{name}").ravel() for name in ("a1_nm", "a2_nm", "gamma_deg", "psi_deg", "s")
    )
    q_errors, phi_errors = [], []
    for index in np.flatnonzero(s > 0.1):
        sine = np.sin(np.radians(gamma[index]))
        for q0, phi0 in (
            (2.0 * np.pi / (a1[index] * sine), psi[index] + gamma[index] - 90.0),
            (2.0 * np.pi / (a2[index] * sine), psi[index] + 90.0),
        ):
            for turn in (0.0, 180.0):
                q, phi, photons = peak_of(tmp_path, stack[index], kapton, q0, phi0 + turn)
                assert photons > 500.0
                q_errors.append(q - q0)
                phi_errors.append(phi - phi0 - turn)
    assert abs(np.median(q_errors)) < 0.0012
    assert np.std(q_errors) < 0.003
    assert abs(np.median(phi_errors)) < 0.15
    assert np.std(phi_errors) < 0.6


def test_the_form_factor_pulls_peaks_inward(samples: Path) -> None:
    sample = samples / "cspbbr3-diffusion"
    kapton = frames(sample, "kapton").mean(axis=0)
    stack = frames(sample).astype(float)
    a1, gamma, psi, s = (truth(sample, f"xray/{n}").ravel() for n in ("a1_nm", "gamma_deg", "psi_deg", "s"))
    shifts = []
    for index in np.flatnonzero(s > 0.2):
        q0 = 2.0 * np.pi / (a1[index] * np.sin(np.radians(gamma[index])))
        q, _, _ = peak_of(sample, stack[index], kapton, q0, psi[index] + gamma[index] - 90.0)
        shifts.append(q - q0)
    assert -0.003 < np.mean(shifts) < -0.0005


def test_photons_of_a_peak_are_realistic(sample: Path) -> None:
    kapton = frames(sample, "kapton").mean(axis=0)
    a1, gamma, psi, s = (truth(sample, f"xray/{n}").ravel() for n in ("a1_nm", "gamma_deg", "psi_deg", "s"))
    order = on_grid(sample, np.arange(s.size, dtype=float)).ravel().astype(int)
    photons, stack = [], frames(sample)
    for index in np.flatnonzero(s > 0.15):
        q0 = 2.0 * np.pi / (a1[index] * np.sin(np.radians(gamma[index])))
        frame = stack[order[index]]
        photons.append(peak_of(sample, frame, kapton, q0, psi[index] + gamma[index] - 90.0)[2])
    assert min(photons) > 200.0
    assert max(photons) < 6000.0
