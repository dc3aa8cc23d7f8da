"""X-ray and SEM at the same s: their difference in units of its error."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.records import Profile, SemReduction
from analysis.registration.agreement import agreements
from tests.synthetic_result import make_result


def straight_profile(level: float, slope: float, sem: float) -> Profile:
    lo = np.linspace(0.0, 0.9, 10)
    mid, nothing = lo + 0.05, np.full(10, np.nan)
    return Profile(
        modality="xray", index=0, crystal="A", quantity="a_sc", unit="nm", coordinate="rectangle",
        lo=lo, mid=mid, hi=lo + 0.1, mean=level + slope * mid, std=nothing, sem=np.full(10, sem),
        median=nothing, ci_lo=nothing, ci_hi=nothing, n=np.full(10, 50),
    )  # fmt: skip


@pytest.fixture(scope="module")
def image() -> SemReduction:
    return make_result("pair", xray=False, afm=False).sem[0]


def test_the_difference_is_in_units_of_all_errors_together(image: SemReduction) -> None:
    region = replace(
        image.regions[0], s=0.5, s_err=0.02, a_sc_nm=15.3, a_sc_err_nm=0.04, a_sc_sys_nm=0.05, status="ok"
    )
    found = agreements([straight_profile(11.6, 6.0, 0.03)], [], [replace(image, regions=(region,))])
    assert len(found) == 1
    error = math.sqrt(0.03**2 + 0.04**2 + (6.0 * 0.02) ** 2 + 0.05**2)
    assert found[0].xray_nm == pytest.approx(14.6)
    assert found[0].difference_nm == pytest.approx(0.7)
    assert found[0].difference_err_nm == pytest.approx(error)
    assert found[0].sigmas == pytest.approx(0.7 / error)


def test_a_systematic_of_the_xray_counts_too(image: SemReduction, tmp_path: Path) -> None:
    scan = replace(
        make_result("scan", sem=False, afm=False, folder=tmp_path).xray[0], systematic={"a_sc": 1.0}
    )
    region = replace(image.regions[0], s=0.5, s_err=0.0, a_sc_nm=15.3, a_sc_err_nm=0.0, a_sc_sys_nm=0.0)
    found = agreements([straight_profile(11.6, 6.0, 0.0)], [scan], [replace(image, regions=(region,))])
    assert found[0].difference_err_nm == pytest.approx(1.0)


@pytest.mark.parametrize(
    "change", [{"s": 0.99}, {"s": math.nan}, {"status": "no_peak"}, {"a_sc_nm": math.nan}]
)
def test_a_region_without_value_or_partner_is_left_out(image: SemReduction, change: dict) -> None:
    region = replace(image.regions[0], **({"s": 0.5, "status": "ok"} | change))
    assert agreements([straight_profile(11.6, 6.0, 0.1)], [], [replace(image, regions=(region,))]) == ()


def test_another_crystal_is_no_partner(image: SemReduction) -> None:
    other = replace(straight_profile(11.6, 6.0, 0.1), crystal="B")
    assert agreements([other], [], [image]) == ()
