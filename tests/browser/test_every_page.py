"""Every address, both colour schemes, two sizes: drawn, without a complaint, usable by everyone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import OpenVisitor
from tests.browser.site import ADDRESSES, SCHEMES, SIZES

pytestmark = pytest.mark.browser

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
GRAVE = {"serious", "critical"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_address_is_drawn_without_a_complaint(open_visitor: OpenVisitor, scheme: str) -> None:
    one = open_visitor(scheme=scheme)
    for name, path in ADDRESSES.items():
        page = one.visit(path)
        assert page.locator("html").get_attribute("data-mantine-color-scheme") == scheme, name
        assert grave_violations(page) == [], name
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            one.wait()
            assert page.locator("#main").inner_text().strip(), name
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, f"{name} is wider than the window at {width} px"
        assert one.faults.found == [], name
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


def grave_violations(page: object) -> list[str]:
    """What axe-core finds serious or critical, one line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"][:3]
    ]


def test_the_page_names_its_language_and_has_one_main_part(open_visitor: OpenVisitor) -> None:
    page = open_visitor().visit("/")
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main").count() == 1
    assert "Triptych" in page.title()


def test_the_three_panels_stand_side_by_side_at_equal_height(open_visitor: OpenVisitor) -> None:
    page = open_visitor(size=(1280, 720)).visit("/s/dif")
    boxes = [page.get_by_test_id(f"panel-{name}").bounding_box() for name in ("xray", "sem", "afm")]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert len({round(box["height"]) for box in boxes}) == 1
    assert all(one["x"] + one["width"] <= other["x"] for one, other in pairwise(boxes))
    assert boxes[2]["x"] + boxes[2]["width"] <= 1280
    # The co-profile is in sight without scrolling.
    below = page.get_by_test_id("coprofile").bounding_box()
    assert below["y"] + below["height"] <= 720
