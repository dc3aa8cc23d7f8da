"""Who may ask what: one gate before every request, and what every answer carries."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

MAX_REQUEST_BYTES = 2_000_000
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}


def guard(server: Flask, *, host: str, script_hashes: Callable[[], list[str]]) -> None:
    """Put the gate before every request of ``server`` and the security headers on every answer.

    ``host`` is the address the server listens on; ``script_hashes`` gives the hashes of the inline scripts
    that the pages carry.
    """
    server.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    allowed = allowed_hosts(host)

    @server.before_request
    def gate() -> None:
        if host_name(request.host) not in allowed:
            abort(403, "This address is not served here.")
        if request.method not in SAFE_METHODS and not same_origin(
            origin=request.headers.get("Origin"),
            fetch_site=request.headers.get("Sec-Fetch-Site"),
            host=request.host,
        ):
            abort(403, "A request from another site is not served.")

    @server.after_request
    def harden(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", content_policy(script_hashes()))
        return response


def allowed_hosts(host: str) -> frozenset[str]:
    """Names under which a server that listens on ``host`` may be asked."""
    return LOOPBACK_NAMES | {host_name(host)}


def host_name(host: str) -> str:
    """The name part of a Host header, lower case, without port and brackets; '' for nonsense."""
    try:
        if ipaddress.ip_address(host).version == 6:
            return host.lower()
    except ValueError:
        pass
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def same_origin(*, origin: str | None, fetch_site: str | None, host: str) -> bool:
    """Whether a request that changes something comes from our own pages, or from no browser at all."""
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return False
    return origin is None or urlsplit(origin).netloc == host


def content_policy(script_hashes: list[str]) -> str:
    """Content-Security-Policy: everything from this server; inline only the scripts whose hashes are given.

    Styles are inline because both plotly and the component library write them into elements.
    """
    scripts = " ".join(["'self'", *script_hashes])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
