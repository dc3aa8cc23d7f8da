"""Scars and outliers of a height, and how their places are filled. The fast axis runs along rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from analysis.records import Array

Mask = npt.NDArray[np.bool_]

OUTLIER_SIGMAS = 3.0
SCAR_MAX_ROWS = 4
SCAR_MIN_PX = 16
SCAR_SIGMAS = 3.0
MAD_PER_SIGMA = 0.6745
"""Median absolute deviation of a normal distribution in units of its standard deviation."""


def scar_pixels(values: Array) -> Mask:
    """Streaks along rows that one bad line, or up to four, left in the picture (rows, cols).

    A streak is at least 16 pixels long and stands off from the rows above and below it, to the same side, by
    over three times the median step between rows.
    """
    scars = np.zeros(values.shape, dtype=np.bool_)
    steps = np.abs(np.diff(values, axis=0))
    if steps.size == 0 or not np.isfinite(steps).any():
        return scars
    limit = SCAR_SIGMAS * float(np.nanmedian(steps)) / MAD_PER_SIGMA
    for high in range(1, SCAR_MAX_ROWS + 1):
        _mark_scars(values, scars, high=high, limit=limit)
    return scars


def _mark_scars(values: Array, scars: Mask, *, high: int, limit: float) -> None:
    """Mark streaks exactly ``high`` rows high."""
    rows = values.shape[0] - high - 1
    for sign in (1.0, -1.0):
        if rows < 1:
            return
        signed = sign * values
        floor = np.maximum(signed[:rows], signed[high + 1 :])
        streak = np.min([signed[k : k + rows] for k in range(1, high + 1)], axis=0) - floor > limit
        long = ndimage.binary_opening(streak, np.ones((1, SCAR_MIN_PX), dtype=bool))
        for k in range(1, high + 1):
            scars[k : k + rows] |= long


def outlier_pixels(values: Array, counted: Mask, *, sigmas: float = OUTLIER_SIGMAS) -> Mask:
    """Pixels over ``sigmas`` standard deviations from the mean of those that count (rows, cols)."""
    kept = values[counted & np.isfinite(values)]
    if kept.size == 0:
        return np.zeros(values.shape, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        return np.asarray(counted & (np.abs(values - kept.mean()) > sigmas * kept.std()))


def filled(values: Array, holes: Mask) -> Array:
    """Values (rows, cols) with the holes made smooth: each the mean of its neighbours (Laplace)."""
    if not holes.any() or holes.all():
        return values
    number = np.full(values.shape, -1)
    row, col = np.nonzero(holes)
    number[row, col] = np.arange(row.size)
    neighbours = np.zeros(row.size)
    known = np.zeros(row.size)
    pairs: list[npt.NDArray[np.intp]] = []
    for d_row, d_col in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        r, c = row + d_row, col + d_col
        inside = (r >= 0) & (r < values.shape[0]) & (c >= 0) & (c < values.shape[1])
        at = np.flatnonzero(inside)
        r, c = r[at], c[at]
        neighbours[at] += 1.0
        empty = number[r, c] >= 0
        known[at[~empty]] += values[r[~empty], c[~empty]]
        pairs.append(np.stack([at[empty], number[r[empty], c[empty]]]))
    i, j = np.concatenate(pairs, axis=1)
    laplace = sparse.diags_array(neighbours) - sparse.coo_array(
        (np.ones(i.size), (i, j)), shape=(row.size, row.size)
    )
    made = values.copy()
    made[row, col] = spsolve(laplace.tocsc(), known)
    return made
