"""What a frame holds without a crystal, and the pixels that cannot be used: hot ones, the beamstop's shadow.

The background is the mean of its own frames times beta, one factor for the whole scan (ratio of exposures).
It is smooth: its ratio to the mean of its ring is averaged over a few neighbouring pixels, which leaves
flares and slopes and takes away most of its counting noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, gaussian_filter, median_filter

from analysis.xray.geometry import PixelDirections

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SMOOTHING_PX = 2.0
HOT_SIGMA, HOT_FACTOR = 8.0, 3.0
SHADOW_SHARE = 0.3
"""Where the ring mean falls below this share of its largest value farther out, the shadow begins."""

SHADOW_MARGIN_PX = 2.0
SHADOW_Q_PER_NM = 0.35
"""No beamstop's shadow reaches farther than this."""


def ring_means(
    values: Array, usable: Mask, directions: PixelDirections
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Mean of each ring one pixel wide (n,), NaN where no pixel counts, and the ring (h, w) of each pixel."""
    ring = np.round(directions.q_per_nm / directions.step_per_nm).astype(np.int64)
    length = int(ring.max()) + 1
    chosen = ring[usable]
    total = np.bincount(chosen, weights=values[usable], minlength=length)
    number = np.bincount(chosen, minlength=length)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan), ring


def hot_pixels(total: Array, usable: Mask) -> Mask:
    """Pixels (h, w) far above the median of the 5 x 5 pixels around them; ``total`` counts of many frames."""
    level = median_filter(np.where(usable, total, 0.0), size=5, mode="reflect")
    excess = total - level
    return np.asarray(usable & (excess > HOT_SIGMA * np.sqrt(level + 1.0)) & (total > HOT_FACTOR * level))


def always_high(counts: npt.NDArray[np.uint32], usable: Mask) -> Mask:
    """Pixels (h, w) that are hot in three quarters of the frames (n, h, w): no crystal shines so steadily.

    The lower quartile of each pixel over the scan is compared, so a peak that most frames have not is none.
    """
    if counts.shape[0] < 8:
        return np.zeros(usable.shape, dtype=np.bool_)
    low = np.quantile(counts, 0.25, axis=0)
    level = median_filter(np.where(usable, low, 0.0), size=5, mode="reflect")
    return np.asarray(usable & (low > HOT_FACTOR * level + 4.0 * np.sqrt(level + 1.0) + 1.0))


def shadow_q_per_nm(total: Array, usable: Mask, directions: PixelDirections) -> float:
    """q within which the beamstop darkens the frame; 0 where no shadow is seen.

    Going inward, scattering rises; where the ring mean has fallen below ``SHADOW_SHARE`` of the largest
    value met so far the shadow has begun, and it reaches out to where that value was, and a margin.
    """
    means, _ = ring_means(total / directions.efficiency, usable, directions)
    outer = min(means.size - 1, int(SHADOW_Q_PER_NM / directions.step_per_nm))
    top, top_ring = 0.0, outer
    for ring in range(outer, 0, -1):
        if not np.isfinite(means[ring]):
            continue
        if means[ring] >= top:
            top, top_ring = float(means[ring]), ring
        elif means[ring] < SHADOW_SHARE * top and top > 0.0:
            return (top_ring + SHADOW_MARGIN_PX) * directions.step_per_nm
    return 0.0


def smooth_background(mean: Array, usable: Mask, directions: PixelDirections) -> Array:
    """Mean counts a frame (h, w) of the background, its noise averaged away along with nothing else.

    ``mean`` (h, w) is the mean of its frames. The result is 0 where a ring holds no count at all.
    """
    relative = mean / directions.efficiency
    means, ring = ring_means(relative, usable, directions)
    level = np.nan_to_num(means)[ring]
    share = np.where(usable & (level > 0.0), relative / np.where(level > 0.0, level, 1.0), 0.0)
    weight = np.where(usable & (level > 0.0), level, 0.0)
    top = gaussian_filter(share * weight, SMOOTHING_PX)
    bottom = gaussian_filter(weight, SMOOTHING_PX)
    ratio = np.where(bottom > 1e-12, top / np.maximum(bottom, 1e-12), 1.0)
    return np.asarray(level * ratio * directions.efficiency)


def grown(mask: Mask) -> Mask:
    """The mask and the four neighbours of each of its pixels."""
    return np.asarray(binary_dilation(mask))
