"""The stream: frames of a scan, a few at a time, through search and fit, the same for any number of workers.

Frames come from a source that is handed in and their patterns go to a sink that is handed in; nothing here
knows files. Each frame is reduced for itself, so the order in which threads take them changes no bit; only
then do points that failed get a second chance, started from what their neighbours gave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from analysis.records import XRAY_STATUS
from analysis.xray.frame_kernels import (
    AMBIGUOUS,
    NO_CONVERGENCE,
    NO_SIGNAL,
    OK,
    PARAMETERS,
    ROW_LENGTH,
    SIGNAL,
    STATUS,
    fit_frame,
    search_frame,
)
from analysis.xray.frame_pass import FramePass, FrameSource, PassBatch, joined_passes
from analysis.xray.gather_kernels import N_FAMILY
from analysis.xray.search_kernels import MAX_CANDIDATES
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

TASK_FRAMES = 16
FRAME_MISSING = XRAY_STATUS.index("frame_missing")
RETRIED = (NO_SIGNAL, NO_CONVERGENCE, AMBIGUOUS)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive scan points reduced: ``rows`` (n, ROW_LENGTH), ``rings`` (n, n_q) counts of each ring,
    ``patterns`` (n, h, w), ``total`` (h, w) counts summed over frames in which a lattice was found,
    ``passes`` what each further pass made of them."""

    rows: Array
    rings: Array
    patterns: Counts
    total: npt.NDArray[np.uint64]
    summed: int
    passes: Mapping[str, PassBatch] = field(default_factory=dict)


def without_patterns(batch: Batch) -> Batch:
    """The same batch with its patterns, and what else stays on the disk, let go."""
    passes = {name: replace(part, stored={}) for name, part in batch.passes.items()}
    return replace(batch, patterns=np.empty((0, 0, 0), dtype=np.uint32), passes=passes)


class _Room:
    """Arrays that one task works in."""

    def __init__(self, setup: ScanSetup) -> None:
        self.pixels = np.empty((5, max(64, setup.places.size)))
        self.candidates = np.zeros((MAX_CANDIDATES, 6))


def reduce_batch(
    source: FrameSource,
    setup: ScanSetup,
    numbers: Sequence[int],
    *,
    passes: Sequence[FramePass] = (),
    detector_shape: tuple[int, int] = (0, 0),
) -> Batch:
    """Read, search and fit the frames with these image numbers (-1: none) one after the other.

    ``passes`` are shown each frame whole, ``detector_shape`` (rows, columns) large.
    """
    n, n_q = len(numbers), setup.q_edges_per_nm.size - 1
    rows, rings = np.full((n, ROW_LENGTH), np.nan), np.full((n, n_q), np.nan)
    patterns = np.zeros((n, *setup.shape), dtype=np.uint32)
    total = np.zeros(setup.shape, dtype=np.uint64)
    room, summed = _Room(setup), 0
    tasks = {each.name: each.begin(n) for each in passes}
    whole = np.zeros(detector_shape, dtype=np.uint16)
    for place, number in enumerate(numbers):
        counts = patterns[place]
        seen = number >= 0 and (
            source.read_whole(number, counts, whole) if tasks else source.read(number, counts)
        )
        if not seen:
            counts[:] = 0
            rows[place, STATUS] = FRAME_MISSING
            continue
        _look(setup, counts, room, rings[place], rows[place])
        for task in tasks.values():
            task.take(place, whole, counts, rows[place])
        counts[~setup.usable] = 0
        if rows[place, STATUS] == OK:
            total += counts
            summed += 1
    made = {name: task.finish() for name, task in tasks.items()}
    return Batch(rows=rows, rings=rings, patterns=patterns, total=total, summed=summed, passes=made)


def _look(setup: ScanSetup, counts: Counts, room: _Room, rings: Array, row: Array) -> None:
    """Search one frame and fit what was found."""
    flat = counts.reshape(-1)
    found = search_frame(flat, setup.table, rings, room.candidates, row)
    if found > 0:
        fit_frame(flat, setup.table, room.candidates, found, room.pixels, row)


def reduce_batches(
    source: FrameSource,
    setup: ScanSetup,
    batches: Sequence[Sequence[int]],
    *,
    workers: int,
    passes: Sequence[FramePass] = (),
    detector_shape: tuple[int, int] = (0, 0),
) -> Iterator[Batch]:
    """Reduce batches of image numbers, in order, with ``workers`` threads; few are held at a time."""
    reduce = partial(reduce_batch, source, setup, passes=passes, detector_shape=detector_shape)
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[list[Future[Batch]]] = deque()
        for numbers in batches:
            parts = [numbers[k : k + TASK_FRAMES] for k in range(0, len(numbers), TASK_FRAMES)]
            ahead.append([pool.submit(reduce, part) for part in parts])
            if sum(len(futures) for futures in ahead) >= 2 * workers:
                yield _joined([future.result() for future in ahead.popleft()])
        while ahead:
            yield _joined([future.result() for future in ahead.popleft()])


def _joined(parts: list[Batch]) -> Batch:
    return Batch(
        rows=np.concatenate([part.rows for part in parts]),
        rings=np.concatenate([part.rings for part in parts]),
        patterns=np.concatenate([part.patterns for part in parts]),
        total=np.sum([part.total for part in parts], axis=0, dtype=np.uint64),
        summed=sum(part.summed for part in parts),
        passes=joined_passes([part.passes for part in parts]),
    )


def second_chance(
    rows: Array, shape: tuple[int, int], read: Callable[[int], Counts | None], setup: ScanSetup
) -> int:
    """Fit points without a lattice once more, started from their neighbours' median; gives how many gained.

    ``rows`` (points, ROW_LENGTH) are changed in place; ``read`` gives the pattern of a point by its index.
    Neighbours are the 8 around a point that were ok after the first pass, so order does not matter.
    """
    status = rows[:, STATUS].reshape(shape)
    ok = status == OK
    room, gained = _Room(setup), 0
    rings = np.empty(setup.expected.shape[0])
    changes: list[tuple[int, Array]] = []
    for row, col in zip(*np.nonzero(np.isin(status, RETRIED)), strict=True):
        box = np.s_[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
        if np.count_nonzero(ok[box]) < 2:
            continue
        around = rows.reshape(*shape, ROW_LENGTH)[box][ok[box]]
        index = int(row * shape[1] + col)
        counts = read(index)
        if counts is None:
            continue
        tried = rows[index].copy()
        flat = counts.reshape(-1)
        found = search_frame(flat, setup.table, rings, room.candidates, tried)
        tried[PARAMETERS : PARAMETERS + 2 * N_FAMILY] = _middle(around)
        fit_frame(flat, setup.table, room.candidates, found, room.pixels, tried)
        if tried[STATUS] == OK and tried[SIGNAL : SIGNAL + 2].min() >= SECOND_SIGNAL:
            changes.append((index, tried))
    for index, tried in changes:
        rows[index] = tried
        gained += 1
    return gained


SECOND_SIGNAL = 5.0
"""What a neighbour's start must show of each family: a look at a known place, but a chosen one."""


def _middle(around: Array) -> Array:
    """Median parameters of neighbours (n, ROW_LENGTH), their families matched and angles unwrapped."""
    first = around[:, PARAMETERS : PARAMETERS + 2 * N_FAMILY].copy()
    axis = first[0, 1]
    for parameters in first:
        turned = [(parameters[at + 1] - axis + 0.5 * np.pi) % np.pi - 0.5 * np.pi for at in (0, N_FAMILY)]
        if abs(turned[1]) < abs(turned[0]):
            parameters[:] = np.roll(parameters, N_FAMILY)
    for at, reference in ((1, first[0, 1]), (N_FAMILY + 1, first[0, N_FAMILY + 1])):
        first[:, at] = reference + (first[:, at] - reference + 0.5 * np.pi) % np.pi - 0.5 * np.pi
    return np.asarray(np.median(first, axis=0))
