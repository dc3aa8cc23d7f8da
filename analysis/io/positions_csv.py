"""Positions from a table of text: a line a frame, in the order of the frames."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from analysis.errors import InputError
from analysis.io.stage_points import (
    UM_PER,
    Array,
    StagePoints,
    column_of,
    number_rows,
    shown,
    text_lines,
)

HEADER = re.compile(r"\s*([xXyY])\s*(?:[_ ]\s*(\w+)|\(\s*(\w+)\s*\)|\[\s*(\w+)\s*\])?\s*")
SEPARATORS = ",;\t"


def read_csv(path: Path, selection: str | None) -> StagePoints:
    """Positions x and y, with a unit in the header: ``x_um``, ``x (mm)`` or ``x [nm]``. InputError."""
    if selection is not None:
        raise InputError(path, expected="a table, so nothing after '#'", found=f"#{selection}")
    header, rows = _table(path)
    columns = {axis: _column(header, axis, path=path) for axis in "xy"}
    width = len(header)
    wanted = [columns["x"][0], columns["y"][0]]
    # Other columns may hold anything: dates, names.
    cut = [[row[at] for at in wanted] if len(row) == width else row[:1] for row in rows]
    numbers, notes = number_rows(cut, 2, path=path)
    return StagePoints(
        names=("x", "y"),
        values=(numbers[:, 0] * columns["x"][1], numbers[:, 1] * columns["y"][1]),
        in_um=True,
        files=(path,),
        directed=True,
        notes=notes,
    )


def read_csv_column(path: Path, selection: str | None, name: str | None) -> Array:
    """A column (n,) by its name, or the only one; a value a frame. Raises InputError."""
    if selection is not None:
        raise InputError(path, expected="a table, so only a column after '#'", found=f"#{selection}")
    header, rows = _table(path)
    names = [text.strip() for text in header]
    if name is None and len(names) != 1:
        raise InputError(
            path,
            expected="one column, or its name after '#'",
            found=f"{len(names)}: {shown(','.join(names))}",
        )
    at = column_of(names, name or names[0], path=path)
    numbers, _ = number_rows([row[at : at + 1] for row in rows], 1, path=path)
    return numbers[:, 0]


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of text, whichever of comma, semicolon and tab it uses."""
    lines = [line for line in text_lines(path) if line.strip() and not line.startswith("#")]
    if not lines:
        raise InputError(path, expected="a header and a line a frame", found="no lines")
    separator = max(SEPARATORS, key=lines[0].count)
    try:
        table = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputError(path, expected="a table of numbers", found=f"text that is not ({error})") from None
    return table[0], [[cell.strip() for cell in row] for row in table[1:]]


def _column(header: list[str], axis: str, *, path: Path) -> tuple[int, float]:
    """Place of the column of an axis, and its unit in um."""
    found = []
    for place, name in enumerate(header):
        match = HEADER.fullmatch(name)
        if match is not None and match[1].lower() == axis:
            unit = next((text for text in match.groups()[1:] if text), "")
            if unit in UM_PER:
                found.append((place, UM_PER[unit]))
    if len(found) != 1:
        raise InputError(
            path,
            field=f"column {axis}",
            expected=f"one, with its unit ({axis}_um, or {axis} (mm))",
            found=f"{len(found)} in the header {shown(','.join(header))}",
        )
    return found[0]
