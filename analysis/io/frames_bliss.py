"""ESRF files as BLISS writes them: scans ``N.M`` in one file, each with its ``measurement``.

Frames are the three-dimensional channel of ``/N.M/measurement``, mostly a virtual dataset or an external link
to files of the detector in a folder beside. ``file.h5#1.1`` names a scan, ``#1.1/eiger`` its detector too.
"""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

from analysis.errors import InputError
from analysis.io.hdf5_safety import AuditedFile
from analysis.io.hdf5_stacks import parts_of, rejected_pixels
from analysis.io.hdf5_values import MM_BY_UNIT, NM_BY_UNIT, S_BY_UNIT, UM_BY_UNIT, as_text, scalar, with_unit
from analysis.io.series import NEGATIVE, DetectorMetadata, Series, checked_frames, nothing_to_read

SCAN = re.compile(r"\d+\.\d+")
MAX_LISTED = 12


def scan_names(file: AuditedFile) -> list[str]:
    """Scans of a file in the order of their numbers: groups ``N.M`` that hold measurements."""
    names = [name for name in map(as_text, file.root) if SCAN.fullmatch(name)]
    found = [name for name in names if isinstance(file.get(f"/{name}/measurement"), h5py.Group)]
    return sorted(found, key=lambda name: tuple(int(part) for part in name.split(".")))


def read_bliss(path: Path, selection: str | None) -> Series:
    """Frames of one scan: the one named, or the only one that has any. Raises InputError."""
    with AuditedFile(path) as file:
        scan, detector = _chosen(file, selection)
        label = f"/{scan}/measurement/{detector}"
        dataset = file.dataset(label)
        if dataset is None:
            raise nothing_to_read(path, _link_targets(file, scan, detector))
        shape, dtype = checked_frames(path, dataset.shape[1:], dataset.dtype)
        parts, missing = parts_of(file, dataset, first=1)
        parts = [part for part in parts if part.count > 0]
        if not parts:
            raise nothing_to_read(path, missing)
        return Series(
            path=path,
            shape=shape,
            dtype=dtype,
            expected=int(dataset.shape[0]),
            parts=tuple(sorted(parts, key=lambda part: part.first_number)),
            missing_files=tuple(missing),
            metadata=_metadata(file, scan, detector, dtype),
            rejected=rejected_pixels(file.dataset(f"/{scan}/instrument/{detector}/pixel_mask"), shape),
            files=tuple(file.files),
            layout=f"ESRF scan {scan}, {detector}",
        )


def _chosen(file: AuditedFile, selection: str | None) -> tuple[str, str]:
    """Names of the scan and its detector; raises InputError where several could be meant."""
    scans = scan_names(file)
    wanted, _, detector = (selection or "").strip("/").partition("/")
    if wanted and wanted not in scans:
        listed = ", ".join(scans[:MAX_LISTED]) or "none"
        raise InputError(file.path, expected=f"a scan {wanted[:40]}", found=f"scans {listed}")
    channels = {scan: _detectors(file, scan) for scan in ([wanted] if wanted else scans)}
    holding = [scan for scan, names in channels.items() if names]
    if len(holding) != 1:
        listed = ", ".join(holding[:MAX_LISTED]) or "none"
        raise InputError(
            file.path,
            expected="one scan with frames",
            found=f"{len(holding)} ({listed})",
            remedy="name it: file.h5#1.1" if holding else "put the detector's files where the links lead",
        )
    names = channels[holding[0]]
    if detector and detector not in names:
        raise InputError(file.path, expected=f"a detector {detector[:40]}", found=", ".join(names))
    if not detector and len(names) > 1:
        raise InputError(
            file.path,
            expected="one detector",
            found=f"{len(names)} ({', '.join(names[:MAX_LISTED])})",
            remedy=f"name it: file.h5#{holding[0]}/{names[0]}",
        )
    return holding[0], detector or names[0]


def _detectors(file: AuditedFile, scan: str) -> list[str]:
    """Channels of a scan that hold images, those whose files are not there included."""
    found = []
    group = file.get(f"/{scan}/measurement")
    for name in group if isinstance(group, h5py.Group) else ():
        dataset = file.get(f"/{scan}/measurement/{name}")
        images = isinstance(dataset, h5py.Dataset) and dataset.ndim == 3
        if images or (dataset is None and _link_targets(file, scan, name)):
            found.append(name)
    return found


def _link_targets(file: AuditedFile, scan: str, name: str) -> list[str]:
    """Files that a channel links to, in one step or by way of its detector's group."""
    for place in (f"/{scan}/measurement/{name}", f"/{scan}/instrument/{name}/data"):
        folder, _, last = place.rpartition("/")
        group = file.get(folder)
        link = (
            group.get(last, getlink=True) if isinstance(group, h5py.Group) and last in list(group) else None
        )
        if isinstance(link, h5py.ExternalLink):
            return [link.filename]
    return []


def _metadata(file: AuditedFile, scan: str, detector: str, dtype: np.dtype[np.integer]) -> DetectorMetadata:
    here = f"/{scan}/instrument/{detector}"
    sizes = [with_unit(file.dataset(f"{here}/{axis}_pixel_size"), UM_BY_UNIT, "m") for axis in "xy"]
    centre = [scalar(file.dataset(f"{here}/beam_center_{axis}")) for axis in "xy"]
    known = {
        "wavelength_nm": with_unit(
            file.dataset(f"/{scan}/instrument/beam/incident_wavelength"), NM_BY_UNIT, "angstrom"
        ),
        "distance_mm": with_unit(file.dataset(f"{here}/distance"), MM_BY_UNIT, "m"),
        "pixel_size_um": (sizes[0], sizes[1]) if None not in sizes else None,
        "beam_center_px": (centre[0], centre[1]) if all(centre) else None,
    }
    exposure = with_unit(file.dataset(f"{here}/acq_parameters/acq_expo_time"), S_BY_UNIT, "s")
    saturation = scalar(file.dataset(f"{here}/saturation_value"))
    return DetectorMetadata(
        **known,  # type: ignore[arg-type]
        exposure_s=exposure or with_unit(file.dataset(f"{here}/count_time"), S_BY_UNIT, "s"),
        saturation=int(saturation) if saturation and saturation > 0 else None,
        masked_value=NEGATIVE if dtype.kind == "i" else int(np.iinfo(dtype).max),
        sources={name: file.path.name for name, value in known.items() if value is not None},
    )
