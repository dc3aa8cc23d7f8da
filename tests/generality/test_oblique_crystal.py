"""An oblique crystal, unlike what the project simulates: its truth comes back through the commands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command import read_table, triptych
from tests.generality import generator


@dataclass(frozen=True)
class Reduced:
    """Truth of the scan and the exported tables, the map as (rows, cols) arrays by column name."""

    truth: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    table: pd.DataFrame
    rois: pd.DataFrame
    folder: Path


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Reduced:
    workspace = tmp_path_factory.mktemp("oblique workspace")
    truth = generator.write_sample(workspace / "oblique-1")
    outcome = triptych("reduce", workspace / "oblique-1", "--workers", "2")
    assert outcome.code == 0, outcome.stderr
    tables = workspace / "tables"
    outcome = triptych("export", workspace / "results" / "oblique-1.h5", "--to", tables)
    assert outcome.code == 0, outcome.stderr
    table = read_table(tables, "xray_maps.csv")
    shape = truth["s"].shape
    ordered = table.sort_values(["row", "col"])
    maps = {name: ordered[name].to_numpy().reshape(shape) for name in ordered.columns}
    return Reduced(
        truth=truth, maps=maps, table=table, rois=read_table(tables, "sem_rois.csv"), folder=tables
    )


def inside(reduced: Reduced) -> np.ndarray:
    return reduced.truth["coverage"] >= 0.5


def error(reduced: Reduced, name: str) -> np.ndarray:
    """Found minus true of the points inside that have a value."""
    difference = (reduced.maps[name] - reduced.truth[name])[inside(reduced)]
    return difference[np.isfinite(difference)]


def test_every_cell_of_the_grid_has_one_line_at_its_true_place(reduced: Reduced) -> None:
    assert len(reduced.table) == 9 * 13
    assert not reduced.table.duplicated(["row", "col"]).any()
    np.testing.assert_allclose(reduced.maps["x_um"], reduced.truth["x_um"], atol=1e-6)
    np.testing.assert_allclose(reduced.maps["y_um"], reduced.truth["y_um"], atol=1e-6)


def test_points_on_the_crystal_are_fitted_and_others_are_not(reduced: Reduced) -> None:
    status = reduced.maps["status"]
    well_on = reduced.truth["coverage"] >= 0.9
    off = reduced.truth["coverage"] <= 0.01
    assert np.mean(np.isin(status[well_on], ["ok"])) >= 0.97
    assert not np.isin(status[off], ["ok", "partial_beam"]).any()
    assert not np.isfinite(reduced.maps["a_sc_nm"][off].astype(float)).any()


@pytest.mark.parametrize(
    ("name", "median_limit"),
    [("a1_nm", 0.05), ("a2_nm", 0.05), ("a_sc_nm", 0.05), ("gamma_deg", 0.6), ("psi_deg", 0.6)],
)
def test_the_lattice_of_every_point_is_recovered(reduced: Reduced, name: str, median_limit: float) -> None:
    difference = np.abs(error(reduced, name))
    assert len(difference) >= 0.97 * inside(reduced).sum()
    assert np.median(difference) < median_limit
    assert np.percentile(difference, 95) < 4.0 * median_limit


@pytest.mark.parametrize("name", ["a1_nm", "a2_nm", "a_sc_nm", "gamma_deg", "psi_deg"])
def test_one_sigma_covers_about_two_thirds(reduced: Reduced, name: str) -> None:
    chosen = inside(reduced) & np.isfinite(reduced.maps[name].astype(float))
    pull = (reduced.maps[name] - reduced.truth[name])[chosen] / reduced.maps[f"{name}_err"][chosen]
    assert 0.45 <= np.mean(np.abs(pull) < 1.0) <= 0.90  # about 55 points: 68 % +- 6 % by chance
    assert np.abs(np.median(pull)) < 0.5


def test_the_edge_to_centre_coordinate_is_recovered(reduced: Reduced) -> None:
    chosen = inside(reduced) & (reduced.truth["s"] > 0) & np.isfinite(reduced.maps["s"].astype(float))
    assert chosen.sum() >= 0.9 * inside(reduced).sum()
    difference = (reduced.maps["s"] - reduced.truth["s"])[chosen]
    assert np.sqrt(np.mean(difference**2)) < 0.05  # the pitch is 0.2 to 0.35 in units of s
    outside = reduced.truth["s"] < -0.3
    assert not np.isfinite(reduced.maps["s"][outside].astype(float)).any()
    assert (reduced.maps["depth_um"][outside] < 0).all()


def test_the_saxs_intensity_shows_the_crystal(reduced: Reduced) -> None:
    intensity = reduced.maps["intensity"].astype(float)
    on, off = reduced.truth["coverage"] >= 0.9, reduced.truth["coverage"] <= 0.01
    assert intensity[on].min() > intensity[off].max()
    assert abs(np.median(intensity[off])) < 0.05 * np.median(intensity[on])


def test_the_square_strips_have_their_spacing(reduced: Reduced) -> None:
    rois = reduced.rois[reduced.rois["image"].astype(str).str.contains("strips")].set_index("label")
    for label, truth in zip(("first", "second", "third"), generator.STRIPS_NM, strict=True):
        roi = rois.loc[label]
        assert roi["status"] == "ok"
        assert roi["spacing_nm"] == pytest.approx(truth, abs=0.1)
        assert roi["a_sc_nm"] == pytest.approx(truth, abs=0.1)
        assert roi["delta_k_per_nm"] == pytest.approx(1.0 / truth, rel=0.01)
    assert rois.loc["first", "s"] < rois.loc["second", "s"] < rois.loc["third", "s"]
    assert rois.loc["second", "s"] == pytest.approx((414 + 160) / 1152, abs=0.02)


def test_the_oblique_image_has_both_its_lattice_and_its_plane_spacing(reduced: Reduced) -> None:
    rois = reduced.rois[reduced.rois["image"].astype(str).str.contains("oblique")]
    good = rois[rois["status"] == "ok"]
    assert len(good) >= 1
    sine = np.sin(np.radians(generator.OBLIQUE["gamma_deg"]))
    k_mean = 0.5 * (1.0 / (generator.OBLIQUE["a1_nm"] * sine) + 1.0 / (generator.OBLIQUE["a2_nm"] * sine))
    assert good["a_sc_nm"].median() == pytest.approx(15.5, abs=0.25)
    assert good["spacing_nm"].median() == pytest.approx(1.0 / k_mean, abs=0.25)
    gamma = good["gamma_deg"].median()
    assert min(abs(gamma - 75.0), abs(gamma - 105.0)) < 1.5


def test_the_summary_speaks_of_this_sample_and_leaves_afm_empty(reduced: Reduced) -> None:
    summary = json.loads((reduced.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["id"] == "oblique-1"
    assert summary["simulated"] is True
    assert summary["modulus"] is None
    assert summary["a_sc_centre"]["unit"] == "nm"
    assert summary["gamma"]["value"] == pytest.approx(75.0, abs=1.0)
    assert summary["psi"]["value"] == pytest.approx(10.0, abs=1.0)
    assert sum(summary["points"].values()) == 9 * 13
