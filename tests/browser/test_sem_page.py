"""SEM page in a browser: regions chosen on the image and in the table, a sharp crop where one zooms in."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenVisitor
from tests.browser.places import move_to, on_screen, wait_for_view

pytestmark = pytest.mark.browser

CROPPED = """() => {
  const found = document.getElementById('sem-image'), graph = found.querySelector('.js-plotly-plot') || found;
  const [left, right] = graph._fullLayout.xaxis.range, picture = graph.layout.images[0];
  return right - left < 1.2 && picture.sizex < 1.5
    && picture.x <= left + 0.05 && picture.x + picture.sizex >= right - 0.05;
}"""


def test_a_click_on_the_image_chooses_the_region_under_it(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/sem")
    page.mouse.click(*on_screen(page, "sem-image", 1.75, 0.7))
    wait_for_view(page, "r", "R8")
    expect(page.get_by_test_id("panel-spectrum")).to_contain_text("Spectrum, region R8")
    expect(page.locator('.ag-row-selected [col-id="label"]')).to_have_text("R8")
    # R8 is centred at s = 0.883, where the law gives 18.09 nm.
    expect(page.get_by_test_id("region-values")).to_contain_text("18.09 ± 0.13 nm")


def test_a_row_of_the_table_chooses_its_region(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/sem?r=R8")
    page.locator('.ag-row [col-id="label"]', has_text="R3").click()
    wait_for_view(page, "r", "R3")
    expect(page.get_by_test_id("panel-sem-radial")).to_contain_text("Radial average, region R3")


def test_zooming_in_fetches_a_sharp_crop_of_what_is_in_view(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/sem")
    asked: list[dict[str, list[str]]] = []
    page.on("request", lambda request: asked.append(parse_qs(urlsplit(request.url).query)))
    move_to(page, "sem-image", 1.5, 0.3)
    for _ in range(6):
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(60)
    page.wait_for_function(CROPPED)
    crops = [one for one in asked if "x0" in one]
    assert crops
    first, last = int(crops[-1]["x0"][0]), int(crops[-1]["x1"][0])
    assert first < 750 < last
    assert last - first < 700


def test_a_typed_region_is_measured_and_a_drawn_one_too(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/sem")
    for name, value in (("x", "600"), ("y", "200"), ("size", "400")):
        page.locator(f"#region-{name}").fill(value)
    page.locator("#add-region").click()
    wait_for_view(page, "r", "D1")
    expect(page.get_by_test_id("panel-spectrum")).to_contain_text("Spectrum, region D1")
    page.locator('#sem-image .modebar-btn[data-attr="dragmode"][data-val="drawrect"]').click()
    start, end = on_screen(page, "sem-image", 1.2, 0.25), on_screen(page, "sem-image", 1.6, 0.65)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()
    wait_for_view(page, "r", "D2")
    expect(page.get_by_test_id("panel-spectrum")).to_contain_text("Spectrum, region D2")
    expect(page.locator('.ag-row [col-id="label"]', has_text="D2")).to_have_count(1)
