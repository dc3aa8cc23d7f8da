"""Bytes that each frame takes in its files, from tables of chunks and files' sizes alone.

Nothing is decoded. A frame without bytes was never written; compressed frames take more room where more is
seen, which is enough to tell the order of rows.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from analysis.io.hdf5_safety import damage_told, open_audited
from analysis.io.series import Series

Sizes = npt.NDArray[np.int64]


def stored_sizes(series: Series) -> tuple[Sizes, Sizes]:
    """Image numbers (n,) of the frames that are there, ascending, and the bytes (n,) of each. InputError."""
    with damage_told(series.path):
        return _sizes(series)


def _sizes(series: Series) -> tuple[Sizes, Sizes]:
    numbers, sizes = [], []
    with ExitStack() as stack:
        opened: dict[Path, h5py.File] = {}
        tables: dict[tuple[Path, str], Sizes] = {}
        for part in series.parts:
            if part.source is not None:
                found = part.source.stored_bytes(part.start, part.count)
            else:
                if part.path not in opened:
                    opened[part.path] = stack.enter_context(open_audited(part.path, follow=False))
                key = part.path, part.dataset
                if key not in tables:
                    tables[key] = _chunk_bytes(opened[part.path][part.dataset])
                found = tables[key][part.start : part.start + part.count]
            numbers.append(np.arange(part.first_number, part.first_number + found.size, dtype=np.int64))
            sizes.append(found)
    number, size = np.concatenate(numbers), np.concatenate(sizes)
    there = size > 0
    return number[there], size[there]


def _chunk_bytes(dataset: h5py.Dataset) -> Sizes:
    """Bytes (n,) of the chunks of each frame; the share of each frame where a chunk has several."""
    count = int(dataset.shape[0])
    if dataset.chunks is None:
        return np.full(count, max(1, dataset.id.get_storage_size() // max(1, count)), dtype=np.int64)
    sizes = np.zeros(count, dtype=np.int64)
    deep = int(dataset.chunks[0])

    def add(chunk: h5py.h5d.StoreInfo) -> None:
        first = int(chunk.chunk_offset[0])
        sizes[first : first + deep] += max(1, int(chunk.size) // deep)

    dataset.id.chunk_iter(add)
    return sizes
