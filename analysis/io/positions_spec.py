"""Positions from a SPEC file: ``file#scan``, with or without a file header."""

from __future__ import annotations

import re
from pathlib import Path

from analysis.errors import InputError
from analysis.io.stage_points import (
    MESHES,
    Array,
    StagePoints,
    mesh_of,
    motor_columns,
    named_column,
    number_rows,
    shown,
    text_lines,
)

SCAN = re.compile(r"#S\s+(\d+)\s*(.*)")
LABELS = re.compile(r"\s{2,}|\t")
MAX_LISTED = 12


def read_spec(path: Path, selection: str | None) -> StagePoints:
    """Read-back positions of one mesh; motors carry no unit. Raises InputError.

    ``selection`` is the number of a scan, or ``number.k`` for the k-th with that number; without it the file
    must hold one mesh.
    """
    command, labels, table, notes = _scan(path, selection)
    mesh = mesh_of(command, path=path)
    values, more = motor_columns(labels, table, mesh, path=path)
    return StagePoints(
        names=mesh.motors, values=values, in_um=False, files=(path,), mesh=mesh, notes=more + notes
    )


def read_spec_column(path: Path, selection: str | None, name: str) -> Array:
    """A column (n,) of a scan by its name, a value a point. Raises InputError."""
    _, labels, table, _ = _scan(path, selection)
    return named_column(labels, table, name, path=path)


def mesh_numbers(path: Path) -> list[str]:
    """Numbers of the meshes in a file, each as ``file#number`` takes it. Raises InputError."""
    matches = [match for line in text_lines(path) if (match := SCAN.match(line))]
    numbers = [match[1] for match in matches]
    seen: dict[str, int] = {}
    found = []
    for match in matches:
        seen[match[1]] = seen.get(match[1], 0) + 1
        if match[2].split()[:1] and match[2].split()[0] in MESHES:
            several = numbers.count(match[1]) > 1
            found.append(f"{match[1]}.{seen[match[1]]}" if several else match[1])
    return found


def _scan(path: Path, selection: str | None) -> tuple[str, list[str], Array, tuple[str, ...]]:
    """Command of a scan, names of its columns, their values (n, columns), and notes."""
    lines = text_lines(path)
    starts = [(at, match) for at, line in enumerate(lines) if (match := SCAN.match(line))]
    chosen = _chosen(starts, selection, path=path)
    at, match = starts[chosen]
    end = starts[chosen + 1][0] if chosen + 1 < len(starts) else len(lines)
    command = match[2].strip()
    mesh_of(command, path=path)
    labels, rows, stopped = _content(lines[at + 1 : end])
    if not labels:
        raise InputError(path, field=f"#S {match[1]}", expected="#L, the names of the columns", found="none")
    table, cut = number_rows(rows, len(labels), path=path)
    return command, labels, table, cut + stopped


def _chosen(starts: list[tuple[int, re.Match[str]]], selection: str | None, *, path: Path) -> int:
    """Place in ``starts`` of the scan that is meant."""
    meshes = [place for place, (_, match) in enumerate(starts) if match[2].split()[:1] and
              match[2].split()[0] in MESHES]  # fmt: skip
    if selection is None:
        if len(meshes) == 1:
            return meshes[0]
        listed = ", ".join(starts[place][1][1] for place in meshes[:MAX_LISTED]) or "none"
        raise InputError(
            path,
            expected="the number of a scan after '#'",
            found=f"no number, and meshes {listed}" if meshes else "no number, and no mesh in the file",
            remedy="write positions as file#scan",
        )
    wanted = re.fullmatch(r"(\d+)(?:\.(\d+))?", selection)
    if wanted is None:
        raise InputError(path, expected="the number of a scan after '#'", found=shown(selection))
    same = [place for place, (_, match) in enumerate(starts) if match[1] == wanted[1]]
    if not same:
        raise InputError(path, expected=f"scan {wanted[1]}", found=f"{len(starts)} scans without it")
    if wanted[2] is None and len(same) > 1:
        raise InputError(
            path,
            expected=f"one scan {wanted[1]}",
            found=f"{len(same)}",
            remedy=f"name which: #{wanted[1]}.1 to #{wanted[1]}.{len(same)}",
        )
    nth = int(wanted[2] or 1)
    if not 1 <= nth <= len(same):
        raise InputError(path, expected=f"scan {wanted[1]} up to {len(same)} times", found=shown(selection))
    return same[nth - 1]


def _content(lines: list[str]) -> tuple[list[str], list[list[str]], tuple[str, ...]]:
    """Labels, rows of words, and what the scan says of being stopped; spectra (``@A``) are passed over."""
    labels: list[str] = []
    rows: list[list[str]] = []
    notes: tuple[str, ...] = ()
    in_spectrum = False
    for line in lines:
        if in_spectrum or line.startswith("@"):
            in_spectrum = line.rstrip().endswith("\\")
        elif line.startswith("#L"):
            labels = [label for label in LABELS.split(line[2:].strip()) if label]
        elif line.startswith("#C") and "abort" in line.lower():
            notes = (f"the file says: {line[2:].strip()[:120]}",)
        elif line.strip() and not line.startswith("#"):
            rows.append(line.split())
    return labels, rows, notes
