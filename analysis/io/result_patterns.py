"""The SAXS region of every frame inside a result file: copied as it is packed, read one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from analysis.errors import ResultError
from analysis.io.result_fields import LayoutError, dataset_of, new_group, subgroup
from analysis.records import PatternStack


def open_file(path: Path | str) -> h5py.File:
    """An HDF5 file for reading; raises ResultError where it is none."""
    try:
        return h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise ResultError(
            path, expected="a result file", found="no file", remedy="reduce the sample"
        ) from None
    except OSError as error:
        found = "a folder" if Path(path).is_dir() else f"a file that is not ({one_line(error)})"
        raise ResultError(
            path, expected="a result file (HDF5)", found=found, remedy="reduce the sample again"
        ) from None


def one_line(error: BaseException) -> str:
    """An error's text on one line of bounded length."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."


def stack_of(file: h5py.File, stack: PatternStack) -> h5py.Dataset:
    """The dataset of a stack, reached through this very file only."""
    group: h5py.Group = file
    *folders, name = stack.dataset.strip("/").split("/")
    for folder in folders:
        group = subgroup(group, folder)
    dataset = dataset_of(group, name)
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
    with open_file(stack.path) as file:
        try:
            return np.asarray(stack_of(file, stack)[row, col])
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise ResultError(
                stack.path, expected="the pattern of a scan point", found=one_line(error)
            ) from None


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
    plan = dataset.id.get_create_plist()
    plan.set_obj_track_times(False)
    made = h5py.h5d.create(group.id, b"data", dataset.id.get_type(), dataset.id.get_space(), dcpl=plan)
    return h5py.Dataset(made)


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset) -> None:
    offsets: list[tuple[int, ...]] = []
    source.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in sorted(offsets):
        filter_mask, packed = source.id.read_direct_chunk(offset)
        target.id.write_direct_chunk(offset, packed, filter_mask)


def same_patterns(one: PatternStack, other: PatternStack) -> bool:
    """Whether two stacks hold as many frames in as many bytes."""
    with open_file(one.path) as first, open_file(other.path) as second:
        a, b = stack_of(first, one), stack_of(second, other)
        if a.chunks != b.chunks:
            return one.shape == other.shape
        return bool(
            a.id.get_num_chunks() == b.id.get_num_chunks()
            and a.id.get_storage_size() == b.id.get_storage_size()
        )
