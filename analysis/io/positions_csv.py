"""Positions from a table of text: a line a frame, in the order of the frames."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from analysis.errors import InputError
from analysis.io.stage_points import UM_PER, StagePoints, number_rows, shown, text_lines

HEADER = re.compile(r"\s*([xXyY])\s*(?:[_ ]\s*(\w+)|\(\s*(\w+)\s*\)|\[\s*(\w+)\s*\])?\s*")
SEPARATORS = ",;\t"


def read_csv(path: Path, selection: str | None) -> StagePoints:
    """Positions x and y, with a unit in the header: ``x_um``, ``x (mm)`` or ``x [nm]``. InputError."""
    if selection is not None:
        raise InputError(path, expected="a table, so nothing after '#'", found=f"#{selection}")
    lines = [line for line in text_lines(path) if line.strip() and not line.startswith("#")]
    if not lines:
        raise InputError(path, expected="a header and a line a frame", found="no lines")
    separator = max(SEPARATORS, key=lines[0].count)
    try:
        table = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputError(path, expected="a table of numbers", found=f"text that is not ({error})") from None
    header, rows = table[0], [[cell.strip() for cell in row] for row in table[1:]]
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
