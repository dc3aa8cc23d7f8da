"""Reading of the simulated files with nothing but the formats' own libraries, and geometry by hand."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import gwyfile
import h5py
import hdf5plugin  # noqa: F401  registers the filter
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WAVELENGTH_NM = 1.239841984 / 13.0
PIXEL_MM, DISTANCE_MM = 0.075, 398.0


@cache
def frames(sample: Path, name: str = "scan") -> npt.NDArray[np.uint32]:
    """All frames of a series (n, rows, cols) in the order of their links."""
    with h5py.File(sample / "xray" / f"{name}_master.h5") as master:
        data = master["entry/data"]
        return np.concatenate([data[key][()] for key in sorted(data)])


@cache
def pixel_mask(sample: Path) -> npt.NDArray[np.uint32]:
    """The master's mask of pixels."""
    with h5py.File(sample / "xray" / "scan_master.h5") as master:
        return master["entry/instrument/detector/detectorSpecific/pixel_mask"][()]


def beam_center(sample: Path) -> tuple[float, float]:
    """Column and row of the beam."""
    with h5py.File(sample / "xray" / "scan_master.h5") as master:
        detector = master["entry/instrument/detector"]
        return float(detector["beam_center_x"][()]), float(detector["beam_center_y"][()])


@cache
def q_and_phi(sample: Path) -> tuple[Array, Array]:
    """q in nm^-1 and phi in degrees of every pixel: phi = atan2(-(row - row0), col - col0)."""
    rows, cols = pixel_mask(sample).shape
    col0, row0 = beam_center(sample)
    right = (np.arange(cols) - col0)[None, :] + np.zeros((rows, 1))
    down = (np.arange(rows) - row0)[:, None] + np.zeros((1, cols))
    theta = 0.5 * np.arctan(np.hypot(right, down) * PIXEL_MM / DISTANCE_MM)
    return 4.0 * np.pi / WAVELENGTH_NM * np.sin(theta), np.degrees(np.arctan2(-down, right))


def truth(sample: Path, name: str) -> Array:
    """One dataset of truth.h5."""
    with h5py.File(sample / "truth.h5") as file:
        return file[name][()]


def truth_attributes(sample: Path, group: str = "/") -> dict[str, object]:
    """Attributes of a group of truth.h5."""
    with h5py.File(sample / "truth.h5") as file:
        return dict(file[group].attrs)


def described(sample: Path) -> dict[str, object]:
    """The parsed sample.toml."""
    return tomllib.loads((sample / "sample.toml").read_text(encoding="utf-8"))


def rectangle_s(x: Array, y: Array, attributes: dict[str, object]) -> Array:
    """s = 1 - max(|u|/A, |v|/B) of points, y down, the rectangle turned counter-clockwise as displayed."""
    (cx, cy), (A, B) = attributes["crystal_centre_um"], attributes["crystal_half_sides_um"]
    turned = ((x - cx) - 1j * (y - cy)) * np.exp(-1j * np.radians(float(attributes["crystal_rotation_deg"])))
    return 1.0 - np.maximum(np.abs(turned.real) / A, np.abs(turned.imag) / B)


def gwy(sample: Path) -> dict[str, object]:
    """The Gwyddion container of a sample."""
    return gwyfile.load(str(sample / "afm" / "map.gwy"))


def gwy_channel(container: dict[str, object], title: str) -> int:
    """Number of the channel with this title."""
    found = [key for key, value in container.items() if key.endswith("/data/title") and value == title]
    assert len(found) == 1
    return int(found[0].split("/")[1])
