"""The dashboard as one application: ``create_app(workspace)`` makes it, ``run_server`` serves it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import waitress
from dash import Dash

from analysis.errors import TriptychError
from app import access, edits, routes
from app.library import Library
from app.pages import afm, compare, not_found, samples, sem, shell, triptych, xray

THREADS = 8
SOURCE_ASSETS = Path(__file__).resolve().parents[1] / "assets"
WHEEL_ASSETS = Path(__file__).resolve().parent / "assets"

PAGES: tuple[ModuleType, ...] = (xray, sem, afm, triptych, compare, samples, not_found)
"""Specific addresses first: Dash takes the first page whose template fits."""

INDEX = """<!DOCTYPE html>
<html lang="en" data-mantine-color-scheme="{scheme}">
  <head>
    {metas}
    <meta name="color-scheme" content="light dark">
    <title>{title}</title>
    {favicon}
    {css}
  </head>
  <body>
    {app_entry}
    {config}
    {scripts}
    {renderer}
  </body>
</html>"""


class Triptych(Dash):
    """Dash with our page frame: language, and the colour scheme before the first paint."""

    def interpolate_index(self, **parts: str) -> str:
        return INDEX.format(scheme=shell.current_scheme(), **parts)


def create_app(workspace: Path, *, host: str = "127.0.0.1") -> Dash:
    """The dashboard of one workspace; nothing is read until it is asked for."""
    if os.environ.get("DASH_DEBUG", "").lower() not in {"", "0", "false", "no"}:
        raise TriptychError(
            "DASH_DEBUG is set: unset it; debug mode would let pages run code on this machine"
        )
    app = Triptych(
        "triptych",
        use_pages=True,
        pages_folder="",
        assets_folder=str(SOURCE_ASSETS if SOURCE_ASSETS.is_dir() else WHEEL_ASSETS),
        assets_ignore=r".*\.md$",
        suppress_callback_exceptions=True,
        title="Triptych",
        update_title="",
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        add_log_handler=False,
    )
    app.server.extensions["triptych"] = Library(workspace)
    access.guard(app.server, host=host, script_hashes=lambda: list(app.csp_hashes()))
    routes.add_routes(app.server)
    edits.add_edit_routes(app.server)
    for page in PAGES:
        page.register(app)
    app.layout = shell.layout
    shell.register(app)
    return app


def run_server(workspace: Path, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until stopped; ``on_ready`` is given the address once the port is ours."""
    app = create_app(workspace, host=host)
    with _listening(host, port) as own:
        server = waitress.create_server(
            app.server, sockets=[own], threads=THREADS, ident=None, clear_untrusted_proxy_headers=True
        )
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{own.getsockname()[1]}/")
        try:
            server.run()
        finally:
            server.close()


def _listening(host: str, port: int) -> socket.socket:
    """A socket bound to an address; raises TriptychError with a sentence where that cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        own = socket.socket(family, kind, protocol)
    except OSError as error:
        raise TriptychError(f"{host} is no address of this machine ({error.strerror})") from None
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
    except OSError as error:
        own.close()
        raise TriptychError(
            f"port {port} on {host} cannot be used ({error.strerror}): "
            "stop what uses it, or choose another port"
        ) from None
    return own


def port_is_free(host: str, port: int) -> bool:
    """Whether nobody listens on the port."""
    try:
        _listening(host, port).close()
    except TriptychError:
        return False
    return True
