"""Photons beyond the small angles, kept in the result: any q or phi window without the raw files.

A frame is a list of gaps, a byte each: the distance in pixels (row by row) from the photon before, 0 for one
more in the same pixel, 255 for "255 and what follows". Packed with zlib, they lie one after the other in
``data``; ``lengths`` (rows, cols) says how many bytes each frame takes. Pixels that do not count hold none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from analysis.errors import ResultError
from analysis.io.hdf5_safety import open_audited
from analysis.io.result_fields import LayoutError, dataset_of, new_group, put_array, subgroup, take_array
from analysis.io.result_patterns import one_line, open_file
from analysis.records import EventStack

STACK_NAME = "photons.h5"
GROUP = "photons"
CHUNK_BYTES = 2**20
ESCAPE = 255
MAX_GAPS = 2**26
"""A frame with more photons than this is none of ours: the limit of what is unpacked."""


def write_photons(
    folder: Path,
    stored: Iterable[npt.NDArray[np.uint8]],
    lengths: npt.NDArray[np.int64],
    *,
    detector: tuple[int, int],
) -> EventStack:
    """Put the packed frames of all batches, in scan order, into one file; ``lengths`` is (rows, cols)."""
    target = folder / STACK_NAME
    part = target.with_suffix(".part")
    with h5py.File(part, "w", locking=False) as file:
        group = file.create_group(GROUP)
        data = _empty(group)
        for packed in stored:
            _append(data, packed)
        put_array(group, "lengths", lengths.astype(np.int64), "")
        put_array(group, "detector", np.array(detector, dtype=np.int64), "px")
    part.replace(target)
    return EventStack(
        path=str(target), group=GROUP, shape=(lengths.shape[0], lengths.shape[1]), detector=detector
    )


def _empty(group: h5py.Group) -> h5py.Dataset:
    data = group.create_dataset(
        "data", shape=(0,), maxshape=(None,), chunks=(CHUNK_BYTES,), dtype=np.uint8, track_times=False
    )
    data.attrs["units"] = ""
    data.attrs["packing"] = "zlib of gaps between photons, a byte each; 255: 255 and what follows"
    return data


def _append(data: h5py.Dataset, packed: npt.NDArray[np.uint8]) -> None:
    end = data.shape[0]
    data.resize(end + packed.size, axis=0)
    data[end:] = packed


def copy_photons(stack: EventStack, parent: h5py.Group) -> None:
    """Copy a stack into ``parent``/photons, a chunk at a time."""
    with open_file(stack.path) as source:
        held = subgroup(source, stack.group)
        group = new_group(parent, GROUP)
        data, into = dataset_of(held, "data"), _empty(group)
        for first in range(0, data.shape[0], CHUNK_BYTES):
            _append(into, np.asarray(data[first : first + CHUNK_BYTES]))
        for name, unit in (("lengths", ""), ("detector", "px")):
            put_array(group, name, take_array(held, name, np.int64), unit)


def take_photons(parent: h5py.Group, path: str, shape: tuple[int, int]) -> EventStack | None:
    """The stack that lies in ``parent`` of the result at ``path``; None where there is none."""
    if GROUP not in parent:
        return None
    group = subgroup(parent, GROUP)
    lengths, detector = take_array(group, "lengths", np.int64), take_array(group, "detector", np.int64)
    data = dataset_of(group, "data")
    if lengths.shape != tuple(shape) or detector.shape != (2,) or data.ndim != 1 or data.dtype != np.uint8:
        raise LayoutError(f"photons of shape {lengths.shape} on a grid of {shape}")
    if lengths.size and (int(lengths.min()) < 0 or int(lengths.sum()) != data.shape[0]):
        raise LayoutError(f"photons of {int(lengths.sum())} bytes in {data.shape[0]}")
    size = (int(detector[0]), int(detector[1]))
    return EventStack(path=path, group=str(group.name), shape=(shape[0], shape[1]), detector=size)


def stored_photon_bytes(stack: EventStack) -> int:
    """Bytes that a stack takes up in its file."""
    with open_file(stack.path) as file:
        return int(dataset_of(subgroup(file, stack.group), "data").shape[0])


def read_photons(stack: EventStack, row: int, col: int) -> npt.NDArray[np.int64]:
    """Pixel of each photon of one scan point, row by row on the detector, ascending.

    Raises ResultError where the file no longer holds them, IndexError outside of the grid.
    """
    rows, cols = stack.shape
    if not (0 <= row < rows and 0 <= col < cols):
        raise IndexError(f"no photons at row {row}, column {col} of {rows} x {cols}")
    try:
        with open_audited(Path(stack.path), alone=True) as file:
            group = subgroup(file, stack.group)
            lengths = take_array(group, "lengths", np.int64).ravel()
            at = row * cols + col
            first = int(lengths[:at].sum())
            packed = np.asarray(dataset_of(group, "data")[first : first + int(lengths[at])])
        return photons_of(packed, stack.detector)
    except (OSError, KeyError, ValueError, IndexError, zlib.error) as error:
        raise ResultError(
            Path(stack.path), expected="photons of a scan point", found=one_line(error)
        ) from None


def photons_of(packed: npt.NDArray[np.uint8], detector: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Pixels of the photons of one packed frame; raises LayoutError where they leave the detector."""
    if packed.size == 0:
        return np.empty(0, dtype=np.int64)
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(packed.tobytes(), MAX_GAPS)
    if not unpacker.eof:
        raise LayoutError("a packed frame that does not end")
    gaps = np.frombuffer(plain, dtype=np.uint8)
    pixels = np.cumsum(gaps, dtype=np.int64)[gaps != ESCAPE]
    if pixels.size and int(pixels[-1]) >= detector[0] * detector[1]:
        raise LayoutError(f"a photon at pixel {int(pixels[-1])} of {detector}")
    return np.asarray(pixels)
