"""Shadows that the frames themselves show: the beamstop, the arm that holds it, the soft edges of gaps.

``total`` is the sum of frames without a crystal. A shadow is what is dark against the darker part of its
ring, so that flares and other bright streaks make none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, gaussian_filter, label

from analysis.xray.background import ring_means
from analysis.xray.geometry import PixelDirections

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STOP_SHARE = 0.3
"""Where the ring mean falls below this share of its largest value farther out, the beamstop begins."""

STOP_MARGIN_PX = 2.0
STOP_Q_PER_NM = 0.35
"""No beamstop's shadow reaches farther than this."""

SMOOTHING_PX = 1.5
USUAL = 0.35
"""Of a ring's pixels a third may be in shadow and two thirds in flares before what is usual is mistaken."""

DARK_SHARE, DARK_SIGMA = 0.6, 5.0
ARM_LEAST_PX, ARM_MARGIN_PX, ARM_MOST_WIDTH = 12.0, 1.5, 0.6
ARM_STEP_PX, ARM_ENDS_SHARE, ARM_ENDS_COUNTS = 10.0, 0.75, 30.0

EDGE_LINES, EDGE_FAR = 3, (4, 9)
EDGE_SIGMA, EDGE_SHARE = 5.0, 0.07
GAP_LEAST = 0.9
SEGMENT_PX, SEGMENT_COUNTS, LEAST_SEGMENTS = 24, 25.0, 3


def beamstop_q_per_nm(total: Array, usable: Mask, directions: PixelDirections) -> float:
    """q within which the beamstop darkens the frame; 0 where no shadow is seen.

    Going inward, scattering rises; where the ring mean has fallen below ``STOP_SHARE`` of the largest value
    met so far the shadow has begun, and it reaches out to where that value was, and a margin.
    """
    means, _ = ring_means(total / directions.efficiency, usable, directions)
    outer = min(means.size - 1, int(STOP_Q_PER_NM / directions.step_per_nm))
    top, top_ring = 0.0, outer
    for ring in range(outer, 0, -1):
        if not np.isfinite(means[ring]):
            continue
        if means[ring] >= top:
            top, top_ring = float(means[ring]), ring
        elif means[ring] < STOP_SHARE * top and top > 0.0:
            return (top_ring + STOP_MARGIN_PX) * directions.step_per_nm
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Relative:
    """Smoothed counts over those usual on the ring (h, w), and how many stand behind that.

    ``level`` is the expected count of each pixel, without shadows.
    """

    share: Array
    counts: Array
    level: Array


def relative_to_ring(total: Array, usable: Mask, directions: PixelDirections) -> Relative:
    """``sum total / sum level`` over a few pixels, divided by the ``USUAL``-quantile of that on the ring."""
    means, ring = ring_means(total / directions.efficiency, usable, directions)
    level = np.where(usable, np.nan_to_num(means)[ring] * directions.efficiency, 0.0)
    top, bottom = (gaussian_filter(values, SMOOTHING_PX) for values in (np.where(usable, total, 0.0), level))
    share = np.where(bottom > 1e-9, top / np.maximum(bottom, 1e-9), np.nan)
    middle = _usual_of_rings(np.where(usable, share, np.nan), ring)[ring]
    middle = np.where(middle > 0.0, middle, 1.0)
    counts = bottom * middle * 4.0 * math.pi * SMOOTHING_PX**2
    return Relative(share=share / middle, counts=counts, level=level * middle)


def _usual_of_rings(values: Array, ring: npt.NDArray[np.int64]) -> Array:
    """The ``USUAL``-quantile of the finite values of each ring, 0 where there is none."""
    seen = np.isfinite(values)
    order = np.lexsort((values[seen], ring[seen]))
    sorted_values, number = values[seen][order], np.bincount(ring[seen], minlength=int(ring.max()) + 1)
    ends = np.cumsum(number)
    middle = np.minimum(ends - number + (USUAL * number).astype(np.int64), max(sorted_values.size - 1, 0))
    return np.where(number > 0, sorted_values[middle] if sorted_values.size else 0.0, 0.0)


def arm_shadow(
    relative: Relative,
    usable: Mask,
    directions: PixelDirections,
    *,
    beam_px: tuple[float, float],
    stop_q_per_nm: float,
) -> tuple[Mask, int]:
    """The shadow (h, w) of what holds the beamstop, out to the border, and how many arms it has.

    An arm is dark, begins at the stop and is longer than wide; its dark pixels give its line and its width,
    and it is followed outwards past where counts are too few to see it, until they say that it has ended.
    ``beam_px`` is (column, row) in the region.
    """
    found = np.zeros(usable.shape, dtype=np.bool_)
    if stop_q_per_nm <= 0.0:
        return found, 0
    missing = (1.0 - relative.share) * np.sqrt(relative.counts)
    outside = directions.q_per_nm >= stop_q_per_nm
    dark = usable & outside & (relative.share < DARK_SHARE) & (missing > DARK_SIGMA)
    labels, number = label(dark, structure=np.ones((3, 3)))
    places: Array = np.indices(usable.shape, dtype=np.float64)
    x, y = np.asarray(places[1] - beam_px[0]), np.asarray(places[0] - beam_px[1])
    radius = np.hypot(x, y)
    stop = float(radius[~outside].max()) if (~outside).any() else 0.0
    arms = 0
    for k in range(1, number + 1):
        part = labels == k
        if radius[part].min() > stop + 4.0 or radius[part].max() < stop + ARM_LEAST_PX:
            continue
        bar = _bar(part, x, y, relative=relative, usable=usable, stop=stop)
        if bar is not None:
            found |= bar | binary_dilation(part)
            arms += 1
    return found & outside, arms


def _bar(part: Mask, x: Array, y: Array, *, relative: Relative, usable: Mask, stop: float) -> Mask | None:
    """The straight bar (h, w) that the dark pixels of one arm lie in; None where they are no bar."""
    centre = np.array([x[part].mean(), y[part].mean()])
    spread = np.cov(np.stack([x[part], y[part]]))
    direction = np.linalg.eigh(spread)[1][:, 1]
    if direction @ centre < 0.0:
        direction = -direction
    along = x * direction[0] + y * direction[1]
    across = (y - centre[1]) * direction[0] - (x - centre[0]) * direction[1]
    half = float(np.quantile(np.abs(across[part]), 0.98)) + ARM_MARGIN_PX
    length = float(np.ptp(along[part]))
    if 2.0 * half > max(ARM_MOST_WIDTH * length, 8.0):
        return None
    bar = (np.abs(across) <= half) & (along > 0.0)
    core = bar & usable & (np.abs(across) <= half - ARM_MARGIN_PX)
    total = relative.share * relative.level
    start, last = float(along[part].max()), float(along[bar].max())
    while start < last:
        step = core & (along >= start) & (along < start + ARM_STEP_PX)
        expected = float(relative.level[step].sum())
        if expected > ARM_ENDS_COUNTS and float(total[step].sum()) > ARM_ENDS_SHARE * expected:
            last = start
        start += ARM_STEP_PX
    return np.asarray(bar & (along <= last) & (np.hypot(x, y) >= stop))


def soft_edges(total: Array, usable: Mask, masked: Mask, relative: Relative) -> Mask:
    """Lines of pixels (h, w) beside gaps that count otherwise than lines farther off do.

    ``masked`` (h, w) are the pixels that the file masks; a gap is a line of which nine tenths are masked. A
    line counts otherwise where the median over its segments of (counts over expected) differs from what the
    lines 4 to 8 px from the gap, and their trend, lead to: by 7 % beyond the trend and by 5 errors. The next
    line is looked at only where this one does.
    """
    found = np.zeros(usable.shape, dtype=np.bool_)
    for axis in (0, 1):
        gap = masked.mean(axis=1 - axis) >= GAP_LEAST
        into, counts, level, seen = (
            values if axis == 0 else values.T for values in (found, total, relative.level, usable)
        )
        change = np.diff(gap.astype(np.int8))
        borders = [(int(n), -1) for n in np.flatnonzero(change == 1)]
        borders += [(int(n) + 1, 1) for n in np.flatnonzero(change == -1)]
        for line, side in borders:
            near = np.array([line + side * k for k in range(EDGE_FAR[1])])
            near = near[(near >= 0) & (near < gap.size)]
            into[near[: _lines_apart(counts[near] * seen[near], level[near] * seen[near])]] = True
    return found & usable


def _lines_apart(counts: Array, level: Array) -> int:
    """How many of the lines (lines, n), from the gap outwards, count otherwise than those far from it."""
    length = counts.shape[1] // SEGMENT_PX * SEGMENT_PX
    if counts.shape[0] < EDGE_FAR[0] + 3 or length == 0:
        return 0
    seen, expected = (
        values[:, :length].reshape(values.shape[0], -1, SEGMENT_PX).sum(axis=2) for values in (counts, level)
    )
    kept = (expected.min(axis=0) > 0.0) & (seen[EDGE_FAR[0] :].mean(axis=0) > SEGMENT_COUNTS)
    if np.count_nonzero(kept) < LEAST_SEGMENTS:
        return 0
    share = seen[:, kept] / expected[:, kept]
    share /= share[EDGE_FAR[0] :].mean(axis=0)
    typical = np.median(share, axis=1)
    far = np.arange(EDGE_FAR[0], typical.size)
    slope, start = np.polyfit(far, typical[far], 1)
    error = 1.25 * share[EDGE_FAR[0] :].std() / math.sqrt(share.shape[1]) + 1e-9
    for k in range(EDGE_LINES):
        trend = abs(slope * (k - far.mean()))
        if abs(typical[k] - (start + slope * k)) < max(EDGE_SHARE + trend, EDGE_SIGMA * error):
            return k
    return EDGE_LINES
