"""One image of the monolayer: pixel size, information bar, regions from edge to centre."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.sample_file import SemBlock, SemRoi
from analysis.io.sem_tiff import (
    ChosenSize,
    MicrographHeader,
    choose_pixel_size,
    read_header,
    read_micrograph,
)
from analysis.io.sem_vendors import sidecar_path
from analysis.records import SemReduction, SemRegion
from analysis.sem.bar import bar_row
from analysis.sem.distortion import common_distortion
from analysis.sem.region import Place, Scale, barred_region, measure_region
from analysis.sem.tiles import Line, placed, region_size, tiles_along, tiles_over

CALIBRATED_ERR = 0.01
NOMINAL_ERR = 0.05
"""Assumed relative 1 sigma of a pixel size, as calibrated and as computed from a magnification."""

DISAGREEMENT_TOLD = 0.02
MIN_ROI_PX = 24


@dataclass(frozen=True, kw_only=True)
class _Plan:
    places: list[Place]
    bar_row: int


def sem_inputs(block: SemBlock, *, folder: Path) -> list[Path]:
    """Every file that the image's reduction reads: the image, and the text beside it where there is one."""
    image = folder / block.image
    if not image.is_file():
        raise InputError(image, field="sem.image", expected="a TIFF file", found="no such file")
    sidecar = sidecar_path(image)
    return [image] if sidecar is None else [image, sidecar]


def check_sem(block: SemBlock, *, folder: Path) -> list[str]:
    """What the file's metadata say: size, audit of the pixel size, bar, regions asked for."""
    header = _header(block, folder)
    size = _pixel_size(block, header)
    rows, cols = header.shape
    lines = [
        f"{block.image}: {cols} x {rows} px, {header.dtype}" + _of_pages(header.pages),
        f"pixel size {size.nm:.6g} nm from {size.source}; "
        f"field {cols * size.nm:.6g} x {rows * size.nm:.6g} nm",
        *(f"{source}: {nm:.6g} nm" + (" (used)" if used else "") for source, nm, used in size.audit),
        *_size_notes(size),
    ]
    if header.bar_row is not None:
        lines.append(f"information bar from row {header.bar_row} (metadata)")
    for roi in block.rois or ():
        _roi_place(roi, header, size, line=None)
    lines.append(f"{len(block.rois)} regions given" if block.rois else "regions tiled")
    return lines


def reduce_sem(block: SemBlock, *, index: int, folder: Path) -> SemReduction:
    """Regions of one image with their lattice; raises InputError where the file cannot be used."""
    header = _header(block, folder)
    size = _pixel_size(block, header)
    image = read_micrograph(header.path)
    plan = _plan(block, header, size, image)
    scale = Scale(pixel_nm=size.nm, relative_err=relative_err(size))
    above = image[: plan.bar_row]
    regions = tuple(_region(above, place, scale) for place in plan.places)
    return SemReduction(
        index=index,
        crystal=block.crystal,
        image_path=block.image,
        image=image,
        pixel_size_nm=size.nm,
        pixel_size_source=size.source,
        pixel_size_audit=size.audit,
        bar_row=plan.bar_row,
        view=block.view or "",
        edge_nm=block.edge_nm,
        center_nm=block.center_nm,
        regions=regions,
        notes=_notes(block, header, size, regions),
    )


def relative_err(size: ChosenSize) -> float:
    """Relative 1 sigma of the pixel size: assumed, or the disagreement of the file's own statements."""
    return max(NOMINAL_ERR if size.nominal else CALIBRATED_ERR, size.disagreement)


def _header(block: SemBlock, folder: Path) -> MicrographHeader:
    return read_header(folder / block.image)


def _pixel_size(block: SemBlock, header: MicrographHeader) -> ChosenSize:
    return choose_pixel_size(header.path, header.sizes, override_nm=block.pixel_size_nm)


def _plan(
    block: SemBlock, header: MicrographHeader, size: ChosenSize, image: npt.NDArray[np.unsignedinteger]
) -> _Plan:
    bar = header.bar_row if header.bar_row is not None else bar_row(image)
    line = _line(block, size)
    if block.rois:
        return _Plan(places=[_roi_place(roi, header, size, line=line) for roi in block.rois], bar_row=bar)
    above = image[:bar]
    side = region_size(above)
    shape = (above.shape[0], above.shape[1])
    if line is None:
        return _Plan(places=tiles_over(shape=shape, size_px=side), bar_row=bar)
    places = tiles_along(line, shape=shape, size_px=side)
    if not places:
        raise InputError(
            header.path,
            field="sem.edge_nm, sem.center_nm",
            expected="a line from edge to centre that crosses the image",
            found=f"{block.edge_nm} to {block.center_nm} in a field of "
            f"{shape[1] * size.nm:.6g} x {shape[0] * size.nm:.6g} nm",
            remedy="correct them or give rois",
        )
    return _Plan(places=places, bar_row=bar)


def _line(block: SemBlock, size: ChosenSize) -> Line | None:
    if block.edge_nm is None or block.center_nm is None:
        return None
    return Line(
        edge_px=(block.edge_nm[0] / size.nm, block.edge_nm[1] / size.nm),
        center_px=(block.center_nm[0] / size.nm, block.center_nm[1] / size.nm),
    )


def _roi_place(roi: SemRoi, header: MicrographHeader, size: ChosenSize, *, line: Line | None) -> Place:
    side = round(roi.size_nm / size.nm)
    row0, col0 = round(roi.y_nm / size.nm), round(roi.x_nm / size.nm)
    rows, cols = header.shape
    inside = row0 >= 0 and col0 >= 0 and row0 + side <= rows and col0 + side <= cols
    if not inside or side < MIN_ROI_PX:
        raise InputError(
            header.path,
            field=f"sem.rois {roi.label!r}",
            expected=f"a region of at least {MIN_ROI_PX} px within "
            f"{cols * size.nm:.6g} x {rows * size.nm:.6g} nm",
            found=f"x_nm = {roi.x_nm:g}, y_nm = {roi.y_nm:g}, size_nm = {roi.size_nm:g} ({side} px)",
            remedy="correct the region",
        )
    return placed(roi.label, row0=row0, col0=col0, size_px=side, line=line)


def _region(above: npt.NDArray[np.unsignedinteger], place: Place, scale: Scale) -> SemRegion:
    if place.row0 + place.size_px > above.shape[0]:
        return barred_region(place, scale=scale)
    return measure_region(above, place, scale=scale)


def _of_pages(pages: int) -> str:
    return "" if pages == 1 else f", first of {pages} pages"


def _size_notes(size: ChosenSize) -> list[str]:
    notes = []
    if size.nominal:
        notes.append("the pixel size is nominal: computed from the magnification")
    if size.disagreement > DISAGREEMENT_TOLD:
        notes.append(f"the statements of the pixel size disagree by {100 * size.disagreement:.1f} %")
    return notes


def _notes(
    block: SemBlock, header: MicrographHeader, size: ChosenSize, regions: tuple[SemRegion, ...]
) -> tuple[str, ...]:
    notes = _size_notes(size)
    notes.append(
        f"pixel-size error of {100 * relative_err(size):.2g} % assumed (1 sigma, common to all regions)"
    )
    if header.pages > 1:
        notes.append(f"the first of {header.pages} pages was read")
    seen = {"bottom": "the layer seen from below (mirrored)", "top": "the layer seen from above"}
    if block.view in seen:
        notes.append(seen[block.view])
    if block.edge_nm is not None:
        notes.append("s of a region is its centre's projection on edge to centre, s_err its windowed extent")
    distortion = common_distortion(regions)
    if distortion is not None and distortion.is_clear:
        notes.append(distortion.sentence())
    failed = sum(region.status in ("no_peak", "bar") for region in regions)
    if failed:
        notes.append(f"{failed} of {len(regions)} regions have no value")
    return tuple(notes)
