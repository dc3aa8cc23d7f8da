"""What raw files are: each looked at by its content, a sentence a file; folders are walked.

Nothing is reduced and no pixel is read beyond a first frame. What a file is decides, not what it is called;
names only tell a background (kapton, empty, film ...) from a scan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from analysis.errors import InputError
from analysis.io.afm_formats import READERS as AFM_READERS
from analysis.io.afm_formats import read_afm
from analysis.io.detector_files import HDF5_SUFFIXES, TIFF_SUFFIXES, read_frames
from analysis.io.frames_bliss import scan_names
from analysis.io.frames_p10 import is_scan_folder
from analysis.io.hdf5_safety import AuditedFile, damage_told
from analysis.io.poni import read_poni
from analysis.io.positions_spec import mesh_numbers
from analysis.io.scan_positions import reader_of
from analysis.io.sem_tiff import read_header
from analysis.io.series import Series

Kind = Literal["frames", "background", "positions", "calibration", "mask", "sem", "afm", "unknown"]

BACKGROUND = re.compile(r"kapton|background|bkg|bgr|empty|blank|film|air|dark", re.IGNORECASE)
LAMBDA_MODULE = re.compile(r"_m(?!01)\d{2}(_part\d+)?$|_part(?!00000)\d+$")
MAX_FILES = 20_000
MAX_DEPTH = 6
LEAST_IMAGES = 4
NO_PIXEL_SIZE = "pixel size not in the file"
TEXT_SUFFIXES = {".fio", ".spec", ".spc", ".dat", ".csv"}


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """One file, folder or scan of a file: what it is, a sentence about it, and its frames if it has any.

    ``selection`` is what stands after ``#`` in the sample file.
    """

    path: Path
    kind: Kind
    told: str
    selection: str = ""
    series: Series | None = None


def recognise(paths: list[Path]) -> list[Recognised]:
    """What the files and folders hold, in their order; raises InputError for a path that is not there."""
    found: list[Recognised] = []
    for path in paths:
        if not path.exists():
            raise InputError(path, expected="a raw file or a folder of them", found="nothing there")
        found += _walked(path) if path.is_dir() else _file(path)
        if len(found) > MAX_FILES:
            raise InputError(path, expected=f"at most {MAX_FILES} files", found="more")
    return found


def _walked(folder: Path, depth: int = 0) -> Iterator[Recognised]:
    """What a folder holds, a scan's folder or a series of images as one."""
    if is_scan_folder(folder):
        yield from _frames(folder)
        yield from _file(folder / f"{folder.name}.fio")
        return
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for suffix in (".cbf", ".tif"):
        images = [path for path in files if path.suffix.lower() == suffix]
        if len(images) >= LEAST_IMAGES and not _is_micrograph(images[0]):
            yield from _frames(folder)
            files = [path for path in files if path not in set(images)]
    masters = any(path.name.endswith("_master.h5") for path in files)
    for path in files[:MAX_FILES]:
        if not (masters and "_data_" in path.stem) and not LAMBDA_MODULE.search(path.stem):
            yield from _file(path)
    if depth < MAX_DEPTH:
        for path in sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()):
            if not path.name.startswith("."):
                yield from _walked(path, depth + 1)


def _file(path: Path) -> list[Recognised]:
    """What one file is, by its content; several for one that holds several scans."""
    with path.open("rb") as file:
        head = file.read(4096)
    suffix = path.suffix.lower()
    if head.startswith(b"\x89HDF\r\n\x1a\n") or suffix in HDF5_SUFFIXES:
        return _hdf5(path)
    if any(head.startswith(magic) for magic, _ in AFM_READERS):
        return [_afm(path)]
    if suffix in TIFF_SUFFIXES:
        return [_micrograph(path)] if _is_micrograph(path) else _frames(path)
    if suffix == ".cbf":
        return _frames(path)
    if suffix == ".poni":
        return [_calibration(path)]
    if suffix == ".npy":
        return [_mask(path)]
    if suffix in TEXT_SUFFIXES or head.startswith((b"#F ", b"#S ")):
        return _positions(path)
    return []


def _hdf5(path: Path) -> list[Recognised]:
    try:
        with damage_told(path), AuditedFile(path) as file:
            if "triptych_format" in getattr(file.get("/entry"), "attrs", {}):
                return [Recognised(path=path, kind="unknown", told="a result, not raw data")]
            scans = scan_names(file)
    except InputError as error:
        return [_refused(path, error)]
    if not scans:
        return _frames(path)
    found = []
    for scan in scans:
        found += _frames(path, scan)
        found += _readable_positions(path, scan)
    return found


def _frames(path: Path, selection: str = "") -> list[Recognised]:
    text = path.name + (f"#{selection}" if selection else "")
    try:
        series = read_frames(path.parent, text)
    except InputError as error:
        return [_refused(path, error, selection)]
    kind: Kind = "background" if BACKGROUND.search(path.stem) else "frames"
    rows, cols = series.shape
    gone = f", {len(series.missing_files)} files are not there" if series.missing_files else ""
    told = f"{series.layout}: {series.present} frames of {rows} x {cols}{gone}"
    if kind == "background":
        told += ", a background by its name"
    return [Recognised(path=path, kind=kind, told=told, selection=selection, series=series)]


def _positions(path: Path) -> list[Recognised]:
    """A table of positions, each mesh of a SPEC file, or a one-dimensional scan that is none."""
    try:
        meshes = mesh_numbers(path) if reader_of(path)[0] == "SPEC" else [""]
    except InputError as error:
        return [_refused(path, error)]
    if not meshes:
        return [Recognised(path=path, kind="unknown", told="a SPEC file without a mesh")]
    found = []
    for number in meshes:
        found += _readable_positions(path, number) or []
    return found


def _readable_positions(path: Path, selection: str) -> list[Recognised]:
    try:
        with damage_told(path):
            name, reader = reader_of(path)
            points = reader(path, selection or None)
    except InputError as error:
        return [] if path.suffix.lower() in HDF5_SUFFIXES else [_refused(path, error, selection)]
    unit = "" if points.in_um else ", in units that the file does not say"
    told = f"{name}: {points.values[0].size} positions of {points.names[0]} and {points.names[1]}{unit}"
    return [Recognised(path=path, kind="positions", told=told, selection=selection)]


def _is_micrograph(path: Path) -> bool:
    """Whether a TIFF is a microscope's picture: unsigned, of 8 or 16 bits, without a detector's header."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return False
    try:
        return read_header(path).dtype in {"uint8", "uint16"}
    except InputError:
        return True


def _micrograph(path: Path) -> Recognised:
    try:
        header = read_header(path)
    except InputError as error:
        return _refused(path, error)
    trusted = [size for size in header.sizes if size.trusted]
    size = (
        f"{trusted[0].nm:.6g} nm a pixel ({trusted[0].source})" if trusted else "pixel size not in the file"
    )
    rows, cols = header.shape
    return Recognised(path=path, kind="sem", told=f"SEM image: {cols} x {rows} px, {size}")


def _afm(path: Path) -> Recognised:
    try:
        file = read_afm(path)
    except InputError as error:
        return _refused(path, error)
    titles = ", ".join(channel.title for channel in file.channels[:8])
    return Recognised(path=path, kind="afm", told=f"AFM file: {len(file.channels)} channels ({titles})")


def _calibration(path: Path) -> Recognised:
    try:
        poni = read_poni(path)
    except InputError as error:
        return _refused(path, error)
    return Recognised(path=path, kind="calibration", told=f"pyFAI calibration: {poni.distance_mm:.6g} mm")


def _mask(path: Path) -> Recognised:
    try:
        mask = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return Recognised(path=path, kind="unknown", told="no array that can be read")
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype.kind not in "biu":
        return Recognised(path=path, kind="unknown", told="an array, but no mask")
    return Recognised(path=path, kind="mask", told=f"mask of {mask.shape[0]} x {mask.shape[1]}")


def _refused(path: Path, error: InputError, selection: str = "") -> Recognised:
    told = f"not used: expected {error.expected}, found {error.found}"
    return Recognised(path=path, kind="unknown", told=told, selection=selection)
