"""Profiles along lines: Gwyddion's own numbers, and exact ones on fields that are known everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.afm.lines import Ends, is_in_field, line_profile, line_samples, values_along
from analysis.io.gwy import read_gwy
from analysis.records import PixelGrid
from tests.afm.reference.make_gwyddion import made_up_field

REFERENCE = json.loads((Path(__file__).parent / "reference" / "gwyddion_2_62.json").read_text())


def between_pixels(line: list[int], *, dx: float = 1.0, dy: float = 1.0) -> Ends:
    """Ends in um somewhere inside the pixels (col, row), (col, row)."""
    c0, r0, c1, r1 = line
    return (c0 + 0.3) * dx, (r0 + 0.9) * dy, (c1 + 0.7) * dx, (r1 + 0.1) * dy


@pytest.mark.parametrize(
    "case", REFERENCE["profiles"], ids=lambda c: f"{c['ends']}-{c['points']}-{c['thickness']}"
)
def test_gwyddion_convention_gives_gwyddions_numbers(case: dict[str, list[int]]) -> None:
    field = made_up_field()
    grid = PixelGrid.of_image((7, 11), dx_um=0.5, dy_um=0.25)
    samples = line_samples(
        between_pixels(case["ends"], dx=0.5, dy=0.25),
        grid,
        convention="gwyddion",
        thickness_px=case["thickness"],
        points=case["points"] if case["points"] > 0 else None,
    )
    np.testing.assert_allclose(values_along(field, samples), case["values"], rtol=1e-12)


@pytest.mark.real
@pytest.mark.parametrize(("graph", "points"), [(3, None), (4, 48)])
def test_saved_round_profiles_are_reproduced_exactly(real_data: Path, graph: int, points: int | None) -> None:
    gwy = read_gwy(real_data / "gwy" / "profile-interpolation.gwy")
    channel = gwy.channels[0]
    ends = tuple(float(value) * 1e6 for value in channel.lines[0])
    saved = next(g for g in gwy.graphs if g.number == graph)
    samples = line_samples(ends, channel.grid(gwy.path), convention="gwyddion", points=points)
    _, x, y = saved.curves[0]
    np.testing.assert_array_equal(values_along(channel.values, samples), y)
    np.testing.assert_allclose(samples.distance_um, x * 1e6, rtol=1e-12, atol=1e-15)
    assert samples.distance_um[-1] == pytest.approx(19.53125e-3)


@pytest.mark.real
@pytest.mark.parametrize(
    "case", REFERENCE["real_height_profiles_nm"], ids=lambda c: f"{c['ends']}-{c['thickness']}"
)
def test_profiles_of_a_real_height_are_gwyddions(real_data: Path, case: dict[str, list[int]]) -> None:
    gwy = read_gwy(real_data / "gwy" / "pfqnm_8_channels.gwy")
    height = gwy.channels[7]
    grid = height.grid(gwy.path)
    ends = between_pixels(case["ends"], dx=grid.cell_um[0], dy=grid.cell_um[1])
    samples = line_samples(ends, grid, convention="gwyddion", thickness_px=case["thickness"])
    np.testing.assert_allclose(values_along(height.height_nm(), samples)[::25], case["values"], rtol=1e-6)


def ramp(grid: PixelGrid) -> np.ndarray:
    """A field that is a known linear function of position: 3 x + 5 y - 2, in um."""
    x, y = grid.positions_um()
    return 3.0 * x + 5.0 * y - 2.0


@settings(deadline=None)
@given(
    ends=st.tuples(*(st.floats(0.15, 0.85) for _ in range(4))),
    thickness=st.integers(1, 4),
    aspect=st.sampled_from([(0.1, 0.1), (0.1, 0.05), (0.05, 0.2)]),
)
def test_exact_convention_is_exact_on_a_plane(
    ends: Ends, thickness: int, aspect: tuple[float, float]
) -> None:
    dx, dy = aspect
    grid = PixelGrid.of_image((40, 50), dx_um=dx, dy_um=dy)
    placed = (ends[0] * 50 * dx, ends[1] * 40 * dy, ends[2] * 50 * dx, ends[3] * 40 * dy)
    line = line_profile(
        placed,
        grid,
        name="line 1",
        source="config",
        convention="exact",
        height_nm=ramp(grid),
        modulus_gpa=2.0 * ramp(grid),
        thickness_px=thickness,
    )
    np.testing.assert_allclose(line.height_nm, 3.0 * line.x_um + 5.0 * line.y_um - 2.0, atol=1e-9)
    np.testing.assert_allclose(line.modulus_gpa, 2.0 * line.height_nm, atol=1e-9)
    np.testing.assert_allclose((line.x_um[0], line.y_um[0], line.x_um[-1], line.y_um[-1]), placed, atol=1e-12)
    np.testing.assert_allclose(
        line.distance_um, np.hypot(line.x_um - placed[0], line.y_um - placed[1]), atol=1e-9
    )
    step_px = np.hypot(np.diff(line.x_um) / dx, np.diff(line.y_um) / dy)
    assert (step_px < 1.0 + 1e-6).all()


def test_thickness_averages_across_the_line_and_not_along_it() -> None:
    grid = PixelGrid.of_image((20, 30), dx_um=0.1, dy_um=0.1)
    row, col = np.indices((20, 30), dtype=np.float64)
    for convention in ("gwyddion", "exact"):
        level = line_samples((0.55, 1.05, 2.45, 1.05), grid, convention=convention, thickness_px=3)
        np.testing.assert_allclose(values_along(col, level), col[0, 5:25], atol=1e-9)
        np.testing.assert_allclose(values_along(row**2, level), (9**2 + 10**2 + 11**2) / 3, rtol=1e-9)
        assert level.thickness_nm == pytest.approx(300.0, rel=0.06)


def test_thickness_in_nm_follows_the_pixels_across() -> None:
    grid = PixelGrid.of_image((20, 30), dx_um=0.1, dy_um=0.02)
    level = line_samples((0.5, 0.2, 2.5, 0.2), grid, convention="exact", thickness_px=4)
    upright = line_samples((1.5, 0.05, 1.5, 0.35), grid, convention="exact", thickness_px=4)
    assert level.thickness_nm == pytest.approx(80.0)
    assert upright.thickness_nm == pytest.approx(400.0)


def test_distances_in_gwyddion_convention_are_physical() -> None:
    grid = PixelGrid.of_image((10, 10), dx_um=0.3, dy_um=0.1)
    samples = line_samples((0.1, 0.05, 1.3, 0.35), grid, convention="gwyddion")
    assert samples.distance_um.size == round(np.hypot(5, 4))
    assert samples.distance_um[-1] == pytest.approx(np.hypot(4 * 0.3, 3 * 0.1))


def test_points_off_the_field_are_left_out_of_the_mean() -> None:
    grid = PixelGrid.of_image((10, 10), dx_um=1.0, dy_um=1.0)
    row = np.indices((10, 10))[0].astype(float)
    samples = line_samples((1.0, 0.5, 9.0, 0.5), grid, convention="exact", thickness_px=3)
    np.testing.assert_allclose(values_along(row, samples), 0.5)


def test_a_missing_pixel_is_missing_only_where_it_counts() -> None:
    grid = PixelGrid.of_image((5, 5), dx_um=1.0, dy_um=1.0)
    field = np.ones((5, 5))
    field[2, 3] = np.nan
    along_centres = line_samples((0.5, 2.5, 4.5, 2.5), grid, convention="exact")
    assert np.isnan(values_along(field, along_centres)).tolist() == [False, False, False, True, False]
    above = line_samples((0.5, 1.5, 4.5, 1.5), grid, convention="exact")
    assert np.isfinite(values_along(field, above)).all()


def test_coordinates_are_left_to_registration() -> None:
    grid = PixelGrid.of_image((5, 5), dx_um=1.0, dy_um=1.0)
    line = line_profile(
        (0.5, 0.5, 4.5, 4.5),
        grid,
        name="line 1",
        source="gwy",
        convention="gwyddion",
        height_nm=np.ones((5, 5)),
        modulus_gpa=np.full((5, 5), np.nan),
    )
    assert np.isnan(line.s).all()
    assert np.isnan(line.depth_um).all()
    assert np.isnan(line.modulus_gpa).all()
    assert line.x_um.shape == line.s.shape == line.height_nm.shape


def test_a_line_within_one_pixel_has_one_point() -> None:
    grid = PixelGrid.of_image((5, 5), dx_um=1.0, dy_um=1.0)
    samples = line_samples((2.1, 2.1, 2.8, 2.9), grid, convention="gwyddion", thickness_px=3)
    assert values_along(np.arange(25.0).reshape(5, 5), samples).tolist() == [12.0]


@pytest.mark.parametrize(
    ("ends", "inside"),
    [((0, 0, 4, 2), True), ((0, 0, 4.01, 2), False), ((-0.01, 0, 4, 2), False), ((0, 0, 4, 2.01), False)],
)
def test_ends_lie_in_the_field_up_to_its_border(ends: Ends, inside: bool) -> None:
    assert is_in_field(ends, PixelGrid.of_image((4, 8), dx_um=0.5, dy_um=0.5)) is inside


@pytest.mark.parametrize("wrong", [{"thickness_px": 0}, {"points": 1}])
def test_impossible_samplings_are_refused(wrong: dict[str, int]) -> None:
    grid = PixelGrid.of_image((5, 5), dx_um=1.0, dy_um=1.0)
    with pytest.raises(ValueError, match="a line"):
        line_samples((0, 0, 1, 1), grid, convention="exact", **wrong)
