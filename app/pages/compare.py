"""Samples beside one another: profiles on one axis, maps in one colour range, numbers."""

from __future__ import annotations

from collections.abc import Sequence

import dash
import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from analysis.errors import TriptychError
from analysis.records import Measured, Result
from app.figures import compare
from app.figures.theme import Scheme
from app.figures.words import measured_text, size_text, with_error
from app.library import library
from app.pages import compare_groups, parts

MOST_SAMPLES = 8
COORDINATES = (("rectangle", "s"), ("depth", "depth"))
BANDS = (("ci", "95 %"), ("std", "spread"), ("none", "none"))
QUANTITIES = (("a_sc", "⟨a_SC⟩, X-ray"), ("modulus", "E, AFM"))
NUMBERS = (
    ("a_sc_edge", "⟨a_SC⟩ at the edge"),
    ("a_sc_centre", "⟨a_SC⟩ at the centre"),
    ("a_sc_change", "change, edge to centre"),
    ("a_sc_gradient_per_um", "gradient of ⟨a_SC⟩ with depth"),
    ("a_sc_gradient_per_s", "gradient of ⟨a_SC⟩ with s"),
    ("gamma", "γ"),
    ("modulus", "E, mean"),
    ("modulus_median", "E, median"),
    ("modulus_gradient_per_s", "gradient of E with s"),
    ("height", "height"),
)
MAPS_SHOWN = (("each", "each"), ("a-b", "first − second"))
MAPS_TITLE = {"each": "Maps in one colour range", "a-b": "Difference, first − second"}
MAP_TABLE = {"a_sc": "xray_maps", "modulus": "afm_summary"}
"""The table behind the maps and distributions of a quantity."""


def register(app: Dash) -> None:
    """Put the page and its callbacks on ``app``."""
    dash.register_page(
        __name__, path="/compare", order=30, title="Compare - Triptych", layout=layout, name="Compare"
    )

    compare_groups.register(app, _results)

    @app.callback(
        Output("compare-lattice", "figure"),
        Output("compare-modulus", "figure"),
        Input(parts.view("c"), "value"),
        Input(parts.view("band"), "value"),
        State("compared", "data"),
        prevent_initial_call=True,
    )
    def show_profiles(coordinate: str, band: str, names: list[str]) -> tuple[go.Figure, go.Figure]:
        results, _ = _results(names)
        return _profiles(results, coordinate, band, parts.current_scheme())

    @app.callback(
        Output("compare-maps", "figure"),
        Output("compare-distributions", "figure"),
        Output("compare-maps-title", "children"),
        Output("compare-maps-actions", "children"),
        Output("compare-distributions-actions", "children"),
        Input(parts.view("q"), "value"),
        Input(parts.view("d"), "value"),
        State("compared", "data"),
        prevent_initial_call=True,
    )
    def show_maps(quantity: str, shown: str, names: list[str]):
        results, _ = _results(names)
        table = MAP_TABLE[_known(quantity, QUANTITIES)]
        return (
            *_maps(results, quantity, shown, parts.current_scheme()),
            MAPS_TITLE[_known(shown, MAPS_SHOWN)],
            _actions(results, table, "compare-maps"),
            _actions(results, table, "compare-distributions"),
        )


def layout(s: str | list[str] = "", **query: object) -> Component:
    """The samples that the address names as ``s=a&s=b``, or a choice of samples."""
    names = [s] if isinstance(s, str) else list(s)
    asked = {name: value for name, value in query.items() if isinstance(value, str)}
    results, errors = _results([name for name in names if name])
    head = html.Header([html.H1("Compare"), _choice_of_samples(results)], className="page-head")
    notes = [html.P(error, className="card-why") for error in errors]
    if len(results) < 2:
        return html.Div(
            [head, *notes, parts.quiet("Choose at least two samples.")], className="page compare-page"
        )
    coordinate, band = asked.get("c", ""), asked.get("band", "")
    scheme = parts.current_scheme()
    lattice, modulus = _profiles(results, coordinate, band, scheme)
    quantity, shown = asked.get("q", ""), asked.get("d", "")
    maps, distributions = _maps(results, quantity, shown, scheme)
    table = MAP_TABLE[_known(quantity, QUANTITIES)]
    return html.Div(
        [
            dcc.Store(id="compared", data=[result.sample_id for result in results]),
            head,
            *notes,
            html.Div(
                [
                    _profile_panel(results, lattice, coordinate, band),
                    parts.panel(
                        "Modulus along s",
                        parts.graph("compare-modulus", modulus, label="Modulus of all samples along s"),
                        actions=_actions(results, "profiles", "compare-modulus"),
                    ),
                ],
                className="compare-row",
            ),
            html.Div(
                [
                    parts.panel(
                        html.Span(MAPS_TITLE[_known(shown, MAPS_SHOWN)], id="compare-maps-title"),
                        parts.graph("compare-maps", maps, label="Maps of the samples, or their difference"),
                        controls=[
                            parts.select("q", quantity, QUANTITIES, label="Quantity"),
                            parts.switch("d", shown, MAPS_SHOWN, label="Maps or their difference"),
                        ],
                        actions=[_following(results, table, "compare-maps")],
                    ),
                    parts.panel(
                        "Distributions",
                        parts.graph(
                            "compare-distributions", distributions, label="Distributions of all samples"
                        ),
                        actions=[_following(results, table, "compare-distributions")],
                    ),
                ],
                className="compare-row",
            ),
            compare_groups.groups_panel(results, asked.get("by", ""), _several(query.get("ga"))),
            _numbers_panel(results),
        ],
        className="page compare-page",
    )


def _several(asked: object) -> list[str]:
    """What stands once or several times in the address, as a list."""
    if isinstance(asked, str):
        return [asked]
    return [name for name in asked if isinstance(name, str)] if isinstance(asked, list) else []


def _profile_panel(results: Sequence[Result], figure: go.Figure, coordinate: str, band: str) -> Component:
    return parts.panel(
        "Lattice along s",
        parts.graph(
            "compare-lattice", figure, label="Lattice constants of all samples along s", testid="coprofile"
        ),
        controls=[
            parts.switch("c", coordinate, COORDINATES, label="Coordinate"),
            html.Span("band", className="control-name"),
            parts.switch("band", band, BANDS, label="Bands"),
        ],
        actions=_actions(results, "profiles", "compare-lattice"),
    )


def _actions(results: Sequence[Result], table: str, graph_id: str) -> list[Component]:
    """What leaves with a figure of several samples: their table, PNG, SVG."""
    query = "&".join(f"s={result.sample_id}" for result in results)
    name = f"compare_{table}.csv"
    link = html.A(
        "CSV",
        href=f"/compare/{table}.csv?{query}",
        download=name,
        className="action",
        **{"data-testid": f"csv-{table}", "aria-label": f"Download {name}"},
    )
    return [link, *(parts.picture_buttons(graph_id, graph_id.replace("-", "_")) if graph_id else [])]


def _following(results: Sequence[Result], table: str, graph_id: str) -> Component:
    """The actions of a figure whose table changes with what is shown."""
    return html.Div(
        _actions(results, table, graph_id), id=f"{graph_id}-actions", style={"display": "contents"}
    )


def _choice_of_samples(results: Sequence[Result]) -> Component:
    reduced = [card for card in library().cards() if card.status == "reduced"]
    return dmc.MultiSelect(
        id=parts.view("s"),
        data=[{"value": card.sample_id, "label": card.title} for card in reduced],
        value=[result.sample_id for result in results],
        maxValues=MOST_SAMPLES,
        placeholder="samples",
        size="xs",
        className="compare-choice",
        clearable=True,
        clearButtonProps={"aria-label": "Remove all samples"},
        **{"aria-label": "Samples to compare"},
    )


def _results(names: Sequence[str]) -> tuple[list[Result], list[str]]:
    """Results of the named samples, each once, and the sentences of those that cannot be shown."""
    results, errors = [], []
    for name in list(dict.fromkeys(names))[:MOST_SAMPLES]:
        try:
            results.append(library().result(name))
        except TriptychError as error:
            errors.append(str(error))
    return results, errors


def _known(asked: str, options: Sequence[tuple[str, str]]) -> str:
    return asked if asked in dict(options) else options[0][0]


def _profiles(
    results: Sequence[Result], coordinate: str, band: str, scheme: Scheme
) -> tuple[go.Figure, go.Figure]:
    chosen = {"coordinate": _known(coordinate, COORDINATES), "band": _known(band, BANDS), "scheme": scheme}
    return compare.lattice_figure(results, **chosen), compare.modulus_figure(results, **chosen)


def _maps(
    results: Sequence[Result], quantity: str, shown: str, scheme: Scheme
) -> tuple[go.Figure, go.Figure]:
    quantity = _known(quantity, QUANTITIES)
    draw = compare.difference_figure if shown == "a-b" else compare.maps_figure
    return (
        draw(results, quantity, scheme=scheme),
        compare.distribution_figure(results, quantity, scheme=scheme),
    )


def _numbers_panel(results: Sequence[Result]) -> Component:
    head = html.Tr([html.Th("", scope="col"), *[html.Th(_name(result), scope="col") for result in results]])
    rows = [
        html.Tr([html.Th(text, scope="row"), *[html.Td(_cell(r.summary.get(key))) for r in results]])
        for key, text in NUMBERS
    ]
    facts = [
        html.Tr([html.Th(text, scope="row"), *[html.Td(value(result)) for result in results]])
        for text, value in (
            ("method", lambda r: r.method or "–"),
            ("composition", lambda r: r.composition or "–"),
            ("nanocrystals in solution", _nanocrystals),
            ("SEM ⟨a_SC⟩, edge → centre", _sem_range),
            ("crystals", lambda r: str(_crystals(r))),
        )
    ]
    return parts.panel(
        "Numbers",
        html.Div(
            [
                html.Table([html.Thead(head), html.Tbody(facts + rows)], className="numbers"),
                html.P(
                    "X-rays average through the thickness, SEM "
                    "sees the bottom layer, AFM the top. ± is one standard error; systematic errors stand "
                    "apart.",
                    className="caption",
                ),
            ],
            className="table-box",
            tabIndex=0,
            role="region",
            **{"aria-label": "Numbers of all samples"},
        ),
        actions=_actions(results, "numbers", ""),
    )


def _name(result: Result) -> list[object]:
    title = result.title or result.sample_id
    return [dcc.Link(title, href=f"/s/{result.sample_id}", className="text-link")] + (
        [" ", parts.simulated_badge()] if result.simulated else []
    )


def _cell(measured: Measured | None) -> list[object]:
    if measured is None:
        return ["–"]
    notes = []
    if measured.sys is not None:
        notes.append(f"systematic {size_text(measured.sys, measured.unit)}")
    if measured.std is not None:
        notes.append(f"spread {size_text(measured.std, measured.unit)}")
    if measured.n is not None:
        notes.append(f"n = {measured.n}")
    return [measured_text(measured), html.Span(", ".join(notes), className="cell-note")]


def _nanocrystals(result: Result) -> str:
    size = result.nanocrystal_size_nm
    return "–" if size is None else f"{size[0]:g} nm, spread {size[1]:g}"


def _sem_range(result: Result) -> str:
    regions = [r for image in result.sem for r in image.regions if r.a_sc_nm == r.a_sc_nm]
    if not regions:
        return "–"
    by_s = sorted(regions, key=lambda region: region.s)
    return " → ".join(with_error(r.a_sc_nm, r.a_sc_err_nm) for r in (by_s[0], by_s[-1])) + " nm"


def _crystals(result: Result) -> int:
    """Crystals of a sample that were measured, whatever the instrument."""
    return len({r.crystal for reductions in (result.xray, result.sem, result.afm) for r in reductions})
