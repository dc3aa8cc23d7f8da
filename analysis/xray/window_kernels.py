"""The compiled loops behind windows of q and phi: pixels into cells, cells into sums over a scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Index = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.unsignedinteger[Any]]


@njit(cache=True, nogil=True)
def gathered(pattern: Counts, cell_of: npt.NDArray[np.int32], total: Index, cells: Index, sums: Index) -> int:
    """Counts of one flat pattern by cell: fills ``cells`` (rising) and ``sums``; gives how many there are.

    ``cell_of`` (pixels,) is -1 where a pixel does not count; ``total`` (n_cells,) is room, all 0 before and
    after; ``cells`` and ``sums`` hold at least n_cells.
    """
    for k in range(pattern.size):
        if pattern[k] != 0 and cell_of[k] >= 0:
            total[cell_of[k]] += np.uint32(pattern[k])
    found = 0
    for cell in range(total.size):
        if total[cell] != 0:
            cells[found], sums[found] = cell, total[cell]
            found += 1
            total[cell] = 0
    return found


@njit(cache=True, nogil=True)
def scattered(
    cells: Index, sums: Index, point: int, fill: npt.NDArray[np.int64], points: Index, counts: Index
) -> None:
    """Put the cells of one pattern into the lists of all cells, at ``fill`` (n_cells,), which moves on."""
    for k in range(cells.size):
        at = fill[cells[k]]
        points[at], counts[at] = point, sums[k]
        fill[cells[k]] = at + 1


@njit(cache=True, nogil=True)
def summed(
    chosen: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    points: Index,
    counts: Index,
    total: npt.NDArray[np.float64],
) -> None:
    """Add the counts of the chosen cells to ``total`` (n_points,)."""
    for cell in chosen:
        for at in range(starts[cell], starts[cell + 1]):
            total[points[at]] += counts[at]
