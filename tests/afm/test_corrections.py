"""Corrections of a height: exact on what they are made for, and Gwyddion's where the method is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.afm.defects import filled, outlier_pixels, scar_pixels
from analysis.afm.field import field_by_height, whole_field
from analysis.afm.levelling import Plane
from analysis.afm.processing import Corrections
from analysis.afm.rows import row_differences, row_medians
from analysis.afm.surfaces import facet_plane, fitted_polynomial
from analysis.io.gwy import read_gwy
from tests.afm.made_fields import Block
from tests.afm.reference.make_gwyddion import made_up_field

REFERENCE = json.loads((Path(__file__).parent / "reference" / "gwyddion_2_62.json").read_text())


def all_of(values: np.ndarray) -> np.ndarray:
    return np.ones(values.shape, dtype=bool)


@pytest.fixture(scope="module")
def real_height(real_data: Path) -> np.ndarray:
    return read_gwy(real_data / "gwy" / "pfqnm_8_channels.gwy").channels[7].height_nm()


def test_polynomial_under_a_mask_is_gwyddions() -> None:
    field = made_up_field()
    rest = field - fitted_polynomial(field, field > 20.0, degree=3)
    np.testing.assert_allclose(rest.ravel(), REFERENCE["masked_polynomial_3"], atol=1e-6)


@pytest.mark.real
def test_polynomial_through_a_real_height_is_gwyddions(real_height: np.ndarray) -> None:
    rest = real_height - fitted_polynomial(real_height, all_of(real_height), degree=2)
    np.testing.assert_allclose(rest.ravel()[::9973], REFERENCE["real_polynomial_2_nm"], rtol=1e-6, atol=1e-9)


@pytest.mark.real
def test_facet_tilt_of_a_real_height_is_gwyddions(real_height: np.ndarray) -> None:
    plane = facet_plane(real_height, all_of(real_height))
    np.testing.assert_allclose([plane.per_col, plane.per_row], REFERENCE["real_facet_tilt_nm"], rtol=1e-6)


@pytest.mark.real
def test_outliers_of_a_real_height_are_gwyddions(real_height: np.ndarray) -> None:
    found = outlier_pixels(real_height, all_of(real_height))
    assert np.flatnonzero(found).tolist() == REFERENCE["real_outliers"]


@pytest.mark.parametrize(("method", "name"), [(row_medians, "mean"), (row_differences, "diff")])
def test_row_shifts_are_gwyddions(method: Callable[..., np.ndarray], name: str) -> None:
    field = made_up_field()
    theirs = np.array(REFERENCE[f"row_shifts_{name}"])
    np.testing.assert_allclose(method(field, all_of(field)), theirs - theirs.mean(), atol=1e-9)


@pytest.mark.real
def test_row_medians_of_a_real_height_are_gwyddions_but_for_equal_counts(real_height: np.ndarray) -> None:
    """Gwyddion 2.62 gives a neighbouring count for the median of some rows in which counts repeat."""
    odd = real_height[:120, :511]
    off = np.array(REFERENCE["real_row_shifts_nm"]) - row_medians(odd, all_of(odd))
    off -= np.median(off)
    count = np.diff(np.unique(odd)).min()
    assert (np.abs(off) < 1e-6 * np.ptp(odd)).mean() > 0.97
    assert np.abs(off).max() < 2.1 * count


def test_polynomial_is_exact_on_one_of_its_degree_and_ignores_what_does_not_count() -> None:
    row, col = np.indices((40, 60)) / 20.0
    bowl = 3.0 + col - 2.0 * row + 0.5 * col**2 - row * col + 0.25 * row**2
    spoiled = bowl.copy()
    spoiled[5:20, 8:30] += 700.0
    counted = spoiled == bowl
    np.testing.assert_allclose(fitted_polynomial(spoiled, counted, degree=2), bowl, atol=1e-9)
    with pytest.raises(ValueError, match="degree 2"):
        fitted_polynomial(bowl, row == 0, degree=2)


def test_facets_level_the_terraces_and_not_the_steps_between_them() -> None:
    terraces = np.repeat(np.arange(5), 16)[None, :] * 30.0 + np.zeros((50, 1))
    truth = Plane(offset=0.0, per_col=-0.2, per_row=0.1)
    noise = np.random.default_rng(0).normal(0, 0.02, terraces.shape)
    found = facet_plane(terraces + truth.over(terraces.shape) + noise, all_of(terraces))
    np.testing.assert_allclose([found.per_col, found.per_row], [-0.2, 0.1], atol=5e-3)
    exact = facet_plane(truth.over((9, 9)), np.ones((9, 9), dtype=bool))
    np.testing.assert_allclose([exact.per_col, exact.per_row, exact.offset], [-0.2, 0.1, 0.0], atol=1e-12)
    with pytest.raises(ValueError, match="four neighbouring"):
        facet_plane(terraces, np.zeros(terraces.shape, dtype=bool))


def test_rows_are_aligned_by_the_ground_though_a_crystal_stands_on_some() -> None:
    block = Block()
    offsets = np.random.default_rng(1).normal(0, 30.0, block.shape[0])
    row = np.arange(offsets.size)
    offsets -= np.polyval(np.polyfit(row, offsets, 1), row)
    height = block.top() + offsets[:, None]
    np.testing.assert_allclose(row_medians(height, ~block.inside()), offsets, atol=1e-9)
    # Where the crystal fills over half of a row its median is the crystal's; the differences see through it.
    np.testing.assert_allclose(row_differences(height, all_of(height)), offsets, atol=1e-9)
    assert np.abs(row_medians(height, all_of(height)) - offsets).max() > 100.0


def test_a_row_without_counted_pixels_is_left_alone() -> None:
    height = np.arange(5.0)[:, None] + np.zeros((5, 8))
    counted = all_of(height)
    counted[2] = False
    assert row_medians(height, counted)[2] == 0.0
    assert np.isfinite(row_differences(height, counted)).all()
    assert not row_medians(height, ~all_of(height)).any()


@pytest.mark.parametrize("high", [1, 2, 4])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_scars_are_marked_and_nothing_else(high: int, sign: float) -> None:
    rng = np.random.default_rng(7)
    height = rng.normal(0, 1.0, (60, 80))
    truth = np.zeros(height.shape, dtype=bool)
    truth[20 : 20 + high, 10:45] = True
    height[truth] += sign * 60.0
    height[40:50, 30:70] += 60.0
    height[5, 5:12] += 60.0
    np.testing.assert_array_equal(scar_pixels(height), truth)


def test_fields_too_small_for_scars_have_none() -> None:
    assert not scar_pixels(np.ones((1, 30))).any()
    assert not scar_pixels(np.full((4, 30), np.nan)).any()
    assert not scar_pixels(np.arange(60.0).reshape(2, 30)).any()


def test_holes_are_filled_smoothly() -> None:
    plane = Plane(offset=2.0, per_col=0.3, per_row=-0.7).over((20, 25))
    holes = np.zeros(plane.shape, dtype=bool)
    holes[4:9, 6:15] = holes[15, 20] = True
    spoiled = np.where(holes, 1e6, plane)
    np.testing.assert_allclose(filled(spoiled, holes), plane, atol=1e-9)
    np.testing.assert_array_equal(filled(plane, ~holes | holes), plane)
    corner = np.zeros(plane.shape, dtype=bool)
    corner[0, 0] = True
    assert filled(plane, corner)[0, 0] == pytest.approx((plane[0, 1] + plane[1, 0]) / 2)


def test_outliers_are_counted_from_the_pixels_that_count() -> None:
    values = np.random.default_rng(3).normal(0, 1, (30, 30))
    values[4, 5] = 50.0
    counted = all_of(values)
    assert outlier_pixels(values, counted)[4, 5]
    counted[4, 5] = False
    assert not outlier_pixels(values, counted)[4, 5]
    assert not outlier_pixels(values, ~all_of(values)).any()


def spoiled(block: Block) -> tuple[np.ndarray, np.ndarray]:
    """The block measured with rows shifted, a scar across the ground and one pixel far off; the scar."""
    offsets = np.random.default_rng(1).normal(0, 8.0, block.shape[0])
    height = block.measured() + offsets[:, None]
    scar = np.zeros(block.shape, dtype=bool)
    scar[4, 5:60] = True
    height[scar] += 300.0
    height[60, 3] += 250.0
    return height, scar


EVERYTHING = Corrections(scars=True, rows="median", levelling="polynomial", outliers=True)


def test_corrections_are_done_in_order_and_told_in_order() -> None:
    block = Block(tilt=(500.0, -300.0), offset=40.0, noise=0.5)
    height, scar = spoiled(block)
    found = field_by_height(height, EVERYTHING, pixel_nm=(50.0, 50.0))
    first = [step.split()[0].rstrip(":") for step in found.steps]
    assert first == ["scars", "rows", "crystal", "polynomial", "outliers"]
    assert found.mended[scar].all()
    assert found.mended[60, 3]
    assert found.mended.sum() < scar.sum() + 60
    ground = ~found.inside & ~found.mended
    assert np.abs(found.height_nm[ground]).max() < 8.0
    assert np.median(found.height_nm[found.inside]) == pytest.approx(800.0, rel=0.005)
    np.testing.assert_array_equal(found.inside, block.inside())


@pytest.mark.parametrize("rows", ["median", "differences"])
@pytest.mark.parametrize("levelling", ["plane", "polynomial", "facet"])
def test_a_tilted_block_with_shifted_rows_comes_out_level(rows: str, levelling: str) -> None:
    block = Block(tilt=(500.0, -300.0), offset=40.0, noise=0.5)
    height, _ = spoiled(block)
    corrections = Corrections(scars=True, rows=rows, levelling=levelling)
    found = field_by_height(height, corrections, pixel_nm=(50.0, 50.0))
    flat = found.height_nm[~found.inside & ~found.mended]
    assert np.median(np.abs(flat)) < 2.0
    assert np.median(found.height_nm[found.inside]) == pytest.approx(800.0, rel=0.01)


def test_without_levelling_the_height_is_as_it_was_read() -> None:
    height = Block(tilt=(500.0, -300.0), offset=40.0).measured()
    found = field_by_height(height, Corrections(levelling="none"))
    np.testing.assert_array_equal(found.height_nm, height)
    assert len(found.steps) == 1


@pytest.mark.real
def test_a_whole_real_field_is_levelled_as_gwyddion_does(real_height: np.ndarray) -> None:
    found = whole_field(real_height, Corrections(levelling="polynomial"))
    np.testing.assert_allclose(
        found.height_nm.ravel()[::9973], REFERENCE["real_polynomial_2_nm"], rtol=1e-6, atol=1e-9
    )
    assert "no ground" in found.notes[0]
