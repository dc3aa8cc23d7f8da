"""Frames of one crystal laid upon each other, and what follows: outlines carried over, points paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.errors import InputError
from analysis.io.edits import EDITS_NAME, OutlineEdit, RegistrationEdit
from analysis.io.sample_file import FILE_NAME, RegistrationBlock, Sample
from analysis.records import (
    XRAY_STATUS,
    AfmReduction,
    Correlation,
    Outline,
    SemReduction,
    Transform,
    XrayReduction,
)
from analysis.registration.outline import outline_of_polygon
from analysis.registration.pixelwise import pixel_correlation, under_footprint
from analysis.registration.sampled import sampled_field, sampled_scan
from analysis.registration.transform import error_um, inverted, landmark_transform, outline_transform
from analysis.units import FWHM_PER_SIGMA, UM_PER_NM

Reduction = XrayReduction | SemReduction | AfmReduction
Edits = Sequence[OutlineEdit | RegistrationEdit]


def registrations(sample: Sample, edits: Edits) -> dict[str, RegistrationBlock]:
    """What lays frames upon each other, by "source target"; an edit comes before the sample file."""
    asked = {f"{block.source} {block.target}": block for block in sample.registration}
    drawn = {
        edit.of: edit.registration
        for edit in edits
        if isinstance(edit, RegistrationEdit) and edit.registration is not None
    }
    return asked | drawn


def transforms_between(
    asked: Mapping[str, RegistrationBlock], placed: Mapping[str, Reduction]
) -> tuple[Transform, ...]:
    """The transform of each pair whose two reductions are there; raises InputError where it can't be had."""
    return tuple(
        _transform(name, block, placed[block.source], placed[block.target])
        for name, block in asked.items()
        if block.source in placed and block.target in placed
    )


def _transform(name: str, block: RegistrationBlock, source: Reduction, target: Reduction) -> Transform:
    if source.crystal != target.crystal:
        raise _fault(name, "two blocks of one crystal", f"crystals {source.crystal!r} and {target.crystal!r}")
    if block.landmarks_um is not None:
        places = np.asarray(block.landmarks_um, dtype=np.float64)
        try:
            made = landmark_transform(
                places[:, :2],
                places[:, 2:],
                kind=block.kind,
                mirrored=block.mirrored,
                error_um=block.landmark_err_um,
            )
        except ValueError as error:
            raise _fault(name, f"landmarks that fix a map of kind {block.kind}", str(error)) from None
    elif source.outline is None or target.outline is None:
        raise _fault(name, "landmarks, or an outline in both frames", "an outline in only one or none")
    else:
        made = outline_transform(source.outline, target.outline, kind=block.kind, mirrored=block.mirrored)
    return replace(made, source=block.source, target=block.target)


def _fault(name: str, expected: str, found: str) -> InputError:
    return InputError(
        FILE_NAME,
        field=f"registration of {' to '.join(name.split())}",
        expected=expected,
        found=found,
        remedy=f"correct it there or in {EDITS_NAME}",
    )


def carried_outlines(
    asked: Mapping[str, RegistrationBlock], placed: Mapping[str, Reduction]
) -> dict[str, Outline]:
    """Outlines for reductions that show no edge, from one of the same crystal that does.

    Only landmarks can carry one over. Its error is the outline's own and the transform's; where neither a
    stated error of landmarks nor pairs to spare tell that, a step of the coarser grid stands for it.
    """
    carried = {}
    for name, block in asked.items():
        if block.landmarks_um is None or not {block.source, block.target} <= placed.keys():
            continue
        for bare, known in ((block.source, block.target), (block.target, block.source)):
            outline = placed[known].outline
            if placed[bare].outline is None and outline is not None:
                made = _transform(name, block, placed[block.source], placed[block.target])
                carried[bare] = _carried(outline, made, known, _cell_um(placed[bare], placed[known]))
    return carried


def _carried(outline: Outline, made: Transform, known: str, cell_um: float) -> Outline:
    """The outline of the reduction ``known`` in the other frame of a transform."""
    forth = made if made.source == known else inverted(made)
    corners = np.column_stack(forth.apply(*outline.vertices_um.T))
    if made.source == known:
        spread = error_um(made, *outline.vertices_um.T)
    else:
        spread = error_um(made, *corners.T) * forth.scale
    moved = float(np.sqrt(np.mean(spread**2)))
    error = float(np.hypot(outline.error_um * forth.scale, moved if np.isfinite(moved) else cell_um))
    return replace(outline_of_polygon(corners, error_um=error), source=f"from {known}")


def _cell_um(*reductions: Reduction) -> float:
    """The largest step of some reductions' grids."""
    return max(
        found.pixel_size_nm * UM_PER_NM if isinstance(found, SemReduction) else max(found.grid.cell_um)
        for found in reductions
    )


def pixel_pairs(
    transforms: Sequence[Transform], placed: Mapping[str, Reduction], sample: Sample
) -> Iterator[Correlation]:
    """E against <a_SC> point by point, for each scan and field that were laid upon each other."""
    for transform in transforms:
        for forth in (transform, inverted(transform)):
            scan, field = placed[forth.source], placed[forth.target]
            if isinstance(scan, XrayReduction) and isinstance(field, AfmReduction):
                found = _modulus_against_lattice(scan, field, forth, sample.xray[scan.index].beam_fwhm_um)
                if found is not None:
                    yield found


def _modulus_against_lattice(
    scan: XrayReduction, field: AfmReduction, to_field: Transform, beam_fwhm_um: tuple[float, float]
) -> Correlation | None:
    sigma = (beam_fwhm_um[0] / FWHM_PER_SIGMA, beam_fwhm_um[1] / FWHM_PER_SIGMA)
    seen = under_footprint(sampled_field(field, "modulus").values, field.grid, scan.grid, to_field, sigma)
    errors = scan.maps["a_sc"].errors
    place = scan.coordinate
    if errors is None or place is None:
        return None
    ok = scan.status == XRAY_STATUS.index("ok")
    return pixel_correlation(
        np.where(ok, sampled_scan(scan, "a_sc").values, np.nan),
        seen.values,
        errors,
        seen.error,
        place.s["rectangle"],
        crystal=scan.crystal,
        x_quantity="a_sc",
        y_quantity="modulus",
    )
