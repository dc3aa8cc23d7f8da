"""CSV of what the instrument pages show beyond the tables of a sample: patterns, averages, spectra, lines."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from flask import Flask, Response, abort, request

from analysis.errors import TriptychError
from analysis.io.tables import table_csv
from analysis.records import SEM_STATUS, Array, Result, SemReduction, SemRegion
from app.library import library

Columns = dict[str, npt.ArrayLike]


def add_routes(server: Flask) -> None:
    """Put the addresses on ``server``."""
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/average.csv", view_func=average_csv)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/polar.csv", view_func=polar_csv)
    server.add_url_rule("/csv/<sample_id>/xray/<int:index>/pattern.csv", view_func=pattern_csv)
    server.add_url_rule("/csv/<sample_id>/sem/<int:index>/<int:region>/spectrum.csv", view_func=spectrum_csv)
    server.add_url_rule("/csv/<sample_id>/sem/<int:index>/<int:region>/radial.csv", view_func=sem_radial_csv)
    server.add_url_rule("/csv/<sample_id>/sem/<int:index>/map.csv", view_func=sem_map_csv)
    server.add_url_rule("/csv/<sample_id>/sem/<int:index>/sizes.csv", view_func=sem_sizes_csv)
    server.add_url_rule("/csv/<sample_id>/afm/<int:index>/field.csv", view_func=field_csv)


def average_csv(sample_id: str, index: int) -> Response:
    """The averaged pattern, one line a detector pixel that counts."""
    result, scan = _found(sample_id, "xray", index)
    columns = _pixels(scan.average_pattern, scan.valid, scan.region, "counts")
    return csv_answer(
        result, scan.crystal, "average_pattern", columns, notes=["counts: mean of all points on the crystal"]
    )


def pattern_csv(sample_id: str, index: int) -> Response:
    """Counts at one scan point ``row, col``, or, with ``row2, col2``, the difference of two."""
    result, scan = _found(sample_id, "xray", index)
    row, col = (request.args.get(name, 0, int) for name in ("row", "col"))
    counts = _pattern(sample_id, index, row, col)
    note = f"scan point row {row}, column {col}"
    if "row2" in request.args:
        row2, col2 = (request.args.get(name, 0, int) for name in ("row2", "col2"))
        counts = counts - _pattern(sample_id, index, row2, col2)
        note += f" minus row {row2}, column {col2}"
    columns = _pixels(counts, scan.valid, scan.region, "counts")
    return csv_answer(result, scan.crystal, "pattern", columns, notes=[note])


def polar_csv(sample_id: str, index: int) -> Response:
    """I(q, phi) of the averaged pattern, one line a bin that was seen."""
    result, scan = _found(sample_id, "xray", index)
    q, phi = np.meshgrid(scan.polar.q_per_nm, scan.polar.phi_deg, indexing="ij")
    seen = np.isfinite(scan.polar.intensity)
    columns = {"q_per_nm": q[seen], "phi_deg": phi[seen], "intensity": scan.polar.intensity[seen]}
    notes = ["phi: counter-clockwise as displayed; intensity: counts per pixel"]
    return csv_answer(result, scan.crystal, "polar_average", columns, notes=notes)


def spectrum_csv(sample_id: str, index: int, region: int) -> Response:
    """The power spectrum of one region, one line a frequency."""
    result, image = _found(sample_id, "sem", index)
    return spectrum_answer(result, image, _region(image.regions, region))


def spectrum_answer(result: Result, image: SemReduction, chosen: SemRegion) -> Response:
    """The power spectrum of a region as CSV."""
    n = chosen.spectrum.shape[0]
    k = (np.arange(n) - n // 2) * (chosen.spectrum_k_max_per_nm / (n // 2))
    kx, ky = np.meshgrid(k, k)
    columns = {"kx_per_nm": kx.ravel(), "ky_per_nm": ky.ravel(), "power": chosen.spectrum.ravel()}
    notes = [f"region {chosen.label}; ky down; power divided by its smooth background"]
    return csv_answer(result, image.crystal, f"spectrum_{chosen.label}", columns, notes=notes)


def sem_radial_csv(sample_id: str, index: int, region: int) -> Response:
    """The radial average of one region's power spectrum."""
    result, image = _found(sample_id, "sem", index)
    return radial_answer(result, image, _region(image.regions, region))


def radial_answer(result: Result, image: SemReduction, chosen: SemRegion) -> Response:
    """The radial average of a region's spectrum as CSV."""
    columns = {"k_per_nm": chosen.radial_k_per_nm, "power": chosen.radial_power}
    notes = [f"region {chosen.label}; power divided by its smooth background"]
    return csv_answer(result, image.crystal, f"spectrum_radial_{chosen.label}", columns, notes=notes)


def sem_map_csv(sample_id: str, index: int) -> Response:
    """Every overlapping region of an image's maps, with its errors."""
    result, image = _found(sample_id, "sem", index)
    if image.map_grid is None:
        abort(404)
    x, y = image.map_grid.positions_um()
    columns: Columns = {"x_um": x.ravel(), "y_um": y.ravel()}
    for name, shown in image.maps.items():
        column = {"nm": f"{name}_nm", "deg": f"{name}_deg"}.get(shown.unit, name)
        columns = columns | {column: shown.values.ravel()}
        if shown.errors is not None:
            columns = columns | {f"{column}_err": shown.errors.ravel()}
    columns = columns | {"status": np.array(SEM_STATUS)[image.map_status.ravel()]}
    notes = [f"x, y: centres of regions of {image.map_size_nm:.4g} nm; psi: as displayed; order: power ratio"]
    return csv_answer(result, image.crystal, "sem_map", columns, notes=notes)


def sem_sizes_csv(sample_id: str, index: int) -> Response:
    """The edge of every resolved particle."""
    result, image = _found(sample_id, "sem", index)
    if image.sizes is None:
        abort(404)
    notes = [f"{image.sizes.rejected} more objects were rejected for their shape"]
    return csv_answer(result, image.crystal, "sem_sizes", {"edge_nm": image.sizes.edge_nm}, notes=notes)


def field_csv(sample_id: str, index: int) -> Response:
    """Every pixel of one field, in the columns of afm_maps.csv."""
    result, field = _found(sample_id, "afm", index)
    alone = replace(result, afm=(field,))
    name = f"{sample_id}_afm_maps_{index}.csv".replace('"', "")
    return Response(
        table_csv(alone, "afm_maps"),
        mimetype="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"},
    )


def csv_answer(
    result: Result, crystal: str, name: str, columns: Columns, *, notes: Iterable[str] = ()
) -> Response:
    """CSV with ``sample`` and ``crystal`` first and ``#`` lines above: sample, software, notes."""
    text = csv_text(result, crystal, columns, notes=notes)
    file_name = f"{result.sample_id}_{name}.csv".replace('"', "")
    return Response(
        text,
        mimetype="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-cache"},
    )


def csv_text(result: Result, crystal: str, columns: Columns, *, notes: Iterable[str] = ()) -> str:
    """The text of :func:`csv_answer`; NaN is an empty cell."""
    written = io.StringIO()
    simulated = "; simulated" if result.simulated else ""
    for note in (f"sample: {result.sample_id}{simulated}", f"software: {result.provenance.software}", *notes):
        written.write(f"# {note}\n")
    arrays = [np.asarray(values) for values in columns.values()]
    written.write(",".join(["sample", "crystal", *columns]) + "\n")
    first = f"{result.sample_id},{_cell(crystal)}"
    formats = [_format_of(values) for values in arrays]
    for cells in zip(*(values.tolist() for values in arrays), strict=True):
        written.write(
            first + "," + ",".join(form(cell) for form, cell in zip(formats, cells, strict=True)) + "\n"
        )
    return written.getvalue()


def _format_of(values: npt.NDArray[np.generic]) -> Callable[[object], str]:
    if values.dtype.kind in "iu":
        return str
    if values.dtype.kind == "f":
        return lambda value: "" if value != value else f"{value:.7g}"
    return lambda value: _cell(str(value))


def _cell(text: str) -> str:
    """A text cell: quoted where it must be, never taken for a formula."""
    guarded = "'" + text if text[:1] in {"=", "+", "-", "@", "\t"} else text
    return '"' + guarded.replace('"', '""') + '"' if any(mark in guarded for mark in ',"\n\r') else guarded


def _pixels(
    counts: Array, valid: npt.NDArray[np.bool_], region: tuple[int, int], name: str
) -> dict[str, npt.ArrayLike]:
    row, col = np.nonzero(valid & np.isfinite(counts))
    return {"row_px": row + region[0], "col_px": col + region[1], name: counts[row, col]}


def _pattern(sample_id: str, index: int, row: int, col: int) -> Array:
    try:
        return library().pattern(sample_id, index=index, row=row, col=col).astype(np.float64)
    except IndexError as error:
        abort(404, str(error))


def _region(regions, number: int):
    if number >= len(regions):
        abort(404)
    return regions[number]


def _found(sample_id: str, modality: str, index: int):
    try:
        result = library().result(sample_id)
    except TriptychError as error:
        abort(404, str(error))
    reductions = getattr(result, modality)
    if index >= len(reductions):
        abort(404)
    return result, reductions[index]
