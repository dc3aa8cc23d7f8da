"""Distributions over the parts of a field, and the modulus against height and slope, on fields made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.ndimage import gaussian_filter

from analysis.afm.against import modulus_relations
from analysis.afm.parts import part_masks, with_parts
from analysis.records import AFM_STATUS, AfmPart, AfmReduction
from tests.synthetic_result import make_result

OK, OUTSIDE = (AFM_STATUS.index(name) for name in ("ok", "outside"))


@pytest.fixture(scope="module")
def field() -> AfmReduction:
    return make_result(xray=False, sem=False).afm[0]


def part(field: AfmReduction, name: str, quantity: str = "modulus") -> AfmPart:
    return next(p for p in with_parts(field).parts if (p.part, p.quantity) == (name, quantity))


def test_each_part_holds_its_own_pixels(field: AfmReduction) -> None:
    s = np.nan_to_num(field.coordinate.s["rectangle"], nan=-1.0)
    masks = part_masks(field)
    np.testing.assert_array_equal(masks["crystal"], field.status == OK)
    assert s[masks["edge"]].min() > 0.05
    assert s[masks["edge"]].max() < 0.2
    assert s[masks["centre"]].min() > 0.8
    assert (field.status[masks["substrate"]] == OUTSIDE).all()
    inside = field.status != OUTSIDE
    near = ndimage.binary_dilation(inside, np.ones((7, 7), dtype=bool))
    np.testing.assert_array_equal(masks["substrate"], ~near)


def test_numbers_of_a_part_are_those_of_its_values(field: AfmReduction) -> None:
    values = field.modulus_gpa[part_masks(field)["centre"]]
    found = part(field, "centre")
    assert found.n == values.size
    assert (found.mean, found.std) == pytest.approx((values.mean(), values.std()))
    assert found.mad == pytest.approx(stats.median_abs_deviation(values))
    assert (found.p05, found.p95) == pytest.approx(tuple(np.percentile(values, (5, 95))))
    shape, _, scale = stats.lognorm.fit(values, floc=0)
    assert (found.lognormal_sigma, found.lognormal_median) == pytest.approx((shape, scale), rel=1e-3)
    assert np.isnan(part(field, "centre", "height").lognormal_sigma)


def test_the_crystals_error_is_the_one_that_is_stated(field: AfmReduction) -> None:
    assert part(field, "crystal").sem == field.statistics["modulus_mean"].err


def test_centre_is_stiffer_than_edge_and_clipped_ground_is_left_out(field: AfmReduction) -> None:
    stuck = np.where(field.status == OUTSIDE, field.modulus_gpa + 1.0, field.modulus_gpa)
    stuck[:3, :3] = 500.0
    assert part(field, "centre").mean > part(field, "edge").mean + 2.0
    ground = part(replace(field, modulus_gpa=stuck), "substrate")
    assert ground.p99 < 500.0
    assert ground.n == part(field, "substrate").n - 9


def test_a_field_without_an_edge_has_one_part() -> None:
    field = make_result(xray=False, sem=False).afm[0]
    whole = replace(field, coordinate=None, outline=None, status=np.zeros(field.grid.shape, dtype=np.uint8))
    assert {p.part for p in with_parts(whole).parts} == {"crystal"}


def related(field: AfmReduction, seed: int, *, by_height: float) -> AfmReduction:
    """A field whose modulus rises with s, and with height by ``by_height`` GPa per nm beside that."""
    rng = np.random.default_rng(seed)
    s = np.nan_to_num(field.coordinate.s["rectangle"])
    rough, scatter = (5.0 * gaussian_filter(rng.standard_normal(s.shape), 1.5) for _ in range(2))
    height = 1000.0 + 50.0 * s + 10.0 * rough
    modulus = 2.0 + 3.0 * s + by_height * 10.0 * rough + 0.2 * scatter
    return replace(field, height_nm=height, modulus_gpa=modulus)


def test_a_trend_through_s_alone_is_told_from_one_with_height(field: AfmReduction) -> None:
    through_s, with_height = (related(field, 3, by_height=b) for b in (0.0, 0.1))
    alone, both = (modulus_relations(made)[0] for made in (through_s, with_height))
    assert (alone.x_quantity, alone.y_quantity, alone.pairing) == ("height", "modulus", "pixel")
    assert alone.pearson_r > 0.3
    assert alone.p_block_bootstrap < 0.05
    assert alone.partial_r_ci_lo < 0.0 < alone.partial_r_ci_hi
    assert both.partial_r_ci_lo > 0.5
    counted = field.status == OK
    assert alone.n == counted.sum()
    theirs = stats.spearmanr(through_s.height_nm[counted], through_s.modulus_gpa[counted]).statistic
    assert alone.spearman_rho == pytest.approx(theirs)


def test_bins_hold_equally_many_pixels_and_their_means(field: AfmReduction) -> None:
    made = related(field, 4, by_height=0.1)
    found = modulus_relations(made)[0]
    counted = field.status == OK
    x, y = made.height_nm[counted], made.modulus_gpa[counted]
    order = np.array_split(np.argsort(x, kind="stable"), found.x.size)
    np.testing.assert_allclose(found.x, [x[part].mean() for part in order], rtol=2e-3)
    np.testing.assert_allclose(found.y, [y[part].mean() for part in order], rtol=0.03)
    assert np.isfinite(found.y_err).all()
    assert (np.diff(found.x) > 0).all()


def test_errors_of_bins_cover_the_truth(field: AfmReduction) -> None:
    """Modulus without any trend: bins lie within one error of its mean about as often as they should."""
    off = []
    for seed in range(40):
        made = replace(related(field, seed, by_height=0.0))
        noise = 5.0 * gaussian_filter(np.random.default_rng(900 + seed).standard_normal(made.grid.shape), 1.5)
        found = modulus_relations(replace(made, modulus_gpa=3.0 + noise))[0]
        off += ((found.y - 3.0) / found.y_err).tolist()
    assert 0.5 < np.mean(np.abs(off) < 1.0) < 0.8


def test_slope_is_against_modulus_too_and_what_does_not_vary_is_not(field: AfmReduction) -> None:
    assert [r.x_quantity for r in modulus_relations(field)] == ["height", "slope"]
    flat = replace(field, height_nm=np.full(field.grid.shape, 5.0))
    assert modulus_relations(flat) == ()
    nothing = replace(field, modulus_gpa=np.full(field.grid.shape, np.nan))
    assert modulus_relations(nothing) == ()
    assert with_parts(nothing).parts[0].quantity == "height"


def test_without_a_coordinate_there_is_no_partial_correlation(field: AfmReduction) -> None:
    found = modulus_relations(replace(field, coordinate=None))[0]
    assert np.isnan(found.partial_r_s)
    assert np.isnan(found.s).all()
    assert np.isfinite(found.pearson_r)
