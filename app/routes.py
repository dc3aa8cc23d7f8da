"""Bytes that don't belong in callbacks: tables, pictures, patterns, the data that links the panels."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from csv import writer as csv_writer
from dataclasses import replace
from typing import TypeVar

import numpy as np
from flask import Flask, Response, abort, request

from analysis.errors import TriptychError
from analysis.io.tables import TABLES, table_csv
from analysis.pipeline.comparison import GROUPINGS, compared, comparison_csv, comparison_json
from analysis.pipeline.registration import rebinned
from analysis.records import AFM_STATUS, COORDINATES, Array, PixelGrid, Result, SemReduction, XrayReduction
from analysis.registration.profiles import BINS
from app.figures.deep import DeepImage
from app.figures.linked import linked
from app.figures.maps import averaged, colour_limits
from app.figures.pattern import brightest, thumbnail
from app.figures.png import coloured, crop, png_bytes
from app.figures.theme import SCHEMES, colour_scale, template
from app.library import Library, library

T = TypeVar("T")
MAX_CROP_PX = 2048
MIN_BINS, MAX_BINS = 3, 50
THUMBNAIL_PX = 160
UNIFORM = 0.1
"""Share of its median on both sides that a thumbnail of <a_SC> spans at least: noise is no structure."""

MODALITIES = ("xray", "sem", "afm")


def add_routes(server: Flask) -> None:
    """Put the addresses of bytes on ``server``."""
    server.add_url_rule("/healthz", view_func=healthz)
    server.add_url_rule("/templates.json", view_func=templates)
    server.add_url_rule("/csv/<sample_id>/<table>.csv", view_func=csv)
    server.add_url_rule("/compare/compare.<kind>", view_func=compared_groups)
    server.add_url_rule("/compare/<table>.csv", view_func=compared_csv)
    server.add_url_rule("/data/<sample_id>/linked.json", view_func=linked_json)
    server.add_url_rule("/thumb/<sample_id>/<modality>.png", view_func=thumb)
    server.add_url_rule("/image/<sample_id>/sem/<int:index>.png", view_func=sem_image)
    server.add_url_rule("/atlas/<sample_id>/<int:index>/<int:row>.png", view_func=atlas_row)
    server.add_url_rule("/radial/<sample_id>/<int:index>/<int:row>.bin", view_func=radial_row)


def healthz() -> Response:
    """Says that the server answers."""
    return Response('{"status": "ok"}', mimetype="application/json")


def templates() -> Response:
    """The figure templates of both colour schemes, for a change of scheme without the server."""
    both = {scheme: template(scheme).to_plotly_json() for scheme in SCHEMES}
    return _kept_long(Response(json.dumps(both), mimetype="application/json"))


def csv(sample_id: str, table: str) -> Response:
    """One table of a sample as CSV."""
    result = _found(library().result, sample_id)
    if table not in TABLES:
        abort(404, "There is no table of that name.")
    bins = request.args.get("bins", default=BINS, type=int)
    if table == "profiles" and bins != BINS and MIN_BINS <= bins <= MAX_BINS:
        result = library().derived(sample_id, ("bins", bins), lambda whole: rebinned(whole, bins=bins))
    along = request.args.get("c", "")
    if table == "profiles" and along in COORDINATES:
        kept = tuple(one for one in result.profiles if one.coordinate == along)
        result, table_name = replace(result, profiles=kept), f"profiles_{along}"
    else:
        table_name = table
    name = f"{sample_id}_{table_name}.csv"
    return Response(
        table_csv(result, table),
        mimetype="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"},
    )


def compared_csv(table: str) -> Response:
    """One table, or the ``numbers``, of the samples ``s=a&s=b``, one under another with one header."""
    results = [result for name in dict.fromkeys(request.args.getlist("s")) if (result := _shown(name))]
    if not results or (table != "numbers" and table not in TABLES):
        abort(404, "There is no table of that name, or no sample.")
    body = numbers_csv(results) if table == "numbers" else joined([table_csv(r, table) for r in results])
    return Response(
        body,
        mimetype="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="compare_{table}.csv"'},
    )


def compared_groups(kind: str) -> Response:
    """The comparison of the samples ``s=a&s=b`` by group (``by``, ``ga``), as CSV or JSON."""
    results = [result for name in dict.fromkeys(request.args.getlist("s")) if (result := _shown(name))]
    if not results or kind not in ("csv", "json"):
        abort(404, "There is no comparison of that kind, or no sample.")
    by, picked = request.args.get("by", ""), request.args.getlist("ga")
    results.sort(key=lambda result: result.sample_id not in picked)
    groups = {result.sample_id: "picked" if result.sample_id in picked else "others" for result in results}
    found = compared(
        results,
        groups=groups if by == "picked" else None,
        by=by if by in GROUPINGS else next(iter(GROUPINGS)),
    )
    if kind == "csv":
        body, mime = comparison_csv(found, results), "text/csv"
    else:
        body, mime = json.dumps(comparison_json(found, results), ensure_ascii=False), "application/json"
    return Response(
        body,
        mimetype=f"{mime}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="compare.{kind}"'},
    )


def joined(tables: Sequence[str]) -> str:
    """CSV texts of one kind under one another: the header of the first alone is kept, comments of all."""
    lines: list[str] = []
    for number, text in enumerate(tables):
        comments = [line for line in text.splitlines() if line.startswith("#")]
        values = [line for line in text.splitlines() if not line.startswith("#")]
        lines += [*comments, *(values if number == 0 else values[1:])]
    return "\n".join(lines) + "\n"


def numbers_csv(results: Sequence[Result]) -> str:
    """The summaries of several samples, one line a number."""
    out = io.StringIO()
    writer = csv_writer(out, lineterminator="\n")
    writer.writerow(["sample", "quantity", "value", "err", "sys", "std", "n", "unit"])
    for result in results:
        for name, found in result.summary.items():
            if found is not None:
                cells = [found.value, found.err, found.sys, found.std, found.n, found.unit]
                writer.writerow([result.sample_id, name, *("" if cell is None else cell for cell in cells)])
    return out.getvalue()


def _shown(sample_id: str) -> Result | None:
    try:
        return library().result(sample_id)
    except TriptychError:
        return None


def linked_json(sample_id: str) -> Response:
    """The data of the linked cursor."""
    body = _derived(sample_id, "linked", lambda result: json.dumps(linked(result), allow_nan=False))
    return _kept_long(Response(body, mimetype="application/json"))


def thumb(sample_id: str, modality: str) -> Response:
    """A small picture of one modality of a sample."""
    if modality not in MODALITIES:
        abort(404)
    body = _derived(sample_id, ("thumb", modality), lambda result: _thumbnail_png(result, modality))
    if body is None:
        abort(404)
    return _png(body)


def sem_image(sample_id: str, index: int) -> Response:
    """A region ``x0 x1 y0 y1`` (pixels) of an image at about ``w`` columns, grey."""
    image = _chosen(sample_id, "sem", index)
    levels = _derived(sample_id, ("pyramid", index), lambda result: DeepImage(result.sem[index].image))
    rows, cols = levels[0].shape
    region = {
        "col0": request.args.get("x0", 0, int),
        "col1": request.args.get("x1", cols, int),
        "row0": request.args.get("y0", 0, int),
        "row1": request.args.get("y1", min(rows, image.bar_row), int),
    }
    width = min(max(request.args.get("w", 1024, int), 16), MAX_CROP_PX)
    return _png(png_bytes(crop(levels, **region, width=width)[: MAX_CROP_PX * 2], level=1))


def atlas_row(sample_id: str, index: int, row: int) -> Response:
    """Thumbnails of all patterns of one scan row beside one another, grey."""
    scan: XrayReduction = _chosen(sample_id, "xray", index)
    if row >= scan.grid.shape[0] or scan.patterns is None:
        abort(404)
    shelf = library()
    body = _derived(sample_id, ("atlas", index, row), lambda _result: _atlas_png(shelf, sample_id, scan, row))
    return _png(body)


def radial_row(sample_id: str, index: int, row: int) -> Response:
    """Radial profiles of one scan row: float32, little-endian, (columns, n_q)."""
    scan: XrayReduction = _chosen(sample_id, "xray", index)
    if row >= scan.grid.shape[0]:
        abort(404)
    body = np.ascontiguousarray(scan.radial[row], dtype="<f4").tobytes()
    return _kept_long(Response(body, mimetype="application/octet-stream"))


def _atlas_png(shelf: Library, sample_id: str, scan: XrayReduction, row: int) -> bytes:
    most = brightest(scan)
    tiles = [
        thumbnail(shelf.pattern(sample_id, index=scan.index, row=row, col=col), scan.valid, brightest=most)
        for col in range(scan.grid.shape[1])
    ]
    return png_bytes(np.concatenate(tiles, axis=1), level=1)


def _thumbnail_png(result: Result, modality: str) -> bytes | None:
    if modality == "xray" and result.xray:
        scan = result.xray[0]
        return _map_png(scan.grid, scan.maps["a_sc"].values, "a_sc")
    if modality == "afm" and result.afm:
        field = result.afm[0]
        counted = field.status == AFM_STATUS.index("ok")
        return _map_png(field.grid, np.where(counted, field.modulus_gpa, np.nan), "modulus")
    if modality == "sem" and result.sem:
        picture = _picture(result.sem[0])
        rows, cols = picture.shape
        side = min(rows, cols)
        middle = (cols - side) // 2
        return png_bytes(
            crop(
                DeepImage(picture), col0=middle, col1=middle + side, row0=0, row1=side, width=2 * THUMBNAIL_PX
            )
        )
    return None


def _map_png(grid: PixelGrid, values: Array, quantity: str) -> bytes:
    grid, values, _ = averaged(grid, values, most=2 * THUMBNAIL_PX)
    limits = colour_limits(values)
    if quantity == "a_sc":
        limits = _at_least(limits, values, UNIFORM)
    pixels = coloured(values, limits=limits, scale=colour_scale(quantity))
    return png_bytes(np.asarray(grid.displayed(pixels)))


def _at_least(limits: tuple[float, float], values: Array, share: float) -> tuple[float, float]:
    """Colour limits that reach at least ``share`` of the median to both of its sides."""
    known = values[np.isfinite(values)]
    if not known.size:
        return limits
    median = float(np.median(known))
    reach = share * abs(median)
    return min(limits[0], median - reach), max(limits[1], median + reach)


def _picture(image: SemReduction) -> np.ndarray:
    return image.image[: image.bar_row]


def _found(read: Callable[[str], T], sample_id: str) -> T:
    try:
        return read(sample_id)
    except TriptychError as error:
        abort(404, str(error).replace(f"{library().workspace}/", ""))


def _derived(sample_id: str, key: object, make: Callable[[Result], T]) -> T:
    return _found(lambda name: library().derived(name, key, make), sample_id)


def _chosen(sample_id: str, modality: str, index: int):
    reductions = getattr(_found(library().result, sample_id), modality)
    if index >= len(reductions):
        abort(404)
    return reductions[index]


def _png(body: bytes) -> Response:
    return _kept_long(Response(body, mimetype="image/png"))


def _kept_long(response: Response) -> Response:
    """Let the browser keep what an address with a version names; ask again for the others."""
    versioned = "v" in request.args
    response.headers["Cache-Control"] = "private, max-age=604800, immutable" if versioned else "no-cache"
    return response
