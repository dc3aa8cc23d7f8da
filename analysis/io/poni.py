"""A pyFAI calibration (.poni): distance, point of normal incidence, rotations, wavelength, pixel size.

The file is text, "key: value" a line; the last value of a key counts, since calibrations are appended.
Positions are measured from the outer corner of the first pixel, so a pixel's centre is at (n + 0.5) sizes.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import InputError
from analysis.units import MM_PER_M, NM_PER_M, UM_PER_M

MAX_BYTES = 1_000_000
USUAL_ORIENTATION = 3


@dataclass(frozen=True, kw_only=True)
class Poni:
    """What a .poni says; ``beam_center_px`` is the point of normal incidence as (column, row), pixel centres
    at integers; ``pixel_size_um`` is (x, y); None where the file does not say it."""

    distance_mm: float
    rotations_rad: tuple[float, float, float]
    poni_m: tuple[float, float]
    wavelength_nm: float | None
    pixel_size_um: tuple[float, float] | None

    def beam_center_px(self, pixel_size_um: tuple[float, float]) -> tuple[float, float]:
        """``poni / pixel - 0.5`` as (column, row)."""
        row, col = (value * UM_PER_M for value in self.poni_m)
        return col / pixel_size_um[0] - 0.5, row / pixel_size_um[1] - 0.5


def read_poni(path: Path) -> Poni:
    """Read a .poni file; raises InputError with one sentence."""
    values = _entries(path)
    rotations = tuple(_number(path, values, f"rot{axis}", default=0.0) for axis in (1, 2, 3))
    config = _config(path, values)
    orientation = config.get("orientation")
    if orientation not in (None, USUAL_ORIENTATION):
        raise InputError(
            path, field="orientation", expected=f"{USUAL_ORIENTATION}", found=str(orientation)[:20]
        )
    return Poni(
        distance_mm=_number(path, values, "distance") * MM_PER_M,
        rotations_rad=(rotations[0], rotations[1], rotations[2]),
        poni_m=(_number(path, values, "poni1"), _number(path, values, "poni2")),
        wavelength_nm=_number(path, values, "wavelength") * NM_PER_M if "wavelength" in values else None,
        pixel_size_um=_pixel_size(path, values, config),
    )


def _entries(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise InputError(path, expected="a .poni file", found="no file there")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(path, expected="a .poni file", found=f"more than {MAX_BYTES} bytes")
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            values[key.strip().lower()] = value.strip()
    return values


def _number(path: Path, values: dict[str, str], key: str, default: float | None = None) -> float:
    if key not in values and default is not None:
        return default
    try:
        number = float(values[key])
    except (KeyError, ValueError):
        found = repr(values[key])[:40] if key in values else "none"
        raise InputError(path, field=key, expected="a number", found=found) from None
    if not math.isfinite(number) or (key in ("distance", "wavelength") and number <= 0.0):
        raise InputError(path, field=key, expected="a usable number", found=str(number))
    return number


def _config(path: Path, values: dict[str, str]) -> dict[str, object]:
    if "detector_config" not in values:
        return {}
    try:
        config = json.loads(values["detector_config"])
    except (ValueError, RecursionError):
        raise InputError(
            path, field="detector_config", expected="JSON", found=repr(values["detector_config"])[:40]
        ) from None
    return config if isinstance(config, dict) else {}


def _pixel_size(path: Path, values: dict[str, str], config: dict[str, object]) -> tuple[float, float] | None:
    """(x, y) in um from the file's own numbers, or from the detector that it names."""
    if "pixelsize1" in values and "pixelsize2" in values:
        return (
            _number(path, values, "pixelsize2") * UM_PER_M,
            _number(path, values, "pixelsize1") * UM_PER_M,
        )
    first, second = config.get("pixel1"), config.get("pixel2")
    if isinstance(first, float | int) and isinstance(second, float | int) and min(first, second) > 0:
        return float(second) * UM_PER_M, float(first) * UM_PER_M
    name = values.get("detector", "").replace(" ", "_").lower()
    if name in ("", "detector", "nexusdetector"):
        return None
    from pyFAI.detectors import ALL_DETECTORS  # takes a second, and few files need it

    named = ALL_DETECTORS.get(name)
    size = getattr(named, "force_pixel", False) and named()
    if not size:
        return None
    return float(size.pixel2) * UM_PER_M, float(size.pixel1) * UM_PER_M
