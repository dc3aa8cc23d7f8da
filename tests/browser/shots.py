"""Screenshots of every page in two colour schemes and two sizes.

``python -m tests.browser.shots --out DIR [--url URL]``; without an address a made-up workspace is served.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.site import (
    ADDRESSES,
    SCHEMES,
    SIZES,
    Visitor,
    chromium_path,
    launch,
    new_context,
    serve,
    visitor,
)
from tests.made_workspace import make_workspace


def main(arguments: list[str] | None = None) -> int:
    """Take the pictures; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--url", help="address of a dashboard that is served already")
    wanted = parser.parse_args(arguments)
    path = chromium_path()
    if path is None:
        print("no Chromium: install one or set TRIPTYCH_CHROMIUM", file=sys.stderr)
        return 1
    wanted.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        served = (
            nullcontext(wanted.url.rstrip("/"))
            if wanted.url
            else serve(make_workspace(Path(folder) / "workspace", size=31))
        )
        with served as site, sync_playwright() as playwright:
            browser = launch(playwright, path)
            for size in SIZES:
                context = new_context(browser, size)
                for scheme in SCHEMES:
                    one = visitor(context, site, scheme=scheme)
                    take_all(one, wanted.out, f"{scheme}-{size[0]}x{size[1]}")
                    one.page.close()
            browser.close()
    return 0


def take_all(one: Visitor, out: Path, suffix: str) -> None:
    """Pictures of all pages of the samples that the site has."""
    for name, address in addresses(one).items():
        page = one.visit(address)
        point_into_the_middle(page)
        page.screenshot(path=out / f"{name}-{suffix}.png")


def addresses(one: Visitor) -> dict[str, str]:
    """The addresses of made-up results, or those of the samples that are served."""
    page = one.visit("/")
    links = page.locator(".card-link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    if "/s/dif" in links or not links:
        return ADDRESSES
    found = {"samples": "/"}
    for link in links:
        name = link.removeprefix("/s/")
        found |= {name: link, **{f"{name}-{kind}": f"{link}/{kind}" for kind in ("xray", "sem", "afm")}}
    chosen = "&".join(f"s={link.removeprefix('/s/')}" for link in links[:4])
    return found | {"compare": f"/compare?{chosen}"}


def point_into_the_middle(page: Page) -> None:
    """Put the pointer near the middle of the first map, so that the linked cursor is in the picture."""
    first = page.locator(".linked").first
    if first.count() == 0:
        return
    box = first.bounding_box()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.45 * box["height"])
    page.wait_for_timeout(300)


if __name__ == "__main__":
    sys.exit(main())
