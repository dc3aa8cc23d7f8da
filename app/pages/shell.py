"""What stands around every page: the header with its navigation, the theme, the keyboard help."""

from __future__ import annotations

import re

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from analysis.errors import TriptychError
from app.figures.theme import FONT
from app.library import library
from app.pages.parts import current_scheme, simulated_badge

__all__ = ["current_scheme", "layout", "register"]

HEADER_HEIGHT = "3rem"
SAMPLE_PAGES = (("", "Triptych"), ("/xray", "X-ray"), ("/sem", "SEM"), ("/afm", "AFM"))
SAMPLE_PATH = re.compile(r"/s/([^/]+)(/[a-z]+)?")
NAVIGATION = (("/", "Samples"), ("/compare", "Compare"))

KEYS = (
    ("?", "this help"),
    ("t", "light or dark"),
    ("c", "copy the link to this view"),
    ("Tab", "next control; panels take the focus too"),
    ("arrows", "move the cursor in the focused panel"),
    ("Enter", "pin the pattern under the cursor as A"),
    ("Shift + Enter", "pin it as B"),
    ("Esc", "take the cursor away"),
)

THEME = {
    "fontFamily": FONT,
    "primaryColor": "blue",
    "primaryShade": {"light": 8, "dark": 4},
    "defaultRadius": "sm",
    "cursorType": "pointer",
    "focusRing": "auto",
    "headings": {"fontFamily": FONT, "fontWeight": "600"},
}


def layout() -> dmc.MantineProvider:
    """The frame of all pages in the colour scheme of the browser that asks."""
    return dmc.MantineProvider(
        dmc.AppShell(
            [
                dmc.AppShellHeader(_header(), className="site-header", withBorder=True),
                dmc.AppShellMain(dash.page_container, id="main"),
                _help(),
                html.Div(id="said", role="status", className="said", **{"aria-live": "polite"}),
                dcc.Store(id="view-kept"),
            ],
            header={"height": HEADER_HEIGHT},
            padding=0,
        ),
        id="mantine",
        theme=THEME,
        forceColorScheme=current_scheme(),
    )


def register(app: Dash) -> None:
    """Callbacks of the frame: the sample in the header, the view in the address."""

    @app.callback(Output("sample-slot", "children"), Input("_pages_location", "pathname"))
    def show_sample(pathname: str | None) -> list[object]:
        return sample_header(pathname or "/")

    app.clientside_callback(
        ClientsideFunction(namespace="triptych", function_name="keepView"),
        Output("view-kept", "data"),
        Input({"type": "view", "name": dash.ALL}, "value"),
    )


def sample_header(pathname: str) -> list[object]:
    """Title, badge, pages and switcher of the sample an address speaks of; nothing elsewhere."""
    found = SAMPLE_PATH.fullmatch(pathname)
    if found is None:
        return []
    sample_id, page = found.group(1), found.group(2) or ""
    try:
        result = library().result(sample_id)
    except TriptychError:
        return []
    others = [card for card in library().cards() if card.status == "reduced"]
    return [
        html.Nav(
            [
                dcc.Link(
                    text,
                    href=f"/s/{sample_id}{path}",
                    className="page-tab page-tab-on" if path == page else "page-tab",
                    title="this page" if path == page else None,
                )
                for path, text in SAMPLE_PAGES
            ],
            className="page-tabs",
            **{"aria-label": "Pages of this sample"},
        ),
        html.Span(result.title or sample_id, className="sample-title", title=result.title),
        simulated_badge() if result.simulated else None,
        html.Details(
            [
                html.Summary("switch", **{"aria-label": "Switch to another sample"}),
                html.Ul(
                    [
                        html.Li(dcc.Link(card.title, href=f"/s/{card.sample_id}{page}"))
                        for card in others
                        if card.sample_id != sample_id
                    ]
                    or [html.Li("no other sample is reduced yet")]
                ),
            ],
            className="switcher",
        ),
    ]


def _header() -> html.Div:
    return html.Div(
        [
            dcc.Link(
                [html.Span(className="logo", **{"aria-hidden": "true"}), "Triptych"],
                href="/",
                className="brand",
            ),
            html.Nav(
                [dcc.Link(text, href=path, className="nav-link") for path, text in NAVIGATION],
                **{"aria-label": "Pages"},
            ),
            html.Div(id="sample-slot", className="sample-slot"),
            html.Div(
                [
                    _button("Copy link", "copy-link", "Copy the link to this view"),
                    _button("?", "open-help", "Keyboard help"),
                    _button(html.Span(className="theme-icon"), "toggle-theme", "Light or dark"),
                ],
                className="header-actions",
            ),
        ],
        className="header-row",
    )


def _button(content: object, name: str, label: str) -> html.Button:
    return html.Button(
        content, id=name, className="header-button", type="button", title=label, **{"aria-label": label}
    )


def _help() -> dmc.Modal:
    return dmc.Modal(
        html.Table(
            html.Tbody([html.Tr([html.Th(dmc.Kbd(key), scope="row"), html.Td(text)]) for key, text in KEYS]),
            className="keys",
        ),
        id="help",
        title="Keyboard",
        opened=False,
        closeButtonProps={"aria-label": "Close"},
    )
