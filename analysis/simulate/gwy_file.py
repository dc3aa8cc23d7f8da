"""A force map as a Gwyddion file: channels in base SI units, a mask, a saved line, the instrument's notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from gwyfile.objects import GwyContainer, GwyDataField, GwyObject

from analysis.simulate.afm import AfmField
from analysis.units import NM_PER_M, PA_PER_GPA, UM_PER_M

Array = npt.NDArray[np.float64]

STAGE_OFFSET_UM = (0.283203, -0.15)
"""Where the field lay on the stage: positions in the file do not count from it."""

NOTES = {
    "Simulated": "yes, by Triptych",
    "Tip Radius": "8 nm",
    "Sample Poisson's Ratio": "0.3",
    "Modulus Fit Model": "DMT",
    "Spring Constant": "200 N/m",
    "Scan Mode": "PeakForce QNM (simulated)",
}


def write_gwy(path: Path, field: AfmField, *, first_channel: int) -> None:
    """Write height, modulus and adhesion as channels ``first``, ``first + 2``, ``first + 3``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    container = GwyContainer()
    channels = (
        (first_channel, "Height Sensor", field.height_nm / NM_PER_M, "m"),
        (first_channel + 2, "DMT Modulus", field.modulus_gpa * PA_PER_GPA, "Pa"),
        (first_channel + 3, "Adhesion", field.adhesion_nn / NM_PER_M, "N"),
    )
    for number, title, values, unit in channels:
        _put_text(container, f"/{number}/data/title", title)
        container[f"/{number}/data"] = _data_field(values, field.field_um, unit)
        container[f"/{number}/data/visible"] = number == first_channel
        container[f"/{number}/meta"] = _notes()
        if unit == "Pa":
            container[f"/{number}/mask"] = _data_field(field.mask, field.field_um, "")
        if unit != "N":
            container[f"/{number}/select/line"] = _lines([field.line_um()])
    with path.open("wb") as file:
        container.tofile(file)


def _data_field(values: Array, field_um: float, unit: str) -> GwyDataField:
    size_m = field_um / UM_PER_M
    return GwyDataField(
        np.ascontiguousarray(values, dtype=np.float64),
        xreal=size_m,
        yreal=size_m,
        xoff=STAGE_OFFSET_UM[0] / UM_PER_M,
        yoff=STAGE_OFFSET_UM[1] / UM_PER_M,
        si_unit_xy="m",
        si_unit_z=unit,
    )


def _lines(lines_um: list[tuple[float, float, float, float]]) -> GwyObject:
    """A line selection: ends x0, y0, x1, y1 in metres from the field's top-left corner, its offsets apart."""
    ends = np.array(lines_um).ravel() / UM_PER_M
    return GwyObject("GwySelectionLine", {"max": 1024, "data": ends}, {"max": "i", "data": "D"})


def _notes() -> GwyContainer:
    notes = GwyContainer()
    for key, text in NOTES.items():
        _put_text(notes, key, text)
    return notes


def _put_text(container: GwyContainer, key: str, text: str) -> None:
    container[key] = text
    container.typecodes[key] = "s"
