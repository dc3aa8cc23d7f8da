"""The truth of every preset comes back through simulate, reduce and export, within stated limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from analysis.io.results import read_result
from tests.acceptance.recovery import (
    PRESETS,
    QUANTITIES,
    Recovered,
    afm_figures,
    coverage,
    form_factor_figures,
    recover,
    sem_figures,
    xray_figures,
)

A_SC_NM, ANGLE_DEG = 0.05, 0.6


LOWEST_COVERAGE, HIGHEST_COVERAGE = 0.55, 0.82

Runs = Callable[..., Recovered]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Each preset is simulated and reduced once, with ideal Gaussian peaks and as it is shipped."""

    @cache
    def run(preset: str, *, ideal: bool) -> Recovered:
        return recover(preset, tmp_path_factory.mktemp("acceptance"), ideal=ideal)

    return run


@pytest.fixture(params=PRESETS)
def ideal(request: pytest.FixtureRequest, runs: Runs) -> Recovered:
    """One preset with ideal peaks: what the statistics are tested on."""
    return runs(request.param, ideal=True)


@pytest.fixture(params=PRESETS)
def with_form_factor(request: pytest.FixtureRequest, runs: Runs) -> Recovered:
    """One preset with the form factor of its nanocrystals."""
    return runs(request.param, ideal=False)


def test_spacing_and_angles_are_recovered(ideal: Recovered) -> None:
    figures = xray_figures(ideal)
    for column, limit in (("a_sc_nm", A_SC_NM), ("gamma_deg", ANGLE_DEG), ("psi_deg", ANGLE_DEG)):
        assert figures[f"{column}_median"] < limit
        assert figures[f"{column}_p95"] < 4.0 * limit


def test_points_on_the_crystal_are_ok_and_others_are_not(ideal: Recovered) -> None:
    figures = xray_figures(ideal)
    assert figures["ok_inside"] >= 0.97
    assert figures["ok_outside"] <= 0.01


def test_stated_errors_cover_as_one_sigma_should(ideal: Recovered) -> None:
    assert LOWEST_COVERAGE <= xray_figures(ideal)["coverage"] <= HIGHEST_COVERAGE


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_stated_errors_of_each_quantity_cover_over_all_samples(quantity: str, runs: Runs) -> None:
    share = coverage([runs(preset, ideal=True) for preset in PRESETS], [quantity])
    assert LOWEST_COVERAGE <= share <= HIGHEST_COVERAGE


def test_spacings_of_the_image_are_recovered(ideal: Recovered) -> None:
    figures = sem_figures(ideal)
    assert figures["sem_valued"] >= 5
    assert figures["sem_median_nm"] < 0.25
    assert figures["sem_within_2_sigma"] >= 0.85


def test_the_modulus_is_recovered(ideal: Recovered) -> None:
    figures = afm_figures(ideal)
    assert abs(figures["modulus_mean"]) < 0.05
    assert abs(figures["modulus_median"]) < 0.05
    assert figures["modulus_share"] > 0.8


def test_the_coordinate_of_the_scan_is_recovered(ideal: Recovered) -> None:
    figures = xray_figures(ideal)
    assert figures["s_known"] >= 0.97
    assert figures["s_rms"] < 0.05


def test_the_coordinate_of_the_force_map_is_recovered(ideal: Recovered) -> None:
    coordinate = read_result(ideal.result).afm[0].coordinate
    assert coordinate is not None
    inside = ideal.afm["inside"] > 0.5
    difference = (coordinate.s["rectangle"] - ideal.afm["s"])[inside]
    assert np.mean(np.isfinite(difference)) > 0.95
    assert np.sqrt(np.nanmean(difference**2)) < 0.05


def test_the_reported_shift_explains_what_the_form_factor_does(with_form_factor: Recovered) -> None:
    figures = form_factor_figures(with_form_factor)
    assert figures["shift_nm"] > 0.0
    assert abs(figures["difference_nm"] - figures["shift_nm"]) <= figures["difference_nm"] / 3.0


def test_the_shipped_sample_is_fitted_as_well(with_form_factor: Recovered) -> None:
    figures = xray_figures(with_form_factor)
    assert figures["ok_inside"] >= 0.97
    assert figures["ok_outside"] <= 0.01
