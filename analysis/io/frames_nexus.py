"""Stacks of frames in any HDF5 file: the dataset that is named, or the only one that can be frames.

Tried in order: what the user names after ``#``, the data of the one NXdetector, the default signal, and the
only dataset (n, rows, cols) of whole numbers in the file; (scan rows, scan columns, rows, cols) will do too.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
from h5py import h5o

from analysis.errors import InputError
from analysis.io.frames_raster import raster_part
from analysis.io.hdf5_safety import AuditedFile
from analysis.io.hdf5_stacks import parts_of, rejected_pixels
from analysis.io.hdf5_values import MM_BY_UNIT, S_BY_UNIT, UM_BY_UNIT, as_text, scalar, with_unit
from analysis.io.series import NEGATIVE, DetectorMetadata, Part, Series, checked_frames, nothing_to_read

FRAMES = "frames (n, rows, cols)"
LEAST_SIDE_PX = 16
MAX_LISTED = 8


def read_stack(path: Path, selection: str | None) -> Series:
    """Frames of one dataset; raises InputError where none or several could be meant."""
    with AuditedFile(path) as file:
        dataset = _named(file, selection) if selection else _found(file)
        if dataset.ndim not in (3, 4):
            raise InputError(path, field=dataset.name, expected=FRAMES, found=str(dataset.shape))
        shape, dtype = checked_frames(path, dataset.shape[-2:], dataset.dtype)
        parts, missing, notes = _parts(file, dataset)
        if not parts:
            raise nothing_to_read(path, missing)
        mask = dataset.parent.get("pixel_mask") if "pixel_mask" in _hard(dataset.parent) else None
        return Series(
            path=path,
            shape=shape,
            dtype=dtype,
            expected=math.prod(dataset.shape[:-2]),
            parts=tuple(sorted(parts, key=lambda part: part.first_number)),
            missing_files=tuple(missing),
            metadata=_metadata(dataset, path, dtype),
            rejected=rejected_pixels(mask if isinstance(mask, h5py.Dataset) else None, shape),
            files=tuple(file.files),
            layout=f"HDF5 stack {dataset.name}",
            notes=notes,
        )


def _parts(file: AuditedFile, dataset: h5py.Dataset) -> tuple[list[Part], list[str], tuple[str, ...]]:
    """Parts that hold frames, names of files that are not there, and notes."""
    if dataset.ndim == 4:
        part = raster_part(dataset, file.path)
        rows, cols = dataset.shape[:2]
        return (
            [part] * (part.count > 0),
            [],
            (f"frames are stored as a raster of {rows} x {cols}, row by row",),
        )
    parts, missing = parts_of(file, dataset, first=1)
    return [part for part in parts if part.count > 0], missing, ()


def _named(file: AuditedFile, selection: str) -> h5py.Dataset:
    dataset = file.dataset(selection)
    if dataset is None:
        raise InputError(file.path, field=selection[:80], expected="a dataset", found="none there")
    return dataset


def _found(file: AuditedFile) -> h5py.Dataset:
    """The dataset of frames that the file's own structure points at."""
    default = _default_signal(file)
    stacks, in_detectors = _stacks(file.root)
    for candidates in (in_detectors, [default] if default is not None else [], stacks):
        if len(candidates) == 1:
            return candidates[0]
    listed = ", ".join(str(dataset.name) for dataset in stacks[:MAX_LISTED]) or "none"
    raise InputError(
        file.path,
        expected=f"one dataset of {FRAMES} of whole numbers",
        found=f"{len(stacks)} ({listed})" if stacks else "none",
        remedy="name it: file.h5#/path/of/the/frames" if stacks else None,
    )


def _default_signal(file: AuditedFile) -> h5py.Dataset | None:
    """The dataset at the end of the chain of ``default`` and ``signal`` attributes."""
    where = ""
    for _ in range(4):
        group = file.get(where or "/")
        if not isinstance(group, h5py.Group):
            return None
        if "signal" in group.attrs:
            found = file.dataset(f"{where}/{as_text(group.attrs['signal'])}")
            return found if found is not None and _is_stack(found) else None
        if "default" not in group.attrs:
            return None
        where = f"{where}/{as_text(group.attrs['default'])}"
    return None


def _stacks(root: h5py.File) -> tuple[list[h5py.Dataset], list[h5py.Dataset]]:
    """Datasets that can be frames, by hard links; and those of them that are an NXdetector's ``data``."""
    found, in_detectors = [], []
    waiting: list[h5py.Group] = [root["/"]]
    seen = {h5o.get_info(waiting[0].id).addr}
    while waiting:
        group = waiting.pop()
        for name in _hard(group):
            child = group[name]
            address = h5o.get_info(child.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(child, h5py.Group):
                waiting.append(child)
            elif isinstance(child, h5py.Dataset) and _is_stack(child):
                found.append(child)
                if as_text(group.attrs.get("NX_class", "")) == "NXdetector" and name == "data":
                    in_detectors.append(child)
    return found, in_detectors


def _hard(group: h5py.Group) -> list[str]:
    """Names of what is in the file itself; one that is no UTF-8 comes as bytes, which h5py cannot follow."""
    names = [name for name in group if isinstance(name, str)]
    return [name for name in names if isinstance(group.get(name, getlink=True), h5py.HardLink)]


def _is_stack(dataset: h5py.Dataset) -> bool:
    return (
        dataset.ndim in (3, 4)
        and dataset.dtype.kind in "iu"
        and min(dataset.shape[-2:]) >= LEAST_SIDE_PX
        and min(dataset.shape) >= 1
    )


def _metadata(dataset: h5py.Dataset, path: Path, dtype: np.dtype[np.integer]) -> DetectorMetadata:
    """What stands beside the frames, as an NXdetector has it."""
    group = dataset.parent
    beside = {name: value for name in _hard(group) if isinstance(value := group[name], h5py.Dataset)}
    sizes = [with_unit(beside.get(f"{axis}_pixel_size"), UM_BY_UNIT, "m") for axis in "xy"]
    centre = [scalar(beside.get(f"beam_center_{axis}")) for axis in "xy"]
    saturation = scalar(beside.get("saturation_value"))
    known = {
        "distance_mm": with_unit(beside.get("distance"), MM_BY_UNIT, "m"),
        "pixel_size_um": (sizes[0], sizes[1]) if None not in sizes else None,
        "beam_center_px": (centre[0], centre[1]) if all(centre) else None,
    }
    return DetectorMetadata(
        **known,  # type: ignore[arg-type]
        exposure_s=with_unit(beside.get("count_time"), S_BY_UNIT, "s"),
        saturation=int(saturation) if saturation and saturation > 0 else None,
        masked_value=NEGATIVE if dtype.kind == "i" else int(np.iinfo(dtype).max),
        sources={name: path.name for name, value in known.items() if value is not None},
    )
