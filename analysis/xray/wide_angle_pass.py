"""The look at wide angles that joins the stream of frames: counts by azimuth, spots, photons as gaps."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analysis.xray.frame_pass import CLIPPED, Counts, PassBatch, WholeFrame
from analysis.xray.spot_window import FRAME_MISSING, N_COLUMNS, NO_SIGNAL, OK
from analysis.xray.wide_angle_cells import CellMap
from analysis.xray.wide_angle_kernels import PHI_BINS, RUN_WORDS, count_cells, orientation, sum_rings
from analysis.xray.wide_angle_start import Spot, Start, fit_spots, ring_offsets

Array = npt.NDArray[np.float64]

NAME = "wide_angle"
RING_WIDTHS = 1.5
"""Rings reach so many widths of a spot to each side of its q."""

ORIENTATION_SIGNAL = 4.5
SPOTS, RADIAL, RINGS, PHOTONS, LENGTHS, SATURATED, STANDING = (
    "spots",
    "radial",
    "rings",
    "photons",
    "photon_bytes",
    "saturated",
    "standing",
)
TOTAL, SUMMED, EVERY = "total", "summed", "every"


@dataclass(frozen=True, kw_only=True)
class WideAnglePass:
    """What all frames share: cells, where spots are looked for, rings, and which photons are kept.

    ``ring_names`` (n_rings) are reflections; ``kept`` (n_q,) marks rows of cells whose photons are kept.
    """

    cells: CellMap
    start: Start
    spots: tuple[Spot, ...]
    ring_names: tuple[str, ...]
    kept: npt.NDArray[np.bool_]
    name: str = NAME

    def begin(self, points: int) -> WideAngleTask:
        """A task over so many points."""
        return WideAngleTask(self, points)

    @cached_property
    def runs(self) -> npt.NDArray[np.uint32]:
        """Words of four pixels that count."""
        return counting_words(self.cells.cell.ravel() >= 0)

    @property
    def ring_q_per_nm(self) -> Array:
        """Middle of each ring, (n_rings,)."""
        return np.array([self._order(name) * 2.0 * math.pi / self.start.a_al_nm for name in self.ring_names])

    def _order(self, name: str) -> float:
        return next(spot.order for spot in self.spots if spot.reflection == name)

    @property
    def ring_half_width_per_nm(self) -> Array:
        """Half width of each ring, (n_rings,)."""
        return np.full(len(self.ring_names), RING_WIDTHS * self.start.sigma_q_per_nm)

    @property
    def spans(self) -> npt.NDArray[np.int64]:
        """Rows of cells (first, stop) of each ring, (n_rings, 2)."""
        reach = RING_WIDTHS * self.start.sigma_q_per_nm
        return np.array(
            [(self.cells.row_of(q - reach), self.cells.row_of(q + reach) + 1) for q in self.ring_q_per_nm],
            dtype=np.int64,
        ).reshape(-1, 2)

    def ring_layers(self) -> tuple[Array, Array]:
        """Summed efficiency and background of each ring by azimuth, each (n_rings, 360)."""
        sums = [self.cells.layers[:2, first:stop].sum(axis=1) for first, stop in self.spans]
        both = np.array(sums).reshape(-1, 2, PHI_BINS)
        return both[:, 0], both[:, 1]


def counting_words(counts: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Runs (m, 2), first and stop, of words of four pixels of which one ``counts`` (pixels,) at least."""
    words = counts[: counts.size - counts.size % 4].reshape(-1, 4).any(axis=1)
    edges = np.flatnonzero(np.diff(words, prepend=False, append=False))
    starts = [np.arange(first, stop, RUN_WORDS) for first, stop in edges.reshape(-1, 2)]
    first = np.concatenate([np.empty(0, dtype=np.int64), *starts])
    ends = np.repeat(edges[1::2], [each.size for each in starts])
    return np.column_stack([first, np.minimum(first + RUN_WORDS, ends)]).astype(np.uint32)


def packed_gaps(gaps: npt.NDArray[np.uint8]) -> bytes:
    """Gaps as a zlib stream: they repeat nowhere, so only their frequencies are made use of."""
    packer = zlib.compressobj(level=1, strategy=zlib.Z_HUFFMAN_ONLY)
    return packer.compress(gaps.tobytes()) + packer.flush()


class WideAngleTask:
    """Arrays that one task works in and fills."""

    def __init__(self, shared: WideAnglePass, points: int) -> None:
        cells, rings = shared.cells, len(shared.ring_names)
        self.shared = shared
        self.weight, self.expected = shared.ring_layers()
        self.offsets = ring_offsets(shared.ring_names)
        self.histogram = np.zeros(cells.rows * PHI_BINS, dtype=np.uint32)
        self.gaps = np.empty(cells.cell.size // 4 + 64, dtype=np.uint8)
        self.spots = np.full((points, len(shared.spots), N_COLUMNS), np.nan, dtype=np.float32)
        self.spots[..., 0] = FRAME_MISSING
        self.radial = np.full((points, cells.rows), np.nan, dtype=np.float32)
        self.rings = np.zeros((points, rings, PHI_BINS), dtype=np.uint32)
        self.saturated = np.zeros(points, dtype=np.int64)
        self.standing = np.full(points, np.nan)
        self.lengths = np.zeros(points, dtype=np.int64)
        self.packed: list[npt.NDArray[np.uint8]] = [np.empty(0, dtype=np.uint8)]
        self.total = np.zeros(cells.rows * PHI_BINS, dtype=np.uint32)
        self.summed = 0

    def take(self, place: int, whole: WholeFrame, region: Counts, row: Array) -> None:  # noqa: ARG002
        """Count one frame and fit its spots."""
        shared, frame = self.shared, whole.ravel()
        words = frame[: frame.size - frame.size % 4].view(np.uint64)
        self.saturated[place], written = count_cells(
            frame,
            words,
            shared.cells.cell.ravel(),
            shared.runs,
            min(shared.cells.limit, CLIPPED),
            shared.kept,
            self.histogram,
            self.gaps,
        )
        sum_rings(self.histogram, shared.spans, self.radial[place], self.rings[place])
        if written > 0:
            packed = packed_gaps(self.gaps[:written])
            self.packed.append(np.frombuffer(packed, dtype=np.uint8))
            self.lengths[place] = len(packed)
        self._fit(place)

    def _fit(self, place: int) -> None:
        shared, into = self.shared, self.spots[place]
        bin_, signal = orientation(
            self.rings[place], self.expected, self.weight, self.offsets, self._half_width
        )
        self.standing[place] = signal
        into[:, 0] = NO_SIGNAL
        if signal < ORIENTATION_SIGNAL:
            return
        turn = (math.radians(bin_ + 0.5) - shared.start.psi_rad + 0.25 * math.pi) % (0.5 * math.pi)
        psi = shared.start.psi_rad + turn - 0.25 * math.pi
        into[:] = fit_spots(
            shared.cells, shared.cells.layers, self.histogram, shared.spots, shared.start, psi
        )
        if (into[:, 0] == OK).any():
            self.total += self.histogram & np.uint32(2**31 - 1)
            self.summed += 1

    @property
    def _half_width(self) -> int:
        return max(1, round(math.degrees(1.2 * self.shared.start.sigma_phi_rad)))

    def finish(self) -> PassBatch:
        """Everything that was kept."""
        return PassBatch(
            points={
                SPOTS: self.spots,
                RADIAL: self.radial,
                RINGS: self.rings,
                SATURATED: self.saturated,
                STANDING: self.standing,
                LENGTHS: self.lengths,
            },
            totals={TOTAL: self.total, SUMMED: np.array(self.summed)},
            stored={PHOTONS: np.concatenate(self.packed)},
        )
