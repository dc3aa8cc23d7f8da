"""One image of the monolayer: pixel size, information bar, regions from edge to centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from analysis.pipeline.sem_map import sem_map
from analysis.pipeline.sem_notes import relative_err, sem_notes, size_notes
from analysis.records import ParticleSizes, SemReduction, SemRegion
from analysis.sem.bar import bar_row
from analysis.sem.particles import particle_sizes
from analysis.sem.region import Place, Scale, barred_region, measure_region
from analysis.sem.tiles import Line, placed, probed_periods, size_for, tiles_along, tiles_over
from analysis.sem.tilt import Tilt

MIN_ROI_PX = 24


@dataclass(frozen=True, kw_only=True)
class _Plan:
    places: list[Place]
    side_px: int
    periods: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """First row of the information bar (the number of rows without one), and where that was learned."""

    row: int
    source: str


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
        *size_notes(size),
    ]
    lines.append(_bar_line(block, header))
    for roi in block.rois or ():
        _roi_place(roi, header, size, line=None)
    lines.append(f"{len(block.rois)} regions given" if block.rois else "regions tiled")
    return lines


def reduce_sem(block: SemBlock, *, index: int, folder: Path) -> SemReduction:
    """Regions of one image with their lattice; raises InputError where the file cannot be used."""
    header = _header(block, folder)
    size = _pixel_size(block, header)
    image = read_micrograph(header.path)
    bar = _bar(block, header, image)
    above = image[: bar.row]
    scale = scale_of(block, size)
    plan = _plan(block, header, size, above)
    white = float(above.max())
    regions = tuple(_region(above, place, scale, white) for place in plan.places)
    mapped = sem_map(block, above, scale=scale, side_px=plan.side_px, periods_px=plan.periods)
    found = SemReduction(
        index=index,
        crystal=block.crystal,
        image_path=block.image,
        image=image,
        pixel_size_nm=size.nm,
        pixel_size_source=size.source,
        pixel_size_audit=size.audit,
        pixel_size_err=scale.relative_err,
        bar_row=bar.row,
        bar_source=bar.source,
        view=block.view or "",
        edge_nm=block.edge_nm,
        center_nm=block.center_nm,
        tilt_deg=block.tilt_deg or 0.0,
        tilt_axis_deg=block.tilt_axis_deg,
        foot_nm=block.foot_nm,
        regions=regions,
        notes=(),
        sizes=_sizes(block, above, regions, pixel_nm=size.nm),
    )
    if mapped is not None:
        found = replace(
            found,
            maps=mapped.maps,
            map_grid=mapped.grid,
            map_status=mapped.status,
            map_size_nm=mapped.size_px * size.nm,
        )
    return replace(found, notes=sem_notes(block, header, size, found))


def _sizes(
    block: SemBlock, above: npt.NDArray[np.generic], regions: Sequence[SemRegion], *, pixel_nm: float
) -> ParticleSizes | None:
    """Sizes of the particles, where the regions show an array with resolved ones."""
    periods = [region.a_sc_nm / pixel_nm for region in regions if region.status in ("ok", "few_periods")]
    if not block.sizes or not periods:
        return None
    return particle_sizes(above, pixel_nm=pixel_nm, period_px=float(np.median(periods)))


def scale_of(block: SemBlock, size: ChosenSize) -> Scale:
    """Pixel size with its error, and how the surface is tilted."""
    tilt = Tilt(angle_deg=block.tilt_deg, axis_deg=block.tilt_axis_deg) if block.tilt_deg else None
    return Scale(pixel_nm=size.nm, relative_err=relative_err(size), tilt=tilt, foot_nm=block.foot_nm)


def _bar(block: SemBlock, header: MicrographHeader, image: npt.NDArray[np.unsignedinteger]) -> _Bar:
    if block.bar_row is not None:
        return _Bar(row=min(block.bar_row, image.shape[0]), source="bar_row of the sample file")
    if header.bar_row is not None:
        return _Bar(row=header.bar_row, source="metadata")
    row = bar_row(image)
    return _Bar(row=row, source="found in the image" if row < image.shape[0] else "")


def _bar_line(block: SemBlock, header: MicrographHeader) -> str:
    if block.bar_row is not None:
        return f"information bar from row {block.bar_row} (bar_row of the sample file)"
    if header.bar_row is not None:
        return f"information bar from row {header.bar_row} (metadata)"
    return "information bar: not told by metadata, looked for in the image when it is reduced"


def _header(block: SemBlock, folder: Path) -> MicrographHeader:
    return read_header(folder / block.image)


def _pixel_size(block: SemBlock, header: MicrographHeader) -> ChosenSize:
    return choose_pixel_size(header.path, header.sizes, override_nm=block.pixel_size_nm)


def _plan(
    block: SemBlock, header: MicrographHeader, size: ChosenSize, above: npt.NDArray[np.unsignedinteger]
) -> _Plan:
    """Where regions lie: given, or tiled along the line; over the whole image without one, and on facets."""
    line = _line(block, size)
    shape = (above.shape[0], above.shape[1])
    periods = probed_periods(above)
    side = size_for(periods, shape=shape)
    if block.rois:
        places = [_roi_place(roi, header, size, line=line) for roi in block.rois]
    elif line is None or block.view == "side":
        places = [
            placed(at.label, row0=at.row0, col0=at.col0, size_px=side, line=line)
            for at in tiles_over(shape=shape, size_px=side)
        ]
    else:
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
    return _Plan(places=places, side_px=side, periods=periods)


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


def _region(above: npt.NDArray[np.unsignedinteger], place: Place, scale: Scale, white: float) -> SemRegion:
    if place.row0 + place.size_px > above.shape[0]:
        return barred_region(place, scale=scale)
    return measure_region(above, place, scale=scale, white=white)


def _of_pages(pages: int) -> str:
    return "" if pages == 1 else f", first of {pages} pages"
