"""Regions along the line from edge to centre: in the image, apart, with their centre's coordinate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sem.tiles import Line, placed, region_size, tiles_along, tiles_over
from tests.sem import forward
from tests.sem.forward import square


def test_a_region_holds_about_twenty_periods_of_what_the_image_shows() -> None:
    image = forward.array_image(square(9.0), (300, 600), seed=1)
    assert region_size(image) == pytest.approx(180, abs=12)
    assert region_size(image[:100]) == 100  # all that the rows allow
    assert region_size(np.zeros((90, 300), dtype=np.uint8)) == 90


def test_the_row_lies_on_the_line_and_runs_from_edge_to_centre() -> None:
    line = Line(edge_px=(0.0, 150.0), center_px=(1000.0, 150.0))
    places = tiles_along(line, shape=(300, 1000), size_px=200)
    assert [place.row0 for place in places] == [50] * 5
    assert [place.s for place in places] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert places[0].s_err == pytest.approx(0.1807 * 0.2, rel=1e-3)  # Hann: sqrt(1/12 - 1/(2 pi^2))


def test_s_runs_against_x_when_the_centre_lies_to_the_left() -> None:
    line = Line(edge_px=(1000.0, 150.0), center_px=(0.0, 150.0))
    first = tiles_along(line, shape=(300, 1000), size_px=200)[0]
    assert first.s == pytest.approx(0.1)
    assert first.col0 == 800


def test_edge_and_centre_may_lie_outside_the_image() -> None:
    line = Line(edge_px=(-500.0, 700.0), center_px=(3000.0, 700.0))
    places = tiles_along(line, shape=(300, 1000), size_px=200)
    assert len(places) == 5
    assert places[0].row0 == 100  # the nearest row that the image allows
    assert places[0].s == pytest.approx((500.0 + 100.0) / 3500.0)
    beyond = Line(edge_px=(5000.0, 100.0), center_px=(9000.0, 100.0))
    assert tiles_along(beyond, shape=(300, 1000), size_px=200) == []


@settings(max_examples=60, deadline=None)
@given(
    edge=st.tuples(st.floats(-400, 1200), st.floats(-400, 900)),
    angle=st.floats(0, 2 * np.pi),
    length=st.floats(50, 1500),
    size=st.integers(40, 300),
)
def test_regions_lie_in_the_image_apart_and_between_edge_and_centre(
    edge: tuple[float, float], angle: float, length: float, size: int
) -> None:
    center = (edge[0] + length * np.cos(angle), edge[1] + length * np.sin(angle))
    line = Line(edge_px=edge, center_px=center)
    places = tiles_along(line, shape=(480, 800), size_px=size)
    for place in places:
        assert 0 <= place.row0 <= 480 - size
        assert 0 <= place.col0 <= 800 - size
        x, y = place.col0 + size / 2, place.row0 + size / 2
        along = np.array([x - edge[0], y - edge[1]]) @ [np.cos(angle), np.sin(angle)]
        assert place.s == pytest.approx(along / length, abs=1e-9)
        assert -2 / length <= place.s <= 1 + 2 / length
    for one, other in pairwise(places):
        apart = max(abs(one.row0 - other.row0), abs(one.col0 - other.col0))
        assert apart >= size - 2


def test_without_a_line_the_whole_image_is_tiled_and_s_is_unknown() -> None:
    places = tiles_over(shape=(430, 650), size_px=200)
    assert len(places) == 6
    assert all(np.isnan(place.s) and np.isnan(place.s_err) for place in places)
    assert len({place.label for place in places}) == 6
    assert {(place.row0, place.col0) for place in places} == {
        (r, c) for r in (15, 215) for c in (25, 225, 425)
    }
    assert len(tiles_over(shape=(4000, 4000), size_px=100)) == 240


def test_a_given_region_keeps_its_label_and_place() -> None:
    line = Line(edge_px=(0.0, 0.0), center_px=(0.0, 400.0))
    place = placed("mine", row0=100, col0=10, size_px=50, line=line)
    assert (place.label, place.row0, place.col0, place.size_px) == ("mine", 100, 10, 50)
    assert place.s == pytest.approx(125.0 / 400.0)
