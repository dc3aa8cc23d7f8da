"""What all frames of one scan share, from its files: region, pixels that count, background, limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.detector_setup import user_mask
from analysis.io.frames import FrameReader, Region
from analysis.pipeline.xray_scan import Scan
from analysis.records import DetectorGeometry
from analysis.xray.background import always_high, hot_pixels, shadow_q_per_nm, smooth_background
from analysis.xray.geometry import PixelDirections, saxs_region
from analysis.xray.setup import ScanSetup, scan_setup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]

SAMPLED_FRAMES = 32
MAX_BACKGROUND_FRAMES = 400
LEAST_Q_PX = 4.0


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


def setup_of(
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
