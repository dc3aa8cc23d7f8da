"""Sizes of the particles of an array by segmentation, where single ones are resolved.

A particle is what lies beyond the level half-way between the bright and the dark envelope of its
surroundings, cut from its neighbours by a watershed of the distance to its border. Its edge is the root of
its area: the side of a square of that area, as a cube seen along a face has it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.records import ParticleSizes

Pixels = npt.NDArray[np.generic]
Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]

MIN_PX_PER_PERIOD = 8.0
"""Particles nearer to each other than this are not resolved."""

MAX_SIDE_PX = 2048
SMOOTH_SHARE, APART_SHARE = 0.04, 0.3
"""Smoothing before the threshold, and least distance between two particles, in periods."""

ENVELOPE_SHARE = 1.0
MIN_FILLING = 0.88
"""Least share of the ellipse with a particle's moments that it fills: 0.95 for a square, 1 for a disc."""

MAX_ASPECT = 1.5
AREA_LIMITS = (0.35, 2.2)
"""Areas kept, in medians."""

MIN_FOUND_SHARE = 0.3
"""Fewer particles kept than this share of the lattice's sites: the segmentation has failed."""

MIN_PARTICLES = 20


def particle_sizes(image: Pixels, *, pixel_nm: float, period_px: float) -> ParticleSizes | None:
    """Edge lengths in ``image`` (rows, cols) whose array has this period; None where none are resolved.

    Only the middle MAX_SIDE_PX of a larger image is looked at.
    """
    if period_px < MIN_PX_PER_PERIOD or min(image.shape) < 4.0 * period_px:
        return None
    part = _middle(image).astype(np.float32)
    sites = part.size / period_px**2
    tried = [(name, *_kept(_segmented(sign * part, period_px))) for name, sign in _POLARITIES]
    name, areas, rejected = max(tried, key=lambda one: min(one[1].size, sites) - one[2])
    if areas.size < max(MIN_PARTICLES, MIN_FOUND_SHARE * sites):
        return None
    edges = np.sqrt(areas) * pixel_nm
    return ParticleSizes(
        edge_nm=edges,
        mean_nm=float(edges.mean()),
        std_nm=float(edges.std()),
        median_nm=float(np.median(edges)),
        n=int(edges.size),
        rejected=rejected,
        shape_px=(int(part.shape[0]), int(part.shape[1])),
        polarity=name,
    )


_POLARITIES = (("bright", 1.0), ("dark", -1.0))


def _middle(image: Pixels) -> Pixels:
    row0, col0 = (max(0, (extent - MAX_SIDE_PX) // 2) for extent in image.shape)
    return image[row0 : row0 + MAX_SIDE_PX, col0 : col0 + MAX_SIDE_PX]


def _segmented(values: npt.NDArray[np.float32], period_px: float) -> Labels:
    """Labels (rows, cols) of the bright particles, 0 between them."""
    smooth = ndimage.gaussian_filter(values, SMOOTH_SHARE * period_px)
    size = 2 * round(0.5 * ENVELOPE_SHARE * period_px) + 1
    envelope = [
        ndimage.gaussian_filter(extreme(smooth, size=size), 0.5 * period_px)
        for extreme in (ndimage.maximum_filter, ndimage.minimum_filter)
    ]
    bright = smooth > 0.5 * (envelope[0] + envelope[1])
    distance = ndimage.gaussian_filter(
        ndimage.distance_transform_edt(bright).astype(np.float32), SMOOTH_SHARE * period_px
    )
    apart = max(1, round(APART_SHARE * period_px))
    from skimage.feature import peak_local_max  # takes half a second, and X-ray alone does not need it
    from skimage.segmentation import watershed

    tops = peak_local_max(distance, min_distance=apart, labels=bright * 1)  # type: ignore[no-untyped-call]
    markers = np.zeros(values.shape, dtype=np.int32)
    markers[tuple(tops.T)] = np.arange(1, len(tops) + 1)
    labels = watershed(-distance, markers, mask=bright)  # type: ignore[no-untyped-call]
    return np.asarray(labels, dtype=np.int32)


def _kept(labels: Labels) -> tuple[Array, int]:
    """Areas in px of the particles that count, and how many whole ones were rejected for their shape."""
    from skimage.segmentation import clear_border

    whole = clear_border(labels)  # type: ignore[no-untyped-call]
    area, major, minor = _moments(np.asarray(whole))
    if not area.size:
        return area, 0
    shaped = (area >= MIN_FILLING * np.pi / 4.0 * major * minor) & (major <= MAX_ASPECT * minor)
    middle = float(np.median(area[shaped])) if shaped.any() else 0.0
    shaped &= (area >= AREA_LIMITS[0] * middle) & (area <= AREA_LIMITS[1] * middle)
    return area[shaped], int(area.size - shaped.sum())


def _moments(labels: Labels) -> tuple[Array, Array, Array]:
    """Area and the axes of the ellipse of the same second moments, of every label, each (n,), in px."""
    row, col = np.nonzero(labels)
    label = labels[row, col]
    area = np.bincount(label).astype(np.float64)
    used = area > 0
    count = np.maximum(area, 1.0)
    y, x = (np.bincount(label, weights=at) / count for at in (row, col))
    dy, dx = row - y[label], col - x[label]
    # A pixel is a square of its own: 1/12 of its side squared.
    yy, xx = (np.bincount(label, weights=d * d) / count + 1.0 / 12.0 for d in (dy, dx))
    xy = np.bincount(label, weights=dx * dy) / count
    middle, away = 0.5 * (yy + xx), np.hypot(0.5 * (yy - xx), xy)
    major, minor = 4.0 * np.sqrt(middle + away), 4.0 * np.sqrt(np.maximum(middle - away, 1e-9))
    return area[used], np.asarray(major[used]), np.asarray(minor[used])
