"""Counts in a window of q and phi: the map, its CSV, the sliders; from the patterns of a result alone."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from analysis.io.results import write_result
from analysis.records import PIXEL_VERDICTS, XRAY_STATUS, PixelGrid, XrayReduction
from analysis.xray.pattern_window import Window
from app import library as module
from app.figures import xray_pattern, xray_verdicts, xray_window
from app.library import Library, q_most_per_nm
from app.pages import xray, xray_facts
from tests.app.test_pages import parts_of
from tests.synthetic_result import make_result
from tests.synthetic_xray import q_phi_of_region

MISSING = XRAY_STATUS.index("frame_missing")


@pytest.fixture(scope="module")
def shelf(app: Dash) -> Library:
    return app.server.extensions["triptych"]


@pytest.fixture(scope="module")
def scan(shelf: Library) -> XrayReduction:
    return shelf.result("dif").xray[0]


def masked(shelf: Library, scan: XrayReduction, chosen: np.ndarray) -> np.ndarray:
    """Counts (rows, cols) of each pattern in a mask, pattern by pattern; NaN where the frame is missing."""
    rows, cols = scan.grid.shape
    total = [
        [shelf.pattern("dif", index=0, row=row, col=col)[chosen].sum(dtype=float) for col in range(cols)]
        for row in range(rows)
    ]
    return np.where(scan.status == MISSING, np.nan, total)


def views_of(app: Dash, **query: object) -> dict[str, object]:
    with app.server.test_request_context("/"):
        page = xray.layout(sample_id="dif", **query)
    return {
        part.id["name"]: part.value
        for part in parts_of(page)
        if isinstance(getattr(part, "id", None), dict) and part.id.get("type") == "view"
    }


def test_the_map_is_the_sum_over_a_mask_on_the_patterns(
    client: FlaskClient, shelf: Library, scan: XrayReduction
) -> None:
    q, phi = q_phi_of_region()
    step = q_most_per_nm(scan) / 200
    q = (np.floor(q / step) + 0.5) * step  # the middle of each pixel's cell
    phi = np.floor((phi + 180.0) / 2.0) * 2.0 - 179.0
    chosen = scan.valid & (q >= 0.3) & (q < 0.6) & (((phi > 0) & (phi < 40)) | ((phi > -180) & (phi < -140)))
    answer = client.get("/window/dif/0.bin?q0=0.3&q1=0.6&p0=0&p1=40&o=1")
    assert answer.status_code == 200
    assert answer.headers["X-Pixels"] == str(int(chosen.sum()))
    found = np.frombuffer(answer.data, "<f4").reshape(scan.grid.shape)
    np.testing.assert_array_equal(found, masked(shelf, scan, chosen).astype(np.float32))
    assert np.isnan(found).sum() == (scan.status == MISSING).sum() > 0


def test_the_map_is_sent_as_displayed(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    made = make_result("one", size=9, sem=False, afm=False, folder=tmp_path)
    grid = PixelGrid(shape=(9, 9), col_step_um=(0.0, -1.0), row_step_um=(1.0, 0.0), x0_um=0.0, y0_um=8.0)
    turned = replace(made.xray[0], grid=grid, coordinate=None)
    write_result(tmp_path / "results" / "one.h5", replace(made, xray=(turned,), profiles=()))
    from app.server import create_app

    turned_app = create_app(tmp_path)
    client = turned_app.server.test_client()
    answer = client.get("/window/one/0.bin?q0=0.2&q1=1", headers={"Host": "127.0.0.1"})
    found = np.frombuffer(answer.data, "<f4").reshape(9, 9)
    plain, _ = Library(tmp_path).window("one", index=0, window=Window(q_per_nm=(0.2, 1.0)))
    # Element (row 3, col 5) lies at x = 3 um, y = 8 - 5 = 3 um: fourth row and fourth column as displayed.
    assert found[3, 3] == plain[3, 5]


def test_its_csv_has_every_point_with_the_error_of_counting(client: FlaskClient, scan: XrayReduction) -> None:
    text = client.get("/csv/dif/xray/0/window.csv?q0=0.3&q1=0.6").get_data(as_text=True)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert len(rows) == scan.status.size
    assert "q 0.3 to 0.6 nm^-1, phi -180 to 180 deg" in text
    seen = next(row for row in rows if row["counts"])
    assert float(seen["counts_err"]) == pytest.approx(np.sqrt(float(seen["counts"])), rel=1e-6)
    assert next(row for row in rows if not row["counts"])["status"] == "frame_missing"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("q0=0.6&q1=0.3", 400),
        ("q0=x&q1=1", 400),
        ("q0=nan&q1=1", 400),
        ("q0=0&q1=1&p0=10&p1=10", 400),
        ("q0=0&q1=1&p0=0&p1=inf", 400),
        ("", 200),
    ],
)
def test_a_window_that_is_none_is_refused(client: FlaskClient, query: str, code: int) -> None:
    assert client.get(f"/window/dif/0.bin?{query}").status_code == code


@pytest.mark.parametrize("path", ["/window/dif/7.bin", "/window/none/0.bin", "/window/hostile/0.bin"])
def test_a_scan_without_patterns_has_no_window(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_patterns_are_read_once_and_few_scans_are_kept(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = module.over_patterns
    monkeypatch.setattr(
        module, "over_patterns", lambda stack, make: (read.append(stack.path), real(stack, make))[1]
    )
    monkeypatch.setattr(module, "MAX_CELL_BYTES", 1)
    shelf, window = Library(workspace), Window(q_per_nm=(0.3, 0.6))
    for name in ("dif", "dif", "evap", "evap", "dif"):
        shelf.window(name, index=0, window=window)
    assert [Path(path).stem for path in read] == ["dif", "evap", "dif"]


def test_every_pixel_of_a_pattern_travels(client: FlaskClient, shelf: Library, scan: XrayReduction) -> None:
    from PIL import Image

    answer = client.get("/pattern/dif/0/4/4.png?v=1")
    grey = np.asarray(Image.open(io.BytesIO(answer.data)))
    counts = shelf.pattern("dif", index=0, row=4, col=4)
    assert grey.shape == counts.shape
    assert ((grey == 0) == ~scan.valid).all()
    order = np.argsort(counts[scan.valid], kind="stable")
    assert (np.diff(grey[scan.valid][order].astype(int)) >= 0).all()
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/pattern/dif/0/99/4.png").status_code == 404


def test_the_first_window_holds_the_first_orders(scan: XrayReduction) -> None:
    low, high = xray_window.first_window(scan, q_most_per_nm(scan)).q_per_nm
    first = np.concatenate([scan.maps[name].values.ravel() for name in ("q1", "q2")])
    first = first[np.isfinite(first)]
    assert ((first > low) & (first < high)).mean() > 0.95
    assert high - low < 0.5


def test_the_frame_of_the_map_says_what_goes_into_it(scan: XrayReduction) -> None:
    figure = xray_window.window_figure(scan, scheme="light")
    told = figure.layout.meta["window"]
    assert told == {"index": 0, "shape": [9, 9], "trace": "window"}
    trace = next(trace for trace in figure.data if trace.name == told["trace"])
    assert np.isnan(np.asarray(trace.z, dtype=float)).all()
    assert trace.colorbar.title.text == "counts"


def test_the_page_holds_the_window_that_the_address_asks_for(app: Dash) -> None:
    values = views_of(app, wq=["0.3", "0.7"], wp=["-20", "30"], wo="off")
    assert (values["wq"], values["wp"], values["wo"]) == ([0.3, 0.7], [-20.0, 30.0], "off")


@pytest.mark.parametrize(
    "query",
    [
        {"wq": ["0.7", "0.3"], "wp": "12"},
        {"wq": "<script>", "wp": ["1", "2", "3"], "wo": ["on", "off"]},
        {"wq": ["nan", "1"], "wp": ["-999", "10"]},
    ],
)
def test_nonsense_gives_the_first_window(app: Dash, query: dict[str, object]) -> None:
    usual, asked = views_of(app), views_of(app, **query)
    assert (asked["wq"], asked["wp"], asked["wo"]) == (usual["wq"], usual["wp"], usual["wo"])


def test_a_scan_whose_patterns_were_not_kept_says_so(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = xray.layout(sample_id="hostile")
    panel = next(part for part in parts_of(page) if getattr(part, "data-testid", None) == "panel-window")
    assert "were not kept" in json.dumps(panel.to_plotly_json(), default=lambda part: part.to_plotly_json())


def test_left_out_pixels_are_drawn_with_their_reason(scan: XrayReduction) -> None:
    figure = xray_pattern.average_figure(scan, scheme="light", in_q=False, verdicts=True)
    trace = next(trace for trace in figure.data if trace.name == "verdicts")
    drawn = np.isfinite(np.asarray(trace.z, dtype=float))
    assert (drawn == (scan.pixel_verdict != PIXEL_VERDICTS.index("counted"))).all()
    row, col = np.argwhere(scan.pixel_verdict == PIXEL_VERDICTS.index("file_mask"))[0]
    assert "gap" in np.asarray(trace.text)[row, col]
    assert trace.x0 == figure.data[0].x0
    plain = xray_pattern.average_figure(scan, scheme="light", in_q=False)
    assert "verdicts" not in {trace.name for trace in plain.data}
    in_q = xray_pattern.average_figure(scan, scheme="light", in_q=True, verdicts=True)
    assert np.asarray(in_q.data[-1].x) == pytest.approx(np.asarray(in_q.data[0].x))


def test_left_out_pixels_are_counted_by_reason(scan: XrayReduction) -> None:
    rows = xray_facts.verdict_rows(scan)
    assert sum(int(row[1].replace(",", "")) for row in rows) == scan.pixel_verdict.size
    assert xray_verdicts.verdict_counts(replace(scan, pixel_verdict=None)) == {}


def test_photons_and_goodness_are_told(scan: XrayReduction) -> None:
    rows = {row[0]: row[1:] for row in xray_facts.fit_rows(scan)}
    goodness = scan.maps["goodness"].values
    assert rows["goodness of fit"][0] == f"{np.nanmedian(goodness):.3g}"
    assert "photons in the peaks" in rows
