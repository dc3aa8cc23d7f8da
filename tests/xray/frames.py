"""Small detector frames and EIGER files drawn from the definitions, apart from everything under test.

A detector of 96 x 104 pixels at 400 mm and 0.1 nm; two families of Gaussian peaks in (q, phi) that are added
up on a finer grid inside every pixel, a background that falls with q, Poisson counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

MASKED = 2**32 - 1


@dataclass(frozen=True)
class Instrument:
    """Detector shape (rows, columns), beam (column, row), lengths by their unit."""

    shape: tuple[int, int] = (96, 104)
    beam_px: tuple[float, float] = (49.3, 46.8)
    pixel_um: float = 150.0
    distance_mm: float = 400.0
    wavelength_nm: float = 0.1
    finer: int = 5

    def q_phi(self, col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """q (nm^-1) and phi (rad, counter-clockwise as displayed) at detector positions in pixels."""
        right = (col - self.beam_px[0]) * self.pixel_um / 1000.0
        up = (self.beam_px[1] - row) * self.pixel_um / 1000.0
        theta = 0.5 * np.arctan(np.sqrt(right**2 + up**2) / self.distance_mm)
        return 4.0 * np.pi / self.wavelength_nm * np.sin(theta), np.arctan2(up, right)

    def pixel_centres(self) -> tuple[np.ndarray, np.ndarray]:
        row, col = np.mgrid[0 : self.shape[0], 0 : self.shape[1]].astype(float)
        return self.q_phi(col, row)

    @property
    def q_per_px(self) -> float:
        return 2.0 * np.pi / self.wavelength_nm * self.pixel_um / 1000.0 / self.distance_mm


@dataclass(frozen=True)
class Crystal:
    """A lattice (nm, degrees) with its peaks' widths (nm^-1, degrees) and photons a peak."""

    a1: float = 14.0
    a2: float = 12.5
    gamma: float = 84.0
    psi: float = 11.0
    photons: float = 1500.0
    sigma_q: float = 0.03
    sigma_phi: float = 5.0

    @property
    def a_sc(self) -> float:
        return 0.5 * (self.a1 + self.a2)

    def reciprocal(self) -> np.ndarray:
        """Rows b1, b2 (x to the right, y up) from inverting the matrix of a1, a2."""
        one, two = np.radians(self.psi), np.radians(self.psi + self.gamma)
        real = [
            [self.a1 * np.cos(one), self.a1 * np.sin(one)],
            [self.a2 * np.cos(two), self.a2 * np.sin(two)],
        ]
        return 2.0 * np.pi * np.linalg.inv(np.array(real)).T


def film(instrument: Instrument, level: float = 0.15) -> np.ndarray:
    """Expected counts of a frame without a crystal, with a beamstop of 5 px."""
    q, _ = instrument.pixel_centres()
    counts = level * (0.2 + np.exp(-q / 0.4) * 4.0)
    return np.where(q < 5.0 * instrument.q_per_px, 1e-4, counts)


def peaks(
    instrument: Instrument, crystal: Crystal, *, orders=((1, 0), (0, 1)), share=(1.0, 1.0)
) -> np.ndarray:
    """Expected counts of the peaks +-(h b1 + k b2), averaged over each pixel."""
    row, col = np.mgrid[0 : instrument.shape[0], 0 : instrument.shape[1]].astype(float)
    offsets = (np.arange(instrument.finer) + 0.5) / instrument.finer - 0.5
    total = np.zeros(instrument.shape)
    b = crystal.reciprocal()
    sigma_phi = np.radians(crystal.sigma_phi)
    for d_row in offsets:
        for d_col in offsets:
            q, phi = instrument.q_phi(col + d_col, row + d_row)
            for (h, k), part in zip(orders, share, strict=True):
                x, y = h * b[0] + k * b[1]
                q0, phi0 = np.hypot(x, y), np.arctan2(y, x)
                # photons a peak spread over an area in pixels of 2 pi s_q s_phi q / (q per px)^2
                height = crystal.photons * part / (2 * np.pi * crystal.sigma_q * sigma_phi * q0)
                height *= instrument.q_per_px**2
                turn = 0.5 * np.angle(np.exp(2j * (phi - phi0)))
                total += height * np.exp(
                    -0.5 * ((q - q0) / crystal.sigma_q) ** 2 - 0.5 * (turn / sigma_phi) ** 2
                )
    return total / instrument.finer**2


def pixel_mask(instrument: Instrument) -> np.ndarray:
    """A gap of two columns, a dead pixel, a noisy one, and one whose bit 31 alone is set (usable)."""
    bits = np.zeros(instrument.shape, np.uint32)
    bits[:, 70:72] = 1
    for row, col, bit in ((10, 20, 2), (80, 15, 16), (30, 30, 1 << 31)):
        if row < instrument.shape[0]:
            bits[row, col] = bit
    return bits


def write_series(
    folder: Path,
    name: str,
    frames: np.ndarray,
    *,
    instrument: Instrument,
    per_file: int = 10,
    exposure_s: float = 1.0,
    **settings: object,
) -> Path:
    """A master with its data files; gives the master's path. ``settings`` go into detectorSpecific."""
    folder.mkdir(parents=True, exist_ok=True)
    master = folder / f"{name}_master.h5"
    with h5py.File(master, "w") as file:
        detector = file.create_group("entry/instrument/detector")
        _put(detector, "beam_center_x", instrument.beam_px[0], "pixel")
        _put(detector, "beam_center_y", instrument.beam_px[1], "pixel")
        _put(detector, "detector_distance", instrument.distance_mm / 1e3, "m")
        _put(detector, "x_pixel_size", instrument.pixel_um / 1e6, "m")
        _put(detector, "y_pixel_size", instrument.pixel_um / 1e6, "m")
        _put(detector, "count_time", exposure_s, "s")
        detector["bit_depth_image"] = 32
        specific = detector.create_group("detectorSpecific")
        specific["pixel_mask"] = pixel_mask(instrument)
        for key, value in ({"nimages": len(frames), "ntrigger": 1} | settings).items():
            if value is not None:
                specific[key] = value
        beam = file.create_group("entry/instrument/beam")
        _put(beam, "incident_wavelength", instrument.wavelength_nm * 10.0, "angstrom")
        group = file.create_group("entry/data")
        for part, start in enumerate(range(0, len(frames), per_file), start=1):
            data_name = f"{name}_data_{part:06d}.h5"
            group[f"data_{part:06d}"] = h5py.ExternalLink(data_name, "/entry/data/data")
            write_data(folder / data_name, frames[start : start + per_file], first=start + 1)
    return master


def _put(group: h5py.Group, name: str, value: float, units: str) -> None:
    group[name] = value
    group[name].attrs["units"] = np.bytes_(units)


def write_data(path: Path, frames: np.ndarray, *, first: int, **filters: object) -> None:
    """One data file, bitshuffle and LZ4 unless other ``filters`` are given."""
    with h5py.File(path, "w") as file:
        stack = file.create_dataset(
            "entry/data/data",
            data=frames,
            chunks=(1, *frames.shape[1:]),
            **(filters or hdf5plugin.Bitshuffle(cname="lz4")),
        )
        stack.attrs["image_nr_low"] = np.uint64(first)
        stack.attrs["image_nr_high"] = np.uint64(first + len(frames) - 1)


@dataclass(frozen=True)
class SmallScan:
    """4 x 5 points, a crystal on the three middle columns whose spacing grows from row to row."""

    shape: tuple[int, int] = (4, 5)
    crystal: Crystal = Crystal()
    instrument: Instrument = Instrument()
    hot: tuple[int, int] = (25, 60)

    def lattice(self, row: int) -> Crystal:
        return replace(self.crystal, a1=self.crystal.a1 + 0.3 * row, a2=self.crystal.a2 + 0.3 * row)

    def frames(self, seed: int = 7) -> np.ndarray:
        """Counts in scan order, masked pixels filled, one pixel always hot."""
        rng = np.random.default_rng(seed)
        empty = film(self.instrument)
        out = np.empty((self.shape[0] * self.shape[1], *self.instrument.shape), np.uint32)
        for row in range(self.shape[0]):
            bright = empty + peaks(self.instrument, self.lattice(row))
            for col in range(self.shape[1]):
                out[row * self.shape[1] + col] = rng.poisson(bright if 1 <= col <= 3 else empty)
        return self.finished(out, rng)

    def background(self, count: int = 12, *, exposure: float = 1.0, seed: int = 8) -> np.ndarray:
        rng = np.random.default_rng(seed)
        out = rng.poisson(exposure * film(self.instrument), (count, *self.instrument.shape)).astype(np.uint32)
        return self.finished(out, rng)

    def finished(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        frames[:, self.hot[0], self.hot[1]] += rng.poisson(60, len(frames)).astype(np.uint32)
        frames[:, (pixel_mask(self.instrument) & 0xFFFF) != 0] = MASKED
        return frames

    def write(self, folder: Path, *, exposure: float = 2.0, **settings: object) -> None:
        """Scan and background, the background ``exposure`` times as long a frame."""
        write_series(folder, "scan", self.frames(), instrument=self.instrument, per_file=7, **settings)
        write_series(
            folder,
            "film",
            self.background(exposure=exposure),
            instrument=self.instrument,
            exposure_s=exposure,
        )
