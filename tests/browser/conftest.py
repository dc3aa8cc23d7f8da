"""One browser and one dashboard for all tests that look at pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.site import (
    SIZES,
    Visitor,
    chromium_path,
    launch,
    new_context,
    serve,
    visitor,
)
from tests.conftest import required
from tests.made_workspace import make_workspace

OpenVisitor = Callable[..., Visitor]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard on made-up results: dif, evap, xonly, damaged, waiting."""
    with serve(make_workspace(tmp_path_factory.mktemp("site") / "workspace")) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser; a skip with its reason where there is none."""
    path = chromium_path()
    if path is None:
        reason = "no Chromium: install one or set TRIPTYCH_CHROMIUM"
        if required("browser"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        started = launch(playwright, path)
        yield started
        started.close()


@pytest.fixture(scope="session")
def context_of_size(browser: Browser) -> Iterator[Callable[[tuple[int, int]], BrowserContext]]:
    """One context a window size, so that later visits find the scripts in the cache."""
    kept: dict[tuple[int, int], BrowserContext] = {}

    def context(size: tuple[int, int]) -> BrowserContext:
        if size not in kept:
            kept[size] = new_context(browser, size)
        return kept[size]

    yield context
    for one in kept.values():
        one.close()


@pytest.fixture
def open_visitor(
    site: str, context_of_size: Callable[[tuple[int, int]], BrowserContext]
) -> Iterator[OpenVisitor]:
    """Opens visitors (``scheme=``, ``size=``) in tabs of their own; at the end none may have met a fault."""
    opened: list[Visitor] = []

    def start(*, scheme: str = "light", size: tuple[int, int] = SIZES[0]) -> Visitor:
        opened.append(visitor(context_of_size(size), site, scheme=scheme))
        return opened[-1]

    yield start
    faults = [fault for one in opened for fault in one.faults.found]
    for one in opened:
        one.page.close()
    assert faults == []
