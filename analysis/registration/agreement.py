"""Whether X-ray and SEM agree: <a_SC> at the same s, and their difference in units of sigma.

X-rays average through the thickness, SEM sees the bottom layer: a difference beyond the errors may be one of
the crystal and not of an instrument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.records import Profile, SemReduction, SemRegion, XrayReduction
from analysis.registration.sampled import SEM_COUNTED


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """<a_SC> in nm of one SEM region and of the X-ray's profile at the region's s.

    ``difference_nm`` is SEM minus X-ray, ``difference_err_nm`` its 1 sigma from both statistical errors, the
    error of s times the slope, and both systematics; ``sigmas`` is their ratio.
    """

    image: int
    crystal: str
    label: str
    s: float
    s_err: float
    xray_nm: float
    xray_err_nm: float
    sem_nm: float
    sem_err_nm: float
    difference_nm: float
    difference_err_nm: float
    sigmas: float


def agreements(
    profiles: Sequence[Profile], scans: Sequence[XrayReduction], images: Sequence[SemReduction]
) -> tuple[Agreement, ...]:
    """One for every SEM region with a value whose s lies within the X-ray profile of its crystal."""
    systematic = {scan.index: scan.systematic.get("a_sc", 0.0) for scan in scans}
    return tuple(
        found
        for image in images
        if (profile := _profile_of(profiles, image.crystal)) is not None
        for region in image.regions
        if (found := _at_region(profile, systematic.get(profile.index, 0.0), image, region)) is not None
    )


def _at_region(
    profile: Profile, systematic_nm: float, image: SemReduction, region: SemRegion
) -> Agreement | None:
    known = np.isfinite(profile.mean) & np.isfinite(profile.sem)
    mid, mean, sem = profile.mid[known], profile.mean[known], profile.sem[known]
    counted = region.status in SEM_COUNTED and math.isfinite(region.a_sc_nm)
    if not counted or mid.size < 2 or not mid[0] <= region.s <= mid[-1]:
        return None
    xray, xray_err, slope = (
        float(np.interp(region.s, mid, values)) for values in (mean, sem, np.gradient(mean, mid))
    )
    moved, sem_sys = (float(np.nan_to_num(part)) for part in (slope * region.s_err, region.a_sc_sys_nm))
    error = math.hypot(xray_err, region.a_sc_err_nm, moved, sem_sys, systematic_nm)
    difference = region.a_sc_nm - xray
    return Agreement(
        image=image.index,
        crystal=image.crystal,
        label=region.label,
        s=region.s,
        s_err=region.s_err,
        xray_nm=xray,
        xray_err_nm=xray_err,
        sem_nm=region.a_sc_nm,
        sem_err_nm=region.a_sc_err_nm,
        difference_nm=difference,
        difference_err_nm=error,
        sigmas=difference / error if error > 0.0 else math.nan,
    )


def _profile_of(profiles: Sequence[Profile], crystal: str) -> Profile | None:
    """The X-ray's profile of <a_SC> along s of one crystal, the first where there are several."""
    return next(
        (
            profile
            for profile in profiles
            if (profile.modality, profile.quantity, profile.coordinate) == ("xray", "a_sc", "rectangle")
            and profile.crystal == crystal
        ),
        None,
    )
