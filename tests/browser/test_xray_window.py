"""The window of q and phi in a browser: sliders, a drawn rectangle, the map that follows, its CSV."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenVisitor
from tests.browser.places import drag, move_to

pytestmark = pytest.mark.browser

GRAPH = """(id) => document.querySelector('#' + id + ' .js-plotly-plot') || document.getElementById(id)"""
COUNTED = f"""() => {{
  const graph = ({GRAPH})('window-map');
  const trace = graph && graph._fullData ? graph._fullData.find((one) => one.name === 'window') : null;
  if (!trace) return 0;
  return Array.from(trace.z).flatMap((row) => Array.from(row)).filter(isFinite).reduce((a, b) => a + b, 0);
}}"""
SHAPES = f"""(id) => (({GRAPH})(id).layout.shapes || []).filter((shape) => shape.name === 'window')
  .map((shape) => [shape.x0, shape.x1, shape.y0, shape.y1])"""


def asked(page: Page, name: str) -> list[float]:
    """The two ends of a range that the address holds."""
    return [
        float(text) for text in page.evaluate("n => new URLSearchParams(location.search).getAll(n)", name)
    ]


def wait_for_counts(page: Page, than: float = 0.0) -> float:
    page.wait_for_function(f"(than) => {{ const n = ({COUNTED})(); return n > 0 && n !== than; }}", arg=than)
    return float(page.evaluate(COUNTED))


def test_the_map_follows_the_sliders_by_keyboard(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif/xray?wq=0.4&wq=0.6")
    before = wait_for_counts(page)
    expect(page.locator("#window-q")).to_have_text("0.40 to 0.60 nm⁻¹")
    page.get_by_role("slider", name="Largest q in nm⁻¹").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => new URLSearchParams(location.search).getAll('wq')[1] > 0.6")
    assert wait_for_counts(page, before) > before
    assert asked(page, "wq")[0] == pytest.approx(0.4)
    again = one.visit(page.url.removeprefix(one.site))
    assert asked(again, "wq") == pytest.approx(asked(page, "wq"))
    wait_for_counts(again)


def test_a_rectangle_on_the_polar_average_is_the_window(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/xray")
    before = wait_for_counts(page)
    drag(page, "polar", (-60.0, 0.4), (20.0, 0.8))
    page.wait_for_function("() => new URLSearchParams(location.search).getAll('wp').length === 2")
    page.wait_for_function("() => Number(new URLSearchParams(location.search).getAll('wp')[0]) > -70")
    assert asked(page, "wp") == pytest.approx([-60.0, 20.0], abs=4.0)
    assert asked(page, "wq") == pytest.approx([0.4, 0.8], abs=0.05)
    wait_for_counts(page, before)
    # Drawn where it was chosen, and half a turn further on: from 120 degrees to 200, which is -160.
    drawn = sorted(page.evaluate(SHAPES, "polar"))
    assert [round(shape[0] / 10) * 10 for shape in drawn] == [-180, -60, 120]
    href = page.get_by_test_id("csv-window").get_attribute("href") or ""
    assert f"p0={asked(page, 'wp')[0]:g}" in href


def test_a_range_on_the_radial_profiles_is_a_window_of_q(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/xray")
    before, turns = wait_for_counts(page), asked(page, "wp")
    graph = page.locator("#positions .nsewdrag").first.bounding_box()
    page.mouse.move(graph["x"] + 0.5 * graph["width"], graph["y"] + 0.3 * graph["height"])
    page.mouse.down()
    page.mouse.move(graph["x"] + 0.8 * graph["width"], graph["y"] + 0.6 * graph["height"], steps=5)
    page.mouse.up()
    wait_for_counts(page, before)
    assert asked(page, "wp") == turns
    low, high = asked(page, "wq")
    assert page.evaluate(SHAPES, "positions")[0][:2] == pytest.approx([low, high])


def test_every_pixel_is_drawn_where_the_cursor_rests(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/xray")
    move_to(page, "xray-map", 9.2, 4.1)
    page.wait_for_function("() => document.getElementById('pattern-live').dataset.detail === 'full'")
    assert page.locator("#pattern-live").get_attribute("data-point") == "4.9"
