"""The outline is found on maps of any grid, also where a cell is a third of the crystal's half side."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import PixelGrid
from analysis.registration.coordinate import coordinate_at
from analysis.registration.outline import (
    largest_region,
    outline_from_map,
    outline_of_edge_and_centre,
    outline_of_polygon,
    threshold,
)
from tests.registration.crystals import BEAM_SIGMA_UM, Square, coverage, grid_of, intensity


def s_errors(crystal: Square, grid: PixelGrid, values: np.ndarray) -> tuple[np.ndarray, float]:
    """s found minus true at the points that the crystal covers by half, and the stated error of s."""
    outline = outline_from_map(grid, values, footprint_um=BEAM_SIGMA_UM)
    assert outline is not None
    x, y = grid.positions_um()
    found = coordinate_at(outline, x, y)
    inside = (coverage(crystal, grid, BEAM_SIGMA_UM) >= 0.5) & (crystal.s(x, y) >= 0.0)
    difference = (found.s["rectangle"] - crystal.s(x, y))[inside]
    return difference, float(np.nanmean(found.s_err["rectangle"][inside]))


@pytest.mark.parametrize("rise", [0.0, 1.1])
@pytest.mark.parametrize(
    ("crystal", "step"),
    [
        (Square((12.1, 10.9), (5.0, 5.0), 20.0), 1.627),
        (Square((25.2, 24.8), (10.0, 10.0), -22.0), 3.388),
        (Square((12.4, 11.2), (6.0, 3.5), 65.0), 1.6),
    ],
)
def test_s_is_right_on_a_grid_of_few_points(crystal: Square, step: float, rise: float) -> None:
    grid = grid_of(15, step)
    difference, stated = s_errors(crystal, grid, intensity(crystal, grid, rise=rise, seed=1))
    assert np.isfinite(difference).mean() > 0.94
    rms = float(np.sqrt(np.nanmean(difference**2)))
    assert rms < 0.04
    assert rms < 2.5 * stated


def test_s_is_right_to_a_few_thousandths_on_a_fine_grid() -> None:
    crystal = Square((12.7, 11.6), (5.0, 4.0), 20.0)
    grid = grid_of(61, 0.4)
    difference, _ = s_errors(crystal, grid, intensity(crystal, grid, rise=1.1, seed=1))
    assert np.sqrt(np.nanmean(difference**2)) < 0.006
    assert np.isfinite(difference).mean() > 0.98


def test_an_edge_between_grid_lines_is_said_to_be_uncertain() -> None:
    # Sides in line with a coarse grid could lie anywhere between two rows: the error must say so.
    crystal = Square((12.1, 10.9), (5.0, 5.0), 0.0)
    grid = grid_of(15, 1.627)
    outline = outline_from_map(grid, intensity(crystal, grid, rise=0.0, seed=0), footprint_um=BEAM_SIGMA_UM)
    assert outline is not None
    turned = Square((12.1, 10.9), (5.0, 5.0), 20.0)
    better = outline_from_map(grid, intensity(turned, grid, rise=0.0, seed=0), footprint_um=BEAM_SIGMA_UM)
    assert better is not None
    off = (
        np.abs(np.array(outline.half_sides_um) - 5.0).max()
        + np.abs(np.array(outline.centre_um) - np.array(crystal.centre)).max()
    )
    assert outline.error_um > 0.15
    assert off < 4.0 * outline.error_um
    assert better.error_um < 0.5 * outline.error_um


def test_what_is_not_the_crystal_does_not_move_its_edge() -> None:
    crystal = Square((10.2, 10.4), (4.0, 4.0), 15.0)
    grid = grid_of(50, 0.4)
    x, y = grid.positions_um()
    values = intensity(crystal, grid, rise=0.5, seed=2)
    clean, _ = s_errors(crystal, grid, values)
    values[np.hypot(x - 10.0, y - 11.0) < 0.7] = 0.0  # a hole
    values[np.hypot(x - 17.5, y - 3.0) < 1.5] = 9000.0  # debris
    values[20, 10:14] = np.nan  # missing frames
    values[:, :2] += 30000.0 * (y[:, :2] > 17.0)  # a neighbour at the field's border
    dirty, _ = s_errors(crystal, grid, values)
    assert np.sqrt(np.nanmean(dirty**2)) < np.sqrt(np.nanmean(clean**2)) + 0.005


@pytest.mark.parametrize("cut", [0.5, 0.8])
def test_a_missing_corner_is_outside_and_moves_nothing_else(cut: float) -> None:
    whole, broken = Square((12.7, 11.6), turn_deg=20.0), Square((12.7, 11.6), turn_deg=20.0, cut=cut)
    grid = grid_of(61, 0.4)
    x, y = grid.positions_um()
    outline = outline_from_map(grid, intensity(broken, grid, rise=0.5, seed=0), footprint_um=BEAM_SIGMA_UM)
    assert outline is not None
    found = coordinate_at(outline, x, y)
    both = broken.inside(x, y) & np.isfinite(found.s["rectangle"])
    assert both.sum() > 0.95 * broken.inside(x, y).sum()
    assert np.abs(found.s["rectangle"] - whole.s(x, y))[both].max() < 0.02
    gone = whole.inside(x, y) & ~broken.inside(x, y) & (coverage(broken, grid, BEAM_SIGMA_UM) < 0.01)
    deep = gone & (whole.s(x, y) > 0.12)
    if cut == 0.8:
        assert np.isnan(found.s["rectangle"][deep]).mean() > 0.9


def test_a_rectangle_of_many_pixels_is_found_to_a_fraction_of_one() -> None:
    crystal = Square((6.7, 6.8), (5.0, 4.5), 11.0)
    grid = PixelGrid.of_image((200, 200), dx_um=0.064, dy_um=0.064)
    x, y = grid.positions_um()
    random = np.random.default_rng(4)
    height = 8000.0 * crystal.inside(x, y) + random.normal(0.0, 20.0, x.shape)
    outline = outline_from_map(grid, height, footprint_um=(0.02, 0.02))
    assert outline is not None
    assert sorted(outline.half_sides_um) == pytest.approx([4.5, 5.0], abs=0.01)
    assert outline.centre_um == pytest.approx(crystal.centre, abs=0.01)
    assert 0.01 < outline.error_um < 0.1


def test_pixels_need_not_be_square() -> None:
    crystal = Square((6.0, 5.0), (4.0, 3.0), 30.0)
    grid = PixelGrid(shape=(30, 60), col_step_um=(0.2, 0.0), row_step_um=(0.0, 0.35))
    outline = outline_from_map(
        grid, 1000.0 * coverage(crystal, grid, BEAM_SIGMA_UM), footprint_um=BEAM_SIGMA_UM
    )
    assert outline is not None
    assert sorted(outline.half_sides_um) == pytest.approx([3.0, 4.0], abs=0.05)
    assert outline.centre_um == pytest.approx(crystal.centre, abs=0.05)


def test_a_scan_that_runs_backwards_and_down_finds_the_same_crystal() -> None:
    crystal = Square((-5.0, 4.5), (3.0, 3.0), 12.0)
    grid = PixelGrid(shape=(26, 25), col_step_um=(0.0, 0.4), row_step_um=(-0.4, 0.0))
    outline = outline_from_map(
        grid, 1000.0 * coverage(crystal, grid, BEAM_SIGMA_UM), footprint_um=BEAM_SIGMA_UM
    )
    assert outline is not None
    assert outline.half_sides_um == pytest.approx((3.0, 3.0), abs=0.03)
    assert outline.centre_um == pytest.approx(crystal.centre, abs=0.03)
    assert np.rad2deg(outline.angle_rad) == pytest.approx(12.0, abs=1.0)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((12, 12)),
        np.random.default_rng(0).normal(0.0, 1.0, (12, 12)),
        np.full((12, 12), np.nan),
        np.where(np.eye(12) > 0, 5.0, np.nan),
    ],
    ids=["flat", "noise", "nothing known", "one line known"],
)
def test_where_nothing_shows_there_is_no_outline(values: np.ndarray) -> None:
    assert outline_from_map(grid_of(12, 1.0), values, footprint_um=BEAM_SIGMA_UM) is None


def test_the_threshold_parts_two_populations_of_very_different_brightness() -> None:
    random = np.random.default_rng(1)
    dark, bright = random.normal(0.0, 30.0, 3000), random.uniform(3000.0, 12000.0, 400)
    level = threshold(np.concatenate([dark, bright]))
    assert dark.max() < level < bright.min()


def test_the_largest_region_has_its_holes_filled() -> None:
    mask = np.zeros((10, 10), bool)
    mask[1:6, 1:6] = True
    mask[3, 3] = False
    mask[8, 8] = True
    region = largest_region(mask)
    assert region[1:6, 1:6].all()
    assert region.sum() == 25
    assert largest_region(mask, near=mask & (np.arange(10) == 8)).sum() == 1
    assert not largest_region(np.zeros((3, 3), bool)).any()


def test_a_given_rectangle_is_taken_as_it_is() -> None:
    crystal = Square((3.0, -2.0), (4.0, 2.5), 33.0)
    outline = outline_of_polygon(crystal.corners(), error_um=0.1)
    assert outline.source == "given"
    assert outline.centre_um == pytest.approx(crystal.centre)
    assert outline.half_sides_um == pytest.approx(crystal.half)
    assert np.rad2deg(outline.angle_rad) % 180.0 == pytest.approx(33.0)
    assert outline.error_um == 0.1


def test_edge_and_centre_make_a_square_with_that_edge_in_the_middle_of_a_side() -> None:
    outline = outline_of_edge_and_centre((1.0, 5.0), (4.0, 1.0), error_um=0.01)
    assert outline.half_sides_um == pytest.approx((5.0, 5.0))
    edge = coordinate_at(outline, 1.0 + 3e-6, 5.0 - 4e-6)
    assert float(edge.s["rectangle"]) == pytest.approx(0.0, abs=1e-5)
    half_way = coordinate_at(outline, 2.5, 3.0)
    assert float(half_way.s["rectangle"]) == pytest.approx(0.5)
    assert float(half_way.depth_um) == pytest.approx(2.5)
