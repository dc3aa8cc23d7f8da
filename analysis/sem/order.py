"""Where an array is ordered: the crystal's outline on a map of order.

A peak's power goes with the square of the ordered share of its window, so that the edge of an array lies
where the order has fallen to a quarter of what it is inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.records import PixelGrid
from analysis.sem.spectrum import HANN_STD

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

EDGE_SHARE = 0.25
LEAST_CONTRAST = 6.0
"""Orders inside and outside differ by this factor at least, or there is no edge in the image."""

MIN_CELLS = 9
TOLERANCE_CELLS = 0.5


@dataclass(frozen=True, kw_only=True)
class OrderedArea:
    """Corners (n, 2) of x, y in um, not closed, of the ordered area, and 1 sigma of its edge's place.

    ``share_of_border`` is how much of the map's border the area reaches: the crystal goes on beyond it there.
    """

    vertices_um: Array
    error_um: float
    share_of_border: float


def ordered_mask(order: Array) -> Mask | None:
    """Cells (rows, cols) on the ordered area: the largest one, holes filled; None where no edge shows."""
    logs = np.log(np.maximum(np.nan_to_num(order, nan=1.0), 1.0))
    if np.ptp(logs) < np.log(LEAST_CONTRAST):
        return None
    from skimage.filters import threshold_otsu  # takes half a second, and X-ray alone does not need it

    high = logs > threshold_otsu(logs)  # type: ignore[no-untyped-call]
    if np.median(logs[high]) - np.median(logs[~high]) < np.log(LEAST_CONTRAST):
        return None
    inside = logs > np.median(logs[high]) + np.log(EDGE_SHARE)
    labels, count = ndimage.label(inside)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mask = np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()), dtype=np.bool_)
    return None if mask.sum() < MIN_CELLS or mask.all() else mask


def ordered_area(order: Array, grid: PixelGrid, *, size_um: float) -> OrderedArea | None:
    """The outline of the ordered area on a map of order (rows, cols) made with regions of ``size_um``."""
    mask = ordered_mask(order)
    if mask is None:
        return None
    logs = np.log(np.maximum(np.nan_to_num(order, nan=1.0), 1.0))
    level = float(np.median(logs[mask])) + np.log(EDGE_SHARE)
    # Other areas, and holes in this one, are left out of its contour.
    shown = np.where(mask, np.maximum(logs, level + 0.1), np.minimum(logs, level - 0.1))
    near = ndimage.binary_dilation(mask)
    shown = np.where(near | mask, shown, level - 1.0)
    framed = np.pad(shown, 1, constant_values=level - 1.0)
    from skimage.measure import approximate_polygon, find_contours  # takes half a second

    contours = find_contours(framed, level)  # type: ignore[no-untyped-call]
    longest = max(contours, key=len) - 1.0
    corners = approximate_polygon(longest, TOLERANCE_CELLS)[:-1]  # type: ignore[no-untyped-call]
    corners = np.clip(corners, 0.0, np.array(grid.shape) - 1.0)
    x = grid.x0_um + corners[:, 1] * grid.col_step_um[0]
    y = grid.y0_um + corners[:, 0] * grid.row_step_um[1]
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return OrderedArea(
        vertices_um=np.stack([x, y], axis=1),
        error_um=float(np.hypot(0.5 * max(grid.cell_um), 0.5 * HANN_STD * size_um)),
        share_of_border=float(border.mean()),
    )
