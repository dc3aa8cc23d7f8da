"""X-ray page: maps in um with y down, failed points apart from low ones, the fit where the peaks are."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from analysis.records import XRAY_STATUS, PixelGrid, XrayReduction
from app.figures import xray_fit, xray_maps, xray_pattern
from app.pages import xray, xray_facts, xray_point
from tests.app.test_pages import parts_of, words_of
from tests.synthetic_result import make_result
from tests.synthetic_xray import BEAM_PX, PIXEL_UM, q_phi_of_region


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> XrayReduction:
    return make_result(sem=False, afm=False, folder=tmp_path_factory.mktemp("patterns")).xray[0]


def named(figure: object, name: str) -> object:
    """The trace of that name in a figure."""
    return next(trace for trace in figure.data if trace.name == name)


def page_of(app: Dash, **query: str) -> object:
    with app.server.test_request_context("/"):
        return xray.layout(**query)


def test_a_map_lies_in_um_with_y_down_at_one_scale(scan: XrayReduction) -> None:
    figure = xray_maps.map_figure(scan, "a_sc", scheme="light")
    assert figure.layout.xaxis.title.text == "x (µm)"
    assert figure.layout.yaxis.title.text == "y (µm)"
    assert figure.layout.yaxis.scaleanchor == "x"
    top, bottom = figure.layout.yaxis.range[1], figure.layout.yaxis.range[0]
    assert (top, bottom) == (-0.5, 14.5)
    values = named(figure, "a_sc")
    assert np.asarray(values.z)[2, 9] == pytest.approx(scan.maps["a_sc"].values[2, 9], nan_ok=True)
    assert (values.x[9], values.y[2]) == (9.0, 2.0)
    assert values.colorbar.title.text == "nm"


def test_a_scan_that_ran_backwards_is_shown_as_it_lies_on_the_crystal(scan: XrayReduction) -> None:
    backwards = PixelGrid(
        shape=scan.grid.shape, col_step_um=(0.0, -1.0), row_step_um=(1.0, 0.0), x0_um=0.0, y0_um=14.0
    )
    figure = xray_maps.map_figure(replace(scan, grid=backwards, coordinate=None), "intensity", scheme="light")
    values = named(figure, "intensity")
    # Element (row 3, col 5) lies at x = 3 um, y = 14 - 5 = 9 um.
    shown = np.asarray(values.customdata)[list(values.y).index(9.0), list(values.x).index(3.0)]
    assert shown == pytest.approx(scan.maps["intensity"].values[3, 5], rel=1e-6)


def test_points_without_a_value_look_different_and_say_why(scan: XrayReduction) -> None:
    figure = xray_maps.map_figure(scan, "a_sc", scheme="light")
    failed, empty = named(figure, "no value"), named(figure, "no signal")
    drawn = np.isfinite(np.asarray(failed.z, dtype=float))
    expected = ~np.isfinite(scan.maps["a_sc"].values) & (scan.status != XRAY_STATUS.index("no_signal"))
    assert (drawn == expected).all()
    assert np.asarray(failed.text)[7, 9] == "the fit did not converge"
    assert np.asarray(failed.text)[5, 8] == "a peak lies under the mask"
    assert failed.colorscale[0][1] != empty.colorscale[0][1]
    values = named(figure, "a_sc")
    assert np.isnan(np.asarray(values.z, dtype=float)[drawn]).all()
    assert "fitted" in np.asarray(values.text)[7, 7]
    assert "±" in np.asarray(values.text)[7, 7]


def test_psi_has_a_cyclic_colour_scale_and_a_whole_turn_on_request(scan: XrayReduction) -> None:
    cyclic = named(xray_maps.map_figure(scan, "psi", scheme="light", limits="period"), "psi")
    assert cyclic.zmax - cyclic.zmin == pytest.approx(180.0)
    assert cyclic.colorscale[0][1] == cyclic.colorscale[-1][1]
    plain = named(xray_maps.map_figure(scan, "a_sc", scheme="light"), "a_sc")
    assert plain.colorscale[0][1] != plain.colorscale[-1][1]


def test_no_colour_of_the_cyclic_scale_stands_for_two_values(scan: XrayReduction) -> None:
    trace = named(xray_maps.map_figure(scan, "psi", scheme="light", limits="p0"), "psi")
    seen = scan.maps["psi"].values[np.isfinite(scan.maps["psi"].values)]
    span = trace.zmax - trace.zmin
    assert trace.zmin + 0.24 * span < seen.min()
    assert seen.max() < trace.zmax - 0.24 * span


def test_the_near_view_holds_the_second_order_and_is_centred_on_the_beam(scan: XrayReduction) -> None:
    most = xray_pattern.near_q_per_nm(scan)
    assert most > 2.0 * 2 * np.pi / 12.0
    near = xray_pattern.detector_figure(
        scan.average_pattern, scan, scheme="light", in_q=False, q_most_per_nm=most
    )
    left, right = near.layout.xaxis.range
    bottom, top = near.layout.yaxis.range
    assert (left + right) / 2 == pytest.approx(BEAM_PX[0], abs=0.05)
    assert (bottom + top) / 2 == pytest.approx(BEAM_PX[1], abs=0.05)
    assert bottom > top
    in_q = xray_pattern.detector_figure(
        scan.average_pattern, scan, scheme="light", in_q=True, q_most_per_nm=most
    )
    assert list(in_q.layout.xaxis.range) == pytest.approx([-most, most])


def test_colour_limits_follow_percentiles_or_the_hand(scan: XrayReduction) -> None:
    seen = scan.maps["a_sc"].values[np.isfinite(scan.maps["a_sc"].values)]
    what = xray_maps.shown(scan, "a_sc")
    assert xray_maps.limits_of(what, "p5", by_hand=(None, None)) == pytest.approx(
        tuple(np.percentile(seen, (5, 95)))
    )
    assert xray_maps.limits_of(what, "p0", by_hand=(None, None)) == pytest.approx((seen.min(), seen.max()))
    assert xray_maps.limits_of(what, "hand", by_hand=(12.0, 15.5)) == (12.0, 15.5)
    assert xray_maps.limits_of(what, "hand", by_hand=(15.5, 12.0)) == pytest.approx(
        tuple(np.percentile(seen, (1, 99)))
    )


def test_intensity_is_logarithmic_with_counts_on_the_bar(scan: XrayReduction) -> None:
    trace = named(xray_maps.map_figure(scan, "intensity", scheme="light"), "intensity")
    assert np.asarray(trace.z)[7, 7] == pytest.approx(np.log10(scan.maps["intensity"].values[7, 7]), rel=1e-5)
    assert trace.colorbar.title.text == "counts"
    assert all(
        10**place == pytest.approx(float(text))
        for place, text in zip(trace.colorbar.tickvals, trace.colorbar.ticktext, strict=True)
    )


def test_errors_are_offered_only_where_there_are_any(scan: XrayReduction) -> None:
    keys = xray_maps.keys_offered(scan)
    assert {"a_sc", "a_sc_err", "gamma_err", "psi", "status", "photons", "goodness", "sigma_q"} <= set(keys)
    assert not {"a_al", "a_al_err", "photons_err"} & set(keys)
    trace = named(xray_maps.map_figure(scan, "a_sc_err", scheme="light"), "a_sc_err")
    assert np.asarray(trace.z)[7, 7] == pytest.approx(scan.maps["a_sc"].errors[7, 7], rel=1e-5)


def test_status_is_drawn_as_categories_with_their_names(scan: XrayReduction) -> None:
    trace = named(xray_maps.map_figure(scan, "status", scheme="light"), "status")
    present = [name for code, name in enumerate(XRAY_STATUS) if (scan.status == code).any()]
    assert list(trace.colorbar.ticktext) == [name.replace("_", " ") for name in present]
    place = int(np.asarray(trace.z)[7, 9])
    assert trace.colorbar.ticktext[place] == "no convergence"
    assert len({colour for _, colour in trace.colorscale}) == len(present)


def test_pins_stand_where_their_points_are(scan: XrayReduction) -> None:
    figure = xray_maps.map_figure(scan, "a_sc", scheme="light", pins={"A": (3, 10)})
    mark = next(note for note in figure.layout.annotations if note.name == "pin A")
    assert (mark.x, mark.y) == (10.0, 3.0)


def test_the_fit_is_drawn_where_the_counts_are(scan: XrayReduction) -> None:
    peaks = xray_fit.peaks_at(scan, 7, 7)
    assert len(peaks) == 4
    q, phi = q_phi_of_region()
    counts = scan.average_pattern
    for peak in peaks:
        turn = np.abs((phi - peak.phi_deg + 180.0) % 360.0 - 180.0)
        ring = np.abs(q - 0.45) < 0.06
        on, off = ring & (turn < 12.0), ring & (turn > 30.0) & (turn < 60.0)
        assert np.nanmean(counts[on]) > 2.0 * np.nanmean(counts[off])


def test_phi_is_counter_clockwise_as_displayed(scan: XrayReduction) -> None:
    # A peak along +x lies on the beam's row, to its right; one along +y as displayed lies above the beam.
    col, row = xray_fit.pixels_of(scan)(np.array([0.5, 0.5]), np.array([0.0, 90.0]))
    assert row[0] == pytest.approx(BEAM_PX[1], abs=0.02)
    assert col[1] == pytest.approx(BEAM_PX[0], abs=0.02)
    radius = 398.0 * np.tan(2 * np.arcsin(0.5 * 0.0954 / (4 * np.pi))) / (PIXEL_UM * 1e-3)
    assert col[0] - BEAM_PX[0] == pytest.approx(radius, abs=0.02)
    assert BEAM_PX[1] - row[1] == pytest.approx(radius, abs=0.02)


def test_contours_are_one_and_two_widths_about_the_peak(scan: XrayReduction) -> None:
    peak = xray_fit.peaks_at(scan, 7, 7)[0]
    q, phi = xray_fit.ellipse(peak, 2.0)
    assert q.max() - peak.q_per_nm == pytest.approx(2 * 0.025, rel=1e-3)
    assert phi.max() - peak.phi_deg == pytest.approx(2 * 7.0, rel=1e-3)


def test_a_point_without_a_fit_has_no_contours(scan: XrayReduction) -> None:
    assert xray_fit.peaks_at(scan, 7, 9) == ()


def test_a_pattern_has_axes_in_inverse_nm_or_in_pixels(scan: XrayReduction) -> None:
    in_q = xray_pattern.detector_figure(scan.average_pattern, scan, scheme="light", in_q=True)
    assert "nm⁻¹" in in_q.layout.xaxis.title.text
    q, _ = q_phi_of_region()
    row, col = 60, 20
    place = np.hypot(in_q.data[0].x[col], in_q.data[0].y[row])
    assert place == pytest.approx(q[row, col], rel=2e-3)
    assert in_q.layout.yaxis.range[0] > in_q.layout.yaxis.range[1]
    in_px = xray_pattern.detector_figure(scan.average_pattern, scan, scheme="light", in_q=False)
    assert in_px.layout.xaxis.title.text == "column (px)"


def test_radial_profiles_come_with_their_errors_and_the_fitted_place(scan: XrayReduction) -> None:
    figure = xray_pattern.positions_figure(scan, scheme="light", stacked=False)
    names = [trace.name for trace in figure.data if trace.mode == "lines" and trace.showlegend is not False]
    assert [name.split()[0] for name in names] == ["Pos1", "Pos2", "Pos3", "Pos4", "Pos5"]
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.xaxis.title.text == "q (nm⁻¹)"
    marks = [trace.x[0] for trace in figure.data if trace.mode == "markers"]
    assert marks == pytest.approx([place.q_per_nm for place in scan.positions])
    band, line = figure.data[0], figure.data[1]
    upper = np.asarray(band.y)[: len(line.y)]
    seen = np.isfinite(scan.positions[0].intensity) & (scan.positions[0].intensity > 0)
    assert upper - line.y == pytest.approx(scan.positions[0].intensity_err[seen])


def test_stacked_curves_keep_their_own_counts_on_hover(scan: XrayReduction) -> None:
    figure = xray_pattern.positions_figure(scan, scheme="light", stacked=True)
    first = next(trace for trace in figure.data if (trace.name or "").startswith("Pos1 "))
    assert np.asarray(first.y) / np.asarray(first.customdata) == pytest.approx(xray_pattern.STACK**4)


def test_geometry_says_where_each_value_came_from(scan: XrayReduction) -> None:
    rows = {row[0]: row[1:] for row in xray_facts.geometry_rows(scan)}
    assert rows["Distance"] == ("398.0 ± 1.0 mm", "master file")
    assert rows["Beam centre"] == ("column 258.60, row 470.80", "sample.toml")
    assert "13 keV" in rows["Wavelength"][0]


def test_systematic_stands_beside_statistical(scan: XrayReduction) -> None:
    rows = {row[0]: row[1:] for row in xray_facts.uncertainty_rows(scan)}
    median = np.nanmedian(scan.maps["a_sc"].errors)
    assert rows["⟨a_SC⟩"] == (f"± {median:.2g} nm", "± 0.04 nm")


def test_points_are_counted_by_status(scan: XrayReduction) -> None:
    counts = [int(row[1]) for row in xray_facts.status_rows(scan)]
    assert sum(counts) == scan.status.size


@pytest.mark.parametrize("text", ["", "3", "3.4.5", "-1.2", "99.1", "a.b", "1e3.2", "³.2"])
def test_a_pin_that_is_no_point_is_none(text: str) -> None:
    assert xray_point.pin(text, (15, 15)) is None


def test_the_page_holds_what_the_address_asks_for(app: Dash) -> None:
    page = page_of(
        app, sample_id="dif", xq="gamma", lim="hand", lo="80", hi="100", pv="polar", a="4.4", ps="a"
    )
    values = {
        part.id["name"]: part.value
        for part in parts_of(page)
        if isinstance(getattr(part, "id", None), dict) and part.id.get("type") == "view"
    }
    assert values["xq"] == "gamma"
    assert (values["lo"], values["hi"]) == (80.0, 100.0)
    assert (values["pv"], values["a"], values["ps"]) == ("polar", "4.4", "a")
    trace = next(
        trace
        for part in parts_of(page)
        if getattr(part, "id", None) == "xray-map"
        for trace in part.figure.data
        if trace.name == "gamma"
    )
    assert (trace.zmin, trace.zmax) == (80.0, 100.0)
    assert "row 4, col 4" in words_of(page)


@pytest.mark.parametrize(
    "query",
    [
        {"xq": "<script>", "xn": "99", "lim": "x", "lo": "nan", "a": "9.99999", "ps": "a-b", "pv": "no"},
        {"sample_id": "evap", "xq": "a_al"},
    ],
)
def test_nonsense_in_the_address_gives_the_first_view(app: Dash, query: dict[str, str]) -> None:
    page = page_of(app, **{"sample_id": "dif", **query})
    chosen = [
        part.value for part in parts_of(page) if getattr(part, "id", None) == {"type": "view", "name": "xq"}
    ]
    assert chosen == ["a_sc"]


def test_the_page_names_its_parts_for_scripts(app: Dash) -> None:
    names = {getattr(part, "data-testid", None) for part in parts_of(page_of(app, sample_id="dif"))}
    assert {
        "panel-xray",
        "pattern",
        "csv-xray_maps",
        "csv-xray_radial",
        "csv-average_pattern",
        "csv-polar_average",
        "csv-pattern",
        "geometry",
        "uncertainty",
        "points",
    } <= names


def test_a_pattern_leaves_as_csv_with_its_own_pixels(client: FlaskClient, app: Dash) -> None:
    text = client.get("/csv/dif/xray/0/pattern.csv?row=4&col=4").get_data(as_text=True)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    shelf = app.server.extensions["triptych"]
    counts, found = shelf.pattern("dif", index=0, row=4, col=4), shelf.result("dif").xray[0]
    assert list(rows[0])[:2] == ["sample", "crystal"]
    assert len(rows) == int(found.valid.sum())
    one = rows[len(rows) // 2]
    at = int(one["row_px"]) - found.region[0], int(one["col_px"]) - found.region[1]
    assert int(float(one["counts"])) == counts[at]
    assert "scan point row 4, column 4" in text


def test_a_difference_leaves_as_csv_with_its_sign(client: FlaskClient, app: Dash) -> None:
    text = client.get("/csv/dif/xray/0/pattern.csv?row=4&col=4&row2=0&col2=1").get_data(as_text=True)
    total = sum(float(line.split(",")[-1]) for line in text.splitlines() if line.startswith("dif,"))
    shelf = app.server.extensions["triptych"]
    valid = shelf.result("dif").xray[0].valid
    a, b = (
        shelf.pattern("dif", index=0, row=r, col=c)[valid].astype(float).sum() for r, c in ((4, 4), (0, 1))
    )
    assert total == pytest.approx(a - b)


@pytest.mark.parametrize(
    "path",
    [
        "/csv/dif/xray/9/average.csv",
        "/csv/none/xray/0/polar.csv",
        "/csv/dif/xray/0/pattern.csv?row=99&col=0",
        "/csv/damaged/xray/0/average.csv",
    ],
)
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_averages_leave_as_csv(client: FlaskClient) -> None:
    for name, columns in (
        ("average", "sample,crystal,row_px,col_px,counts"),
        ("polar", "sample,crystal,q_per_nm,phi_deg,intensity"),
    ):
        answer = client.get(f"/csv/dif/xray/0/{name}.csv")
        assert answer.mimetype == "text/csv"
        assert columns in answer.get_data(as_text=True).splitlines()


def test_figures_travel_as_typed_arrays(scan: XrayReduction) -> None:
    sent = json.loads(xray_maps.map_figure(scan, "gamma", scheme="dark").to_json())
    trace = next(trace for trace in sent["data"] if trace.get("name") == "gamma")
    assert trace["z"]["dtype"] == "f4"
