"""Rows of each table from the records of a result: order, names and units of the columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.records import (
    SEM_STATUS,
    WIDE_ANGLE_STATUS,
    XRAY_STATUS,
    Array,
    Profile,
    Result,
    SemRegion,
    XrayReduction,
)

Columns = dict[str, object]

XRAY_QUANTITIES = (
    ("a1", "a1_nm", True),
    ("a2", "a2_nm", True),
    ("gamma", "gamma_deg", True),
    ("psi", "psi_deg", True),
    ("a_sc", "a_sc_nm", True),
    ("a_sc_shift", "a_sc_shift_nm", False),
    ("a_al", "a_al_nm", True),
    ("photons", "photons", False),
    ("goodness", "goodness", False),
)
"""Map, column, and whether a column of its error follows."""

ATOMIC_QUANTITIES = (
    ("atomic_orientation", "atomic_orientation_deg", True),
    ("atomic_angle", "atomic_angle_deg", True),
    ("mosaic", "mosaic_deg", True),
    ("nc_size_scherrer", "nc_size_scherrer_nm", True),
    ("atomic_photons", "atomic_photons", False),
)
"""The same, of the atomic lattice: columns at the end."""


def _names(quantities: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    pairs = [(column, f"{column}_err") if error else (column,) for _, column, error in quantities]
    return tuple(name for pair in pairs for name in pair)


XRAY_NAMES = (
    "crystal",
    "row",
    "col",
    "x_um",
    "y_um",
    "s",
    "depth_um",
    "intensity",
    *_names(XRAY_QUANTITIES),
    "status",
    "scan",
    "frame",
    *_names(ATOMIC_QUANTITIES),
    "waxs_status",
    "partial_beam",
)
RADIAL_NAMES = ("crystal", "position", "q_per_nm", "intensity", "intensity_err", "scan")
SEM_NAMES = (
    "crystal",
    "image",
    "label",
    "x_nm",
    "y_nm",
    "size_nm",
    "s",
    "s_err",
    "delta_k_per_nm",
    "delta_k_per_nm_err",
    "spacing_nm",
    "spacing_nm_err",
    "a_sc_nm",
    "a_sc_nm_err",
    "gamma_deg",
    "lattice",
    "n_periods",
    "status",
    "a_sc_nm_sys",
    "depth_um",
    "height_um",
)
PROFILE_ARRAYS = ("lo", "mid", "hi", "mean", "std", "sem", "median", "ci_lo", "ci_hi", "n")
PROFILE_NAMES = ("crystal", "modality", "quantity", "unit", "coordinate", *PROFILE_ARRAYS, "index")
CORRELATION_NAMES = (
    "crystal",
    "x_quantity",
    "y_quantity",
    "pairing",
    "n",
    "n_crystals",
    "pearson_r",
    "r_ci_lo",
    "r_ci_hi",
    "spearman_rho",
    "partial_r_s",
    "p_block_bootstrap",
    "slope",
    "slope_err",
    "index",
    "partial_r_ci_lo",
    "partial_r_ci_hi",
    "blocks",
    "block_px",
    "p_partial",
)


def joined(parts: Iterable[Columns], names: tuple[str, ...]) -> pd.DataFrame:
    """Tables under each other; one without rows has the columns all the same."""
    frames = [pd.DataFrame(part, columns=list(names)) for part in parts]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(names))


def xray_map_columns(result: Result) -> pd.DataFrame:
    """One row for every cell of every scan's grid, missing ones too."""
    return joined((_scan_columns(scan) for scan in result.xray), XRAY_NAMES)


def _scan_columns(scan: XrayReduction) -> Columns:
    row, col = np.indices(scan.grid.shape)
    x, y = scan.grid.positions_um()
    nothing = np.full(scan.grid.shape, np.nan)
    place = scan.coordinate
    columns: dict[str, np.ndarray] = {
        "row": row,
        "col": col,
        "x_um": x,
        "y_um": y,
        "s": place.s["rectangle"] if place is not None else nothing,
        "depth_um": place.depth_um if place is not None else nothing,
        "intensity": _values(scan, "intensity"),
    }
    for name, column, with_error in (*XRAY_QUANTITIES, *ATOMIC_QUANTITIES):
        columns[column] = _values(scan, name)
        if with_error:
            held = scan.maps.get(name)
            columns[f"{column}_err"] = nothing if held is None or held.errors is None else held.errors
    columns["status"] = np.array(XRAY_STATUS, dtype=object)[scan.status]
    wide = scan.wide_angle
    codes = np.array(WIDE_ANGLE_STATUS, dtype=object)
    columns["waxs_status"] = np.full(scan.grid.shape, "") if wide is None else codes[wide.status]
    columns["partial_beam"] = _values(scan, "partial_beam")
    columns["frame"] = np.where(scan.frame_numbers < 0, np.nan, scan.frame_numbers)
    rows: Columns = {name: values.ravel() for name, values in columns.items()}
    return rows | {"crystal": scan.crystal, "scan": scan.index}


def _values(scan: XrayReduction, name: str) -> Array:
    held = scan.maps.get(name)
    return np.full(scan.grid.shape, np.nan) if held is None else held.values


def radial_columns(result: Result) -> pd.DataFrame:
    """The radial profile of each named position and of the average, point by point."""
    parts: list[Columns] = []
    for scan in result.xray:
        lines = [(at.name, at.intensity, at.intensity_err) for at in scan.positions]
        lines.append(("average", scan.average_radial, scan.average_radial_err))
        for name, intensity, error in lines:
            parts.append(
                {
                    "crystal": scan.crystal,
                    "position": name,
                    "q_per_nm": scan.q_per_nm,
                    "intensity": intensity,
                    "intensity_err": error,
                    "scan": scan.index,
                }
            )
    return joined(parts, RADIAL_NAMES)


def sem_columns(result: Result) -> pd.DataFrame:
    """One row a region."""
    rows = [
        _region_row(region) | {"crystal": image.crystal, "image": image.image_path}
        for image in result.sem
        for region in image.regions
    ]
    return pd.DataFrame(rows, columns=list(SEM_NAMES))


def _region_row(region: SemRegion) -> Columns:
    return {
        "label": region.label,
        "x_nm": region.x_nm,
        "y_nm": region.y_nm,
        "size_nm": region.size_nm,
        "s": region.s,
        "s_err": region.s_err,
        "delta_k_per_nm": region.delta_k_per_nm,
        "delta_k_per_nm_err": region.delta_k_err_per_nm,
        "spacing_nm": region.spacing_nm,
        "spacing_nm_err": region.spacing_err_nm,
        "a_sc_nm": region.a_sc_nm,
        "a_sc_nm_err": region.a_sc_err_nm,
        "gamma_deg": region.gamma_deg,
        "lattice": region.lattice,
        "n_periods": region.n_periods,
        "status": region.status if region.status in SEM_STATUS else "no_peak",
        "a_sc_nm_sys": region.a_sc_sys_nm,
        "depth_um": region.depth_um,
        "height_um": region.height_um,
    }


def profile_columns(result: Result) -> pd.DataFrame:
    """Every bin of every profile."""
    return joined((_profile_columns(profile) for profile in result.profiles), PROFILE_NAMES)


def _profile_columns(profile: Profile) -> Columns:
    columns: Columns = {
        name: getattr(profile, name)
        for name in ("crystal", "modality", "quantity", "unit", "coordinate", "index")
    }
    return columns | {name: getattr(profile, name) for name in PROFILE_ARRAYS}


def correlation_columns(result: Result) -> pd.DataFrame:
    """One row a pair of quantities."""
    rows = [{name: getattr(pair, name) for name in CORRELATION_NAMES} for pair in result.correlations]
    return pd.DataFrame(rows, columns=list(CORRELATION_NAMES))
