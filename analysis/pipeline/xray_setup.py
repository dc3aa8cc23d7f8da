"""What all frames of one scan share, from its files: region, pixels that count, background, limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.detector_setup import user_mask
from analysis.io.frames import FrameReader, Region
from analysis.pipeline.xray_scan import Scan
from analysis.records import Bytes, DetectorGeometry
from analysis.xray.background import smooth_background
from analysis.xray.geometry import direct_beam_px, pixel_directions, saxs_region
from analysis.xray.setup import ScanSetup, scan_setup
from analysis.xray.verdicts import COUNTED, UNFIT, judge_pixels

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

SAMPLED_FRAMES = 64
MAX_BACKGROUND_FRAMES = 400


def region_of(scan: Scan) -> Region:
    """Rows and columns of the detector that hold the small-angle region; raises InputError where few do."""
    rows, cols = saxs_region(scan.geometry, scan.block.saxs_q_max_per_nm)
    if rows[1] - rows[0] < 8 or cols[1] - cols[0] < 8:
        raise InputError(
            scan.series.path,
            field="beam_center_px",
            expected=f"pixels with q below {scan.block.saxs_q_max_per_nm:g} nm^-1 on the detector",
            found=f"hardly any with the beam at column, row {scan.geometry.beam_center_px}",
        )
    return Region(rows=rows, cols=cols, flip=scan.block.detector_flip)


def region_origin(region: Region, shape: tuple[int, int]) -> tuple[int, int]:
    """First row and column of the region on the mirrored detector."""
    row, col = region.rows[0], region.cols[0]
    if region.flip == "vertical":
        row = shape[0] - region.rows[1]
    if region.flip == "horizontal":
        col = shape[1] - region.cols[1]
    return row, col


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What all frames share, why pixels of the region (h, w) are left out, and notes about both."""

    setup: ScanSetup
    verdict: Bytes
    notes: tuple[str, ...]


def setup_of(
    scan: Scan,
    reader: FrameReader,
    region: Region,
    geometry: DetectorGeometry,
    origin: tuple[int, int],
    folder: Path,
) -> Prepared:
    """Pixels that count, background and limits of a scan, and notes about them."""
    block, metadata = scan.block, scan.series.metadata
    directions = pixel_directions(geometry, origin=origin, shape=region.shape)
    filled = metadata.masked_value
    beam_px = beam_in_region(geometry, origin)
    sample = _sample(reader, scan.numbers)
    total, frames = _background_total(scan, region)
    pixels = judge_pixels(
        file_mask=np.asarray(region.cut(scan.series.rejected), dtype=np.bool_),
        user_mask=np.asarray(region.cut(user_mask(block, scan.series.shape, folder=folder)), dtype=np.bool_),
        sample=sample,
        filled=filled,
        background=total if frames else None,
        background_frames=frames,
        directions=directions,
        beam_px=beam_px,
        q_range_per_nm=(block.q_min_per_nm, block.saxs_q_max_per_nm),
    )
    usable, notes = pixels.verdict == COUNTED, list(pixels.notes)
    background, share = np.zeros(region.shape), 0.0
    if frames:
        clean = ~np.isin(pixels.verdict, UNFIT)
        background = scan.beta * smooth_background(total / frames, clean, directions)
        share = scan.beta / frames
        notes.insert(0, f"background: mean of {frames} frames times {scan.beta:.6g} ({scan.beta_source})")
    else:
        notes.insert(0, "no background frames: an offset of each peak's surroundings is fitted alone")
    setup = scan_setup(
        directions,
        usable=usable,
        background=background,
        background_share=share,
        beam_px=beam_px,
        limit=filled if metadata.saturation is None else min(filled, metadata.saturation + 1),
        q_min_per_nm=pixels.q_min_per_nm,
        q_max_per_nm=block.saxs_q_max_per_nm,
        first_order_q_per_nm=block.first_order_q_per_nm,
    )
    if scan.monitor is not None:
        setup = replace(setup, exposures=scan.monitor)
        notes.append(_monitor_note(scan))
    return Prepared(setup=setup, verdict=pixels.verdict, notes=tuple(notes))


def _monitor_note(scan: Scan) -> str:
    """What was done with the monitor, and for how many points it is not known."""
    known = np.zeros(scan.numbers.shape, dtype=np.bool_)
    there = (scan.numbers >= 1) & (scan.numbers <= scan.monitor.size) if scan.monitor is not None else known
    if scan.monitor is not None:
        known[there] = np.isfinite(scan.monitor[scan.numbers[there] - 1])
    text = f"intensities are at the median monitor ({scan.monitor_source}), background frames are taken to be"
    lost = int(np.count_nonzero(~known & (scan.numbers > 0)))
    return f"{text}; {lost} points without a value are taken to be as well" if lost else text


def beam_in_region(geometry: DetectorGeometry, origin: tuple[int, int]) -> tuple[float, float]:
    """The direct beam's (column, row), counted from the region's first pixel."""
    col, row = direct_beam_px(geometry)
    return col - origin[1], row - origin[0]


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
