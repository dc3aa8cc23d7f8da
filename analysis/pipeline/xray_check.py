"""The completeness report of one X-ray scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analysis.io.detector_setup import user_mask
from analysis.io.sample_file import XrayBlock
from analysis.io.scan_positions import raster_lines
from analysis.pipeline.xray_scan import open_scan


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
