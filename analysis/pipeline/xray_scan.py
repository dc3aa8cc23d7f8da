"""What the files of one X-ray block say: frames, geometry, background, grid, and what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.detector_files import read_frames
from analysis.io.detector_setup import detector_geometry, user_mask
from analysis.io.monitor import Monitor, read_monitor
from analysis.io.sample_file import FILE_NAME, XrayBlock
from analysis.io.scan_grid import image_numbers, scan_grid
from analysis.io.scan_positions import ScanRaster, read_raster
from analysis.io.series import Series
from analysis.records import DetectorGeometry, PixelGrid


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the files of one block say: frames, geometry as stored, background, grid, numbers of images.

    ``monitor`` (points,) is the relative intensity at images 1 ..., their median 1, NaN where not known.
    """

    block: XrayBlock
    series: Series
    geometry: DetectorGeometry
    background: Series | None
    grid: PixelGrid
    numbers: npt.NDArray[np.int64]
    beta: float
    beta_source: str
    raster: ScanRaster | None = None
    monitor: npt.NDArray[np.float64] | None = None
    monitor_source: str = ""


def open_scan(block: XrayBlock, *, folder: Path) -> Scan:
    """Read the metadata of a block; raises InputError where it cannot be reduced."""
    series = read_frames(folder, block.frames)
    geometry = detector_geometry(block, series, folder=folder)
    raster = None if block.positions is None else read_raster(block, folder=folder)
    grid, numbers = _places(block, raster, folder)
    if raster is None:
        _check_count(grid.shape, series, folder)
    else:
        _check_positions(raster, series, folder)
    background = None
    if block.background is not None:
        background = read_frames(folder, block.background)
        if background.shape != series.shape:
            raise InputError(
                background.path,
                expected=f"frames of {series.shape[0]} x {series.shape[1]} pixels, as the scan's",
                found=f"{background.shape[0]} x {background.shape[1]}",
            )
    user_mask(block, series.shape, folder=folder)
    monitor = read_monitor(block, folder=folder)
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
        monitor=None if monitor is None else _per_point(monitor, numbers, series, folder),
        monitor_source="" if monitor is None else monitor.source,
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


def _per_point(
    monitor: Monitor, numbers: npt.NDArray[np.int64], series: Series, folder: Path
) -> npt.NDArray[np.float64]:
    """A value (points,) for every frame that was planned, NaN after the last where the scan was stopped."""
    planned, values = int(numbers.max()), monitor.values
    if not min(planned, series.highest_number) <= values.size <= planned:
        raise InputError(
            folder / FILE_NAME,
            field="xray.monitor",
            expected=f"a value for each of the {planned} points",
            found=f"{values.size} in {monitor.path.name}",
            remedy="name the monitor of this scan",
        )
    return np.concatenate([values, np.full(planned - values.size, np.nan)])


def _check_count(shape: tuple[int, int], series: Series, folder: Path) -> None:
    points = shape[0] * shape[1]
    count = series.expected if series.expected is not None else series.highest_number
    if count == points or (series.expected is None and count < points):
        return
    whole = count > points and count % points == 0
    several = f"{count // points} frames a point are too many: one is read" if whole else None
    raise InputError(
        folder / FILE_NAME,
        field="xray.shape",
        expected=f"as many points as {series.path.name} has frames, {count}",
        found=f"{shape[0]} x {shape[1]} = {points}",
        remedy=f"{count // points} frames a point are too many: one is read"
        if several
        else "correct the shape",
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
            series = read_frames(folder, name)
            paths += [*series.files, *(part.path for part in series.parts)]
    if block.positions is not None:
        paths += read_raster(block, folder=folder).files
    monitor = read_monitor(block, folder=folder)
    if monitor is not None:
        paths.append(monitor.path)
    paths += [folder / name for name in (block.poni, block.mask) if name is not None]
    return list(dict.fromkeys(path.resolve() for path in paths))
