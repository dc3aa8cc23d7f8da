"""Corrections of a height that people rely on, one after the other, each told in the order it was done.

The fast axis runs along rows. ``counted`` (rows, cols) is true for the pixels that a correction is found
from, as the ground without the crystal; it is applied to every pixel. NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.afm.defects import filled, outlier_pixels, scar_pixels
from analysis.afm.levelling import fitted_plane
from analysis.afm.rows import row_differences, row_medians
from analysis.afm.surfaces import facet_plane, fitted_polynomial
from analysis.records import Array

Mask = npt.NDArray[np.bool_]
StepName = Literal["plane", "polynomial", "facet", "row_median", "row_differences", "scars", "outliers"]

POLYNOMIAL_DEGREE = 2


@dataclass(frozen=True, kw_only=True)
class Processed:
    """A corrected height (rows, cols) and what was done to it, in order."""

    height: Array
    steps: tuple[str, ...]


def processed(height: Array, counted: Mask, steps: Sequence[StepName]) -> Processed:
    """Apply the named corrections in order to ``height`` (rows, cols), any unit.

    Raises ValueError where too few pixels count for a correction.
    """
    told = []
    for name in steps:
        height, what = _STEPS[name](height, counted)
        told.append(what)
    return Processed(height=height, steps=tuple(told))


def _plane(height: Array, counted: Mask) -> tuple[Array, str]:
    plane = fitted_plane(height, counted)
    return height - plane.over(height.shape), (
        f"plane subtracted: {plane.per_col:+.4g} per column, {plane.per_row:+.4g} per row"
    )


def _polynomial(height: Array, counted: Mask) -> tuple[Array, str]:
    surface = fitted_polynomial(height, counted, degree=POLYNOMIAL_DEGREE)
    return height - surface, f"polynomial of degree {POLYNOMIAL_DEGREE} subtracted"


def _facet(height: Array, counted: Mask) -> tuple[Array, str]:
    plane = facet_plane(height, counted)
    return height - plane.over(height.shape), (
        f"levelled to the prevalent facet: {plane.per_col:+.4g} per column, {plane.per_row:+.4g} per row"
    )


def _row_median(height: Array, counted: Mask) -> tuple[Array, str]:
    offsets = row_medians(height, counted)
    return height - offsets[:, None], f"rows aligned by their medians, up to {np.abs(offsets).max():.4g}"


def _row_differences(height: Array, counted: Mask) -> tuple[Array, str]:
    offsets = row_differences(height, counted)
    return height - offsets[:, None], (
        f"rows aligned by the medians of their differences, up to {np.abs(offsets).max():.4g}"
    )


def _scars(height: Array, _counted: Mask) -> tuple[Array, str]:
    scars = scar_pixels(height)
    return filled(height, scars), f"{int(scars.sum())} pixels of scars filled"


def _outliers(height: Array, counted: Mask) -> tuple[Array, str]:
    outliers = outlier_pixels(height, counted)
    return filled(height, outliers), f"{int(outliers.sum())} outliers filled"


_STEPS: dict[StepName, Callable[[Array, Mask], tuple[Array, str]]] = {
    "plane": _plane,
    "polynomial": _polynomial,
    "facet": _facet,
    "row_median": _row_median,
    "row_differences": _row_differences,
    "scars": _scars,
    "outliers": _outliers,
}
