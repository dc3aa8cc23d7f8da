"""The folders of PETRA III's P10: ``<sample>_%05d/<sample>_%05d.fio`` beside the detector's own folder.

Frames are in ``<sample>_%05d/e4m/*_master.h5`` and its data files, which hold one point each in some modes;
where no master was written, the data files stand on their own.
"""

from __future__ import annotations

from pathlib import Path

from analysis.errors import InputError

MASTER = "*_master.h5"
DATA = "*_data_*.h5"


def is_scan_folder(path: Path) -> bool:
    """Whether a folder holds a .fio of its own name, and frames in a folder below."""
    return (path / f"{path.name}.fio").is_file()


def scan_folder(fio: Path) -> Path:
    """The folder of the scan that a .fio describes: its own, or the one of its name beside it."""
    beside = fio.parent / fio.stem
    return beside if beside.is_dir() and fio.parent.name != fio.stem else fio.parent


def scan_fio(frames: Path) -> Path | None:
    """The .fio of the scan's folder that holds a master or data file; None where it is not such a folder."""
    for folder in (frames.parent, frames.parent.parent):
        found = folder / f"{folder.name}.fio", folder.parent / f"{folder.name}.fio"
        for fio in found:
            if fio.is_file():
                return fio
    return None


def scan_master(folder: Path) -> list[Path]:
    """The one master file of a scan's folder, or its data files without one; raises InputError."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    for pattern in (MASTER, DATA):
        holding = {place: sorted(place.glob(pattern)) for place in (folder, *below)}
        holding = {place: files for place, files in holding.items() if files}
        if len(holding) > 1:
            names = ", ".join(place.name for place in holding)
            raise InputError(
                folder, expected="frames of one detector", found=f"{names}", remedy="name the master file"
            )
        for files in holding.values():
            if pattern == MASTER and len(files) > 1:
                raise InputError(
                    folder,
                    expected="one master file",
                    found=f"{len(files)} of them",
                    remedy="name the master file",
                )
            return files
    raise InputError(
        folder,
        expected="a detector's folder with a *_master.h5, as in e4m/",
        found="none" if not below else f"folders {', '.join(path.name for path in below[:4])} without one",
    )
