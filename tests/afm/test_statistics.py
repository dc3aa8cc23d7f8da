"""Mean, spread, median and percentiles; the error of a mean of pixels that are alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from analysis.afm.statistics import field_statistics, sem_of_correlated
from analysis.io.gwy import read_gwy

REFERENCE = json.loads((Path(__file__).parent / "reference" / "gwyddion_2_62.json").read_text())


def test_statistics_of_known_values_over_counted_pixels() -> None:
    modulus = np.array([[1.0, 2.0, 3.0], [4.0, 10.0, 1e9]])
    height = 10.0 * modulus
    counted = np.array([[True, True, True], [True, True, False]])
    found = field_statistics(modulus_gpa=modulus, height_nm=height, counted=counted)
    value = {name: measured.value for name, measured in found.items()}
    assert value["modulus_mean"] == pytest.approx(4.0)
    assert found["modulus_mean"].std == pytest.approx(np.sqrt(10.0))
    assert value["modulus_std"] == pytest.approx(np.sqrt(10.0))
    assert value["modulus_median"] == 3.0
    assert value["modulus_mad"] == 1.0
    assert value["modulus_p05"] == pytest.approx(1.2)
    assert value["modulus_p95"] == pytest.approx(8.8)
    assert value["height_mean"] == pytest.approx(40.0)
    assert {measured.n for measured in found.values()} == {5}
    assert {found[name].unit for name in found if name != "height_mean"} == {"GPa"}
    assert found["height_mean"].unit == "nm"


def test_what_was_not_measured_has_no_statistics() -> None:
    field, counted = np.ones((3, 3)), np.ones((3, 3), dtype=bool)
    assert set(field_statistics(modulus_gpa=None, height_nm=field, counted=counted)) == {"height_mean"}
    assert field_statistics(modulus_gpa=field, height_nm=field, counted=~counted) == {}


@pytest.mark.real
def test_statistics_of_a_real_modulus_are_gwyddions(real_data: Path) -> None:
    modulus = read_gwy(real_data / "gwy" / "pfqnm_8_channels.gwy").channels[2].modulus_gpa()
    found = field_statistics(
        modulus_gpa=modulus, height_nm=None, counted=np.ones(modulus.shape, dtype=bool)
    )  # fmt: skip
    theirs = REFERENCE["real_modulus_gpa"]
    assert found["modulus_mean"].value == pytest.approx(theirs["avg"], rel=1e-6)
    assert found["modulus_std"].value == pytest.approx(theirs["rms"], rel=1e-6)
    # Of an even number of values Gwyddion takes the upper middle one.
    assert found["modulus_median"].value == pytest.approx(theirs["median"], rel=1e-5)


def test_error_of_independent_pixels_is_the_usual_one() -> None:
    values = np.random.default_rng(0).normal(0, 2.0, (80, 90))
    counted = np.ones(values.shape, dtype=bool)
    assert sem_of_correlated(values, counted) == pytest.approx(2.0 / np.sqrt(7200), rel=0.1)


@pytest.mark.parametrize("smooth", [1.0, 3.0])
def test_error_of_alike_pixels_is_the_spread_of_means_over_fields(smooth: float) -> None:
    rng = np.random.default_rng(4)
    counted = np.zeros((72, 72), dtype=bool)
    counted[10:60, 6:66] = True
    fields = [gaussian_filter(rng.standard_normal((72, 72)), smooth, mode="wrap") for _ in range(60)]
    errors = [sem_of_correlated(field, counted) for field in fields]
    spread = np.std([field[counted].mean() for field in fields])
    assert np.mean(errors) == pytest.approx(spread, rel=0.3)
    naive = fields[0][counted].std() / np.sqrt(counted.sum())
    assert np.mean(errors) > 2.0 * naive


def test_error_of_hardly_any_pixels() -> None:
    counted = np.zeros((4, 4), dtype=bool)
    counted[0, 0] = True
    assert sem_of_correlated(np.ones((4, 4)), counted) is None
    assert sem_of_correlated(np.ones((4, 4)), np.ones((4, 4), dtype=bool)) == 0.0
