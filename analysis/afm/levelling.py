"""Levelling: the tilt of the sample under the tip, found on flat ground and taken off the whole field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import Array

Mask = npt.NDArray[np.bool_]

CLIP_MAD = 6.0
CLIP_PASSES = 5
MIN_PIXELS = 10


@dataclass(frozen=True, kw_only=True)
class Plane:
    """``z = offset + per_col * col + per_row * row``, in the unit of z and per pixel."""

    offset: float
    per_col: float
    per_row: float

    def over(self, shape: tuple[int, ...]) -> Array:
        """The plane on every pixel of a field (rows, cols)."""
        row, col = np.ogrid[: shape[0], : shape[1]]
        return np.asarray(self.offset + self.per_col * col + self.per_row * row, dtype=np.float64)


def fitted_plane(values: Array, counted: Mask) -> Plane:
    """Least-squares plane through the pixels of ``values`` (rows, cols) that count.

    Raises ValueError if they are fewer than three or lie on one line.
    """
    row, col = np.nonzero(counted & np.isfinite(values))
    if row.size < 3 or np.ptp(row) == 0 or np.ptp(col) == 0:
        raise ValueError("a plane needs pixels that do not lie on one line")
    # About their own centre, so that the normal equations of a large field stay well conditioned.
    row0, col0 = row.mean(), col.mean()
    design = np.column_stack([np.ones(row.size), col - col0, row - row0])
    level, per_col, per_row = np.linalg.solve(design.T @ design, design.T @ values[row, col])
    return Plane(
        offset=float(level - per_col * col0 - per_row * row0),
        per_col=float(per_col),
        per_row=float(per_row),
    )


def ground_plane(values: Array, ground: Mask) -> Plane:
    """Plane through the ground, leaving out in passes what stands off by over 6 median deviations.

    ``values`` and ``ground`` are (rows, cols). Dirt on the substrate would tilt a plain fit.
    """
    kept = ground & np.isfinite(values)
    plane = fitted_plane(values, kept)
    for _ in range(CLIP_PASSES):
        rest = values - plane.over(values.shape)
        off = np.abs(rest - np.median(rest[kept]))
        narrower = kept & (off <= CLIP_MAD * np.median(off[kept]))
        if narrower.sum() < MIN_PIXELS or np.array_equal(narrower, kept):
            break
        try:
            plane = fitted_plane(values, narrower)
        except ValueError:
            break
        kept = narrower
    return plane


def tilt_by_differences(values: Array) -> Plane:
    """Tilt from the medians of neighbours' differences: what most pixels share, whatever stands on them.

    A step of any height changes few differences, so a tall crystal does not tilt it. ``values`` is
    (rows, cols); the offset is zero.
    """
    return Plane(
        offset=0.0,
        per_col=_median_step(values, axis=1),
        per_row=_median_step(values, axis=0),
    )


def _median_step(values: Array, *, axis: int) -> float:
    if values.shape[axis] < 2:
        return 0.0
    step = np.diff(values, axis=axis)
    step = step[np.isfinite(step)]
    return float(np.median(step)) if step.size else 0.0
