"""Fits of many drawn frames: no bias, errors that cover, the same answer as other software."""

from __future__ import annotations

import lmfit
import numpy as np
import pytest
from scipy.optimize import minimize

from analysis.records import XRAY_STATUS
from analysis.xray.fit_kernels import CONVERGED, maximize
from analysis.xray.frame_kernels import (
    COVARIANCE,
    DEVIANCE,
    EXPECTED_DEVIANCE,
    PARAMETERS,
    PHOTONS,
    STATUS,
    WIDTH_ERRORS,
)
from analysis.xray.gather_kernels import ALL, FIRST_OF_SECOND, gather
from analysis.xray.lattice import Cells, cells_from_peaks
from tests.xray.frames import Crystal, Instrument, film, peaks
from tests.xray.scan_setups import reduced, setup_of

FINE = Instrument(shape=(120, 124), beam_px=(61.3, 58.8), pixel_um=110.0, finer=6)
CRYSTAL = Crystal(a1=14.0, a2=12.6, gamma=84.0, psi=9.0, sigma_q=0.025, sigma_phi=4.5)
N = 600


def cells_of(rows: np.ndarray) -> Cells:
    fit = rows[:, PARAMETERS : PARAMETERS + 12]
    covariance = rows[:, COVARIANCE : COVARIANCE + 16].reshape(-1, 4, 4)
    return cells_from_peaks(fit[:, (0, 6)], fit[:, (1, 7)], covariance, omega_centre_deg=0.0)


def pulls(rows: np.ndarray, crystal: Crystal) -> dict[str, np.ndarray]:
    found = cells_of(rows)
    truth = {
        "a1": crystal.a1,
        "a2": crystal.a2,
        "gamma": crystal.gamma,
        "psi": crystal.psi,
        "a_sc": crystal.a_sc,
    }
    values = {
        "a1": found.a1_nm,
        "a2": found.a2_nm,
        "gamma": found.gamma_deg,
        "psi": found.psi_deg,
        "a_sc": found.a_sc_nm,
    }
    return {name: (values[name] - truth[name]) / found.errors[name] for name in truth}


@pytest.fixture(scope="module", params=[120.0, 1500.0])
def drawn(request: pytest.FixtureRequest) -> tuple[Crystal, np.ndarray]:
    """Rows of N frames with few and with many photons a peak; the background is known exactly."""
    crystal = Crystal(**{**CRYSTAL.__dict__, "photons": request.param})
    expected = film(FINE) + peaks(FINE, crystal)
    frames = np.random.default_rng(11).poisson(expected, (N, *expected.shape))
    return crystal, reduced(frames, setup_of(FINE, q_max=1.3)).rows


def test_every_frame_is_ok(drawn: tuple[Crystal, np.ndarray]) -> None:
    _, rows = drawn
    assert np.mean(rows[:, STATUS] == XRAY_STATUS.index("ok")) > 0.99


def test_one_sigma_covers_two_thirds_and_nothing_is_biased(drawn: tuple[Crystal, np.ndarray]) -> None:
    crystal, rows = drawn
    for name, pull in pulls(rows[rows[:, STATUS] == 0], crystal).items():
        assert 0.62 <= np.mean(np.abs(pull) < 1.0) <= 0.74, name
        assert abs(np.mean(pull)) < 1.0 / 3.0, name
        assert abs(np.mean(pull)) < 0.12 + 3.0 / np.sqrt(N), name


def test_widths_photons_and_goodness_are_right(drawn: tuple[Crystal, np.ndarray]) -> None:
    crystal, rows = drawn
    good = rows[rows[:, STATUS] == 0]
    own = np.sqrt(np.exp(2.0 * good[:, (PARAMETERS + 2, PARAMETERS + 8)]) - FINE.q_per_px**2 / 12.0)
    assert np.median(own) == pytest.approx(crystal.sigma_q, rel=0.03)
    assert np.median(good[:, PHOTONS]) == pytest.approx(4.0 * crystal.photons, rel=0.02)
    assert np.mean(good[:, DEVIANCE] / good[:, EXPECTED_DEVIANCE]) == pytest.approx(1.0, abs=0.02)
    relative = np.std(good[:, PARAMETERS + 2]) / np.median(good[:, WIDTH_ERRORS])
    assert 0.85 < relative < 1.3


def test_the_noise_of_a_shared_background_is_in_the_errors() -> None:
    """Backgrounds drawn anew from few frames each: the spread over them is what the errors must state."""
    rng = np.random.default_rng(12)
    crystal = Crystal(**{**CRYSTAL.__dict__, "photons": 60.0})
    film_ = film(FINE, level=1.5)
    expected = film_ + peaks(FINE, crystal)
    from analysis.xray.background import smooth_background
    from analysis.xray.geometry import pixel_directions
    from tests.xray.scan_setups import geometry_of

    directions, everything = pixel_directions(geometry_of(FINE)), np.ones(FINE.shape, bool)
    rows = []
    for _ in range(200):
        background = smooth_background(
            rng.poisson(film_, (2, *FINE.shape)).mean(axis=0), everything, directions
        )
        setup = setup_of(FINE, background=background, share=0.5, q_max=1.3)
        rows.append(reduced(rng.poisson(expected, (1, *FINE.shape)), setup).rows)
    all_rows = np.concatenate(rows)
    assert np.mean(all_rows[:, STATUS] == 0) > 0.9
    for name, pull in pulls(all_rows[all_rows[:, STATUS] == 0], crystal).items():
        assert 0.58 <= np.mean(np.abs(pull) < 1.0) <= 0.80, name


@pytest.fixture(scope="module")
def one_fit() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Our row of one frame and the pixels (n, 5) with their family that it was fitted on."""
    expected = film(FINE) + peaks(FINE, CRYSTAL)
    frame = np.random.default_rng(13).poisson(expected, (1, *expected.shape)).astype(np.uint32)
    setup = setup_of(FINE, q_max=1.3)
    row = reduced(frame, setup).rows[0]
    fit = row[PARAMETERS : PARAMETERS + 12]
    pixels, numbers = np.empty((5, 9000)), np.empty(4, np.int64)
    gather(frame[0].ravel(), setup.table, fit.copy(), 4.0, np.empty((0, 2)), pixels, numbers)
    # Windows follow the fit: a few pixels at their rim have changed, so climb once more on these.
    far, free = np.full(12, 1e9), np.ones(12, bool)
    code, _ = maximize(pixels, numbers, fit, -far, far, 1e-9, -1, free, np.empty(12), np.empty((12, 12)))
    assert code == CONVERGED
    family = (np.arange(numbers[ALL]) >= numbers[FIRST_OF_SECOND]).astype(int)
    return row, pixels[:, : numbers[ALL]].T, family


def model(p: np.ndarray, pixels: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Mean counts of the pixels, written out anew; p as the kernels order it."""
    mu = pixels[:, 2] * np.where(family == 0, p[5], p[11]) + pixels[:, 3]
    for k in (0, 6):
        turn = 0.5 * np.angle(np.exp(2j * (pixels[:, 1] - p[k + 1])))
        u, v = (pixels[:, 0] - p[k]) / np.exp(p[k + 2]), turn / np.exp(p[k + 3])
        mu = mu + pixels[:, 2] * np.exp(p[k + 4] - 0.5 * (u**2 + v**2))
    return mu


def deviance(p: np.ndarray, pixels: np.ndarray, family: np.ndarray) -> float:
    n, mu = pixels[:, 4], np.maximum(model(p, pixels, family), 1e-12)
    return float(2.0 * np.sum(mu - n + np.where(n > 0, n * np.log(np.maximum(n, 1.0) / mu), 0.0)))


def test_scipy_finds_no_better_maximum(one_fit: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    row, pixels, family = one_fit
    ours = row[PARAMETERS : PARAMETERS + 12]
    best = minimize(
        deviance, ours + 0.004, args=(pixels, family), method="Nelder-Mead",
        options={"maxfev": 6000, "xatol": 1e-9, "fatol": 1e-9},
    )  # fmt: skip
    assert deviance(ours, pixels, family) <= best.fun + 1e-5


def test_lmfit_agrees_on_values_and_errors(one_fit: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """lmfit minimises the same deviance as signed roots; its errors come from its own Jacobian."""
    row, pixels, family = one_fit
    ours = row[PARAMETERS : PARAMETERS + 12]

    def residual(parameters: lmfit.Parameters) -> np.ndarray:
        mu = np.maximum(
            model(np.array([parameters[f"p{k}"].value for k in range(12)]), pixels, family), 1e-12
        )
        n = pixels[:, 4]
        part = 2.0 * (mu - n + np.where(n > 0, n * np.log(np.maximum(n, 1.0) / mu), 0.0))
        return np.sign(n - mu) * np.sqrt(np.maximum(part, 0.0))

    start = lmfit.Parameters()
    for k in range(12):
        start.add(f"p{k}", value=ours[k] + 0.002)
    found = lmfit.minimize(residual, start, scale_covar=False)
    covariance = row[COVARIANCE : COVARIANCE + 16].reshape(4, 4)
    for place, k in enumerate((0, 1, 6, 7)):
        error = np.sqrt(covariance[place, place])
        assert found.params[f"p{k}"].value == pytest.approx(ours[k], abs=0.03 * error)
        assert found.params[f"p{k}"].stderr == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize("gamma", [68.0, 90.0, 108.0])
def test_second_orders_do_not_pull_the_lattice(gamma: float) -> None:
    crystal = Crystal(a1=14.0, a2=13.5, gamma=gamma, psi=4.0, photons=1200.0, sigma_q=0.025, sigma_phi=4.5)
    orders = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2))
    expected = film(FINE) + peaks(FINE, crystal, orders=orders, share=(1, 1, 0.4, 0.4, 0.3, 0.3))
    rows = reduced(np.random.default_rng(14).poisson(expected, (60, *expected.shape)), setup_of(FINE)).rows
    assert np.mean(rows[:, STATUS] == 0) > 0.95
    for name, pull in pulls(rows[rows[:, STATUS] == 0], crystal).items():
        assert abs(np.mean(pull)) < 0.75, name


def test_a_peak_under_a_gap_is_fitted_on_what_is_left() -> None:
    crystal = Crystal(**{**CRYSTAL.__dict__, "photons": 1500.0})
    expected = film(FINE) + peaks(FINE, crystal)
    usable = np.ones(FINE.shape, bool)
    b1 = crystal.reciprocal()[0] / FINE.q_per_px
    col = round(FINE.beam_px[0] + b1[0])
    usable[:, col - 2 : col + 3] = False
    frames = np.random.default_rng(15).poisson(expected, (80, *expected.shape))
    cut = reduced(frames, setup_of(FINE, usable=usable, q_max=1.3)).rows
    whole = reduced(frames, setup_of(FINE, q_max=1.3)).rows
    assert np.mean(cut[:, STATUS] == 0) > 0.95
    one, other = cells_of(cut[cut[:, STATUS] == 0]), cells_of(whole[whole[:, STATUS] == 0])
    assert np.median(one.errors["q1"]) > 1.2 * np.median(other.errors["q1"])
    pull = (one.a1_nm - crystal.a1) / one.errors["a1"]
    assert abs(np.mean(pull)) < 0.5
    assert 0.5 < np.mean(np.abs(pull) < 1) < 0.85


def test_a_family_hidden_on_both_sides_is_masked() -> None:
    crystal = Crystal(**{**CRYSTAL.__dict__, "photons": 3000.0})
    expected = film(FINE) + peaks(FINE, crystal)
    usable = np.ones(FINE.shape, bool)
    only = peaks(FINE, crystal, orders=((1, 0),), share=(1.0,))
    usable[only > 0.02 * only.max()] = False
    rows = reduced(
        np.random.default_rng(16).poisson(expected, (20, *expected.shape)), setup_of(FINE, usable=usable)
    ).rows
    assert not np.any(rows[:, STATUS] == 0)
