"""What a reduction takes frames from, and how a further look at whole frames joins in.

The small angles are reduced by :mod:`analysis.xray.reduction`. Whatever else wants the same frames (wide
angles, correlations) is a :class:`FramePass`: it is shown each frame while it lies in memory, keeps numbers
for each point and sums over points, and never holds a frame. A pass, a source and what they carry can be
pickled, since tasks may run in other processes; arithmetic may depend on nothing but the frames of a task,
which are always the same ones, so that the number of workers changes no bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
WholeFrame = npt.NDArray[np.uint16]
AnyArray = npt.NDArray[Any]

CLIPPED = 2**16 - 1
"""Value in a :data:`WholeFrame` of every pixel with so many counts or more, masked ones included."""


class FrameSource(Protocol):
    """Frames by image number; both methods may be called from several threads, each with its own arrays."""

    def read(self, number: int, out: Counts) -> bool:
        """Fill ``out`` (h, w), the small-angle region, with counts; False where missing or damaged."""
        ...

    def read_whole(self, number: int, out: Counts, whole: WholeFrame) -> bool:
        """The same, and from the same decoding all pixels into ``whole`` (detector rows, columns).

        Both are mirrored as the detector's flip asks. ``whole`` holds counts up to :data:`CLIPPED`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PassBatch:
    """What one pass made of consecutive scan points.

    ``points``: arrays whose first axis runs over the points, put one after the other over the scan and held
    until its end: some numbers a point. ``totals``: arrays that are added up. ``stored``: arrays that are put
    one after the other too (any first axis: events, say, with their number a point in ``points``), but stay
    in the checkpoints on disk; :func:`analysis.pipeline.xray` hands out a reader of them at the end.
    """

    points: Mapping[str, AnyArray] = field(default_factory=dict)
    totals: Mapping[str, AnyArray] = field(default_factory=dict)
    stored: Mapping[str, AnyArray] = field(default_factory=dict)


class PassTask(Protocol):
    """One pass over the points of one task, by one thread."""

    def take(self, place: int, whole: WholeFrame, region: Counts, row: Array) -> None:
        """Look at the frame of point ``place`` (0 ... points - 1); not called for missing frames.

        ``whole`` (detector rows, columns) and ``region`` (h, w) are lent for this call. ``row`` is what the
        small angles gave (columns: :mod:`analysis.xray.frame_kernels`), status included. Points come in
        order. The work should be done in kernels without the GIL.
        """
        ...

    def finish(self) -> PassBatch:
        """What was kept; rows of missing frames are as they were at the beginning."""
        ...


class FramePass(Protocol):
    """A further look at whole frames: read-only, shared by threads, picklable."""

    @property
    def name(self) -> str:
        """Name among the passes of a reduction and in its checkpoints: a Python identifier."""
        ...

    def begin(self, points: int) -> PassTask:
        """A task over ``points`` consecutive scan points, with arrays of its own to work in."""
        ...


def joined_passes(parts: Sequence[Mapping[str, PassBatch]]) -> dict[str, PassBatch]:
    """Consecutive parts of each pass as one."""
    return {
        name: PassBatch(
            points=_end_to_end([part[name].points for part in parts]),
            totals=_added([part[name].totals for part in parts]),
            stored=_end_to_end([part[name].stored for part in parts]),
        )
        for name in (parts[0] if parts else {})
    }


def _end_to_end(parts: Sequence[Mapping[str, AnyArray]]) -> dict[str, AnyArray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _added(parts: Sequence[Mapping[str, AnyArray]]) -> dict[str, AnyArray]:
    return {name: _sum(part[name] for part in parts) for name in parts[0]}


def _sum(arrays: Iterable[AnyArray]) -> AnyArray:
    """Sum in the given order: floating-point results are then the same for any number of workers."""
    total: AnyArray | None = None
    for array in arrays:
        total = array.copy() if total is None else total + array
    assert total is not None
    return total
