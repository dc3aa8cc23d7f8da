"""Stacks that are stored as the scan's raster: one dataset (rows, cols, detector rows, detector columns).

Frames are numbered along the rows of the raster. Read are plain storage, deflate, and bitshuffle with LZ4 at
one frame a chunk; the filters are not let at anything else.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.bitshuffle_lz4 import NO_FRAME, decode_frame, workspace
from analysis.io.hdf5_safety import open_audited
from analysis.io.hdf5_stacks import MAX_CHUNK_BYTES
from analysis.io.lz4 import OK
from analysis.io.series import MAX_FRAMES, Part, RegionReader, Span, checked_frames

BITSHUFFLE = 32008
LZ4_OPTION = 2
PLAIN_FILTERS = {1, 2, 3}
"""Deflate, shuffle, checksum: those that look at the length of what they are given."""

Region = npt.NDArray[np.integer]


@dataclass(frozen=True)
class RasterStack:
    """Frames of a dataset (rows, cols, h, w) in the order of its rows."""

    path: Path
    dataset: str
    shape: tuple[int, int]
    packed: bool

    @contextmanager
    def opened(self, rows: Span, cols: Span) -> Iterator[RegionReader]:
        """See :class:`analysis.io.series.FrameSource`."""
        lock = threading.Lock()
        with open_audited(self.path, follow=False) as file:
            dataset = file[self.dataset]

            def read(index: int) -> Region | None:
                place = divmod(index, self.shape[1])
                with lock:
                    try:
                        if self.packed:
                            return _unpacked(dataset, place, rows, cols)
                        return np.asarray(dataset[(*place, slice(*rows), slice(*cols))])
                    except (OSError, RuntimeError, ValueError):
                        return None

            yield read

    def stored_bytes(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """See :class:`analysis.io.series.FrameSource`."""
        with open_audited(self.path, follow=False) as file:
            dataset = file[self.dataset]
            frames = self.shape[0] * self.shape[1]
            if dataset.chunks is None:
                whole = max(1, dataset.id.get_storage_size() // frames)
                return np.full(count, whole, dtype=np.int64)
            sizes = np.zeros(self.shape, dtype=np.int64)
            deep = dataset.chunks[:2]

            def add(chunk: h5py.h5d.StoreInfo) -> None:
                row, col = chunk.chunk_offset[:2]
                sizes[row : row + deep[0], col : col + deep[1]] += max(1, chunk.size // math.prod(deep))

            dataset.id.chunk_iter(add)
            return sizes.ravel()[start : start + count]


def raster_part(dataset: h5py.Dataset, path: Path) -> Part:
    """The frames of a dataset of four dimensions as one part; raises InputError where it cannot be read."""
    shape = int(dataset.shape[0]), int(dataset.shape[1])
    checked_frames(path, dataset.shape[2:], dataset.dtype)
    chunk_bytes = math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize
    if math.prod(shape) > MAX_FRAMES or chunk_bytes > MAX_CHUNK_BYTES:
        raise InputError(
            path,
            field=dataset.name,
            expected=f"at most {MAX_FRAMES} frames, and {MAX_CHUNK_BYTES} bytes in a chunk",
            found=f"{math.prod(shape)}, {chunk_bytes}",
        )
    filters = _filters(dataset)
    packed = [number for number, _ in filters] == [BITSHUFFLE] and _is_frame_a_chunk(dataset, filters[0][1])
    if dataset.is_virtual or not (packed or {number for number, _ in filters} <= PLAIN_FILTERS):
        kind = "virtual" if dataset.is_virtual else f"filters {[number for number, _ in filters]}"
        raise InputError(
            path,
            field=dataset.name,
            expected="a raster of frames, plain, deflated, or in bitshuffle and LZ4 with one frame a chunk",
            found=f"{kind}, chunks {dataset.chunks}",
            remedy="name the file that holds the frames themselves",
        )
    holder = Path(dataset.file.filename)
    source = RasterStack(holder, dataset.name, shape, packed)
    return Part(
        path=holder, dataset=dataset.name, first_number=1, start=0, count=math.prod(shape), source=source
    )


def _filters(dataset: h5py.Dataset) -> list[tuple[int, tuple[int, ...]]]:
    plist = dataset.id.get_create_plist()
    found = (plist.get_filter(number) for number in range(plist.get_nfilters()))
    return [(int(entry[0]), tuple(int(value) for value in entry[2])) for entry in found]


def _is_frame_a_chunk(dataset: h5py.Dataset, options: tuple[int, ...]) -> bool:
    item = dataset.dtype.itemsize
    return (
        dataset.chunks == (1, 1, *dataset.shape[2:])
        and len(options) >= 5
        and options[2] == item
        and options[4] == LZ4_OPTION
        and dataset.dtype.newbyteorder("<") == dataset.dtype
        and (dataset.dtype.kind == "u" or item == 4)
    )


def _unpacked(dataset: h5py.Dataset, place: tuple[int, int], rows: Span, cols: Span) -> Region | None:
    """A region of one bitshuffled chunk, its blocks walked before they are decoded."""
    mask, raw = dataset.id.read_direct_chunk((*place, 0, 0))
    if mask != 0:
        return None
    height, width = dataset.shape[2:]
    out = np.zeros((rows[1] - rows[0], cols[1] - cols[0]), dtype=np.uint32)
    chunk = np.frombuffer(raw, dtype=np.uint8)
    code = decode_frame(
        chunk,
        dataset.dtype.itemsize,
        width,
        height * width,
        (*rows, *cols),
        out,
        NO_FRAME,
        *workspace(height * width),
    )
    return out if code == OK else None
