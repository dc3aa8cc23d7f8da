"""The frames of a series, one at a time, the wanted region only, from any number of threads.

Frames that are stored one a chunk with bitshuffle and LZ4 are read past the HDF5 library: its chunk table is
taken once, then the bytes come by ``pread`` and only the wanted blocks are decoded. Anything else goes
through h5py, to the same counts, one thread at a time.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import hdf5plugin  # noqa: F401 - registers the filters that slow reading needs
import numpy as np
import numpy.typing as npt

from analysis.io.bitshuffle_lz4 import (
    NO_FRAME,
    Raw,
    WholeFrame,
    decode_frame,
    walk_blocks,
    workspace,
)
from analysis.io.bitshuffle_lz4 import Room as DecoderRoom
from analysis.io.hdf5_safety import open_audited
from analysis.io.lz4 import OK
from analysis.io.series import FrameSource, Part, RegionReader, Series, Span

Counts = npt.NDArray[np.uint32]

BITSHUFFLE = 32008
LZ4_OPTION = 2
MAX_CHUNK_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Region:
    """Rows and columns of the detector that are read, stops excluded, and whether they are then mirrored."""

    rows: tuple[int, int]
    cols: tuple[int, int]
    flip: str = "none"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.rows[1] - self.rows[0], self.cols[1] - self.cols[0]

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """First row, row stop, first column, column stop."""
        return (*self.rows, *self.cols)

    def cut(self, whole: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The region of an array (detector rows, cols), mirrored as frames are."""
        return self.mirrored(whole[slice(*self.rows), slice(*self.cols)])

    def mirrored(self, part: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A view of a region (h, w), left and right or up and down exchanged where ``flip`` says so."""
        if self.flip == "horizontal":
            return part[:, ::-1]
        return part[::-1] if self.flip == "vertical" else part


@dataclass(frozen=True, kw_only=True)
class _ChunkTable:
    """Where the chunk of each frame of one dataset lies in its file; size 0 where it was never written."""

    descriptor: int
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    item_bytes: int


@dataclass(kw_only=True)
class _Room:
    """What one thread reads and decodes in; ``region`` and ``whole`` serve detectors that are mirrored."""

    chunk: Raw
    region: Counts
    whole: WholeFrame
    decoder: DecoderRoom


class FrameReader:
    """Counts of one region of any frame of a series, by image number; a context manager."""

    def __init__(self, series: Series, region: Region) -> None:
        self.series = series
        self.region = region
        self.shape = region.shape
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._local = threading.local()
        self._firsts = [part.first_number for part in series.parts]
        self._datasets: dict[Path, h5py.File] = {}
        self._sources: dict[tuple[int, Span, Span], RegionReader] = {}
        self._tables = [self._table(part) for part in series.parts]

    def __reduce__(self) -> tuple[type[Self], tuple[Series, Region]]:
        """Pickled as what it reads: its files are opened anew where it arrives."""
        return type(self), (self.series, self.region)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def fast(self) -> bool:
        """Whether every frame is read past the HDF5 library."""
        return all(table is not None for table in self._tables)

    def numbers(self) -> npt.NDArray[np.int64]:
        """Image numbers of the frames that are there, ascending; chunks never written are not."""
        found = []
        for part, table in zip(self.series.parts, self._tables, strict=True):
            numbers = np.arange(part.first_number, part.last_number + 1, dtype=np.int64)
            if part.source is not None:
                numbers = numbers[part.source.stored_bytes(part.start, part.count) > 0]
            elif table is not None:
                numbers = numbers[table.sizes[part.start : part.start + part.count] > 0]
            found.append(numbers)
        return np.concatenate(found)

    def read(self, number: int, out: Counts) -> bool:
        """Fill ``out`` (region rows, cols) with image ``number``; False where it is missing or damaged."""
        return self._read(number, out, NO_FRAME)

    def read_whole(self, number: int, out: Counts, whole: WholeFrame) -> bool:
        """The same, and the whole frame into ``whole`` (detector rows, cols), counts clipped to its type."""
        return self._read(number, out, whole)

    def _read(self, number: int, out: Counts, whole: WholeFrame) -> bool:
        place = bisect_right(self._firsts, number) - 1
        if place < 0 or number > self.series.parts[place].last_number:
            return False
        part, table = self.series.parts[place], self._tables[place]
        index = part.start + number - part.first_number
        if table is not None:
            return self._read_fast(table, index, out, whole)
        region = (
            self.region if whole.size == 0 else Region(rows=(0, whole.shape[0]), cols=(0, whole.shape[1]))
        )
        found = self._read_slowly(part, index, region)
        if found is None:
            return False
        if whole.size:
            whole[...] = np.minimum(self.region.mirrored(found), np.iinfo(np.uint16).max)
            found = found[slice(*self.region.rows), slice(*self.region.cols)]
        out[...] = self.region.mirrored(found)
        return True

    def _opened(self, source: FrameSource, region: Region) -> RegionReader:
        key = (id(source), region.rows, region.cols)
        with self._lock:
            if key not in self._sources:
                opened = source.opened(region.rows, region.cols)
                self._sources[key] = self._stack.enter_context(opened)
            return self._sources[key]

    def _dataset(self, part: Part) -> h5py.Dataset:
        if part.path not in self._datasets:
            file = self._stack.enter_context(open_audited(part.path, follow=False))
            self._datasets[part.path] = file
        return self._datasets[part.path][part.dataset]

    def _table(self, part: Part) -> _ChunkTable | None:
        """Chunk table of one dataset, or None where its storage is not the usual one."""
        if part.source is not None:
            return None
        dataset = self._dataset(part)
        rows, cols = self.series.shape
        filters = _filters(dataset)
        item = dataset.dtype.itemsize
        usual = (
            dataset.chunks == (1, rows, cols)
            and len(filters) == 1
            and filters[0][0] == BITSHUFFLE
            and len(filters[0][1]) >= 5
            and filters[0][1][2] == item
            and filters[0][1][4] == LZ4_OPTION
            and dataset.dtype.newbyteorder("<") == dataset.dtype
            and (dataset.dtype.kind == "u" or item == 4)  # a short sign would be lost
        )
        if not usual:
            return None
        offsets = np.zeros(dataset.shape[0], dtype=np.int64)
        sizes = np.zeros(dataset.shape[0], dtype=np.int64)
        plain: list[int] = []
        end = part.path.stat().st_size

        def keep(chunk: h5py.h5d.StoreInfo) -> None:
            index = int(chunk.chunk_offset[0])
            if chunk.filter_mask != 0:
                plain.append(index)
            elif 0 <= index < sizes.size and 0 < chunk.byte_offset < end:
                offsets[index], sizes[index] = chunk.byte_offset, chunk.size

        dataset.id.chunk_iter(keep)
        if plain:
            return None
        descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        self._stack.callback(os.close, descriptor)
        sizes[(sizes > MAX_CHUNK_BYTES) | (offsets + sizes > end)] = 0
        return _ChunkTable(descriptor=descriptor, offsets=offsets, sizes=sizes, item_bytes=item)

    def _read_fast(self, table: _ChunkTable, index: int, out: Counts, whole: WholeFrame) -> bool:
        size = int(table.sizes[index])
        if size <= 0:
            return False
        room = self._room(size, whole.shape)
        chunk = room.chunk[:size]
        if os.preadv(table.descriptor, [chunk.data], int(table.offsets[index])) != size:
            return False
        straight = self.region.flip == "none"
        into, all_into = (out, whole) if straight else (room.region, room.whole)
        rows, cols = self.series.shape
        code = decode_frame(
            chunk, table.item_bytes, cols, rows * cols, self.region.bounds, into, all_into, *room.decoder
        )
        if code == OK and not straight:
            out[...] = self.region.mirrored(into)
            whole[...] = self.region.mirrored(all_into)
        return code == OK

    def _room(self, size: int, whole: tuple[int, ...]) -> _Room:
        """This thread's arrays to decode in, large enough for a chunk of ``size`` bytes."""
        room: _Room | None = getattr(self._local, "room", None)
        if room is None:
            room = self._local.room = _Room(
                chunk=np.zeros(size, dtype=np.uint8),
                region=np.zeros(self.shape, dtype=np.uint32),
                whole=NO_FRAME,
                decoder=workspace(self.series.shape[0] * self.series.shape[1]),
            )
        if room.chunk.size < size:
            room.chunk = np.zeros(size + size // 4, dtype=np.uint8)
        if self.region.flip != "none" and room.whole.shape != whole:
            room.whole = np.zeros(whole, dtype=np.uint16)
        return room

    def _read_slowly(self, part: Part, index: int, region: Region) -> Counts | None:
        if part.source is not None:
            values = self._opened(part.source, region)(index)
            return None if values is None else values.astype(np.uint32)
        with self._lock:
            dataset = self._dataset(part)
            if not _chunks_are_sound(dataset, index):
                return None
            try:
                found = dataset[index, slice(*region.rows), slice(*region.cols)]
            except (OSError, RuntimeError):
                return None
        return np.asarray(found).astype(np.uint32)


def _filters(dataset: h5py.Dataset) -> list[tuple[int, tuple[int, ...]]]:
    plist = dataset.id.get_create_plist()
    found = (plist.get_filter(number) for number in range(plist.get_nfilters()))
    return [(int(entry[0]), tuple(int(value) for value in entry[2])) for entry in found]


def _chunks_are_sound(dataset: h5py.Dataset, index: int) -> bool:
    """Walk the blocks of a frame's bitshuffled chunks: the filter itself believes whatever it is given."""
    filters = _filters(dataset)
    if not any(number == BITSHUFFLE for number, _ in filters):
        return True
    item, sides = dataset.dtype.itemsize, dataset.chunks
    elements = int(np.prod(sides))
    starts = workspace(elements)[0]
    first = index - index % sides[0]
    for row in range(0, dataset.shape[1], sides[1]):
        for col in range(0, dataset.shape[2], sides[2]):
            try:
                mask, raw = dataset.id.read_direct_chunk((first, row, col))
            except (OSError, RuntimeError):
                return False
            if mask == 0 and len(filters) == 1:
                code, _ = walk_blocks(np.frombuffer(raw, dtype=np.uint8), item, elements, starts)
                if code != OK:
                    return False
    return True
