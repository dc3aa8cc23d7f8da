"""Pages: every address has one, whatever the query says; every graph keeps the shared settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from dash import Dash, dcc
from dash._pages import _path_to_page
from dash.development.base_component import Component
from flask.testing import FlaskClient

from analysis.records import XRAY_STATUS
from app.figures import compare as figures_compare
from app.figures import panels, profiles
from app.figures.theme import GRAPH_CONFIG
from app.pages import compare, samples, shell, triptych
from app.pages.afm_line import saved_lines
from tests.synthetic_result import make_result

ADDRESSES = {
    "/": "app.pages.samples",
    "/s/dif": "app.pages.triptych",
    "/s/dif/xray": "app.pages.xray",
    "/s/dif/sem": "app.pages.sem",
    "/s/dif/afm": "app.pages.afm",
    "/compare": "app.pages.compare",
}


def parts_of(component: object) -> Iterator[Component]:
    """A component and everything in it."""
    if isinstance(component, Component):
        yield component
        children = getattr(component, "children", None)
        for child in children if isinstance(children, list | tuple) else [children]:
            yield from parts_of(child)


def words_of(component: object) -> str:
    """All text in a component."""
    if isinstance(component, Component):
        children = getattr(component, "children", None)
        return " ".join(
            words_of(child) for child in (children if isinstance(children, list | tuple) else [children])
        )
    return component if isinstance(component, str) else ""


@pytest.mark.parametrize(("path", "module"), ADDRESSES.items())
def test_every_address_has_its_own_page(client: FlaskClient, path: str, module: str) -> None:
    assert client.get(path).status_code == 200
    page, _ = _path_to_page(path.strip("/"))
    assert page["module"] == module


def test_an_unknown_address_has_none(client: FlaskClient) -> None:
    client.get("/")
    page, _ = _path_to_page("nowhere/at/all")
    assert page == {}


def test_every_graph_keeps_the_shared_settings(app: Dash) -> None:
    with app.server.test_request_context("/"):
        pages = [triptych.layout(sample_id="dif"), compare.layout(s=["dif", "evap"])]
    graphs = [part for page in pages for part in parts_of(page) if isinstance(part, dcc.Graph)]
    assert len(graphs) >= 8
    assert all(part.config == GRAPH_CONFIG for part in graphs)


def test_the_triptych_names_its_parts(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="dif")
    names = {getattr(part, "data-testid", None) for part in parts_of(page)}
    assert {
        "panel-xray", "panel-sem", "panel-afm", "cursor-xray", "cursor-sem", "cursor-afm", "value-xray",
        "value-sem", "value-afm", "coprofile", "crossplot", "pattern", "csv-profiles", "csv-xray_maps",
    } <= names  # fmt: skip


@pytest.mark.parametrize(("asked", "bins"), [(None, 10), ("5", 5), ("20", 20), ("7", 10)])
def test_the_coprofile_is_drawn_in_the_bins_that_the_address_asks_for(
    app: Dash, asked: str | None, bins: int
) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="dif", **({} if asked is None else {"bins": asked}))
    graph = next(p for p in parts_of(page) if isinstance(p, dcc.Graph) and p.id == "coprofile")
    modulus = next(t for t in graph.figure.data if t.name == "AFM E" and t.mode == "lines+markers")
    middles = np.asarray(modulus.x, dtype=float)
    assert np.allclose(np.round((middles - 0.5 / bins) * bins) / bins + 0.5 / bins, middles)
    assert 0.6 * bins <= middles.size <= bins
    link = next(p for p in parts_of(page) if getattr(p, "id", None) == "coprofile-csv")
    assert link.href == f"/csv/dif/profiles.csv?bins={bins}&c=rectangle"


@pytest.mark.parametrize("kind", ["rectangle", "distance", "ray", "depth"])
def test_the_coordinate_of_the_address_is_drawn_and_names_what_leaves(
    app: Dash, client: FlaskClient, kind: str
) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="dif", c=kind)
    graph = next(p for p in parts_of(page) if isinstance(p, dcc.Graph) and p.id == "coprofile")
    assert graph.figure.layout.meta["link"]["coordinate"] == kind
    link = next(p for p in parts_of(page) if getattr(p, "id", None) == "coprofile-csv")
    assert link.download == f"dif_profiles_{kind}.csv"
    names = {getattr(p, "data-name", "") for p in parts_of(page)}
    assert f"dif_coprofile_{kind}" in names
    answer = client.get(link.href)
    assert f"dif_profiles_{kind}.csv" in answer.headers["Content-Disposition"]
    rows = [line for line in answer.text.splitlines() if not line.startswith("#")]
    place = rows[0].split(",").index("coordinate")
    assert {row.split(",")[place] for row in rows[1:]} == {kind}


def test_trends_and_agreement_stand_beside_the_coprofile(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="dif")
    box = next(p for p in parts_of(page) if getattr(p, "data-testid", None) == "trends")
    words = words_of(box)
    assert "6.000 ± 0.050 nm per s, robust 6.000 ± 0.060" in words
    assert "1.200 ± 0.050 nm/µm, robust 1.200 ± 0.060" in words
    assert "straight, weight 0.85" in words
    assert "SEM − X-ray" in words
    assert "σ" in words


def test_the_crossplot_pairs_bins_or_points_and_says_what_they_say() -> None:
    made = make_result("dif")
    pair = replace(
        made.correlations[0], x_quantity="a_sc", y_quantity="modulus", pairing="pixel", n=57, crystal="A",
        pearson_r=0.61, spearman_rho=0.58, p_block_bootstrap=0.02, partial_r_s=0.1, p_partial=0.4, slope=0.9,
        slope_err=0.1,
    )  # fmt: skip
    words = profiles.pixel_words(made, profiles.pixel_pairs(replace(made, correlations=[pair])))
    for said in ("57 points", "r = 0.61", "ρ = 0.58 (p = 0.02)", "r = 0.10 (p = 0.4)", "0.90 ± 0.10 GPa/nm"):
        assert said in words
    none = replace(made, correlations=[])
    assert "No registration" in profiles.pixel_words(none, profiles.pixel_pairs(none))
    other = replace(none, afm=[replace(none.afm[0], crystal="B")])
    assert "different crystals" in profiles.pixel_words(other, None)
    assert profiles.p_text(1e-5) == "p < 0.001"


@pytest.mark.parametrize(("asked", "said"), [("coordinate", "Co-trend along s"), ("pixel", "registration")])
def test_the_address_chooses_how_the_crossplot_pairs(
    app: Dash, client: FlaskClient, asked: str, said: str
) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="dif", cp=asked)
    body = next(part for part in parts_of(page) if getattr(part, "id", None) == "crossplot-body")
    assert said in words_of(body)
    link = next(p for p in parts_of(page) if getattr(p, "data-testid", None) == "registration-json")
    found = client.get(link.href).get_json()
    assert found["transforms"][0]["matrix"][0] == [1.0, 0.0, 1.0]


def test_points_that_the_beam_covers_in_part_are_marked() -> None:
    scan = make_result("dif").xray[0]
    status = scan.status.copy()
    status[3, 4] = XRAY_STATUS.index("partial_beam")
    figure = panels.xray_panel(replace(scan, status=status), "a_sc", scheme="light")
    marks = next(trace for trace in figure.data if trace.name == "partial beam")
    x, y = scan.grid.positions_um()
    assert (x[3, 4], y[3, 4]) in set(zip(marks.x, marks.y, strict=True))
    assert len(marks.x) == int((status == XRAY_STATUS.index("partial_beam")).sum())


def test_a_missing_modality_is_said_and_the_rest_is_shown(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="xonly")
    assert "No SEM data" in words_of(page)
    assert "No AFM data" in words_of(page)
    assert "Needs an X-ray map and an AFM map" in words_of(page)
    assert any(isinstance(part, dcc.Graph) and part.id == "map-xray" for part in parts_of(page))


@pytest.mark.parametrize("name", ["damaged", "waiting", "none", "..", "<script>", "a" * 5000, ""])
def test_a_sample_that_cannot_be_shown_says_why(app: Dash, name: str) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id=name)
    assert "Nothing to show" in words_of(page)


@pytest.mark.parametrize(
    "query",
    [
        {"xq": "nonsense", "aq": "<b>", "c": "ray?", "band": "", "pv": "x", "ps": "c"},
        {"xn": "999", "sn": "-1", "an": "x", "a": "99.99", "b": "-1.0"},
        {"a": "4.4", "ps": "a", "pv": "q"},
        {"a": "4.4", "b": "4.5", "ps": "a-b", "pv": "polar"},
        {"a": "٤.٤", "ps": "a"},
        {"xq": ["a", "b"], "unknown": "1"},
    ],
)
def test_whatever_the_address_asks_for_a_page_is_shown(app: Dash, query: dict[str, str]) -> None:
    with app.server.test_request_context("/"):
        page = triptych.layout(sample_id="dif", **query)
        samples.layout(**query)
        compare.layout(s="dif", **query)
    assert any(getattr(part, "data-testid", None) == "panel-xray" for part in parts_of(page))


def test_compare_lists_numbers_confounders_and_the_count_of_crystals(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = compare.layout(s=["dif", "evap", "damaged", "dif"])
    words = words_of(page)
    assert "diffusion: 1, evaporation: 1" in words
    assert "without a test or an effect size" in words
    assert "not separated here: nanocrystal size" not in words
    assert "substrate" in words
    assert "hot injection" in words
    assert "damaged.h5" in words
    assert words.count("Synthetic crystal, evaporation") == 1


def test_hand_picked_groups_stand_in_the_address(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = compare.layout(s=["dif", "evap"], by="picked", ga="evap")
    words = words_of(page)
    assert "picked: 1, others: 1" in words
    links = [getattr(part, "href", "") or "" for part in parts_of(page)]
    assert "/compare/compare.json?s=dif&s=evap&by=picked&ga=evap" in links


def test_the_header_shows_the_sample_and_its_badge(app: Dash) -> None:
    with app.server.test_request_context("/"):
        shown = " ".join(words_of(part) for part in shell.sample_header("/s/dif/xray"))
        assert "Synthetic crystal, diffusion" in shown
        assert "simulated" in shown
        assert shell.sample_header("/compare") == []
        assert shell.sample_header("/s/none") == []


def test_the_scheme_is_that_of_the_cookie(app: Dash) -> None:
    for cookie, scheme in (("dark", "dark"), ("light", "light"), ('"><script>', "light")):
        with app.server.test_request_context("/", headers={"Cookie": f"triptych-theme={cookie}"}):
            assert shell.current_scheme() == scheme


def test_a_line_that_was_sampled_twice_is_offered_once() -> None:
    field = make_result("dif", xray=False, sem=False).afm[0]
    first = field.lines[0]
    again = replace(first, convention="exact" if first.convention == "gwyddion" else "gwyddion")
    names = [line.name for line in saved_lines(replace(field, lines=(first, again, *field.lines[1:])))]
    assert names == [line.name for line in field.lines]
    assert len(set(names)) == len(names)


def test_what_a_damaged_result_holds_is_called_unknown(app: Dash) -> None:
    with app.server.test_request_context("/"):
        page = samples.layout()
    card = next(part for part in parts_of(page) if getattr(part, "data-testid", "") == "card-damaged")
    assert "X-ray unknown" in words_of(card)
    assert "no X-ray" not in words_of(card)


@pytest.mark.parametrize("modality", ["xray", "afm"])
def test_the_address_chooses_the_percentiles_of_a_map(app: Dash, modality: str) -> None:
    name = triptych.LIMITS[modality]
    spans = {}
    for limits in ("p0", "p1", "p5"):
        with app.server.test_request_context("/"):
            page = triptych.layout(sample_id="dif", **{name: limits})
        graph = next(part for part in parts_of(page) if getattr(part, "id", "") == f"map-{modality}")
        heatmap = next(trace for trace in graph.figure.data if trace.showscale is not False)
        spans[limits] = heatmap.zmax - heatmap.zmin
    assert spans["p0"] > spans["p1"] > spans["p5"]


def test_the_difference_of_two_maps_is_first_minus_second_or_says_why_not() -> None:
    first, second = make_result("one", size=9), make_result("two", size=9, method="evaporation")
    a_sc = (result.xray[0].maps["a_sc"].values for result in (first, second))
    values = figures_compare.difference([first, second], "a_sc")[1]
    expected = next(a_sc) - next(a_sc)
    np.testing.assert_allclose(values, first.xray[0].grid.displayed(expected))
    figure = figures_compare.difference_figure([first, second], "a_sc", scheme="light")
    heatmap = figure.data[-1]
    assert heatmap.zmin == -heatmap.zmax
    sentence = figures_compare.difference([first, make_result("three", size=11)], "a_sc")
    assert "not alike" in sentence
    assert "no map" in figures_compare.difference([first, make_result("four", afm=False)], "modulus")


@pytest.mark.parametrize(("quantity", "table"), [("a_sc", "xray_maps"), ("modulus", "afm_summary")])
def test_the_table_beside_maps_is_that_of_the_quantity(app: Dash, quantity: str, table: str) -> None:
    with app.server.test_request_context("/"):
        page = compare.layout(s=["dif", "evap"], q=quantity, d="a-b")
    for graph in ("compare-maps", "compare-distributions"):
        taken = next(part for part in parts_of(page) if getattr(part, "id", "") == f"{graph}-actions")
        assert taken.children[0].href == f"/compare/{table}.csv?s=dif&s=evap"
