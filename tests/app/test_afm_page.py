"""AFM page: maps in um with y down, lines drawn and typed, what is measured along them, the statistics."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from analysis.records import AFM_STATUS, AfmReduction, PixelGrid
from app.figures import afm_lines, afm_maps
from app.pages import afm, afm_facts, afm_line
from tests.app.test_pages import parts_of, words_of
from tests.synthetic_result import make_result

PIXEL_UM = 0.2


@pytest.fixture(scope="module")
def field() -> AfmReduction:
    return make_result(xray=False, sem=False).afm[0]


@pytest.fixture(scope="module")
def ramp(field: AfmReduction) -> AfmReduction:
    """A field whose height is x in nm and whose modulus is y in GPa (of um)."""
    x, y = field.grid.positions_um()
    return replace(field, height_nm=x.copy(), modulus_gpa=y.copy())


def named(figure: object, name: str) -> object:
    return next(trace for trace in figure.data if trace.name == name)


def page_of(app: Dash, **query: str) -> object:
    with app.server.test_request_context("/"):
        return afm.layout(**query)


@pytest.mark.parametrize(("quantity", "unit"), [("height", "nm"), ("modulus", "GPa")])
def test_maps_lie_in_um_from_the_top_left_corner_with_y_down(
    field: AfmReduction, quantity: str, unit: str
) -> None:
    figure = afm_maps.field_figure(field, quantity, scheme="light")
    assert list(figure.layout.xaxis.range) == pytest.approx([0.0, 12.8])
    assert list(figure.layout.yaxis.range) == pytest.approx([12.8, 0.0])
    assert figure.layout.yaxis.scaleanchor == "x"
    trace = named(figure, quantity)
    assert trace.x[0] == pytest.approx(PIXEL_UM / 2)
    assert trace.colorbar.title.text == unit
    values = field.height_nm if quantity == "height" else field.modulus_gpa
    assert np.asarray(trace.z)[35, 25] == pytest.approx(values[35, 25], rel=1e-6)


def test_pixels_that_do_not_count_are_left_out_and_say_why(field: AfmReduction) -> None:
    figure = afm_maps.field_figure(field, "modulus", scheme="light")
    left_out = ~np.isfinite(np.asarray(named(figure, "modulus").z, dtype=float))
    assert (left_out == (field.status != AFM_STATUS.index("ok"))).all()
    reasons = named(figure, "reasons")
    assert np.asarray(reasons.text)[31, 20] == "clipped by the instrument"
    assert np.asarray(reasons.text)[0, 0] == "outside the crystal"
    assert not np.isfinite(np.asarray(reasons.z, dtype=float))[35, 25]
    flat = named(figure, "excluded")
    colours = {name: flat.colorscale[2 * code][1] for code, name in enumerate(AFM_STATUS)}
    assert len({colours["ok"], colours["outside"], colours["clipped"]}) == 3
    shown = named(afm_maps.field_figure(field, "modulus", scheme="light", everywhere=True), "modulus")
    assert np.isfinite(np.asarray(shown.z, dtype=float)).all()


def test_a_large_field_is_averaged_to_what_a_browser_draws(field: AfmReduction) -> None:
    side = 1100
    grid = PixelGrid.of_image((side, side), dx_um=0.01, dy_um=0.01)
    values = np.broadcast_to(np.arange(side, dtype=float), (side, side))
    large = replace(
        field,
        grid=grid,
        height_nm=values,
        modulus_gpa=values,
        coordinate=None,
        outline=None,
        status=np.zeros((side, side), dtype=np.uint8),
    )
    trace = named(afm_maps.field_figure(large, "modulus", scheme="light"), "modulus")
    z = np.asarray(trace.z)
    assert max(z.shape) <= 512
    # Blocks of three: the first holds columns 0, 1, 2, centred on x = 0.015 um.
    assert (z[0, 0], trace.x[0]) == pytest.approx((1.0, 0.015))


def test_the_chosen_drawn_line_is_the_first_shape_and_can_be_moved(field: AfmReduction) -> None:
    figure = afm_maps.field_figure(
        field, "height", scheme="light", lines=[("D1", (1.0, 2.0, 3.0, 4.0))], selected="D1", movable=True
    )
    shape = figure.layout.shapes[0]
    assert (shape.x0, shape.y0, shape.x1, shape.y1) == (1.0, 2.0, 3.0, 4.0)
    assert shape.editable
    assert named(figure, "D1").x == (1.0, 3.0)


def test_lines_travel_through_the_address(field: AfmReduction) -> None:
    lines = ((1.0, 2.0, 3.5, 4.25), (0.0, 0.0, 12.8, 12.8))
    text = afm_line.as_text(lines)
    assert afm_line.drawn_lines(field, text) == lines
    assert len(afm_line.as_text(((12.345, 12.345, 12.345, 1.234),) * afm_line.MAX_DRAWN)) < 300


@pytest.mark.parametrize("text", ["", "x", "1-2-3", "1-2-3-nan", "5-5-5-5", "1-2-3-4-5", "-".join("9" * 40)])
def test_what_is_no_line_is_left_out(field: AfmReduction, text: str) -> None:
    assert afm_line.drawn_lines(field, text) == ()


def test_lines_are_clipped_to_the_field(field: AfmReduction) -> None:
    assert afm_line.inside(field, (-5.0, 3.0, 99.0, 3.0)) == (0.0, 3.0, 12.8, 3.0)


def test_a_line_drawn_on_a_map_becomes_the_chosen_one(field: AfmReduction) -> None:
    bar = {"type": "line", "name": "scale-bar", "x0": 0, "x1": 1, "y0": 0, "y1": 0}
    drawn = {"type": "line", "x0": 1.0, "y0": 2.0, "x1": 5.0, "y1": 6.0}
    changed = afm_line.with_change(field, "9-9-8-8", "line 1", {"shapes": [bar, drawn]})
    assert changed == ("9.000-9.000-8.000-8.000_1.000-2.000-5.000-6.000", "D2")


def test_a_moved_line_is_the_same_line_elsewhere(field: AfmReduction) -> None:
    change = {
        f"shapes[0].{name}": value for name, value in zip(("x0", "y0", "x1", "y1"), (2, 2, 3, 3), strict=True)
    }
    assert afm_line.with_change(field, "1-1-5-5_4-4-6-6", "D1", change) == (
        "2.000-2.000-3.000-3.000_4.000-4.000-6.000-6.000",
        "D1",
    )


@pytest.mark.parametrize(
    "change", [None, {}, {"xaxis.range[0]": 1}, {"shapes": []}, {"shapes": [{"x0": "a"}]}, "x"]
)
def test_other_changes_of_a_figure_draw_nothing(field: AfmReduction, change: object) -> None:
    assert afm_line.with_change(field, "", "line 1", change) is None


def test_a_typed_line_needs_four_numbers(field: AfmReduction) -> None:
    assert afm_line.with_typed(field, "", (1.0, 1.0, 2.0, None)) is None
    assert afm_line.with_typed(field, "", (1.0, 1.0, 2.0, 2.0)) == ("1.000-1.000-2.000-2.000", "D1")


def test_along_a_line_x_and_y_are_read_where_they_are(ramp: AfmReduction) -> None:
    seen = afm_line.Seen.of(ramp, {"d": "2-3-10-9", "l": "D1", "cv": "exact"})
    line = seen.profile()
    assert line is not None
    assert line.height_nm == pytest.approx(line.x_um)
    assert line.modulus_gpa == pytest.approx(line.y_um)
    assert (line.x_um[0], line.y_um[0], line.x_um[-1], line.y_um[-1]) == pytest.approx((2, 3, 10, 9))
    assert line.distance_um[-1] == pytest.approx(10.0)


def test_thickness_and_sampling_follow_the_address_or_the_saved_line(field: AfmReduction) -> None:
    saved = afm_line.Seen.of(field, {"l": "line 2"})
    assert (saved.convention, saved.thickness_px) == ("exact", 5)
    other = afm_line.Seen.of(field, {"l": "line 2", "cv": "gwyddion", "t": "3"})
    assert (other.convention, other.thickness_px) == ("gwyddion", 3)
    along_x = afm_line.Seen.of(field, {"d": "1-6-11-6", "l": "D1", "t": "3"}).profile()
    assert along_x is not None
    assert along_x.thickness_nm == pytest.approx(3 * PIXEL_UM * 1e3)


def test_the_coordinate_is_known_along_a_line(field: AfmReduction) -> None:
    line = afm_line.Seen.of(field, {"d": "0.1-6.4-12.7-6.4", "l": "D1", "cv": "exact"}).profile()
    assert line is not None
    assert np.nanmax(line.s) > 0.95
    assert np.isnan(line.s[0])
    assert line.depth_um[0] < 0


def test_height_and_modulus_share_a_distance_axis_with_axes_of_their_own(field: AfmReduction) -> None:
    figure = afm_lines.line_figure(field.lines[0], scheme="light")
    height, modulus = figure.data[:2]
    assert list(height.x) == list(modulus.x)
    assert (height.yaxis, modulus.yaxis) == ("y", "y2")
    assert figure.layout.xaxis.title.text == "distance along the line (µm)"
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("h (nm)", "E (GPa)")
    assert figure.layout.meta["line"]["x"] == pytest.approx(field.lines[0].x_um.tolist())


def test_the_modulus_beside_the_crystal_is_told_apart_and_sets_no_axis(field: AfmReduction) -> None:
    outside = field.status == AFM_STATUS.index("outside")
    stiff = replace(field, modulus_gpa=np.where(outside, 70.0, field.modulus_gpa))
    seen = afm_line.Seen.of(stiff, {"d": "0.1-6.4-12.7-6.4", "l": "D1", "cv": "gwyddion"})
    figure = afm_lines.line_figure(seen.profile(), seen.counted(), scheme="light")
    inside, beside = named(figure, "E (GPa)"), named(figure, "E not counted (GPa)")
    assert np.nanmax(inside.y) < 15.0 < np.nanmax(beside.y)
    assert not (np.isfinite(inside.y) & np.isfinite(beside.y)).any()
    assert figure.layout.yaxis2.range[1] == pytest.approx(1.15 * np.nanmax(inside.y))


def test_the_histogram_counts_what_counts_and_marks_the_statistics(field: AfmReduction) -> None:
    figure = afm_lines.histogram_figure(field, scheme="light")
    counted = field.modulus_gpa[field.status == AFM_STATUS.index("ok")]
    low, high = np.percentile(counted, (0.1, 99.9))
    assert sum(figure.data[0].y) == ((counted >= low) & (counted <= high)).sum()
    lines = [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == pytest.approx([counted.mean(), np.median(counted)])
    spread = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (spread.x1 - spread.x0) / 2 == pytest.approx(counted.std())
    assert figure.layout.xaxis.title.text == "E (GPa)"


def test_statistics_come_with_their_names_spread_and_number(field: AfmReduction) -> None:
    rows = {row[0]: row[1:] for row in afm_facts.statistics_rows(field)}
    n = int((field.status == AFM_STATUS.index("ok")).sum())
    assert rows["E, mean"][1] == f"std {field.statistics['modulus_mean'].std:.3g} GPa, n = {n}"
    assert {"E, std (ddof = 0)", "E, median", "E, MAD (unscaled)"} <= set(rows)


def test_what_was_left_out_is_counted_with_its_reason(field: AfmReduction) -> None:
    rows = {row[0]: row[1:] for row in afm_facts.excluded_rows(field)}
    assert rows["clipped"][0] == "6"
    assert "clipped by the instrument" in rows["clipped"][1]


def test_the_page_restores_a_drawn_line_and_names_its_parts(app: Dash) -> None:
    page = page_of(app, sample_id="dif", d="2.000-3.000-10.000-9.000", l="D1", cv="exact", t="3")
    words = words_of(page)
    assert "10.00 µm long" in words
    for text in ("Tip radius", "8 nm", "Poisson ratio", "plane through the substrate subtracted"):
        assert text in words
    names = {getattr(part, "data-testid", None) for part in parts_of(page)}
    assert {"csv-afm_lines", "csv-afm_summary", "csv-line", "panel-afm-height", "panel-afm-modulus"} <= names


def test_nonsense_in_the_address_gives_the_first_line(app: Dash) -> None:
    page = page_of(app, sample_id="dif", l="<b>", d="x", t="-3", cv="no", an="9", ev="?")
    line = [
        part.value for part in parts_of(page) if getattr(part, "id", None) == {"type": "view", "name": "l"}
    ]
    assert line == ["line 1"]


def test_a_line_leaves_as_csv_with_the_columns_of_afm_lines(client: FlaskClient) -> None:
    text = client.get("/csv/dif/afm/0/line.csv?d=2-3-10-9&l=D1&cv=gwyddion&t=3").get_data(as_text=True)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert list(rows[0]) == [
        "sample",
        "crystal",
        "file",
        "line",
        "source",
        "convention",
        "thickness_px",
        "distance_um",
        "x_um",
        "y_um",
        "height_nm",
        "modulus_gpa",
        "s",
        "depth_um",
    ]
    assert {(row["line"], row["source"], row["convention"], row["thickness_px"]) for row in rows} == {
        ("D1", "drawn", "gwyddion", "3")
    }
    assert float(rows[0]["distance_um"]) == 0.0


def test_a_field_leaves_as_csv_one_line_a_pixel(client: FlaskClient) -> None:
    text = client.get("/csv/dif/afm/0/field.csv").get_data(as_text=True)
    assert sum(not line.startswith("#") for line in text.splitlines()) == 64 * 64 + 1
    assert client.get("/csv/dif/afm/3/field.csv").status_code == 404
