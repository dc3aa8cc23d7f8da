"""Corrections of a height that people rely on, each told with its numbers in the order it was done.

The fast axis runs along rows. ``counted`` (rows, cols) is true for the pixels that a correction is found
from, as the ground without the crystal; it is applied to every pixel. NaN stays NaN. Heights are in nm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.afm.defects import filled, outlier_pixels, scar_pixels
from analysis.afm.levelling import Plane, fitted_plane, ground_plane
from analysis.afm.rows import row_differences, row_medians
from analysis.afm.surfaces import facet_plane, fitted_polynomial
from analysis.records import Array

Mask = npt.NDArray[np.bool_]
Levelling = Literal["plane", "polynomial", "facet", "none"]
RowAlignment = Literal["none", "median", "differences"]


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What is done to a height, always in this order: scars, rows, levelling, outliers."""

    scars: bool = False
    rows: RowAlignment = "none"
    levelling: Levelling = "plane"
    polynomial_degree: int = 2
    outliers: bool = False


def without_scars(height_nm: Array) -> tuple[Array, Mask, str]:
    """The height with scars filled, where they were, and what was done."""
    scars = scar_pixels(height_nm)
    return filled(height_nm, scars), scars, f"scars: {_filled_told(scars)}"


def with_rows_aligned(
    height_nm: Array, counted: Mask, *, by: RowAlignment, tilt: Plane | None = None
) -> tuple[Array, str]:
    """The height with its rows shifted, and what was done.

    Offsets are found on the height without ``tilt``: where only a part of each row counts, another part in
    each, a tilt along rows would pass for a step between them.
    """
    flat = height_nm if tilt is None else height_nm - tilt.over(height_nm.shape)
    offsets = row_medians(flat, counted) if by == "median" else row_differences(flat, counted)
    name = "their medians" if by == "median" else "the medians of their differences"
    told = f"rows aligned by {name}: shifts up to {np.abs(offsets).max():.4g} nm"
    return height_nm - offsets[:, None], told


def levelled(
    height_nm: Array, counted: Mask, *, by: Levelling, degree: int, robust: bool, where: str
) -> tuple[Array, tuple[str, ...]]:
    """The height without its plane, polynomial or prevalent facet tilt, and what was done.

    ``robust`` leaves dirt out of a plane's fit. Raises ValueError where too few pixels count.
    """
    if by == "none":
        return height_nm, ()
    if by == "polynomial":
        rest = height_nm - fitted_polynomial(height_nm, counted, degree=degree)
        return rest, (f"polynomial of degree {degree} through {where} subtracted",)
    if by == "facet":
        plane, name = facet_plane(height_nm, counted), "plane of the prevalent facets of"
    else:
        plane = (ground_plane if robust else fitted_plane)(height_nm, counted)
        name = "plane through"
    told = (
        f"{name} {where} subtracted: {plane.per_col:+.4g} nm per column, "
        f"{plane.per_row:+.4g} nm per row, {plane.offset:+.4g} nm"
    )
    return height_nm - plane.over(height_nm.shape), (told,)


def without_outliers(height_nm: Array, populations: Sequence[Mask]) -> tuple[Array, Mask, str]:
    """The height with outliers of each population filled, where they were, and what was done.

    The top of a crystal and its ground are populations of their own: together every flank would stand out.
    """
    found = np.zeros(height_nm.shape, dtype=np.bool_)
    for population in populations:
        found |= outlier_pixels(height_nm, population)
    return filled(height_nm, found), found, f"outliers beyond 3 standard deviations: {_filled_told(found)}"


def _filled_told(found: Mask) -> str:
    return f"{int(found.sum())} pixels filled and left out" if found.any() else "none found"
