"""AFM of one sample: height and modulus side by side, lines across both, distribution, statistics."""

from __future__ import annotations

from typing import Any

import dash
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from analysis.records import AfmReduction, Result
from app.figures import afm_lines, afm_maps
from app.figures.theme import Scheme, blank
from app.library import library
from app.pages import afm_facts, afm_line, instrument, parts
from app.pages.instrument import asked, choice, chosen, hidden, number, numbers

EVERYWHERE = (("ok", "pixels that count"), ("all", "all pixels"))
ADD_IDS = tuple(f"end-{name}" for name in ("x0", "y0", "x1", "y1"))


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
    _register_drawing(app)

    @app.callback(
        Output("afm-height", "figure"),
        Output("afm-modulus", "figure"),
        Output("afm-profile", "figure"),
        Output("line-csv", "href"),
        Output("line-words", "children"),
        Output(parts.view("l"), "data"),
        Input(parts.view("l"), "value"),
        Input(parts.view("d"), "value"),
        Input(parts.view("cv"), "value"),
        Input(parts.view("t"), "value"),
        Input(parts.view("ev"), "value"),
        State(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_line(
        line: str, drawn: str, convention: str, thickness: Any, shown: str, wanted: str, sample_id: str
    ):
        view = {"l": line, "d": drawn, "cv": convention, "t": str(thickness), "ev": shown}
        field = chosen(library().result(sample_id).afm, wanted)
        seen = afm_line.Seen.of(field, view)
        options = [{"value": key, "label": text} for key, text in seen.options]
        scheme = parts.current_scheme()
        return *_figures(field, seen, view, scheme), seen.address(sample_id), _words(seen), options

    @app.callback(
        Output("afm-page", "children"),
        Input(parts.view("an"), "value"),
        State("sample", "data"),
        prevent_initial_call=True,
    )
    def show_field(wanted: str, sample_id: str) -> list[Component]:
        return _page(library().result(sample_id), {"an": wanted}, parts.current_scheme())


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
        _page(result, asked(query), parts.current_scheme()),
        id="afm-page",
        className="instrument",
        **{"data-linked": sample_id, "data-version": library().version(sample_id)},
    )


def _page(result: Result, view: dict[str, str], scheme: Scheme) -> list[Component]:
    field = chosen(result.afm, view.get("an"))
    seen = afm_line.Seen.of(field, view)
    height, modulus, profile = _figures(field, seen, view, scheme)
    return [
        dcc.Store(id="sample", data=result.sample_id),
        html.H1(f"{result.title or result.sample_id}: AFM", className="visually-hidden"),
        html.Div(
            [
                _map_panel(
                    result,
                    field,
                    "height",
                    height,
                    [numbers("an", result.afm, view.get("an"), label="Field")],
                ),
                _map_panel(
                    result,
                    field,
                    "modulus",
                    modulus,
                    [
                        parts.switch(
                            "ev", choice(view.get("ev"), EVERYWHERE), EVERYWHERE, label="Pixels shown"
                        )
                    ],
                ),
                _histogram_panel(result, field, scheme),
            ],
            className="afm-top",
        ),
        html.Div(_line_panel(result, seen, view, profile), className="afm-middle"),
        html.Div(afm_facts.panels(field), className="facts-row"),
    ]


def _map_panel(
    result: Result, field: AfmReduction, quantity: str, figure: go.Figure, controls: list[Component]
) -> Component:
    graph_id, name = f"afm-{quantity}", {"height": "Height h", "modulus": "Modulus E"}[quantity]
    label = f"{name}; drag to draw a line"
    box = (
        parts.linked_graph(graph_id, figure, modality="afm", label=f"{label}; the arrow keys move the cursor")
        if quantity == "modulus"
        else parts.graph(graph_id, figure, label=label)
    )
    return parts.panel(
        name,
        instrument.configured(box, modeBarButtonsToAdd=["drawline"]),
        modality="afm",
        controls=controls,
        actions=[
            instrument.file_link(
                f"/csv/{result.sample_id}/afm/{field.index}/field.csv",
                f"{result.sample_id}_afm_field.csv",
                text="CSV",
                testid=f"csv-afm_field_{quantity}",
            ),
            *parts.picture_buttons(graph_id, f"{result.sample_id}_{quantity}"),
        ],
        testid=f"panel-{graph_id}",
    )


def _line_panel(result: Result, seen: afm_line.Seen, view: dict[str, str], figure: go.Figure) -> Component:
    options = seen.options
    chooser = parts.select("l", seen.key, options, label="Line")
    chooser.w = 170
    controls = [
        html.Span("line", className="control-name"),
        chooser,
        html.Span("sampling", className="control-name"),
        parts.switch("cv", seen.convention, afm_line.CONVENTION_TEXT, label="Sampling of the line"),
        html.Span("thickness", className="control-name"),
        instrument.number_input(
            "t",
            seen.thickness_px,
            label="Thickness in pixels",
            width=64,
            least=1,
            most=afm_line.MAX_THICKNESS,
        ),
        html.Span("px", className="control-name"),
        html.Span(_words(seen), id="line-words", className="line-words", **{"data-testid": "line-words"}),
        hidden("d", view.get("d", "")),
    ]
    return parts.panel(
        "Along a line",
        [
            parts.graph(
                "afm-profile", figure, label="Height and modulus along the chosen line", testid="afm-profile"
            ),
            _typed_line(),
        ],
        controls=controls,
        actions=[
            instrument.file_link(
                seen.address(result.sample_id),
                f"{result.sample_id}_line.csv",
                text="CSV of this line",
                testid="csv-line",
                link_id="line-csv",
            ),
            parts.csv_link(result.sample_id, "afm_lines", text="all lines"),
            *parts.picture_buttons("afm-profile", f"{result.sample_id}_line"),
        ],
        testid="panel-line",
    )


def _typed_line() -> Component:
    """A line by its ends in um, for those who would rather type than draw."""
    inputs: list[Component] = []
    for name, text in zip(ADD_IDS, ("x₀", "y₀", "x₁", "y₁"), strict=True):
        inputs += [
            html.Label(text, htmlFor=name, className="control-name"),
            dcc.Input(id=name, type="number", step="any", className="number-box"),
        ]
    return html.Div(
        [
            html.Span("Drag on a map to draw a line, or give its ends in µm:", className="control-name"),
            *inputs,
            html.Button("Add line", id="add-line", type="button", className="action"),
            html.Button("Clear drawn lines", id="clear-lines", type="button", className="action"),
        ],
        className="line-bar",
    )


def _histogram_panel(result: Result, field: AfmReduction, scheme: Scheme) -> Component:
    return parts.panel(
        "Distribution of E",
        [
            parts.graph(
                "afm-histogram",
                afm_lines.histogram_figure(field, scheme=scheme),
                label="Distribution of the modulus",
            ),
            afm_facts.modulus_words(field),
        ],
        actions=[
            parts.csv_link(result.sample_id, "afm_summary"),
            *parts.picture_buttons("afm-histogram", f"{result.sample_id}_modulus_distribution"),
        ],
        testid="panel-histogram",
    )


def _figures(
    field: AfmReduction, seen: afm_line.Seen, view: dict[str, str], scheme: Scheme
) -> tuple[go.Figure, go.Figure, go.Figure]:
    maps = [
        afm_maps.field_figure(
            field, quantity, scheme=scheme, lines=seen.lines, selected=seen.key, movable=seen.is_drawn,
            everywhere=view.get("ev") == "all",
        )
        for quantity in ("height", "modulus")
    ]  # fmt: skip
    line = seen.profile()
    profile = (
        blank("Drag on a map to draw a line.", scheme)
        if line is None
        else afm_lines.line_figure(line, seen.counted(), scheme=scheme)
    )
    return maps[0], maps[1], profile


def _words(seen: afm_line.Seen) -> str:
    """What the chosen line is: thickness in nm, length, number of points."""
    line = seen.profile()
    if line is None:
        return ""
    return f"= {line.thickness_nm:.0f} nm, {line.distance_um[-1]:.2f} µm long, {line.distance_um.size} points"
