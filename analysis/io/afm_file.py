"""What a file of an atomic force microscope holds, whichever program wrote it: channels, graphs, the rest.

Arrays are (rows, cols), row 0 on top. Positions count from the field's top-left corner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.records import Array, PixelGrid
from analysis.units import (
    GPA_PER_KPA,
    GPA_PER_MPA,
    GPA_PER_PA,
    NM_PER_ANGSTROM,
    NM_PER_UM,
    UM_PER_M,
    UM_PER_MM,
    UM_PER_NM,
)

UM_PER_LENGTH_UNIT = {
    "m": UM_PER_M,
    "mm": UM_PER_MM,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "nm": UM_PER_NM,
    "Å": NM_PER_ANGSTROM * UM_PER_NM,
}
"""Gwyddion writes ``m``; other programs, NanoScope's among them, are less strict."""

GPA_PER_PRESSURE_UNIT = {"Pa": GPA_PER_PA, "kPa": GPA_PER_KPA, "MPa": GPA_PER_MPA, "GPa": 1.0}


@dataclass(frozen=True, kw_only=True)
class AfmChannel:
    """One channel. ``values`` (yres, xres) in ``unit``; ``width``, ``height``, ``offset`` in ``xy_unit``.

    ``mask`` (yres, xres) is true where a mask was saved. ``lines`` (n, 4) holds x0, y0, x1, y1,
    ``points`` (n, 2) x, y and ``rectangles`` (n, 4) two corners, all in ``xy_unit`` from the top-left corner.
    """

    number: int
    title: str
    values: Array
    unit: str
    width: float
    height: float
    xy_unit: str
    offset: tuple[float, float] = (0.0, 0.0)
    mask: npt.NDArray[np.bool_] | None = None
    lines: Array = field(default_factory=lambda: np.empty((0, 4)))
    points: Array = field(default_factory=lambda: np.empty((0, 2)))
    rectangles: Array = field(default_factory=lambda: np.empty((0, 4)))
    metadata: Mapping[str, str] = field(default_factory=dict)
    log: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The title, or ``channel N`` where there is none."""
        return self.title or f"channel {self.number}"

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def um_per_xy_unit(self) -> float | None:
        """What a lateral unit is in um; None where it is not a length."""
        return UM_PER_LENGTH_UNIT.get(self.xy_unit)

    @property
    def is_length(self) -> bool:
        return self.unit in UM_PER_LENGTH_UNIT

    @property
    def is_pressure(self) -> bool:
        return self.unit in GPA_PER_PRESSURE_UNIT

    def grid(self, path: Path) -> PixelGrid:
        """The field as a grid of pixels in um; raises InputError where the lateral unit is not a length."""
        scale = self.um_per_xy_unit
        if scale is None:
            raise InputError(
                path,
                field=f"channel {self.number}",
                expected="a lateral unit of length, as m",
                found=repr(self.xy_unit),
                remedy="set the dimensions of the channel in Gwyddion and save it as .gwy",
            )
        rows, cols = self.shape
        return PixelGrid.of_image(
            self.shape, dx_um=self.width * scale / cols, dy_um=self.height * scale / rows
        )

    def height_nm(self) -> Array:
        """Values of a channel of length in nm, (yres, xres)."""
        return np.asarray(self.values * (UM_PER_LENGTH_UNIT[self.unit] * NM_PER_UM))

    def modulus_gpa(self) -> Array:
        """Values of a channel of pressure in GPa, (yres, xres)."""
        return np.asarray(self.values * GPA_PER_PRESSURE_UNIT[self.unit])


@dataclass(frozen=True, kw_only=True)
class AfmGraph:
    """One saved graph: ``curves`` holds (description, x (n,), y (n,)) in the units named."""

    number: int
    title: str
    x_unit: str
    y_unit: str
    curves: tuple[tuple[str, Array, Array], ...]


@dataclass(frozen=True, kw_only=True)
class AfmFile:
    """A whole file: channels by number, saved graphs, and in words what it holds beside them."""

    path: Path
    channels: tuple[AfmChannel, ...]
    graphs: tuple[AfmGraph, ...] = ()
    others: tuple[str, ...] = ()
