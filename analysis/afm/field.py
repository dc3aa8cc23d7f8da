"""Crystal and ground of one field: what is inside, and the height over the ground, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.afm.crystal import FoundCrystal, find_crystal, ground_of
from analysis.afm.levelling import Plane, tilt_by_differences
from analysis.afm.processing import (
    Corrections,
    levelled,
    with_rows_aligned,
    without_outliers,
    without_scars,
)
from analysis.afm.status import rim_pixels, steep_pixels
from analysis.records import Array

Mask = npt.NDArray[np.bool_]

PLANE_ONLY = Corrections()
GROUND, WHOLE = "the ground around it", "the whole field"


@dataclass(frozen=True, kw_only=True)
class LevelledField:
    """Height (rows, cols) in nm as corrected, and what of the field is crystal.

    ``masked`` is true inside the crystal where it was left out by hand, ``mended`` wherever the height was
    filled in. ``steps`` tells what was done, in order; ``notes`` what is worth knowing.
    """

    height_nm: Array
    inside: Mask
    masked: Mask
    mended: Mask
    steps: tuple[str, ...]
    notes: tuple[str, ...] = ()


def field_by_height(
    height_nm: Array, corrections: Corrections = PLANE_ONLY, *, pixel_nm: tuple[float, float] = (1.0, 1.0)
) -> LevelledField:
    """Crystal found by its height; raises NoCrystalError where nothing stands out.

    ``pixel_nm`` is (dx, dy). Rows are aligned on the ground of a first crystal, and the crystal is found
    again on what comes out.
    """
    begun = _begun(height_nm, np.ones(height_nm.shape, dtype=np.bool_), corrections)
    found = find_crystal(begun.height_nm)
    begun = _aligned(replace(begun, inside=found.inside), corrections, found.plane)
    if corrections.rows != "none":
        found = find_crystal(begun.height_nm)
    begun = replace(begun, inside=found.inside, steps=(*begun.steps, _told(found)), notes=_others(found))
    return _finished(begun, corrections, pixel_nm, over_ground=True)


def field_by_mask(
    height_nm: Array,
    mask: Mask,
    corrections: Corrections = PLANE_ONLY,
    *,
    pixel_nm: tuple[float, float] = (1.0, 1.0),
) -> LevelledField:
    """Crystal as masked by hand: holes in the mask are inside the crystal and do not count."""
    inside = np.asarray(ndimage.binary_fill_holes(mask), dtype=np.bool_)
    begun = replace(_begun(height_nm, inside, corrections), masked=inside & ~mask)
    begun = _aligned(begun, corrections, tilt_by_differences(begun.height_nm))
    return _finished(begun, corrections, pixel_nm, over_ground=True)


def whole_field(
    height_nm: Array, corrections: Corrections = PLANE_ONLY, *, pixel_nm: tuple[float, float] = (1.0, 1.0)
) -> LevelledField:
    """Everything is crystal: no ground to count the height from, so it counts from the surface fitted."""
    begun = _begun(height_nm, np.ones(height_nm.shape, dtype=np.bool_), corrections)
    begun = _aligned(begun, corrections, None)
    return _finished(begun, corrections, pixel_nm, over_ground=False)


def _begun(height_nm: Array, inside: Mask, corrections: Corrections) -> LevelledField:
    """The field before anything is found on it: scars need no ground."""
    nothing = np.zeros(height_nm.shape, dtype=np.bool_)
    begun = LevelledField(height_nm=height_nm, inside=inside, masked=nothing, mended=nothing, steps=())
    if not corrections.scars:
        return begun
    mended, scars, told = without_scars(height_nm)
    return replace(begun, height_nm=mended, mended=scars, steps=(told,))


def _aligned(field: LevelledField, corrections: Corrections, tilt: Plane | None) -> LevelledField:
    if corrections.rows == "none":
        return field
    counted, _ = _ground(field)
    height, told = with_rows_aligned(field.height_nm, counted, by=corrections.rows, tilt=tilt)
    return replace(field, height_nm=height, steps=(*field.steps, told))


def _ground(field: LevelledField) -> tuple[Mask, bool]:
    """Pixels that corrections are found from, and whether they are ground: the whole field without one.

    What was filled in is no measurement: a row with a scar would be shifted to its neighbours.
    """
    finite = np.isfinite(field.height_nm) & ~field.mended
    if not field.inside.all():
        ground = ground_of(field.inside, finite)
        if ground.any():
            return ground, True
    return finite, False


def _finished(
    field: LevelledField, corrections: Corrections, pixel_nm: tuple[float, float], *, over_ground: bool
) -> LevelledField:
    """The field levelled and without outliers."""
    field = _levelled(field, corrections, over_ground=over_ground)
    if not corrections.outliers or not np.isfinite(field.height_nm).any():
        return field
    dx, dy = pixel_nm
    counted, is_ground = _ground(field)
    steep = steep_pixels(field.height_nm, dx_nm=dx, dy_nm=dy)
    flat_top = field.inside & ~field.masked & ~(steep | rim_pixels(field.inside))
    populations = (flat_top, counted & ~steep) if is_ground else (field.inside,)
    height, found, told = without_outliers(field.height_nm, populations)
    return replace(field, height_nm=height, mended=field.mended | found, steps=(*field.steps, told))


def _levelled(field: LevelledField, corrections: Corrections, *, over_ground: bool) -> LevelledField:
    """Height over the surface through the ground, or through everything where there is no ground."""
    finite = np.isfinite(field.height_nm)
    if not finite.any() or corrections.levelling == "none":
        return field
    ground, is_ground = _ground(field)
    choices = [(ground, GROUND, True)] if over_ground and is_ground else []
    for counted, where, robust in (*choices, (finite, WHOLE, False)):
        try:
            height, told = levelled(
                field.height_nm,
                counted,
                by=corrections.levelling,
                degree=corrections.polynomial_degree,
                robust=robust,
                where=where,
            )
        except ValueError:
            continue
        notes = field.notes if where == GROUND else (*field.notes, _no_ground(corrections))
        return replace(field, height_nm=height, steps=(*field.steps, *told), notes=notes)
    note = f"too few pixels for a {corrections.levelling}: the height is not levelled"
    return replace(field, notes=(*field.notes, note))


def _no_ground(corrections: Corrections) -> str:
    surface = {"plane": "mean plane", "facet": "facets' plane"}.get(corrections.levelling, "fitted surface")
    return f"no ground in the field: height counts from the {surface}"


def _told(found: FoundCrystal) -> str:
    return f"crystal: the largest piece above half of its {found.step:.4g} nm, holes filled"


def _others(found: FoundCrystal) -> tuple[str, ...]:
    if not found.others:
        return ()
    return (f"{found.others} other raised pieces of {found.others_px} pixels are left out",)
