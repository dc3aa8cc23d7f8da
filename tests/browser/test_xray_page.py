"""X-ray page in a browser: the pattern under the cursor, pins A and B, links that restore the view."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenVisitor
from tests.browser.places import move_to, on_screen, viewed, wait_for_view

pytestmark = pytest.mark.browser

COLOUR_RANGE = """() => {
  const graph = document.querySelector('#xray-map .js-plotly-plot') || document.getElementById('xray-map');
  const trace = graph.data[2];
  return [trace.name, trace.zmin, trace.zmax];
}"""


def pinned_name(page: Page) -> str:
    return page.locator("#xray-pattern-name").inner_text()


def test_the_pattern_under_the_cursor_shows_at_once(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/xray")
    move_to(page, "xray-map", 9.2, 4.1)
    page.wait_for_function("() => document.getElementById('pattern-live').dataset.point === '4.9'")
    assert page.locator("#pattern-live").evaluate("c => getComputedStyle(c).visibility") == "visible"
    # The picture is that of the point: its four peaks are bright against the middle between them.
    move_to(page, "xray-map", 1.0, 1.0)
    page.wait_for_function("() => document.getElementById('pattern-live').dataset.point === '1.1'")
    page.mouse.move(2, 2)
    page.wait_for_function(
        "getComputedStyle(document.getElementById('pattern-live')).visibility === 'hidden'"
    )


def test_a_click_pins_a_and_shift_click_pins_b(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif/xray")
    page.mouse.click(*on_screen(page, "xray-map", 5.1, 6.9))
    wait_for_view(page, "a", "7.5")
    expect(page.locator("#xray-pattern-name")).to_contain_text("row 7, col 5")
    page.keyboard.down("Shift")
    page.mouse.click(*on_screen(page, "xray-map", 7.0, 6.0))
    page.keyboard.up("Shift")
    wait_for_view(page, "b", "6.7")
    expect(page.locator("#xray-pattern-name")).to_contain_text("row 6, col 7")
    page.get_by_test_id("pattern").get_by_text("A − B", exact=True).click()
    expect(page.locator("#xray-pattern-name")).to_contain_text("−")
    wait_for_view(page, "ps", "a-b")
    shown = pinned_name(page)
    address = page.url
    again = one.visit(address.removeprefix(one.site))
    assert pinned_name(again) == shown
    marks = again.evaluate(
        "() => (document.querySelector('#xray-map .js-plotly-plot') || document.getElementById('xray-map'))"
        ".layout.annotations.filter(a => (a.name || '').startsWith('pin')).map(a => [a.text, a.x, a.y])"
    )
    assert marks == [["A", 5, 7], ["B", 7, 6]]


def test_keys_move_the_cursor_and_pin(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/xray")
    page.locator('[data-panel="xray"]').focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_function("() => Boolean(document.getElementById('pattern-live').dataset.point)")
    point = page.locator("#pattern-live").get_attribute("data-point")
    page.keyboard.press("Enter")
    wait_for_view(page, "a", str(point))


def test_another_map_and_limits_by_hand_stay_in_the_link(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif/xray?xq=gamma")
    page.get_by_role("textbox", name="Colour limits").click()
    page.get_by_role("option", name="by hand").click()
    low = page.get_by_role("textbox", name="Lower colour limit")
    expect(low).not_to_have_value("")
    low.fill("80")
    low.press("Enter")
    wait_for_view(page, "lo", "80")
    page.wait_for_function(f"() => ({COLOUR_RANGE})()[1] === 80")
    again = one.visit(page.url.removeprefix(one.site))
    name, lowest, highest = again.evaluate(COLOUR_RANGE)
    assert (name, lowest) == ("gamma", 80)
    assert highest == pytest.approx(float(viewed(again, "hi") or "nan"))


def test_the_part_of_the_pattern_that_is_asked_for_is_drawn(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/xray?a=7.7&ps=a")
    near = float(page.locator("#xray-pattern-box").get_attribute("data-q-most") or "nan")
    # Twice the first order of the narrowest lattice, 2 pi / 11.6 nm, is in view.
    assert near > 2 * 0.54
    page.get_by_test_id("pattern").get_by_text("all q", exact=True).click()
    wait_for_view(page, "pz", "all")
    page.wait_for_function("() => !document.getElementById('xray-pattern-box').dataset.qMost")


@pytest.mark.parametrize("modality", ["sem", "afm"])
def test_a_missing_modality_is_said_with_a_way_back(open_visitor: OpenVisitor, modality: str) -> None:
    page = open_visitor().visit(f"/s/xonly/{modality}")
    expect(page.get_by_test_id(f"missing-{modality}")).to_be_visible()
    page.get_by_role("link", name="Back to its three panels").click()
    page.wait_for_url("**/s/xonly*")
    expect(page.get_by_test_id("panel-xray")).to_be_visible()
