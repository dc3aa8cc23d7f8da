"""The page for every address that is none of ours."""

from __future__ import annotations

import dash
from dash import Dash, html

from app.pages.parts import message_page


def register(app: Dash) -> None:  # noqa: ARG001
    """Make this the page of unknown addresses; Dash finds it by the end of its name."""
    dash.register_page("not_found_404", path="/404", title="Not found - Triptych", layout=layout, order=99)


def layout(**_query: object) -> html.Div:
    """One sentence and the way back."""
    return message_page("Nothing here", "There is no page at this address.")
