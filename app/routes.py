"""Bytes that don't belong in callbacks: tables, pictures, patterns, the data that links the panels."""

from __future__ import annotations

from flask import Flask


def add_routes(server: Flask) -> None:
    """Put the addresses of bytes on ``server``."""

    @server.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}
