"""AFM page: maps in um with y down, lines drawn and typed, what is measured along them, the statistics."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient
from scipy import stats

from analysis.records import AFM_STATUS, AfmReduction, Correlation, PixelGrid
from app.figures import afm_lines, afm_maps, afm_statistics
from app.pages import afm, afm_facts, afm_line, afm_panels
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
    (line,) = seen.profiles()
    assert line.height_nm == pytest.approx(line.x_um)
    assert line.modulus_gpa == pytest.approx(line.y_um)
    assert (line.x_um[0], line.y_um[0], line.x_um[-1], line.y_um[-1]) == pytest.approx((2, 3, 10, 9))
    assert line.distance_um[-1] == pytest.approx(10.0)


def test_thickness_and_sampling_follow_the_address_or_the_saved_line(field: AfmReduction) -> None:
    saved = afm_line.Seen.of(field, {"l": "line 2"})
    assert (saved.convention, saved.thickness_px) == ("exact", 5)
    other = afm_line.Seen.of(field, {"l": "line 2", "cv": "gwyddion", "t": "3"})
    assert (other.convention, other.thickness_px) == ("gwyddion", 3)
    along_x = afm_line.Seen.of(field, {"d": "1-6-11-6", "l": "D1", "t": "3"}).profiles()[0]
    assert along_x.thickness_nm == pytest.approx(3 * PIXEL_UM * 1e3)


def test_the_coordinate_is_known_along_a_line(field: AfmReduction) -> None:
    line = afm_line.Seen.of(field, {"d": "0.1-6.4-12.7-6.4", "l": "D1", "cv": "exact"}).profiles()[0]
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
    figure = afm_lines.line_figure(*seen.profiles(), seen.counted("D1"), scheme="light")
    inside, beside = named(figure, "E (GPa)"), named(figure, "E not counted (GPa)")
    assert np.nanmax(inside.y) < 15.0 < np.nanmax(beside.y)
    assert not (np.isfinite(inside.y) & np.isfinite(beside.y)).any()
    assert figure.layout.yaxis2.range[1] == pytest.approx(1.15 * np.nanmax(inside.y))


def test_the_histogram_counts_what_counts_and_marks_the_statistics(field: AfmReduction) -> None:
    figure = afm_statistics.histogram_figure(field, scheme="light")
    counted = field.modulus_gpa[field.status == AFM_STATUS.index("ok")]
    low, high = np.percentile(counted, (0.1, 99.9))
    assert sum(figure.data[0].y) == ((counted >= low) & (counted <= high)).sum()
    lines = [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == pytest.approx([counted.mean(), np.median(counted)])
    spread = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (spread.x1 - spread.x0) / 2 == pytest.approx(counted.std())
    assert figure.layout.xaxis.title.text == "E (GPa)"


def test_the_fit_is_drawn_in_pixels_a_bar(field: AfmReduction) -> None:
    figure = afm_statistics.histogram_figure(field, scheme="light", part="centre")
    bars, curve = figure.data[0], figure.data[1]
    place = field.coordinate.s["rectangle"]
    values = field.modulus_gpa[(field.status == AFM_STATUS.index("ok")) & (np.nan_to_num(place) > 0.8)]
    logs = np.log(values)
    theirs = stats.lognorm(s=logs.std(), scale=np.exp(logs.mean())).pdf(curve.x) * values.size * bars.width[0]
    np.testing.assert_allclose(curve.y, theirs, rtol=1e-9)


def test_the_legend_gives_value_and_spread_to_the_same_digits(field: AfmReduction) -> None:
    assert afm_statistics.pair(0.34012, 0.3599, "±") == "0.34 ± 0.36 GPa"
    assert afm_statistics.pair(0.26870, 0.1496, ", MAD") == "0.27, MAD 0.15 GPa"
    assert afm_statistics.pair(3.2, 0.0, "±") == "3.2 GPa"
    names = [trace.name for trace in afm_statistics.histogram_figure(field, scheme="dark").data[1:]]
    assert [name.split()[0] for name in names] == ["log-normal:", "mean", "median"]


def test_a_part_without_pixels_says_so(field: AfmReduction) -> None:
    figure = afm_statistics.histogram_figure(replace(field, parts=()), scheme="light")
    assert figure.layout.annotations[0].text == "No modulus here."
    assert afm_panels.modulus_words(replace(field, parts=()), "crystal") == []


def test_every_part_has_a_column_of_numbers(field: AfmReduction) -> None:
    modulus, height = (words_of(table) for table in afm_facts.part_tables(field))
    for name in ("crystal", "edge", "centre", "substrate", "MAD (unscaled)", "25–75 %"):
        assert name in modulus
        assert name in height
    assert "log-normal" in modulus
    assert "log-normal" not in height


def relation(quantity: str, **known: float) -> Correlation:
    x = np.linspace(0.0, 10.0, 5)
    numbers = {"pearson_r": -0.204, "r_ci_lo": -0.3, "r_ci_hi": 0.001, "partial_r_s": np.nan, "slope": 2e-3}
    return Correlation(
        x_quantity=quantity, y_quantity="modulus", pairing="pixel", n=12345, n_crystals=1, spearman_rho=0.1,
        p_block_bootstrap=0.04, slope_err=4e-4, x=x, y=x + 1.0, x_err=x, y_err=x, s=x, blocks=60, block_px=9,
        **{**numbers, **known},
    )  # fmt: skip


def test_the_relation_is_drawn_over_the_pixels_that_count(field: AfmReduction) -> None:
    figure = afm_statistics.relation_figure(field, relation("height"), "height", scheme="light")
    pixels, means = figure.data
    counted = field.status == AFM_STATUS.index("ok")
    h, e = field.height_nm[counted], field.modulus_gpa[counted]
    inside = np.logical_and.reduce(
        [(v >= np.percentile(v, 0.5)) & (v <= np.percentile(v, 99.5)) for v in (h, e)]
    )
    assert np.asarray(pixels.customdata).sum() == inside.sum()
    assert list(means.y) == [1.0, 3.5, 6.0, 8.5, 11.0]
    assert figure.layout.xaxis.title.text == "h (nm)"
    empty = afm_statistics.relation_figure(field, None, "slope", scheme="light")
    assert "not measured" in empty.layout.annotations[0].text


def test_the_relation_says_what_is_left_given_s() -> None:
    assert afm_statistics.relation_words(relation("height"), "height") == (
        "r = −0.20 (−0.30 to 0.00), p = 0.04, slope 2.00 ± 0.40 GPa/µm, 12 345 pixels in 60 blocks of 9 px."
    )
    known = {"partial_r_s": -0.001, "partial_r_ci_lo": -0.1, "partial_r_ci_hi": 0.2}
    words = afm_statistics.relation_words(relation("slope", **known), "slope")
    assert "given s: 0.00 (−0.10 to 0.20)" in words
    assert "slope 0.00200 ± 0.00040 GPa," in words


def test_the_relation_of_the_field_is_the_one_shown() -> None:
    result = make_result()
    found = afm_statistics.relation_of(result, result.afm[0], "height")
    assert found is not None
    assert found.pairing == "pixel"
    assert afm_statistics.relation_of(result, replace(result.afm[0], index=1), "height") is None


def test_several_lines_stand_on_one_axis_in_the_colours_of_the_maps(field: AfmReduction) -> None:
    view = {"d": "2-3-10-9", "lm": "all", "lx": "s"}
    seen = afm_line.Seen.of(field, view)
    height, modulus, along = afm_panels.figures(seen, view, "light")
    assert [trace.name for trace in along.data[::2]] == [
        "line 1: E (GPa)",
        "line 2: E (GPa)",
        "D1: E (GPa)",
    ]
    assert {trace.yaxis for trace in along.data[1::2]} == {"y"}
    assert along.layout.xaxis.title.text.startswith("s, 0 at the edge")
    np.testing.assert_array_equal(along.data[4].x, seen.profiles()[2].s)
    for figure in (height, modulus):
        assert named(figure, "D1").line.color == along.data[4].line.color
    assert afm_panels.line_words(seen) == "3 lines"


def test_a_profile_can_stand_against_depth(field: AfmReduction) -> None:
    figure = afm_lines.line_figure(field.lines[0], scheme="light", axis="depth")
    np.testing.assert_array_equal(figure.data[0].x, field.lines[0].depth_um)
    assert figure.layout.xaxis.title.text == "depth from the edge (µm)"


def test_without_a_coordinate_only_the_distance_is_offered(field: AfmReduction) -> None:
    bare = replace(field, coordinate=None)
    assert afm_line.Seen.of(bare, {"lx": "s"}).axis == "distance"


def test_what_was_left_out_is_counted_with_its_reason(field: AfmReduction) -> None:
    rows = {row[0]: row[1:] for row in afm_facts.excluded_rows(field)}
    assert rows["clipped"][0] == "6"
    assert "clipped by the instrument" in rows["clipped"][1]


def test_a_field_of_which_every_pixel_counts_says_so(field: AfmReduction) -> None:
    whole = replace(field, excluded=dict.fromkeys(field.excluded, 0))
    assert afm_facts.excluded_rows(whole) == [("none", "0", "every pixel of the crystal counts")]


def test_a_short_line_is_told_in_nm(field: AfmReduction) -> None:
    seen = afm_line.Seen.of(field, {"d": "1.000-1.000-1.500-1.000", "l": "D1", "cv": "exact", "t": "10"})
    assert afm_panels.line_words(seen) == "500 nm long, 4 points, 2000 nm thick"


def test_the_page_restores_a_drawn_line_and_names_its_parts(app: Dash) -> None:
    page = page_of(app, sample_id="dif", d="2.000-3.000-10.000-9.000", l="D1", cv="exact", t="3")
    words = words_of(page)
    assert "10.00 µm long" in words
    for text in ("Tip radius", "8 nm", "Poisson ratio", "plane through the substrate subtracted"):
        assert text in words
    names = {getattr(part, "data-testid", None) for part in parts_of(page)}
    assert {
        "csv-afm_lines",
        "csv-afm_summary",
        "csv-afm_parts",
        "csv-correlation",
        "csv-line",
        "panel-afm-height",
        "panel-afm-modulus",
    } <= names


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


def test_all_lines_leave_together(client: FlaskClient) -> None:
    text = client.get("/csv/dif/afm/0/line.csv?d=2-3-10-9&lm=all&cv=exact&t=2").get_data(as_text=True)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    told = list(dict.fromkeys((row["line"], row["source"], row["thickness_px"]) for row in rows))
    assert told == [("line 1", "gwy", "2"), ("line 2", "config", "2"), ("D1", "drawn", "2")]
    assert sum(row["distance_um"] == "0" for row in rows) == 3


def test_a_field_leaves_as_csv_one_line_a_pixel(client: FlaskClient) -> None:
    text = client.get("/csv/dif/afm/0/field.csv").get_data(as_text=True)
    assert sum(not line.startswith("#") for line in text.splitlines()) == 64 * 64 + 1
    whole = client.get("/csv/dif/afm_maps.csv").get_data(as_text=True)
    assert text == whole
    assert client.get("/csv/dif/afm/3/field.csv").status_code == 404
