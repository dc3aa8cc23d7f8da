"""SEM page: the image in um, regions where they lie, spectra in 1/nm with the chosen peaks, the table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from analysis.records import SemReduction
from app.figures import sem_image, sem_spectrum
from app.pages import sem, sem_table
from tests.app.test_pages import parts_of, words_of
from tests.synthetic_result import make_result

SOURCE = "/image/x/sem/0.png?v=1"


@pytest.fixture(scope="module")
def image() -> SemReduction:
    return make_result(xray=False, afm=False).sem[0]


def page_of(app: Dash, **query: str) -> object:
    with app.server.test_request_context("/"):
        return sem.layout(**query)


def view_of(page: object) -> dict[str, object]:
    return {
        part.id["name"]: part.value
        for part in parts_of(page)
        if isinstance(getattr(part, "id", None), dict) and part.id.get("type") == "view"
    }


def test_the_image_lies_in_um_from_its_top_left_corner_without_the_bar(image: SemReduction) -> None:
    figure = sem_image.image_figure(image, "spacing", source=SOURCE, scheme="light")
    picture = figure.layout.images[0]
    assert (picture.x, picture.y, picture.yanchor) == (0, 0, "top")
    assert (picture.sizex, picture.sizey) == pytest.approx((2.048, 0.960))
    assert figure.layout.xaxis.title.text == "x (µm)"
    assert list(figure.layout.yaxis.range) == pytest.approx([0.960, 0.0])
    assert figure.layout.yaxis.scaleanchor == "x"
    assert "y1=480" in picture.source


def test_regions_are_drawn_where_they_are_in_the_colour_of_their_value(image: SemReduction) -> None:
    figure = sem_image.image_figure(image, "spacing", source=SOURCE, scheme="light", selected=2)
    shapes = [shape for shape in figure.layout.shapes if shape.name in {"region", "selected"}]
    assert len(shapes) == len(image.regions)
    for region in image.regions:
        assert any(
            (shape.x0, shape.y0, shape.x1 - shape.x0)
            == pytest.approx((region.x_nm / 1e3, region.y_nm / 1e3, region.size_nm / 1e3))
            for shape in shapes
        )
    selected = [shape for shape in shapes if shape.name == "selected"]
    assert len(selected) == 1
    assert selected[0].x0 == pytest.approx(image.regions[2].x_nm / 1e3)
    same_s = [shape.fillcolor for shape in shapes if shape.x0 == pytest.approx(image.regions[6].x_nm / 1e3)]
    edge = [shape.fillcolor for shape in shapes if shape.x0 == pytest.approx(0.0)]
    assert len(set(same_s)) == 1
    assert set(same_s).isdisjoint(edge)
    bar = next(trace for trace in figure.data if trace.name == "regions").marker.colorbar
    assert bar.title.text == "nm"


def test_a_region_without_a_value_is_left_open_and_dotted(image: SemReduction) -> None:
    figure = sem_image.image_figure(image, "spacing", source=SOURCE, scheme="light")
    dotted = [shape for shape in figure.layout.shapes if shape.line.dash == "dot"]
    assert len(dotted) == 1
    assert (dotted[0].x0, dotted[0].y0) == pytest.approx(
        (image.regions[3].x_nm / 1e3, image.regions[3].y_nm / 1e3)
    )
    assert dotted[0].fillcolor == "rgba(0,0,0,0)"


def test_pointing_says_which_region_and_what_was_read(image: SemReduction) -> None:
    layer = sem_image.hover_trace(image, "spacing")
    col = int(np.argmin(np.abs(np.asarray(layer.x) - 0.2)))
    row = int(np.argmin(np.abs(np.asarray(layer.y) - 0.7)))
    assert layer.text[row][col].startswith("<b>R2</b>: 1/δk 12.809 ± 0.066 nm")
    assert layer.opacity == 0.0
    gap = int(np.argmin(np.abs(np.asarray(layer.x) - 0.5)))
    assert layer.text[row][gap] == "no region"


def test_a_click_means_the_region_under_it(image: SemReduction) -> None:
    assert sem_image.region_at(image, x_um=1.7, y_um=0.1) == 6
    assert sem_image.region_at(image, x_um=0.5, y_um=0.1) is None


def test_the_spectrum_is_in_inverse_nm_with_y_down_and_marks_what_was_chosen(image: SemReduction) -> None:
    region = image.regions[4]
    figure = sem_spectrum.spectrum_figure(region, scheme="light")
    assert "1/nm" in figure.layout.xaxis.title.text
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    power = np.asarray(figure.data[0].z)
    k = np.asarray(figure.data[0].x)
    assert k[power.shape[0] // 2] == pytest.approx(0.0)
    assert (k[0], k[-1]) == pytest.approx((-0.2, 0.2), rel=0.02)
    peaks = next(trace for trace in figure.data if trace.name == "peaks")
    assert sorted(peaks.x) == pytest.approx([-0.0612, 0.0, 0.0, 0.0612], abs=3e-4)
    assert sorted(peaks.y) == pytest.approx([-0.0612, 0.0, 0.0, 0.0612], abs=3e-4)
    # The power really is high there: the strongest frequency off the centre lies in one of the circles.
    far = np.hypot(*np.meshgrid(k, k)) > 0.02
    row, col = np.unravel_index(np.argmax(np.where(far, power, -np.inf)), power.shape)
    assert min(np.hypot(k[col] - x, k[row] - y) for x, y in zip(peaks.x, peaks.y, strict=True)) < 0.006
    ring = next(trace for trace in figure.data if trace.name == "first order")
    assert np.hypot(ring.x, ring.y) == pytest.approx(region.delta_k_per_nm)


def test_the_radial_average_marks_delta_k_and_both_of_them(image: SemReduction) -> None:
    region = image.regions[0]
    figure = sem_spectrum.radial_figure(region, scheme="light")
    assert figure.layout.xaxis.title.text == "k (1/nm)"
    lines = sorted(shape.x0 for shape in figure.layout.shapes if shape.type == "line")
    assert lines == pytest.approx(sorted([region.delta_k_per_nm, *region.delta_k_each_per_nm]))
    band = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert band.x1 - band.x0 == pytest.approx(2 * region.delta_k_err_per_nm)


def test_a_region_without_a_peak_has_a_spectrum_and_no_marks(image: SemReduction) -> None:
    figure = sem_spectrum.spectrum_figure(image.regions[3], scheme="light")
    assert [trace.name for trace in figure.data] == ["power"]
    assert sem_spectrum.radial_figure(image.regions[3], scheme="light").layout.shapes == ()


def test_spacing_and_lattice_constant_stand_against_s_with_bars(image: SemReduction) -> None:
    figure = sem_image.against_s_figure(image, scheme="light", selected=0)
    spacing = next(trace for trace in figure.data if trace.name == "1/δk")
    kept = [region for region in image.regions if np.isfinite(region.spacing_nm)]
    assert list(spacing.x) == pytest.approx([region.s for region in kept])
    assert list(spacing.error_y.array) == pytest.approx([region.spacing_err_nm for region in kept])
    assert list(spacing.error_x.array) == pytest.approx([region.s_err for region in kept])
    assert any(trace.name == "⟨a_SC⟩" for trace in figure.data)
    assert "0 edge, 1 centre" in figure.layout.xaxis.title.text


def test_the_page_shows_the_region_that_the_address_names(app: Dash) -> None:
    page = page_of(app, sample_id="dif", r="R5", sq="a_sc", sf="outlined")
    assert view_of(page) | {"r": "R5", "sq": "a_sc", "sf": "outlined"} == view_of(page)
    words = words_of(page)
    assert "Spectrum, region R5" in words
    assert "16.33 ± 0.11 nm" in words
    assert "0.06135 and 0.06110 1/nm" in words


def test_nonsense_in_the_address_gives_the_first_region(app: Dash) -> None:
    assert view_of(page_of(app, sample_id="dif", r="R99", sq="<b>", sn="77"))["r"] == "R1"


def test_the_table_has_a_line_for_every_region(app: Dash) -> None:
    table = next(
        part for part in parts_of(page_of(app, sample_id="dif")) if getattr(part, "id", "") == "sem-table"
    )
    assert [row["label"] for row in table.rowData] == [f"R{n}" for n in range(1, 9)]
    assert table.rowData[3]["spacing"] is None
    assert table.rowData[3]["status"] == "no peak"
    assert {column["field"] for column in table.columnDefs} <= {*table.rowData[0]}


def test_the_table_never_writes_an_uncertainty_as_nothing() -> None:
    region = replace(make_result("dif").sem[0].regions[0], spacing_nm=12.0, spacing_err_nm=0.0021)
    row = sem_table.row(region)
    assert (row["spacing_text"], row["spacing_err_text"]) == ("12.0000", "0.0021")
    assert row["spacing"] == 12.0


def test_every_source_of_the_pixel_size_is_listed(app: Dash) -> None:
    words = words_of(page_of(app, sample_id="dif"))
    assert "sidecar PixelSize" in words
    assert "352.78 nm" in words
    assert "not used" in words


def test_a_sample_without_an_image_says_so_and_leads_back(app: Dash) -> None:
    page = page_of(app, sample_id="xonly")
    assert "No SEM data" in words_of(page)
    assert [part.href for part in parts_of(page) if getattr(part, "href", None)] == ["/s/xonly"]


def test_a_spectrum_leaves_as_csv(client: FlaskClient) -> None:
    text = client.get("/csv/dif/sem/0/4/radial.csv").get_data(as_text=True)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    strongest = max(rows, key=lambda row: float(row["power"]) if float(row["k_per_nm"]) > 0.02 else 0.0)
    assert float(strongest["k_per_nm"]) == pytest.approx(0.0612, abs=0.002)
    full = client.get("/csv/dif/sem/0/4/spectrum.csv").get_data(as_text=True)
    assert "sample,crystal,kx_per_nm,ky_per_nm,power" in full
    assert client.get("/csv/dif/sem/0/99/spectrum.csv").status_code == 404
