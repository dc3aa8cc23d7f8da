"""Rows of the AFM tables from the records of a result: order, names and units of the columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.io.table_columns import Columns, joined
from analysis.records import AFM_STATUS, AfmPart, AfmReduction, Measured, Result

LINE_NAMES = (
    "crystal",
    "file",
    "line",
    "source",
    "convention",
    "thickness_px",
    "distance_um",
    "x_um",
    "y_um",
    "height_nm",
    "modulus_gpa",
    "s",
    "depth_um",
    "thickness_nm",
)
AFM_STATISTICS = (
    ("modulus_mean", "modulus_mean_gpa"),
    ("modulus_std", "modulus_std_gpa"),
    ("modulus_median", "modulus_median_gpa"),
    ("modulus_mad", "modulus_mad_gpa"),
    ("height_mean", "height_mean_nm"),
)
AFM_MORE = (
    ("modulus_p05", "modulus_p05_gpa"),
    ("modulus_p95", "modulus_p95_gpa"),
)
"""Statistics whose columns came later and stand at the end."""
AFM_NAMES = (
    "crystal",
    "file",
    "n_px",
    *(column for _, column in AFM_STATISTICS),
    "excluded_px",
    "excluded_why",
    "modulus_mean_gpa_err",
    *(column for _, column in AFM_MORE),
    "rests_on",
    "height_steps",
)
MAP_NAMES = (
    "crystal",
    "row",
    "col",
    "x_um",
    "y_um",
    "s",
    "depth_um",
    "height_nm",
    "modulus_gpa",
    "status",
    "field",
)
PART_NUMBERS = tuple(
    item.name for item in dataclasses.fields(AfmPart) if item.name not in ("part", "quantity", "unit")
)
PART_NAMES = ("crystal", "file", "part", "quantity", "unit", *PART_NUMBERS)


def afm_line_columns(result: Result) -> pd.DataFrame:
    """Every point of every line."""
    return joined(
        (
            {
                "crystal": field.crystal,
                "file": field.file_path,
                "line": line.name,
                "source": line.source,
                "convention": line.convention,
                "thickness_px": line.thickness_px,
                "distance_um": line.distance_um,
                "x_um": line.x_um,
                "y_um": line.y_um,
                "height_nm": line.height_nm,
                "modulus_gpa": line.modulus_gpa,
                "s": line.s,
                "depth_um": line.depth_um,
                "thickness_nm": line.thickness_nm,
            }
            for field in result.afm
            for line in field.lines
        ),
        LINE_NAMES,
    )


def afm_summary_columns(result: Result) -> pd.DataFrame:
    """One row a field."""
    return pd.DataFrame([_field_row(field) for field in result.afm], columns=list(AFM_NAMES))


def _field_row(field: AfmReduction) -> Columns:
    mean = field.statistics.get("modulus_mean")
    error = np.nan if mean is None or mean.err is None else mean.err
    why = "; ".join(f"{reason} {count}" for reason, count in field.excluded.items() if count)
    row: Columns = {
        "crystal": field.crystal,
        "file": field.file_path,
        "n_px": mean.n if mean is not None and mean.n is not None else 0,
        "excluded_px": sum(field.excluded.values()),
        "excluded_why": why,
        "modulus_mean_gpa_err": error,
        "rests_on": "; ".join(f"{name} {value}" for name, value in field.metadata.items()),
        "height_steps": "; ".join(field.steps),
    }
    columns = (*AFM_STATISTICS, *AFM_MORE)
    return row | {column: _number(field.statistics, name) for name, column in columns}


def _number(statistics: Mapping[str, Measured], name: str) -> float:
    found = statistics.get(name)
    return np.nan if found is None else found.value


def afm_map_columns(result: Result) -> pd.DataFrame:
    """Every pixel of every field."""
    return joined((field_columns(field) for field in result.afm), MAP_NAMES)


def field_columns(field: AfmReduction) -> Columns:
    """Every pixel of one field: place, coordinate, height, modulus and whether it counts."""
    row, col = np.indices(field.grid.shape)
    x, y = field.grid.positions_um()
    nothing = np.full(field.grid.shape, np.nan)
    place = field.coordinate
    columns = {
        "row": row,
        "col": col,
        "x_um": x,
        "y_um": y,
        "s": nothing if place is None else place.s["rectangle"],
        "depth_um": nothing if place is None else place.depth_um,
        "height_nm": field.height_nm,
        "modulus_gpa": field.modulus_gpa,
        "status": np.array(AFM_STATUS, dtype=object)[field.status],
    }
    rows: Columns = {name: values.ravel() for name, values in columns.items()}
    return rows | {"crystal": field.crystal, "field": field.index}


def afm_part_columns(result: Result) -> pd.DataFrame:
    """One row a part of a field and quantity."""
    rows = [
        {"crystal": field.crystal, "file": field.file_path, **dataclasses.asdict(part)}
        for field in result.afm
        for part in field.parts
    ]
    return pd.DataFrame(rows, columns=list(PART_NAMES))
