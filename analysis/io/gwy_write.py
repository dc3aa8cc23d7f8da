"""A reduced field as a Gwyddion file: levelled height, modulus, the pixels that count, s, and the lines."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gwyfile.objects import GwyContainer, GwyDataField, GwyObject

from analysis.errors import InputError
from analysis.records import AFM_STATUS, AfmReduction, Array, Result
from analysis.units import NM_PER_M, PA_PER_GPA, UM_PER_M


def write_gwy(path: Path, field: AfmReduction, *, coordinate: str = "rectangle") -> None:
    """Write one field; channel 0 is the height over the ground in m, 1 the modulus in Pa, 2 the coordinate.

    Each carries the pixels that count as its mask and every line as a saved one. A channel that was not
    measured is left out. The file is replaced whole.
    """
    container = GwyContainer()
    counted = field.status == AFM_STATUS.index("ok")
    channels: list[tuple[int, str, Array, str]] = [
        (0, field.height_title or "Height", field.height_nm / NM_PER_M, "m"),
        (1, field.modulus_title or "Modulus", field.modulus_gpa * PA_PER_GPA, "Pa"),
    ]
    if field.coordinate is not None:
        channels.append((2, f"s ({coordinate})", field.coordinate.s[coordinate], ""))
    for number, title, values, unit in channels:
        if np.isfinite(values).any():
            _put_channel(container, field, number, title, values, unit)
            container[f"/{number}/mask"] = _data_field(field, counted.astype(np.float64), "")
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            container.tofile(file)
        part.replace(path)
    except OSError as error:
        raise InputError(
            path.parent, expected="a folder that can be written", found=str(error.strerror or error)
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def export_gwy(result: Result, folder: Path) -> list[Path]:
    """Write every field of a result as ``afm_<n>.gwy``; gives what was written."""
    paths = [folder / f"afm_{field.index}.gwy" for field in result.afm]
    for path, field in zip(paths, result.afm, strict=True):
        write_gwy(path, field)
    return paths


def _put_channel(
    container: GwyContainer, field: AfmReduction, number: int, title: str, values: Array, unit: str
) -> None:
    _put_text(container, f"/{number}/data/title", title)
    container[f"/{number}/data"] = _data_field(field, np.where(np.isfinite(values), values, 0.0), unit)
    container[f"/{number}/data/visible"] = number == 0
    notes = GwyContainer()
    for name, text in {**field.metadata, **_numbered("Step", field.steps)}.items():
        _put_text(notes, name, text)
    container[f"/{number}/meta"] = notes
    ends = list(dict.fromkeys(line.ends_um for line in field.lines))
    if ends:
        numbers = np.array(ends).ravel() / UM_PER_M
        container[f"/{number}/select/line"] = GwyObject(
            "GwySelectionLine", {"max": max(len(ends), 1024), "data": numbers}, {"max": "i", "data": "D"}
        )


def _data_field(field: AfmReduction, values: npt.NDArray[np.float64], unit: str) -> GwyDataField:
    (rows, cols), (dx, dy) = field.grid.shape, field.grid.cell_um
    return GwyDataField(
        np.ascontiguousarray(values),
        xreal=cols * dx / UM_PER_M,
        yreal=rows * dy / UM_PER_M,
        si_unit_xy="m",
        si_unit_z=unit,
    )


def _numbered(name: str, texts: tuple[str, ...]) -> dict[str, str]:
    return {f"{name} {number}": text for number, text in enumerate(texts, start=1)}


def _put_text(container: GwyContainer, key: str, text: str) -> None:
    # gwyfile takes text of one character for a number, and NUL ends text in the file.
    container[key] = text.replace("\0", " ")
    container.typecodes[key] = "s"
