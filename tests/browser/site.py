"""A dashboard on a workspace made of formulae, and a browser that looks at it and keeps what went wrong."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import waitress
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from app.server import create_app

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
TIMEOUT_MS = 60_000
"""Long enough for a machine that has other things to do."""

SIZES = ((1280, 720), (2560, 1440))
SCHEMES = ("light", "dark")
ADDRESSES = {
    "samples": "/",
    "triptych": "/s/dif",
    "xray": "/s/dif/xray",
    "sem": "/s/dif/sem",
    "afm": "/s/dif/afm",
    "compare": "/compare?s=dif&s=evap",
    "compare-nothing": "/compare",
    "triptych-xray-only": "/s/xonly",
    "triptych-damaged": "/s/damaged",
    "not-found": "/nowhere",
}

DRAWN = """() => {
  const graphs = [...document.querySelectorAll('.dash-graph')];
  return document.querySelector('#main h1') !== null
    && graphs.every(g => g.querySelector('.js-plotly-plot .main-svg'))
    && document.querySelector('.dash-graph--pending, [data-dash-is-loading="true"]') === null
    && document.querySelector('[data-linked]:not([data-ready])') === null;
}"""


def chromium_path() -> str | None:
    """The browser to drive: TRIPTYCH_CHROMIUM, or Debian's, or one on the path."""
    named = os.environ.get("TRIPTYCH_CHROMIUM")
    if named:
        return named
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )


@contextmanager
def serve(workspace: Path) -> Iterator[str]:
    """Serve a workspace on a free port of this machine; gives the address."""
    server = waitress.create_server(create_app(workspace).server, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(timeout=5)


@dataclass
class Faults:
    """What a browser complained of, and whom it asked."""

    site: str
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen to a page: console errors, exceptions, failed and foreign requests, dialogs."""
        page.on("console", lambda said: self._console(said.type, said.text))
        page.on("pageerror", lambda error: self.found.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: (self.found.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._request(request.url))
        page.on("response", lambda answer: self._answer(answer.status, answer.url))

    def _console(self, kind: str, text: str) -> None:
        if kind == "error":
            self.found.append(f"console: {text[:400]}")

    def _request(self, url: str) -> None:
        if not url.startswith((f"{self.site}/", "data:", "blob:")):
            self.found.append(f"asked another host: {url}")

    def _answer(self, status: int, url: str) -> None:
        if status >= 400:
            self.found.append(f"answer {status}: {url}")


class Visitor:
    """One browser window's worth of visits to a site."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.site = site
        self.faults = Faults(site)
        self.page = context.new_page()
        self.faults.watch(self.page)

    def visit(self, path: str) -> Page:
        """Go to an address and wait until everything on it is drawn."""
        self.page.goto(self.site + path)
        self.wait()
        return self.page

    def wait(self) -> None:
        """Wait until every graph is drawn and no callback is under way."""
        self.page.wait_for_function(DRAWN, timeout=TIMEOUT_MS)


def new_context(browser: Browser, size: tuple[int, int]) -> BrowserContext:
    """A window's cookies, cache and rights."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(TIMEOUT_MS)
    return context


def visitor(context: BrowserContext, site: str, *, scheme: str) -> Visitor:
    """A visitor in a new tab, with a colour scheme."""
    context.add_cookies([{"name": "triptych-theme", "value": scheme, "url": site}])
    return Visitor(context, site)


def launch(playwright: Playwright, path: str) -> Browser:
    """Start the browser without anything that asks the net."""
    return playwright.chromium.launch(executable_path=path, args=FLAGS)
