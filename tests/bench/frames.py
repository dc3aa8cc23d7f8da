"""Frames for the comparison: an EIGER X 4M scan of a square superlattice, drawn for this purpose alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

SHAPE = (2167, 2070)
CENTRE = (962.5, 1000.0)
DISTANCE_MM, PIXEL_UM, WAVELENGTH_NM = 398.0, 75.0, 0.0954
GAP_ROWS = ((514, 551), (1065, 1102), (1616, 1653))
GAP_COLS = ((1030, 1040),)
FRAMES_A_FILE = 500
SPOT_Q, SPOT_SIGMA_Q, SPOT_SIGMA_PHI = 10.76, 0.12, 0.05
SPOTS_DEG = (40.0, 130.0, -140.0, -50.0)
MASKED = np.uint32(2**32 - 1)


def pixel_mask() -> np.ndarray:
    """Gaps between modules as the detector's mask writes them."""
    mask = np.zeros(SHAPE, dtype=np.uint32)
    for first, last in GAP_ROWS:
        mask[first:last] = 1
    for first, last in GAP_COLS:
        mask[:, first:last] = 1
    return mask


def _polar() -> tuple[np.ndarray, np.ndarray]:
    row, col = np.indices(SHAPE, dtype=np.float64)
    x, y = col - CENTRE[0], -(row - CENTRE[1])
    two_theta = np.arctan(np.hypot(x, y) * PIXEL_UM * 1e-3 / DISTANCE_MM)
    return 4 * np.pi / WAVELENGTH_NM * np.sin(0.5 * two_theta), np.arctan2(y, x)


@dataclass(frozen=True)
class Drawn:
    """Different frames as their file holds them, and <a_SC> in nm of each; a scan repeats them in turn."""

    chunks: list[bytes]
    a_sc_nm: np.ndarray

    def truth(self, count: int) -> np.ndarray:
        """<a_SC> in nm of each frame of a scan."""
        return self.a_sc_nm[np.arange(count) % len(self.chunks)]


def draw(*, photons: float, different: int) -> Drawn:
    """``different`` frames with ``photons`` in each first-order peak; about 3 in 10 pixels are not empty."""
    rng = np.random.default_rng(20251124)
    q, phi = _polar()
    masked = pixel_mask() != 0
    near = q < 2.4
    rows = np.flatnonzero(near.any(axis=1))
    cols = np.flatnonzero(near.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    wide = 0.15 + 0.9 * np.exp(-q / 3.0) + _spots(q, phi)
    a_sc = 12.0 + 5.0 * rng.random(different)
    chunks = []
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as scrap:
        for number in range(different):
            frame = rng.poisson(wide).astype(np.uint32)
            frame[box] = rng.poisson(_saxs(q[box], phi[box], a_nm=a_sc[number], photons=photons))
            frame[masked] = MASKED
            data = scrap.create_dataset(
                str(number), data=frame[None], chunks=(1, *SHAPE), **hdf5plugin.Bitshuffle(cname="lz4")
            )
            chunks.append(data.id.read_direct_chunk((0, 0, 0))[1])
            del scrap[str(number)]
    return Drawn(chunks=chunks, a_sc_nm=a_sc)


def write_scan(folder: Path, drawn: Drawn, count: int) -> None:
    """Master and data files of ``count`` frames."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_files(folder, drawn.chunks, count)


def _spots(q: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Counts a pixel of the four 100 spots of the atomic lattice, 20,000 photons each."""
    counts = np.zeros(q.shape)
    pixel_q = 2 * np.pi / WAVELENGTH_NM * PIXEL_UM * 1e-3 / DISTANCE_MM
    area = 2 * np.pi * SPOT_SIGMA_Q * SPOT_SIGMA_PHI * SPOT_Q / pixel_q**2
    for angle in np.deg2rad(SPOTS_DEG):
        delta = np.angle(np.exp(1j * (phi - angle)))
        u, v = (q - SPOT_Q) / SPOT_SIGMA_Q, delta / SPOT_SIGMA_PHI
        counts += 20_000.0 / area * np.exp(-0.5 * u * u - 0.5 * v * v)
    return counts


def _saxs(q: np.ndarray, phi: np.ndarray, *, a_nm: float, photons: float) -> np.ndarray:
    """Counts a pixel: four first-order peaks of ``photons`` each on a falling background."""
    centre_q, sigma_q, sigma_phi = 2 * np.pi / a_nm, 0.012, 0.09
    pixel_q = 2 * np.pi / WAVELENGTH_NM * PIXEL_UM * 1e-3 / DISTANCE_MM
    area = 2 * np.pi * sigma_q * sigma_phi * centre_q / pixel_q**2
    mu = 0.03 + 0.25 * np.exp(-q / 0.35)
    for angle in np.deg2rad([5.0, 95.0, -175.0, -85.0]):
        delta = np.angle(np.exp(1j * (phi - angle)))
        mu = mu + photons / area * np.exp(
            -0.5 * ((q - centre_q) / sigma_q) ** 2 - 0.5 * (delta / sigma_phi) ** 2
        )
    return mu


def _write_files(folder: Path, chunks: list[bytes], count: int) -> None:
    with h5py.File(folder / "scan_master.h5", "w") as master:
        detector = master.create_group("entry/instrument/detector")
        for name, value, unit in (
            ("beam_center_x", CENTRE[0], "pixel"),
            ("beam_center_y", CENTRE[1], "pixel"),
            ("detector_distance", DISTANCE_MM * 1e-3, "m"),
            ("x_pixel_size", PIXEL_UM * 1e-6, "m"),
            ("y_pixel_size", PIXEL_UM * 1e-6, "m"),
            ("count_time", 1.0, "s"),
        ):
            detector.create_dataset(name, data=value).attrs["units"] = unit
        detector["bit_depth_image"] = 32
        specific = detector.create_group("detectorSpecific")
        specific["pixel_mask"] = pixel_mask()
        specific["nimages"], specific["ntrigger"] = count, 1
        specific["x_pixels_in_detector"], specific["y_pixels_in_detector"] = SHAPE[1], SHAPE[0]
        wavelength = master.create_dataset(
            "entry/instrument/beam/incident_wavelength", data=WAVELENGTH_NM * 10
        )
        wavelength.attrs["units"] = "angstrom"
        for number, first in enumerate(range(0, count, FRAMES_A_FILE), start=1):
            name = f"scan_data_{number:06d}.h5"
            _write_data(folder / name, chunks, first, min(first + FRAMES_A_FILE, count))
            master[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")


def _write_data(path: Path, chunks: list[bytes], first: int, last: int) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "entry/data/data",
            shape=(last - first, *SHAPE),
            dtype=np.uint32,
            chunks=(1, *SHAPE),
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        data.attrs["image_nr_low"], data.attrs["image_nr_high"] = first + 1, last
        for place, number in enumerate(range(first, last)):
            data.id.write_direct_chunk((place, 0, 0), chunks[number % len(chunks)])
