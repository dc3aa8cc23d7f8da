"""The grid of a scan from a file of positions: one reader a format, one dispatch table.

Convention: positions are where the stage says that the beam is on the sample, in the order of the frames. A
stage that moves +x moves the beam to -x on the crystal: where a file holds the stage's own motion,
``scan_axes`` says so (``["-x", "-y"]``). ``scan_axes`` is where the fast and the slow axis run for rising
positions; without it, axes that are named x and y run along +x and +y, and any others are taken as fast along
+x, slow along +y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.hdf5_safety import damage_told
from analysis.io.positions_bliss import is_bliss, read_bliss_positions
from analysis.io.positions_csv import read_csv
from analysis.io.positions_fio import read_fio
from analysis.io.positions_nexus import read_nexus
from analysis.io.positions_spec import read_spec
from analysis.io.sample_file import FILE_NAME, Direction, XrayBlock
from analysis.io.scan_grid import image_numbers
from analysis.io.stage_points import UM_PER, Mesh, StagePoints
from analysis.xray.raster import NoRasterError, Raster, fast_first, fit_raster, ordered_raster

Reader = Callable[[Path, str | None], StagePoints]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_SUFFIXES = {".h5", ".hdf5", ".nxs"}
HEAD_BYTES = 4096
STEP_TOLERANCE = 0.05
"""Part of a step by which fitted positions, the scan command and ``step_um`` may differ."""

HALF_WAY = 0.5
"""Distance in pitches from which a point is nearer to the next cell."""

ASSUMED = "taken as where the beam is on the sample; for the stage's own motion give scan_axes"
BY_COMMAND = "to go by the scan's command alone, give shape and step_um in place of positions"
MAX_LISTED = 8


def _read_hdf5(path: Path, selection: str | None) -> StagePoints:
    named = selection is not None and (selection.startswith("/") or "," in selection)
    return (
        read_nexus(path, selection) if named or not is_bliss(path) else read_bliss_positions(path, selection)
    )


READERS: tuple[tuple[str, Callable[[Path, bytes], bool], Reader], ...] = (
    ("NeXus", lambda path, head: head.startswith(HDF5_SIGNATURE) or path.suffix.lower() in HDF5_SUFFIXES,
     _read_hdf5),
    ("fio", lambda path, head: path.suffix.lower() == ".fio" or b"\n%c" in head, read_fio),
    ("SPEC", lambda path, head: path.suffix.lower() in {".spec", ".spc"} or head.startswith((b"#F ", b"#S ")),
     read_spec),
    ("CSV", lambda path, head: True, read_csv),  # noqa: ARG005
)  # fmt: skip
"""Name of a format, whether a file is of it (by path and first bytes), its reader; the first one wins."""


@dataclass(frozen=True, kw_only=True)
class ScanRaster:
    """The grid of a scan as its positions show it.

    ``shape`` and ``step_um`` are (slow, fast), steps signed as in ``sample.toml``; ``cells`` (n, 2) is the
    (row, col) of every frame in order, -1 where it has no cell. Residuals are in pitches, those of each frame
    (n, 2) along (slow, fast). ``axes`` is where (fast, slow) run on the crystal for rising positions.
    """

    path: Path
    format: str
    names: tuple[str, str]
    shape: tuple[int, int]
    step_um: tuple[float, float]
    serpentine: bool | None
    axes: tuple[Direction, Direction]
    cells: npt.NDArray[np.int64]
    residual_rms: float
    residual_max: float
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    residuals: npt.NDArray[np.float64]

    def image_numbers(self) -> npt.NDArray[np.int64]:
        """Image number (from 1) of every cell, of ``shape``; -1 for a cell without a frame."""
        numbers = np.full(self.shape, -1, dtype=np.int64)
        placed = np.flatnonzero(self.cells[:, 0] >= 0)
        numbers[self.cells[placed, 0], self.cells[placed, 1]] = placed + 1
        return numbers

    @property
    def in_order(self) -> bool:
        """Whether frames fill the grid from its first point on without a leap, as in a stopped scan."""
        numbers = self.image_numbers()
        planned = image_numbers(self.shape, serpentine=bool(self.serpentine))
        return bool(np.array_equal(numbers[numbers > 0], planned[numbers > 0]))


def read_raster(block: XrayBlock, *, folder: Path) -> ScanRaster:
    """Read ``positions`` of a block and fit the grid; raises InputError where they are none, or disagree."""
    path, selection = positions_path(block.positions or "", folder=folder)
    name, reader = reader_of(path)
    with damage_told(path):
        points = _fast_before_slow(reader(path, selection))
    raster = _fitted(points, block, path=path)
    factor = 1.0 if points.in_um else _um_per_unit(raster, points, block, path=path)
    found = ScanRaster(
        path=path,
        format=name,
        names=points.names,
        shape=raster.shape,
        step_um=(raster.step[0] * factor, raster.step[1] * factor),
        serpentine=raster.serpentine,
        axes=_directions(points, block),
        cells=raster.cells,
        residual_rms=raster.residual_rms,
        residual_max=raster.residual_max,
        residuals=raster.residuals,
        files=points.files,
        notes=(*points.notes, *_notes(raster), *([] if "scan_axes" in block.model_fields_set else [ASSUMED])),
    )
    _agree_with_keys(found, block, folder=folder)
    return found


def positions_path(text: str, *, folder: Path) -> tuple[Path, str | None]:
    """The file that ``positions`` names, and what stands after its last ``#``: a scan, or datasets."""
    if (folder / text).is_file() or "#" not in text:
        return folder / text, None
    name, selection = text.rsplit("#", 1)
    return folder / name, selection.strip()


def raster_lines(raster: ScanRaster) -> list[str]:
    """What ``triptych check`` prints of fitted positions."""
    rows, cols = raster.shape
    order = {True: "serpentine", False: "not serpentine", None: "rows in no steady order"}
    empty = np.argwhere(raster.image_numbers() < 0)
    lines = [
        f"positions: {raster.path.name} ({raster.format}), {raster.names[0]} fast along {raster.axes[0]}, "
        f"{raster.names[1]} slow along {raster.axes[1]}: {rows} x {cols} (slow x fast), steps "
        f"{raster.step_um[0]:.6g} x {raster.step_um[1]:.6g} um, {order[raster.serpentine]}",
        f"positions: residual {raster.residual_rms:.3g} pitch rms, {raster.residual_max:.3g} at most",
    ]
    if empty.size:
        listed = ", ".join(f"({row}, {col})" for row, col in empty[:MAX_LISTED])
        more = ", ..." if len(empty) > MAX_LISTED else ""
        lines.append(
            f"positions: {len(empty)} of {rows * cols} cells without a frame, (row, col) {listed}{more}"
        )
    return lines + [f"positions: {note}" for note in raster.notes]


def reader_of(path: Path) -> tuple[str, Reader]:
    """Name and reader of a file's format, by the table of them; raises InputError where there is no file."""
    if not path.is_file():
        raise InputError(path, field="xray.positions", expected="a file of positions", found="no file there")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return next((name, reader) for name, fits, reader in READERS if fits(path, head))


def _fast_before_slow(points: StagePoints) -> StagePoints:
    if points.mesh is not None or fast_first(*points.values):
        return points
    return replace(points, names=points.names[::-1], values=points.values[::-1])


def _fitted(points: StagePoints, block: XrayBlock, *, path: Path) -> Raster:
    try:
        if points.mesh is None:
            raster = fit_raster(*points.values, shape=block.shape)
        else:
            raster = ordered_raster(*points.values, shape=points.mesh.shape[::-1])
    except NoRasterError as error:
        raise InputError(
            path,
            field=f"positions of {points.names[0]}, {points.names[1]}",
            expected=error.expected,
            found=error.found,
            remedy=None if points.mesh is None else BY_COMMAND,
        ) from None
    if points.mesh is not None:
        _agree_with_command(raster, points.mesh, path=path)
    return raster


def _agree_with_command(raster: Raster, mesh: Mesh, *, path: Path) -> None:
    if _same(raster.step[::-1], mesh.step):
        return
    raise InputError(
        path,
        field="scan command",
        expected=f"steps of {mesh.step[0]:.6g} ({mesh.motors[0]}) and {mesh.step[1]:.6g} ({mesh.motors[1]})",
        found=f"positions that step by {raster.step[1]:.6g} and {raster.step[0]:.6g}",
    )


def _times(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _same(found: tuple[float, float], wanted: tuple[float, float]) -> bool:
    return all(abs(a - b) <= STEP_TOLERANCE * abs(b) for a, b in zip(found, wanted, strict=True))


def _um_per_unit(raster: Raster, points: StagePoints, block: XrayBlock, *, path: Path) -> float:
    """The unit of length in which fitted steps are those of ``step_um``: the file itself does not say."""
    steps = f"{raster.step[0]:.6g} and {raster.step[1]:.6g} (slow, fast)"
    if block.step_um is None:
        raise InputError(
            path,
            field=f"unit of {points.names[0]}, {points.names[1]}",
            expected="positions with a unit",
            found=f"motor positions without, in steps of {steps}",
            remedy="give step_um too, which settles it",
        )
    for factor in set(UM_PER.values()):
        if _same((raster.step[0] * factor, raster.step[1] * factor), block.step_um):
            return factor
    raise InputError(
        path,
        field="xray.step_um",
        expected=f"{steps} in m, mm, um or nm, signs included, as the positions are",
        found=f"{block.step_um[0]:g} and {block.step_um[1]:g} um",
        remedy="correct step_um, or leave it out where the file has units",
    )


def _directions(points: StagePoints, block: XrayBlock) -> tuple[Direction, Direction]:
    if "scan_axes" in block.model_fields_set or not points.directed:
        return block.scan_axes
    fast, slow = (cast("Direction", f"+{name[-1].lower()}") for name in points.names)
    return fast, slow


def _notes(raster: Raster) -> list[str]:
    notes = []
    if raster.residual_max > HALF_WAY:
        notes.append("some frames were taken over half a pitch from their cell, by the positions read back")
    if raster.unplaced:
        notes.append(f"{raster.unplaced} frames have no position and are not used")
    if raster.repeated:
        notes.append(f"{raster.repeated} frames lie in a cell that an earlier one fills and are not used")
    return notes


def _agree_with_keys(raster: ScanRaster, block: XrayBlock, *, folder: Path) -> None:
    """Raise InputError where a key of the sample file says another thing than the positions."""
    said: list[tuple[str, str, str]] = []
    if block.shape is not None and block.shape != raster.shape:
        said.append(("shape", _times(raster.shape), _times(block.shape)))
    if block.step_um is not None and not _same(raster.step_um, block.step_um):
        fitted = f"{raster.step_um[0]:.6g} and {raster.step_um[1]:.6g}, signs included"
        said.append(("step_um", fitted, f"{block.step_um[0]:g} and {block.step_um[1]:g}"))
    given = "serpentine" in block.model_fields_set
    if given and raster.serpentine is not None and raster.serpentine != block.serpentine:
        said.append(("serpentine", str(raster.serpentine).lower(), str(block.serpentine).lower()))
    for key, expected, found in said:
        raise InputError(
            folder / FILE_NAME,
            field=f"xray.{key}",
            expected=f"{expected}, as the positions in {raster.path.name} are",
            found=found,
            remedy="correct it or leave it out",
        )
