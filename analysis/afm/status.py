"""Which pixels count, and why the others do not: a map of codes from AFM_STATUS."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.records import AFM_STATUS, Array, Bytes

Mask = npt.NDArray[np.bool_]

STEEP_DEG = 45.0
"""A facet steeper than this is touched by the tip's side: neither height nor modulus is of that pixel."""

MIN_LEVELS = 32
FOUR = ndimage.generate_binary_structure(2, 1)


def slope_of(height_nm: Array, *, dx_nm: float, dy_nm: float) -> Array:
    """Slope of every pixel, ``hypot(dh/dx, dh/dy)`` by central differences, (rows, cols), no unit.

    A field one pixel wide has no slope across; beside NaN it is NaN.
    """
    along = [
        np.gradient(height_nm, step, axis=axis) if height_nm.shape[axis] > 1 else np.zeros_like(height_nm)
        for axis, step in ((0, dy_nm), (1, dx_nm))
    ]
    return np.asarray(np.hypot(*along))


def steep_pixels(height_nm: Array, *, dx_nm: float, dy_nm: float, limit_deg: float = STEEP_DEG) -> Mask:
    """Pixels whose slope is steeper than ``limit_deg``; one without a slope is not steep."""
    with np.errstate(invalid="ignore"):
        return slope_of(height_nm, dx_nm=dx_nm, dy_nm=dy_nm) > math.tan(math.radians(limit_deg))


def rim_pixels(inside: Mask) -> Mask:
    """Pixels of the crystal that touch the outside by a side; the border of the field is no edge."""
    return np.asarray(inside & ~ndimage.binary_erosion(inside, FOUR, border_value=1))


def clipped_pixels(values: Array) -> Mask:
    """Pixels on a plateau at the end of the channel's range: two or more at its least or greatest value.

    ``values`` is (rows, cols). A channel of fewer than 32 different values was not digitised finely enough
    to tell a plateau from a level, and has none.
    """
    finite = np.isfinite(values)
    levels, counts = np.unique(values[finite], return_counts=True)
    clipped = np.zeros(values.shape, dtype=np.bool_)
    if levels.size < MIN_LEVELS:
        return clipped
    for end in (0, -1):
        if counts[end] > 1:
            clipped |= values == levels[end]
    return clipped


def status_map(*, inside: Mask, edge: Mask, clipped: Mask, masked: Mask, finite: Mask) -> Bytes:
    """Codes (rows, cols) into AFM_STATUS; a pixel with several reasons gets the one that is told first.

    Order: outside, not finite, clipped, masked, edge.
    """
    status = np.zeros(inside.shape, dtype=np.uint8)
    for reason, where in (
        ("edge", edge),
        ("masked", masked),
        ("clipped", clipped),
        ("not_finite", ~finite),
        ("outside", ~inside),
    ):
        status[where] = AFM_STATUS.index(reason)
    return status


def excluded_counts(status: Bytes) -> dict[str, int]:
    """Pixels of the crystal that do not count, by reason."""
    return {reason: int((status == AFM_STATUS.index(reason)).sum()) for reason in AFM_STATUS[2:]}
