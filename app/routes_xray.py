"""Bytes of the X-ray page: one pattern in full, counts in a window of q and phi, and their CSV."""

from __future__ import annotations

import numpy as np
from flask import Flask, Response, abort, request

from analysis.errors import TriptychError
from analysis.records import XRAY_STATUS, Array, Result, XrayReduction
from analysis.xray.pattern_window import Window
from app.figures.pattern import brightest, shaded
from app.figures.png import png_bytes
from app.library import library
from app.routes_instruments import csv_answer


def add_routes(server: Flask) -> None:
    """Put the addresses on ``server``."""
    server.add_url_rule("/pattern/<sample_id>/<int:index>/<int:row>/<int:col>.png", view_func=pattern_png)
    server.add_url_rule("/window/<sample_id>/<int:index>.bin", view_func=window_bytes)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/window.csv", view_func=window_csv)


def pattern_png(sample_id: str, index: int, row: int, col: int) -> Response:
    """Every pixel of one pattern, grey from 1 on by the logarithm of its counts; 0 has no value."""
    _, scan = found_scan(sample_id, index)
    try:
        counts = library().pattern(sample_id, index=index, row=row, col=col)
    except IndexError as error:
        abort(404, str(error))
    body = png_bytes(shaded(counts, scan.valid, brightest=brightest(scan)), level=1)
    return _kept_long(Response(body, mimetype="image/png"))


def window_bytes(sample_id: str, index: int) -> Response:
    """Counts in the window that the address asks for, as displayed: float32, little-endian, row by row.

    NaN where the frame is missing; the header ``X-Pixels`` says how many pixels count in the window.
    """
    _, scan = found_scan(sample_id, index)
    counts, pixels = _window(sample_id, scan)
    shown = np.ascontiguousarray(scan.grid.displayed(counts), dtype="<f4")
    answer = _kept_long(Response(shown.tobytes(), mimetype="application/octet-stream"))
    answer.headers["X-Pixels"] = str(pixels)
    return answer


def window_csv(sample_id: str, index: int) -> Response:
    """The same counts with their places, one line a point."""
    result, scan = found_scan(sample_id, index)
    counts, pixels = _window(sample_id, scan)
    x, y = scan.grid.positions_um()
    row, col = np.indices(scan.grid.shape)
    s = np.full(scan.grid.shape, np.nan) if scan.coordinate is None else scan.coordinate.s["rectangle"]
    columns = {
        "row": row, "col": col, "x_um": x, "y_um": y, "s": s, "counts": counts, "counts_err": np.sqrt(counts),
        "status": np.array(XRAY_STATUS)[scan.status],
    }  # fmt: skip
    notes = [
        f"{window_words(window_asked())}; {pixels} pixels",
        "counts: as measured, no background subtracted; counts_err: 1 sigma of counting",
    ]
    flat = {name: values.ravel() for name, values in columns.items()}
    return csv_answer(result, scan.crystal, "window", flat, notes=notes)


def window_words(window: Window) -> str:
    """What a window holds, in plain ASCII as CSV comments are."""
    (q_low, q_high), (phi_low, phi_high) = window.q_per_nm, window.phi_deg
    also = " and half a turn further on" if window.opposite else ""
    return f"q {q_low:g} to {q_high:g} nm^-1, phi {phi_low:g} to {phi_high:g} deg{also}"


def window_asked() -> Window:
    """The window ``q0, q1, p0, p1, o`` of the current address; 400 where these are no ranges."""
    try:
        q0, q1, p0, p1 = (
            float(request.args.get(name, other))
            for name, other in (("q0", "0"), ("q1", "inf"), ("p0", "-180"), ("p1", "180"))
        )
    except ValueError:
        abort(400, "A window has four numbers.")
    if not (q0 < q1 and p0 < p1 and np.isfinite([q0, p0, p1]).all()):
        abort(400, "A window needs an extent.")
    return Window(q_per_nm=(q0, q1), phi_deg=(p0, p1), opposite=request.args.get("o") == "1")


def _window(sample_id: str, scan: XrayReduction) -> tuple[Array, int]:
    try:
        return library().window(sample_id, index=scan.index, window=window_asked())
    except (IndexError, TriptychError) as error:
        abort(404, str(error))


def found_scan(sample_id: str, index: int) -> tuple[Result, XrayReduction]:
    """A sample's result and one scan of it; 404 where there is none."""
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        abort(404, str(error))
    if index >= len(result.xray):
        abort(404)
    return result, result.xray[index]


def _kept_long(response: Response) -> Response:
    """Let the browser keep what an address with a version names; ask again for the others."""
    versioned = "v" in request.args
    response.headers["Cache-Control"] = "private, max-age=604800, immutable" if versioned else "no-cache"
    return response
