"""Frames of one crystal laid upon each other in a sample: outlines carried over, points paired."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.edits import OutlineEdit, RegistrationEdit
from analysis.io.sample_file import RegistrationBlock, Sample
from analysis.pipeline.registration import Registered, register
from analysis.records import AFM_STATUS, PixelGrid, Result
from tests.registration.test_register import sample_of
from tests.synthetic_result import make_result

WHEN = "2026-03-01T12:00:00Z"


@pytest.fixture(scope="module")
def made() -> Result:
    return make_result()


def with_registration(**block: object) -> Sample:
    sample = sample_of()
    laid = RegistrationBlock.model_validate({"from": "afm.0", "to": "xray.0", **block})
    return sample.model_copy(update={"registration": [laid]})


def registered(made: Result, sample: Sample, edits: tuple = ()) -> Registered:
    return register(sample, xray=made.xray, sem=made.sem, afm=made.afm, edits=edits)


def shift(made: Result) -> np.ndarray:
    """Where the AFM's frame stands in the scan's: both hold the same square, at other places."""
    scan, field = made.xray[0].outline, made.afm[0].outline
    assert scan is not None
    assert field is not None
    return np.asarray(scan.centre_um) - np.asarray(field.centre_um)


def test_outlines_lay_the_field_upon_the_scan(made: Result) -> None:
    found = registered(made, with_registration())
    assert [(t.source, t.target, t.kind) for t in found.transforms] == [("afm.0", "xray.0", "rigid")]
    np.testing.assert_allclose(np.asarray(found.transforms[0].apply(5.0, 5.0)) - 5.0, shift(made), atol=0.15)


def test_landmarks_pair_the_maps_point_by_point(made: Result) -> None:
    dx, dy = shift(made)
    landmarks = [(x, y, x + dx, y + dy) for x, y in ((3.0, 3.0), (9.0, 4.0), (5.0, 10.0))]
    found = registered(made, with_registration(kind="translation", landmarks_um=landmarks))
    pairs = [c for c in found.correlations if c.pairing == "pixel" and c.x_quantity == "a_sc"]
    assert len(pairs) == 1
    # a = 11.6 + 6 s and E = 1.4 + 5.4 s: both through s alone.
    assert pairs[0].pearson_r > 0.9
    assert pairs[0].slope == pytest.approx(5.4 / 6.0, abs=0.1)
    assert 0.0 <= pairs[0].p_partial <= 1.0
    assert pairs[0].n > 40


def test_the_same_either_way_round(made: Result) -> None:
    dx, dy = shift(made)
    there = with_registration(kind="translation", landmarks_um=[(3.0, 3.0, 3.0 + dx, 3.0 + dy)])
    back = with_registration(
        **{"from": "xray.0", "to": "afm.0"},
        kind="translation",
        landmarks_um=[(3.0 + dx, 3.0 + dy, 3.0, 3.0)],
    )
    pairs = [
        next(c for c in registered(made, s).correlations if c.pairing == "pixel" and c.x_quantity == "a_sc")
        for s in (there, back)
    ]
    np.testing.assert_allclose(pairs[0].y, pairs[1].y, rtol=1e-9)


def inner(made: Result) -> Result:
    """The field's middle alone: all of it on the crystal, no edge to be seen."""
    field = made.afm[0]
    rows, cols = field.grid.shape
    part = np.s_[rows // 3 : 2 * rows // 3, cols // 3 : 2 * cols // 3]
    shape = field.height_nm[part].shape
    dx, dy = field.grid.cell_um
    cut = replace(
        field,
        grid=PixelGrid.of_image(shape, dx_um=dx, dy_um=dy),
        height_nm=field.height_nm[part],
        modulus_gpa=field.modulus_gpa[part],
        status=np.full(shape, AFM_STATUS.index("ok"), dtype=np.uint8),
        lines=(),
        outline=None,
        coordinate=None,
    )
    return replace(made, afm=(cut,))


def test_a_field_within_the_crystal_gets_its_coordinate_from_an_offset(made: Result) -> None:
    part, whole = inner(made), made.afm[0]
    rows, cols = whole.grid.shape
    corner = np.array([cols // 3 * whole.grid.cell_um[0], rows // 3 * whole.grid.cell_um[1]])
    offset = corner + shift(made)
    sample = with_registration(kind="translation", landmarks_um=[(0.0, 0.0, *offset)], landmark_err_um=0.2)
    found = registered(part, sample).afm[0]
    assert found.outline is not None
    assert found.outline.source == "from xray.0"
    assert found.outline.error_um > 0.2
    assert found.coordinate is not None
    assert whole.coordinate is not None
    wanted = whole.coordinate.s["rectangle"][rows // 3 : 2 * rows // 3, cols // 3 : 2 * cols // 3]
    np.testing.assert_allclose(found.coordinate.s["rectangle"], wanted, atol=0.05)
    assert np.nanmin(found.coordinate.s_err["rectangle"]) > 0.02


def test_without_one_it_has_none(made: Result) -> None:
    found = registered(inner(made), sample_of()).afm[0]
    assert found.outline is None
    assert found.coordinate is None


def test_frames_of_two_crystals_are_not_laid_upon_each_other(made: Result) -> None:
    other = replace(made, afm=(replace(made.afm[0], crystal="B"),))
    with pytest.raises(InputError, match="two blocks of one crystal"):
        registered(other, with_registration())


def test_landmarks_that_fix_nothing_are_told(made: Result) -> None:
    with pytest.raises(InputError, match="landmarks that fix a map of kind affine"):
        registered(made, with_registration(kind="affine", landmarks_um=[(0.0, 0.0, 1.0, 1.0)]))


# --- edits ----------------------------------------------------------------------------------------------


def test_a_drawn_outline_comes_before_what_was_found_and_given(made: Result) -> None:
    given = sample_of(xray={"outline_um": [(1, 1), (12, 1), (12, 12), (1, 12)]})
    corners = [(2.0, 2.0), (11.0, 2.0), (11.0, 11.0), (2.0, 11.0)]
    drawn = OutlineEdit(what="outline", who="Ada", when=WHEN, of="xray.0", outline_um=corners)
    found = registered(made, given, (drawn,)).xray[0]
    assert found.outline is not None
    assert found.outline.source == "drawn"
    np.testing.assert_allclose(found.outline.vertices_um, corners)
    assert found.coordinate is not None
    at_row, at_col = found.grid.indices_at(6.5, 6.5)
    s = found.coordinate.s["rectangle"][round(float(at_row)), round(float(at_col))]
    assert s > 0.85


def test_a_drawn_outline_of_an_image_is_in_um(made: Result) -> None:
    size = made.sem[0].pixel_size_nm * 1e-3 * np.array(made.sem[0].image.shape[::-1])
    corners = [(0.0, 0.0), (size[0], 0.0), (size[0], size[1]), (0.0, size[1])]
    drawn = OutlineEdit(what="outline", who="Ada", when=WHEN, of="sem.0", outline_um=corners)
    found = registered(made, sample_of(), (drawn,)).sem[0]
    assert found.outline is not None
    assert found.outline.source == "drawn"
    assert all(0.0 <= region.s <= 1.0 for region in found.regions)


def test_landmarks_picked_in_the_browser_come_before_those_of_the_file(made: Result) -> None:
    picked = RegistrationEdit(
        what="registration",
        who="Ada",
        when=WHEN,
        of="afm.0 xray.0",
        registration=RegistrationBlock(
            source="afm.0", target="xray.0", kind="translation", landmarks_um=[(0.0, 0.0, 1.0, 2.0)]
        ),
    )
    found = registered(made, with_registration(), (picked,))
    assert len(found.transforms) == 1
    np.testing.assert_allclose(found.transforms[0].apply(0.0, 0.0), (1.0, 2.0))


def test_a_drawn_line_is_no_outline(made: Result) -> None:
    flat = OutlineEdit(
        what="outline", who="Ada", when=WHEN, of="xray.0", outline_um=[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]
    )
    with pytest.raises(InputError, match="encloses an area"):
        registered(made, sample_of(), (flat,))


def test_regions_get_back_their_projection_when_an_outline_is_taken_back(made: Result) -> None:
    """A drawn outline gives an image's regions another s: without it they have that of edge and centre."""
    corners = [(0.5, -3.0), (6.5, -3.0), (6.5, 3.0), (0.5, 3.0)]
    drawn = OutlineEdit(what="outline", who="Ann", when=WHEN, of="sem.0", outline_um=corners)
    plain = registered(made, sample_of())
    moved = registered(made, sample_of(), (drawn,))
    assert moved.sem[0].regions[-1].s != pytest.approx(plain.sem[0].regions[-1].s, abs=0.01)
    back = register(sample_of(), xray=made.xray, sem=moved.sem, afm=made.afm)
    for found, before in zip(back.sem[0].regions, plain.sem[0].regions, strict=True):
        assert found.s == pytest.approx(before.s, abs=1e-9)
        assert found.depth_um == pytest.approx(before.depth_um, abs=1e-9)
    assert back.sem[0].outline is not None
    assert back.sem[0].outline.source == "edge and centre"
