"""Cross-correlation in a browser: it follows pinned points and the pair of rings; the link keeps both."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenVisitor
from tests.browser.places import wait_for_view

pytestmark = pytest.mark.browser

CURVES = """() => {
  const graph = document.querySelector('#axcca .js-plotly-plot') || document.getElementById('axcca');
  return graph.data.filter((trace) => trace.name && !trace.fill).map((trace) => trace.name);
}"""


def test_it_follows_pins_and_pairs(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif/xray?a=7.5")
    assert page.evaluate(CURVES) == ["A: row 7, col 5", "mean"]
    expect(page.get_by_test_id("pinned")).to_contain_text("7, 5")
    page.locator('[data-panel="xray"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(f"() => ({CURVES})().length === 3")
    page.get_by_role("textbox", name="Rings", exact=True).click()
    page.get_by_role("option", name="100 × 110").click()
    wait_for_view(page, "ac", "100-110")
    expect(page.get_by_test_id("csv-cross_correlation")).to_have_attribute(
        "href", "/csv/dif/xray/0/correlation.csv?pair=100-110&points=all&a=7.5&b=7.8"
    )
    again = one.visit(page.url.removeprefix(one.site))
    assert len(again.evaluate(CURVES)) == 3
    expect(again.locator("#axcca-words")).to_contain_text("four-fold part")
