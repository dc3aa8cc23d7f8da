"""Planes are exact where the ground is one, and Gwyddion's where Gwyddion fits the same pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.afm.field import field_by_height, field_by_mask, whole_field
from analysis.afm.levelling import Plane, fitted_plane, ground_plane, tilt_by_differences
from analysis.io.gwy import read_gwy
from tests.afm.made_fields import Block
from tests.afm.reference.make_gwyddion import made_up_field

REFERENCE = json.loads((Path(__file__).parent / "reference" / "gwyddion_2_62.json").read_text())


def coefficients(plane: Plane) -> list[float]:
    return [plane.offset, plane.per_col, plane.per_row]


def test_plane_is_gwyddions() -> None:
    field = made_up_field()
    np.testing.assert_allclose(coefficients(fitted_plane(field, field > -1)), REFERENCE["plane"], rtol=1e-9)


def test_plane_under_a_mask_is_gwyddions() -> None:
    field = made_up_field()
    np.testing.assert_allclose(
        coefficients(fitted_plane(field, field > 40.0)), REFERENCE["masked_plane"], rtol=1e-9
    )


@pytest.mark.real
def test_plane_through_a_real_height_is_gwyddions(real_data: Path) -> None:
    height = read_gwy(real_data / "gwy" / "pfqnm_8_channels.gwy").channels[7].height_nm()
    plane = fitted_plane(height, np.isfinite(height))
    np.testing.assert_allclose(coefficients(plane), REFERENCE["real_plane_nm"], rtol=1e-6)


@settings(deadline=None)
@given(st.tuples(*(st.floats(-1e3, 1e3) for _ in range(3))))
def test_a_plane_is_found_exactly(numbers: tuple[float, float, float]) -> None:
    plane = Plane(offset=numbers[0], per_col=numbers[1], per_row=numbers[2])
    values = plane.over((17, 23))
    everywhere = np.ones(values.shape, dtype=bool)
    for found in (fitted_plane(values, everywhere), ground_plane(values, everywhere)):
        np.testing.assert_allclose(coefficients(found), numbers, atol=1e-8)
    tilt = tilt_by_differences(values)
    np.testing.assert_allclose([tilt.per_col, tilt.per_row], numbers[1:], atol=1e-9)


def test_dirt_on_the_ground_does_not_tilt_it() -> None:
    truth = Plane(offset=3.0, per_col=0.5, per_row=-0.25)
    values = truth.over((40, 50)) + np.random.default_rng(1).normal(0, 0.1, (40, 50))
    values[:6, :6] += 80.0
    everywhere = np.ones(values.shape, dtype=bool)
    assert abs(fitted_plane(values, everywhere).per_col - 0.5) > 0.05
    assert abs(ground_plane(values, everywhere).per_col - 0.5) < 0.002


@pytest.mark.parametrize(
    "where", [(slice(0, 1), slice(None)), (slice(None), slice(2, 3)), (slice(0, 1),) * 2]
)
def test_pixels_on_one_line_carry_no_plane(where: tuple[slice, slice]) -> None:
    counted = np.zeros((5, 6), dtype=bool)
    counted[where] = True
    with pytest.raises(ValueError, match="one line"):
        fitted_plane(np.zeros((5, 6)), counted)


def test_a_field_one_pixel_wide_has_no_tilt_across() -> None:
    assert coefficients(tilt_by_differences(np.arange(5.0)[:, None])) == [0.0, 0.0, 1.0]
    assert coefficients(tilt_by_differences(np.full((4, 4), np.nan))) == [0.0, 0.0, 0.0]


def test_height_counts_from_the_ground_by_every_way_to_the_crystal() -> None:
    block = Block(tilt=(700.0, -900.0), offset=55.0)
    for field in (field_by_height(block.measured()), field_by_mask(block.measured(), block.inside())):
        np.testing.assert_allclose(field.height_nm, block.top(), atol=1e-8)
        np.testing.assert_array_equal(field.inside, block.inside())
        assert "plane through the ground" in field.steps[-1]


def test_pieces_left_out_are_told() -> None:
    field = field_by_height(
        Block(half_px=(20, 20), centre_px=(30, 36)).top() + Block(half_px=(8, 8), centre_px=(80, 30)).top()
    )
    assert any("1 other raised pieces" in note for note in field.notes)


def test_holes_in_a_mask_are_masked_pixels_of_the_crystal() -> None:
    block = Block()
    mask = block.inside()
    mask[35:38, 40:44] = False
    field = field_by_mask(block.measured(), mask)
    np.testing.assert_array_equal(field.inside, block.inside())
    assert field.masked.sum() == 12
    assert field.masked[35:38, 40:44].all()


def test_a_whole_field_counts_from_its_mean_plane() -> None:
    rng = np.random.default_rng(3)
    texture = rng.normal(0, 2.0, (60, 70))
    field = whole_field(texture + Plane(offset=100.0, per_col=2.0, per_row=-1.0).over((60, 70)))
    assert field.inside.all()
    assert abs(field.height_nm.mean()) < 1e-9
    assert "mean plane" in field.notes[0]
    assert "whole field" in field.steps[0]


def test_a_mask_over_everything_leaves_no_ground() -> None:
    field = field_by_mask(Block().measured(), np.ones((72, 96), dtype=bool))
    assert "mean plane" in field.notes[0]


def test_what_cannot_be_levelled_is_told() -> None:
    field = whole_field(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(field.height_nm, [[1.0, 2.0, 3.0]])
    assert "not levelled" in field.notes[0]


def test_without_height_there_is_nothing_to_level() -> None:
    field = whole_field(np.full((4, 5), np.nan))
    assert (field.steps, field.notes) == ((), ())
