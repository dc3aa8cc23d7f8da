"""From reductions apart to one coordinate: outlines, profiles, co-trends, the numbers of the sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.afm.against import modulus_relations
from analysis.afm.parts import with_parts
from analysis.errors import InputError
from analysis.io.edits import EDITS_NAME, OutlineEdit
from analysis.io.sample_file import FILE_NAME, Sample
from analysis.pipeline.transforms import (
    Edits,
    Reduction,
    carried_outlines,
    pixel_pairs,
    registrations,
    transforms_between,
)
from analysis.records import (
    AfmReduction,
    Correlation,
    Measured,
    Outline,
    Profile,
    Result,
    SemReduction,
    Transform,
    Trend,
    XrayReduction,
)
from analysis.registration.correlation import co_trend
from analysis.registration.outline import is_usable_polygon, outline_of_polygon
from analysis.registration.place import placed_field, placed_image, placed_scan
from analysis.registration.profiles import BINS
from analysis.registration.sampled import field_profiles, image_profiles, scan_profiles
from analysis.registration.summary import summary_of, with_errors_along_s
from analysis.registration.trends import field_trends, scan_trends
from analysis.units import UM_PER_NM


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The reductions with outline and coordinate, and what follows from them together."""

    xray: tuple[XrayReduction, ...]
    sem: tuple[SemReduction, ...]
    afm: tuple[AfmReduction, ...]
    profiles: tuple[Profile, ...]
    correlations: tuple[Correlation, ...]
    summary: Mapping[str, Measured | None]
    transforms: tuple[Transform, ...] = ()
    trends: tuple[Trend, ...] = ()


def register(
    sample: Sample,
    *,
    xray: Sequence[XrayReduction],
    sem: Sequence[SemReduction],
    afm: Sequence[AfmReduction],
    edits: Edits = (),
) -> Registered:
    """Put every reduction onto its crystal's coordinate; its ``index`` names its block in the sample.

    ``edits`` are those that count: an outline drawn comes before one in the sample file, and that before one
    found; a reduction that shows no edge takes one over where landmarks lay it upon another.
    """
    _check_outlines(sample, edits)
    reductions = _by_name(xray, sem, afm)
    outlines = _outlines(sample, edits, reductions)
    asked = registrations(sample, edits)
    placed = {name: _placed(sample, found, outlines.get(name)) for name, found in reductions.items()}
    carried = carried_outlines(asked, placed)
    placed |= {name: _placed(sample, reductions[name], outline) for name, outline in carried.items()}
    transforms = transforms_between(asked, placed)
    scans = tuple(found for found in placed.values() if isinstance(found, XrayReduction))
    images = tuple(found for found in placed.values() if isinstance(found, SemReduction))
    fields = tuple(
        with_parts(with_errors_along_s(found)) for found in placed.values() if isinstance(found, AfmReduction)
    )
    profiles = _all_profiles(scans, images, fields, bins=BINS)
    return Registered(
        xray=scans,
        sem=images,
        afm=fields,
        profiles=profiles,
        correlations=(
            *_co_trends(profiles),
            *pixel_pairs(transforms, placed, sample),
            *(pair for field in fields for pair in modulus_relations(field)),
        ),
        summary=summary_of(scans, fields),
        transforms=transforms,
        trends=(
            *(trend for scan in scans for trend in scan_trends(scan)),
            *(trend for field in fields for trend in field_trends(field)),
        ),
    )


def _by_name(
    xray: Sequence[XrayReduction], sem: Sequence[SemReduction], afm: Sequence[AfmReduction]
) -> dict[str, Reduction]:
    named: dict[str, Reduction] = {f"xray.{scan.index}": scan for scan in xray}
    named |= {f"sem.{image.index}": image for image in sem}
    return named | {f"afm.{field.index}": field for field in afm}


def _placed(sample: Sample, found: Reduction, outline: Outline | None) -> Reduction:
    if isinstance(found, XrayReduction):
        block = sample.xray[found.index]
        return placed_scan(
            found, outline=outline, line_um=block.positions_line_um, beam_fwhm_um=block.beam_fwhm_um
        )
    if isinstance(found, AfmReduction):
        return placed_field(found, outline=outline)
    return placed_image(found, outline=outline)


def _outlines(sample: Sample, edits: Edits, reductions: Mapping[str, Reduction]) -> dict[str, Outline]:
    """Outlines that were given in the sample file or drawn, by reduction, in um of its frame."""
    corners: dict[str, tuple[str, npt.ArrayLike]] = {}
    for name, found in reductions.items():
        modality = name.split(".")[0]
        block = getattr(sample, modality)[found.index]
        given = block.outline_nm if modality == "sem" else block.outline_um
        if given is not None:
            scale = UM_PER_NM if modality == "sem" else 1.0
            corners[name] = ("given", np.asarray(given, dtype=np.float64) * scale)
    for edit in edits:
        if isinstance(edit, OutlineEdit) and edit.outline_um is not None and edit.of in reductions:
            corners[edit.of] = ("drawn", np.asarray(edit.outline_um, dtype=np.float64))
    return {
        name: replace(outline_of_polygon(places, error_um=_edge_error_um(reductions[name])), source=source)
        for name, (source, places) in corners.items()
    }


def _edge_error_um(found: Reduction) -> float:
    """1 sigma of an edge that somebody drew: half a scan step, a pixel of a field or an image."""
    if isinstance(found, SemReduction):
        return found.pixel_size_nm * UM_PER_NM
    return max(found.grid.cell_um) * (0.5 if isinstance(found, XrayReduction) else 1.0)


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


def _check_outlines(sample: Sample, edits: Edits) -> None:
    given = [
        *((FILE_NAME, f"xray.{k}.outline_um", block.outline_um) for k, block in enumerate(sample.xray)),
        *((FILE_NAME, f"sem.{k}.outline_nm", block.outline_nm) for k, block in enumerate(sample.sem)),
        *((FILE_NAME, f"afm.{k}.outline_um", block.outline_um) for k, block in enumerate(sample.afm)),
        *((EDITS_NAME, f"outline of {e.of}", e.outline_um) for e in edits if isinstance(e, OutlineEdit)),
    ]
    for file, field, corners in given:
        if corners is not None and not is_usable_polygon(corners):
            raise InputError(
                file, field=field, expected="a polygon that encloses an area", found="points on one line"
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
