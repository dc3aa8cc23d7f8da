"""A pyFAI calibration (.poni): distance, point of normal incidence, rotations, wavelength, pixel size.

The file is text, "key: value" a line; the last value of a key counts, since calibrations are appended.
Positions are measured from the outer corner of the first pixel, so a pixel's centre is at (n + 0.5) sizes.
Its ``orientation`` says at which corner the file's first pixel lies: pyFAI counts rows and columns from the
other end for some, as ``detector_flip`` does, and places the detector as if the frames had been mirrored.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import InputError
from analysis.records import DetectorGeometry, Result
from analysis.units import MM_PER_M, NM_PER_M, UM_PER_M

MAX_BYTES = 1_000_000
MIRRORS = {1: ("horizontal", "vertical"), 2: ("vertical",), 3: (), 4: ("horizontal",)}
"""How the frames are mirrored before pyFAI's positions belong to them, by orientation."""

USUAL_ORIENTATION = 3


@dataclass(frozen=True, kw_only=True)
class Poni:
    """What a .poni says; ``beam_center_px`` is the point of normal incidence as (column, row), pixel centres
    at integers; ``pixel_size_um`` is (x, y), ``shape`` (rows, columns); None where the file does not say it.
    All belongs to frames after the ``mirrors``, one after the other."""

    distance_mm: float
    rotations_rad: tuple[float, float, float]
    poni_m: tuple[float, float]
    wavelength_nm: float | None
    pixel_size_um: tuple[float, float] | None
    shape: tuple[int, int] | None = None
    mirrors: tuple[str, ...] = ()

    def beam_center_px(self, pixel_size_um: tuple[float, float]) -> tuple[float, float]:
        """``poni / pixel - 0.5`` as (column, row)."""
        row, col = (value * UM_PER_M for value in self.poni_m)
        return col / pixel_size_um[0] - 0.5, row / pixel_size_um[1] - 0.5


def read_poni(path: Path) -> Poni:
    """Read a .poni file; raises InputError with one sentence."""
    values = _entries(path)
    rotations = tuple(_number(path, values, f"rot{axis}", default=0.0) for axis in (1, 2, 3))
    config = _config(path, values)
    _refuse_what_bends(path, values)
    orientation = config.get("orientation") or USUAL_ORIENTATION
    if not isinstance(orientation, int) or orientation not in MIRRORS:
        raise InputError(path, field="orientation", expected="1, 2, 3 or 4", found=str(orientation)[:20])
    return Poni(
        distance_mm=_number(path, values, "distance") * MM_PER_M,
        rotations_rad=(rotations[0], rotations[1], rotations[2]),
        poni_m=(_number(path, values, "poni1"), _number(path, values, "poni2")),
        wavelength_nm=_number(path, values, "wavelength") * NM_PER_M if "wavelength" in values else None,
        pixel_size_um=_pixel_size(path, values, config),
        shape=_shape(config.get("max_shape")),
        mirrors=MIRRORS[orientation],
    )


def poni_text(geometry: DetectorGeometry) -> str:
    """The geometry as a .poni of version 2.1, from which pyFAI has the same q and phi at every pixel.

    It belongs to the frames as they are in their file: where they were mirrored, the ``orientation`` says so.
    pyFAI's azimuth grows clockwise as displayed: its chi is -phi.
    """
    size_x, size_y = (size / UM_PER_M for size in geometry.pixel_size_um)
    orientation = next(
        number for number, mirrors in MIRRORS.items() if mirrors == _mirrors_of(geometry.mirrored)
    )
    config = {
        "pixel1": size_y,
        "pixel2": size_x,
        "max_shape": list(geometry.shape),
        "orientation": orientation,
    }
    entries = {
        "poni_version": 2.1,
        "Detector": "Detector",
        "Detector_config": json.dumps(config),
        "Distance": geometry.distance_mm / MM_PER_M,
        "Poni1": (geometry.beam_center_px[1] + 0.5) * size_y,
        "Poni2": (geometry.beam_center_px[0] + 0.5) * size_x,
        **{f"Rot{axis}": turn for axis, turn in enumerate(geometry.rotations_rad, start=1)},
        "Wavelength": geometry.wavelength_nm / NM_PER_M,
    }
    head = "# Nota: C-Order, 1 refers to the Y axis, 2 to the X axis\n"
    return head + "".join(f"{key}: {value}\n" for key, value in entries.items())


def write_poni(path: Path, geometry: DetectorGeometry) -> None:
    """Write :func:`poni_text`; raises InputError where ``path`` cannot be written."""
    try:
        path.write_text(poni_text(geometry), encoding="utf-8")
    except OSError as error:
        raise InputError(path, expected="a place to write to", found=str(error.strerror)) from None


def export_geometries(result: Result, folder: Path) -> list[Path]:
    """Write each scan's geometry into ``folder`` (``xray.poni``, ``xray_1.poni`` ...); gives the paths."""
    paths = [folder / (f"xray_{n}.poni" if n else "xray.poni") for n in range(len(result.xray))]
    for path, scan in zip(paths, result.xray, strict=True):
        write_poni(path, scan.geometry)
    return paths


def _mirrors_of(mirrored: str | None) -> tuple[str, ...]:
    return () if mirrored in (None, "none") else (str(mirrored),)


def _refuse_what_bends(path: Path, values: dict[str, str]) -> None:
    """Raise InputError for corrections that move pixels off a regular grid."""
    for key, harmless in (("splinefile", ("", "none")), ("parallax", ("", "none", "false"))):
        if values.get(key, "").lower() not in harmless:
            raise InputError(
                path,
                field=key,
                expected="none: pixels on a regular grid",
                found=repr(values[key])[:40],
                remedy="calibrate without it",
            )


def _shape(found: object) -> tuple[int, int] | None:
    """(rows, columns) of ``max_shape``; None where there is none."""
    if isinstance(found, list) and len(found) == 2 and all(isinstance(n, int) and n > 0 for n in found):
        return found[0], found[1]
    return None


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
