"""Each instrument's reduction put onto the edge-to-centre coordinate of its crystal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.records import (
    AFM_STATUS,
    XRAY_STATUS,
    AfmLine,
    AfmReduction,
    Array,
    Bytes,
    Outline,
    QuantityMap,
    SemReduction,
    SemRegion,
    XrayReduction,
)
from analysis.registration.coordinate import coordinate_at
from analysis.registration.geometry import signed_distance_um
from analysis.registration.outline import (
    Mask,
    outline_from_map,
    outline_of_edge_and_centre,
)
from analysis.registration.positions import centre_to_edge, positions_on
from analysis.units import FWHM_PER_SIGMA, UM_PER_NM

BEAM_FWHM_UM = (0.32, 0.24)
"""The beam's full widths along x (horizontal) and y (vertical), as in the paper."""

PIXEL_SIGMA = 1.0 / np.sqrt(12.0)
"""Standard deviation of places within a pixel of side 1."""

MIN_AGREEMENT = 0.7
"""Overlap over union below which an outline is not that of the region it is to be that of."""

MIN_FITTED = 8

BEAM_REACH = 1.5
"""Beyond so many full widths from its centre a beam lights nothing: what shines there is another crystal."""

OK, PARTIAL = XRAY_STATUS.index("ok"), XRAY_STATUS.index("partial_beam")


def placed_scan(
    scan: XrayReduction,
    *,
    outline: Outline | None = None,
    line_um: tuple[tuple[float, float], tuple[float, float]] | None = None,
    beam_fwhm_um: tuple[float, float] = BEAM_FWHM_UM,
) -> XrayReduction:
    """A scan with its outline (given, or found on the intensity map), coordinate and five positions.

    The map ``partial_beam`` is 1 where the edge is nearer than half a beam, 0 elsewhere. Where the beam's
    centre lies off the crystal and only its side or tail on it, the status says so as well; such points keep
    their values, but have no s.
    """
    scan = replace(scan, notes=_own(scan.notes), status=_whole_again(scan.status))
    beam = (beam_fwhm_um[0] / FWHM_PER_SIGMA, beam_fwhm_um[1] / FWHM_PER_SIGMA)
    outline = outline if outline is not None else _found_on_scan(scan, beam)
    if outline is None:
        note = "no outline of the crystal shows on the intensity map: give outline_um"
        bare = replace(scan, outline=None, coordinate=None, positions=(), notes=(*scan.notes, note))
        return bare if line_um is None else replace(bare, positions=positions_on(bare, line_um))
    coordinate = coordinate_at(outline, *scan.grid.positions_um(), footprint_um=float(np.mean(beam)))
    placed = replace(scan, outline=outline, coordinate=coordinate)
    placed = replace(placed, positions=positions_on(placed, line_um or centre_to_edge(outline, placed)))
    beam_um, depth = 0.5 * sum(beam_fwhm_um), coordinate.depth_um
    near = np.abs(depth) < 0.5 * beam_um
    partial = (depth < 0.0) & (depth > -BEAM_REACH * beam_um) & (placed.status == OK)
    flags = QuantityMap(name="partial_beam", unit="", values=near.astype(np.float64))
    return replace(
        placed,
        status=np.where(partial, PARTIAL, placed.status).astype(np.uint8),
        maps={**placed.maps, "partial_beam": flags},
    )


def _whole_again(status: Bytes) -> Bytes:
    """Status without what an earlier registration said of points near the edge."""
    return np.where(status == PARTIAL, OK, status).astype(np.uint8)


def placed_field(field: AfmReduction, *, outline: Outline | None = None) -> AfmReduction:
    """A field with its outline (given, or found by height), the coordinate of its pixels and of its lines.

    A field that lies wholly on the crystal shows no edge: it has no outline unless one is given.
    """
    outline = outline if outline is not None else _found_on_field(field)
    if outline is None:
        lines = [replace(line, s=_nothing(line), depth_um=_nothing(line)) for line in field.lines]
        return replace(field, outline=None, coordinate=None, lines=tuple(lines))
    pixel = PIXEL_SIGMA * max(field.grid.cell_um)
    lines = []
    for line in field.lines:
        at = coordinate_at(outline, line.x_um, line.y_um, footprint_um=pixel)
        lines.append(replace(line, s=at.s["rectangle"], depth_um=at.depth_um))
    x, y = field.grid.positions_um()
    return replace(
        field,
        outline=outline,
        coordinate=coordinate_at(outline, x, y, footprint_um=pixel),
        lines=tuple(lines),
    )


def _nothing(line: AfmLine) -> Array:
    return np.full(line.x_um.shape, np.nan)


def placed_image(image: SemReduction, *, outline: Outline | None = None) -> SemReduction:
    """An image with its outline and the depth of its regions; with a given outline also their s.

    Without one, s is what the reduction gave each region along edge to centre, and depth is s times the
    distance from edge to centre.
    """
    if outline is not None:
        regions = tuple(_region_in(outline, region) for region in image.regions)
        return replace(image, outline=outline, regions=regions)
    image = _without_drawn(image)
    if image.edge_nm is None or image.center_nm is None:
        return replace(image, outline=None)
    edge, centre = ((float(x) * UM_PER_NM, float(y) * UM_PER_NM) for x, y in (image.edge_nm, image.center_nm))
    outline = outline_of_edge_and_centre(edge, centre, error_um=image.pixel_size_nm * UM_PER_NM)
    half = outline.half_sides_um[0]
    regions = tuple(replace(region, depth_um=region.s * half) for region in image.regions)
    return replace(image, outline=outline, regions=regions)


def _without_drawn(image: SemReduction) -> SemReduction:
    """The image as it was before an outline gave its regions their s: by edge and centre, or none."""
    if image.outline is None or image.outline.source == "edge and centre":
        return image
    return replace(image, outline=None, regions=tuple(_projected(image, region) for region in image.regions))


def _projected(image: SemReduction, region: SemRegion) -> SemRegion:
    if image.edge_nm is None or image.center_nm is None:
        return replace(region, s=np.nan, s_err=np.nan, depth_um=np.nan)
    edge = np.asarray(image.edge_nm, dtype=np.float64)
    along = np.asarray(image.center_nm, dtype=np.float64) - edge
    half, length = 0.5 * region.size_nm, float(np.hypot(*along))
    offset = np.array([region.x_nm + half, region.y_nm + half]) - edge
    return replace(region, s=float(offset @ along) / length**2, s_err=REGION_SIGMA * region.size_nm / length)


def _region_in(outline: Outline, region: SemRegion) -> SemRegion:
    x, y = region_centre_um(region)
    at = coordinate_at(outline, x, y, footprint_um=REGION_SIGMA * region.size_nm * UM_PER_NM)
    return replace(
        region,
        s=float(at.s["rectangle"]),
        s_err=float(at.s_err["rectangle"]),
        depth_um=float(at.depth_um),
    )


REGION_SIGMA = float(np.sqrt(1.0 / 12.0 - 1.0 / (2.0 * np.pi**2)))
"""Standard deviation of places under a Hann window, in units of its length."""


def region_centre_um(region: SemRegion) -> tuple[float, float]:
    """Centre (x, y) of a region in um from the image's top-left corner."""
    half = 0.5 * region.size_nm
    return (region.x_nm + half) * UM_PER_NM, (region.y_nm + half) * UM_PER_NM


def _own(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes without those that an earlier registration added."""
    return tuple(note for note in notes if not note.startswith("no outline of the crystal"))


def _found_on_scan(scan: XrayReduction, beam_um: tuple[float, float]) -> Outline | None:
    """Outline on the intensity map; where fitted points lie elsewhere, on the map of fitted points."""
    fitted = scan.status == OK
    outline = outline_from_map(scan.grid, scan.maps["intensity"].values, footprint_um=beam_um)
    if outline is not None and (fitted.sum() < MIN_FITTED or _holds(outline, scan, fitted)):
        return outline
    missing = scan.status == XRAY_STATUS.index("frame_missing")
    on_crystal = np.where(missing, np.nan, fitted.astype(np.float64))
    return outline_from_map(scan.grid, on_crystal, footprint_um=beam_um)


def _holds(outline: Outline, scan: XrayReduction, fitted: Mask) -> bool:
    """Whether most of the fitted points lie in the outline."""
    depth = signed_distance_um(outline.vertices_um, *scan.grid.positions_um())
    return float(np.mean(depth[fitted] > -max(scan.grid.cell_um))) > MIN_AGREEMENT


def _found_on_field(field: AfmReduction) -> Outline | None:
    """Outline by height where that agrees with the pixels said to be on the crystal, else by those pixels."""
    region = field.status != AFM_STATUS.index("outside")
    if region.all() or not region.any():
        return None
    dx, dy = field.grid.cell_um
    pixel = (PIXEL_SIGMA * dx, PIXEL_SIGMA * dy)
    if np.isfinite(field.height_nm).any():
        outline = outline_from_map(field.grid, field.height_nm, footprint_um=pixel, region=region)
        if outline is not None and _agreement(outline, field, region) > MIN_AGREEMENT:
            return outline
    on_crystal: Array = region.astype(np.float64)
    return outline_from_map(field.grid, on_crystal, footprint_um=pixel)


def _agreement(outline: Outline, field: AfmReduction, region: Mask) -> float:
    inside = signed_distance_um(outline.vertices_um, *field.grid.positions_um()) >= 0.0
    return float((inside & region).sum() / max(1, int((inside | region).sum())))
