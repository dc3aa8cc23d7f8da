"""The recipe of one X-ray scan: raw frames to maps, averages and patterns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.io.frames import FrameReader
from analysis.io.pattern_store import PatternStore
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import raster_lines
from analysis.pipeline.executors import Crew, threads
from analysis.pipeline.wide_angle import prepare_wide_angle, with_wide_angle
from analysis.pipeline.xray_cells import order_line
from analysis.pipeline.xray_center import center_note, checked_beam, with_refined_center
from analysis.pipeline.xray_scan import Scan, open_scan
from analysis.pipeline.xray_setup import region_of, region_origin, setup_of
from analysis.pipeline.xray_stream import Streamed, batches_of, stream
from analysis.records import XrayReduction
from analysis.xray.frame_kernels import OK, STATUS
from analysis.xray.geometry import flipped
from analysis.xray.maps import (
    FIT_NAMES,
    average_pattern,
    point_maps,
    polar_average,
    radial_profiles,
    systematic_errors,
)
from analysis.xray.reduction import FRAME_MISSING, second_chance
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]


def reduce_xray(
    block: XrayBlock,
    *,
    index: int,
    folder: Path,
    scratch: Path,
    workers: int = 1,
    crew: Crew | None = None,
    nanocrystal_size_nm: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> XrayReduction:
    """Reduce one scan with ``crew`` (``workers`` threads by default), resuming what ``scratch`` holds."""
    scan = with_refined_center(open_scan(block, folder=folder), folder=folder)
    region, geometry = region_of(scan), flipped(scan.geometry, block.detector_flip)
    origin = region_origin(region, scan.series.shape)
    with FrameReader(scan.series, region) as reader:
        prepared = setup_of(scan, reader, region, geometry, origin, folder)
        setup, wide = prepared.setup, prepare_wide_angle(scan, reader, region, geometry, folder=folder)
        store, batches = PatternStore(scratch, (*scan.grid.shape, *region.shape)), batches_of(scan.numbers)
        more = wide.passes
        with threads(workers) if crew is None else nullcontext(crew) as hands:
            streamed = stream(reader, setup, batches, store, crew=hands, passes=more, progress=progress)
    rows, rings, shape, size = streamed.rows, streamed.rings, scan.grid.shape, nanocrystal_size_nm
    exposures = setup.exposures_of(scan.numbers.ravel())
    exposed = float(exposures[rows[:, STATUS] == OK].sum())
    gained = second_chance(rows, shape, streamed.pattern, setup, exposures)
    points = point_maps(rows, rings, setup, shape=shape, nanocrystal_size_nm=size, exposures=exposures)
    missing = rows[:, STATUS].reshape(shape) == FRAME_MISSING
    beam = checked_beam(streamed, setup, geometry, origin)
    reduction = XrayReduction(
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
        q_per_nm=setup.q_centres_per_nm,
        radial=points.radial,
        radial_err=points.radial_err,
        fit_names=FIT_NAMES,
        fit_parameters=points.fit_parameters,
        systematic=systematic_errors(geometry, points.maps),
        notes=(
            *prepared.notes,
            center_note(beam, geometry, block.detector_flip),
            *_closing_notes(scan, streamed.summed, gained, missing, size),
            order_line(scan, points.maps["intensity"].values),
        ),
        patterns=store.assemble(len(batches)),
        pixel_verdict=prepared.verdict,
        beam_center=beam,
        **_averages(streamed, setup, exposures, exposed),
    )
    return with_wide_angle(reduction, wide, streamed, setup=setup, folder=scratch)


def _averages(streamed: Streamed, setup: ScanSetup, exposures: Array, exposed: float) -> dict[str, Any]:
    """Fields of the reduction that average over the frames with a lattice, ``exposed`` in all when added."""
    average = average_pattern(streamed.total, exposed, setup)
    profile, profile_err = _average_radial(streamed.rows, streamed.rings, setup, exposures)
    return {
        "average_pattern": average,
        "polar": polar_average(average, setup),
        "average_radial": profile,
        "average_radial_err": profile_err,
    }


def _average_radial(rows: Array, rings: Array, setup: ScanSetup, exposures: Array) -> tuple[Array, Array]:
    """Mean radial profile of the frames with a lattice (of all, where none has one) and its 1 sigma."""
    chosen = rows[:, STATUS] == OK
    if not chosen.any():
        chosen = rows[:, STATUS] != FRAME_MISSING
    number = max(float(exposures[chosen].sum()), 1e-9)
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
    notes += [f"frames: {note}" for note in scan.series.notes]
    if scan.raster is not None:
        notes += raster_lines(scan.raster)
    if gained:
        notes.append(f"{gained} points were fitted from their neighbours' lattice")
    if nanocrystal_size_nm is not None:
        size, spread = nanocrystal_size_nm
        notes.append(
            f"the form-factor shift, not applied, is for randomly turned cubes of {size:g} +- {spread:g} nm"
        )
    if missing.any():
        notes.append(f"{int(missing.sum())} of {missing.size} frames are missing or damaged")
    extra = scan.series.present - int(np.count_nonzero(~missing))
    if extra > 0:
        notes.append(f"{extra} frames beyond the grid were not used")
    if scan.block.detector_flip != "none":
        notes.append(f"frames were mirrored ({scan.block.detector_flip}) before anything else")
    return notes
