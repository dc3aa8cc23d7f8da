"""CSV of what the SEM page measures when asked: all regions with the drawn ones, spectra of drawn regions."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
from flask import Flask, Response, abort, request

from analysis.errors import TriptychError
from analysis.io.table_columns import sem_columns
from analysis.records import Result, SemReduction, SemRegion
from app.library import library
from app.pages import sem_drawn
from app.routes_instruments import csv_answer, radial_answer, spectrum_answer


def add_routes(server: Flask) -> None:
    """Put the addresses on ``server``."""
    server.add_url_rule("/csv/<sample_id>/sem/<int:index>/regions.csv", view_func=regions_csv)
    server.add_url_rule("/csv/<sample_id>/sem/<int:index>/drawn/<what>.csv", view_func=drawn_csv)


def regions_address(result: Result, image: SemReduction, view: dict[str, str]) -> str:
    """Where all regions of an address are as CSV."""
    return f"/csv/{result.sample_id}/sem/{image.index}/regions.csv{_query(view)}"


def part_address(result: Result, image: SemReduction, number: int, view: dict[str, str], what: str) -> str:
    """Where the ``spectrum`` or ``radial`` average of a region is as CSV."""
    own = len(library().result(result.sample_id).sem[image.index].regions)
    address = f"/csv/{result.sample_id}/sem/{image.index}"
    if number < own:
        return f"{address}/{number}/{what}.csv"
    return f"{address}/drawn/{what}.csv{_query(view | {'label': image.regions[number].label})}"


def _query(view: dict[str, str]) -> str:
    kept = {name: view[name] for name in ("d", "e", "label") if view.get(name)}
    return f"?{urlencode(kept)}" if kept else ""


def regions_csv(sample_id: str, index: int) -> Response:
    """Every region: of the reduction, drawn, and along the drawn line."""
    result, image, drawn = _asked(sample_id, index)
    whole = replace(image, regions=(*image.regions, *drawn))
    table = sem_columns(replace(result, sem=(whole,)))
    source = ["reduction"] * len(image.regions) + ["drawn"] * len(drawn)
    columns = {name: table[name].to_numpy() for name in table.columns if name != "crystal"}
    typed = {
        name: values.astype(np.float64) if values.dtype.kind in "fiu" else values.astype(str)
        for name, values in columns.items()
    }
    return csv_answer(result, image.crystal, "sem_regions", typed | {"source": np.array(source)})


def drawn_csv(sample_id: str, index: int, what: str) -> Response:
    """The ``spectrum`` or ``radial`` average of one drawn region."""
    result, image, drawn = _asked(sample_id, index)
    region = next((one for one in drawn if one.label == request.args.get("label")), None)
    answers = {"spectrum": spectrum_answer, "radial": radial_answer}
    if region is None or what not in answers:
        abort(404)
    return answers[what](result, image, region)


def _asked(sample_id: str, index: int) -> tuple[Result, SemReduction, list[SemRegion]]:
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        abort(404, str(error))
    if index >= len(result.sem):
        abort(404)
    image = result.sem[index]
    return result, image, sem_drawn.drawn_regions(library(), result, image, request.args.to_dict())
