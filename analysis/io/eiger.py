"""A series of detector frames as EIGER firmware leaves it: a master file, or a data file on its own.

Read here: where the frames are, by image number, and what the file says of the detector. Frames themselves
are read by :mod:`analysis.io.frames`. Image numbers count from 1; arrays are (row, col) as stored; beam
centres are (column, row), pixel centres at integers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile, virtual_parts
from analysis.io.hdf5_values import MM_BY_UNIT, NM_BY_UNIT, S_BY_UNIT, UM_BY_UNIT, scalar, with_unit
from analysis.io.series import (
    MAX_FRAMES,
    NEGATIVE,
    REJECT_BITS,
    DetectorMetadata,
    Mask,
    Part,
    Series,
    checked_frames,
    nothing_to_read,
)

ENTRY = "/entry"
DETECTOR = "/entry/instrument/detector"


def read_series(path: Path) -> Series:
    """Read a master file, or a data file on its own; raises InputError where no frame can be read."""
    with AuditedFile(path) as file:
        stacks = list(_stacks(file))
        parts, missing = _placed(file, stacks)
        if not parts:
            raise nothing_to_read(path, missing)
        shape, dtype = _one_kind(path, stacks)
        metadata = _metadata(file, dtype)
        return Series(
            path=path,
            shape=shape,
            dtype=dtype,
            expected=_expected(file, parts, complete=not missing),
            parts=parts,
            missing_files=tuple(missing),
            metadata=metadata,
            rejected=_rejected(file, shape),
            files=tuple(file.files),
        )


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """One linked dataset of frames, or the name of a file that is not there."""

    label: str
    dataset: h5py.Dataset | None
    source: str


def _stacks(file: AuditedFile) -> Iterator[_Stack]:
    """Datasets of frames in order: data_000001 ..., or the one dataset ``data``, virtual or not."""
    group = file.get(f"{ENTRY}/data")
    if not isinstance(group, h5py.Group):
        return
    numbered = sorted(name for name in group if re.fullmatch(r"data_\d+", name))
    for name in numbered:
        link = group.get(name, getlink=True)
        source = link.filename if isinstance(link, h5py.ExternalLink) else name
        yield _Stack(label=name, dataset=file.dataset(f"{ENTRY}/data/{name}"), source=source)
    if not numbered and "data" in list(group):
        link = group.get("data", getlink=True)
        source = link.filename if isinstance(link, h5py.ExternalLink) else "data"
        yield _Stack(label="data", dataset=file.dataset(f"{ENTRY}/data/data"), source=source)


def _placed(file: AuditedFile, stacks: list[_Stack]) -> tuple[tuple[Part, ...], list[str]]:
    """Parts by image number, and the names of files that are not there."""
    parts: list[Part] = []
    missing: list[str] = []
    per_file = _whole(file, "nimages_per_data_file")
    for place, stack in enumerate(stacks):
        if stack.dataset is None:
            missing.append(stack.source)
            continue
        if stack.dataset.ndim != 3:
            raise InputError(
                file.path,
                field=stack.label,
                expected="frames (n, rows, cols)",
                found=str(stack.dataset.shape),
            )
        after = parts[-1].last_number + 1 if parts and not missing else None
        guess = after if after is not None else 1 + place * (per_file or stack.dataset.shape[0])
        made, gone = _parts_of(file, stack.dataset, guess)
        parts += made
        missing += gone
    parts = sorted((part for part in parts if part.count > 0), key=lambda part: part.first_number)
    for one, other in itertools.pairwise(parts):
        if other.first_number <= one.last_number:
            raise InputError(
                other.path,
                field="image_nr_low",
                expected=f"image numbers above {one.last_number}, the last of {one.path.name}",
                found=str(other.first_number),
            )
    return tuple(parts), missing


def _parts_of(file: AuditedFile, dataset: h5py.Dataset, guess: int) -> tuple[list[Part], list[str]]:
    count = int(dataset.shape[0])
    low, high = (dataset.attrs.get(f"image_nr_{end}") for end in ("low", "high"))
    first = guess if low is None else int(low)
    if low is not None and high is not None and int(high) - int(low) + 1 < count:
        count = max(0, int(high) - int(low) + 1)
    holder = Path(dataset.file.filename)
    if not dataset.is_virtual:
        return [Part(path=holder, dataset=dataset.name, first_number=first, start=0, count=count)], []
    parts, missing = [], []
    for mapped in virtual_parts(dataset, by=holder):
        source = holder if mapped.path is None else mapped.path
        opened = file.file(source)
        found = None if opened is None else file.at(opened, mapped.dataset)
        if not isinstance(found, h5py.Dataset) or found.is_virtual or found.ndim != 3:
            missing.append(source.name if found is None else f"{source.name}:{mapped.dataset}")
            continue
        (begin, end), (source_begin, _) = mapped.at[0], mapped.source_at[0]
        if mapped.at[1:] != mapped.source_at[1:] or found.shape[1:] != dataset.shape[1:]:
            raise InputError(
                holder,
                field=dataset.name,
                expected="whole frames in a virtual dataset",
                found="parts of frames",
            )
        count = max(0, min(end - begin, int(found.shape[0]) - source_begin))
        where = Path(found.file.filename)
        parts.append(
            Part(path=where, dataset=found.name, first_number=first + begin, start=source_begin, count=count)
        )
    return parts, missing


def _one_kind(path: Path, stacks: list[_Stack]) -> tuple[tuple[int, int], np.dtype[np.integer]]:
    """The one shape and type of all frames; raises InputError where they differ or cannot be counts."""
    present = [stack.dataset for stack in stacks if stack.dataset is not None]
    kinds = {(dataset.shape[1:], dataset.dtype) for dataset in present}
    if len(kinds) != 1:
        raise InputError(path, expected="frames of one size and type", found=f"{len(kinds)} kinds")
    shape, dtype = kinds.pop()
    return checked_frames(path, shape, dtype)


def _expected(file: AuditedFile, parts: tuple[Part, ...], *, complete: bool) -> int | None:
    images, triggers = _whole(file, "nimages"), _whole(file, "ntrigger")
    if images is not None:
        return images * (triggers or 1)
    return max(part.last_number for part in parts) if complete else None


def _whole(file: AuditedFile, name: str) -> int | None:
    """A positive whole number among the detector's settings, or None."""
    value = _number(file, name)
    return int(value) if value is not None and 0 < value <= MAX_FRAMES else None


def _find(file: AuditedFile, name: str) -> h5py.Dataset | None:
    for group in (DETECTOR, f"{DETECTOR}/detectorSpecific"):
        found = file.dataset(f"{group}/{name}")
        if found is not None:
            return found
    return None


def _number(file: AuditedFile, name: str) -> float | None:
    return scalar(_find(file, name))


def _metadata(file: AuditedFile, dtype: np.dtype[np.integer]) -> DetectorMetadata:
    wavelength = with_unit(
        file.dataset(f"{ENTRY}/instrument/beam/incident_wavelength"), NM_BY_UNIT, "angstrom"
    )
    distance = with_unit(_find(file, "distance"), MM_BY_UNIT, "m") or with_unit(
        _find(file, "detector_distance"), MM_BY_UNIT, "m"
    )
    sizes = [with_unit(_find(file, f"{axis}_pixel_size"), UM_BY_UNIT, "m") for axis in "xy"]
    centre = [_number(file, f"beam_center_{axis}") for axis in "xy"]
    pixel_size = (sizes[0], sizes[1]) if sizes[0] is not None and sizes[1] is not None else None
    beam = (centre[0], centre[1]) if centre[0] and centre[1] else None
    bits = int(_number(file, "bit_depth_image") or 8 * dtype.itemsize)
    masked_value = NEGATIVE if dtype.kind == "i" else 2 ** min(max(bits, 1), 8 * dtype.itemsize) - 1
    limits = [
        value
        for name in ("saturation_value", "countrate_correction_count_cutoff")
        if (value := _number(file, name)) is not None and value > 0
    ]
    known = {
        "wavelength_nm": wavelength,
        "distance_mm": distance,
        "pixel_size_um": pixel_size,
        "beam_center_px": beam,
    }
    return DetectorMetadata(
        wavelength_nm=wavelength,
        distance_mm=distance,
        pixel_size_um=pixel_size,
        beam_center_px=beam,
        exposure_s=with_unit(_find(file, "count_time"), S_BY_UNIT, "s"),
        saturation=int(min(limits)) if limits else None,
        masked_value=masked_value,
        sources={name: file.path.name for name, value in known.items() if value is not None},
    )


def _rejected(file: AuditedFile, shape: tuple[int, int]) -> Mask:
    """Pixels that the file's own mask rejects, (rows, cols)."""
    mask = _find(file, "pixel_mask")
    if mask is None:
        return np.zeros(shape, dtype=np.bool_)
    if mask.shape != shape or mask.dtype.kind not in "iu" or mask.is_virtual:
        raise InputError(
            mask.file.filename,
            field=mask.name,
            expected=f"a mask of whole numbers, {shape[0]} x {shape[1]}",
            found=f"{mask.dtype}, {mask.shape}",
        )
    return np.asarray((mask[()] & REJECT_BITS) != 0)


def find_series_file(folder: Path, frames: str) -> Path:
    """The one master or data file that ``frames`` means: a file, a folder with one master, or a glob."""
    path = folder / frames
    if path.is_file():
        return path
    if path.is_dir():
        found = sorted(path.glob("*_master.h5"))
        expected = "a folder with one *_master.h5"
    elif any(sign in frames for sign in "*?["):
        anchor = Path(path.anchor)
        found = sorted(anchor.glob(str(path.relative_to(anchor))))
        masters = [match for match in found if match.name.endswith("_master.h5")]
        found = masters or found
        expected = "one file of that pattern"
    else:
        raise InputError(path, expected="a file or a folder of frames", found="nothing there")
    if len(found) != 1:
        raise InputError(
            path, expected=expected, found=f"{len(found)} of them", remedy="name the master file"
        )
    return found[0]
