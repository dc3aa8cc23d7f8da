"""Pieces that all pages are made of, so that they look and behave alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
import flask
import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from app.figures.theme import GRAPH_CONFIG, MODALITY_NAME, SCHEMES, Scheme

THEME_COOKIE = "triptych-theme"

COLOUR_LIMITS = (("p1", "1–99 %"), ("p5", "5–95 %"), ("p0", "all values"))
"""Colour limits by percentiles, as an address and as people call them."""

Children = Component | str | None | Sequence["Children"]


def current_scheme() -> Scheme:
    """Light or dark, as the browser that asks has chosen; light where it has not."""
    kept = flask.request.cookies.get(THEME_COOKIE)
    return "dark" if kept == SCHEMES[1] else "light"


def view(name: str) -> dict[str, str]:
    """Id of a control whose ``value`` is part of the view and stands in the address as ``name=value``."""
    return {"type": "view", "name": name}


def select(name: str, value: str, options: Sequence[tuple[str, str]], *, label: str) -> dmc.Select:
    """A drop-down whose choice stands in the address; ``options`` are (value, text)."""
    known = [key for key, _ in options]
    return dmc.Select(
        id=view(name),
        value=value if value in known else known[0],
        data=[{"value": key, "label": text} for key, text in options],
        allowDeselect=False,
        size="xs",
        w="8.25rem",
        comboboxProps={"shadow": "md"},
        **{"aria-label": label},
    )


def switch(name: str, value: str, options: Sequence[tuple[str, str]], *, label: str) -> html.Div:
    """A row of choices of which one is on; the choice stands in the address."""
    known = [key for key, _ in options]
    control = dmc.SegmentedControl(
        id=view(name),
        value=value if value in known else known[0],
        data=[{"value": key, "label": text} for key, text in options],
        size="xs",
    )
    return html.Div(control, role="group", **{"aria-label": label})


def hidden(name: str, value: str) -> dcc.Input:
    """A part of the view that has no control of its own to be seen."""
    return dcc.Input(id=view(name), type="hidden", value=value)


def choice(asked: str | None, options: Sequence[tuple[str, str]]) -> str:
    """What is asked for, if it is offered, or the first that is."""
    known = [key for key, _ in options]
    return asked if asked is not None and asked in known else known[0]


def index_of(text: str | None) -> int:
    """A number that an address names; 0 for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 5 else 0


def swatch(modality: str) -> html.Span:
    """The small square in a modality's colour that stands beside its name."""
    return html.Span(className=f"swatch swatch-{modality}", **{"aria-hidden": "true"})


def graph(graph_id: str | dict[str, str], figure: go.Figure, *, label: str, testid: str = "") -> html.Div:
    """A graph that fills its panel; ``label`` says to a screen reader what it shows."""
    marks = {"data-testid": testid} if testid else {}
    return html.Div(
        dcc.Graph(id=graph_id, figure=figure, config=GRAPH_CONFIG, responsive=True, className="graph"),
        className="graph-box",
        role="group",
        **{"aria-label": label},
        **marks,
    )


def linked_graph(graph_id: str, figure: go.Figure, *, modality: str, label: str) -> html.Div:
    """A graph over which the browser draws the cursor that all panels share; it takes the focus."""
    return html.Div(
        [
            dcc.Graph(id=graph_id, figure=figure, config=GRAPH_CONFIG, responsive=True, className="graph"),
            html.Div(
                [
                    html.Div(className="overlay-lines"),
                    html.Div(className=f"cursor cursor-{modality}", **{"data-testid": f"cursor-{modality}"}),
                ],
                className="overlay",
                **{"aria-hidden": "true"},
            ),
            html.Div(className="edit-layer"),
        ],
        className="graph-box linked",
        role="group",
        tabIndex=0,
        **{"aria-label": label, "data-panel": modality},
    )


def panel(
    title: Children,
    body: Children,
    *,
    modality: str | None = None,
    controls: Sequence[Component] = (),
    actions: Sequence[Component] = (),
    testid: str = "",
    class_name: str = "",
) -> html.Section:
    """A panel: swatch and title, controls, what it shows, and the ways to take it away."""
    heading = html.H2(
        [swatch(modality) if modality else None, title if title else MODALITY_NAME.get(modality or "", "")],
        className="panel-title",
    )
    marks = {"data-testid": testid} if testid else {}
    return html.Section(
        [
            html.Header(
                [
                    heading,
                    html.Div(list(controls), className="panel-controls"),
                    html.Div(list(actions), className="panel-actions"),
                ],
                className="panel-head",
            ),
            html.Div(body, className="panel-body"),
        ],
        className=f"panel {class_name}".strip(),
        **marks,
    )


def edit_button(text: str, modality: str, what: str, *, label: str) -> html.Button:
    """Button that opens a way of editing on the panel of a modality; the browser does the rest."""
    return html.Button(
        text,
        className="action edit-button",
        type="button",
        title=label,
        **{"data-edit": what, "data-modality": modality, "aria-label": label, "aria-pressed": "false"},
    )


def csv_link(sample_id: str, table: str, *, text: str = "CSV") -> html.A:
    """Link that downloads one table of a sample."""
    return html.A(
        text,
        href=f"/csv/{sample_id}/{table}.csv",
        download=f"{sample_id}_{table}.csv",
        className="action",
        title=f"Download {table}.csv",
        **{"data-testid": f"csv-{table}", "aria-label": f"Download {table}.csv"},
    )


def picture_buttons(graph_id: str, name: str) -> list[html.Button]:
    """Buttons that save a graph as seen, drawn in the browser."""
    return [
        html.Button(
            kind.upper(),
            className="action",
            type="button",
            title=f"Save the figure as {kind.upper()}",
            **{
                "data-export": kind,
                "data-graph": graph_id,
                "data-name": name,
                "aria-label": f"Save {name} as {kind.upper()}",
            },
        )
        for kind in ("png", "svg")
    ]


def actions(sample_id: str, graph_id: str, table: str, name: str) -> list[Component]:
    """What leaves with a figure: its CSV, PNG and SVG."""
    return [csv_link(sample_id, table), *picture_buttons(graph_id, f"{sample_id}_{name}")]


def simulated_badge() -> dmc.Badge:
    """The word that stands beside everything that was not measured."""
    return dmc.Badge("simulated", color="gray", variant="outline", size="sm", radius="sm", tt="none")


def quiet(sentence: str, *, testid: str = "") -> html.Div:
    """A sentence where there is nothing to draw."""
    marks: dict[str, Any] = {"data-testid": testid} if testid else {}
    return html.Div(html.P(sentence), className="quiet", **marks)


def message_page(heading: str, sentence: str) -> html.Div:
    """A page that only says why there is nothing to show."""
    return html.Div(
        [html.H1(heading), html.P(sentence), dcc.Link("All samples", href="/", className="text-link")],
        className="message",
        role="status",
    )
