"""The wide-angle part of a scan's recipe: what is prepared before the stream, what is made of it after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.io.detector_setup import user_mask
from analysis.io.frames import FrameReader, Region
from analysis.io.wide_angle_events import write_photons
from analysis.pipeline.wide_angle_rings import saxs_ring
from analysis.pipeline.xray_scan import Scan
from analysis.pipeline.xray_stream import Streamed
from analysis.records import DetectorGeometry, EventStack, QuantityMap, WideAngle, XrayReduction
from analysis.xray.frame_pass import CLIPPED
from analysis.xray.setup import ScanSetup
from analysis.xray.spot_window import OK
from analysis.xray.wide_angle_average import half_integer_seen, quantities_of, systematics_of
from analysis.xray.wide_angle_cells import (
    CellMap,
    cell_map,
    largest_q_per_nm,
    with_background,
    without_hot,
)
from analysis.xray.wide_angle_kernels import PHI_BINS
from analysis.xray.wide_angle_lattice import SpotTable, atomic_maps, point_status
from analysis.xray.wide_angle_pass import (
    LENGTHS,
    NAME,
    PHOTONS,
    RADIAL,
    RINGS,
    SPOTS,
    SUMMED,
    TOTAL,
    WideAnglePass,
)
from analysis.xray.wide_angle_start import REFLECTIONS, find_start, reflections_on_detector, spots_of

Array = npt.NDArray[np.float64]
Total = npt.NDArray[np.uint32]

LEAST_Q_PER_NM = 9.0
"""A detector that does not reach farther than this sees no reflection of the atomic lattice."""

SAMPLED_FRAMES = 24
MAX_BACKGROUND_FRAMES = 24

PHOTON_CAP_BYTES = 250_000_000
PHOTON_BYTES = 0.9
"""What a photon takes when it is packed, at most: about 6.5 bits at the densities met."""

KEPT_AROUND_PER_NM = 1.5
"""Where photons of all q would be too many, those this near to a reflection are kept."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The pass over wide angles (None where they are not measured) and what is to be said of it."""

    look: WideAnglePass | None
    notes: tuple[str, ...]

    @property
    def passes(self) -> tuple[WideAnglePass, ...]:
        """What joins the stream."""
        return () if self.look is None else (self.look,)


def wanted_reflections(scan: Scan) -> tuple[str, ...]:
    """Reflections that the sample file asks for; none where wide angles are not to be or cannot be seen."""
    block = scan.block
    if block.waxs is False or largest_q_per_nm(scan.geometry) <= LEAST_Q_PER_NM:
        return ()
    return block.atomic_reflections or tuple(REFLECTIONS)


def reflections_line(scan: Scan, *, folder: Path) -> str:
    """Which reflections of the atomic lattice lie on the detector, for the completeness report."""
    farthest = largest_q_per_nm(scan.geometry)
    reach = f"wide angles: the detector reaches q = {farthest:.3g} nm^-1"
    if scan.block.waxs is False:
        return f"{reach}; not measured (waxs = false)"
    names = wanted_reflections(scan)
    if not names:
        return f"{reach}: no reflection of the atomic lattice lies on it"
    usable = ~(scan.series.rejected | user_mask(scan.block, scan.series.shape, folder=folder))
    first_q = scan.block.saxs_q_max_per_nm
    cells = cell_map(scan.geometry, usable=usable, q_first_per_nm=first_q, limit=_limit(scan))
    seen = () if cells is None else reflections_on_detector(cells, names)
    return f"{reach}; on it lie of {', '.join(names)}: {', '.join(seen) or 'none'}"


def prepare_wide_angle(
    scan: Scan, reader: FrameReader, region: Region, geometry: DetectorGeometry, *, folder: Path
) -> Prepared:
    """Cells, background and start of the spots of one scan, from some of its frames."""
    names = wanted_reflections(scan)
    if not names:
        return Prepared(look=None, notes=())
    limit = _limit(scan)
    background, n_background = _background_total(scan, region, limit)
    sampled, n_sampled = _total(reader, _some(reader, scan.numbers), limit)
    masked = scan.series.rejected | user_mask(scan.block, scan.series.shape, folder=folder)
    usable = ~np.asarray(region.mirrored(masked), dtype=np.bool_)
    first_q = scan.block.saxs_q_max_per_nm
    cells = cell_map(geometry, usable=usable, q_first_per_nm=first_q, limit=limit)
    if cells is None:
        return Prepared(look=None, notes=())
    usable, hot = without_hot(cells, background + sampled)
    cells = cell_map(geometry, usable=usable, q_first_per_nm=first_q, limit=limit)
    if cells is None:
        return Prepared(look=None, notes=())
    cells = with_background(cells, background, n_background, scan.beta)
    seen = reflections_on_detector(cells, names)
    histogram = _histogram(cells, sampled)
    start = find_start(cells, histogram, seen, frames=n_sampled)
    if start is None:
        return Prepared(
            look=None,
            notes=(f"wide angles: no spots of {', '.join(seen) or 'any reflection'} in {n_sampled} frames",),
        )
    kept, note = _kept(cells, histogram, seen, start.a_al_nm, n_sampled=n_sampled, n_frames=scan.numbers.size)
    look = WideAnglePass(cells=cells, start=start, spots=spots_of(seen), ring_names=seen, kept=kept)
    notes = (
        f"wide angles: reflections {', '.join(seen)} lie on the detector; spots are looked for around "
        f"a_AL = {start.a_al_nm:.4f} nm, each is fitted singly to counts",
        f"wide angles: {hot} hot pixels are left out; background of {n_background} frames",
        note,
    )
    return Prepared(look=look, notes=notes)


def _limit(scan: Scan) -> int:
    """First count that is not trusted."""
    metadata = scan.series.metadata
    limit = min(CLIPPED, metadata.masked_value)
    return limit if metadata.saturation is None else min(limit, metadata.saturation + 1)


def _some(reader: FrameReader, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of some frames, evenly over the scan."""
    wanted = np.intersect1d(reader.numbers(), numbers)
    return wanted[np.unique(np.linspace(0, wanted.size - 1, SAMPLED_FRAMES).astype(np.int64))]


def _background_total(scan: Scan, region: Region, limit: int) -> tuple[Total, int]:
    if scan.background is None:
        return np.zeros(scan.series.shape, dtype=np.uint32), 0
    with FrameReader(scan.background, region) as reader:
        return _total(reader, reader.numbers()[:MAX_BACKGROUND_FRAMES], limit)


def _total(reader: FrameReader, numbers: npt.NDArray[np.int64], limit: int) -> tuple[Total, int]:
    """Sum of frames (detector rows, cols), mirrored, pixels that are not trusted as 0; and their number."""
    total, count = np.zeros(reader.series.shape, dtype=np.uint32), 0
    region = np.empty(reader.shape, dtype=np.uint32)
    whole = np.empty(reader.series.shape, dtype=np.uint16)
    for number in numbers:
        if reader.read_whole(int(number), region, whole):
            whole[whole >= limit] = 0
            total += whole
            count += 1
    return total, count


def _histogram(cells: CellMap, total: Total) -> Total:
    good = cells.cell >= 0
    size = cells.rows * PHI_BINS
    return np.bincount(cells.cell[good], weights=total[good], minlength=size).astype(np.uint32)


def _kept(
    cells: CellMap, histogram: Total, names: tuple[str, ...], a_al_nm: float, *, n_sampled: int, n_frames: int
) -> tuple[npt.NDArray[np.bool_], str]:
    """Rows of cells whose photons are kept in the result, and a note that says which and why."""
    by_row = histogram.reshape(cells.rows, PHI_BINS).sum(axis=1) / max(1, n_sampled)
    orders = [np.hypot(*REFLECTIONS[name]) for name in names]
    near = np.any(
        [np.abs(cells.q_per_nm - 2.0 * np.pi * order / a_al_nm) < KEPT_AROUND_PER_NM for order in orders],
        axis=0,
    )
    whole = np.ones(cells.rows, dtype=np.bool_)
    cap = f"{PHOTON_CAP_BYTES / 1e6:.0f} MB"
    for rows, what in ((whole, "all"), (near, f"those within {KEPT_AROUND_PER_NM:g} nm^-1 of a reflection")):
        size = PHOTON_BYTES * float(by_row[rows].sum()) * n_frames
        if size <= PHOTON_CAP_BYTES:
            return rows, f"wide angles: {what} photons are kept, about {size / 1e6:.0f} MB (at most {cap})"
    return np.zeros_like(whole), f"wide angles: photons are not kept: they would take more than {cap}"


def with_wide_angle(
    reduction: XrayReduction, prepared: Prepared, streamed: Streamed, *, setup: ScanSetup, folder: Path
) -> XrayReduction:
    """The same reduction with what its wide angles gave, maps of the atomic lattice included."""
    notes = (*reduction.notes, *prepared.notes)
    if prepared.look is None:
        return replace(reduction, notes=notes)
    wide, atomic = measured_wide_angle(
        prepared.look,
        streamed,
        setup=setup,
        geometry=reduction.geometry,
        maps=reduction.maps,
        folder=folder,
    )
    return replace(reduction, notes=notes, maps={**reduction.maps, **atomic}, wide_angle=wide)


def measured_wide_angle(
    look: WideAnglePass,
    streamed: Streamed,
    *,
    setup: ScanSetup,
    geometry: DetectorGeometry,
    maps: Mapping[str, QuantityMap],
    folder: Path,
) -> tuple[WideAngle, dict[str, QuantityMap]]:
    """Rings, spots, averages and photons of a scan, and maps of its atomic lattice."""
    shape = maps["a_sc"].values.shape
    points = streamed.passes[NAME].points
    totals = streamed.passes[NAME].totals
    table = SpotTable(values=points[SPOTS].astype(np.float64), spots=look.spots)
    psi = maps["psi"]
    nothing = np.full(psi.values.shape, np.nan)
    atomic = atomic_maps(
        table,
        shape=(shape[0], shape[1]),
        psi_deg=psi.values,
        psi_err_deg=nothing if psi.errors is None else psi.errors,
    )
    status = point_status(table)
    radial, average, average_err = _radial(look.cells, points[RADIAL], status == OK)
    weight, expected = look.ring_layers()
    first = saxs_ring(streamed, setup, maps, points=status.size)
    azimuthal = np.concatenate([first.azimuthal, points[RINGS]], axis=1)
    summed = int(totals[SUMMED])
    wide = WideAngle(
        q_per_nm=look.cells.q_per_nm,
        radial=radial.reshape(*shape, -1),
        average_radial=average,
        average_radial_err=average_err,
        ring_names=(*first.names, *look.ring_names),
        ring_q_per_nm=np.concatenate([first.q_per_nm, look.ring_q_per_nm]),
        ring_half_width_per_nm=np.concatenate([first.half_width_per_nm, look.ring_half_width_per_nm]),
        azimuthal=_narrowed(azimuthal.reshape(*shape, -1, PHI_BINS)),
        ring_pixels=np.concatenate([first.pixels, weight]),
        ring_background=np.concatenate([first.background, expected]),
        reflections=look.ring_names,
        spot_names=tuple(spot.name for spot in look.spots),
        spots=points[SPOTS].reshape(*shape, len(look.spots), -1),
        status=status.reshape(shape),
        half_integer=half_integer_seen(look, totals[TOTAL], summed),
        quantities=quantities_of(look, table, atomic, geometry),
        systematic=systematics_of(look, table, atomic, geometry),
        notes=_notes(summed),
        events=_photons(look, streamed, points[LENGTHS].reshape(shape), folder),
    )
    return wide, atomic


def _narrowed(counts: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
    """The same counts in 16 bits where they fit."""
    return counts if counts.size and int(counts.max()) >= 2**16 else counts.astype(np.uint16)


def _photons(
    look: WideAnglePass, streamed: Streamed, lengths: npt.NDArray[np.int64], folder: Path
) -> EventStack | None:
    if not look.kept.any():
        return None
    rows, cols = look.cells.cell.shape
    stored = (each[PHOTONS] for each in streamed.stored(NAME))
    return write_photons(folder, stored, lengths, detector=(rows, cols))


def _radial(
    cells: CellMap, counts: npt.NDArray[np.float32], found: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], Array, Array]:
    """I(q) of each point (points, n_q), their average over points with spots, and its 1 sigma."""
    weight, background = cells.layers[0].sum(axis=1), cells.layers[1].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        radial = np.where(weight > 0.0, (counts - background) / weight, np.nan).astype(np.float32)
        if not found.any():
            nothing = np.full(cells.rows, np.nan)
            return radial, nothing, nothing.copy()
        n = np.count_nonzero(found)
        mean = counts[found].mean(axis=0, dtype=np.float64)
        average = np.where(weight > 0.0, (mean - background) / weight, np.nan)
        variance = mean / n + cells.background_share * background
        return radial, average, np.where(weight > 0.0, np.sqrt(variance) / weight, np.nan)


def _notes(summed: int) -> tuple[str, ...]:
    return (
        f"spots were found at {summed} points; a_AL is the mean of 2 pi sqrt(h^2 + k^2) / q of all spots",
        "mosaic: from the azimuthal width, sigma_phi^2 - (sigma_q / q)^2",
        "size: L = 0.886 2 pi / FWHM of h00 spots (Scherrer, K = 0.886 for cubes); nothing is taken off for "
        "resolution",
        "a_al.ewald: a_AL reads high by so much because more photons come from the side of a spot that is "
        "nearer to the Ewald sphere; a_al.curvature: and low by so much because spots are flat; not applied",
    )
