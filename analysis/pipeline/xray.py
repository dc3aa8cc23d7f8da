"""The recipe of one X-ray scan: raw frames to maps, averages and patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.detector_setup import detector_geometry, user_mask
from analysis.io.eiger import Series, find_series_file, read_series
from analysis.io.frames import FrameReader, Region
from analysis.io.pattern_store import PatternStore
from analysis.io.sample_file import FILE_NAME, XrayBlock
from analysis.io.scan_grid import image_numbers, scan_grid
from analysis.io.scan_positions import ScanRaster, raster_lines, read_raster
from analysis.records import DetectorGeometry, PixelGrid, XrayReduction
from analysis.xray.background import always_high, hot_pixels, shadow_q_per_nm, smooth_background
from analysis.xray.frame_kernels import OK, STATUS
from analysis.xray.geometry import PixelDirections, flipped, pixel_directions, saxs_region
from analysis.xray.maps import (
    FIT_NAMES,
    average_pattern,
    point_maps,
    polar_average,
    radial_profiles,
    systematic_errors,
)
from analysis.xray.reduction import (
    FRAME_MISSING,
    Batch,
    reduce_batches,
    second_chance,
    without_patterns,
)
from analysis.xray.setup import ScanSetup, scan_setup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

BATCH_POINTS = 64
SAMPLED_FRAMES = 32
MAX_BACKGROUND_FRAMES = 400
LEAST_Q_PX = 4.0


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the files of one block say: frames, geometry as stored, background, grid, numbers of images."""

    block: XrayBlock
    series: Series
    geometry: DetectorGeometry
    background: Series | None
    grid: PixelGrid
    numbers: npt.NDArray[np.int64]
    beta: float
    beta_source: str
    raster: ScanRaster | None = None


def open_scan(block: XrayBlock, *, folder: Path) -> Scan:
    """Read the metadata of a block; raises InputError where it cannot be reduced."""
    series = read_series(find_series_file(folder, block.frames))
    geometry = detector_geometry(block, series, folder=folder)
    raster = None if block.positions is None else read_raster(block, folder=folder)
    grid, numbers = _places(block, raster, folder)
    if raster is None:
        _check_count(grid.shape, series, folder)
    else:
        _check_positions(raster, series, folder)
    background = None
    if block.background is not None:
        background = read_series(find_series_file(folder, block.background))
        if background.shape != series.shape:
            raise InputError(
                background.path,
                expected=f"frames of {series.shape[0]} x {series.shape[1]} pixels, as the scan's",
                found=f"{background.shape[0]} x {background.shape[1]}",
            )
    user_mask(block, series.shape, folder=folder)
    beta, beta_source = _beta(block, series, background)
    return Scan(
        block=block,
        series=series,
        geometry=geometry,
        background=background,
        grid=grid,
        numbers=numbers,
        beta=beta,
        beta_source=beta_source,
        raster=raster,
    )


def _places(
    block: XrayBlock, raster: ScanRaster | None, folder: Path
) -> tuple[PixelGrid, npt.NDArray[np.int64]]:
    """Grid of the scan and the image number of each of its points, -1 for one without."""
    if raster is not None:
        return scan_grid(raster.shape, raster.step_um, raster.axes), raster.image_numbers()
    if block.shape is None or block.step_um is None:
        raise InputError(folder / FILE_NAME, field="xray.shape", expected="shape and step_um", found="none")
    return (
        scan_grid(block.shape, block.step_um, block.scan_axes),
        image_numbers(block.shape, serpentine=block.serpentine),
    )


def _check_positions(raster: ScanRaster, series: Series, folder: Path) -> None:
    """As many positions as frames; where the scan was stopped, as many frames as were planned or fewer."""
    positions, cells = len(raster.cells), raster.shape[0] * raster.shape[1]
    count = series.expected if series.expected is not None else series.highest_number
    if count == positions or (raster.in_order and count == cells):
        return
    if series.expected is None and count < positions:
        return
    raise InputError(
        folder / FILE_NAME,
        field="xray.positions",
        expected=f"as many positions as {series.path.name} has frames, {count}",
        found=f"{positions} in {raster.path.name}, on {raster.shape[0]} x {raster.shape[1]} cells",
        remedy="name the positions of this scan",
    )


def _check_count(shape: tuple[int, int], series: Series, folder: Path) -> None:
    points = shape[0] * shape[1]
    count = series.expected if series.expected is not None else series.highest_number
    if count == points or (series.expected is None and count < points):
        return
    raise InputError(
        folder / FILE_NAME,
        field="xray.shape",
        expected=f"as many points as {series.path.name} has frames, {count}",
        found=f"{shape[0]} x {shape[1]} = {points}",
        remedy="correct the shape",
    )


def _beta(block: XrayBlock, series: Series, background: Series | None) -> tuple[float, str]:
    """Factor of the background's mean frame, and where it comes from."""
    if background is None:
        return 0.0, "no background"
    scan_s = block.exposure_s or series.metadata.exposure_s
    background_s = block.background_exposure_s or background.metadata.exposure_s
    if scan_s is None or background_s is None:
        return 1.0, "exposures not known: taken as equal"
    return scan_s / background_s, f"exposures {scan_s:g} s and {background_s:g} s"


def xray_inputs(block: XrayBlock, *, folder: Path) -> list[Path]:
    """Every file that the reduction of a block reads, those that others link to included."""
    paths: list[Path] = []
    for name in (block.frames, block.background):
        if name is not None:
            series = read_series(find_series_file(folder, name))
            paths += [series.path, *series.files, *(part.path for part in series.parts)]
    if block.positions is not None:
        paths += read_raster(block, folder=folder).files
    paths += [folder / name for name in (block.poni, block.mask) if name is not None]
    return list(dict.fromkeys(path.resolve() for path in paths))


def check_xray(block: XrayBlock, *, folder: Path) -> list[str]:
    """Completeness of a scan and where each value comes from, a line each; raises InputError."""
    scan = open_scan(block, folder=folder)
    points = int(np.count_nonzero(scan.numbers > 0))
    series = scan.series
    there = sum(
        int(np.count_nonzero((scan.numbers >= part.first_number) & (scan.numbers <= part.last_number)))
        for part in series.parts
    )
    lines = [
        f"frames: {points} expected ({scan.grid.shape[0]} x {scan.grid.shape[1]}), {there} present, "
        f"{points - there} missing, {max(0, series.present - there)} extra",
    ]
    if scan.raster is not None:
        lines += raster_lines(scan.raster)
    if series.missing_files:
        lines.append(f"files that are not there: {', '.join(series.missing_files)}")
    geometry = scan.geometry
    size, centre = geometry.pixel_size_um, geometry.beam_center_px
    shown = {
        "wavelength_nm": f"wavelength {geometry.wavelength_nm:.6g} nm",
        "distance_mm": f"distance {geometry.distance_mm:.6g} mm",
        "pixel_size_um": f"pixel size {size[0]:.6g} x {size[1]:.6g} um",
        "beam_center_px": f"beam centre column {centre[0]:.6g}, row {centre[1]:.6g} (centres at integers)",
    }
    lines += [f"{text}, from {geometry.sources.get(name, '?')}" for name, text in shown.items()]
    rejected = int(np.count_nonzero(series.rejected | user_mask(block, series.shape, folder=folder)))
    lines.append(f"detector {series.shape[0]} x {series.shape[1]}, {rejected} pixels masked by file and user")
    if scan.background is not None:
        lines.append(
            f"background: {scan.background.present} frames, scaled by {scan.beta:.6g} ({scan.beta_source})"
        )
    return lines


def reduce_xray(
    block: XrayBlock,
    *,
    index: int,
    folder: Path,
    workers: int,
    scratch: Path,
    nanocrystal_size_nm: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> XrayReduction:
    """Reduce one scan; its patterns lie in ``scratch``, from which an interrupted run is taken up again."""
    scan = open_scan(block, folder=folder)
    region = _region(scan)
    geometry = flipped(scan.geometry, block.detector_flip)
    origin = _origin(region, scan.series.shape)
    directions = pixel_directions(geometry, origin=origin, shape=region.shape)
    with FrameReader(scan.series, region) as reader:
        setup, notes = _setup(scan, reader, region, geometry, directions, origin, folder)
        store = PatternStore(scratch, (*scan.grid.shape, *region.shape))
        batches = _batches(scan.numbers)
        rows, rings, totals = _stream(reader, setup, batches, store, workers=workers, progress=progress)
    gained = second_chance(rows, scan.grid.shape, _reader_of(store, batches), setup)
    patterns = store.assemble(len(batches))
    points = point_maps(rows, rings, setup, shape=scan.grid.shape, nanocrystal_size_nm=nanocrystal_size_nm)
    average = average_pattern(*totals, setup)
    profile, profile_err = _average_radial(rows, rings, setup)
    missing = rows[:, STATUS].reshape(scan.grid.shape) == FRAME_MISSING
    return XrayReduction(
        index=index,
        crystal=block.crystal,
        frames_path=block.frames,
        grid=scan.grid,
        geometry=geometry,
        maps=points.maps,
        status=points.status,
        frame_numbers=np.where(missing, -1, scan.numbers).astype(np.int32),
        region=origin,
        valid=setup.usable,
        average_pattern=average,
        polar=polar_average(average, setup),
        q_per_nm=setup.q_centres_per_nm,
        radial=points.radial,
        radial_err=points.radial_err,
        average_radial=profile,
        average_radial_err=profile_err,
        fit_names=FIT_NAMES,
        fit_parameters=points.fit_parameters,
        systematic=systematic_errors(geometry, points.maps),
        notes=(*notes, *_closing_notes(scan, totals[1], gained, missing, nanocrystal_size_nm)),
        patterns=patterns,
    )


def _region(scan: Scan) -> Region:
    rows, cols = saxs_region(scan.geometry, scan.block.saxs_q_max_per_nm)
    if rows[1] - rows[0] < 8 or cols[1] - cols[0] < 8:
        raise InputError(
            scan.series.path,
            field="beam_center_px",
            expected=f"pixels with q below {scan.block.saxs_q_max_per_nm:g} nm^-1 on the detector",
            found=f"hardly any with the beam at column, row {scan.geometry.beam_center_px}",
        )
    return Region(rows=rows, cols=cols, flip=scan.block.detector_flip)


def _origin(region: Region, shape: tuple[int, int]) -> tuple[int, int]:
    """First row and column of the region on the mirrored detector."""
    row, col = region.rows[0], region.cols[0]
    if region.flip == "vertical":
        row = shape[0] - region.rows[1]
    if region.flip == "horizontal":
        col = shape[1] - region.cols[1]
    return row, col


def _setup(
    scan: Scan,
    reader: FrameReader,
    region: Region,
    geometry: DetectorGeometry,
    directions: PixelDirections,
    origin: tuple[int, int],
    folder: Path,
) -> tuple[ScanSetup, list[str]]:
    """Pixels that count, background and limits of a scan, and notes about them."""
    block, series = scan.block, scan.series
    masked = series.rejected | user_mask(block, series.shape, folder=folder)
    usable = ~np.asarray(region.cut(masked), dtype=np.bool_)
    sample = _sample(reader, scan.numbers)
    filled = series.metadata.masked_value
    usable &= ~np.all(sample >= filled, axis=0)
    hot = always_high(np.where(sample >= filled, 0, sample), usable)
    notes = []
    background, share = np.zeros(region.shape), 0.0
    total, frames = _background_total(scan, region)
    if frames:
        usable &= total < frames * filled
        hot |= hot_pixels(total, usable)
        usable &= ~hot
        background = scan.beta * smooth_background(total / frames, usable, directions)
        share = scan.beta / frames
        notes.append(f"background: mean of {frames} frames times {scan.beta:.6g} ({scan.beta_source})")
    else:
        usable &= ~hot
        total = _darkest(sample, usable)
        notes.append("no background frames: an offset of each peak's surroundings is fitted alone")
    notes.append(f"{int(hot.sum())} hot pixels of {hot.size} are left out")
    shadow = shadow_q_per_nm(total, usable, directions)
    q_min = max(shadow, LEAST_Q_PX * directions.step_per_nm)
    if block.q_min_per_nm is not None:
        q_min = block.q_min_per_nm
    notes.append(f"nothing nearer to the beam than q = {q_min:.4g} nm^-1 is used")
    saturation = series.metadata.saturation
    setup = scan_setup(
        directions,
        usable=usable,
        background=background,
        background_share=share,
        beam_px=(geometry.beam_center_px[0] - origin[1], geometry.beam_center_px[1] - origin[0]),
        limit=filled if saturation is None else min(filled, saturation + 1),
        q_min_per_nm=q_min,
        q_max_per_nm=block.saxs_q_max_per_nm,
        first_order_q_per_nm=block.first_order_q_per_nm,
    )
    return setup, notes


def _sample(reader: FrameReader, numbers: npt.NDArray[np.int64]) -> Counts:
    """Some frames (n, h, w) evenly over the scan; raises InputError where none can be read."""
    wanted = np.intersect1d(reader.numbers(), numbers)
    frames = []
    for number in wanted[np.unique(np.linspace(0, wanted.size - 1, SAMPLED_FRAMES).astype(np.int64))]:
        frame = np.zeros(reader.shape, dtype=np.uint32)
        if reader.read(int(number), frame):
            frames.append(frame)
    if not frames:
        raise InputError(reader.series.path, expected="frames that can be decoded", found="none")
    return np.stack(frames)


def _darkest(sample: Counts, usable: npt.NDArray[np.bool_]) -> Array:
    """Sum (h, w) of the quarter of the sampled frames with the fewest counts: those without a crystal."""
    order = np.argsort(np.where(usable, sample, 0).sum(axis=(1, 2)), kind="stable")
    return np.asarray(sample[order[: max(1, sample.shape[0] // 4)]].sum(axis=0), dtype=np.float64)


def _background_total(scan: Scan, region: Region) -> tuple[Array, int]:
    """Sum of the background's frames (h, w) and how many they are."""
    total, count = np.zeros(region.shape), 0
    if scan.background is None:
        return total, count
    frame = np.zeros(region.shape, dtype=np.uint32)
    with FrameReader(scan.background, region) as reader:
        for number in reader.numbers()[:MAX_BACKGROUND_FRAMES]:
            if reader.read(int(number), frame):
                total += frame
                count += 1
    if count == 0:
        raise InputError(scan.background.path, expected="frames that can be decoded", found="none")
    return total, count


def _batches(numbers: npt.NDArray[np.int64]) -> list[list[int]]:
    """Image numbers in scan order, whole rows together until a batch is full."""
    per_batch = max(1, BATCH_POINTS // numbers.shape[1])
    return [
        [int(number) for number in numbers[row : row + per_batch].ravel()]
        for row in range(0, numbers.shape[0], per_batch)
    ]


def _stream(
    reader: FrameReader,
    setup: ScanSetup,
    batches: list[list[int]],
    store: PatternStore,
    *,
    workers: int,
    progress: Callable[[int, int], None],
) -> tuple[Array, Array, tuple[npt.NDArray[np.uint64], int]]:
    """Reduce what is not kept already; gives all rows and rings, and the sum of frames with a lattice."""
    total = sum(len(batch) for batch in batches)
    kept: dict[int, Batch] = {}
    for number, points in enumerate(batches):
        recalled = store.recall(number, len(points))
        if recalled is not None:
            kept[number] = recalled
    done = sum(len(batches[number]) for number in kept)
    progress(done, total)
    open_ones = [number for number in range(len(batches)) if number not in kept]
    made = reduce_batches(reader, setup, [batches[number] for number in open_ones], workers=workers)
    for number, batch in zip(open_ones, made, strict=True):
        store.keep(number, batch)
        kept[number] = without_patterns(batch)
        done += len(batches[number])
        progress(done, total)
    ordered = [kept[number] for number in range(len(batches))]
    summed = sum(batch.summed for batch in ordered)
    counts = np.zeros(setup.shape, dtype=np.uint64)
    for batch in ordered:
        counts += batch.total
    rows = np.concatenate([batch.rows for batch in ordered])
    rings = np.concatenate([batch.rings for batch in ordered])
    return rows, rings, (counts, summed)


def _reader_of(store: PatternStore, batches: list[list[int]]) -> Callable[[int], Counts | None]:
    per_batch = len(batches[0])
    return lambda point: store.pattern(point // per_batch, point % per_batch)


def _average_radial(rows: Array, rings: Array, setup: ScanSetup) -> tuple[Array, Array]:
    """Mean radial profile of the frames with a lattice (of all, where none has one) and its 1 sigma."""
    chosen = rows[:, STATUS] == OK
    if not chosen.any():
        chosen = rows[:, STATUS] != FRAME_MISSING
    number = max(1, int(chosen.sum()))
    value, spread = radial_profiles(rings[chosen].sum(axis=0, keepdims=True) / number, setup)
    background = setup.expected.sum(axis=1)
    weight = np.maximum(setup.weight.sum(axis=1), 1e-12)
    counted = rings[chosen].sum(axis=0) / number**2
    error = np.sqrt(counted + setup.background_share * background) / weight
    return value[0], np.where(np.isfinite(spread[0]), error, np.nan)


def _closing_notes(
    scan: Scan,
    summed: int,
    gained: int,
    missing: npt.NDArray[np.bool_],
    nanocrystal_size_nm: tuple[float, float] | None,
) -> list[str]:
    notes = [
        f"averages are over the {summed} frames in which a lattice was found",
        "widths (sigma_q) are without the pixel's part; the beam's divergence is not known and is in them",
    ]
    if scan.raster is not None:
        notes += raster_lines(scan.raster)
    if gained:
        notes.append(f"{gained} points were fitted from their neighbours' lattice")
    if nanocrystal_size_nm is not None:
        size, spread = nanocrystal_size_nm
        notes.append(
            f"a_sc_shift is for randomly turned cubes of {size:g} +- {spread:g} nm and is not applied"
        )
    if missing.any():
        notes.append(f"{int(missing.sum())} of {missing.size} frames are missing or damaged")
    extra = scan.series.present - int(np.count_nonzero(~missing))
    if extra > 0:
        notes.append(f"{extra} frames beyond the grid were not used")
    if scan.block.detector_flip != "none":
        notes.append(f"frames were mirrored ({scan.block.detector_flip}) before anything else")
    return notes
