"""Positions from datasets of an HDF5 file (NeXus): a value a frame, with units.

The ``axes`` attribute is not asked: real files name an axis there that stands still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5d, h5o

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile
from analysis.io.stage_points import MAX_POINTS, UM_PER, StagePoints, shown

Array = npt.NDArray[np.float64]

PLAIN_FILTERS = {1, 2, 3}
"""Deflate, shuffle, checksum: those that look at the length of what they are given."""

RESTING = 0.01
"""An axis that spans less than this part of the widest one is read-back noise."""

MAX_POINTS_READ = 4 * MAX_POINTS


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values (n,) of one positioner, in um where ``in_um``; ``um_per_unit`` is the file's own unit in um."""

    name: str
    values: Array
    in_um: bool
    um_per_unit: float = 1.0


def read_nexus(path: Path, selection: str | None) -> StagePoints:
    """The two translations that move, or those ``selection`` names: two datasets or a group. InputError."""
    with AuditedFile(path) as file:
        axes = _selected(file, selection) or _moving(file, selection or "/")
        files = tuple(file.files)
    one, other = axes
    if one.values.size != other.values.size:
        raise InputError(
            path,
            expected="as many values of one axis as of the other",
            found=f"{one.values.size} of {one.name} and {other.values.size} of {other.name}",
        )
    if one.in_um != other.in_um:
        raise InputError(path, expected="units of both axes", found=f"of one of {one.name}, {other.name}")
    if other.name.lower().endswith("x") and one.name.lower().endswith("y"):
        one, other = other, one
    return StagePoints(
        names=(one.name, other.name),
        values=(one.values, other.values),
        in_um=one.in_um,
        files=files,
        directed=one.name.lower().endswith("x") and other.name.lower().endswith("y"),
    )


def _selected(file: AuditedFile, selection: str | None) -> tuple[Axis, Axis] | None:
    """The two datasets named, or None where a group or nothing is."""
    names = [name.strip() for name in (selection or "").split(",")]
    if len(names) != 2:
        return None
    axes = []
    for name in names:
        dataset = file.dataset(name)
        if dataset is None:
            raise InputError(file.path, field=shown(name), expected="a dataset", found="none there")
        axis = axis_of(dataset)
        if axis is None:
            raise InputError(
                file.path, field=shown(name), expected="a position a frame, plainly stored", found="another"
            )
        axes.append(axis)
    return axes[0], axes[1]


def _moving(file: AuditedFile, group_name: str) -> tuple[Axis, Axis]:
    """The two lengths in a group that change over the frames; detectors' own are passed over."""
    group = file.get(group_name)
    if not isinstance(group, h5py.Group):
        raise InputError(file.path, field=shown(group_name), expected="a group", found="none there")
    found: dict[tuple[str, bytes], Axis] = {}
    points_left = MAX_POINTS_READ
    for dataset in _datasets(group):
        if "units" not in dataset.attrs or points_left < (dataset.size or 0):
            continue
        axis = axis_of(dataset)
        if axis is not None and axis.in_um:
            points_left -= axis.values.size
            found[axis.name, axis.values.tobytes()] = axis
    spans = {key: float(np.ptp(axis.values[np.isfinite(axis.values)])) for key, axis in found.items()}
    widest = max(spans.values(), default=0.0)
    moving = [found[key] for key, span in spans.items() if span > RESTING * widest]
    if len(moving) != 2:
        names = ", ".join(axis.name for axis in moving[:12]) or "none"
        raise InputError(
            file.path,
            expected="two translations that move",
            found=f"{len(moving)} ({names})",
            remedy="name them in positions: file#/path/of/x,/path/of/y",
        )
    return moving[0], moving[1]


def _datasets(top: h5py.Group) -> list[h5py.Dataset]:
    """Datasets below a group by hard links, each object once, none of a detector."""
    found, waiting, seen = [], [top], {h5o.get_info(top.id).addr}
    while waiting:
        group = waiting.pop()
        for name in group:
            if isinstance(name, bytes) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            child = group[name]
            address = h5o.get_info(child.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(child, h5py.Dataset):
                found.append(child)
            elif isinstance(child, h5py.Group) and _class(child) != "NXdetector":
                waiting.append(child)
    return found


def axis_of(dataset: h5py.Dataset, *, name: str | None = None) -> Axis | None:
    """Values (n,) of a list or raster, n >= 4, in um where its unit is a length; None for anything else."""
    try:
        unit = _text(dataset.attrs.get("units", ""))
        if not _is_plain(dataset) or (unit and unit not in UM_PER):
            return None
        values = np.asarray(dataset[()], dtype=np.float64).ravel() * UM_PER.get(unit, 1.0)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError):
        return None
    values[~np.isfinite(values)] = np.nan
    if not np.isfinite(values).any():
        return None
    parts = dataset.name.rsplit("/", 2)
    own = parts[-2] if parts[-1] in {"value", "data"} and parts[-2] else parts[-1]
    return Axis(name=name or own, values=values, in_um=bool(unit), um_per_unit=UM_PER.get(unit, 1.0))


def read_hdf5_column(path: Path, selection: str | None, name: str) -> Array:
    """A dataset (n,) by its path, or by its last name in the group ``selection``. Raises InputError."""
    place = name if name.startswith("/") else f"/{(selection or '').strip('/')}/{name}"
    with AuditedFile(path) as file:
        dataset = file.dataset(place)
        if dataset is None or not _is_plain(dataset):
            raise InputError(
                path,
                field=shown(place),
                expected="a value a frame, plainly stored",
                found="none there" if dataset is None else f"{dataset.dtype}, {dataset.shape}",
                remedy="name it with its path: file#/path/of/the/monitor",
            )
        return np.asarray(dataset[()], dtype=np.float64).ravel()


def _is_plain(dataset: h5py.Dataset) -> bool:
    """Whether a dataset is a list or a raster of numbers in the file itself, in storage of bounded size."""
    if dataset.ndim not in (1, 2) or not 4 <= dataset.size <= MAX_POINTS or dataset.dtype.kind not in "fiu":
        return False
    plist = dataset.id.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or math.prod(dataset.chunks or (1,)) > MAX_POINTS:
        return False
    return {plist.get_filter(at)[0] for at in range(plist.get_nfilters())} <= PLAIN_FILTERS


def _class(group: h5py.Group) -> str:
    return _text(group.attrs.get("NX_class", ""))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
