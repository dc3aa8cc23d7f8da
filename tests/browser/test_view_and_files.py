"""The address keeps the view, files come out, and text from files stays text."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import OpenVisitor

pytestmark = pytest.mark.browser


def choose(page: object, name: str, text: str) -> None:
    page.get_by_label(name, exact=True).first.click()
    page.get_by_role("option", name=text, exact=True).click()


def test_a_copied_link_restores_the_view_and_back_works(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif")
    choose(page, "xray quantity", "γ")
    page.get_by_text("depth", exact=True).last.click()
    page.wait_for_function(
        "() => location.search.includes('xq=gamma') && location.search.includes('c=depth')"
    )
    one.wait()
    page.locator("#copy-link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    assert len(link) < 2000
    assert parse_qs(urlsplit(link).query)["xq"] == ["gamma"]

    other = open_visitor()
    restored = other.visit(link.removeprefix(other.site))
    name = restored.evaluate(
        "document.querySelector('[data-panel=xray] .js-plotly-plot')"
        "._fullData.filter(trace => trace.type === 'heatmap').at(-1).name"
    )
    assert name == "gamma"
    title = restored.evaluate(
        "document.querySelector('[data-panel=coprofile] .js-plotly-plot')._fullLayout.xaxis.title.text"
    )
    assert "depth" in title

    restored.get_by_role("link", name="Samples").click()
    restored.wait_for_selector("[data-testid=card-dif]")
    restored.go_back()
    restored.wait_for_selector("[data-panel=xray] .js-plotly-plot .main-svg")
    assert restored.url == link


def test_csv_png_and_svg_leave_as_files(open_visitor: OpenVisitor, tmp_path: Path) -> None:
    page = open_visitor().visit("/s/dif")
    with page.expect_download() as download:
        page.get_by_test_id("csv-profiles").click()
    assert download.value.suggested_filename == "dif_profiles_rectangle.csv"
    download.value.save_as(tmp_path / "profiles.csv")
    lines = (tmp_path / "profiles.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(io.StringIO("\n".join(line for line in lines if not line.startswith("#")))))
    assert rows[0]["sample"] == "dif"

    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as download:
            page.get_by_test_id("panel-sem").get_by_role("button", name=kind).click()
        assert download.value.suggested_filename == f"dif_sem.{kind.lower()}"
        download.value.save_as(tmp_path / "picture")
        assert (tmp_path / "picture").read_bytes().startswith(start)


def test_samples_are_filtered_ticked_and_compared(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/")
    assert page.locator(".card").count() == 6
    assert "not reduced" in page.get_by_test_id("card-waiting").inner_text()
    assert "cannot be read" in page.get_by_test_id("card-damaged").inner_text()
    page.get_by_label("Filter samples").fill("evaporation")
    page.wait_for_function("() => document.querySelectorAll('.card').length === 1")
    page.get_by_label("Filter samples").fill("")
    page.wait_for_function("() => document.querySelectorAll('.card').length === 6")
    page.get_by_label("Compare Synthetic crystal, evaporation").check()
    page.get_by_test_id("card-dif").get_by_role("checkbox").check()
    page.get_by_role("link", name="Compare 2").click()
    page.wait_for_selector("[data-testid=coprofile] .js-plotly-plot .main-svg")
    assert sorted(parse_qs(urlsplit(page.url).query)["s"]) == ["dif", "evap"]
    assert "without a test or an effect size" in page.locator("#main").inner_text()


def test_the_theme_changes_at_once_and_is_kept(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/s/dif")
    paper = "document.querySelector('[data-panel=xray] .js-plotly-plot')._fullLayout.paper_bgcolor"
    assert page.evaluate(paper) == "#ffffff"
    page.keyboard.press("t")
    page.wait_for_function(f"() => {paper} === '#171b21'")
    assert page.locator("html").get_attribute("data-mantine-color-scheme") == "dark"
    one.visit("/s/dif")
    assert page.locator("html").get_attribute("data-mantine-color-scheme") == "dark"
    assert page.evaluate(paper) == "#171b21"


def test_script_in_names_is_shown_as_text(open_visitor: OpenVisitor) -> None:
    one = open_visitor()
    page = one.visit("/")
    hostile = "<script>window.owned = 1</script><img src=x onerror=window.owned=1>"
    assert hostile in page.get_by_test_id("card-hostile").inner_text()
    for path in ("/s/hostile", "/compare?s=hostile&s=dif", "/s/%3Cscript%3Ewindow.owned=1%3C%2Fscript%3E"):
        one.visit(path)
        assert page.evaluate("window.owned") is None
        assert page.locator("img[src=x]").count() == 0
