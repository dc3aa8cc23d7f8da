"""The tables that scripts rely on: CSV with ``#`` lines of provenance above the header, and summary.json.

Columns carry their unit, ``x_err`` is 1 sigma of ``x``, an empty cell has its reason in a ``#`` line or in
``status``. Text that a spreadsheet would take for a formula gets a leading apostrophe; numbers never do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.errors import InputError
from analysis.io.afm_columns import (
    afm_line_columns,
    afm_map_columns,
    afm_part_columns,
    afm_summary_columns,
)
from analysis.io.registration_columns import agreement_columns, trend_columns
from analysis.io.summary import summary_json
from analysis.io.table_columns import (
    correlation_columns,
    profile_columns,
    radial_columns,
    sem_columns,
    xray_map_columns,
)
from analysis.records import Result
from analysis.registration.transform import transform_json

SUMMARY_NAME = "summary.json"
TRANSFORMS_NAME = "registration.json"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")
MAX_INPUTS_SHOWN = 20

COMMON_LINES = (
    "x to the right, y down, in um or nm as the column says; angles counter-clockwise as displayed, in deg",
    "x_err is 1 sigma of x; std has ddof 0; an empty cell is a value that could not be had",
)

BUILDERS: dict[str, tuple[Callable[[Result], pd.DataFrame], tuple[str, ...]]] = {
    "xray_maps": (
        xray_map_columns,
        (
            "origin: centre of the first scan point's cell; a_sc is the mean of a1 and a2",
            "s is 0 at the edge and 1 at the centre (rectangle), empty outside, where depth_um is negative",
            "empty values have their reason in status; a_sc_shift_nm is the form factor's pull, not applied",
            "a_al_nm is empty where waxs_status says why; atomic_angle_deg is "
            "[100] minus a1, mosaic_deg from the azimuthal width, nc_size_scherrer_nm with K = 0.886",
        ),
    ),
    "xray_radial": (radial_columns, ("intensity in counts per pixel, background subtracted",)),
    "sem_rois": (
        sem_columns,
        (
            "x_nm, y_nm: top-left corner of the region from the image's; k in 1/nm, without 2 pi",
            "spacing_nm is the plane spacing 1/delta_k; a_sc_nm the mean distance of particles",
            "the bottom layer is seen; empty values have their reason in status",
        ),
    ),
    "afm_lines": (
        afm_line_columns,
        (
            "positions from the field's top-left corner; s (rectangle) is empty outside of the crystal",
            "s and depth_um are empty without an outline; modulus_gpa and height_nm where no pixel counts",
        ),
    ),
    "afm_summary": (
        afm_summary_columns,
        ("over the pixels that count; mad unscaled; excluded_why counts the others by reason",),
    ),
    "afm_maps": (
        afm_map_columns,
        (
            "origin: the field's top-left corner; every pixel, those that do not count too",
            "s (rectangle) is empty outside, where depth_um is negative; both are without an outline",
            "height_nm is as corrected (height_steps in afm_summary.csv); only pixels of status ok count",
        ),
    ),
    "afm_parts": (
        afm_part_columns,
        (
            "crystal: all pixels that count; edge: 0.05 < s < 0.2; centre: s > 0.8; flank: too steep",
            "substrate: the ground clear of the crystal; numbers in the unit of their row; mad unscaled",
            "sem: error of the mean with neighbours alike; lognormal_sigma: spread of ln E",
            "lognormal_distance: largest difference of the distribution functions (Kolmogorov-Smirnov)",
        ),
    ),
    "profiles": (
        profile_columns,
        (
            "lo, mid, hi in units of the coordinate: s from 0 at the edge to 1 at the centre, depth in um",
            "std: spread in the bin; sem: standard error of its mean; ci: 95 % from block bootstrap",
            "bins without values are empty, ci where a bin has too few; psi by axial statistics",
        ),
    ),
    "correlation": (
        correlation_columns,
        (
            "pairing coordinate: bins of s, a co-trend through s alone, without p; pixel: pairs at one place",
            "p_block_bootstrap and partial_r_s are empty where the pairing does not allow them",
        ),
    ),
    "trends": (
        trend_columns,
        (
            "slope per unit of s or per um of depth; err from block bootstrap",
            "robust: large residuals weigh less",
            "shape: the likeliest along s by Akaike's criterion; place: s of its plateau or step",
            "shape and weights are empty where too few values are independent",
        ),
    ),
    "agreement": (
        agreement_columns,
        (
            "xray_nm: <a_SC> of the X-ray profile at the region's s; difference: SEM minus X-ray",
            "difference_err_nm: both statistical errors, that of s times the slope, both systematics",
            "X-rays average through the thickness, SEM sees the bottom layer",
        ),
    ),
}
TABLES = tuple(BUILDERS)
"""Names of the tables, each a ``<name>.csv``."""


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """Every table of a result by its name, ``sample`` and ``crystal`` first."""
    return {name: _table(result, name) for name in TABLES}


def table_csv(result: Result, name: str) -> str:
    """One table as CSV text; raises KeyError for a name that is not in ``TABLES``."""
    return written_csv(_table(result, name), _comment_lines(result, BUILDERS[name][1]))


def written_csv(frame: pd.DataFrame, lines: Sequence[str]) -> str:
    """A table as CSV text under its ``#`` lines, text cells guarded against being taken for formulae."""
    frame = frame.copy()
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = pd.Series([_guarded(cell) for cell in frame[column]], dtype=object)
    head = "".join(f"# {_safe_comment(line)}\n" for line in lines)
    return head + frame.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def export_tables(result: Result, folder: Path) -> list[Path]:
    """Write every table and summary.json straight into ``folder``; gives what was written."""
    texts = {f"{name}.csv": table_csv(result, name) for name in TABLES}
    texts[SUMMARY_NAME] = (
        json.dumps(summary_json(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    if result.transforms:
        texts[TRANSFORMS_NAME] = transforms_json(result)
    return written_texts(texts, folder)


def written_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write texts by file name into a folder, each whole or not at all; gives the paths."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            part = folder / f".{name}.part"
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(folder / name)
    except OSError as error:
        raise InputError(
            folder, expected="a folder that can be written", found=str(error.strerror or error)
        ) from None
    return [folder / name for name in texts]


def transforms_json(result: Result) -> str:
    """Every frame laid upon another as JSON: matrices in both directions, units, residuals."""
    found = [transform_json(transform) for transform in result.transforms]
    return json.dumps({"sample": result.sample_id, "transforms": found}, indent=2, allow_nan=False) + "\n"


def _table(result: Result, name: str) -> pd.DataFrame:
    frame = BUILDERS[name][0](result)
    frame.insert(0, "sample", [result.sample_id] * len(frame))
    return frame


def _comment_lines(result: Result, notes: Sequence[str]) -> list[str]:
    provenance = result.provenance
    kind = " [simulated]" if result.simulated else ""
    lines = [
        f"sample: {result.sample_id}{kind}: {result.title}",
        f"software: {provenance.software}; algorithm {provenance.algorithm}",
        f"parameters sha256: {hashlib.sha256(provenance.parameters_json.encode()).hexdigest()}",
    ]
    for entry in provenance.inputs[:MAX_INPUTS_SHOWN]:
        digest = f"; sha256 {entry.sha256}" if entry.sha256 else ""
        lines.append(f"input: {entry.path}; {entry.size} bytes; mtime_ns {entry.mtime_ns}{digest}")
    if len(provenance.inputs) > MAX_INPUTS_SHOWN:
        lines.append(f"and {len(provenance.inputs) - MAX_INPUTS_SHOWN} more inputs")
    return [*lines, *COMMON_LINES, *notes]


def _safe_comment(line: str) -> str:
    """One line without the marks that would begin a new cell in a spreadsheet."""
    return " ".join(line.replace(",", ";").split())


def _guarded(cell: object) -> object:
    """Text as it may stand in a cell; a lone carriage return would end the row, so it is a line feed."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
