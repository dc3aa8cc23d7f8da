"""From reductions apart to one coordinate: what comes out is what the crystal was made of."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.sample_file import Sample
from analysis.pipeline.registration import Registered, register
from analysis.records import AFM_STATUS, COORDINATES, XRAY_STATUS, Profile, Result
from tests.synthetic_crystal import HALF_SIDE_UM
from tests.synthetic_result import make_result


def sample_of(*, xray: dict | None = None, sem: dict | None = None, afm: dict | None = None) -> Sample:
    return Sample.model_validate(
        {
            "format": 1,
            "title": "made",
            "xray": [{"frames": "f", "shape": (15, 15), "step_um": (1.0, 1.0), **(xray or {})}],
            "sem": [{"image": "i", **(sem or {})}],
            "afm": [{"file": "g", **(afm or {})}],
        }
    )


def registered(result: Result, sample: Sample | None = None) -> Registered:
    return register(sample or sample_of(), xray=result.xray, sem=result.sem, afm=result.afm)


@pytest.fixture(scope="module")
def made() -> Result:
    return make_result()


@pytest.fixture(scope="module")
def found(made: Result) -> Registered:
    return registered(made)


def chosen(found: Registered, modality: str, quantity: str, coordinate: str = "rectangle") -> Profile:
    return next(
        p
        for p in found.profiles
        if (p.modality, p.quantity, p.coordinate) == (modality, quantity, coordinate)
    )


def test_scan_and_field_lie_on_the_coordinate_of_their_crystal(made: Result, found: Registered) -> None:
    scan, truth = found.xray[0], made.xray[0].coordinate
    assert scan.coordinate is not None
    assert truth is not None
    difference = scan.coordinate.s["rectangle"] - truth.s["rectangle"]
    assert np.sqrt(np.nanmean(difference**2)) < 0.02
    assert scan.outline is not None
    assert scan.outline.source == "found"
    field = found.afm[0]
    # The made-up flank rises over 0.4 um, so half of the height is reached 0.2 um within the edge.
    assert field.outline is not None
    assert field.outline.half_sides_um == pytest.approx((HALF_SIDE_UM - 0.2, HALF_SIDE_UM - 0.2), abs=0.05)
    assert field.coordinate is not None
    line = field.lines[0]
    row, col = (np.rint(i).astype(int) for i in field.grid.indices_at(line.x_um, line.y_um))
    np.testing.assert_allclose(line.depth_um, field.coordinate.depth_um[row, col], atol=0.2)
    assert np.isnan(line.s[line.depth_um < 0]).all()


def test_points_nearer_to_the_edge_than_half_a_beam_are_partial(made: Result, found: Registered) -> None:
    before, after = made.xray[0].status, found.xray[0].status
    carries = np.isin(before, [XRAY_STATUS.index("ok"), XRAY_STATUS.index("partial_beam")])
    np.testing.assert_array_equal(after[~carries], before[~carries])
    coordinate = found.xray[0].coordinate
    assert coordinate is not None
    depth = coordinate.depth_um
    # The paper's beam: 0.24 um by 0.32 um.
    near = np.abs(depth) < 0.14
    assert near.any()
    np.testing.assert_array_equal(found.xray[0].maps["partial_beam"].values, near)
    # So far off it is the tail of the beam that sees the crystal: one and a half widths.
    off = carries & (depth > -0.42) & (depth < 0.0)
    np.testing.assert_array_equal(after == XRAY_STATUS.index("partial_beam"), off)
    assert np.isfinite(found.xray[0].maps["a_sc"].values[carries & near]).all()


def test_a_wider_beam_makes_more_points_partial(made: Result) -> None:
    wide = registered(made, sample_of(xray={"beam_fwhm_um": (2.0, 2.0)})).xray[0]
    assert wide.coordinate is not None
    partial = wide.maps["partial_beam"].values == 1.0
    assert partial.sum() > 20
    assert np.abs(wide.coordinate.depth_um[partial]).max() < 1.0


def test_profiles_follow_the_laws(found: Registered) -> None:
    a, e = chosen(found, "xray", "a_sc"), chosen(found, "afm", "modulus")
    full = a.n >= 4
    np.testing.assert_allclose(a.mean[full], 11.6 + 6.0 * a.mid[full], rtol=0.03)
    inner = e.mid > 0.1
    np.testing.assert_allclose(e.mean[inner], 1.4 + 5.4 * (0.2 + 4.8 * e.mid[inner]) / 5.0, rtol=0.06)
    spacing = chosen(found, "sem", "spacing")
    seen = spacing.n > 0
    np.testing.assert_allclose(spacing.mean[seen], 12.0 + 6.9 * spacing.mid[seen], atol=0.4)
    kinds = {p.coordinate for p in found.profiles}
    assert kinds == set(COORDINATES)
    deep = chosen(found, "xray", "a_sc", "depth")
    assert deep.hi[-1] == pytest.approx(HALF_SIDE_UM, abs=0.3)
    quantities = {(p.modality, p.quantity) for p in found.profiles}
    assert {("xray", q) for q in ("a_sc", "a1", "a2", "gamma", "psi", "sigma_q", "intensity")} <= quantities
    assert {("sem", "spacing"), ("sem", "a_sc"), ("afm", "modulus"), ("afm", "height")} <= quantities


def test_only_points_that_count_are_binned(found: Registered) -> None:
    scan, field = found.xray[0], found.afm[0]
    assert scan.coordinate is not None
    s = scan.coordinate.s["rectangle"]
    ok = (scan.status == XRAY_STATUS.index("ok")) & np.isfinite(s)
    assert chosen(found, "xray", "gamma").n.sum() == ok.sum()
    assert field.coordinate is not None
    counted = (field.status == AFM_STATUS.index("ok")) & np.isfinite(field.coordinate.s["rectangle"])
    assert chosen(found, "afm", "height").n.sum() == counted.sum()
    regions = [r for r in found.sem[0].regions if r.status != "no_peak"]
    assert chosen(found, "sem", "a_sc").n.sum() == len(regions)


def test_the_summary_gives_the_numbers_that_the_crystal_was_made_of(found: Registered) -> None:
    truth = {
        "a_sc_gradient_per_s": 6.0,
        "a_sc_gradient_per_um": 6.0 / HALF_SIDE_UM,
        "psi": 8.0,
        "gamma": 90.0,
        "modulus_gradient_per_s": 5.4 * 4.8 / 5.0,
    }
    for name, value in truth.items():
        number = found.summary[name]
        assert number is not None
        assert number.err is not None
        assert abs(number.value - value) < max(4.0 * number.err, 0.03 * value)
    edge, centre, change = (found.summary[f"a_sc_{name}"] for name in ("edge", "centre", "change"))
    assert edge is not None
    assert centre is not None
    assert change is not None
    assert edge.value == pytest.approx(11.6 + 6.0 * 0.125, abs=0.25)
    assert centre.value == pytest.approx(11.6 + 6.0 * 0.87, abs=0.3)
    assert change.value == pytest.approx(centre.value - edge.value)
    assert edge.sys == pytest.approx(0.04 * edge.value / np.nanmedian(found.xray[0].maps["a_sc"].values))
    assert found.summary["a_al"] is None
    assert found.summary["modulus"] == found.afm[0].statistics["modulus_mean"]
    psi = found.summary["psi"]
    assert psi is not None
    assert psi.std == pytest.approx(1.0, abs=0.2)


def test_the_slope_is_reversed_for_a_crystal_that_narrows(made: Result) -> None:
    scan = made.xray[0]
    a_sc = scan.maps["a_sc"]
    turned = dict(scan.maps) | {"a_sc": dataclasses.replace(a_sc, values=29.0 - a_sc.values)}
    scan = dataclasses.replace(scan, maps=turned)
    summary = register(sample_of(), xray=(scan,), sem=(), afm=()).summary
    number = summary["a_sc_gradient_per_s"]
    assert number is not None
    assert number.value == pytest.approx(-6.0, abs=0.3)
    assert summary["modulus"] is None


def test_positions_run_from_centre_to_edge(found: Registered) -> None:
    scan = found.xray[0]
    assert scan.coordinate is not None
    s = [float(scan.coordinate.s["rectangle"][p.row, p.col]) for p in scan.positions]
    assert [p.name for p in scan.positions] == ["Pos1", "Pos2", "Pos3", "Pos4", "Pos5"]
    assert all(a > b for a, b in pairwise(s))
    assert s[0] > 0.75
    assert s[4] < 0.25
    assert len({(p.row, p.col) for p in scan.positions}) == 5
    for at in scan.positions:
        assert scan.status[at.row, at.col] == XRAY_STATUS.index("ok")
        np.testing.assert_allclose(at.intensity, scan.radial[at.row, at.col])
        mean_q = 0.5 * (scan.maps["q1"].values[at.row, at.col] + scan.maps["q2"].values[at.row, at.col])
        assert at.q_per_nm == pytest.approx(mean_q)
        x, y = scan.grid.positions_um()
        assert (at.x_um, at.y_um) == (x[at.row, at.col], y[at.row, at.col])


def test_a_given_line_places_the_positions(made: Result) -> None:
    sample = sample_of(xray={"positions_line_um": ((7.0, 7.0), (7.0, 3.0))})
    positions = register(sample, xray=made.xray, sem=(), afm=()).xray[0].positions
    assert [(at.row, at.col) for at in positions] == [(7, 7), (6, 7), (5, 7), (4, 7), (3, 7)]


def test_a_given_outline_is_used(made: Result) -> None:
    corners = [(2.0, 2.0), (12.0, 2.0), (12.0, 12.0), (2.0, 12.0)]
    nm = [(x * 1000.0, y * 1000.0) for x, y in [(0, -1), (4, -1), (4, 3), (0, 3)]]
    sample = sample_of(xray={"outline_um": corners}, sem={"outline_nm": nm}, afm={"outline_um": corners})
    found = registered(made, sample)
    for reduction in (found.xray[0], found.sem[0], found.afm[0]):
        assert reduction.outline is not None
        assert reduction.outline.source == "given"
    assert found.xray[0].coordinate is not None
    x, y = found.xray[0].grid.positions_um()
    expected = 1.0 - np.maximum(np.abs(x - 7.0), np.abs(y - 7.0)) / 5.0
    known = expected > 0.01
    np.testing.assert_allclose(found.xray[0].coordinate.s["rectangle"][known], expected[known], atol=1e-9)
    region = found.sem[0].regions[0]
    centre = (region.x_nm + 0.5 * region.size_nm) / 1000.0, (region.y_nm + 0.5 * region.size_nm) / 1000.0
    assert region.s == pytest.approx(1.0 - max(abs(centre[0] - 2.0), abs(centre[1] - 1.0)) / 2.0)
    assert region.depth_um == pytest.approx(2.0 * region.s)


def test_an_outline_without_an_area_is_told(made: Result) -> None:
    flat = sample_of(afm={"outline_um": [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]})
    with pytest.raises(InputError, match=r"afm\.0\.outline_um: expected a polygon that encloses an area"):
        registered(made, flat)


def test_regions_keep_their_projection_and_get_a_depth(made: Result, found: Registered) -> None:
    for before, after in zip(made.sem[0].regions, found.sem[0].regions, strict=True):
        assert after.s == before.s
        assert after.depth_um == pytest.approx(before.s * 2.048)
    assert found.sem[0].outline is not None
    assert found.sem[0].outline.source == "edge and centre"


def test_a_field_all_on_the_crystal_has_no_edge(made: Result) -> None:
    field = made.afm[0]
    inside = dataclasses.replace(field, status=np.zeros_like(field.status), outline=None, coordinate=None)
    found = register(sample_of(), xray=(), sem=(), afm=(inside,))
    assert found.afm[0].outline is None
    assert found.afm[0].coordinate is None
    assert all(np.isnan(line.s).all() for line in found.afm[0].lines)
    assert found.profiles == ()
    assert found.summary["modulus"] == field.statistics["modulus_mean"]
    assert found.summary["modulus_gradient_per_s"] is None


def test_a_field_without_height_is_outlined_by_its_mask(made: Result) -> None:
    field = dataclasses.replace(made.afm[0], height_nm=np.full(made.afm[0].height_nm.shape, np.nan))
    outline = register(sample_of(), xray=(), sem=(), afm=(field,)).afm[0].outline
    assert outline is not None
    assert outline.half_sides_um == pytest.approx((HALF_SIDE_UM, HALF_SIDE_UM), abs=0.05)


def test_a_scan_without_a_crystal_says_so_and_stays(made: Result) -> None:
    scan = made.xray[0]
    dark = dataclasses.replace(
        scan.maps["intensity"], values=np.random.default_rng(0).normal(0.0, 1.0, scan.grid.shape)
    )
    empty = dataclasses.replace(
        scan,
        maps=dict(scan.maps) | {"intensity": dark},
        status=np.full(scan.status.shape, XRAY_STATUS.index("no_signal"), np.uint8),
    )
    once = register(sample_of(), xray=(empty,), sem=(), afm=())
    assert once.xray[0].outline is None
    assert once.xray[0].positions == ()
    assert any("outline" in note for note in once.xray[0].notes)
    again = register(sample_of(), xray=once.xray, sem=(), afm=())
    assert again.xray[0].notes == once.xray[0].notes
    assert again.summary["a_sc_edge"] is None


def test_registering_twice_changes_nothing(found: Registered) -> None:
    again = register(sample_of(), xray=found.xray, sem=found.sem, afm=())
    assert again.xray[0].coordinate is not None
    assert found.xray[0].coordinate is not None
    np.testing.assert_array_equal(again.xray[0].coordinate.depth_um, found.xray[0].coordinate.depth_um)
    for name in ("a_sc_edge", "a_sc_gradient_per_s", "gamma", "psi"):
        assert again.summary[name] == found.summary[name]


def test_the_co_trend_is_between_crystals_of_one_label(made: Result, found: Registered) -> None:
    pairs = {(c.x_quantity, c.y_quantity, c.pairing) for c in found.correlations}
    assert pairs == {
        ("a_sc", "modulus", "coordinate"),
        ("sem_a_sc", "modulus", "coordinate"),
        ("height", "modulus", "pixel"),
        ("slope", "modulus", "pixel"),
    }
    co_trend = next(c for c in found.correlations if c.x_quantity == "a_sc")
    assert co_trend.crystal == "A"
    assert co_trend.pearson_r > 0.95
    assert co_trend.slope == pytest.approx(0.9, abs=0.12)
    assert np.isnan(co_trend.p_block_bootstrap)
    other = dataclasses.replace(made.afm[0], crystal="B")
    assert all(
        c.pairing == "pixel" for c in register(sample_of(), xray=(), sem=made.sem, afm=(other,)).correlations
    )


def test_two_crystals_count_alike(made: Result) -> None:
    scan = made.xray[0]
    wider = {
        name: dataclasses.replace(held, values=held.values + 1.0) if name == "a_sc" else held
        for name, held in scan.maps.items()
    }
    second = dataclasses.replace(scan, index=1, crystal="B", maps=wider)
    sample = sample_of()
    sample = sample.model_copy(update={"xray": [*sample.xray, *sample.xray]})
    one = register(sample_of(), xray=(scan,), sem=(), afm=()).summary["a_sc_edge"]
    both = register(sample, xray=(scan, second), sem=(), afm=()).summary["a_sc_edge"]
    assert one is not None
    assert both is not None
    assert both.value == pytest.approx(one.value + 0.5)
    assert both.std == pytest.approx(0.5)
    assert both.err == pytest.approx(np.sqrt(0.5) / np.sqrt(2.0), rel=0.05)


def test_the_trend_is_no_noise_in_the_error_of_the_mean(made: Result) -> None:
    """White noise on a steep trend: the mean over the crystal is as sure as the noise alone makes it."""
    field = made.afm[0]
    assert field.coordinate is not None
    s = field.coordinate.s["rectangle"]
    counted = (field.status == AFM_STATUS.index("ok")) & np.isfinite(s)
    noise = np.random.default_rng(5).normal(0.0, 0.2, s.shape)
    steep = dataclasses.replace(field, modulus_gpa=1.0 + 8.0 * np.nan_to_num(s) + noise)
    found = register(sample_of(), xray=(), sem=(), afm=(steep,))
    error = found.afm[0].statistics["modulus_mean"].err
    assert error is not None
    assert error == pytest.approx(0.2 / np.sqrt(counted.sum()), rel=0.4)
