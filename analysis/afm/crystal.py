"""The crystal in a field: what stands above the ground, found together with the tilt of the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.afm.levelling import Plane, ground_plane, tilt_by_differences
from analysis.records import Array

Mask = npt.NDArray[np.bool_]

PASSES = 30
MIN_SHARE = 0.002
MIN_CONTRAST = 6.0
GROUND_MARGIN_PX = 3
MIN_GROUND_SHARE = 0.005
SPIKE_PERCENTILES = (0.1, 99.9)
EIGHT = np.ones((3, 3), dtype=bool)


class NoCrystalError(ValueError):
    """Nothing in the field stands out by its height; the text says what was seen."""


@dataclass(frozen=True, kw_only=True)
class FoundCrystal:
    """A crystal: ``inside`` (rows, cols), the ground's plane, and how high it stands on it.

    ``others`` counts smaller pieces as high as the crystal and ``others_px`` their pixels.
    """

    inside: Mask
    plane: Plane
    step: float
    others: int
    others_px: int


def find_crystal(height: Array) -> FoundCrystal:
    """Find the largest piece that stands above the ground, at half of its height over the ground.

    Mask and plane depend on each other: the tilt shared by most pixels is taken off first, then the two
    classes of height and the plane through the lower one are found in turn until they no longer change.
    ``height`` is (rows, cols) in any unit, NaN where nothing was measured. Raises NoCrystalError.
    """
    finite = np.isfinite(height)
    if finite.sum() < 16:
        raise NoCrystalError("hardly any finite pixels")
    filled = np.where(finite, height, np.median(height[finite]))
    plane = tilt_by_differences(np.where(finite, height, np.nan))
    high = _two_classes(filled - plane.over(filled.shape), finite)
    for _ in range(PASSES):
        plane = _plane_under(filled, high, finite, plane)
        flat = filled - plane.over(filled.shape)
        higher = _above_half(flat, high, finite)
        if np.array_equal(higher, high):
            break
        high = higher
    _check_contrast(flat, high, finite)
    inside, others, others_px = _largest_piece(high)
    ground = finite & ~high
    return FoundCrystal(
        inside=inside,
        plane=plane,
        step=float(np.median(flat[inside & finite]) - np.median(flat[ground])),
        others=others,
        others_px=others_px,
    )


def ground_of(inside: Mask, finite: Mask) -> Mask:
    """Pixels of the ground that are clear of the crystal's flanks (rows, cols); all of it if few are."""
    clear = finite & ~ndimage.binary_dilation(inside, EIGHT, iterations=GROUND_MARGIN_PX)
    return clear if clear.sum() >= max(10, MIN_GROUND_SHARE * inside.size) else finite & ~inside


def _two_classes(flat: Array, finite: Mask) -> Mask:
    """First guess of what is high: Otsu's threshold, its range without the outermost spikes."""
    values = flat[finite]
    low, top = np.percentile(values, SPIKE_PERCENTILES)
    if low == top:
        low, top = values.min(), values.max()
    if low == top:
        raise NoCrystalError("the height is the same everywhere")
    from skimage.filters import threshold_otsu  # takes half a second, and X-ray alone does not need it

    threshold = threshold_otsu(np.clip(values, low, top))  # type: ignore[no-untyped-call]
    return np.asarray(finite & (flat > threshold))


def _plane_under(values: Array, high: Mask, finite: Mask, before: Plane) -> Plane:
    try:
        return ground_plane(values, ground_of(high, finite))
    except ValueError:
        return before


def _above_half(flat: Array, high: Mask, finite: Mask) -> Mask:
    if not high.any() or not (finite & ~high).any():
        raise NoCrystalError("one level of height only")
    half = 0.5 * (np.median(flat[high]) + np.median(flat[finite & ~high]))
    return np.asarray(finite & (flat > half))


def _check_contrast(flat: Array, high: Mask, finite: Mask) -> None:
    """Refuse two halves of one distribution: the classes must be apart by more than their own widths."""
    if not high.any() or not (finite & ~high).any():
        raise NoCrystalError("one level of height only")
    upper, lower = flat[high], flat[finite & ~high]
    step = np.median(upper) - np.median(lower)
    width = max(_mad(upper), _mad(lower))
    if step <= MIN_CONTRAST * width:
        raise NoCrystalError(
            f"heights that differ by {step / width:.1f} median deviations, under {MIN_CONTRAST:g}"
        )
    if high.mean() < MIN_SHARE:
        raise NoCrystalError(f"{100 * high.mean():.2g} % of the field above the rest")


def _mad(values: Array) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _largest_piece(high: Mask) -> tuple[Mask, int, int]:
    """The largest connected piece with its holes filled; number and pixels of the other pieces."""
    labels, _ = ndimage.label(high, structure=EIGHT)
    sizes = np.bincount(labels.ravel())[1:]
    best = int(np.argmax(sizes)) + 1
    inside = np.asarray(ndimage.binary_fill_holes(labels == best), dtype=np.bool_)
    apart = np.unique(labels[(labels > 0) & ~inside])
    return inside, apart.size, int(sizes[apart - 1].sum())
