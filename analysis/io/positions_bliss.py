"""Positions and channels of a scan in an ESRF file (BLISS): ``file.h5#1.1``.

A mesh says in its title which motors moved and how (``amesh m1 start end N m2 start end N time``). Of other
scans the two positioners that move are taken, read-back channels (``<motor>_position``) before set values.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from analysis.errors import InputError
from analysis.io.frames_bliss import scan_names
from analysis.io.hdf5_safety import AuditedFile
from analysis.io.hdf5_values import as_text, text_of
from analysis.io.positions_nexus import RESTING, Axis, axis_of, read_hdf5_column
from analysis.io.stage_points import MESHES, Array, Mesh, StagePoints, mesh_of

MAX_LISTED = 12


def is_bliss(path: Path) -> bool:
    """Whether an HDF5 file holds scans as BLISS writes them; raises InputError for what is no HDF5."""
    with AuditedFile(path) as file:
        return bool(scan_names(file))


def read_bliss_positions(path: Path, selection: str | None) -> StagePoints:
    """Positions of the scan that ``selection`` names, or of the only one. Raises InputError."""
    with AuditedFile(path) as file:
        scan = _scan(file, selection)
        title = text_of(file.dataset(f"/{scan}/title")) or ""
        axes = _axes(file, scan)
        files = tuple(file.files)
        if title.split()[:1] and title.split()[0] in MESHES:
            return _of_mesh(mesh_of(title, path=path), axes, path=path, files=files)
    spans = {name: float(np.ptp(axis.values[np.isfinite(axis.values)])) for name, axis in axes.items()}
    lengths = {name for name, axis in axes.items() if axis.in_um}
    widest = max((spans[name] for name in lengths), default=0.0)
    moving = [axes[name] for name in sorted(lengths) if spans[name] > RESTING * widest]
    if len(moving) != 2 or moving[0].values.size != moving[1].values.size:
        names = ", ".join(axis.name for axis in moving[:MAX_LISTED]) or "none"
        raise InputError(
            path,
            expected=f"two positioners of scan {scan} that move",
            found=f"{len(moving)} ({names})",
            remedy="name them in positions: file#/1.1/measurement/x,/1.1/measurement/y",
        )
    one, other = moving
    if other.name.lower().endswith("x") and one.name.lower().endswith("y"):
        one, other = other, one
    return StagePoints(
        names=(one.name, other.name),
        values=(one.values, other.values),
        in_um=True,
        files=files,
        directed=one.name.lower().endswith("x") and other.name.lower().endswith("y"),
    )


def read_bliss_column(path: Path, selection: str | None, name: str) -> Array:
    """A channel (n,) of a scan's measurement by its name. Raises InputError."""
    with AuditedFile(path) as file:
        scan = _scan(file, selection)
    return read_hdf5_column(path, f"{scan}/measurement", name)


def _scan(file: AuditedFile, selection: str | None) -> str:
    scans = scan_names(file)
    wanted = (selection or "").strip("/").partition("/")[0]
    if not wanted and len(scans) == 1:
        return scans[0]
    if wanted not in scans:
        listed = ", ".join(scans[:MAX_LISTED])
        raise InputError(
            file.path,
            expected="the number of a scan after '#'",
            found=f"{wanted[:40] or 'none'}, and scans {listed}",
        )
    return wanted


def _axes(file: AuditedFile, scan: str) -> dict[str, Axis]:
    """Positioners with a value a point: of the instrument, each by its read-back channel where it has one."""
    instrument = file.get(f"/{scan}/instrument")
    found: dict[str, Axis] = {}
    for name in instrument if isinstance(instrument, h5py.Group) else ():
        group = file.get(f"/{scan}/instrument/{name}")
        if not isinstance(group, h5py.Group) or as_text(group.attrs.get("NX_class", "")) != "NXpositioner":
            continue
        set_value = file.dataset(f"/{scan}/instrument/{name}/value")
        axis = axis_of(set_value, name=name) if set_value is not None else None
        if axis is not None:
            found[name] = axis
    for name in list(found):
        base = name.removesuffix("_position")
        if base != name and base in found and found[base].values.size == found[name].values.size:
            found[base] = replace(found.pop(name), name=base)
    return found


def _of_mesh(mesh: Mesh, axes: dict[str, Axis], *, path: Path, files: tuple[Path, ...]) -> StagePoints:
    for motor in mesh.motors:
        if motor not in axes:
            raise InputError(
                path,
                field=motor,
                expected="a positioner of this motor with a value a point",
                found=", ".join(list(axes)[:MAX_LISTED]) or "none",
            )
    fast, slow = (axes[motor] for motor in mesh.motors)
    if fast.values.size != slow.values.size or fast.in_um != slow.in_um:
        raise InputError(
            path,
            expected=f"as many values, with units alike, of {fast.name} as of {slow.name}",
            found=f"{fast.values.size} and {slow.values.size}",
        )
    factors = fast.um_per_unit, slow.um_per_unit
    step = mesh.step[0] * factors[0], mesh.step[1] * factors[1]
    return StagePoints(
        names=mesh.motors,
        values=(fast.values, slow.values),
        in_um=fast.in_um,
        files=files,
        mesh=Mesh(motors=mesh.motors, shape=mesh.shape, step=step),
    )
