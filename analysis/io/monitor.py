"""The intensity monitor of a scan, a value a point: a channel of the scan's own file, or a file.

``monitor`` is the name of a channel (of the file of positions, of the ESRF file that holds the frames, of the
.fio in a P10 folder), a table with one column, or ``file#channel`` (``log.dat#27#mon``, ``scan.h5#1.1/ct``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.detector_files import locate
from analysis.io.frames_p10 import scan_fio
from analysis.io.hdf5_safety import damage_told
from analysis.io.positions_bliss import is_bliss, read_bliss_column
from analysis.io.positions_csv import read_csv_column
from analysis.io.positions_fio import read_fio_column
from analysis.io.positions_nexus import read_hdf5_column
from analysis.io.positions_spec import read_spec_column
from analysis.io.sample_file import FILE_NAME, XrayBlock
from analysis.io.scan_positions import positions_path, reader_of
from analysis.io.stage_points import Array

LEAST_USABLE = 0.5
"""Share of the points that must have a positive value."""


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """Relative intensity (n,) of images 1 ... n, their median 1; NaN where it is not positive."""

    values: npt.NDArray[np.float64]
    source: str
    path: Path


def read_monitor(block: XrayBlock, *, folder: Path) -> Monitor | None:
    """The monitor of a block; None where it names none. Raises InputError."""
    if block.monitor is None:
        return None
    path, selection, channel = _where(block, block.monitor, folder=folder)
    with damage_told(path):
        values = _column(path, selection, channel)
    usable = np.isfinite(values) & (values > 0.0)
    if np.count_nonzero(usable) < LEAST_USABLE * values.size:
        raise InputError(
            path,
            field=channel or "monitor",
            expected="positive numbers at most points",
            found=f"{np.count_nonzero(usable)} of {values.size}",
        )
    relative = np.where(usable, values / np.median(values[usable]), np.nan)
    return Monitor(values=relative, source=f"{channel or 'the one column'} of {path.name}", path=path)


def monitor_line(values: npt.NDArray[np.float64], source: str) -> str:
    """What ``triptych check`` prints of a monitor."""
    low, high = np.nanmin(values), np.nanmax(values)
    unknown = int(np.count_nonzero(np.isnan(values)))
    told = f", {unknown} points without a usable value" if unknown else ""
    return f"monitor: {source}, {values.size} points, {low:.3g} to {high:.3g} of its median{told}"


def _where(block: XrayBlock, text: str, *, folder: Path) -> tuple[Path, str | None, str | None]:
    """File, scan in it and channel that ``text`` means."""
    if (folder / text).is_file():
        return folder / text, None, None
    parts = text.split("#")
    for used in range(len(parts) - 1, 0, -1):
        path = folder / "#".join(parts[:used])
        if path.is_file():
            scan, _, channel = "#".join(parts[used:]).rpartition("#")
            return path, *((scan or None, channel) if scan else _scan_and_channel(channel))
    if block.positions is not None:
        return *positions_path(block.positions, folder=folder), text
    target = locate(folder, block.frames)
    fio = scan_fio(target.files[0])
    if fio is not None:
        return fio, None, text
    if target.is_hdf5 and is_bliss(target.files[0]):
        return target.files[0], (target.selection or "").partition("/")[0] or None, text
    raise InputError(
        folder / FILE_NAME,
        field="xray.monitor",
        expected="a file, or a channel of the file of positions",
        found=repr(text[:80]),
        remedy="write it as file#channel",
    )


def _scan_and_channel(text: str) -> tuple[str | None, str]:
    """``1.1/ct34`` of an ESRF file; a path from the root, or a name, stays as it is."""
    scan, _, channel = text.partition("/")
    return (scan, channel) if scan and channel else (None, text)


def _column(path: Path, selection: str | None, channel: str | None) -> Array:
    """Values (n,) of a channel, by what the file is."""
    name = reader_of(path)[0]
    if name == "CSV":
        return read_csv_column(path, selection, channel)
    if channel is None:
        raise InputError(path, expected="the name of a channel after '#'", found="none")
    if name == "fio":
        return read_fio_column(path, selection, channel)
    if name == "SPEC":
        return read_spec_column(path, selection, channel)
    if not channel.startswith("/") and is_bliss(path):
        return read_bliss_column(path, selection, channel)
    return read_hdf5_column(path, selection, channel)
