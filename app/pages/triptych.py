"""Three panels, one supercrystal: X-ray, SEM and AFM side by side on one edge-to-centre coordinate."""

from __future__ import annotations

import dash
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from analysis.errors import TriptychError
from analysis.records import Result
from app.figures import panels
from app.figures.theme import MODALITY_NAME, Scheme
from app.figures.words import QUANTITY_TEXT
from app.library import library
from app.pages import parts, triptych_pattern, triptych_profiles
from app.pages.triptych_pattern import pattern_panel
from app.pages.triptych_profiles import COORDINATES, coprofile_panel, crossplot_panel

MODALITIES = ("xray", "sem", "afm")
QUANTITIES = {
    "xray": tuple((name, QUANTITY_TEXT[name]) for name in panels.XRAY_QUANTITIES),
    "sem": tuple((panels.SEM_QUANTITIES | panels.SEM_MAPS).items()),
    "afm": (("modulus", "E"), ("height", "h")),
}
LIMITS = {"xray": "xl", "afm": "al"}
"""Names in the address of the colour limits of the two maps."""

VIEW = {"xray": ("xq", "xn"), "sem": ("sq", "sn"), "afm": ("aq", "an")}
"""Names in the address of each panel's quantity and number."""


def register(app: Dash) -> None:
    """Put the page and its callbacks on ``app``."""
    dash.register_page(
        __name__, path_template="/s/<sample_id>", order=20, title="Triptych", layout=layout, name="Triptych"
    )
    for modality in MODALITIES:
        _register_panel(app, modality)
    triptych_profiles.register(app)
    triptych_pattern.register(app)


def _register_panel(app: Dash, modality: str) -> None:
    quantity, number = VIEW[modality]

    @app.callback(
        Output(f"map-{modality}", "figure"),
        Input(parts.view(quantity), "value"),
        Input(parts.view(number), "value"),
        Input(parts.view("c"), "value"),
        State("sample", "data"),
        *([Input(parts.view(LIMITS[modality]), "value")] if modality in LIMITS else []),
        prevent_initial_call=True,
    )
    def show_panel(
        quantity: str, number: str, coordinate: str, sample_id: str, limits: str = ""
    ) -> go.Figure:
        result = library().result(sample_id)
        scheme = parts.current_scheme()
        return _panel_figure(result, modality, quantity, parts.index_of(number), scheme, limits, coordinate)


def layout(sample_id: str = "", **query: str) -> Component:
    """The page of one sample; ``query`` is the view that the address asks for."""
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        return parts.message_page("Nothing to show", str(error))
    asked = {name: value for name, value in query.items() if isinstance(value, str)}
    scheme = parts.current_scheme()
    return html.Div(
        [
            dcc.Store(id="sample", data=sample_id),
            html.H1(f"{result.title or sample_id}: Triptych", className="visually-hidden"),
            html.Div(
                [_panel(result, modality, asked, scheme) for modality in MODALITIES], className="triptych-row"
            ),
            _readout(result),
            html.Div(
                [
                    coprofile_panel(result, asked, scheme),
                    crossplot_panel(result, asked, scheme),
                    pattern_panel(result, asked, scheme),
                ],
                className="profile-row",
            ),
        ],
        className="triptych",
        **{"data-linked": sample_id, "data-version": library().version(sample_id)},
    )


def _panel(result: Result, modality: str, asked: dict[str, str], scheme: Scheme) -> Component:
    reductions = getattr(result, modality)
    quantity_name, number_name = VIEW[modality]
    quantity = parts.choice(asked.get(quantity_name), QUANTITIES[modality])
    number = min(parts.index_of(asked.get(number_name)), max(len(reductions) - 1, 0))
    if not reductions:
        body: Component = parts.quiet(f"No {MODALITY_NAME[modality]} data of this sample.")
        controls: list[Component] = [parts.hidden(quantity_name, quantity), parts.hidden(number_name, "0")]
        controls += [parts.hidden(LIMITS[modality], "p1")] if modality in LIMITS else []
        taken: list[Component] = []
    else:
        numbers = tuple((str(n), f"{n + 1} of {len(reductions)}") for n in range(len(reductions)))
        controls = [
            parts.select(quantity_name, quantity, QUANTITIES[modality], label=f"{modality} quantity"),
            parts.select(number_name, str(number), numbers, label=f"{modality} number")
            if len(reductions) > 1
            else parts.hidden(number_name, "0"),
        ]
        limits = parts.choice(asked.get(LIMITS.get(modality, "")), parts.COLOUR_LIMITS)
        if modality in LIMITS:
            controls.append(_limits(modality, limits))
        body = parts.linked_graph(
            f"map-{modality}",
            _panel_figure(result, modality, quantity, number, scheme, limits, asked.get("c")),
            modality=modality,
            label=f"{MODALITY_NAME[modality]} map; the arrow keys move the cursor",
        )
        body = [body, html.Div(className="edit-bar-host", id=f"edit-bar-{modality}")]
        table = {"xray": "xray_maps", "sem": "sem_rois", "afm": "afm_summary"}[modality]
        taken = [
            parts.edit_button(
                "Outline", modality, "outline", label=f"Edit the outline on the {MODALITY_NAME[modality]} map"
            ),
            *parts.actions(result.sample_id, f"map-{modality}", table, modality),
        ]
    return parts.panel(
        MODALITY_NAME[modality],
        body,
        modality=modality,
        controls=controls,
        actions=taken,
        testid=f"panel-{modality}",
    )


def _limits(modality: str, limits: str) -> Component:
    control = parts.select(
        LIMITS[modality], limits, parts.COLOUR_LIMITS, label=f"{modality} colour limits, percentiles"
    )
    control.w = "5.75rem"
    return control


def _panel_figure(
    result: Result,
    modality: str,
    quantity: str,
    number: int,
    scheme: Scheme,
    limits: str,
    coordinate: str | None,
) -> go.Figure:
    along = parts.choice(coordinate, COORDINATES)
    limits = parts.choice(limits, parts.COLOUR_LIMITS)
    quantity = parts.choice(quantity, QUANTITIES[modality])
    reductions = getattr(result, modality)
    chosen = reductions[min(number, len(reductions) - 1)]
    if modality == "xray":
        return panels.xray_panel(chosen, quantity, scheme=scheme, limits=limits, coordinate=along)
    if modality == "afm":
        return panels.afm_panel(chosen, quantity, scheme=scheme, limits=limits, coordinate=along)
    version = library().version(result.sample_id)
    source = f"/image/{result.sample_id}/sem/{chosen.index}.png?v={version}"
    return panels.sem_panel(chosen, quantity, source=source, scheme=scheme)


def _readout(result: Result) -> Component:
    """One row of values at the cursor; written by the browser, of constant width so that nothing jumps."""
    cells = [("s", "s", None), ("depth", "depth", None)]
    names = {"xray": "⟨a_SC⟩", "sem": "1/δk", "afm": "E"}
    cells += [(modality, names[modality], modality) for modality in MODALITIES if getattr(result, modality)]
    return html.Div(
        [
            html.Div(
                [
                    html.Span(
                        [parts.swatch(modality) if modality else None, html.Span(name, id=f"name-{key}")],
                        className="readout-name",
                    ),
                    html.Output("–", className="readout-value", **{"data-testid": f"value-{key}"}),
                ],
                className="readout-cell",
            )
            for key, name, modality in cells
        ]
        + [html.Div("Point at any panel.", className="readout-hint", id="readout-hint")],
        className="readout",
    )
