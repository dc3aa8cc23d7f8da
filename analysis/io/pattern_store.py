"""Checkpoints of a reduction, and the stack of patterns made from them.

A batch of scan points is one file, written aside, flushed to the disk and moved into place, so a killed run
leaves whole batches only. When all are there, their packed patterns are copied unopened into one dataset.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.hdf5_safety import open_audited
from analysis.io.pattern_packing import packed, storage, unpacked
from analysis.records import PatternStack
from analysis.xray.frame_pass import PassBatch
from analysis.xray.reduction import Batch

STACK_NAME = "patterns.h5"
DATASET = "patterns"
PACKED = "packed"
PASSES = "passes"
_ARRAYS = ("rows", "rings", "total")


class PatternStore:
    """The folder of one scan's checkpoints; ``shape`` is (rows, cols, h, w)."""

    def __init__(self, folder: Path, shape: tuple[int, int, int, int]) -> None:
        self.folder = folder
        self.shape = shape
        self._last: tuple[int, list[tuple[bytes, int]]] = (-1, [])
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, number: int) -> Path:
        """File of one batch."""
        return self.folder / f"batch_{number:06d}.h5"

    def keep(self, number: int, batch: Batch) -> None:
        """Write a batch so that it is there whole or not at all."""
        target = self.path(number)
        part = target.with_suffix(".part")
        with h5py.File(part, "w", locking=False) as file:
            for name in _ARRAYS:
                file[name] = getattr(batch, name)
            file["summed"] = batch.summed
            _put_passes(file, batch.passes)
            file[f"{PACKED}/data"] = np.frombuffer(b"".join(batch.patterns), dtype=np.uint8)
            file[f"{PACKED}/ends"] = np.cumsum([len(chunk) for chunk in batch.patterns], dtype=np.int64)
            file[f"{PACKED}/item_bytes"] = np.array(batch.item_bytes, dtype=np.int64)
        _flush(part)
        part.replace(target)
        _flush(self.folder)

    def recall(self, number: int, points: int, *, passes: Sequence[str] = ()) -> Batch | None:
        """A batch of an earlier run without its patterns, or None where there is none that is sound."""
        path = self.path(number)
        if not path.is_file():
            return None
        try:
            with open_audited(path, alone=True) as file:
                arrays = {name: np.asarray(file[name][()]) for name in _ARRAYS}
                summed, count = int(file["summed"][()]), file[PACKED]["ends"].size
                made = {name: _pass_of(file[PASSES][name]) for name in passes}
        except (InputError, OSError, KeyError, RuntimeError, ValueError):
            return None
        if count != points or arrays["rows"].shape[0] != points:
            return None
        return Batch(patterns=(), item_bytes=(), summed=summed, passes=made, **arrays)

    def stored(self, number: int, name: str) -> dict[str, npt.NDArray[Any]]:
        """What pass ``name`` left on the disk of one batch."""
        with open_audited(self.path(number), alone=True) as file:
            return _arrays_of(file[PASSES][name]["stored"])

    def assemble(self, batches: int) -> PatternStack:
        """Copy the packed patterns of all batches, in scan order, into one stack."""
        target = self.folder / STACK_NAME
        part = target.with_suffix(".part")
        shape = self.shape[2:]
        item_bytes = max(int(self._widths(number).max()) for number in range(batches))
        with h5py.File(part, "w", locking=False) as file:
            stack = file.create_dataset(
                DATASET, shape=self.shape, chunks=(1, 1, *shape), **storage(shape, item_bytes)
            )
            point = 0
            for number in range(batches):
                for chunk, width in self._chunks(number):
                    if width != item_bytes:
                        wider = unpacked(chunk, width, shape=shape).astype(f"<u{item_bytes}")
                        chunk = packed(wider[None])[0]
                    stack.id.write_direct_chunk((*divmod(point, self.shape[1]), 0, 0), chunk)
                    point += 1
        part.replace(target)
        return PatternStack(path=str(target), dataset=DATASET, shape=self.shape)

    def pattern(self, number: int, place: int) -> npt.NDArray[np.uint32]:
        """Counts (h, w) of one point, by its batch and place in it."""
        if self._last[0] != number:
            self._last = (number, self._chunks(number))
        return unpacked(*self._last[1][place], shape=self.shape[2:])

    def _widths(self, number: int) -> npt.NDArray[np.int64]:
        with open_audited(self.path(number), alone=True) as file:
            return np.asarray(file[PACKED]["item_bytes"][()])

    def _chunks(self, number: int) -> list[tuple[bytes, int]]:
        """Packed patterns of a batch and their bytes a count."""
        with open_audited(self.path(number), alone=True) as file:
            group = file[PACKED]
            ends, widths = group["ends"][()], group["item_bytes"][()]
            data = group["data"][()].tobytes()
        starts = [0, *(int(end) for end in ends[:-1])]
        return [
            (data[start : int(end)], int(width))
            for start, end, width in zip(starts, ends, widths, strict=True)
        ]


def _put_passes(file: h5py.File, passes: Mapping[str, PassBatch]) -> None:
    file.create_group(PASSES)
    for name, batch in passes.items():
        for part in ("points", "totals", "stored"):
            group = file.create_group(f"{PASSES}/{name}/{part}")
            for key, values in getattr(batch, part).items():
                group[key] = values


def _pass_of(group: h5py.Group) -> PassBatch:
    return PassBatch(points=_arrays_of(group["points"]), totals=_arrays_of(group["totals"]))


def _arrays_of(group: h5py.Group) -> dict[str, npt.NDArray[Any]]:
    return {key: np.asarray(values[()]) for key, values in group.items()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
