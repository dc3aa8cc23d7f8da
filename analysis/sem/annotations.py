"""Letters, scale bars and frames burned into an image: found as flat strokes of one extreme grey, filled in.

A drawn stroke has one grey, the brightest of the image or one that is darker than all the others, and ends in
a jump. An overexposed particle has that grey too, but falls off through the greys between, and there are many
of them; a dark void has neighbours in grey.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Pixels = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MIN_STROKE_PX = 6
JUMP = 0.3
"""Next to a stroke the grey differs from it by this share of the region's range at least,"""

JUMP_SHARE = 0.75
"""in this share of the pixels two away from it."""

MAX_SHARE = 0.3
MAX_STROKES = 60
STROKES_SIDE_PX = 256
"""No more strokes than this in a square of this side: what repeats like that is the array itself."""

FILL_SIGMA_PX = 6.0
GROWN_PX = 2
SMALLEST_COUNT = 12
ENCLOSED_PX = 3
NEXT_SHARE, ALONE = 0.03, 1.5
"""Greys within this share of the range above black hold no more than half as many pixels as black has."""


def annotation_mask(region: Pixels, *, white: float | None = None) -> Mask | None:
    """Pixels (rows, cols) of burned-in drawings, grown by their soft rim; None without any.

    ``white`` is the brightest grey of the whole image that the region is part of.
    """
    low, high = np.percentile(region, (1.0, 99.0))
    spread = float(high) - float(low)
    brightest = float(region.max()) if white is None else white
    black = float(region.min())
    found: Mask | None = None
    for grey in (brightest, black):
        flat = region == grey
        count = int(np.count_nonzero(flat))
        if spread <= 0.0 or not SMALLEST_COUNT <= count <= MAX_SHARE * flat.size:
            continue
        if grey == black and np.count_nonzero(region <= black + NEXT_SHARE * spread) > ALONE * count:
            continue
        strokes = _strokes(region, flat, grey, JUMP * spread)
        if strokes is not None:
            found = strokes if found is None else found | strokes
    if found is None:
        return None
    # What a frame encloses (letters on a plate) belongs to it.
    whole = ndimage.binary_closing(np.pad(found, ENCLOSED_PX), iterations=ENCLOSED_PX)
    whole = ndimage.binary_fill_holes(whole)[ENCLOSED_PX:-ENCLOSED_PX, ENCLOSED_PX:-ENCLOSED_PX]
    grown = ndimage.binary_dilation(whole if whole.mean() <= MAX_SHARE else found, iterations=GROWN_PX)
    return np.asarray(grown, dtype=np.bool_)


def _strokes(region: Pixels, flat: Mask, grey: float, jump: float) -> Mask | None:
    labels, count = ndimage.label(flat, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    # Two pixels away: a soft rim of one pixel is no gradual fall.
    ring = ndimage.maximum_filter(labels, size=5)
    ring[ndimage.maximum_filter(labels, size=3) > 0] = 0
    around = np.bincount(ring.ravel(), minlength=count + 1)
    jumps = np.abs(region.astype(np.float32) - np.float32(grey)) > jump
    far = np.bincount(ring.ravel(), weights=jumps.ravel(), minlength=count + 1)
    drawn = (sizes >= MIN_STROKE_PX) & (around > 0) & (far >= JUMP_SHARE * around)
    drawn[0] = False
    most = MAX_STROKES * max(1.0, flat.size / STROKES_SIDE_PX**2)
    if not 0 < int(drawn.sum()) <= most:
        return None
    return np.asarray(drawn[labels], dtype=np.bool_)


def without_annotations(region: Pixels, *, white: float | None = None) -> tuple[Pixels, int]:
    """The region (rows, cols) with drawings filled from around them, as float32, and how many pixels that is.

    Without any, the region itself.
    """
    mask = annotation_mask(region, white=white)
    if mask is None:
        return region, 0
    values = region.astype(np.float32)
    kept = (~mask).astype(np.float32)
    weight = ndimage.gaussian_filter(kept, FILL_SIGMA_PX)
    mean = ndimage.gaussian_filter(values * kept, FILL_SIGMA_PX)
    middle = np.float32(np.median(values[~mask])) if (~mask).any() else np.float32(0.0)
    filled = np.where(weight > 1e-3, mean / np.maximum(weight, 1e-3), middle)
    return np.where(mask, filled, values).astype(np.float32), int(np.count_nonzero(mask))
