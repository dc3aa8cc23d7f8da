"""What a frame holds without a crystal.

The background is the mean of its own frames times beta, one factor for the whole scan (ratio of exposures).
It is smooth: its ratio to the mean of its ring is averaged over a few neighbouring pixels, which leaves
flares and slopes and takes away most of its counting noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from analysis.xray.geometry import PixelDirections

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SMOOTHING_PX = 2.0


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
