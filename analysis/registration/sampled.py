"""What of each reduction is binned: the quantities, the points that count, and their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from analysis.records import (
    AFM_STATUS,
    COORDINATES,
    XRAY_STATUS,
    AfmReduction,
    Array,
    Coordinate,
    Profile,
    SemReduction,
    XrayReduction,
)
from analysis.registration.coordinate import coordinate_at
from analysis.registration.place import region_centre_um
from analysis.registration.profiles import BINS, Sampled, profile, profile_of_regions

XRAY_QUANTITIES = ("a_sc", "a1", "a2", "gamma", "psi", "q1", "q2", "sigma_q", "intensity")
Wanted = Callable[[str, str], bool]
"""Whether a quantity along a coordinate is asked for."""

SEM_COUNTED = ("ok", "few_periods", "ring")
"""Regions that carry a value to be trusted within its error."""


def every_profile(_quantity: str, _coordinate: str) -> bool:
    """Ask for all of them."""
    return True


def places_of(coordinate: Coordinate) -> Mapping[str, Array]:
    """Values of every coordinate at the same points, by its name."""
    return {kind: coordinate.depth_um if kind == "depth" else coordinate.s[kind] for kind in COORDINATES}


def sampled_scan(scan: XrayReduction, quantity: str) -> Sampled:
    """One map of a scan at the points whose fit is ok; the intensity at every point that was measured."""
    held = scan.maps[quantity]
    counted = (
        scan.status != XRAY_STATUS.index("frame_missing")
        if quantity == "intensity"
        else scan.status == XRAY_STATUS.index("ok")
    )
    return Sampled(
        modality="xray",
        index=scan.index,
        crystal=scan.crystal,
        quantity=quantity,
        unit=held.unit,
        values=np.where(counted, held.values, np.nan),
        axial=quantity == "psi",
    )


def sampled_field(field: AfmReduction, quantity: str) -> Sampled:
    """Modulus or height of a field at the pixels that count."""
    unit, values = {"modulus": ("GPa", field.modulus_gpa), "height": ("nm", field.height_nm)}[quantity]
    return Sampled(
        modality="afm",
        index=field.index,
        crystal=field.crystal,
        quantity=quantity,
        unit=unit,
        values=np.where(field.status == AFM_STATUS.index("ok"), values, np.nan),
    )


def scan_profiles(
    scan: XrayReduction, *, wanted: Wanted = every_profile, bins: int = BINS
) -> Iterator[Profile]:
    """Profiles of the quantities of a scan along every coordinate; none without an outline."""
    if scan.coordinate is None:
        return
    for quantity in XRAY_QUANTITIES:
        for kind, place in places_of(scan.coordinate).items():
            if quantity in scan.maps and wanted(quantity, kind):
                yield profile(sampled_scan(scan, quantity), place, kind, bins)


def field_profiles(
    field: AfmReduction, *, wanted: Wanted = every_profile, bins: int = BINS
) -> Iterator[Profile]:
    """Profiles of modulus and height of a field along every coordinate; none without an outline."""
    if field.coordinate is None:
        return
    for quantity in ("modulus", "height"):
        sampled = sampled_field(field, quantity)
        for kind, place in places_of(field.coordinate).items():
            if wanted(quantity, kind) and np.isfinite(sampled.values).any():
                yield profile(sampled, place, kind, bins)


def image_profiles(image: SemReduction, *, bins: int = BINS) -> Iterator[Profile]:
    """Profiles of spacing and lattice parameter of an image's regions; none where no s is known."""
    regions = [region for region in image.regions if region.status in SEM_COUNTED]
    s = np.array([region.s for region in regions], dtype=np.float64)
    if not np.isfinite(s).any():
        return
    places = dict.fromkeys(COORDINATES, s)
    places["depth"] = np.array([region.depth_um for region in regions], dtype=np.float64)
    if image.outline is not None and image.outline.source != "edge and centre":
        centres = np.array([region_centre_um(region) for region in regions])
        at = coordinate_at(image.outline, centres[:, 0], centres[:, 1])
        places |= {kind: at.s[kind] for kind in ("distance", "ray")}
    for quantity in ("spacing", "a_sc"):
        values = np.array([getattr(region, f"{quantity}_nm") for region in regions], dtype=np.float64)
        errors = np.array([getattr(region, f"{quantity}_err_nm") for region in regions], dtype=np.float64)
        sampled = Sampled(
            modality="sem",
            index=image.index,
            crystal=image.crystal,
            quantity=quantity,
            unit="nm",
            values=values,
        )
        for kind, place in places.items():
            yield profile_of_regions(sampled, errors, place, kind, bins)
