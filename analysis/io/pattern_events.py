"""What counted in every pattern of a scan, a scan row at a time, decoded by several threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import h5py
import numpy as np
import numpy.typing as npt

from analysis.errors import ResultError
from analysis.io.bitshuffle_lz4 import MAX_BLOCK_BYTES
from analysis.io.lz4 import OK
from analysis.io.packed_events import decode_events, events_workspace
from analysis.io.result_fields import LayoutError
from analysis.io.result_patterns import BITSHUFFLE, checked_stack, one_line, row_of, stack_file
from analysis.records import PatternStack

T = TypeVar("T")
Places = npt.NDArray[np.uint32]
Make = Callable[[Places, npt.NDArray[np.uint32]], T]

LZ4_OPTION = 2
MAX_CHUNK_BYTES = 1 << 28
AHEAD = 2
"""Rows in work for each thread."""


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """Where the packed frames of a stack lie in its file: offsets and sizes (rows, cols), 0 where none is."""

    descriptor: int
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    item_bytes: int
    elements: int


def over_pattern_events(
    stack: PatternStack, make: Make[T], *, workers: int | None = None
) -> Iterator[list[T]]:
    """For one scan row after another the list of ``make(places, counts)`` of its patterns, in order.

    ``places`` are the flat indices (rising) of the pixels of a pattern (h, w) that counted, ``counts`` what
    they counted; none where the frame is missing. Both are lent: ``make``, which is called from ``workers``
    threads (one a core), keeps copies. Raises ResultError where the file does not hold the patterns.
    """
    threads = workers or os.cpu_count() or 1
    with stack_file(stack) as file:
        try:
            dataset = checked_stack(file, stack)
            packed = _packed(dataset, file)
            if packed is None:
                for row in range(stack.shape[0]):
                    yield [make(*_events_of(frame)) for frame in row_of(dataset, row)]
            else:
                yield from _threaded(packed, make, threads)
        except (OSError, KeyError, ValueError, RuntimeError, IndexError) as error:
            raise ResultError(stack.path, expected="the patterns of a scan", found=one_line(error)) from None


def _events_of(frame: npt.NDArray[np.unsignedinteger[Any]]) -> tuple[Places, Places]:
    places = np.flatnonzero(frame)
    return places.astype(np.uint32), frame.ravel()[places].astype(np.uint32)


def _threaded(packed: _Packed, make: Make[T], threads: int) -> Iterator[list[T]]:
    room = threading.local()
    with ThreadPoolExecutor(threads) as pool:
        rows = iter(range(packed.sizes.shape[0]))
        waiting: deque[Future[list[T]]] = deque(
            pool.submit(_of_row, packed, row, make, room) for row in islice(rows, AHEAD * threads)
        )
        while waiting:
            found = waiting.popleft().result()
            waiting.extend(pool.submit(_of_row, packed, row, make, room) for row in islice(rows, 1))
            yield found


def _of_row(packed: _Packed, row: int, make: Make[T], room: threading.local) -> list[T]:
    """Decode the patterns of one scan row in this thread's own room and let ``make`` see each."""
    if not hasattr(room, "work"):
        room.work = events_workspace(packed.elements, MAX_BLOCK_BYTES)
    places, counts, *rest = room.work
    made = []
    for col in range(packed.sizes.shape[1]):
        number, size = 0, int(packed.sizes[row, col])
        if size > 0:
            raw = os.pread(packed.descriptor, size, int(packed.offsets[row, col]))
            chunk = np.frombuffer(raw, dtype=np.uint8)
            code, number = decode_events(chunk, packed.item_bytes, packed.elements, places, counts, *rest)
            if code != OK:
                raise LayoutError(f"a packed frame at row {row}, column {col} that cannot be unpacked")
        made.append(make(places[:number], counts[:number]))
    return made


def _packed(dataset: h5py.Dataset, file: h5py.File) -> _Packed | None:
    """Places of the packed frames, or None where they are packed in another way than results are."""
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(number) for number in range(plan.get_nfilters())]
    item = dataset.dtype.itemsize
    usual = (
        dataset.chunks == (1, 1, *dataset.shape[2:])
        and [one[0] for one in filters] == [BITSHUFFLE]
        and len(filters[0][2]) >= 5
        and filters[0][2][4] == LZ4_OPTION
        and item in {1, 2, 4}
        and dataset.dtype.newbyteorder("<") == dataset.dtype
    )
    if not usual:
        return None
    offsets, sizes = (np.zeros(dataset.shape[:2], dtype=np.int64) for _ in range(2))
    plain: list[tuple[int, ...]] = []

    def keep(chunk: h5py.h5d.StoreInfo) -> None:
        place = chunk.chunk_offset[:2]
        offsets[place], sizes[place] = chunk.byte_offset, chunk.size
        if chunk.filter_mask != 0:
            plain.append(place)

    dataset.id.chunk_iter(keep)
    descriptor = file.id.get_vfd_handle()
    end = os.fstat(descriptor).st_size
    if plain or (offsets < 0).any() or (sizes > MAX_CHUNK_BYTES).any() or (offsets + sizes > end).any():
        return None
    elements = int(dataset.shape[2]) * int(dataset.shape[3])
    return _Packed(descriptor=descriptor, offsets=offsets, sizes=sizes, item_bytes=item, elements=elements)
