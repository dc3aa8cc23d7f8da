"""Positions from a DESY ``.fio`` file: ``%c`` command, ``%p`` name = value, ``%d`` columns."""

from __future__ import annotations

from pathlib import Path

from analysis.errors import InputError
from analysis.io.stage_points import (
    Array,
    StagePoints,
    mesh_of,
    motor_columns,
    named_column,
    number_rows,
    text_lines,
)


def read_fio(path: Path, selection: str | None) -> StagePoints:
    """Read-back positions of a mesh; motors carry no unit. Raises InputError."""
    if selection is not None:
        raise InputError(path, expected="one scan in the file, so nothing after '#'", found=f"#{selection}")
    sections = _sections(text_lines(path))
    if not sections["%c"]:
        raise InputError(path, field="%c", expected="the scan command", found="none")
    mesh = mesh_of(sections["%c"][0].strip(), path=path)
    labels, table, cut = _table(sections["%d"], path=path)
    values, notes = motor_columns(labels, table, mesh, path=path)
    return StagePoints(
        names=mesh.motors, values=values, in_um=False, files=(path,), mesh=mesh, notes=cut + notes
    )


def read_fio_column(path: Path, selection: str | None, name: str) -> Array:
    """A column (n,) by its name, a value a point. Raises InputError."""
    if selection is not None:
        raise InputError(path, expected="one scan in the file, so no number after '#'", found=f"#{selection}")
    labels, table, _ = _table(_sections(text_lines(path))["%d"], path=path)
    return named_column(labels, table, name, path=path)


def _table(lines: list[str], *, path: Path) -> tuple[list[str], Array, tuple[str, ...]]:
    """Names of the columns, their values (n, columns), and notes."""
    columns = [line.split() for line in lines]
    labels = [words[2] for words in columns if len(words) >= 3 and words[0] == "Col"]
    rows = [words for words in columns if words and words[0] != "Col"]
    if not labels:
        raise InputError(path, field="%d", expected="columns ('Col 1 name DOUBLE')", found="none")
    table, notes = number_rows(rows, len(labels), path=path)
    return labels, table, notes


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """Lines of each section without comments; parameters may be lists, NaN or several lines long."""
    found: dict[str, list[str]] = {"%c": [], "%p": [], "%d": []}
    here = ""
    for line in lines:
        mark = line.strip()
        if mark in found:
            here = mark
        elif here and mark and not mark.startswith("!"):
            found[here].append(line)
    return found
