"""Counts in any window of q and phi, point by point, from the kept patterns of a scan.

Patterns are sorted once into small cells of q and phi; a window is the sum of the cells whose middle lies in
it. Counts are as they were measured: nothing is subtracted and no correction applied.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.xray.geometry import PixelDirections
from analysis.xray.window_kernels import Counts, gathered, scattered, summed

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]

FINE = (200, 180)
COARSE = (100, 90)
"""Cells up to the largest q, and over the whole turn."""

MANY = 40_000_000
"""From so many filled cells on (8 bytes each), the coarse ones are taken."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Cells of q and phi, by rising q: middles and numbers of pixels (n_cells,), and their extent."""

    q_per_nm: Array
    phi_deg: Array
    pixels: npt.NDArray[np.int64]
    q_step_per_nm: float
    phi_step_deg: float


@dataclass(frozen=True, kw_only=True)
class ScanCells:
    """The counts of a scan of ``shape`` (rows, cols), cell by cell, only where there are any.

    Cell c holds ``counts[starts[c]:starts[c + 1]]`` at the points (in scan order) ``points[...]``.
    """

    cells: Cells
    starts: npt.NDArray[np.int64]
    points: Index
    counts: Index
    shape: tuple[int, int]

    @property
    def n_bytes(self) -> int:
        """What the counts take up in memory."""
        return self.points.nbytes + self.counts.nbytes


@dataclass(frozen=True, kw_only=True)
class Window:
    """Ranges of q (nm^-1) and of phi (degrees, counter-clockwise, taken modulo 360; low to high).

    ``opposite`` adds the range half a turn further on, where Friedel's law puts the partner of a peak.
    """

    q_per_nm: tuple[float, float]
    phi_deg: tuple[float, float] = (-180.0, 180.0)
    opposite: bool = False


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """Which cell each pixel of a pattern falls into: ``cell_of`` (h * w,), -1 for one that does not count."""

    cells: Cells
    cell_of: npt.NDArray[np.int32]
    _room: threading.local = field(default_factory=threading.local, repr=False)

    def gather(self, pattern: Counts) -> tuple[Index, Index]:
        """Cells (rising) and their counts, of one pattern (h, w).

        May be called from several threads.
        """
        room = self._room.__dict__
        if "total" not in room:
            room.update({name: np.zeros(self.cells.pixels.size, dtype=np.uint32) for name in _ROOM})
        cells, sums = room["cells"], room["sums"]
        number = gathered(pattern.reshape(-1), self.cell_of, room["total"], cells, sums)
        return cells[:number].copy(), sums[:number].copy()


_ROOM = ("total", "cells", "sums")


def cell_plan(
    directions: PixelDirections, valid: Mask, *, q_max_per_nm: float, points: int, counts: float
) -> CellPlan:
    """Cells for the pixels (h, w) that are ``valid`` and lie below ``q_max_per_nm``.

    ``points`` and ``counts`` (expected in the whole scan) decide whether the cells are fine or coarse.
    """
    n_q, n_phi = FINE if min(counts, FINE[0] * FINE[1] * points) < MANY else COARSE
    q_step, phi_step = q_max_per_nm / n_q, 360.0 / n_phi
    places = np.flatnonzero(valid & (directions.q_per_nm < q_max_per_nm))
    ring = (directions.q_per_nm.ravel()[places] / q_step).astype(np.int64)
    turn = ((np.degrees(directions.phi_rad.ravel()[places]) + 180.0) / phi_step).astype(np.int64) % n_phi
    names, cell, pixels = np.unique(ring * n_phi + turn, return_inverse=True, return_counts=True)
    cell_of = np.full(valid.size, -1, dtype=np.int32)
    cell_of[places] = cell
    return CellPlan(
        cells=Cells(
            q_per_nm=(names // n_phi + 0.5) * q_step,
            phi_deg=(names % n_phi + 0.5) * phi_step - 180.0,
            pixels=pixels,
            q_step_per_nm=q_step,
            phi_step_deg=phi_step,
        ),
        cell_of=cell_of,
    )


def scan_cells(plan: CellPlan, patterns: Sequence[tuple[Index, Index]], shape: tuple[int, int]) -> ScanCells:
    """The cells of a scan from what :meth:`CellPlan.gather` gave for its patterns in scan order."""
    number = np.zeros(plan.cells.pixels.size, dtype=np.int64)
    for cells, _ in patterns:
        number[cells] += 1
    starts = np.concatenate([[0], np.cumsum(number)])
    points, counts = (np.empty(int(starts[-1]), dtype=np.uint32) for _ in range(2))
    fill = starts[:-1].copy()
    for point, (cells, sums) in enumerate(patterns):
        scattered(cells, sums, point, fill, points, counts)
    return ScanCells(cells=plan.cells, starts=starts, points=points, counts=counts, shape=shape)


def window_counts(scan: ScanCells, window: Window) -> tuple[Array, int]:
    """Counts (rows, cols) in a window and the number of pixels that make them up.

    Raises ValueError for a window without an extent.
    """
    chosen = np.flatnonzero(in_window(scan.cells.q_per_nm, scan.cells.phi_deg, window))
    total = np.zeros(scan.shape[0] * scan.shape[1])
    summed(chosen, scan.starts, scan.points, scan.counts, total)
    return total.reshape(scan.shape), int(scan.cells.pixels[chosen].sum())


def in_window(q_per_nm: Array, phi_deg: Array, window: Window) -> Mask:
    """Whether places in q and phi lie in a window, any shape; raises ValueError where it has no extent."""
    (q_low, q_high), (phi_low, phi_high) = window.q_per_nm, window.phi_deg
    if not (q_low < q_high and phi_low < phi_high):
        raise ValueError(f"a window needs an extent: q {q_low} to {q_high}, phi {phi_low} to {phi_high}")
    width = phi_high - phi_low
    turned = np.mod(phi_deg - phi_low, 360.0) < width
    if window.opposite:
        turned |= np.mod(phi_deg + 180.0 - phi_low, 360.0) < width
    return np.asarray((q_per_nm >= q_low) & (q_per_nm < q_high) & turned)
