"""What a file of positions says, and what readers of its text formats share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.units import UM_PER_M, UM_PER_MM, UM_PER_NM

Array = npt.NDArray[np.float64]

MAX_TEXT_BYTES = 64_000_000
MAX_POINTS = 4_000_000
MAX_INTERVALS = 100_000
MAX_LISTED = 24
UM_PER = {
    "m": UM_PER_M,
    "mm": UM_PER_MM,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "nm": UM_PER_NM,
}
"""Lengths that a position may be written in, spelled as files spell them."""

MESHES = ("mesh", "dmesh", "amesh")


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A scan command over two motors: ``N`` intervals are ``N + 1`` points; the first motor is the fast one.

    Pairs are (fast, slow); ``step`` is signed, in the motor's own unit.
    """

    motors: tuple[str, str]
    shape: tuple[int, int]
    step: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class StagePoints:
    """Positions of two axes in scan order, (n,) each, NaN where the file has none.

    They are in um where ``in_um``, otherwise in the motor's own unit, which the file does not say. With
    ``mesh`` the first axis is the fast one. ``directed``: the names say where x and y are.
    """

    names: tuple[str, str]
    values: tuple[Array, Array]
    in_um: bool
    files: tuple[Path, ...]
    mesh: Mesh | None = None
    directed: bool = False
    notes: tuple[str, ...] = ()


def text_lines(path: Path) -> list[str]:
    """Lines of a text file, UTF-8 or Latin-1; raises InputError where it is too large or no text."""
    if not path.is_file():
        raise InputError(path, expected="a file of positions", found="no file there")
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise InputError(path, expected=f"at most {MAX_TEXT_BYTES} bytes of text", found=f"{size} bytes")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise InputError(path, expected="text", found="binary content")
    try:
        return raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return raw.decode("latin-1").splitlines()


def mesh_of(command: str, *, path: Path) -> Mesh:
    """The mesh that a scan command asks for: ``mesh m1 start end N m2 start end N time``."""
    words = command.split()
    name = words[0] if words else ""
    if name not in MESHES:
        kind = "the one-dimensional" if name.endswith("scan") else "the command"
        raise InputError(
            path, field="scan command", expected="a mesh over two motors", found=f"{kind} {shown(command)}"
        )
    try:
        fast = words[1], float(words[2]), float(words[3]), int(words[4])
        slow = words[5], float(words[6]), float(words[7]), int(words[8])
        if not all(1 <= axis[3] <= MAX_INTERVALS and np.isfinite(axis[2] - axis[1]) for axis in (fast, slow)):
            raise ValueError
    except (IndexError, ValueError):
        raise InputError(
            path,
            field="scan command",
            expected="motor, start, end and intervals of two motors",
            found=shown(command),
        ) from None
    return Mesh(
        motors=(fast[0], slow[0]),
        shape=(fast[3] + 1, slow[3] + 1),
        step=((fast[2] - fast[1]) / fast[3], (slow[2] - slow[1]) / slow[3]),
    )


def number_rows(rows: list[list[str]], width: int, *, path: Path) -> tuple[Array, tuple[str, ...]]:
    """Numbers (n, width) of rows of words; a last row that was cut short is left out and noted."""
    notes: tuple[str, ...] = ()
    if rows and len(rows[-1]) < width:
        rows, notes = rows[:-1], ("the last line of positions is cut short and was left out",)
    if not rows or len(rows) > MAX_POINTS:
        raise InputError(path, field="points", expected=f"1 to {MAX_POINTS}", found=str(len(rows)))
    table = np.empty((len(rows), width))
    for at, words in enumerate(rows):
        if len(words) != width:
            raise InputError(
                path, field=f"point {at + 1}", expected=f"{width} columns", found=f"{len(words)} values"
            )
        try:
            table[at] = [float(word) if word else np.nan for word in words]
        except ValueError:
            raise InputError(
                path, field=f"point {at + 1}", expected="numbers", found=shown(" ".join(words))
            ) from None
    table[~np.isfinite(table)] = np.nan
    return table, notes


def motor_columns(
    labels: list[str], table: Array, mesh: Mesh, *, path: Path
) -> tuple[tuple[Array, Array], tuple[str, ...]]:
    """Columns of the two motors of a mesh, by name; by place where a motor's column has another name.

    Scan programs write the moved motors first, in the order of the command.
    """
    found, notes = [], []
    for place, motor in enumerate(mesh.motors):
        column = labels.index(motor) if motor in labels else place
        if column >= len(labels):
            raise InputError(path, field=motor, expected="a column of this motor", found="none")
        if motor not in labels:
            notes.append(f"motor {motor} is taken from column {column + 1}, {labels[column]}")
        found.append(table[:, column])
    return (found[0], found[1]), tuple(notes)


def column_of(labels: list[str], name: str, *, path: Path) -> int:
    """Place of a column by its name; raises InputError where there is none, or several."""
    if labels.count(name) != 1:
        listed = ", ".join(labels[:MAX_LISTED]) + (", ..." if len(labels) > MAX_LISTED else "")
        raise InputError(
            path,
            field=f"column {shown(name)}",
            expected="one of that name",
            found=f"{labels.count(name)} among {listed}",
        )
    return labels.index(name)


def named_column(labels: list[str], table: Array, name: str, *, path: Path) -> Array:
    """Values (n,) of a column of ``table`` (n, columns) by its name; raises InputError."""
    return np.asarray(table[:, column_of(labels, name, path=path)])


def shown(text: str) -> str:
    """Text of a file, fit for one line of a message."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
