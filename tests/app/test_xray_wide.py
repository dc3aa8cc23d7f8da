"""Wide angles on the X-ray page: rings, spots, cross-correlation of pinned and averaged points, their CSV."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from analysis.records import XrayReduction
from app.figures import xray_maps, xray_wide
from app.pages import xray, xray_facts
from app.wide_angle import correlation_of, pairs_of, points_of
from tests.app.test_pages import parts_of, words_of
from tests.synthetic_wide_angle import A_AL_NM, TURN_DEG, ring_weights

PLACE = (4, 4)


@pytest.fixture(scope="module")
def scan(app: Dash) -> XrayReduction:
    return app.server.extensions["triptych"].result("dif").xray[0]


def page_of(app: Dash, **query: str) -> object:
    with app.server.test_request_context("/"):
        return xray.layout(sample_id="dif", **query)


def graph_of(page: object, graph_id: str) -> object:
    return next(part for part in parts_of(page) if getattr(part, "id", None) == graph_id).figure


def curve(figure: object, name: str) -> object:
    """The line of a name, not its band."""
    return next(trace for trace in figure.data if trace.name == name and trace.fill is None)


def rows_of(client: FlaskClient, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    lines = [line for line in answer.get_data(as_text=True).splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_the_correlation_of_a_point_and_of_the_crystal_peak_at_the_angle_of_the_lattices(app: Dash) -> None:
    figure = graph_of(page_of(app, a="4.4", ac="saxs-100"), "axcca")
    for name in ("mean", "A: row 4, col 4"):
        line = curve(figure, name)
        highest = float(np.asarray(line.x)[np.nanargmax(line.y)])
        assert (highest - TURN_DEG + 45.0) % 90.0 - 45.0 == pytest.approx(0.0, abs=3.0)
    assert figure.layout.xaxis.title.text == "Δ (°), counter-clockwise"
    assert list(figure.layout.xaxis.range) == [-180, 180]


def test_bands_are_the_error_of_the_mean_and_of_counting(app: Dash, scan: XrayReduction) -> None:
    figure = graph_of(page_of(app, a="4.4", ac="saxs-100"), "axcca")
    band = next(trace for trace in figure.data if trace.fill and trace.legendgroup.startswith("A"))
    value, error = correlation_of(scan.wide_angle, ("saxs", "100"), PLACE)
    half = len(band.y) // 2
    assert np.asarray(band.y)[:half] == pytest.approx((value + error)[np.isfinite(value)][:half])
    assert "mean of" in words_of(page_of(app, ac="saxs-100"))


def test_points_are_averaged_where_they_are_asked_for(client: FlaskClient, scan: XrayReduction) -> None:
    for where in ("all", "centre", "edge"):
        number = int(points_of(scan, where).sum())
        rows = rows_of(client, f"/csv/dif/xray/0/correlation.csv?pair=saxs-100&points={where}")
        assert {row["n"] for row in rows} == ({str(number)} if number else set())
    everywhere = points_of(scan, "all")
    assert 0 < points_of(scan, "centre").sum() < everywhere.sum()
    assert (everywhere == (scan.wide_angle.status == 0)).all()


def test_the_correlation_leaves_as_csv_with_its_errors(client: FlaskClient, scan: XrayReduction) -> None:
    rows = rows_of(client, "/csv/dif/xray/0/correlation.csv?pair=saxs-100&points=all&a=4.4&b=99.0")
    assert list(rows[0])[:4] == ["sample", "crystal", "curve", "delta_deg"]
    assert {row["curve"] for row in rows} == {"average", "A row 4 col 4"}
    value, error = correlation_of(scan.wide_angle, ("saxs", "100"), PLACE)
    pinned = [row for row in rows if row["curve"].startswith("A")]
    assert [float(row["correlation"] or "nan") for row in pinned] == pytest.approx(
        value, rel=1e-6, nan_ok=True
    )
    assert [float(row["counting_err"] or "nan") for row in pinned] == pytest.approx(
        error, rel=1e-6, nan_ok=True
    )
    average = [row for row in rows if row["curve"] == "average" and row["correlation"]]
    assert all(float(row["sem"]) > 0 and float(row["std"]) > float(row["sem"]) for row in average)


def test_i_of_phi_is_counts_less_background_over_pixels(client: FlaskClient, scan: XrayReduction) -> None:
    rows = rows_of(client, "/csv/dif/xray/0/ring.csv?ring=100&a=4.4")
    pinned = {float(row["phi_deg"]): row["intensity"] for row in rows if row["curve"].startswith("A")}
    for place in (0, 100, 205):
        weight = ring_weights()[1, place]
        found = pinned[-179.5 + place]
        if weight == 0:
            assert found == ""
        else:
            counts = int(scan.wide_angle.azimuthal[4, 4, 1, place])
            assert float(found) == pytest.approx((counts - 1.0) / weight, rel=1e-6)


def test_spots_are_marked_where_they_were_fitted(app: Dash, scan: XrayReduction) -> None:
    figure = graph_of(page_of(app, a="4.4", wv="phi", wr="100"), "wide")
    marks = sorted(shape.x0 for shape in figure.layout.shapes if shape.line.dash == "dash")
    turn = scan.maps["atomic_orientation"].values[PLACE]
    assert marks == pytest.approx(
        sorted((turn + 90.0 * k + 180.0) % 360.0 - 180.0 for k in range(4)), abs=1e-4
    )
    assert xray_wide.spot_places_deg(scan.wide_angle, 4, 4, "110").size == 0


@pytest.mark.parametrize(
    ("spot", "name"), [("1 0 0", "100"), ("-1 0 0", "100"), ("0 -2 0", "200"), ("-1 1 0", "110")]
)
def test_spots_belong_to_rings(spot: str, name: str) -> None:
    assert xray_wide.reflection_of(spot) == name


def test_the_radial_view_shades_the_rings(app: Dash, scan: XrayReduction) -> None:
    figure = graph_of(page_of(app, wv="q"), "wide")
    bands = [(shape.x0 + shape.x1) / 2 for shape in figure.layout.shapes if shape.type == "rect"]
    assert bands == pytest.approx(list(scan.wide_angle.ring_q_per_nm[1:]))
    assert [note.text for note in figure.layout.annotations] == ["100", "110"]


def test_superlattice_pairs_come_first(scan: XrayReduction) -> None:
    assert pairs_of(scan.wide_angle) == [("saxs", "100"), ("saxs", "110"), ("100", "110")]


def test_maps_of_the_atomic_lattice_are_offered_with_their_errors(scan: XrayReduction) -> None:
    keys = set(xray_maps.keys_offered(scan))
    assert {"a_al", "a_al_err", "atomic_orientation", "atomic_angle", "mosaic", "nc_size_scherrer"} <= keys
    trace = next(
        trace for trace in xray_maps.map_figure(scan, "atomic_angle", scheme="light", limits="period").data
        if trace.name == "atomic_angle"
    )  # fmt: skip
    assert trace.zmax - trace.zmin == pytest.approx(90.0)
    assert trace.colorscale[0][1] == trace.colorscale[-1][1]


def test_the_atomic_lattice_is_told_with_its_systematic_part(scan: XrayReduction) -> None:
    rows = xray_facts.atomic_rows(scan.wide_angle)
    assert rows[0][0] == "a_AL"
    assert rows[0][1].startswith(f"{A_AL_NM:.6f} ± 0.000010")
    assert rows[0][2] == "± 0.0015 nm"
    assert rows[1] == ("of it: distance", "", "± 0.0015 nm", "", "")


def test_pinned_points_are_told_in_full(app: Dash, scan: XrayReduction) -> None:
    words = words_of(page_of(app, a="4.4", b="3.4"))
    assert "Pinned" in words
    assert "goodness of fit" in words
    rows = {row[0]: row[1:] for row in xray_facts.pinned_rows(scan, {"A": PLACE})}
    assert rows["photons in the peaks (counts)"][0].children == f"{scan.maps['photons'].values[PLACE]:.4g}"


def test_corrections_are_listed_in_their_order(scan: XrayReduction) -> None:
    assert [row[0] for row in xray_facts.correction_rows(scan)] == [
        "Polarization",
        "Holder's absorption",
        "Solid angle",
    ]


def test_a_scan_without_wide_angles_says_so(app: Dash, client: FlaskClient) -> None:
    with app.server.test_request_context("/"):
        page = xray.layout(sample_id="evap", ac="saxs-100", wr="100")
    told = json.dumps([graph_of(page, name).to_plotly_json() for name in ("wide", "axcca")], default=str)
    assert told.count("No wide-angle rings were measured") == 2
    assert client.get("/csv/evap/xray/0/correlation.csv?pair=saxs-100").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "ring.csv?ring=999",
        "ring.csv",
        "correlation.csv?pair=saxs-saxs",
        "correlation.csv?pair=",
    ],
)
def test_what_is_no_ring_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(f"/csv/dif/xray/0/{path}").status_code == 404


def test_nonsense_in_the_address_gives_the_first_pair(app: Dash) -> None:
    page = page_of(app, ac="<script>", ap="x", wv="z", wr="", a="4.4")
    values = {
        part.id["name"]: part.value
        for part in parts_of(page)
        if isinstance(getattr(part, "id", None), dict) and part.id.get("type") == "view"
    }
    assert (values["ac"], values["ap"], values["wv"], values["wr"]) == ("saxs-100", "all", "q", "saxs")


def test_i_of_q_leaves_as_csv(client: FlaskClient, scan: XrayReduction) -> None:
    rows = rows_of(client, "/csv/dif/xray/0/wide.csv")
    assert len(rows) == scan.wide_angle.q_per_nm.size
    assert rows[0]["intensity_err"] == "0.01"
