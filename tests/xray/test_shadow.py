"""Shadows of the beamstop, its arm and gaps: found where they were put, none where none was."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import PIXEL_VERDICTS, DetectorGeometry
from analysis.xray.geometry import direct_beam_px, pixel_directions
from analysis.xray.shadow import arm_shadow, beamstop_q_per_nm, relative_to_ring, soft_edges
from analysis.xray.verdicts import judge_pixels

SHAPE = (200, 220)
BEAM = (112.4, 95.7)
STOP_PX, FRAMES = 9.0, 40


def instrument() -> DetectorGeometry:
    return DetectorGeometry(
        wavelength_nm=0.0954,
        distance_mm=398.0,
        pixel_size_um=(75.0, 75.0),
        beam_center_px=BEAM,
        shape=SHAPE,
    )


DIRECTIONS = pixel_directions(instrument())
ROW, COL = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(float)
X, Y = COL - BEAM[0], ROW - BEAM[1]
RADIUS = np.hypot(X, Y)


def scattering(*, flare: float = 0.0) -> np.ndarray:
    """Counts a frame without shadows: a power law on a flat level, with streaks along rows and columns."""
    streak = 1.0 + flare * np.exp(-0.5 * (np.minimum(abs(X), abs(Y)) / (0.15 * RADIUS + 1.0)) ** 2)
    return (30.0 * (np.maximum(RADIUS, 3.0) / 10.0) ** -3.0 + 0.02) * streak


def arm(angle_deg: float, half_px: float) -> np.ndarray:
    """Pixels of a bar from the beam to the border, at an angle counter-clockwise as displayed."""
    angle = np.radians(angle_deg)
    along = X * np.cos(angle) - Y * np.sin(angle)
    across = X * np.sin(angle) + Y * np.cos(angle)
    return (along > 0) & (abs(across) <= half_px)


def found_arm(expected: np.ndarray, usable: np.ndarray, seed: int = 3) -> tuple[np.ndarray, int]:
    total = np.random.default_rng(seed).poisson(expected * FRAMES).astype(float) * usable
    stop = beamstop_q_per_nm(total, usable, DIRECTIONS)
    assert STOP_PX * DIRECTIONS.step_per_nm < stop < (STOP_PX + 5.0) * DIRECTIONS.step_per_nm
    relative = relative_to_ring(total, usable & (DIRECTIONS.q_per_nm >= stop), DIRECTIONS)
    return arm_shadow(relative, usable, DIRECTIONS, beam_px=BEAM, stop_q_per_nm=stop)


@pytest.mark.parametrize("flare", [0.0, 1.5])
@pytest.mark.parametrize(("angle", "half"), [(90.0, 3.0), (37.0, 2.0), (-163.0, 4.5)])
def test_the_arm_is_found_out_to_the_border(angle: float, half: float, flare: float) -> None:
    shadow = arm(angle, half)
    expected = scattering(flare=flare) * np.where(shadow, 0.02, 1.0) * (RADIUS > STOP_PX)
    usable = np.ones(SHAPE, bool)
    usable[:, 60:64] = False  # a gap that cuts one of them
    found, arms = found_arm(expected, usable)
    assert arms == 1
    inside = shadow & (RADIUS > STOP_PX + 5) & usable
    assert found[inside].mean() > 0.99
    # of pixels that are not in its shadow only those of its margin are given up
    wide = arm(angle, half + 3.5)
    assert not found[~wide & (RADIUS > STOP_PX + 8)].any()


def test_two_arms_are_two() -> None:
    shadow = arm(15.0, 3.0) | arm(195.0, 3.0)
    expected = scattering() * np.where(shadow, 0.05, 1.0) * (RADIUS > STOP_PX)
    found, arms = found_arm(expected, np.ones(SHAPE, bool))
    assert arms == 2
    assert found[shadow & (RADIUS > STOP_PX + 5)].mean() > 0.98


def test_an_arm_that_ends_is_followed_to_its_end_only() -> None:
    shadow = arm(90.0, 4.0) & (RADIUS < 60.0)
    expected = (scattering() + 0.3) * np.where(shadow, 0.05, 1.0) * (RADIUS > STOP_PX)
    found, arms = found_arm(expected, np.ones(SHAPE, bool))
    assert arms == 1
    assert found[shadow & (RADIUS > STOP_PX + 5)].all()
    assert not found[RADIUS > 78.0].any()


@pytest.mark.parametrize("flare", [0.0, 1.5, 6.0])
def test_without_an_arm_none_is_seen(flare: float) -> None:
    for seed in range(3):
        found, arms = found_arm(scattering(flare=flare) * (RADIUS > STOP_PX), np.ones(SHAPE, bool), seed)
        assert arms == 0
        assert not found.any()


@pytest.mark.parametrize("flare", [0.0, 1.5])
def test_soft_edges_of_gaps_are_found_and_hard_ones_left(flare: float) -> None:
    masked = np.zeros(SHAPE, bool)
    masked[88:96], masked[:, 150:154] = True, True
    expected = scattering(flare=flare) * (RADIUS > STOP_PX)
    plain = np.random.default_rng(4).poisson(expected * 400).astype(float)
    expected[96] *= 0.8
    expected[:, 149] *= 1.4
    expected[:, 148] *= 1.2
    total = np.random.default_rng(4).poisson(expected * 400).astype(float)
    usable = ~masked & (RADIUS > STOP_PX + 4)
    for counts, lines in ((plain, (set(), set())), (total, ({96}, {148, 149}))):
        found = soft_edges(counts, usable, masked, relative_to_ring(counts, usable, DIRECTIONS))
        rows = set(np.flatnonzero(found.sum(axis=1) > 100).tolist())
        cols = set(np.flatnonzero(found.sum(axis=0) > 100).tolist())
        assert (rows, cols) == lines


def test_each_pixel_has_the_first_reason_that_holds() -> None:
    rng = np.random.default_rng(9)
    shadow = arm(90.0, 3.0)
    expected = scattering() * np.where(shadow, 0.02, 1.0) * (RADIUS > STOP_PX)
    sample = rng.poisson(expected, (20, *SHAPE)).astype(np.uint32)
    background = rng.poisson(expected * FRAMES).astype(float)
    filled = 2**32 - 1
    file_mask, user_mask = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    file_mask[:, 60:64] = True
    user_mask[150:154] = True
    sample[:, 20, 20] = filled
    for stack in (sample, background[None]):
        stack[:, 30, 30] += 50 * (FRAMES if stack is not sample else 1)
        stack[:, 40, 61] += 50
    sample[::3, 35, 40] += rng.poisson(40, sample[::3, 35, 40].shape).astype(np.uint32)
    sample[:, file_mask] = filled
    result = judge_pixels(
        file_mask=file_mask, user_mask=user_mask, sample=sample, filled=filled, background=background,
        background_frames=FRAMES, directions=DIRECTIONS, beam_px=BEAM, q_range_per_nm=(None, 1.4),
    )  # fmt: skip
    name = np.array(PIXEL_VERDICTS)[result.verdict]
    assert (name[:, 60:64] == "file_mask").all()
    assert name[152, 61] == "file_mask"
    assert name[152, 100] == "user_mask"
    assert (name[20, 20], name[30, 30], name[35, 40]) == ("never_read", "hot", "flickering")
    assert name[96, 112] == "beamstop"
    assert (name[40:70, 112] == "arm").all()
    assert name[199, 219] == "outside_q"
    assert name[120, 120] == "counted"
    assert (DIRECTIONS.q_per_nm[name == "counted"] >= result.q_min_per_nm).all()
    assert any("holder" in note for note in result.notes)
    bad = ((name == "hot") | (name == "flickering")) & (DIRECTIONS.q_per_nm >= result.q_min_per_nm)
    assert np.argwhere(bad).tolist() == [[30, 30], [35, 40]]
    assert any("hot and 1 flickering" in note for note in result.notes)


def test_the_direct_beam_on_a_tilted_detector_is_where_q_is_nothing() -> None:
    tilted = DetectorGeometry(
        wavelength_nm=0.1,
        distance_mm=100.0,
        pixel_size_um=(100.0, 80.0),
        beam_center_px=(40.0, 90.0),
        shape=(200, 200),
        rotations_rad=(-0.08, 0.03, 0.5),
    )
    col, row = direct_beam_px(tilted)
    q = pixel_directions(tilted).q_per_nm
    at = np.unravel_index(q.argmin(), q.shape)
    assert abs(at[0] - row) <= 0.5
    assert abs(at[1] - col) <= 0.5
    assert abs(col - 40.0) > 50.0
