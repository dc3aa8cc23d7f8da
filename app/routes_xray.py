"""Bytes of the X-ray page: one pattern in full, counts in a window of q and phi, and their CSV."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from flask import Flask, Response, abort, request

from analysis.errors import TriptychError
from analysis.records import XRAY_STATUS, Array, Result, WideAngle, XrayReduction
from analysis.xray.cross_correlation import DELTA_DEG
from analysis.xray.pattern_window import Window
from app.figures.pattern import brightest, shaded
from app.figures.png import png_bytes
from app.figures.xray_wide import PHI_DEG, ring_curve
from app.library import library
from app.routes_instruments import Columns, csv_answer
from app.wide_angle import (
    EVERYWHERE,
    RANGES,
    averaged,
    correlation_of,
    pair_key,
    pairs_of,
    ring_total,
)


def add_routes(server: Flask) -> None:
    """Put the addresses on ``server``."""
    server.add_url_rule("/pattern/<sample_id>/<int:index>/<int:row>/<int:col>.png", view_func=pattern_png)
    server.add_url_rule("/window/<sample_id>/<int:index>.bin", view_func=window_bytes)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/window.csv", view_func=window_csv)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/photons.csv", view_func=photons_csv)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/wide.csv", view_func=wide_csv)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/ring.csv", view_func=ring_csv)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/correlation.csv", view_func=correlation_csv)


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


def photons_csv(sample_id: str, index: int) -> Response:
    """Counts beyond the small angles at one scan point ``row, col``, one line a pixel that has any."""
    result, scan = found_scan(sample_id, index)
    row, col = (request.args.get(name, 0, int) for name in ("row", "col"))
    try:
        photons = library().photons(sample_id, index=index, row=row, col=col)
    except IndexError as error:
        abort(404, str(error))
    pixel, counts = np.unique(photons, return_counts=True)
    width = scan.geometry.shape[1]
    columns = {"row_px": pixel // width, "col_px": pixel % width, "counts": counts}
    notes = [f"scan point row {row}, column {col}; pixels beyond the small angles only"]
    return csv_answer(result, scan.crystal, "photons", columns, notes=notes)


def wide_csv(sample_id: str, index: int) -> Response:
    """I(q) beyond the small angles, averaged over the points with fitted spots."""
    result, scan = found_scan(sample_id, index)
    wide = _wide(scan)
    columns = {
        "q_per_nm": wide.q_per_nm,
        "intensity": wide.average_radial,
        "intensity_err": wide.average_radial_err,
    }
    notes = ["intensity: counts per pixel at full efficiency above the scaled background"]
    return csv_answer(result, scan.crystal, "wide_angle", columns, notes=notes)


def ring_csv(sample_id: str, index: int) -> Response:
    """I(phi) along the ring that is asked for: averaged, and at the pinned points ``a`` and ``b``."""
    result, scan = found_scan(sample_id, index)
    wide, ring = _wide(scan), request.args.get("ring", "")
    if ring not in wide.ring_names:
        abort(404, "There is no ring of that name.")
    number = wide.ring_names.index(ring)
    total, points = ring_total(sample_id, index, EVERYWHERE)
    curves = {f"average of {points} points": ring_curve(wide, number, total[number], points)}
    for name, place in _pinned(scan).items():
        curves[name] = ring_curve(wide, number, wide.azimuthal[place][number].astype(np.float64), 1)
    columns = _under_one_another(
        {name: {"phi_deg": PHI_DEG, "intensity": v, "intensity_err": e} for name, (v, e) in curves.items()}
    )
    notes = [
        f"ring {ring} at q = {wide.ring_q_per_nm[number]:.4g} nm^-1; phi: counter-clockwise as displayed"
    ]
    return csv_answer(result, scan.crystal, f"ring_{ring}", columns, notes=notes)


def correlation_csv(sample_id: str, index: int) -> Response:
    """C(Delta) of the ``pair`` averaged over ``points``, and at the pinned points ``a`` and ``b``."""
    result, scan = found_scan(sample_id, index)
    wide = _wide(scan)
    pair = {pair_key(pair): pair for pair in pairs_of(wide)}.get(request.args.get("pair", ""))
    if pair is None:
        abort(404, "There is no such pair of rings.")
    where = request.args.get("points", EVERYWHERE)
    mean = averaged(sample_id, index, pair, where if where in RANGES else EVERYWHERE)
    curves = {}
    if mean is not None:
        of = mean.correlation
        curves["average"] = _correlation_columns(of.mean, of.counting_err, of.std, of.sem, of.n)
    nothing = np.full(DELTA_DEG.size, np.nan)
    for name, place in _pinned(scan).items():
        value, error = correlation_of(wide, pair, place)
        curves[name] = _correlation_columns(value, error, nothing, nothing, np.isfinite(value).astype(int))
    notes = [
        f"rings {pair[0]} and {pair[1]}; delta_deg: phi on the second minus phi on the first",
        "correlation: mean of (I1 - <I1>)(I2 - <I2>) over <I1><I2>, mask divided out; empty: too few pairs",
        "counting_err: 1 sigma from counts; std: spread of the points; sem: standard error of their mean",
    ]
    columns = _under_one_another(curves)
    return csv_answer(result, scan.crystal, f"cross_correlation_{pair_key(pair)}", columns, notes=notes)


def _correlation_columns(value: Array, counting: Array, std: Array, sem: Array, n: npt.ArrayLike) -> Columns:
    return {
        "delta_deg": DELTA_DEG,
        "correlation": value,
        "counting_err": counting,
        "std": std,
        "sem": sem,
        "n": n,
    }


def _under_one_another(curves: Mapping[str, Columns]) -> Columns:
    """Curves of equal columns one after the other, the first column naming each."""
    names = next(iter(curves.values()), {})
    lengths = [len(np.asarray(next(iter(columns.values())))) for columns in curves.values()]
    joined = {name: np.concatenate([np.asarray(one[name]) for one in curves.values()]) for name in names}
    return {"curve": np.repeat(list(curves), lengths), **joined}


def _wide(scan: XrayReduction) -> WideAngle:
    if scan.wide_angle is None:
        abort(404, "No wide angles were measured in this scan.")
    return scan.wide_angle


def _pinned(scan: XrayReduction) -> dict[str, tuple[int, int]]:
    """Points ``a`` and ``b`` of the current address (``row.col``), named."""
    found = {}
    for name in ("a", "b"):
        words = request.args.get(name, "").split(".")
        if len(words) == 2 and all(word.isascii() and word.isdigit() and len(word) < 7 for word in words):
            row, col = int(words[0]), int(words[1])
            if row < scan.grid.shape[0] and col < scan.grid.shape[1]:
                found[f"{name.upper()} row {row} col {col}"] = (row, col)
    return found


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
