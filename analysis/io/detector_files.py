"""Detector frames from whatever files hold them: what ``frames`` means, and one reader for each kind.

``frames`` is a file, a folder or a pattern, with a scan or a dataset after ``#`` where a file has several.
The table at the end of this module says how each kind is known and who reads it; the first that fits wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py

from analysis.errors import InputError
from analysis.io.cbf import SIGNATURE as CBF_SIGNATURE
from analysis.io.detector_tiff import SIGNATURES as TIFF_SIGNATURES
from analysis.io.eiger import read_data_files, read_series
from analysis.io.frames_bliss import read_bliss, scan_names
from analysis.io.frames_images import read_cbf_images, read_tiff_images
from analysis.io.frames_lambda import is_lambda, read_lambda
from analysis.io.frames_nexus import read_stack
from analysis.io.frames_p10 import is_scan_folder, scan_folder, scan_master
from analysis.io.hdf5_safety import AuditedFile, damage_told
from analysis.io.hdf5_values import as_text
from analysis.io.series import Series

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_SUFFIXES = {".h5", ".hdf5", ".nxs", ".hdf"}
TIFF_SUFFIXES = {".tif", ".tiff"}
EIGER_STACK = re.compile(r"data(_\d+)?")
MAX_FILES = 1_000_000


@dataclass(frozen=True)
class Target:
    """What a user's words mean: the path as written, the files behind it, what stands after ``#``."""

    path: Path
    files: tuple[Path, ...]
    selection: str | None = None

    @cached_property
    def head(self) -> bytes:
        """First bytes of the first file."""
        with self.files[0].open("rb") as file:
            return file.read(16)

    @property
    def is_hdf5(self) -> bool:
        """Whether the one file is HDF5, by its content or, where that is damaged, by its name."""
        named = self.files[0].suffix.lower() in HDF5_SUFFIXES
        return len(self.files) == 1 and (named or self.head.startswith(HDF5_SIGNATURE))

    @cached_property
    def inside(self) -> str:
        """Whose layout the HDF5 file has: ``bliss``, ``eiger``, ``lambda`` or ``other``."""
        with AuditedFile(self.files[0]) as file:
            if scan_names(file):
                return "bliss"
            if is_lambda(file):
                return "lambda"
            group = file.get("/entry/data")
            names = map(as_text, group) if isinstance(group, h5py.Group) else ()
            return "eiger" if any(EIGER_STACK.fullmatch(name) for name in names) else "other"


def read_frames(folder: Path, frames: str) -> Series:
    """The series that ``frames`` of a sample file means, relative to ``folder``; raises InputError."""
    target = locate(folder, frames)
    with damage_told(target.path):
        for _, fits, read in READERS:
            if fits(target):
                return read(target)
    raise InputError(
        target.path,
        expected="detector frames: " + ", ".join(name for name, _, _ in READERS),
        found=f"a file that begins with {target.head[:8]!r}",
    )


def locate(folder: Path, frames: str) -> Target:
    """The files that ``frames`` means; raises InputError where there are none, or several kinds of them."""
    path, selection = folder / frames, None
    if "#" in frames and not path.exists():
        name, selection = frames.rsplit("#", 1)
        path, selection = folder / name, selection.strip() or None
    if path.suffix.lower() == ".fio" and path.is_file():
        return _one(path, scan_master(scan_folder(path)), selection)
    if path.is_file():
        return Target(path, (path,), selection)
    if path.is_dir():
        return _in_folder(path, selection)
    if any(sign in frames for sign in "*?["):
        anchor = Path(path.anchor)
        return _of_kind(path, sorted(anchor.glob(str(path.relative_to(anchor)))), selection)
    raise InputError(path, expected="a file or a folder of frames", found="nothing there")


def _one(path: Path, files: list[Path], selection: str | None) -> Target:
    return Target(path if len(files) > 1 else files[0], tuple(files), selection)


def _in_folder(path: Path, selection: str | None) -> Target:
    if is_scan_folder(path):
        return _one(path, scan_master(path), selection)
    files = sorted(file for file in path.iterdir() if file.is_file())
    return _of_kind(path, files, selection)


def _of_kind(path: Path, files: list[Path], selection: str | None) -> Target:
    """Of several files those that hold frames: masters before data files before images."""
    if len(files) > MAX_FILES:
        raise InputError(path, expected=f"at most {MAX_FILES} files", found="more")
    masters = [file for file in files if file.name.endswith("_master.h5")]
    hdf5 = [file for file in files if file.suffix.lower() in HDF5_SUFFIXES]
    data = [file for file in hdf5 if "_data_" in file.stem]
    if masters or (hdf5 and not data):
        return _single(path, masters or _first_modules(hdf5), selection)
    for suffixes in ({".cbf"}, TIFF_SUFFIXES):
        images = [file for file in files if file.suffix.lower() in suffixes]
        if images and not data:
            return Target(path, tuple(images), selection)
    if data:
        return _one(path, data, selection)
    return _single(path, [file for file in files if len(files) == 1], selection)


def _first_modules(files: list[Path]) -> list[Path]:
    """The one file that stands for the modules of a detector, where that is what they are."""
    return files[:1] if len({file.stem.rpartition("_m")[0] for file in files}) == 1 and all(
        "_m" in file.stem for file in files) else files  # fmt: skip


def _single(path: Path, files: list[Path], selection: str | None) -> Target:
    if len(files) != 1:
        raise InputError(
            path,
            expected="one master file, or the images of one series",
            found=f"{len(files)} of them",
            remedy="name the master file",
        )
    return Target(files[0], tuple(files), selection)


def _suffixed(target: Target, suffixes: set[str]) -> bool:
    return all(file.suffix.lower() in suffixes for file in target.files)


READERS: tuple[tuple[str, Callable[[Target], bool], Callable[[Target], Series]], ...] = (
    ("EIGER data files without their master", lambda t: len(t.files) > 1 and _suffixed(t, HDF5_SUFFIXES),
     lambda t: read_data_files(t.path, list(t.files))),
    ("a named dataset of an HDF5 file", lambda t: t.is_hdf5 and (t.selection or "").startswith("/"),
     lambda t: read_stack(t.files[0], t.selection)),
    ("an ESRF file", lambda t: t.is_hdf5 and t.inside == "bliss",
     lambda t: read_bliss(t.files[0], t.selection)),
    ("a Lambda file", lambda t: t.is_hdf5 and t.inside == "lambda", lambda t: read_lambda(t.files[0])),
    ("an EIGER master or data file", lambda t: t.is_hdf5 and t.inside == "eiger",
     lambda t: read_series(t.files[0])),
    ("a stack in another HDF5 file", lambda t: t.is_hdf5, lambda t: read_stack(t.files[0], t.selection)),
    ("CBF images", lambda t: _suffixed(t, {".cbf"}) or t.head.startswith(CBF_SIGNATURE),
     lambda t: read_cbf_images(t.path, list(t.files))),
    ("TIFF images", lambda t: _suffixed(t, TIFF_SUFFIXES) or t.head.startswith(TIFF_SIGNATURES),
     lambda t: read_tiff_images(t.path, list(t.files))),
)  # fmt: skip
"""Name of a kind of files, whether a target is of it, its reader; the first one that fits wins."""
