"""From reductions apart to one coordinate: outlines, profiles, co-trends, the numbers of the sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.afm.against import modulus_relations
from analysis.afm.parts import with_parts
from analysis.errors import InputError
from analysis.io.sample_file import FILE_NAME, Sample
from analysis.records import (
    AfmReduction,
    Correlation,
    Measured,
    Profile,
    Result,
    SemReduction,
    XrayReduction,
)
from analysis.registration.correlation import co_trend
from analysis.registration.outline import is_usable_polygon
from analysis.registration.place import placed_field, placed_image, placed_scan
from analysis.registration.profiles import BINS
from analysis.registration.sampled import field_profiles, image_profiles, scan_profiles
from analysis.registration.summary import summary_of, with_errors_along_s


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The reductions with outline and coordinate, and what follows from them together."""

    xray: tuple[XrayReduction, ...]
    sem: tuple[SemReduction, ...]
    afm: tuple[AfmReduction, ...]
    profiles: tuple[Profile, ...]
    correlations: tuple[Correlation, ...]
    summary: Mapping[str, Measured | None]


def register(
    sample: Sample,
    *,
    xray: Sequence[XrayReduction],
    sem: Sequence[SemReduction],
    afm: Sequence[AfmReduction],
) -> Registered:
    """Put every reduction onto its crystal's coordinate; its ``index`` names its block in the sample."""
    _check_outlines(sample)
    scans = tuple(
        placed_scan(
            scan,
            outline_um=sample.xray[scan.index].outline_um,
            line_um=sample.xray[scan.index].positions_line_um,
        )
        for scan in xray
    )
    images = tuple(placed_image(image, outline_nm=sample.sem[image.index].outline_nm) for image in sem)
    fields = tuple(
        with_parts(with_errors_along_s(placed_field(field, outline_um=sample.afm[field.index].outline_um)))
        for field in afm
    )
    profiles = _all_profiles(scans, images, fields, bins=BINS)
    return Registered(
        xray=scans,
        sem=images,
        afm=fields,
        profiles=profiles,
        correlations=(
            *_co_trends(profiles),
            *(pair for field in fields for pair in modulus_relations(field)),
        ),
        summary=summary_of(scans, fields),
    )


def _all_profiles(
    scans: Sequence[XrayReduction],
    images: Sequence[SemReduction],
    fields: Sequence[AfmReduction],
    *,
    bins: int,
) -> tuple[Profile, ...]:
    return (
        *(profile for scan in scans for profile in scan_profiles(scan, bins=bins)),
        *(profile for image in images for profile in image_profiles(image, bins=bins)),
        *(profile for field in fields for profile in field_profiles(field, bins=bins)),
    )


def rebinned(result: Result, *, bins: int) -> Result:
    """The same result with all its profiles in another number of bins; nothing else changes."""
    return replace(result, profiles=_all_profiles(result.xray, result.sem, result.afm, bins=bins))


def with_coprofile(result: Result, *, coordinate: str, bins: int) -> Result:
    """The result with the profiles of a co-profile alone: <a_SC> and E along one coordinate."""

    def wanted(quantity: str, kind: str) -> bool:
        return quantity in ("a_sc", "modulus") and kind == coordinate

    scans = (p for scan in result.xray for p in scan_profiles(scan, wanted=wanted, bins=bins))
    fields = (p for field in result.afm for p in field_profiles(field, wanted=wanted, bins=bins))
    return replace(result, profiles=(*scans, *fields))


def _check_outlines(sample: Sample) -> None:
    given = [
        *((f"xray.{k}.outline_um", block.outline_um) for k, block in enumerate(sample.xray)),
        *((f"sem.{k}.outline_nm", block.outline_nm) for k, block in enumerate(sample.sem)),
        *((f"afm.{k}.outline_um", block.outline_um) for k, block in enumerate(sample.afm)),
    ]
    for field, corners in given:
        if corners is not None and not is_usable_polygon(corners):
            raise InputError(
                FILE_NAME, field=field, expected="a polygon that encloses an area", found="points on one line"
            )


def _co_trends(profiles: Iterable[Profile]) -> list[Correlation]:
    """E against <a_SC> of X-ray and of SEM along s, for each crystal that has both."""
    along_s = [profile for profile in profiles if profile.coordinate == "rectangle"]
    found = []
    for y in along_s:
        if (y.modality, y.quantity) != ("afm", "modulus"):
            continue
        for x in along_s:
            named = {"xray": "a_sc", "sem": "sem_a_sc"}.get(x.modality)
            if named is not None and x.quantity == "a_sc" and x.crystal == y.crystal:
                pair = co_trend(x, y, x_quantity=named, y_quantity="modulus")
                found += [pair] if pair is not None else []
    return found
