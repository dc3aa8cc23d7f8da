"""Where the detector stands and which pixels count, from the sample file, a .poni and the detector's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.poni import Poni, read_poni
from analysis.io.sample_file import FILE_NAME, XrayBlock
from analysis.io.series import Series
from analysis.records import DetectorGeometry
from analysis.units import wavelength_nm_from_energy
from analysis.xray.geometry import flipped

Mask = npt.NDArray[np.bool_]

NEEDED = {
    "wavelength_nm": "energy_kev",
    "distance_mm": "distance_mm",
    "beam_center_px": "beam_center_px",
    "pixel_size_um": "poni",
}
"""What must be known, and the key of the sample file that says it."""


def detector_geometry(block: XrayBlock, series: Series, *, folder: Path) -> DetectorGeometry:
    """Geometry with, for each value, where it was taken from: sample file, .poni or the frames' file."""
    poni = None if block.poni is None else read_poni(folder / block.poni)
    if block.poni is not None and poni is not None and poni.shape not in (None, series.shape):
        raise InputError(
            folder / block.poni,
            field="detector_config",
            expected=f"a detector of {series.shape[0]} x {series.shape[1]} pixels, as {series.path.name} has",
            found=f"{poni.shape}",
            remedy="name the calibration of this detector",
        )
    found, sources = _candidates(block, series, poni)
    for name, key in NEEDED.items():
        if found.get(name) is None:
            raise InputError(
                series.path,
                field=name,
                expected="this value in the file",
                found="none that is set",
                remedy=f"set xray.{key} in {FILE_NAME}",
            )
    geometry = DetectorGeometry(
        wavelength_nm=_number(found["wavelength_nm"]),
        distance_mm=_number(found["distance_mm"]),
        pixel_size_um=_pair(found["pixel_size_um"]),
        beam_center_px=_pair(found["beam_center_px"]),
        shape=series.shape,
        rotations_rad=(0.0, 0.0, 0.0) if poni is None else poni.rotations_rad,
        distance_err_mm=block.distance_err_mm,
        pixel_size_err_pct=block.pixel_size_err_pct,
        sources=sources,
        polarization=block.polarization,
        holder_transmission=block.holder_transmission,
    )
    if poni is not None and poni.mirrors:
        geometry = _as_in_file(geometry, poni, block.beam_center_px)
    return geometry


def _as_in_file(
    geometry: DetectorGeometry, poni: Poni, beam_center_px: tuple[float, float] | None
) -> DetectorGeometry:
    """The geometry of frames as they are stored, of one that a .poni gives for mirrored frames."""
    sources = geometry.sources
    for mirror in reversed(poni.mirrors):
        geometry = flipped(geometry, mirror)
    centre = geometry.beam_center_px if beam_center_px is None else beam_center_px
    return replace(geometry, beam_center_px=centre, sources=sources, mirrored=None)


Value = float | tuple[float, float] | None


def _candidates(
    block: XrayBlock, series: Series, poni: Poni | None
) -> tuple[dict[str, Value], dict[str, str]]:
    file = series.metadata
    found: dict[str, Value] = {
        "wavelength_nm": file.wavelength_nm,
        "distance_mm": file.distance_mm,
        "pixel_size_um": file.pixel_size_um,
        "beam_center_px": file.beam_center_px,
    }
    sources = dict(file.sources)

    def take(name: str, value: Value, source: str) -> None:
        if value is not None:
            found[name] = value
            sources[name] = source

    if poni is not None and block.poni is not None:
        take("wavelength_nm", poni.wavelength_nm, block.poni)
        take("distance_mm", poni.distance_mm, block.poni)
        take("pixel_size_um", poni.pixel_size_um, block.poni)
        size = found["pixel_size_um"]
        if isinstance(size, tuple):
            take("beam_center_px", poni.beam_center_px(size), block.poni)
    if block.energy_kev is not None:
        take("wavelength_nm", wavelength_nm_from_energy(block.energy_kev), FILE_NAME)
    take("distance_mm", block.distance_mm, FILE_NAME)
    take("beam_center_px", block.beam_center_px, FILE_NAME)
    return found, sources


def _number(value: Value) -> float:
    if not isinstance(value, float):
        raise TypeError(f"a number, not {value!r}")
    return value


def _pair(value: Value) -> tuple[float, float]:
    if not isinstance(value, tuple):
        raise TypeError(f"a pair, not {value!r}")
    return value


def user_mask(block: XrayBlock, shape: tuple[int, int], *, folder: Path) -> Mask:
    """Pixels (rows, cols) that the user's mask takes out; none without one. Raises InputError."""
    if block.mask is None:
        return np.zeros(shape, dtype=np.bool_)
    path = folder / block.mask
    if not path.is_file():
        raise InputError(path, expected="a mask (.npy)", found="no file there")
    expected = f"an array of {shape[0]} x {shape[1]} numbers or truth values (.npy), true where not used"
    try:
        mask = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(path, expected=expected, found=f"something else ({error})") from None
    if not isinstance(mask, np.ndarray) or mask.shape != shape or mask.dtype.kind not in "biu":
        kind = f"{mask.dtype}, {mask.shape}" if isinstance(mask, np.ndarray) else "several arrays"
        raise InputError(path, expected=expected, found=kind)
    return np.asarray(mask != 0)
