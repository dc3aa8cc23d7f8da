"""Maps, coordinates and the three instruments' reductions as NeXus groups, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from analysis.io.result_fields import (
    TEXT,
    LayoutError,
    attribute_text,
    dataset_of,
    new_group,
    put,
    put_array,
    put_record,
    put_text,
    subgroup,
    take_array,
    take_record,
    take_texts,
)
from analysis.io.result_pixels import put_pixels, take_pixels
from analysis.io.wide_angle_events import copy_photons, take_photons
from analysis.records import (
    AFM_STATUS,
    PIXEL_VERDICTS,
    SEM_STATUS,
    XRAY_STATUS,
    AfmReduction,
    Array,
    Coordinate,
    PatternStack,
    PixelGrid,
    Polar,
    QuantityMap,
    SemReduction,
    WideAngle,
    XrayReduction,
)

XRAY_APART = frozenset(
    {
        "maps",
        "status",
        "average_pattern",
        "polar",
        "radial",
        "radial_err",
        "average_radial",
        "average_radial_err",
        "coordinate",
        "patterns",
        "wide_angle",
    }
)
SEM_APART = frozenset({"image", "maps", "map_status"})
AFM_APART = frozenset({"height_nm", "modulus_gpa", "status", "coordinate"})
PATTERNS = "patterns/data"


def plot_group(parent: h5py.Group, name: str, *, signal: str, axes: Sequence[str]) -> h5py.Group:
    """An NXdata group: what a NeXus viewer draws, and over which axes."""
    group = new_group(parent, name, "NXdata")
    group.attrs["signal"] = signal
    if axes:
        group.attrs.create("axes", np.array(axes, dtype=object), dtype=TEXT)
    return group


def put_map(
    parent: h5py.Group,
    name: str,
    grid: PixelGrid,
    values: np.ndarray,
    *,
    unit: str,
    errors: Array | None = None,
) -> h5py.Group:
    """One map on a grid as NXdata: ``data``, ``data_errors``, and ``y``, ``x`` in um.

    The axes are named in the order of the array's dimensions: x first where a row runs along y.
    """
    transposed = grid.col_step_um[0] == 0.0
    axes = ("x", "y") if transposed else ("y", "x")
    group = plot_group(parent, name, signal="data", axes=axes)
    put_array(group, "data", values, unit)
    if errors is not None:
        put_array(group, "data_errors", errors, unit)
    x, y = grid.positions_um()
    down, across = (x[:, 0], y[0, :]) if transposed else (y[:, 0], x[0, :])
    put_array(group, axes[0], down, "um")
    put_array(group, axes[1], across, "um")
    return group


def put_status(parent: h5py.Group, grid: PixelGrid, status: np.ndarray, codes: tuple[str, ...]) -> None:
    """The map of status codes: uint8, with the codes' names in order in the attribute ``codes``."""
    group = put_map(parent, "status", grid, status, unit="")
    for holder in (group, group["data"]):
        holder.attrs.create("codes", np.array(codes, dtype=object), dtype=TEXT)


def take_status(parent: h5py.Group, shape: tuple[int, int], codes: tuple[str, ...]) -> np.ndarray:
    """Status codes; raises LayoutError where one has no name."""
    status = take_array(subgroup(parent, "status"), "data", np.uint8)
    of_shape(status, shape, "status")
    if status.size and int(status.max()) >= len(codes):
        raise LayoutError(f"status code {int(status.max())} of {len(codes)}")
    return status


def of_shape(values: np.ndarray, shape: tuple[int, ...], what: str) -> np.ndarray:
    """The same values; raises LayoutError where their leading dimensions are not ``shape``."""
    if values.shape[: len(shape)] != tuple(shape):
        raise LayoutError(f"{what} of shape {values.shape} on a grid of {shape}")
    return values


# --- coordinate -----------------------------------------------------------------------------------------


def put_coordinate(parent: h5py.Group, grid: PixelGrid, coordinate: Coordinate | None) -> None:
    """The coordinate group: one NXdata a kind, and depth."""
    if coordinate is None:
        return
    group = new_group(parent, "coordinate")
    put_text(group, "kinds", list(coordinate.s))
    for kind, s in coordinate.s.items():
        put_map(group, kind, grid, s, unit="", errors=coordinate.s_err[kind])
    put_map(group, "depth", grid, coordinate.depth_um, unit="um")


def take_coordinate(parent: h5py.Group, shape: tuple[int, int]) -> Coordinate | None:
    """The coordinate that :func:`put_coordinate` wrote."""
    if "coordinate" not in parent:
        return None
    group = subgroup(parent, "coordinate")
    kinds = take_texts(group, "kinds")
    s = {kind: take_array(subgroup(group, kind), "data", np.float64) for kind in kinds}
    s_err = {kind: take_array(subgroup(group, kind), "data_errors", np.float64) for kind in kinds}
    depth = take_array(subgroup(group, "depth"), "data", np.float64)
    for values in (*s.values(), *s_err.values(), depth):
        of_shape(values, shape, "a coordinate")
    return Coordinate(s=s, s_err=s_err, depth_um=depth)


# --- X-ray ----------------------------------------------------------------------------------------------


def put_xray(parent: h5py.Group, name: str, scan: XrayReduction) -> h5py.Group:
    """Everything of one scan but its patterns."""
    group = new_group(parent, name)
    group.attrs["default"] = "maps"
    put_record(group, scan, without=XRAY_APART)
    if scan.pixel_verdict is not None:
        group["pixel_verdict"].attrs.create("codes", np.array(PIXEL_VERDICTS, dtype=object), dtype=TEXT)
    maps = new_group(group, "maps")
    maps.attrs["default"] = "a_sc"
    put_text(maps, "names", list(scan.maps))
    for key, shown in scan.maps.items():
        put_map(maps, key, scan.grid, shown.values, unit=shown.unit, errors=shown.errors)
    put_status(maps, scan.grid, scan.status, XRAY_STATUS)
    put_array(
        plot_group(group, "average_pattern", signal="data", axes=()), "data", scan.average_pattern, "counts"
    )
    polar = plot_group(group, "polar_average", signal="data", axes=("q_per_nm", "phi_deg"))
    put_array(polar, "data", scan.polar.intensity, "counts")
    put(polar, "q_per_nm", scan.polar.q_per_nm)
    put(polar, "phi_deg", scan.polar.phi_deg)
    _put_radial(group, "radial", scan.radial, scan.radial_err, scan.q_per_nm, axes=(".", ".", "q_per_nm"))
    _put_radial(
        group,
        "average_radial",
        scan.average_radial,
        scan.average_radial_err,
        scan.q_per_nm,
        axes=("q_per_nm",),
    )
    put_coordinate(group, scan.grid, scan.coordinate)
    put_wide_angle(group, scan.wide_angle)
    return group


def put_wide_angle(parent: h5py.Group, wide: WideAngle | None) -> None:
    """Rings, spots and averages at wide angles, photons too; no trace of what was not measured."""
    if wide is None:
        return
    group = new_group(parent, "wide_angle")
    put_record(group, wide, without=frozenset({"events"}))
    if wide.events is not None:
        copy_photons(wide.events, group)


def take_wide_angle(parent: h5py.Group, path: str, shape: tuple[int, int]) -> WideAngle | None:
    """What :func:`put_wide_angle` wrote, its photons left in the file at ``path``."""
    if "wide_angle" not in parent:
        return None
    group = subgroup(parent, "wide_angle")
    wide: WideAngle = take_record(group, WideAngle, events=take_photons(group, path, shape))
    for name in ("radial", "azimuthal", "spots", "status"):
        of_shape(getattr(wide, name), shape, f"wide_angle {name}")
    return wide


def _put_radial(
    parent: h5py.Group, name: str, values: np.ndarray, errors: np.ndarray, q: Array, *, axes: Sequence[str]
) -> None:
    group = plot_group(parent, name, signal="data", axes=axes)
    put_array(group, "data", values, "counts")
    put_array(group, "data_errors", errors, "counts")
    put(group, "q_per_nm", q)


def take_xray(group: h5py.Group, path: str) -> XrayReduction:
    """The scan that :func:`put_xray` wrote, its patterns left in the file at ``path``."""
    grid = take_record(subgroup(group, "grid"), PixelGrid)
    maps = subgroup(group, "maps")
    polar = subgroup(group, "polar_average")
    radial, average = subgroup(group, "radial"), subgroup(group, "average_radial")
    scan: XrayReduction = take_record(
        group,
        XrayReduction,
        grid=grid,
        maps=_take_maps(maps, grid.shape),
        status=take_status(maps, grid.shape, XRAY_STATUS),
        average_pattern=take_array(subgroup(group, "average_pattern"), "data", np.float64),
        polar=take_record(polar, Polar, intensity=take_array(polar, "data", np.float64)),
        radial=of_shape(take_array(radial, "data", np.float32), grid.shape, "radial profiles"),
        radial_err=of_shape(take_array(radial, "data_errors", np.float32), grid.shape, "radial profiles"),
        average_radial=take_array(average, "data", np.float64),
        average_radial_err=take_array(average, "data_errors", np.float64),
        coordinate=take_coordinate(group, grid.shape),
        patterns=_take_stack(group, path, grid.shape),
        wide_angle=take_wide_angle(group, path, grid.shape),
    )
    of_shape(scan.frame_numbers, grid.shape, "frame numbers")
    if scan.pixel_verdict is not None:
        _check_verdicts(scan.pixel_verdict, scan.valid)
    of_shape(scan.fit_parameters, (*grid.shape, len(scan.fit_names)), "fit parameters")
    return scan


def _check_verdicts(verdict: np.ndarray, valid: np.ndarray) -> None:
    """Raise LayoutError where a pixel's verdict has no name or there are more or fewer than pixels."""
    if verdict.shape != valid.shape:
        raise LayoutError(f"pixel verdicts of shape {verdict.shape} instead of {valid.shape}")
    if verdict.size and int(verdict.max()) >= len(PIXEL_VERDICTS):
        raise LayoutError(f"pixel verdict {int(verdict.max())} of {len(PIXEL_VERDICTS)}")


def _take_maps(group: h5py.Group, shape: tuple[int, int]) -> Mapping[str, QuantityMap]:
    maps = {}
    for name in take_texts(group, "names"):
        held = subgroup(group, name)
        values = of_shape(take_array(held, "data", np.float64), shape, name)
        errors = take_array(held, "data_errors", np.float64) if "data_errors" in held else None
        unit = attribute_text(dataset_of(held, "data"), "units")
        maps[name] = QuantityMap(name=name, unit=unit, values=values, errors=errors)
    return maps


def _take_stack(group: h5py.Group, path: str, shape: tuple[int, int]) -> PatternStack | None:
    if "patterns" not in group:
        return None
    dataset = dataset_of(subgroup(group, "patterns"), "data")
    if dataset.ndim != 4 or dataset.shape[:2] != tuple(shape) or dataset.dtype.kind != "u":
        raise LayoutError(f"patterns of shape {dataset.shape} and type {dataset.dtype}")
    rows, cols, height, width = dataset.shape
    return PatternStack(path=path, dataset=dataset.name, shape=(rows, cols, height, width))


# --- SEM and AFM ----------------------------------------------------------------------------------------


def put_sem(parent: h5py.Group, name: str, image: SemReduction) -> None:
    """One image with its regions and its maps."""
    group = new_group(parent, name)
    group.attrs["default"] = "maps" if image.maps else "image"
    put_record(group, image, without=SEM_APART)
    put_pixels(plot_group(group, "image", signal="data", axes=()), "data", image.image)
    maps = new_group(group, "maps")
    put_text(maps, "names", list(image.maps))
    if image.map_grid is not None:
        maps.attrs["default"] = "a_sc"
        for key, shown in image.maps.items():
            put_map(maps, key, image.map_grid, shown.values, unit=shown.unit, errors=shown.errors)
        put_status(maps, image.map_grid, image.map_status, SEM_STATUS)


def take_sem(group: h5py.Group) -> SemReduction:
    """The image that :func:`put_sem` wrote."""
    pixels = take_pixels(subgroup(group, "image"), "data")
    grid = take_record(subgroup(group, "map_grid"), PixelGrid) if "map_grid" in group else None
    known: dict[str, object] = {"maps": {}, "map_status": np.empty((0, 0), dtype=np.uint8)}
    if grid is not None:
        maps = subgroup(group, "maps")
        known = {
            "maps": _take_maps(maps, grid.shape),
            "map_status": take_status(maps, grid.shape, SEM_STATUS),
        }
    image: SemReduction = take_record(group, SemReduction, image=pixels, map_grid=grid, **known)
    return image


def put_afm(parent: h5py.Group, name: str, field: AfmReduction) -> None:
    """One field: maps of height, modulus and status, lines and statistics."""
    group = new_group(parent, name)
    group.attrs["default"] = "maps"
    put_record(group, field, without=AFM_APART)
    maps = new_group(group, "maps")
    maps.attrs["default"] = "modulus"
    put_map(maps, "height", field.grid, field.height_nm, unit="nm")
    put_map(maps, "modulus", field.grid, field.modulus_gpa, unit="GPa")
    put_status(maps, field.grid, field.status, AFM_STATUS)
    put_coordinate(group, field.grid, field.coordinate)


def take_afm(group: h5py.Group) -> AfmReduction:
    """The field that :func:`put_afm` wrote."""
    grid = take_record(subgroup(group, "grid"), PixelGrid)
    maps = subgroup(group, "maps")
    height, modulus = (
        of_shape(take_array(subgroup(maps, name), "data", np.float64), grid.shape, name)
        for name in ("height", "modulus")
    )
    field: AfmReduction = take_record(
        group,
        AfmReduction,
        grid=grid,
        height_nm=height,
        modulus_gpa=modulus,
        status=take_status(maps, grid.shape, AFM_STATUS),
        coordinate=take_coordinate(group, grid.shape),
    )
    return field
