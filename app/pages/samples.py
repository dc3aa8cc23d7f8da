"""All samples of the workspace, a card each."""

from __future__ import annotations

import dash
import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from app.figures.theme import MODALITY_NAME
from app.figures.words import measured_text, with_error
from app.library import Card, library
from app.pages import parts

SORTS = (
    ("title", "by name"),
    ("method", "by method"),
    ("change", "by change of ⟨a_SC⟩"),
    ("modulus", "by E"),
)
STATUS_WORD = {"reduced": "reduced", "not reduced": "not reduced", "error": "cannot be read"}
STATUS_COLOUR = {"reduced": "teal", "not reduced": "gray", "error": "red"}


def register(app: Dash) -> None:
    """Put the page and its callbacks on ``app``."""
    dash.register_page(
        __name__, path="/", order=40, title="Samples - Triptych", layout=layout, name="Samples"
    )

    @app.callback(
        Output("cards", "children"),
        Input(parts.view("find"), "value"),
        Input(parts.view("sort"), "value"),
        prevent_initial_call=True,
    )
    def show_cards(find: str, sort: str) -> list[Component]:
        return _cards(find or "", sort or "")

    app.clientside_callback(
        ClientsideFunction(namespace="triptych", function_name="compareLink"),
        Output("compare-ticked", "href"),
        Output("compare-ticked", "children"),
        Output("compare-ticked", "className"),
        Input({"type": "tick", "sample": ALL}, "checked"),
    )


def layout(find: str = "", sort: str = "title", **_query: object) -> Component:
    """The list of samples, filtered and sorted as the address says."""
    find, sort = (value if isinstance(value, str) else "" for value in (find, sort))
    return html.Div(
        [
            html.Header(
                [
                    html.H1("Samples"),
                    dmc.TextInput(
                        id=parts.view("find"),
                        value=find,
                        placeholder="Filter by name, composition, method",
                        size="xs",
                        w="16.25rem",
                        debounce=150,
                        **{"aria-label": "Filter samples"},
                    ),
                    parts.select("sort", sort, SORTS, label="Sort samples"),
                    dcc.Link("Compare", id="compare-ticked", href="/compare", className="compare-button"),
                ],
                className="page-head",
            ),
            html.Div(_cards(find, sort), id="cards", className="cards"),
        ],
        className="page",
    )


def _cards(find: str, sort: str) -> list[Component]:
    cards = sorted(library().cards(), key=lambda card: (card.status != "reduced", _sort_key(card, sort)))
    shown = [card for card in cards if _matches(card, find)]
    if not cards:
        return [parts.quiet("No samples in this workspace yet.")]
    if not shown:
        return [parts.quiet("No sample fits this filter.")]
    return [_card(card) for card in shown]


def _matches(card: Card, find: str) -> bool:
    text = " ".join([card.sample_id, card.title, card.composition, card.method, card.status]).lower()
    return all(word in text for word in find.lower().split())


def _sort_key(card: Card, sort: str) -> tuple[object, ...]:
    if sort in {"change", "modulus"}:
        measured = card.summary.get("a_sc_change" if sort == "change" else "modulus")
        return (measured is None, -measured.value if measured else 0.0, card.title.lower())
    if sort == "method":
        return (card.method.lower(), card.title.lower())
    return (card.title.lower(), card.sample_id)


def _card(card: Card) -> Component:
    reduced = card.status == "reduced"
    return html.Article(
        [
            html.Div(
                [_thumbnail(card, modality) for modality in ("xray", "sem", "afm")], className="card-thumbs"
            ),
            html.Div(
                [
                    html.H2(
                        dcc.Link(card.title, href=f"/s/{card.sample_id}", className="card-link")
                        if reduced
                        else card.title
                    ),
                    html.P(
                        " · ".join(word for word in (card.composition, card.method) if word)
                        or card.sample_id,
                        className="card-kind",
                    ),
                    html.Div(
                        [
                            dmc.Badge(
                                STATUS_WORD[card.status],
                                color=STATUS_COLOUR[card.status],
                                variant="dot",
                                size="sm",
                                tt="none",
                            ),
                            parts.simulated_badge() if card.simulated else None,
                        ],
                        className="card-badges",
                    ),
                    _numbers(card) if reduced else html.P(_why(card), className="card-why"),
                    dmc.Checkbox(
                        id={"type": "tick", "sample": card.sample_id},
                        label="compare",
                        size="xs",
                        **{"aria-label": f"Compare {card.title}"},
                    )
                    if reduced
                    else None,
                ],
                className="card-body",
            ),
        ],
        className=f"card card-{card.status.replace(' ', '-')}",
        **{"data-testid": f"card-{card.sample_id}"},
    )


def _thumbnail(card: Card, modality: str) -> Component:
    name = MODALITY_NAME[modality]
    if card.status != "reduced" or modality not in card.modalities:
        return html.Div(
            [parts.swatch(modality), html.Span(name)]
            if modality in card.modalities
            else [html.Span(f"{name} unknown" if card.status == "error" else f"no {name}")],
            className="thumb thumb-empty",
        )
    address = f"/thumb/{card.sample_id}/{modality}.png?v={library().version(card.sample_id)}"
    return html.Div(
        [
            html.Img(src=address, alt=f"{name} of {card.title}"),
            html.Span([parts.swatch(modality), name], className="thumb-name"),
        ],
        className="thumb",
    )


def _why(card: Card) -> str:
    return card.error if card.status == "error" else f"Run triptych reduce on {card.sample_id}."


def _numbers(card: Card) -> Component:
    edge, centre = card.summary.get("a_sc_edge"), card.summary.get("a_sc_centre")
    lattice = f"{with_error(edge.value, edge.err)} → {measured_text(centre)}" if edge and centre else "–"
    modulus = card.summary.get("modulus")
    spread = f", spread {modulus.std:.2g}" if modulus and modulus.std is not None else ""
    rows = (("⟨a_SC⟩ edge → centre", lattice), ("E", measured_text(modulus) + spread if modulus else "–"))
    return html.Dl(
        [part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="card-numbers"
    )
