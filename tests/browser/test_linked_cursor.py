"""The cursor stands at the same s in every panel: read from where it is drawn, in um, not from a callback."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.site import SIZES, visitor
from tests.synthetic_crystal import HALF_SIDE_UM, TURN_RAD, a_sc_nm, modulus_gpa, spacing_nm
from tests.synthetic_images import AFM_FIELD_UM, SEM_PIXEL_NM, SEM_SHAPE

pytestmark = pytest.mark.browser

XRAY_CENTRE_UM = (7.0, 7.0)
STEP_UM = 1.0
AFM_CENTRE_UM = (AFM_FIELD_UM / 2, AFM_FIELD_UM / 2)
SEM_WIDTH_UM = SEM_SHAPE[1] * SEM_PIXEL_NM * 1e-3

TO_SCREEN = """([panel, x, y]) => {
  const graph = document.querySelector(`[data-panel="${panel}"] .js-plotly-plot`);
  const frame = graph.getBoundingClientRect(), { xaxis, yaxis } = graph._fullLayout;
  return [frame.left + xaxis._offset + xaxis.d2p(x), frame.top + yaxis._offset + yaxis.d2p(y)];
}"""
CURSOR_UM = """(panel) => {
  const graph = document.querySelector(`[data-panel="${panel}"] .js-plotly-plot`);
  const mark = document.querySelector(`[data-testid="cursor-${panel}"]`);
  if (getComputedStyle(mark).visibility !== 'visible') return null;
  const { xaxis, yaxis } = graph._fullLayout;
  const frame = graph.getBoundingClientRect(), at = mark.getBoundingClientRect();
  return [xaxis.p2d(at.left + at.width / 2 - frame.left - xaxis._offset),
          yaxis.p2d(at.top + at.height / 2 - frame.top - yaxis._offset)];
}"""


@pytest.fixture(scope="module")
def page(site: str, context_of_size: Callable[[tuple[int, int]], BrowserContext]) -> Iterator[Page]:
    """The Triptych page of the diffusion crystal, opened once; at the end it may have met no fault."""
    one = visitor(context_of_size(SIZES[0]), site, scheme="light")
    yield one.visit("/s/dif")
    one.page.close()
    assert one.faults.found == []


def s_in_square(point_um: tuple[float, float], centre_um: tuple[float, float]) -> float:
    """s of a point in the made-up square crystal: 0 at its edge, 1 at its centre."""
    dx, dy = point_um[0] - centre_um[0], point_um[1] - centre_um[1]
    u = dx * math.cos(TURN_RAD) - dy * math.sin(TURN_RAD)
    v = dx * math.sin(TURN_RAD) + dy * math.cos(TURN_RAD)
    return 1.0 - max(abs(u), abs(v)) / HALF_SIDE_UM


def point_at(page: Page, panel: str, x: float, y: float) -> None:
    left, top = page.evaluate(TO_SCREEN, [panel, x, y])
    page.mouse.move(left, top)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def value(page: Page, name: str) -> float:
    return float(page.get_by_test_id(f"value-{name}").inner_text().split()[0])


@pytest.mark.parametrize("place", [(7.1, 4.2), (9.9, 7.2), (5.2, 9.1)])
def test_pointing_at_the_xray_map_puts_every_cursor_at_the_same_s(
    page: Page, place: tuple[float, float]
) -> None:
    point_at(page, "xray", *place)
    s = s_in_square(place, XRAY_CENTRE_UM)
    assert 0.1 < s < 0.9
    assert page.evaluate(CURSOR_UM, "xray") == pytest.approx(place, abs=0.06)
    assert s_in_square(page.evaluate(CURSOR_UM, "afm"), AFM_CENTRE_UM) == pytest.approx(s, abs=0.02)
    assert page.evaluate(CURSOR_UM, "sem")[0] / SEM_WIDTH_UM == pytest.approx(s, abs=0.02)
    assert page.evaluate(CURSOR_UM, "coprofile")[0] == pytest.approx(s, abs=0.02)
    assert value(page, "s") == pytest.approx(s, abs=0.01)
    # A scan point is a step wide, a bin of s a tenth: the values are those of the laws within that.
    step = 0.5 * STEP_UM / HALF_SIDE_UM * 1.2
    assert value(page, "xray") == pytest.approx(float(a_sc_nm(s, "diffusion")), abs=6.0 * step + 0.2)
    assert value(page, "sem") == pytest.approx(float(spacing_nm(s, "diffusion")), abs=0.7)
    assert value(page, "afm") == pytest.approx(float(modulus_gpa(s, "diffusion")), abs=0.5)


def test_pointing_at_the_other_panels_works_too(page: Page) -> None:
    place = (AFM_CENTRE_UM[0] + 2.0, AFM_CENTRE_UM[1] - 1.0)
    point_at(page, "afm", *place)
    s = s_in_square(place, AFM_CENTRE_UM)
    assert s_in_square(page.evaluate(CURSOR_UM, "xray"), XRAY_CENTRE_UM) == pytest.approx(s, abs=0.02)
    point_at(page, "sem", 0.3 * SEM_WIDTH_UM, 0.4)
    assert s_in_square(page.evaluate(CURSOR_UM, "xray"), XRAY_CENTRE_UM) == pytest.approx(0.3, abs=0.02)
    assert s_in_square(page.evaluate(CURSOR_UM, "afm"), AFM_CENTRE_UM) == pytest.approx(0.3, abs=0.02)
    point_at(page, "coprofile", 0.55, 14.0)
    assert s_in_square(page.evaluate(CURSOR_UM, "xray"), XRAY_CENTRE_UM) == pytest.approx(0.55, abs=0.02)


def test_outside_the_crystal_nothing_else_is_marked(page: Page) -> None:
    point_at(page, "xray", 0.5, 13.5)
    assert page.evaluate(CURSOR_UM, "afm") is None
    assert page.evaluate(CURSOR_UM, "sem") is None
    assert page.get_by_test_id("value-afm").inner_text() == "–"
    assert "outside" in page.locator("#readout-hint").inner_text()


def test_the_cursor_follows_a_zoom_and_the_arrow_keys(page: Page) -> None:
    point_at(page, "xray", 8.5, 6.0)
    page.evaluate(
        "() => Plotly.relayout(document.querySelector('[data-panel=afm] .js-plotly-plot'),"
        " {'xaxis.range': [2, 11], 'yaxis.range': [11, 2]})"
    )
    page.wait_for_timeout(100)
    s = s_in_square((8.5, 6.0), XRAY_CENTRE_UM)
    assert s_in_square(page.evaluate(CURSOR_UM, "afm"), AFM_CENTRE_UM) == pytest.approx(s, abs=0.02)
    page.locator('[data-panel="xray"]').focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(50)
    assert page.evaluate(CURSOR_UM, "xray") == pytest.approx((8.5 - STEP_UM, 6.0), abs=0.06)


def test_the_cursor_is_drawn_within_a_tenth_of_a_second(page: Page) -> None:
    point_at(page, "xray", 7.0, 4.0)
    spent = page.evaluate(
        """() => {
          const begun = performance.now();
          for (let i = 0; i < 20; i++) {
            window.triptychLinked.point('xray', 5 + 0.1 * i, 6);
            window.triptychLinked.draw();
          }
          return (performance.now() - begun) / 20;
        }"""
    )
    assert spent < 100
    begun = time.perf_counter()
    point_at(page, "xray", 8.0, 5.0)
    assert time.perf_counter() - begun < 1.0


def test_the_pattern_of_the_point_under_the_cursor_is_drawn_and_a_click_pins_it(
    page: Page,
) -> None:
    point_at(page, "xray", 10 * STEP_UM, 6 * STEP_UM)
    page.wait_for_function("() => document.querySelector('#pattern-live').dataset.point === '6.10'")
    inked = page.evaluate(
        """() => { const c = document.querySelector('#pattern-live'), p = c.getContext('2d')
          .getImageData(0, 0, c.width, c.height).data, seen = new Set();
          for (let i = 0; i < p.length; i += 4) seen.add(p[i] * 65536 + p[i + 1] * 256 + p[i + 2]);
          return seen.size; }"""
    )
    assert inked > 8
    left, top = page.evaluate(TO_SCREEN, ["xray", 10 * STEP_UM, 6 * STEP_UM])
    page.mouse.click(left, top)
    page.wait_for_function(
        "() => document.querySelector('#pattern-name').textContent.includes('row 6, column 10')"
    )
    page.wait_for_function("() => location.search.includes('a=6.10')")
