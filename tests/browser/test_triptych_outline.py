"""An outline is edited by hand and by keys, saved with a name, and the page shows what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from analysis.io.edits import OutlineEdit, add_edit, read_edits
from analysis.io.results import read_result
from tests.browser.places import on_screen
from tests.browser.site import SIZES, Visitor, serve, visitor
from tests.made_edits import make_editable

pytestmark = pytest.mark.browser
CORNERS = "() => [...document.querySelectorAll('.edit-corner')].map(c => c.getAttribute('aria-label'))"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_editable(tmp_path_factory.mktemp("outline") / "workspace", size=9)


@pytest.fixture(scope="module")
def one(workspace: Path, context_of_size: Callable[[tuple[int, int]], BrowserContext]) -> Iterator[Visitor]:
    with serve(workspace) as site:
        found = visitor(context_of_size(SIZES[0]), site, scheme="light")
        yield found
        found.page.close()


def begin(one: Visitor, modality: str) -> Page:
    page = one.visit("/s/dif")
    page.locator(f'[data-edit="outline"][data-modality="{modality}"]').click()
    page.wait_for_function("() => document.querySelector('.edit-none, .edit-history')")
    page.wait_for_timeout(300)
    return page


def test_a_corner_is_dragged_moved_by_keys_and_saved_with_a_name(one: Visitor, workspace: Path) -> None:
    page = begin(one, "xray")
    before = page.evaluate(CORNERS)
    assert before[0].startswith("Corner 1 of 4")
    corner = page.locator(".edit-corner").first
    corner.hover()
    page.mouse.down()
    page.mouse.move(*on_screen(page, "map-xray", 3.0, 3.0), steps=4)
    page.mouse.up()
    page.wait_for_function(
        "() => document.querySelector('.edit-corner').getAttribute('aria-label').includes('3.00')"
    )
    corner.focus()
    there = float(corner.get_attribute("cx") or "nan")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function(
        "(x) => Math.abs(document.querySelector('.edit-corner').getAttribute('cx') - x - 11) < 0.3", arg=there
    )
    page.keyboard.press("Insert")
    page.wait_for_function("() => document.querySelectorAll('.edit-corner').length === 5")
    page.keyboard.press("Delete")
    page.wait_for_function("() => document.querySelectorAll('.edit-corner').length === 4")
    assert page.evaluate("location.search").find("a=") < 0  # nothing was pinned meanwhile
    page.get_by_role("button", name="Save this outline").click()
    assert "Who are you?" in page.locator(".edit-said").inner_text()
    page.get_by_label("Your name, kept with the edit").fill("Ann")
    with page.expect_navigation(timeout=60_000):
        page.get_by_role("button", name="Save this outline").click()
    one.wait()
    outline = read_result(workspace / "results" / "dif.h5").xray[0].outline
    assert outline is not None
    assert outline.source == "drawn"
    assert page.evaluate("window.triptychLinked.state.data.xray[0].source") == "drawn"
    assert read_edits(workspace / "dif")[0].who == "Ann"
    assert one.faults.found == []


def test_an_outline_is_drawn_by_clicks_and_a_conflict_is_told(one: Visitor, workspace: Path) -> None:
    page = begin(one, "afm")
    page.get_by_role("button", name="Draw a new outline").click()
    for place in ((3.0, 3.0), (9.0, 3.0), (6.0, 9.0)):
        page.mouse.click(*on_screen(page, "map-afm", *place))
    page.keyboard.press("Enter")
    labels = page.evaluate(CORNERS)
    assert len(labels) == 3
    assert "x 9.0" in labels[1]
    bob = OutlineEdit(what="outline", who="Bob", when="2026-03-01T12:00:00Z", of="afm.0", outline_um=None)
    count = add_edit(workspace / "dif", bob)
    page.get_by_label("Your name, kept with the edit").fill("Ann")
    page.get_by_role("button", name="Save this outline").click()
    page.wait_for_function("() => document.querySelector('.edit-said').textContent.includes('Bob')")
    assert "Bob saved another edit meanwhile" in page.locator(".edit-said").inner_text()
    assert len(read_edits(workspace / "dif")) == count
    assert all("409" in fault for fault in one.faults.found)
    one.faults.found.clear()
    assert page.locator(".edit-none").count() == 1
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.edit-bar')")


def test_the_crystal_that_is_clicked_is_outlined(one: Visitor) -> None:
    page = begin(one, "afm")
    page.get_by_role("button", name="Draw a new outline").click()
    page.get_by_role("button", name="Find the outline").click()
    page.mouse.click(*on_screen(page, "map-afm", 6.0, 6.0))
    page.wait_for_function("() => document.querySelectorAll('.edit-corner').length >= 4")
    assert one.faults.found == []
