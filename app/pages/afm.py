"""AFM of one sample: height and modulus side by side, lines across both, distribution, statistics."""

from __future__ import annotations

from typing import Any

import dash
from dash import Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from analysis.records import Result
from app.figures import afm_statistics
from app.library import library
from app.pages import afm_line, afm_panels, instrument, parts
from app.pages.afm_panels import ADD_IDS
from app.pages.instrument import asked, chosen, number


def register(app: Dash) -> None:
    """Put the page, its address of bytes and its callbacks on ``app``."""
    dash.register_page(
        __name__,
        path_template="/s/<sample_id>/afm",
        order=12,
        title="AFM - Triptych",
        layout=layout,
        name="AFM",
    )
    afm_line.add_routes(app.server)
    _register_line(app)
    _register_drawing(app)
    _register_statistics(app)

    @app.callback(
        Output("afm-page", "children"),
        Input(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_field(wanted: str, sample_id: str) -> list[Component]:
        return afm_panels.page(library().result(sample_id), {"an": wanted}, parts.current_scheme())


def _register_line(app: Dash) -> None:
    @app.callback(
        Output("afm-height", "figure"),
        Output("afm-modulus", "figure"),
        Output("afm-profile", "figure"),
        Output("line-csv", "href"),
        Output("line-words", "children"),
        Output(parts.view("l"), "data"),
        *(Input(parts.view(name), "value") for name in afm_line.VIEW),
        State(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_line(*state: Any):
        view = {name: str(value or "") for name, value in zip(afm_line.VIEW, state, strict=False)}
        wanted, sample_id = state[len(afm_line.VIEW) :]
        seen = afm_line.Seen.of(chosen(library().result(sample_id).afm, wanted), view)
        options = [{"value": key, "label": text} for key, text in seen.options]
        figures = afm_panels.figures(seen, view, parts.current_scheme())
        return *figures, seen.address(sample_id), afm_panels.line_words(seen), options


def _register_statistics(app: Dash) -> None:
    @app.callback(
        Output("afm-histogram", "figure"),
        Output("modulus-words", "children"),
        Input(parts.view("hp"), "value"),
        State(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_part(part: str, wanted: str, sample_id: str):
        field = chosen(library().result(sample_id).afm, wanted)
        figure = afm_statistics.histogram_figure(field, scheme=parts.current_scheme(), part=part)
        return figure, afm_panels.modulus_words(field, part)

    @app.callback(
        Output("afm-relation", "figure"),
        Output("relation-words", "children"),
        Input(parts.view("rq"), "value"),
        State(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_relation(quantity: str, wanted: str, sample_id: str):
        result = library().result(sample_id)
        field = chosen(result.afm, wanted)
        return afm_panels.relation(result, field, quantity, parts.current_scheme())


def _register_drawing(app: Dash) -> None:
    @app.callback(
        Output(parts.view("d"), "value"),
        Output(parts.view("l"), "value"),
        Input("afm-height", "relayoutData"),
        Input("afm-modulus", "relayoutData"),
        Input("add-line", "n_clicks"),
        Input("clear-lines", "n_clicks"),
        *(State(name, "value") for name in ADD_IDS),
        State(parts.view("d"), "value"),
        State(parts.view("l"), "value"),
        State(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def draw(on_height: Any, on_modulus: Any, _add: Any, _clear: Any, *state: Any):
        ends, (drawn, line, wanted, sample_id) = state[:4], state[4:]
        field = chosen(library().result(sample_id).afm, wanted)
        if ctx.triggered_id == "clear-lines":
            return "", field.lines[0].name if field.lines else ""
        if ctx.triggered_id == "add-line":
            changed = afm_line.with_typed(field, drawn, tuple(number(value) for value in ends))
        else:
            change = on_height if ctx.triggered_id == "afm-height" else on_modulus
            changed = afm_line.with_change(field, drawn, line, change)
        return (no_update, no_update) if changed is None else changed


def layout(sample_id: str = "", **query: object) -> Component:
    """The page of one sample; ``query`` is the view that the address asks for."""
    result = instrument.result_or_page(sample_id, "afm")
    if not isinstance(result, Result):
        return result
    return html.Div(
        afm_panels.page(result, asked(query), parts.current_scheme()),
        id="afm-page",
        className="instrument",
        **{"data-linked": sample_id, "data-version": library().version(sample_id)},
    )
