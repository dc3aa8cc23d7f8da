"""One frame through search and fit, and the pieces of both, on a detector small enough for plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import XRAY_STATUS
from analysis.xray.fit_kernels import evaluate, solve
from analysis.xray.frame_kernels import COVARIANCE, PARAMETERS, ROW_LENGTH, STATUS
from analysis.xray.gather_kernels import ALL, COUPLED, SATURATED_PIXELS, axial, gather
from analysis.xray.lattice import cells_from_peaks
from analysis.xray.reduction import second_chance
from analysis.xray.search_kernels import significance
from analysis.xray.verdict_kernels import BASE_OF, COUNTED_OF, PIXELS_OF, describe
from tests.xray.frames import Crystal, Instrument, film, peaks
from tests.xray.scan_setups import reduced, setup_of

TINY = Instrument(shape=(48, 50), beam_px=(24.3, 23.2), pixel_um=300.0, finer=3)
CRYSTAL = Crystal(a1=9.0, a2=8.2, gamma=84.0, psi=11.0, photons=800.0, sigma_q=0.06, sigma_phi=5.0)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return film(TINY) + peaks(TINY, CRYSTAL)


def status_of(row: np.ndarray) -> str:
    return XRAY_STATUS[int(row[STATUS])]


def test_a_frame_gives_its_lattice(expected: np.ndarray) -> None:
    setup = setup_of(TINY, share=0.1)
    row = reduced(np.random.default_rng(1).poisson(expected, (1, *expected.shape)), setup).rows
    assert status_of(row[0]) == "ok"
    fit = row[:, PARAMETERS : PARAMETERS + 12]
    covariance = row[:, COVARIANCE : COVARIANCE + 16].reshape(1, 4, 4)
    found = cells_from_peaks(fit[:, (0, 6)], fit[:, (1, 7)], covariance)
    for name, value, truth in (
        ("a1", found.a1_nm, CRYSTAL.a1),
        ("a2", found.a2_nm, CRYSTAL.a2),
        ("gamma", found.gamma_deg, CRYSTAL.gamma),
        ("psi", found.psi_deg, CRYSTAL.psi),
    ):
        assert abs(value[0] - truth) < 4.0 * found.errors[name][0]
        assert 0.0 < found.errors[name][0] < 0.02 * truth


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda frame, _: frame, "no_signal"),
        (lambda frame, spots: frame + 400 * (spots == spots.max()), "no_signal"),
    ],
)
def test_a_frame_without_a_lattice_has_none(expected: np.ndarray, spoil: object, status: str) -> None:
    empty = np.random.default_rng(2).poisson(film(TINY))
    row = reduced(spoil(empty, expected)[None], setup_of(TINY)).rows[0]
    assert status_of(row) == status


def test_saturated_pixels_at_a_peak_are_told(expected: np.ndarray) -> None:
    frame = np.random.default_rng(3).poisson(expected)
    setup = setup_of(TINY, limit=int(np.sort(frame[setup_of(TINY).usable])[-2]))
    assert status_of(reduced(frame[None], setup).rows[0]) == "saturated"


def test_neighbours_help_a_point_that_found_nothing(expected: np.ndarray) -> None:
    setup = setup_of(TINY)
    frames = np.random.default_rng(4).poisson(expected, (3, *expected.shape)).astype(np.uint32)
    rows = reduced(frames, setup).rows
    assert [status_of(row) for row in rows] == ["ok"] * 3
    truth = rows[1].copy()
    rows[1, STATUS] = XRAY_STATUS.index("no_signal")
    gained = second_chance(rows, (1, 3), lambda index: frames[index], setup)
    assert gained == 1
    assert status_of(rows[1]) == "ok"
    off = np.abs(rows[1] - truth)[PARAMETERS : PARAMETERS + 12].reshape(2, 6)
    assert off[:, :5].max() < 2e-3  # windows follow the start by a few pixels at their rim
    assert off[:, 5].max() < 0.02


@pytest.mark.parametrize("coupled", [0, 1])
def test_the_derivatives_are_those_of_the_likelihood(expected: np.ndarray, coupled: int) -> None:
    setup = setup_of(TINY)
    frame = np.random.default_rng(5).poisson(expected).astype(np.uint32)
    fit = reduced(frame[None], setup).rows[0, PARAMETERS : PARAMETERS + 12].copy()
    pixels, numbers = np.empty((5, 2000)), np.empty(4, np.int64)
    gather(frame.ravel(), setup.table, fit, 3.0, np.empty((0, 2)), pixels, numbers)
    assert numbers[SATURATED_PIXELS] == 0
    assert 100 < numbers[ALL] < 2000
    numbers[COUPLED] = coupled
    fit += 0.01
    score, fisher, scrap, scrap2 = np.empty(12), np.empty((12, 12)), np.empty(12), np.empty((12, 12))
    evaluate(pixels, numbers, fit, score, fisher)
    for a in range(12):
        ends = []
        for sign in (1.0, -1.0):
            moved = fit.copy()
            moved[a] += sign * 1e-5
            ends.append(evaluate(pixels, numbers, moved, scrap, scrap2))
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(score[a], rel=1e-4, abs=1e-3)
    np.testing.assert_allclose(fisher, fisher.T)
    assert (np.linalg.eigvalsh(fisher) > 0).all()
    summary = np.empty((2, 7))
    describe(pixels, numbers, fit, setup.deviance_table, summary)
    assert summary[:, PIXELS_OF].sum() == numbers[ALL]
    assert (summary[:, COUNTED_OF] > summary[:, BASE_OF]).all()
    inside = (setup.q_per_nm > 0) & setup.usable
    assert numbers[ALL] <= inside.sum()


def test_a_family_alone_and_a_coupled_one_have_the_same_likelihood(expected: np.ndarray) -> None:
    """Far apart, both ways of summing must agree, whatever the number of pixels is modulo a block."""
    setup = setup_of(TINY)
    frame = np.random.default_rng(6).poisson(expected).astype(np.uint32)
    fit = reduced(frame[None], setup).rows[0, PARAMETERS : PARAMETERS + 12].copy()
    fit[[3, 9]] -= 1.0
    pixels, numbers = np.empty((5, 2000)), np.empty(4, np.int64)
    for reach in (2.0, 2.7, 3.6):
        gather(frame.ravel(), setup.table, fit, reach, np.empty((0, 2)), pixels, numbers)
        made = []
        for coupled in (0, 1):
            numbers[COUPLED] = coupled
            score, fisher = np.empty(12), np.empty((12, 12))
            made.append((evaluate(pixels, numbers, fit, score, fisher), score, fisher))
        assert made[0][0] == pytest.approx(made[1][0], rel=1e-12)
        np.testing.assert_allclose(made[0][1], made[1][1], rtol=1e-9, atol=1e-7)
        np.testing.assert_allclose(made[0][2], made[1][2], rtol=1e-9, atol=1e-5)


def test_windows_hold_exactly_the_pixels_within_reach() -> None:
    """Counted once more pixel by pixel, one window across the seam of the folded azimuth."""
    setup = setup_of(TINY)
    counts = np.zeros(TINY.shape, np.uint32).ravel()
    parameters = np.array(
        [0.7, 0.02, np.log(0.07), np.log(0.2), 0, 0, 0.75, 1.5, np.log(0.06), np.log(0.1), 0, 0]
    )
    pixels, numbers = np.empty((5, 3000)), np.empty(4, np.int64)
    gather(counts, setup.table, parameters, 3.5, np.empty((0, 2)), pixels, numbers)
    turn = [0.5 * np.angle(np.exp(2j * (setup.phi_rad - phi))) for phi in (0.02, 1.5)]
    distance = [
        np.hypot((setup.q_mean_per_nm - q) / s, off / p)
        for q, s, off, p in ((0.7, 0.07, turn[0], 0.2), (0.75, 0.06, turn[1], 0.1))
    ]
    first = setup.usable & (distance[0] <= 3.5) & (distance[0] <= distance[1])
    second = setup.usable & (distance[1] <= 3.5) & (distance[1] < distance[0])
    assert numbers[:2].tolist() == [first.sum(), first.sum() + second.sum()]
    assert np.abs(pixels[1, : first.sum()] - 0.02).max() <= 0.7 + 1e-9


def test_equations_are_solved_for_the_free_unknowns() -> None:
    half = np.random.default_rng(8).normal(size=(12, 20))
    matrix, vector = half @ half.T, np.arange(12.0)
    step, free = np.empty(12), np.ones(12, bool)
    assert solve(matrix, vector, free, 0.0, step)
    np.testing.assert_allclose(step, np.linalg.solve(matrix, vector), rtol=1e-6)
    free[3] = False
    assert solve(matrix, vector, free, 0.0, step)
    assert step[3] == 0.0
    keep = [k for k in range(12) if k != 3]
    np.testing.assert_allclose(
        step[keep], np.linalg.solve(matrix[np.ix_(keep, keep)], vector[keep]), rtol=1e-6
    )
    assert not solve(np.zeros((12, 12)), vector, free, 0.0, step)


def test_axes_and_significances() -> None:
    assert axial(np.pi) == pytest.approx(0.0)
    assert axial(2.0) == pytest.approx(2.0 - np.pi)
    assert axial(0.5 * np.pi) == pytest.approx(0.5 * np.pi)
    assert significance(100.0, 100.0) == 0.0
    assert significance(130.0, 100.0) == pytest.approx(2.87, abs=0.02)
    assert significance(70.0, 100.0) == pytest.approx(-3.19, abs=0.02)
    assert significance(3.0, 0.0) > 4.0
    assert ROW_LENGTH >= 47
