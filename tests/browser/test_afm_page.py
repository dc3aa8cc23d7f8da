"""AFM page in a browser: a line drawn on one map is measured on both, stays in the link, leaves as CSV."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenVisitor
from tests.browser.places import drag, move_to, viewed, wait_for_view

pytestmark = pytest.mark.browser

START, END = (2.4, 3.0), (9.6, 8.4)


def drawn_ends(page: Page) -> list[float]:
    page.wait_for_function("() => Boolean(new URLSearchParams(location.search).get('d'))")
    return [float(word) for word in str(viewed(page, "d")).split("_")[-1].split("-")]


def test_a_drawn_line_is_measured_on_both_maps_and_stays_in_the_link(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif/afm")
    drag(page, "afm-height", START, END)
    assert drawn_ends(page) == pytest.approx([*START, *END], abs=0.06)
    wait_for_view(page, "l", "D1")
    expect(page.get_by_test_id("line-words")).to_contain_text("9.0")
    again = one.visit(page.url.removeprefix(one.site))
    expect(again.get_by_test_id("line-words")).to_contain_text("9.0")
    for graph in ("afm-height", "afm-modulus"):
        ends = again.evaluate(
            "(id) => { const found = document.getElementById(id);"
            " const graph = found.querySelector('.js-plotly-plot') || found;"
            " const line = graph.data.find(t => t.name === 'D1'); return [...line.x, ...line.y]; }",
            graph,
        )
        assert ends == pytest.approx([START[0], END[0], START[1], END[1]], abs=0.06)


def test_the_line_leaves_as_csv(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/afm?d=2-3-10-9&l=D1&cv=exact&t=3")
    with page.expect_download() as started:
        page.get_by_test_id("csv-line").click()
    text = started.value.path().read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO("\n".join(one for one in text.splitlines() if one[:1] != "#"))))
    assert (rows[-1]["distance_um"], rows[-1]["x_um"], rows[-1]["y_um"]) == ("10", "10", "9")


def test_a_drawn_line_can_be_moved_by_its_end(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/afm?d=3-3-9-3&l=D1")
    drag(page, "afm-modulus", (6.0, 3.0), (6.0, 3.0))
    drag(page, "afm-modulus", (9.0, 3.0), (9.0, 7.0))
    page.wait_for_function(
        "() => !(new URLSearchParams(location.search).get('d') || '').startsWith('3-3-9-3')"
    )
    assert drawn_ends(page) == pytest.approx([3.0, 3.0, 9.0, 7.0], abs=0.15)


def test_a_point_of_the_profile_shows_where_it_lies(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/afm?d=2-3-10-9&l=D1&cv=exact")
    move_to(page, "afm-profile", 5.0, 4000.0)
    page.wait_for_selector(".line-dot-on", state="attached")
    places = page.locator(".line-dot-on").evaluate_all("dots => dots.map(d => d.dataset.place)")
    assert len(places) == 2
    for place in places:
        assert [float(word) for word in place.split(",")] == pytest.approx([6.0, 6.0], abs=0.15)


def test_a_line_can_be_typed(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/afm")
    for name, value in zip(("x0", "y0", "x1", "y1"), ("1", "2", "4", "6"), strict=True):
        page.locator(f"input#end-{name}").fill(value)
    page.get_by_role("button", name="Add line").click()
    assert drawn_ends(page) == pytest.approx([1.0, 2.0, 4.0, 6.0])
    expect(page.get_by_test_id("line-words")).to_contain_text("5.0")
    page.get_by_role("button", name="Clear drawn lines").click()
    wait_for_view(page, "l", "line 1")


def test_thickness_in_pixels_is_told_in_nm(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/s/dif/afm?d=1-6-11-6&l=D1")
    thickness = page.get_by_role("textbox", name="Thickness in pixels")
    thickness.fill("7")
    thickness.press("Enter")
    wait_for_view(page, "t", "7")
    expect(page.get_by_test_id("line-words")).to_contain_text("1400 nm thick")


def test_lines_are_compared_against_s_and_the_link_keeps_it(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif/afm?d=2-3-10-9")
    page.get_by_text("all lines", exact=True).click()
    expect(page.get_by_test_id("line-words")).to_have_text("3 lines")
    page.get_by_role("group", name="Axis of the profile").get_by_text("s", exact=True).click()
    page.get_by_text("slope", exact=True).click()
    for name, value in (("rq", "slope"), ("lm", "all"), ("lx", "s")):
        wait_for_view(page, name, value)
    again = one.visit(page.url.removeprefix(one.site))
    expect(again.get_by_test_id("line-words")).to_have_text("3 lines")
    title = again.evaluate(
        "() => (document.querySelector('#afm-profile .js-plotly-plot')"
        " || document.querySelector('#afm-profile.js-plotly-plot')).layout.xaxis.title.text"
    )
    assert title.startswith("s, 0 at the edge")
    with page.expect_download() as started:
        again.get_by_test_id("csv-line").click()
    assert "D1" in started.value.path().read_text(encoding="utf-8")
