"""One pass over a scan's frames, in batches of whole rows; each is kept on the disk when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.io.frames import FrameReader
from analysis.io.pattern_packing import packed
from analysis.io.pattern_store import PatternStore
from analysis.pipeline.executors import Crew
from analysis.xray.frame_pass import FramePass, PassBatch, joined_passes
from analysis.xray.reduction import Batch, Plan, reduce_batches, without_patterns
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

BATCH_POINTS = 128


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """All points of a scan, in order: ``rows`` (points, ROW_LENGTH), ``rings`` (points, n_q) and ``total``
    (h, w) as in :class:`Batch`, what each pass made (without what it stored), and where the batches lie."""

    rows: Array
    rings: Array
    total: npt.NDArray[np.uint64]
    summed: int
    passes: Mapping[str, PassBatch]
    store: PatternStore
    batches: Sequence[Sequence[int]]

    def pattern(self, point: int) -> Counts:
        """Counts (h, w) of one point."""
        return self.store.pattern(*divmod(point, len(self.batches[0])))

    def stored(self, name: str) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """What pass ``name`` left on the disk, batch by batch in scan order."""
        return (self.store.stored(number, name) for number in range(len(self.batches)))


def batches_of(numbers: npt.NDArray[np.int64]) -> list[list[int]]:
    """Image numbers (rows, cols) in scan order, whole rows together until a batch is full."""
    per_batch = max(1, BATCH_POINTS // numbers.shape[1])
    return [
        [int(number) for number in numbers[row : row + per_batch].ravel()]
        for row in range(0, numbers.shape[0], per_batch)
    ]


def stream(
    reader: FrameReader,
    setup: ScanSetup,
    batches: Sequence[Sequence[int]],
    store: PatternStore,
    *,
    crew: Crew,
    passes: Sequence[FramePass] = (),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Streamed:
    """Reduce what ``store`` does not hold already, and give everything."""
    total = sum(len(batch) for batch in batches)
    kept: dict[int, Batch] = {}
    for number, points in enumerate(batches):
        recalled = store.recall(number, len(points), passes=[each.name for each in passes])
        if recalled is not None:
            kept[number] = recalled
    done = sum(len(batches[number]) for number in kept)
    progress(done, total)
    open_ones = [number for number in range(len(batches)) if number not in kept]
    plan = Plan(
        source=reader, setup=setup, pack=packed, passes=tuple(passes), detector_shape=reader.series.shape
    )
    made = reduce_batches(
        crew.shared(plan) if open_ones else plan,
        [batches[number] for number in open_ones],
        executor=crew.executor,
        ahead=crew.ahead,
    )
    for number, batch in zip(open_ones, made, strict=True):
        store.keep(number, batch)
        kept[number] = without_patterns(batch)
        done += len(batches[number])
        progress(done, total)
    return _together([kept[number] for number in range(len(batches))], setup, store, batches)


def _together(
    kept: Sequence[Batch], setup: ScanSetup, store: PatternStore, batches: Sequence[Sequence[int]]
) -> Streamed:
    counts = np.zeros(setup.shape, dtype=np.uint64)
    for batch in kept:
        counts += batch.total
    return Streamed(
        rows=np.concatenate([batch.rows for batch in kept]),
        rings=np.concatenate([batch.rings for batch in kept]),
        total=counts,
        summed=sum(batch.summed for batch in kept),
        passes=joined_passes([batch.passes for batch in kept]),
        store=store,
        batches=batches,
    )
