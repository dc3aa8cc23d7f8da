"""The completeness report of one X-ray scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analysis.errors import InputError
from analysis.io.detector_setup import user_mask
from analysis.io.monitor import monitor_line
from analysis.io.residual_plot import residual_lines, residual_svg
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import raster_lines
from analysis.pipeline.wide_angle import reflections_line
from analysis.pipeline.xray_cells import cell_lines
from analysis.pipeline.xray_scan import Scan, open_scan


def check_xray(block: XrayBlock, *, folder: Path, plot: Path | None = None) -> list[str]:
    """Completeness of a scan and where each value comes from, a line each; raises InputError.

    ``plot`` is where a picture of the positions' residuals is written, if the scan has positions.
    """
    scan = open_scan(block, folder=folder)
    series = scan.series
    lines = cell_lines(scan)
    lines.append(f"layout: {series.layout}, counts as {series.dtype}")
    lines += [f"frames: {note}" for note in series.notes]
    if scan.raster is not None:
        lines += [*raster_lines(scan.raster), *residual_lines(scan.raster)]
    if plot is not None:
        lines.append(_plotted(scan, plot))
    if series.missing_files:
        lines.append(f"files that are not there: {', '.join(series.missing_files)}")
    if scan.monitor is not None:
        lines.append(monitor_line(scan.monitor, scan.monitor_source))
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
    lines.append(reflections_line(scan, folder=folder))
    if scan.background is not None:
        lines.append(
            f"background: {scan.background.present} frames, scaled by {scan.beta:.6g} ({scan.beta_source})"
        )
    return lines


def _plotted(scan: Scan, plot: Path) -> str:
    if scan.raster is None:
        return "no picture was written: the scan has no file of positions"
    try:
        plot.write_text(residual_svg(scan.raster), encoding="utf-8")
    except OSError as error:
        raise InputError(plot, expected="a file that can be written", found=str(error.strerror)) from None
    return f"residuals of the positions are drawn in {plot}"
