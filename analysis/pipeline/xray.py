"""The recipe of one X-ray scan: raw frames to maps, averages and patterns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.io.frames import FrameReader
from analysis.io.pattern_store import PatternStore
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import raster_lines
from analysis.pipeline.xray_scan import Scan, open_scan
from analysis.pipeline.xray_setup import region_of, region_origin, setup_of
from analysis.records import XrayReduction
from analysis.xray.frame_kernels import OK, STATUS
from analysis.xray.geometry import flipped, pixel_directions
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
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

BATCH_POINTS = 64


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
    region = region_of(scan)
    geometry = flipped(scan.geometry, block.detector_flip)
    origin = region_origin(region, scan.series.shape)
    directions = pixel_directions(geometry, origin=origin, shape=region.shape)
    with FrameReader(scan.series, region) as reader:
        setup, notes = setup_of(scan, reader, region, geometry, directions, origin, folder)
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
