"""One frame through search and fit, and the pieces of both, on a detector small enough for plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.records import XRAY_STATUS
from analysis.xray.fit_kernels import axial, describe, evaluate, gather, solve
from analysis.xray.frame_kernels import COVARIANCE, PARAMETERS, ROW_LENGTH, STATUS
from analysis.xray.lattice import cells_from_peaks
from analysis.xray.reduction import second_chance
from analysis.xray.search_kernels import significance
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
    np.testing.assert_allclose(
        rows[1, PARAMETERS : PARAMETERS + 12], truth[PARAMETERS : PARAMETERS + 12], atol=2e-3
    )


def test_the_derivatives_are_those_of_the_likelihood(expected: np.ndarray) -> None:
    setup = setup_of(TINY)
    frame = np.random.default_rng(5).poisson(expected).astype(np.uint32)
    fit = reduced(frame[None], setup).rows[0, PARAMETERS : PARAMETERS + 12].copy()
    pixels, family = np.empty((2000, 5)), np.empty(2000, np.int64)
    count, saturated = gather(
        frame, 2**32 - 1, setup.usable, setup.q_mean_per_nm, setup.phi_rad, setup.efficiency,
        setup.background, setup.place, fit, 3.0, np.empty((0, 2)), pixels, family,
    )  # fmt: skip
    assert saturated == 0
    assert 100 < count < 2000
    fit += 0.01
    score, fisher, scrap, scrap2 = np.empty(12), np.empty((12, 12)), np.empty(12), np.empty((12, 12))
    evaluate(pixels, family, count, fit, score, fisher)
    for a in range(12):
        ends = []
        for sign in (1.0, -1.0):
            moved = fit.copy()
            moved[a] += sign * 1e-5
            ends.append(evaluate(pixels, family, count, moved, scrap, scrap2))
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(score[a], rel=1e-4, abs=1e-3)
    np.testing.assert_allclose(fisher, fisher.T)
    assert (np.linalg.eigvalsh(fisher) > 0).all()
    step = np.empty(12)
    free = np.ones(12, bool)
    assert solve(fisher, score, free, 0.0, step)
    np.testing.assert_allclose(step, np.linalg.solve(fisher, score), rtol=1e-6)
    free[3] = False
    assert solve(fisher, score, free, 0.0, step)
    assert step[3] == 0.0
    keep = [k for k in range(12) if k != 3]
    np.testing.assert_allclose(
        step[keep], np.linalg.solve(fisher[np.ix_(keep, keep)], score[keep]), rtol=1e-6
    )
    assert not solve(np.zeros((12, 12)), score, free, 0.0, step)
    summary = np.empty((2, 4))
    describe(pixels, family, count, fit, summary)
    assert summary[:, 1].sum() == count
    assert (summary[:, 2] > summary[:, 3]).all()


def test_axes_and_significances() -> None:
    assert axial(np.pi) == pytest.approx(0.0)
    assert axial(2.0) == pytest.approx(2.0 - np.pi)
    assert axial(0.5 * np.pi) == pytest.approx(0.5 * np.pi)
    assert significance(100.0, 100.0) == 0.0
    assert significance(130.0, 100.0) == pytest.approx(2.87, abs=0.02)
    assert significance(70.0, 100.0) == pytest.approx(-3.19, abs=0.02)
    assert significance(3.0, 0.0) > 4.0
    assert ROW_LENGTH >= 47
