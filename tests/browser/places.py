"""Where things stand on a graph: from units of its axes to the screen and back."""

from __future__ import annotations

from playwright.sync_api import Page

TO_SCREEN = """([id, x, y]) => {
  const found = document.getElementById(id);
  const graph = found.classList.contains('js-plotly-plot') ? found : found.querySelector('.js-plotly-plot');
  const frame = graph.getBoundingClientRect(), { xaxis, yaxis } = graph._fullLayout;
  return [frame.left + xaxis._offset + xaxis.d2p(x), frame.top + yaxis._offset + yaxis.d2p(y)];
}"""
VIEWED = """(name) => new URLSearchParams(location.search).get(name)"""


def on_screen(page: Page, graph: str, x: float, y: float) -> tuple[float, float]:
    """Place on the screen of a place on a graph, in units of its axes."""
    left, top = page.evaluate(TO_SCREEN, [graph, x, y])
    return left, top


def move_to(page: Page, graph: str, x: float, y: float) -> None:
    """Point at a place of a graph."""
    page.mouse.move(*on_screen(page, graph, x, y))


def drag(page: Page, graph: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press at one place of a graph, move, release at another."""
    move_to(page, graph, *start)
    page.mouse.down()
    page.mouse.move(*on_screen(page, graph, *end), steps=6)
    page.mouse.up()


def viewed(page: Page, name: str) -> str | None:
    """Part of the view that the address holds."""
    found: str | None = page.evaluate(VIEWED, name)
    return found


def wait_for_view(page: Page, name: str, value: str) -> None:
    """Wait until the address holds a value of a part of the view."""
    page.wait_for_function(f"([n, v]) => ({VIEWED})(n) === v", arg=[name, value])
