"""What the browser needs once to carry the cursor from panel to panel: s, values and places, in plain JSON.

Arrays travel as base64 of little-endian float32 (``"f"``) or uint8 (``"b"``), row by row.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from analysis.records import (
    XRAY_STATUS,
    AfmReduction,
    Array,
    Coordinate,
    DetectorGeometry,
    Outline,
    PixelGrid,
    Profile,
    Result,
    SemReduction,
    XrayReduction,
)
from analysis.registration.coordinate import coordinate_at
from analysis.units import UM_PER_NM
from app.figures.maps import averaged
from app.figures.panels import XRAY_QUANTITIES
from app.figures.pattern import SCALE, thumbnail_shape
from app.figures.png import lookup_table
from app.figures.words import QUANTITY_TEXT, STATUS_TEXT, unit_text

Json = dict[str, object]
OTHER_KINDS = ("distance", "ray")
READ_OUT = ("a_sc", "spacing", "modulus")
"""Quantities that are read out at the cursor along whichever coordinate is chosen."""

AFM_CELLS = 128
SEM_CELLS = 64


def linked(result: Result) -> Json:
    """Everything the linked cursor knows of a sample, ready for ``json.dumps``."""
    return {
        "id": result.sample_id,
        "xray": [_xray(scan) for scan in result.xray],
        "sem": [_sem(image) for image in result.sem],
        "afm": [_afm(field) for field in result.afm],
        "profiles": [
            _profile(profile)
            for profile in result.profiles
            if profile.coordinate == "rectangle"
            or (profile.coordinate in OTHER_KINDS and profile.quantity in READ_OUT)
        ],
        "colours": _bytes(lookup_table(SCALE)),
    }


def _xray(scan: XrayReduction) -> Json:
    values = {name: scan.maps[name] for name in XRAY_QUANTITIES if name in scan.maps}
    height, width = scan.valid.shape
    rows, cols, block = thumbnail_shape((height, width))
    return {
        "grid": _grid(scan.grid),
        **_coordinate(scan.coordinate),
        "frame": _frame(scan.outline),
        **_corners(scan.outline),
        "values": {
            name: {
                "name": QUANTITY_TEXT[name],
                "unit": unit_text(shown.unit),
                "v": _floats(shown.values),
                "e": None if shown.errors is None else _floats(shown.errors),
            }
            for name, shown in values.items()
        },
        "status": _bytes(scan.status),
        "statusText": [STATUS_TEXT[code] for code in XRAY_STATUS],
        "tile": None
        if scan.patterns is None
        else {"rows": rows, "cols": cols, "block": block, "row0": scan.region[0], "col0": scan.region[1]},
        "geometry": _geometry(scan.geometry),
        "q": _floats(scan.q_per_nm),
    }


def _geometry(geometry: DetectorGeometry) -> Json | None:
    """What the browser needs to mark a peak on a thumbnail; None on a tilted detector, where it does not."""
    if any(geometry.rotations_rad):
        return None
    return {
        "wavelength": geometry.wavelength_nm,
        "distance": geometry.distance_mm,
        "pixel": list(geometry.pixel_size_um),
        "beam": list(geometry.beam_center_px),
    }


def _sem(image: SemReduction) -> Json:
    rows, cols = min(image.bar_row, image.image.shape[0]), image.image.shape[1]
    side = [np.linspace(0.0, n * image.pixel_size_nm * UM_PER_NM, SEM_CELLS) for n in (cols, rows)]
    grid = PixelGrid(
        shape=(SEM_CELLS, SEM_CELLS),
        col_step_um=(float(side[0][1]), 0.0),
        row_step_um=(0.0, float(side[1][1])),
    )
    s = sem_coordinate(image, grid)
    return {
        "kinds": _image_kinds(image, grid),
        "grid": _grid(grid),
        "s": None if s is None else _floats(s),
        "frame": None,
        "length": _edge_to_centre_um(image),
        **_corners(image.outline),
        "regions": [
            {
                "x": region.x_nm * UM_PER_NM,
                "y": region.y_nm * UM_PER_NM,
                "size": region.size_nm * UM_PER_NM,
                "s": _number(region.s),
                "s_err": _number(region.s_err),
                "v": _number(region.spacing_nm),
                "e": _number(region.spacing_err_nm),
                "label": region.label,
                "status": STATUS_TEXT[region.status],
            }
            for region in image.regions
        ],
    }


def _image_kinds(image: SemReduction, grid: PixelGrid) -> Json:
    """s of the other kinds where the image has an outline of its own; otherwise there is one s alone."""
    if image.outline is None or image.outline.source == "edge and centre":
        return {}
    at = coordinate_at(image.outline, *grid.positions_um())
    return {kind: {"s": _floats(at.s[kind])} for kind in OTHER_KINDS}


def _edge_to_centre_um(image: SemReduction) -> float | None:
    if image.edge_nm is None or image.center_nm is None:
        return None
    return float(np.hypot(*(np.array(image.center_nm) - np.array(image.edge_nm)))) * UM_PER_NM


def sem_coordinate(image: SemReduction, grid: PixelGrid) -> Array | None:
    """s of points on an image: projection on edge -> centre, or by the rectangle of its outline."""
    x_um, y_um = grid.positions_um()
    if image.outline is not None and image.outline.source != "edge and centre":
        return coordinate_at(image.outline, x_um, y_um).s["rectangle"]
    if image.edge_nm is not None and image.center_nm is not None:
        edge = np.array(image.edge_nm) * UM_PER_NM
        along = np.array(image.center_nm) * UM_PER_NM - edge
        return np.asarray(((x_um - edge[0]) * along[0] + (y_um - edge[1]) * along[1]) / (along @ along))
    return None


def _afm(field: AfmReduction) -> Json:
    grid, modulus, s = averaged(
        field.grid,
        field.modulus_gpa,
        None if field.coordinate is None else field.coordinate.s["rectangle"],
        most=AFM_CELLS,
    )
    _, height, depth = averaged(
        field.grid,
        field.height_nm,
        None if field.coordinate is None else field.coordinate.depth_um,
        most=AFM_CELLS,
    )
    return {
        "grid": _grid(grid),
        "s": None if s is None else _floats(s),
        "depth": None if depth is None else _floats(depth),
        "kinds": _field_kinds(field),
        "frame": _frame(field.outline),
        **_corners(field.outline),
        "values": {
            "modulus": {"name": "E", "unit": "GPa", "v": _floats(modulus), "e": None},
            "height": {"name": "h", "unit": "nm", "v": _floats(height), "e": None},
        },
    }


def _field_kinds(field: AfmReduction) -> Json:
    if field.coordinate is None:
        return {}
    return {
        kind: {"s": _floats(averaged(field.grid, field.coordinate.s[kind], most=AFM_CELLS)[1])}
        for kind in OTHER_KINDS
    }


def _coordinate(coordinate: Coordinate | None) -> Json:
    if coordinate is None:
        return {"s": None, "s_err": None, "depth": None, "kinds": {}}
    return {
        "kinds": {
            kind: {"s": _floats(coordinate.s[kind]), "s_err": _floats(coordinate.s_err[kind])}
            for kind in OTHER_KINDS
        },
        "s": _floats(coordinate.s["rectangle"]),
        "s_err": _floats(coordinate.s_err["rectangle"]),
        "depth": _floats(coordinate.depth_um),
    }


def _profile(profile: Profile) -> Json:
    return {
        "modality": profile.modality,
        "index": profile.index,
        "quantity": profile.quantity,
        "coordinate": profile.coordinate,
        "unit": unit_text(profile.unit),
        **{name: _floats(getattr(profile, name)) for name in ("lo", "hi", "mean", "sem", "std", "n")},
    }


def _grid(grid: PixelGrid) -> Json:
    return {
        "rows": grid.shape[0],
        "cols": grid.shape[1],
        "x0": grid.x0_um,
        "y0": grid.y0_um,
        "col": list(grid.col_step_um),
        "row": list(grid.row_step_um),
    }


def _frame(outline: Outline | None) -> list[float] | None:
    if outline is None:
        return None
    return [*outline.centre_um, *outline.half_sides_um, outline.angle_rad]


def _corners(outline: Outline | None) -> Json:
    """The outline's corners for whoever edits them, and where they come from."""
    if outline is None:
        return {"corners": [], "source": ""}
    return {"corners": np.round(outline.vertices_um, 6).tolist(), "source": outline.source}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _floats(values: npt.NDArray[np.generic]) -> Json:
    return {"f": base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")}


def _bytes(values: npt.NDArray[np.uint8]) -> Json:
    return {"b": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")}
