"""What every figure keeps to: settings, physical scale, limits, colours, numbers with their errors."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analysis.records import PixelGrid, Profile
from app.figures import maps, panels, pattern, png, profiles
from app.figures.theme import (
    GRAPH_CONFIG,
    MODALITY_COLOUR,
    SCHEMES,
    colour_scale,
    ink,
    template,
    translucent,
)
from app.figures.words import measured_text, size_text, with_error
from tests.synthetic_result import make_result


def test_no_graph_can_send_anything_anywhere() -> None:
    assert GRAPH_CONFIG["showSendToCloud"] is False
    assert GRAPH_CONFIG["plotlyServerURL"] == ""
    assert GRAPH_CONFIG["displaylogo"] is False
    assert "toImage" in GRAPH_CONFIG["modeBarButtonsToRemove"]


def test_each_modality_has_its_colour_and_psi_a_cyclic_scale() -> None:
    assert MODALITY_COLOUR == {"xray": "#0072B2", "sem": "#E69F00", "afm": "#009E73"}
    assert colour_scale("psi") == "twilight"
    assert colour_scale("a_sc") == "viridis"
    assert translucent("#0072B2", 0.5) == "rgba(0,114,178,0.5)"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_keeps_its_contrast_on_the_surface(scheme: str) -> None:
    colours = ink(scheme)
    assert contrast(colours["text"], colours["surface"]) >= 7.0
    assert contrast(colours["muted"], colours["surface"]) >= 4.5
    assert template(scheme).layout.paper_bgcolor == colours["surface"]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def a_grid(rows: int = 6, cols: int = 8, step: float = 0.5) -> PixelGrid:
    return PixelGrid(shape=(rows, cols), col_step_um=(step, 0.0), row_step_um=(0.0, step))


def test_a_map_is_one_to_one_with_y_down_and_a_scale_bar() -> None:
    figure = maps.map_figure(
        a_grid(), np.arange(48.0).reshape(6, 8), quantity="a_sc", unit="nm", scheme="light"
    )
    assert figure.layout.yaxis.scaleanchor == "x"
    assert tuple(figure.layout.xaxis.range) == (-0.25, 3.75)
    assert tuple(figure.layout.yaxis.range) == (2.75, -0.25)
    bars = [shape for shape in figure.layout.shapes if shape.name == "scale-bar"]
    label = next(note for note in figure.layout.annotations if note.name == "scale-bar")
    assert {round(bar.x1 - bar.x0, 9) for bar in bars} == {1.0}
    assert label.text == "1 µm"
    heatmap = figure.data[0]
    assert heatmap.z.dtype == np.float32
    assert heatmap.colorbar.title.text == "nm"


def test_a_map_scanned_backwards_is_shown_the_right_way_round() -> None:
    values = np.arange(6.0).reshape(2, 3)
    grid = PixelGrid(shape=(2, 3), col_step_um=(0.0, -1.0), row_step_um=(1.0, 0.0))
    trace = maps.heatmap_trace(grid, values, quantity="a_sc", unit="nm")
    # Columns run along -y and rows along +x: the last column is on top, the first row at the left.
    np.testing.assert_array_equal(trace.z, [[2.0, 5.0], [1.0, 4.0], [0.0, 3.0]])
    np.testing.assert_array_equal(trace.x, [0.0, 1.0])
    np.testing.assert_array_equal(trace.y, [-2.0, -1.0, 0.0])


def test_an_intensity_is_coloured_by_its_logarithm_and_labelled_by_its_value() -> None:
    values = np.array([[1.0, 10.0], [100.0, 0.0]])
    trace = maps.heatmap_trace(
        a_grid(2, 2), values, quantity="intensity", unit="counts", log=True, limits=(1, 100)
    )
    np.testing.assert_allclose(trace.z, [[0.0, 1.0], [2.0, np.nan]])
    assert (trace.zmin, trace.zmax) == (0.0, 2.0)
    assert dict(zip(trace.colorbar.ticktext, trace.colorbar.tickvals, strict=True))["10"] == pytest.approx(
        1.0
    )


def test_failed_points_look_different_from_points_without_signal() -> None:
    scan = make_result("dif", size=9).xray[0]
    figure = panels.xray_panel(scan, "a_sc", scheme="light")
    grey = next(trace for trace in figure.data if trace.name == "no value")
    marked = np.isfinite(np.asarray(grey.z, dtype=float))
    failed = ~np.isfinite(scan.maps["a_sc"].values) & (scan.status != 1)
    np.testing.assert_array_equal(marked, failed)
    assert marked.any()
    assert all("fitted" not in text for text in np.asarray(grey.text)[marked])


def test_colour_limits_ignore_what_is_not_there_and_never_meet() -> None:
    values = np.array([np.nan, 1.0, 2.0, 3.0, np.inf])
    low, high = maps.colour_limits(values, percentiles=(0, 100))
    assert (low, high) == (1.0, 3.0)
    assert maps.colour_limits([np.nan]) == (0.0, 1.0)
    low, high = maps.colour_limits([5.0, 5.0])
    assert low < 5.0 < high
    assert maps.colour_limits([-1.0, 0.0, 4.0, 9.0], percentiles=(0, 100), log=True) == (4.0, 9.0)


def test_large_maps_are_averaged_in_place() -> None:
    grid = a_grid(1040, 1040, 0.1)
    x, _ = grid.positions_um()
    coarse, values, s = maps.averaged(grid, x, x)
    assert max(coarse.shape) <= maps.MAX_CELLS
    np.testing.assert_allclose(values, coarse.positions_um()[0], atol=1e-9)
    np.testing.assert_allclose(s, values)
    with_gap = np.where(np.arange(1040)[None, :] < 6, np.nan, x)
    assert np.isnan(maps.averaged(grid, with_gap)[1][:, 0]).all()


@given(st.floats(1e-6, 1e6))
def test_a_nice_length_is_1_2_or_5_and_not_above_its_target(target: float) -> None:
    length = maps.nice_length(target)
    assert 0.39 * target <= length <= target * (1 + 1e-6)
    mantissa = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert min(abs(mantissa - step) for step in (1, 2, 5)) < 1e-6


def test_iso_lines_lie_at_their_level() -> None:
    grid = a_grid(41, 41, 0.25)
    x, y = grid.positions_um()
    s = 1.0 - np.maximum(np.abs(x - 5), np.abs(y - 5)) / 4.0
    line = maps.iso_lines_trace(grid, np.where(s >= 0, s, np.nan), levels=(0.5,))
    points = [(a, b) for a, b in zip(line.x, line.y, strict=True) if a is not None]
    reached = [1.0 - max(abs(a - 5), abs(b - 5)) / 4.0 for a, b in points]
    np.testing.assert_allclose(reached, 0.5, atol=0.04)


def test_png_files_are_read_back_as_written() -> None:
    random = np.random.default_rng(1)
    for shape in ((5, 7), (5, 7, 3), (5, 7, 4)):
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png.png_bytes(pixels)))), pixels)


def test_a_crop_comes_from_the_coarsest_level_that_is_fine_enough() -> None:
    image = np.tile(np.arange(1024, dtype=np.uint16), (1024, 1))
    levels = png.pyramid(image)
    assert [level.shape[0] for level in levels] == [1024, 512, 256]
    whole = png.crop(levels, col0=0, col1=1024, row0=0, row1=1024, width=300)
    assert whole.shape == (512, 512)
    part = png.crop(levels, col0=100, col1=400, row0=10, row1=20, width=300)
    np.testing.assert_array_equal(part, levels[0][10:20, 100:400])


def test_bands_fall_back_to_the_standard_error_where_there_is_no_interval() -> None:
    nan, one = np.full(2, np.nan), np.ones(2)
    profile = Profile(
        modality="xray", index=0, crystal="A", quantity="a_sc", unit="nm", coordinate="rectangle",
        lo=one, mid=one, hi=one, mean=np.array([10.0, 20.0]), std=2 * one, sem=0.5 * one, median=one,
        ci_lo=np.array([9.0, np.nan]), ci_hi=np.array([12.0, np.nan]), n=np.array([9, 1]),
    )  # fmt: skip
    low, high = profiles.band_limits(profile, "ci")
    np.testing.assert_allclose(low, [9.0, 19.5])
    np.testing.assert_allclose(high, [12.0, 20.5])
    low, high = profiles.band_limits(profile, "std")
    np.testing.assert_allclose(high - low, 4.0)
    assert np.isnan(nan).all()


@pytest.mark.parametrize("coordinate", ["rectangle", "depth"])
def test_the_coprofile_shows_three_modalities_each_in_its_colour(coordinate: str) -> None:
    figure = profiles.coprofile([make_result("dif", size=9)], coordinate=coordinate, scheme="light")
    named = {trace.name.split()[0]: trace for trace in figure.data if trace.showlegend is not False}
    assert set(named) == {"X-ray", "SEM", "AFM"}
    assert named["X-ray"].line.color == MODALITY_COLOUR["xray"]
    assert named["SEM"].marker.color == MODALITY_COLOUR["sem"]
    assert named["AFM"].yaxis == "y2"
    assert ("depth" in figure.layout.xaxis.title.text) == (coordinate == "depth")


def test_evaporation_has_open_markers_and_diffusion_filled_ones() -> None:
    results = [make_result("dif", size=9), make_result("evap", size=9, method="evaporation")]
    figure = profiles.coprofile(results, coordinate="rectangle", scheme="light")
    symbols = {
        ("diffusion" in trace.name, "open" in str(trace.marker.symbol))
        for trace in figure.data
        if trace.showlegend is not False
    }
    assert symbols == {(True, False), (False, True)}


def test_the_cross_plot_speaks_of_a_co_trend_and_has_both_errors() -> None:
    result = make_result("dif", size=9)
    correlation = profiles.cotrend(result)
    figure = profiles.crossplot(correlation, scheme="light")
    assert figure.data[0].error_x.array is not None
    assert figure.data[0].error_y.array is not None
    words = profiles.cotrend_words(correlation)
    assert "Co-trend" in words
    assert "no p" in words
    assert "Needs" in profiles.cotrend_words(None)


def test_the_polar_average_puts_a_spot_at_its_q_and_phi() -> None:
    scan = make_result("dif", size=9).xray[0]
    counts = np.zeros(scan.valid.shape)
    beam_col, beam_row = scan.geometry.beam_center_px
    row, col = round(beam_row) - 20 - scan.region[0], round(beam_col) + 20 - scan.region[1]
    counts[row, col] = 100.0
    q, phi, intensity = pattern.polar(counts, scan)
    at = np.unravel_index(np.nanargmax(intensity), intensity.shape)
    # 20 pixels up and 20 to the right: 45 degrees counter-clockwise as displayed.
    assert phi[at[1]] == pytest.approx(45.0, abs=3.0)
    away_px = math.hypot(row + scan.region[0] - beam_row, col + scan.region[1] - beam_col)
    radius_mm = away_px * scan.geometry.pixel_size_um[0] * 1e-3
    two_theta = math.atan(radius_mm / scan.geometry.distance_mm)
    assert q[at[0]] == pytest.approx(
        4 * math.pi / scan.geometry.wavelength_nm * math.sin(two_theta / 2), abs=0.03
    )


def test_a_thumbnail_averages_the_pixels_that_count() -> None:
    counts = np.zeros((128, 128))
    counts[2:4, 4:6] = [[8.0, 999.0], [8.0, 8.0]]
    valid = np.ones_like(counts, dtype=bool)
    valid[2, 5] = False
    small = pattern.thumbnail(counts, valid, brightest=8.0)
    assert small.shape == (64, 64)
    assert small[1, 2] == 255
    assert np.count_nonzero(small) == 1


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (14.8634, 0.0213, "14.863 ± 0.021 nm"),
        (14.8634, 0.0143, "14.863 ± 0.014 nm"),
        (3204.0, 130.0, "3204 ± 130 nm"),
        (12.0, 0.0021, "12.0000 ± 0.0021 nm"),
        (12.0, 0.0999, "12.00 ± 0.10 nm"),
        (0.42, None, "0.42 nm"),
        (float("nan"), 0.1, "–"),
        (7.0, float("nan"), "7 nm"),
        (-0.0174, 0.044, "−0.017 ± 0.044 nm"),
    ],
)
def test_a_number_carries_its_uncertainty(value: float, error: float | None, text: str) -> None:
    assert with_error(value, error, "nm") == text


def test_a_degree_sign_stands_at_its_number() -> None:
    assert with_error(90.0153, 1.1278, "deg") == "90.0 ± 1.1°"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4.4e-05, "nm", "under 0.001 nm"),
        (0.0112, "nm/um", "0.011 nm/µm"),
        (1.3036, "GPa", "1.3 GPa"),
        (1234.0, "nm", "1234 nm"),
        (2.97, "deg", "3.0°"),
        (float("nan"), "nm", "–"),
    ],
)
def test_a_spread_is_written_with_its_unit_without_an_exponent(value: float, unit: str, text: str) -> None:
    assert size_text(value, unit) == text


def test_a_number_that_was_not_had_is_a_dash() -> None:
    assert measured_text(None) == "–"


def test_no_figure_sets_a_colour_that_depends_on_the_scheme_outside_its_template() -> None:
    result = make_result("dif", size=9)
    for scheme in SCHEMES:
        figures = [
            panels.xray_panel(result.xray[0], "a_sc", scheme=scheme),
            panels.afm_panel(result.afm[0], "modulus", scheme=scheme),
            panels.sem_panel(result.sem[0], "spacing", source="/x?v=1", scheme=scheme),
            profiles.coprofile([result], coordinate="rectangle", scheme=scheme),
        ]
        for figure in figures:
            bare = go.Figure(figure).update_layout(template=None).to_json()
            assert not [colour for colour in ink(scheme).values() if colour in bare and colour != "#ffffff"]


def test_samples_are_named_by_the_shortest_words_that_tell_them_apart() -> None:
    first = replace(make_result("one", xray=False, sem=False), title="A", composition="X")
    other = replace(first, sample_id="two", method="evaporation")
    assert profiles.short_names([first, other]) == ["diffusion", "evaporation"]
    third = replace(first, sample_id="three", composition="Y")
    assert profiles.short_names([first, other, third]) == ["X diffusion", "X evaporation", "Y diffusion"]
    assert profiles.short_names([first, replace(first, sample_id="two")]) == ["one", "two"]
    assert profiles.short_names([first, replace(first, sample_id="b", title="B")]) == ["A", "B"]
