"""The SAXS region of every frame inside a result file: copied as it is packed, read one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from analysis.errors import InputError, ResultError
from analysis.io.hdf5_safety import open_audited
from analysis.io.result_fields import LayoutError, dataset_of, new_group
from analysis.records import PatternStack

BITSHUFFLE = 32008
"""The filter's registered number."""


MAX_BLOCK_BYTES = 2**20


def open_file(path: Path | str) -> h5py.File:
    """A file for reading that names no other file; raises ResultError where it does, or is no HDF5 file."""
    try:
        return open_audited(Path(path), alone=True)
    except InputError as error:
        why = one_line(error).removeprefix(f"{path}: ")
        raise ResultError(path, expected="a result file", found=f"another ({why})") from None


def one_line(error: BaseException) -> str:
    """An error's text on one line of bounded length."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."


def stack_of(file: h5py.File, stack: PatternStack) -> h5py.Dataset:
    """The dataset of a stack; raises LayoutError where the file no longer holds it."""
    dataset = dataset_of(file, stack.dataset)
    if dataset.shape != tuple(stack.shape) or dataset.dtype.kind != "u":
        raise LayoutError(f"patterns of shape {dataset.shape} and type {dataset.dtype}, not {stack.shape}")
    return dataset


def read_pattern(stack: PatternStack, row: int, col: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Counts (h, w) of the SAXS region at one scan point; zeros where the frame is missing.

    Raises ResultError where the file no longer holds that stack, IndexError outside of the grid.
    """
    rows, cols = stack.shape[:2]
    if not (0 <= row < rows and 0 <= col < cols):
        raise IndexError(f"no pattern at row {row}, column {col} of {rows} x {cols}")
    with stack_file(stack) as file:
        try:
            dataset = checked_stack(file, stack)
            _check_packing(dataset, row, col)
            return np.asarray(dataset[row, col])
        except (OSError, KeyError, ValueError, RuntimeError, IndexError) as error:
            raise ResultError(
                stack.path, expected="the pattern of a scan point", found=one_line(error)
            ) from None


def stack_file(stack: PatternStack) -> h5py.File:
    """The file of a stack for reading; raises ResultError where it is none."""
    try:
        return h5py.File(stack.path, "r", locking=False)
    except OSError as error:
        raise ResultError(stack.path, expected="a result file", found=one_line(error)) from None


def checked_stack(file: h5py.File, stack: PatternStack) -> h5py.Dataset:
    """The dataset of a stack that lies in this very file; raises LayoutError where it does not."""
    _refuse_ways_out(file, stack.dataset)
    return stack_of(file, stack)


def row_of(dataset: h5py.Dataset, row: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Counts (cols, h, w) of one scan row through the HDF5 library, whatever they are packed with."""
    for col in range(dataset.shape[1]):
        _check_packing(dataset, row, col)
    return np.asarray(dataset[row])


def _refuse_ways_out(file: h5py.File, name: str) -> None:
    """Audit one path: a whole audit for each pattern would take ten times as long as the pattern."""
    place: h5py.Group = file
    for part in name.strip("/").split("/"):
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise LayoutError(f"no dataset of its own at {name}")
        place = place[part]
    plan = place.id.get_create_plist()
    if plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL:
        raise LayoutError(f"values stored outside of the file at {name}")


def _check_packing(dataset: h5py.Dataset, row: int, col: int) -> None:
    """Raise LayoutError where the bitshuffle filter, which trusts lengths, would read past a frame's end."""
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    if BITSHUFFLE not in filters:
        return
    if dataset.chunks != (1, 1, *dataset.shape[2:]) or filters != [BITSHUFFLE]:
        raise LayoutError(f"packed frames in chunks of {dataset.chunks} with filters {filters}")
    if dataset.id.get_chunk_info_by_coord((row, col, 0, 0)).byte_offset is None:
        return
    filter_mask, packed = dataset.id.read_direct_chunk((row, col, 0, 0))
    if filter_mask == 0:
        _walk_blocks(packed, int(np.prod(dataset.shape[2:])), dataset.dtype.itemsize)


def _walk_blocks(packed: bytes, elements: int, item_bytes: int) -> None:
    """Whether 12 bytes of header, the blocks with their lengths and the rest fill a packed frame exactly."""
    total, block_bytes = int.from_bytes(packed[:8], "big"), int.from_bytes(packed[8:12], "big")
    block = block_bytes // item_bytes
    sane = block_bytes <= MAX_BLOCK_BYTES and block >= 8 and block % 8 == 0
    if total != elements * item_bytes or not sane or block * item_bytes != block_bytes:
        raise LayoutError(f"a packed frame of {total} bytes in blocks of {block_bytes}")
    at = 12
    for _ in range(-(-(elements - elements % 8) // block)):
        at += 4 + int.from_bytes(packed[at : at + 4], "big")
    if at + elements % 8 * item_bytes != len(packed):
        raise LayoutError(f"blocks that end at {at} of a packed frame of {len(packed)} bytes")


def stored_bytes(stack: PatternStack) -> int:
    """Bytes that a stack takes up in its file."""
    with open_file(stack.path) as file:
        return int(stack_of(file, stack).id.get_storage_size())


def copy_patterns(stack: PatternStack, group: h5py.Group) -> None:
    """Copy a stack into ``group``/data, packed chunks as they are; at most one row of frames is held."""
    with open_file(stack.path) as source:
        dataset = stack_of(source, stack)
        made = new_group(group, "patterns", "NXdata")
        made.attrs["signal"] = "data"
        if dataset.chunks == (1, 1, *stack.shape[2:]):
            copy = _like(dataset, made)
            _copy_chunks(dataset, copy)
        else:
            copy = made.create_dataset(
                "data",
                shape=stack.shape,
                dtype=dataset.dtype,
                chunks=(1, 1, *stack.shape[2:]),
                track_times=False,
                **hdf5plugin.Bitshuffle(),
            )
            for row in range(stack.shape[0]):
                copy[row] = dataset[row]
        copy.attrs["units"] = "counts"


def _like(dataset: h5py.Dataset, group: h5py.Group) -> h5py.Dataset:
    """An empty dataset ``data`` of the same type, chunks and filters."""
    known = dataset.id.get_create_plist()
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    plan.set_chunk(dataset.chunks)
    for number in range(known.get_nfilters()):
        code, flags, values, _ = known.get_filter(number)
        # Bitshuffle puts its version and item size before the values it is given, on every creation.
        plan.set_filter(code, flags, values[3:] if code == BITSHUFFLE else values)
    made = h5py.h5d.create(group.id, b"data", dataset.id.get_type(), dataset.id.get_space(), dcpl=plan)
    return h5py.Dataset(made)


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset) -> None:
    offsets: list[tuple[int, ...]] = []
    source.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in sorted(offsets):
        filter_mask, packed = source.id.read_direct_chunk(offset)
        target.id.write_direct_chunk(offset, packed, filter_mask)


def same_patterns(one: PatternStack, other: PatternStack) -> bool:
    """Whether two stacks hold as many frames in as many bytes, and the middle one reads alike."""
    row, col = one.shape[0] // 2, one.shape[1] // 2
    if one.shape != other.shape or not np.array_equal(
        read_pattern(one, row, col), read_pattern(other, row, col)
    ):
        return False
    with open_file(one.path) as first, open_file(other.path) as second:
        a, b = stack_of(first, one), stack_of(second, other)
        return a.chunks != b.chunks or bool(
            a.id.get_num_chunks() == b.id.get_num_chunks()
            and a.id.get_storage_size() == b.id.get_storage_size()
        )
