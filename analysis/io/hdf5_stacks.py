"""Where the frames of a dataset lie, virtual datasets taken apart, and the mask that goes with them."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile, VirtualPart, virtual_parts
from analysis.io.series import MAX_FRAMES, REJECT_BITS, Mask, Part

MAX_NESTED = 4
MAX_CHUNK_BYTES = 1 << 29


def parts_of(file: AuditedFile, dataset: h5py.Dataset, *, first: int) -> tuple[list[Part], list[str]]:
    """Parts of a dataset of frames (n, rows, cols), and names of virtual sources that are not there.

    A virtual dataset is taken apart and its sources are read themselves: HDF5 gives zeros for missing ones.
    ``first`` is the number of its first image where the dataset itself does not say.
    """
    count = int(dataset.shape[0])
    low, high = (dataset.attrs.get(f"image_nr_{end}") for end in ("low", "high"))
    first = first if low is None else int(low)
    if low is not None and high is not None and int(high) - int(low) + 1 < count:
        count = max(0, int(high) - int(low) + 1)
    return _spread(file, dataset, Part(
        path=Path(dataset.file.filename), dataset=dataset.name, first_number=first, start=0, count=count,
    ), MAX_NESTED)  # fmt: skip


def _spread(
    file: AuditedFile, dataset: h5py.Dataset, part: Part, levels: int
) -> tuple[list[Part], list[str]]:
    """The stored frames behind ``part`` of a dataset, which may be virtual, of virtual ones in their turn."""
    if not dataset.is_virtual:
        _refuse_huge(dataset, part.path)
        return [part] if part.count > 0 else [], []
    parts: list[Part] = []
    missing: list[str] = []
    for mapped in virtual_parts(dataset, by=part.path):
        source = part.path if mapped.path is None else mapped.path
        opened = file.file(source)
        found = None if opened is None else file.at(opened, mapped.dataset)
        if not isinstance(found, h5py.Dataset) or found.ndim != 3 or levels <= 0:
            missing.append(source.name if found is None else f"{source.name}:{mapped.dataset}")
            continue
        if mapped.at[1:] != mapped.source_at[1:] or found.shape[1:] != dataset.shape[1:]:
            raise InputError(
                part.path,
                field=dataset.name,
                expected="whole frames in a virtual dataset",
                found="parts of frames",
            )
        inner = _behind(part, mapped, found)
        made, gone = _spread(file, found, inner, levels - 1)
        parts += made
        missing += gone
    return parts, missing


def _refuse_huge(dataset: h5py.Dataset, path: Path) -> None:
    """Sizes are only declared: refuse what no detector writes before anything of that size is allocated."""
    chunk = math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize
    for what, found, most in (
        ("frames", int(dataset.shape[0]), MAX_FRAMES),
        ("bytes in a chunk", chunk, MAX_CHUNK_BYTES),
    ):
        if found > most:
            raise InputError(path, field=dataset.name, expected=f"at most {most} {what}", found=str(found))


def _behind(part: Part, mapped: VirtualPart, found: h5py.Dataset) -> Part:
    """What of ``part`` lies in the source of one mapping."""
    (begin, end), (source_begin, _) = mapped.at[0], mapped.source_at[0]
    begin_here, end_here = max(begin, part.start), min(end, part.start + part.count)
    start = source_begin + begin_here - begin
    return Part(
        path=Path(found.file.filename),
        dataset=found.name,
        first_number=part.first_number + begin_here - part.start,
        start=start,
        count=max(0, min(end_here - begin_here, int(found.shape[0]) - start)),
    )


def rejected_pixels(mask: h5py.Dataset | None, shape: tuple[int, int]) -> Mask:
    """Pixels (rows, cols) that a file's own mask rejects; none without one. Raises InputError."""
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
