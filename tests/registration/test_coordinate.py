"""The coordinate is 0 at the edge and 1 at the centre, and does not care how the crystal lies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.records import Outline
from analysis.registration.coordinate import coordinate_at
from analysis.registration.geometry import area_um2, largest_depth_um, signed_distance_um
from analysis.registration.outline import outline_of_polygon
from tests.registration.crystals import Square

KINDS = ("rectangle", "distance", "ray")

squares = st.builds(
    Square,
    centre=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    half=st.floats(0.5, 40).map(lambda a: (a, a)),
    turn_deg=st.floats(-180, 180),
)
rectangles = st.builds(
    Square,
    centre=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    half=st.tuples(st.floats(1, 20), st.floats(1, 20)),
    turn_deg=st.floats(-180, 180),
)


def outline_of(crystal: Square, error_um: float = 0.0) -> Outline:
    return outline_of_polygon(crystal.corners(), error_um=error_um)


def at_own(crystal: Square, u: float, v: float) -> tuple[float, float]:
    """Place (x, y) of a point given in half sides along the crystal's own axes."""
    turn = math.radians(crystal.turn_deg)
    a, b = u * crystal.half[0], v * crystal.half[1]
    x = crystal.centre[0] + a * math.cos(turn) - b * math.sin(turn)
    return x, crystal.centre[1] - a * math.sin(turn) - b * math.cos(turn)


@settings(max_examples=20, deadline=None)
@given(crystal=rectangles, share=st.floats(-1, 1))
def test_zero_at_the_edge_and_one_at_the_centre(crystal: Square, share: float) -> None:
    outline = outline_of(crystal)
    centre = coordinate_at(outline, *crystal.centre)
    for kind in KINDS:
        assert float(centre.s[kind]) == pytest.approx(1.0, abs=1e-4)
    for u, v in ((1, share), (-1, share), (share, 1), (share, -1)):
        just_in = coordinate_at(outline, *at_own(crystal, 0.9999 * u, 0.9999 * v))
        just_out = coordinate_at(outline, *at_own(crystal, 1.001 * u, 1.001 * v))
        assert float(just_out.depth_um) < 0.0 < float(just_in.depth_um)
        for kind in KINDS:
            assert float(just_in.s[kind]) == pytest.approx(0.0, abs=5e-3)
            assert np.isnan(just_out.s[kind])
            assert np.isnan(just_out.s_err[kind])


@settings(max_examples=20, deadline=None)
@given(crystal=rectangles, direction=st.floats(0, 360))
def test_it_rises_along_every_ray_to_the_centre(crystal: Square, direction: float) -> None:
    radius = np.linspace(0.0, 1.5 * max(crystal.half), 200)
    x = crystal.centre[0] + radius * math.cos(math.radians(direction))
    y = crystal.centre[1] + radius * math.sin(math.radians(direction))
    found = coordinate_at(outline_of(crystal), x, y)
    for kind in KINDS:
        known = found.s[kind][np.isfinite(found.s[kind])]
        assert known.size > 5
        assert np.all(np.diff(known) <= 1e-9)
    assert np.all(np.diff(found.depth_um) <= 1e-9)


@settings(max_examples=20, deadline=None)
@given(
    half=st.tuples(st.floats(1, 10), st.floats(1, 10)),
    shift=st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
    turn=st.floats(-180, 180),
    scale=st.floats(0.1, 30),
    aspect=st.floats(0.3, 3),
)
def test_it_is_the_same_wherever_and_however_large_the_crystal_is(
    half: tuple[float, float], shift: tuple[float, float], turn: float, scale: float, aspect: float
) -> None:
    # The same points of the crystal, on pixels of any aspect.
    own = np.array([(u, v) for u in np.arange(-0.96, 1, 0.16) for v in np.arange(-0.96, 1, 0.16 * aspect)])
    plain, moved = Square(half=half), Square(shift, (half[0] * scale, half[1] * scale), turn)
    places = [np.array([at_own(crystal, u, v) for u, v in own]).T for crystal in (plain, moved)]
    first = coordinate_at(outline_of(plain), *places[0])
    second = coordinate_at(outline_of(moved), *places[1])
    for kind in KINDS:
        np.testing.assert_allclose(first.s[kind], second.s[kind], atol=1e-5)
    np.testing.assert_allclose(second.depth_um, scale * first.depth_um, rtol=1e-6, atol=1e-9 * scale)
    np.testing.assert_allclose(first.s["rectangle"], 1.0 - np.abs(own).max(axis=1), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(crystal=squares)
def test_on_a_whole_square_rectangle_is_the_distance_over_its_largest(crystal: Square) -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 41))
    x, y = crystal.centre[0] + crystal.half[0] * x, crystal.centre[1] + crystal.half[0] * y
    found = coordinate_at(outline_of(crystal), x, y)
    both = np.isfinite(found.s["rectangle"]) & np.isfinite(found.s["distance"])
    assert both.sum() > 500
    assert np.abs(found.s["rectangle"] - found.s["distance"])[both].max() < 1e-3
    np.testing.assert_allclose(found.s["distance"][both] * crystal.half[0], found.depth_um[both], rtol=1e-3)


@pytest.mark.parametrize("turn", [0.0, 17.0, 45.0])
@pytest.mark.parametrize("cut", [0.3, 0.6])
def test_one_missing_corner_hardly_moves_it(turn: float, cut: float) -> None:
    whole, broken = Square(half=(5.0, 5.0), turn_deg=turn), Square(half=(5.0, 5.0), turn_deg=turn, cut=cut)
    x, y = np.meshgrid(np.linspace(-7.2, 7.2, 80), np.linspace(-7.2, 7.2, 80))
    one, other = coordinate_at(outline_of(whole), x, y), coordinate_at(outline_of(broken), x, y)
    both = np.isfinite(one.s["rectangle"]) & np.isfinite(other.s["rectangle"])
    assert np.abs(one.s["rectangle"] - other.s["rectangle"])[both].max() < 0.02
    gone = whole.inside(x, y) & ~broken.inside(x, y)
    assert gone.sum() > 20
    assert np.isnan(other.s["rectangle"][gone]).all()
    assert (other.depth_um[gone] <= 0.0).all()


def test_the_error_of_s_is_how_much_s_moves_with_the_outline() -> None:
    # Sides at -5 and 5 um, each known to 0.2 um: redraw them and see how s of fixed points varies.
    random = np.random.default_rng(3)
    x = np.array([0.5, 2.0, 3.5, 4.5])
    low, high = random.normal(-5.0, 0.2, 20000), random.normal(5.0, 0.2, 20000)
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    spread = (1.0 - np.abs(x[:, None] - centre) / half).std(axis=1)
    found = coordinate_at(outline_of(Square(half=(5.0, 30.0)), error_um=0.2), x, np.zeros(4))
    np.testing.assert_allclose(found.s_err["rectangle"], spread, rtol=0.03)
    blurred = coordinate_at(outline_of(Square(half=(5.0, 30.0))), x, np.zeros(4), footprint_um=0.15)
    np.testing.assert_allclose(blurred.s_err["rectangle"], 0.15 / 5.0)


def test_distance_to_a_polygon_is_that_of_the_densely_drawn_outline() -> None:
    polygon = np.array([(0.0, 0.0), (6.0, 1.0), (5.0, 4.0), (3.0, 2.5), (1.0, 5.0)])
    ends = np.roll(polygon, -1, axis=0)
    drawn = np.concatenate(
        [a + np.linspace(0, 1, 2000)[:, None] * (b - a) for a, b in zip(polygon, ends, strict=True)]
    )
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 7, 300), random.uniform(-1, 6, 300)
    nearest = np.hypot(x[:, None] - drawn[:, 0], y[:, None] - drawn[:, 1]).min(axis=1)
    found = signed_distance_um(polygon, x, y)
    np.testing.assert_allclose(np.abs(found), nearest, atol=2e-3)
    for px, py, inside in ((2.0, 1.5, True), (5.0, 2.0, True), (3.0, 4.0, False), (-0.5, 2.0, False)):
        assert bool(signed_distance_um(polygon, px, py) > 0.0) == inside


def test_the_largest_circle_in_a_triangle_is_its_incircle() -> None:
    triangle = np.array([(0.0, 0.0), (4.0, 0.0), (0.0, 3.0)])
    assert area_um2(triangle) == pytest.approx(6.0)
    assert largest_depth_um(triangle) == pytest.approx(1.0, rel=1e-4)
