"""Frames laid upon each other: known maps recovered within the stated error, by landmarks and by outlines."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import AffineTransform, EuclideanTransform, SimilarityTransform

from analysis.records import Array, Outline
from analysis.registration.outline import outline_from_map, outline_of_polygon
from analysis.registration.transform import (
    error_um,
    inverted,
    landmark_transform,
    outline_transform,
    transform_json,
    turn_deg,
)
from tests.registration.crystals import BEAM_SIGMA_UM, Square, coverage, grid_of

KNOWN = {
    "translation": EuclideanTransform(translation=(3.0, -1.5)),
    "rigid": EuclideanTransform(rotation=0.3, translation=(3.0, -1.5)),
    "similarity": SimilarityTransform(scale=1.4, rotation=-0.5, translation=(3.0, -1.5)),
    "affine": AffineTransform(scale=(1.1, 0.9), rotation=0.4, shear=0.12, translation=(-2.0, 7.0)),
}
MIRROR = np.diag([-1.0, 1.0, 1.0])


def landmarks(number: int, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(0.0, 20.0, (number, 2))


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_known_map_is_recovered_exactly(kind: str, mirrored: bool) -> None:
    source = landmarks(6, 1)
    matrix = KNOWN[kind].params @ (MIRROR if mirrored else np.eye(3))
    target = source @ matrix[:2, :2].T + matrix[:2, 2]
    found = landmark_transform(source, target, kind=kind, mirrored=mirrored)
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-9)
    np.testing.assert_allclose(found.inverse() @ matrix, np.eye(3), atol=1e-9)
    assert np.abs(found.residuals_um).max() < 1e-9
    x, y = found.apply(source[:, 0], source[:, 1])
    np.testing.assert_allclose(np.column_stack([x, y]), target, atol=1e-9)


@pytest.mark.parametrize("kind", KNOWN)
def test_the_stated_error_is_how_far_places_scatter(kind: str) -> None:
    rng = np.random.default_rng(3)
    source, sigma = landmarks(8, 2), 0.2
    exact = KNOWN[kind](source)
    pulls = []
    at = np.array([4.0, 13.0])
    for _ in range(300):
        noisy = exact + rng.normal(0.0, sigma, exact.shape)
        found = landmark_transform(source, noisy, kind=kind, error_um=sigma)
        x, y = found.apply(at[0], at[1])
        wanted = KNOWN[kind](at[None])[0]
        pulls.append(
            ((x - wanted[0]) ** 2 + (y - wanted[1]) ** 2) / float(error_um(found, at[0], at[1])) ** 2
        )
    assert np.mean(pulls) == pytest.approx(1.0, abs=0.2)


def test_the_error_comes_from_the_residuals_where_none_is_stated() -> None:
    rng = np.random.default_rng(4)
    source, sigma = landmarks(10, 5), 0.3
    stated = []
    for _ in range(100):
        noisy = KNOWN["affine"](source) + rng.normal(0.0, sigma, source.shape)
        stated.append(float(error_um(landmark_transform(source, noisy, kind="affine"), 10.0, 10.0)))
    told = landmark_transform(source, KNOWN["affine"](source), kind="affine", error_um=sigma)
    assert np.sqrt(np.mean(np.square(stated))) == pytest.approx(float(error_um(told, 10.0, 10.0)), rel=0.1)


def test_there_and_back_is_where_it_began() -> None:
    source = landmarks(4, 11)
    back = inverted(landmark_transform(source, KNOWN["affine"](source), kind="affine"))
    np.testing.assert_allclose(np.column_stack(back.apply(*KNOWN["affine"](source).T)), source, atol=1e-9)
    np.testing.assert_allclose(back.landmarks_um[:, 2:], source)


def test_with_no_pair_to_spare_the_error_is_not_known() -> None:
    source = landmarks(3, 6)
    found = landmark_transform(source, KNOWN["affine"](source), kind="affine")
    assert np.isnan(error_um(found, 1.0, 1.0))
    assert np.isnan(found.leave_one_out_um).all()


def test_leaving_one_out_shows_the_pair_that_is_wrong() -> None:
    source = landmarks(6, 7)
    target = KNOWN["similarity"](source)
    target[2] += (1.5, -1.0)
    found = landmark_transform(source, target, kind="similarity")
    assert int(np.argmax(found.leave_one_out_um)) == 2
    assert found.leave_one_out_um[2] == pytest.approx(np.hypot(1.5, 1.0), rel=1e-6)


@pytest.mark.parametrize(("kind", "number"), [("affine", 2), ("rigid", 1), ("similarity", 1)])
def test_too_few_pairs_are_refused(kind: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"{kind} needs"):
        landmark_transform(landmarks(number, 8), landmarks(number, 9), kind=kind)


def test_landmarks_on_a_line_do_not_fix_an_affine_map() -> None:
    line = np.column_stack([np.arange(4.0), 2.0 * np.arange(4.0)])
    with pytest.raises(ValueError, match="on one place or line"):
        landmark_transform(line, line, kind="affine")


def test_what_is_exported_says_both_directions_and_the_turn_as_displayed() -> None:
    source = landmarks(5, 10)
    # y points down: skimage's positive rotation is clockwise as displayed.
    found = transform_json(landmark_transform(source, KNOWN["rigid"](source), kind="rigid"))
    assert found["turn_deg"] == pytest.approx(-np.degrees(0.3))
    assert found["scale"] == pytest.approx(1.0)
    assert found["units"] == "um"
    np.testing.assert_allclose(np.array(found["matrix"]) @ np.array(found["inverse"]), np.eye(3), atol=1e-12)


# --- outline to outline ---------------------------------------------------------------------------------


def outline_of(crystal: Square, error_um: float = 0.1) -> Outline:
    return outline_of_polygon(crystal.corners(), error_um=error_um)


@pytest.mark.parametrize("turn", [0.0, 12.0, -30.0, 44.0])
@pytest.mark.parametrize("half", [(5.0, 5.0), (5.0, 3.5)])
def test_an_outline_is_laid_upon_the_other(turn: float, half: tuple[float, float]) -> None:
    here = Square(centre=(8.0, 9.0), half=half, turn_deg=10.0)
    there = Square(centre=(12.0, 11.0), half=half, turn_deg=10.0 + turn)
    found = outline_transform(outline_of(here), outline_of(there))
    assert turn_deg(found) == pytest.approx(turn, abs=0.05)
    x, y = found.apply(*here.corners().T)
    np.testing.assert_allclose(np.column_stack([x, y]), there.corners(), atol=0.02)


def test_a_view_from_below_is_mirrored_first() -> None:
    here = Square(centre=(8.0, 9.0), turn_deg=10.0)
    seen = Square(centre=(-8.0, 9.0), turn_deg=-10.0)
    found = outline_transform(outline_of(here), outline_of(seen), mirrored=True)
    x, y = found.apply(*here.corners().T)
    mirrored = here.corners() * (-1.0, 1.0)
    np.testing.assert_allclose(np.column_stack([x, y]), mirrored, atol=0.02)


def test_a_corner_that_one_of_them_lacks_does_not_pull_the_rest() -> None:
    whole = Square(centre=(8.0, 9.0), turn_deg=5.0)
    cut = Square(centre=(12.0, 8.0), turn_deg=25.0, cut=0.5)
    found = outline_transform(outline_of(whole), outline_of(cut))
    x, y = found.apply(8.0, 9.0)
    assert np.hypot(x - 12.0, y - 8.0) < 0.1
    assert turn_deg(found) == pytest.approx(20.0, abs=1.0)


def test_two_coarse_maps_are_laid_upon_each_other_to_half_a_pixel() -> None:
    step, errors = 0.8, []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        here = Square(centre=tuple(10.0 + rng.uniform(-1, 1, 2)), turn_deg=float(rng.uniform(-20, 20)))
        there = Square(centre=tuple(10.0 + rng.uniform(-1, 1, 2)), turn_deg=here.turn_deg + 8.0)
        outlines = []
        for crystal, points, cell in ((here, 80, 0.25), (there, 26, step)):
            grid = grid_of(points, cell)
            values = coverage(crystal, grid, BEAM_SIGMA_UM) + rng.normal(0.0, 0.03, grid.shape)
            found = outline_from_map(grid, values, footprint_um=BEAM_SIGMA_UM)
            assert found is not None
            outlines.append(found)
        moved = outline_transform(*outlines)
        x, y = moved.apply(*here.corners().T)
        errors += list(np.hypot(*(np.column_stack([x, y]) - there.corners()).T))
    assert np.sqrt(np.mean(np.square(errors))) < 0.5 * step


def test_the_stated_error_of_an_outline_fit_is_how_far_places_scatter() -> None:
    rng, error, pulls = np.random.default_rng(12), 0.15, []
    target = outline_of(Square(centre=(10.0, 10.0)), error_um=0.0)
    for _ in range(120):
        # Each side moves by itself: centre and half sides scatter.
        left, right, top, bottom = rng.normal(0.0, error, 4)
        seen = Square(
            centre=(10.0 + 0.5 * (left + right), 10.0 + 0.5 * (top + bottom)),
            half=(5.0 + 0.5 * (right - left), 5.0 + 0.5 * (bottom - top)),
        )
        found = outline_transform(outline_of(seen, error_um=error), target, kind="translation")
        x, y = found.apply(10.0, 10.0)
        pulls.append(((x - 10.0) ** 2 + (y - 10.0) ** 2) / float(error_um(found, 10.0, 10.0)) ** 2)
    assert np.mean(pulls) == pytest.approx(1.0, abs=0.35)
