"""The stream: frames of a scan, a few at a time, through search and fit, the same for any number of workers.

Frames come from a source that is handed in and their patterns go to a sink that is handed in; nothing here
knows files. Each frame is reduced for itself, so the order in which threads take them changes no bit; only
then do points that failed get a second chance, started from what their neighbours gave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import Any

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
from analysis.xray.frame_pass import FramePass, FrameSource, PassBatch, WholeFrame, joined_passes
from analysis.xray.gather_kernels import N_FAMILY
from analysis.xray.pattern_kernels import put_away
from analysis.xray.pixel_table import PixelTable
from analysis.xray.search_kernels import MAX_CANDIDATES
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
AnyCounts = npt.NDArray[np.unsignedinteger[Any]]

TASK_FRAMES = 16
NARROW_MOST = 2**16 - 1
FRAME_MISSING = XRAY_STATUS.index("frame_missing")
RETRIED = (NO_SIGNAL, NO_CONVERGENCE, AMBIGUOUS)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every task needs: frames, setup, further passes, how patterns are packed. It can be pickled.

    ``pack`` makes one chunk of bytes of each pattern (n, h, w); ``detector_shape`` is that of whole frames.
    """

    source: FrameSource
    setup: ScanSetup
    pack: Callable[[AnyCounts], list[bytes]]
    passes: tuple[FramePass, ...] = ()
    detector_shape: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive scan points reduced: ``rows`` (n, ROW_LENGTH), ``rings`` (n, n_q) counts of each ring,
    ``patterns`` packed, with the bytes a count of each in ``item_bytes``, ``total`` (h, w) counts summed over
    the ``summed`` frames in which a lattice was found, ``passes`` what each further pass made of them."""

    rows: Array
    rings: Array
    patterns: tuple[bytes, ...]
    item_bytes: tuple[int, ...]
    total: npt.NDArray[np.uint64]
    summed: int
    passes: Mapping[str, PassBatch] = field(default_factory=dict)


def without_patterns(batch: Batch) -> Batch:
    """The same batch with its patterns, and what else stays on the disk, let go."""
    passes = {name: replace(part, stored={}) for name, part in batch.passes.items()}
    return replace(batch, patterns=(), item_bytes=(), passes=passes)


class _Room:
    """Arrays that one task works in."""

    def __init__(self, setup: ScanSetup) -> None:
        self.pixels = np.empty((5, max(64, setup.places.size)))
        self.candidates = np.zeros((MAX_CANDIDATES, 6))


def reduce_batch(plan: Plan, numbers: Sequence[int]) -> Batch:
    """Read, search and fit the frames with these image numbers (-1: none) one after the other."""
    setup, n = plan.setup, len(numbers)
    rows, rings = np.full((n, ROW_LENGTH), np.nan), np.full((n, setup.q_edges_per_nm.size - 1), np.nan)
    counts = np.zeros(setup.shape, dtype=np.uint32)
    whole = np.zeros(plan.detector_shape if plan.passes else (0, 0), dtype=np.uint16)
    narrow, wide = np.zeros((n, *setup.shape), dtype=np.uint16), {}
    total, summed = np.zeros(setup.shape, dtype=np.uint64), 0
    room = _Room(setup)
    tasks = {each.name: each.begin(n) for each in plan.passes}
    for place, number in enumerate(numbers):
        if not _read(plan, number, counts, whole):
            rows[place, STATUS] = FRAME_MISSING
            continue
        table = setup.table_at(float(setup.exposures_of(number)))
        _look(table, counts, room, rings[place], rows[place])
        for task in tasks.values():
            task.take(place, whole, counts, rows[place])
        is_summed = rows[place, STATUS] == OK
        summed += is_summed
        if put_away(counts, setup.usable, narrow[place], total, is_summed) > NARROW_MOST:
            wide[place] = counts.copy()
    patterns = plan.pack(narrow)
    for place, pattern in wide.items():
        patterns[place] = plan.pack(pattern[None])[0]
    return Batch(
        rows=rows,
        rings=rings,
        patterns=tuple(patterns),
        item_bytes=tuple(4 if place in wide else 2 for place in range(n)),
        total=total,
        summed=summed,
        passes={name: task.finish() for name, task in tasks.items()},
    )


def _read(plan: Plan, number: int, counts: Counts, whole: WholeFrame) -> bool:
    if number < 0:
        return False
    return plan.source.read_whole(number, counts, whole) if whole.size else plan.source.read(number, counts)


def _look(table: PixelTable, counts: Counts, room: _Room, rings: Array, row: Array) -> None:
    """Search one frame and fit what was found."""
    flat = counts.reshape(-1)
    found = search_frame(flat, table, rings, room.candidates, row)
    if found > 0:
        fit_frame(flat, table, room.candidates, found, room.pixels, row)


def reduce_batches(
    plan: Any, batches: Sequence[Sequence[int]], *, executor: Executor, ahead: int
) -> Iterator[Batch]:
    """Reduce batches of image numbers, in order; about ``ahead`` tasks are under way or waiting at a time.

    ``plan`` is a :class:`Plan` as the executor takes it. Tasks are the same for every executor and number of
    workers, so that sums are, to the last bit.
    """
    waiting: deque[list[Future[Batch]]] = deque()
    try:
        for numbers in batches:
            parts = [numbers[k : k + TASK_FRAMES] for k in range(0, len(numbers), TASK_FRAMES)]
            waiting.append([executor.submit(reduce_batch, plan, part) for part in parts])
            while sum(len(futures) for futures in waiting) >= ahead + len(waiting[0]):
                yield _joined([future.result() for future in waiting.popleft()])
        while waiting:
            yield _joined([future.result() for future in waiting.popleft()])
    finally:
        for futures in waiting:
            for future in futures:
                future.cancel()


def _joined(parts: list[Batch]) -> Batch:
    return Batch(
        rows=np.concatenate([part.rows for part in parts]),
        rings=np.concatenate([part.rings for part in parts]),
        patterns=tuple(chunk for part in parts for chunk in part.patterns),
        item_bytes=tuple(size for part in parts for size in part.item_bytes),
        total=np.sum([part.total for part in parts], axis=0, dtype=np.uint64),
        summed=sum(part.summed for part in parts),
        passes=joined_passes([part.passes for part in parts]),
    )


def second_chance(
    rows: Array,
    shape: tuple[int, int],
    read: Callable[[int], Counts | None],
    setup: ScanSetup,
    exposures: Array | None = None,
) -> int:
    """Fit points without a lattice once more, started from what their neighbours gave; gives how many gained.

    ``rows`` (points, ROW_LENGTH) are changed in place; ``read`` gives the pattern of a point by its index.
    Neighbours are the 8 around a point that were ok after the first pass, so order does not matter. Where
    they belong to domains of different orientation, each domain is a start of its own. ``exposures``
    (points,) are relative; None: all are alike.
    """
    status = rows[:, STATUS].reshape(shape)
    ok = status == OK
    room = _Room(setup)
    changes: dict[int, Array] = {}
    for row, col in zip(*np.nonzero(np.isin(status, RETRIED)), strict=True):
        box = np.s_[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
        if np.count_nonzero(ok[box]) < 2:
            continue
        around = rows.reshape(*shape, ROW_LENGTH)[box][ok[box]][:, PARAMETERS : PARAMETERS + 2 * N_FAMILY]
        index = int(row * shape[1] + col)
        counts = read(index)
        if counts is None:
            continue
        table = setup.table_at(1.0 if exposures is None else float(exposures[index]))
        tries = [_fitted_from(start, counts, table, room, rows[index]) for start in domain_starts(around)]
        weaker = [float(tried[SIGNAL : SIGNAL + 2].min()) if tried[STATUS] == OK else 0.0 for tried in tries]
        best = int(np.argmax(weaker))
        if weaker[best] >= SECOND_SIGNAL:
            changes[index] = tries[best]
    for index, tried in changes.items():
        rows[index] = tried
    return len(changes)


SECOND_SIGNAL = 5.0
"""What a neighbour's start must show of each family: a look at a known place, but a chosen one."""

SAME_DOMAIN_WIDTHS = 2.0
"""Neighbours whose peaks lie nearer than this, in widths, are of one domain."""


def _fitted_from(start: Array, counts: Counts, table: PixelTable, room: _Room, row: Array) -> Array:
    """Row of a frame fitted from ``start`` (12,), with what its own search saw against it."""
    tried, flat = row.copy(), counts.reshape(-1)
    found = search_frame(flat, table, np.empty(table.expected.shape[0]), room.candidates, tried)
    tried[PARAMETERS : PARAMETERS + 2 * N_FAMILY] = start
    fit_frame(flat, table, room.candidates, found, room.pixels, tried)
    return tried


def domain_starts(around: Array) -> list[Array]:
    """Median parameters (12,) of each domain among neighbours (n, 12), the one with most neighbours first.

    Families are matched to those of the domain's first neighbour and angles unwrapped.
    """
    domains: list[list[Array]] = []
    for parameters in around:
        for domain in domains:
            matched = _matched(parameters, domain[0])
            if matched is not None:
                domain.append(matched)
                break
        else:
            domains.append([parameters.copy()])
    domains.sort(key=len, reverse=True)
    return [np.asarray(np.median(domain, axis=0)) for domain in domains]


def _matched(parameters: Array, reference: Array) -> Array | None:
    """``parameters`` in the order and branch of ``reference`` (both (12,)); None if of another domain."""
    for turned in (parameters.copy(), np.roll(parameters, N_FAMILY)):
        first, other = turned.reshape(2, N_FAMILY), reference.reshape(2, N_FAMILY)
        off = (first[:, 1] - other[:, 1] + 0.5 * np.pi) % np.pi - 0.5 * np.pi
        first[:, 1] = other[:, 1] + off
        far = np.hypot((first[:, 0] - other[:, 0]) / np.exp(other[:, 2]), off / np.exp(other[:, 3]))
        if far.max() < SAME_DOMAIN_WIDTHS:
            return turned
    return None
