"""Crystal and ground of one field: what is inside, and the height over the ground, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.afm.crystal import find_crystal, ground_of
from analysis.afm.levelling import Plane, fitted_plane, ground_plane
from analysis.records import Array

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class LevelledField:
    """Height (rows, cols) in nm with the ground's plane taken off, and what of the field is crystal.

    ``masked`` is true inside the crystal where it was left out by hand. ``steps`` tells what was done, in
    order; ``notes`` what is worth knowing.
    """

    height_nm: Array
    inside: Mask
    masked: Mask
    steps: tuple[str, ...]
    notes: tuple[str, ...]


def field_by_height(height_nm: Array) -> LevelledField:
    """Crystal found by its height; raises NoCrystalError where nothing stands out."""
    found = find_crystal(height_nm)
    notes = (
        (f"{found.others} other raised pieces of {found.others_px} pixels are left out",)
        if found.others
        else ()
    )
    return LevelledField(
        height_nm=height_nm - found.plane.over(height_nm.shape),
        inside=found.inside,
        masked=np.zeros(height_nm.shape, dtype=np.bool_),
        steps=(
            f"crystal: the largest piece above half of its {found.step:.4g} nm, holes filled",
            _plane_taken(found.plane, "the ground around it"),
        ),
        notes=notes,
    )


def field_by_mask(height_nm: Array, mask: Mask) -> LevelledField:
    """Crystal as masked by hand: holes in the mask are inside the crystal and do not count."""
    inside = np.asarray(ndimage.binary_fill_holes(mask), dtype=np.bool_)
    levelled, step, notes = _over_ground(height_nm, ground_of(inside, np.isfinite(height_nm)))
    return LevelledField(
        height_nm=levelled, inside=inside, masked=inside & ~mask, steps=step, notes=notes
    )  # fmt: skip


def whole_field(height_nm: Array) -> LevelledField:
    """Everything is crystal: no ground to count the height from, so it counts from the mean plane."""
    levelled, step, notes = _over_ground(height_nm, np.zeros(height_nm.shape, dtype=np.bool_))
    return LevelledField(
        height_nm=levelled,
        inside=np.ones(height_nm.shape, dtype=np.bool_),
        masked=np.zeros(height_nm.shape, dtype=np.bool_),
        steps=step,
        notes=notes,
    )


def _over_ground(height_nm: Array, ground: Mask) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Height over the plane through the ground, or through everything where there is no ground."""
    finite = np.isfinite(height_nm)
    if not finite.any():
        return height_nm, (), ()
    try:
        plane = ground_plane(height_nm, ground)
        return height_nm - plane.over(height_nm.shape), (_plane_taken(plane, "the ground around it"),), ()
    except ValueError:
        pass
    try:
        plane = fitted_plane(height_nm, finite)
    except ValueError:
        return height_nm, (), ("too few pixels for a plane: the height is not levelled",)
    note = "no ground in the field: height counts from the mean plane"
    return height_nm - plane.over(height_nm.shape), (_plane_taken(plane, "the whole field"),), (note,)


def _plane_taken(plane: Plane, where: str) -> str:
    return (
        f"plane through {where} subtracted: {plane.per_col:+.4g} nm per column, "
        f"{plane.per_row:+.4g} nm per row, {plane.offset:+.4g} nm"
    )
