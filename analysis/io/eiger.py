"""A series of detector frames as EIGER firmware leaves it: a master file, or a data file on its own.

Read here: where the frames are, by image number, and what the file says of the detector. Frames themselves
are read by :mod:`analysis.io.frames`. Image numbers count from 1; arrays are (row, col) as stored; beam
centres are (column, row), pixel centres at integers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile, named_file, virtual_parts
from analysis.units import MM_PER_M, MM_PER_UM, NM_PER_ANGSTROM, UM_PER_M, UM_PER_MM, US_PER_S

Mask = npt.NDArray[np.bool_]

REJECT_BITS = 0xFFFF
"""Bits of ``pixel_mask`` that make a pixel unusable; bit 31 marks a virtual pixel, which is usable."""

MAX_SIDE_PX = 20_000
MAX_FRAMES = 100_000_000
ENTRY = "/entry"
DETECTOR = "/entry/instrument/detector"

MM_BY_UNIT = {"m": MM_PER_M, "mm": 1.0, "cm": 10.0, "um": MM_PER_UM, "µm": MM_PER_UM, "micron": MM_PER_UM}
UM_BY_UNIT = {"m": UM_PER_M, "mm": UM_PER_MM, "um": 1.0, "µm": 1.0, "micron": 1.0, "microns": 1.0}
NM_BY_UNIT = {"angstrom": NM_PER_ANGSTROM, "a": NM_PER_ANGSTROM, "å": NM_PER_ANGSTROM, "nm": 1.0, "m": 1e9}
S_BY_UNIT = {"s": 1.0, "ms": 1e-3, "us": 1.0 / US_PER_S, "µs": 1.0 / US_PER_S, "second": 1.0, "seconds": 1.0}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Consecutive frames in one dataset: images ``first_number`` ... lie at ``start`` ... of it."""

    path: Path
    dataset: str
    first_number: int
    start: int
    count: int

    @property
    def last_number(self) -> int:
        """Image number of the last frame."""
        return self.first_number + self.count - 1


@dataclass(frozen=True, kw_only=True)
class DetectorMetadata:
    """What the file says of the detector; None where it says nothing (0 for a distance or centre is nothing).

    ``saturation`` is the first count that is not trusted, ``masked_value`` what masked pixels carry.
    """

    wavelength_nm: float | None = None
    distance_mm: float | None = None
    pixel_size_um: tuple[float, float] | None = None
    beam_center_px: tuple[float, float] | None = None
    exposure_s: float | None = None
    saturation: int | None = None
    masked_value: int = 2**32 - 1
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Frames of one run: ``shape`` (rows, cols) of each, where they are, how many there should be.

    ``expected`` is None where nothing says it. ``missing_files`` names files that are linked but not there.
    ``rejected`` (rows, cols) marks pixels that the file's own mask rejects. ``files`` lists all files read.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[np.unsignedinteger]
    expected: int | None
    parts: tuple[Part, ...]
    missing_files: tuple[str, ...]
    metadata: DetectorMetadata
    rejected: Mask
    files: tuple[Path, ...]

    @property
    def highest_number(self) -> int:
        """Largest image number that is there."""
        return max(part.last_number for part in self.parts)

    @property
    def present(self) -> int:
        """Number of frames that are there."""
        return sum(part.count for part in self.parts)


def read_series(path: Path) -> Series:
    """Read a master file, or a data file on its own; raises InputError where no frame can be read."""
    with AuditedFile(path) as file:
        stacks = list(_stacks(file))
        parts, missing = _placed(file, stacks)
        if not parts:
            what = (
                f"none of the files that hold them is there ({', '.join(missing[:3])})" if missing else "none"
            )
            raise InputError(
                path,
                expected="detector frames",
                found=what,
                remedy="put the data files beside the master file" if missing else None,
            )
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


def _one_kind(path: Path, stacks: list[_Stack]) -> tuple[tuple[int, int], np.dtype[np.unsignedinteger]]:
    """The one shape and type of all frames; raises InputError where they differ or cannot be counts."""
    present = [stack.dataset for stack in stacks if stack.dataset is not None]
    kinds = {(dataset.shape[1:], dataset.dtype) for dataset in present}
    if len(kinds) != 1:
        raise InputError(path, expected="frames of one size and type", found=f"{len(kinds)} kinds")
    shape, dtype = kinds.pop()
    if dtype.kind != "u" or dtype.itemsize > 4:
        raise InputError(path, expected="counts of 8, 16 or 32 bits without sign", found=str(dtype))
    if not all(1 <= side <= MAX_SIDE_PX for side in shape):
        raise InputError(path, expected=f"frames of at most {MAX_SIDE_PX} pixels a side", found=str(shape))
    return (int(shape[0]), int(shape[1])), dtype


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
    return _scalar(_find(file, name))


def _scalar(dataset: h5py.Dataset | None) -> float | None:
    if dataset is None or dataset.size != 1 or dataset.dtype.kind not in "iuf":
        return None
    value = float(np.asarray(dataset[()]).ravel()[0])
    return value if np.isfinite(value) else None


def _with_unit(dataset: h5py.Dataset | None, factors: Mapping[str, float], default: str) -> float | None:
    """A positive number in the unit that ``factors`` lead to; None where it is 0 or not there."""
    value = _scalar(dataset)
    if value is None or dataset is None or value <= 0.0:
        return None
    raw = dataset.attrs.get("units", default)
    unit = (raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)).strip().lower()
    if unit not in factors:
        raise InputError(
            dataset.file.filename, field=dataset.name, expected=f"a unit of {', '.join(factors)}", found=unit
        )
    return value * factors[unit]


def _metadata(file: AuditedFile, dtype: np.dtype[np.unsignedinteger]) -> DetectorMetadata:
    wavelength = _with_unit(
        file.dataset(f"{ENTRY}/instrument/beam/incident_wavelength"), NM_BY_UNIT, "angstrom"
    )
    distance = _with_unit(_find(file, "distance"), MM_BY_UNIT, "m") or _with_unit(
        _find(file, "detector_distance"), MM_BY_UNIT, "m"
    )
    sizes = [_with_unit(_find(file, f"{axis}_pixel_size"), UM_BY_UNIT, "m") for axis in "xy"]
    centre = [_number(file, f"beam_center_{axis}") for axis in "xy"]
    pixel_size = (sizes[0], sizes[1]) if sizes[0] is not None and sizes[1] is not None else None
    beam = (centre[0], centre[1]) if centre[0] and centre[1] else None
    bits = int(_number(file, "bit_depth_image") or 8 * dtype.itemsize)
    masked_value = 2 ** min(max(bits, 1), 8 * dtype.itemsize) - 1
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
        exposure_s=_with_unit(_find(file, "count_time"), S_BY_UNIT, "s"),
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


__all__ = [
    "DetectorMetadata",
    "Part",
    "Series",
    "find_series_file",
    "named_file",
    "read_series",
]
