"""A series of detector frames as EIGER firmware leaves it: a master file, or a data file on its own.

Read here: where the frames are, by image number, and what the file says of the detector. Frames themselves
are read by :mod:`analysis.io.frames`. Image numbers count from 1; arrays are (row, col) as stored; beam
centres are (column, row), pixel centres at integers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile
from analysis.io.hdf5_stacks import parts_of, rejected_pixels
from analysis.io.hdf5_values import MM_BY_UNIT, NM_BY_UNIT, S_BY_UNIT, UM_BY_UNIT, as_text, scalar, with_unit
from analysis.io.series import (
    MAX_FRAMES,
    NEGATIVE,
    DetectorMetadata,
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
        return replace(
            _bare(path, shape, dtype, file),
            expected=_expected(file, parts, complete=not missing),
            parts=parts,
            missing_files=tuple(missing),
        )


def read_data_files(path: Path, files: list[Path]) -> Series:
    """Read data files whose master is not there; ``path`` is the folder or pattern that means them.

    Files without image numbers are taken to hold as many frames each as the first one.
    """
    parts: list[Part] = []
    missing: list[str] = []
    kinds: list[Series] = []
    for place, name in enumerate(files):
        with AuditedFile(name) as file:
            stack = next(_stacks(file), None)
            if stack is None or stack.dataset is None or stack.dataset.ndim != 3:
                missing.append(name.name)
                continue
            match = re.search(r"(\d+)$", name.stem)
            ordinal = int(match[1]) - 1 if match else place
            made, gone = parts_of(file, stack.dataset, first=1 + ordinal * int(stack.dataset.shape[0]))
            shape, dtype = checked_frames(name, stack.dataset.shape[1:], stack.dataset.dtype)
            kinds.append(_bare(name, shape, dtype, file))
            parts += made
            missing += gone
    if not kinds or not any(part.count for part in parts):
        raise nothing_to_read(path, missing)
    if len({(kind.shape, kind.dtype) for kind in kinds}) > 1:
        raise InputError(path, expected="frames of one size and type", found="several kinds")
    return replace(
        kinds[0],
        path=path,
        parts=_in_order(parts),
        missing_files=tuple(missing),
        files=tuple(dict.fromkeys(file for kind in kinds for file in kind.files)),
        notes=("there is no master file: the detector's settings are not known",),
    )


def _bare(path: Path, shape: tuple[int, int], dtype: np.dtype[np.integer], file: AuditedFile) -> Series:
    """A series without frames yet."""
    return Series(
        path=path,
        shape=shape,
        dtype=dtype,
        expected=None,
        parts=(),
        missing_files=(),
        metadata=_metadata(file, dtype),
        rejected=rejected_pixels(_find(file, "pixel_mask"), shape),
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
    numbered = sorted(name for name in map(as_text, group) if re.fullmatch(r"data_\d+", name))
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
        made, gone = parts_of(file, stack.dataset, first=guess)
        parts += made
        missing += gone
    return _in_order(parts), missing


def _in_order(parts: list[Part]) -> tuple[Part, ...]:
    """Parts by image number; raises InputError where two hold the same number."""
    ordered = sorted((part for part in parts if part.count > 0), key=lambda part: part.first_number)
    for one, other in itertools.pairwise(ordered):
        if other.first_number <= one.last_number:
            raise InputError(
                other.path,
                field="image_nr_low",
                expected=f"image numbers above {one.last_number}, the last of {one.path.name}",
                found=str(other.first_number),
            )
    return tuple(ordered)


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
    beams = (file.dataset(f"{ENTRY}/{place}/beam/incident_wavelength") for place in ("instrument", "sample"))
    wavelength = next((found for beam in beams if (found := with_unit(beam, NM_BY_UNIT, "angstrom"))), None)
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
