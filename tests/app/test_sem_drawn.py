"""Regions drawn, moved and typed on an image, tiles along a line, maps: places, values, address, CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from analysis.records import SemReduction
from app.figures import panels, sem_image
from app.figures.deep import DeepImage
from app.figures.png import crop
from app.figures.sem_map import axial_colours
from app.pages import sem_drawn
from app.pages.triptych import QUANTITIES
from tests.app.test_sem_page import page_of, view_of
from tests.synthetic_crystal import spacing_nm
from tests.synthetic_images import SEM_SHAPE
from tests.synthetic_result import make_result

LINE = "0_480_2048_480"
SOURCE = "/image/x/sem/0.png?v=1"


@pytest.fixture(scope="module")
def image() -> SemReduction:
    return make_result(xray=False, afm=False).sem[0]


def rows_of(client: FlaskClient, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200
    lines = [line for line in answer.get_data(as_text=True).splitlines() if not line.startswith("#")]
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def test_a_drawn_rectangle_becomes_a_square_about_its_middle(image: SemReduction) -> None:
    shape = {"type": "rect", "x0": 0.9, "x1": 0.5, "y0": 0.2, "y1": 0.8}
    changed = sem_drawn.with_change(image, {"d": "", "e": ""}, {"shapes": [{"name": "region"}, shape]})
    assert changed is not None
    assert changed[1:] == ("", "D1")
    assert sem_drawn.squares(image, changed[0]) == [(450.0, 250.0, 500.0)]


def test_a_square_lies_within_the_image_above_the_bar(image: SemReduction) -> None:
    for x, y, size in ((-500.0, 900.0, 200.0), (1e6, 1e6, 1e6), (0.0, 0.0, 1.0)):
        col, row, side = sem_drawn._in_px(image, (x, y, size))
        assert col >= 0
        assert row >= 0
        assert col + side <= SEM_SHAPE[1]
        assert row + side <= image.bar_row
        assert side >= sem_drawn.MIN_SIDE_PX


def test_a_moved_square_keeps_its_place_among_the_others(image: SemReduction) -> None:
    view = {"d": "100-100-200_400-400-300", "e": ""}
    change = {"shapes[1].x0": 0.6, "shapes[1].x1": 0.9, "shapes[1].y0": 0.5, "shapes[1].y1": 0.8}
    drawn, _, chosen = sem_drawn.with_change(image, view, change)
    assert chosen == "D2"
    assert sem_drawn.squares(image, drawn) == [(100.0, 100.0, 200.0), (600.0, 500.0, 300.0)]


def test_a_line_is_drawn_and_moved(image: SemReduction) -> None:
    shape = {"type": "line", "x0": -0.1, "x1": 1.5, "y0": 0.2, "y1": 0.3}
    drawn, line, chosen = sem_drawn.with_change(image, {"d": "", "e": ""}, {"shapes": [shape]})
    assert (drawn, chosen) == ("", None)
    assert sem_drawn.drawn_line(image, line) == (-100.0, 200.0, 1500.0, 300.0)
    change = {"shapes[1].x0": 0.0, "shapes[1].x1": 1.0, "shapes[1].y0": 0.1, "shapes[1].y1": 0.1}
    moved = sem_drawn.with_change(image, {"d": "100-100-200", "e": line}, change)
    assert sem_drawn.drawn_line(image, moved[1]) == (0.0, 100.0, 1000.0, 100.0)


@pytest.mark.parametrize(
    "change",
    [None, {}, {"xaxis.range[0]": 1.0}, {"shapes": []}, {"shapes[7].x0": 0.1}, {"shapes": [{"x0": "a"}]}],
)
def test_other_changes_of_the_figure_change_nothing(image: SemReduction, change: object) -> None:
    assert sem_drawn.with_change(image, {"d": "100-100-200", "e": ""}, change) is None


@pytest.mark.parametrize("text", ["", "x", "1-2", "1-2-3-4", "nan-1-2", "1-1-0", "_" * 3000, "1e999-1-1"])
def test_nonsense_in_the_address_is_no_region(image: SemReduction, text: str) -> None:
    assert sem_drawn.squares(image, text) == []
    assert sem_drawn.drawn_line(image, text) is None


def test_squares_survive_the_address(image: SemReduction) -> None:
    drawn, _ = sem_drawn.with_square(image, "100-100-200", (300.0, 20.0, 400.0))
    assert sem_drawn.squares(image, drawn) == [(100.0, 100.0, 200.0), (300.0, 20.0, 400.0)]
    assert sem_drawn.squares(image, sem_drawn.without(image, drawn, "D1")) == [(300.0, 20.0, 400.0)]


def test_a_drawn_region_has_the_spacing_that_was_drawn_there(client: FlaskClient) -> None:
    found = rows_of(client, "/csv/dif/sem/0/regions.csv?d=600-200-400")
    drawn = found[-1]
    assert (drawn["label"], drawn["source"], drawn["status"]) == ("D1", "drawn", "ok")
    assert float(drawn["s"]) == pytest.approx(800.0 / 2048.0, abs=1e-6)
    truth = float(spacing_nm(np.array(800.0 / 2048.0), "diffusion"))
    off = abs(float(drawn["spacing_nm"]) - truth)
    assert off < max(3.0 * float(drawn["spacing_nm_err"]), 0.03 * truth)
    assert [row["source"] for row in found].count("reduction") == 8


def test_tiles_along_a_drawn_line_go_from_its_first_end_to_its_second(client: FlaskClient) -> None:
    tiles = [row for row in rows_of(client, f"/csv/dif/sem/0/regions.csv?e={LINE}") if row["label"][0] == "L"]
    assert len(tiles) >= 3
    s = [float(row["s"]) for row in tiles]
    assert s == sorted(s)
    assert [row["label"] for row in tiles] == [f"L{n + 1}" for n in range(len(tiles))]
    for row in tiles:
        middle = float(row["x_nm"]) + 0.5 * float(row["size_nm"])
        assert float(row["s"]) == pytest.approx(middle / 2048.0, abs=1e-6)


def test_the_spectrum_of_a_drawn_region_leaves_as_csv(client: FlaskClient) -> None:
    rows = rows_of(client, "/csv/dif/sem/0/drawn/radial.csv?d=600-200-400&label=D1")
    assert len(rows) > 50
    assert client.get("/csv/dif/sem/0/drawn/radial.csv?d=600-200-400&label=D9").status_code == 404
    assert client.get("/csv/dif/sem/0/drawn/other.csv?d=600-200-400&label=D1").status_code == 404


def test_the_page_shows_what_was_drawn(app: Dash) -> None:
    page = page_of(app, sample_id="dif", d="600-200-400", e=LINE, r="D1")
    assert view_of(page)["r"] == "D1"
    assert (view_of(page)["d"], view_of(page)["e"]) == ("600-200-400", LINE)


def test_drawn_shapes_come_first_and_can_be_moved(app: Dash) -> None:
    with app.server.test_request_context("/"):
        shelf = app.server.extensions["triptych"]
        result = shelf.result("dif")
        drawn = sem_drawn.drawn_regions(shelf, result, result.sem[0], {"d": "100-100-200", "e": LINE})
    whole = replace(result.sem[0], regions=(*result.sem[0].regions, *drawn))
    figure = sem_image.image_figure(
        whole, "spacing", source=SOURCE, scheme="light", drawn=1, line_nm=(0.0, 480.0, 2048.0, 480.0)
    )
    assert [shape.name for shape in figure.layout.shapes[:2]] == ["drawn", "drawn line"]
    assert all(shape.editable for shape in figure.layout.shapes[:2])
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].y1) == pytest.approx((0.1, 0.3))


def test_a_deep_image_gives_the_same_pixels_at_every_level() -> None:
    rows, cols = np.indices((2100, 2600))
    picture = ((rows // 8 + cols // 8) % 200).astype(np.uint8)
    deep = DeepImage(picture)
    assert len(deep) == 4
    assert deep.kept_bytes < picture.nbytes / 11
    low, high = np.percentile(picture, (0.5, 99.5))
    for level in range(4):
        seen = deep[level][10:40, 20:90].astype(float)
        block = 1 << level
        part = picture[10 * block : 40 * block, 20 * block : 90 * block].astype(float)
        wanted = part.reshape(30, block, 70, block).mean(axis=(1, 3))
        assert np.abs(seen - (wanted - low) * 255.0 / (high - low)).max() < 2.5
    assert crop(deep, col0=0, col1=2600, row0=0, row1=2100, width=300).shape == (262, 325)
    assert crop(deep, col0=8, col1=108, row0=16, row1=66, width=300).shape == (50, 100)


def test_a_map_lies_over_the_image_where_it_was_measured(image: SemReduction) -> None:
    figure = sem_image.image_figure(image, "spacing", source=SOURCE, scheme="light", shown_map="a_sc")
    shown = next(trace for trace in figure.data if trace.name == "map")
    assert image.map_grid is not None
    x, y = image.map_grid.positions_um()
    assert np.asarray(shown.x) == pytest.approx(x[0])
    assert np.asarray(shown.y) == pytest.approx(y[:, 0])
    assert np.asarray(shown.z) == pytest.approx(image.maps["a_sc"].values, nan_ok=True, rel=1e-5)
    assert shown.colorbar.title.text == "nm"
    assert "no lattice peak" in shown.text[0][0]
    assert not any(
        trace.name == "map"
        for trace in sem_image.image_figure(
            image, "spacing", source=SOURCE, scheme="light", shown_map="none"
        ).data
    )


def test_the_three_panels_offer_the_maps_of_the_image(image: SemReduction) -> None:
    figure = panels.sem_panel(image, "map-psi", source=SOURCE, scheme="dark")
    assert [trace.name for trace in figure.data].count("map") == 1
    assert {"map-a_sc", "map-psi", "map-order"} <= {key for key, _ in QUANTITIES["sem"]}


def test_the_map_leaves_as_csv_with_its_errors(client: FlaskClient, image: SemReduction) -> None:
    rows = rows_of(client, "/csv/dif/sem/0/map.csv")
    assert len(rows) == image.map_status.size
    assert {"a_sc_nm", "a_sc_nm_err", "psi_deg", "order", "status"} <= set(rows[0])
    assert (rows[0]["status"], rows[0]["a_sc_nm"]) == ("no_peak", "")
    assert float(rows[1]["a_sc_nm"]) == pytest.approx(image.maps["a_sc"].values[0, 1], rel=1e-6)


def test_a_cyclic_scale_stands_for_the_whole_half_turn_or_for_nothing() -> None:
    narrow, wide = np.linspace(-5.0, 6.0, 200), np.linspace(-80.0, 80.0, 200)
    limits, scale = axial_colours(narrow)
    assert scale == "viridis"
    assert limits == pytest.approx((-5.0, 6.0), abs=0.5)
    assert axial_colours(wide) == ((-90.0, 90.0), "twilight")
