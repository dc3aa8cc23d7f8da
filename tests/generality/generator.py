"""A second forward generator, written from the definitions alone: it shares nothing with ``analysis``.

An oblique crystal (gamma 75 degrees, a1 and a2 different) on a small detector at another wavelength and
distance, the beam off the centre, a serpentine scan whose fast axis runs towards -x; metadata in a NeXus
layout with units that differ from the usual ones. Where the project's own simulation integrates smooth
models, this one adds up spots and particles one by one.

Positions are (x, y) in um, y down; angles counter-clockwise as displayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import tifffile

FILLED_UINT16 = 65535


@dataclass(frozen=True)
class Setup:
    """What the instrument is set to; lengths carry their unit, detector shape is (rows, columns)."""

    points: tuple[int, int] = (9, 13)
    step_um: tuple[float, float] = (0.7, 0.5)
    serpentine: bool = True
    detector: tuple[int, int] = (514, 1030)
    beam_col: float = 612.3
    beam_row: float = 201.7
    pixel_um: float = 75.0
    distance_mm: float = 900.0
    wavelength_nm: float = 0.08
    exposure_s: float = 0.5
    background_exposure_s: float = 2.0
    frames_a_file: int = 40
    counts: float = 4000.0
    seed: int = 20240817


@dataclass(frozen=True)
class Crystal:
    """A rectangle turned by ``turn_deg`` (counter-clockwise as displayed) about its centre."""

    centre_um: tuple[float, float] = (-3.1, 2.9)
    half_um: tuple[float, float] = (2.4, 2.0)
    turn_deg: float = 12.0

    def s_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """1 at the centre, 0 at the edge, negative outside: 1 - max(|u|/A, |v|/B)."""
        turn = math.radians(self.turn_deg)
        dx, dy_up = x - self.centre_um[0], -(y - self.centre_um[1])
        u = dx * math.cos(turn) + dy_up * math.sin(turn)
        v = -dx * math.sin(turn) + dy_up * math.cos(turn)
        return 1.0 - np.maximum(np.abs(u) / self.half_um[0], np.abs(v) / self.half_um[1])


def scan_truth(setup: Setup, crystal: Crystal) -> dict[str, np.ndarray]:
    """Truth of every scan point, (rows, cols): positions, s, coverage and the lattice."""
    rows, cols = setup.points
    col, row = np.meshgrid(np.arange(cols), np.arange(rows))
    x, y = -col * setup.step_um[1], row * setup.step_um[0]  # fast axis to -x, slow axis to +y
    footprint = [(fx, fy) for fx in np.linspace(-0.15, 0.15, 7) for fy in np.linspace(-0.12, 0.12, 7)]
    coverage = np.mean([crystal.s_at(x + fx, y + fy) >= 0.0 for fx, fy in footprint], axis=0)
    s = crystal.s_at(x, y)
    depth = np.clip(s, 0.0, 1.0)
    dx, dy = x - crystal.centre_um[0], y - crystal.centre_um[1]
    a1 = 13.4 + 1.2 * depth + 0.08 * dx
    a2 = 16.2 + 1.6 * depth + 0.05 * dy
    return {
        "x_um": x,
        "y_um": y,
        "s": s,
        "coverage": coverage,
        "a1_nm": a1,
        "a2_nm": a2,
        "a_sc_nm": 0.5 * (a1 + a2),
        "gamma_deg": 75.0 + 1.2 * np.sin(1.3 * dx),
        "psi_deg": 10.0 + 1.5 * dy / 2.0,
    }


def q_and_phi(setup: Setup) -> tuple[np.ndarray, np.ndarray]:
    """q in nm^-1 and phi in radians of every pixel centre, written out from the definitions."""
    row, col = np.mgrid[0 : setup.detector[0], 0 : setup.detector[1]]
    right_mm = (col - setup.beam_col) * setup.pixel_um / 1000.0
    up_mm = -(row - setup.beam_row) * setup.pixel_um / 1000.0
    two_theta = np.arctan(np.hypot(right_mm, up_mm) / setup.distance_mm)
    return 4.0 * np.pi / setup.wavelength_nm * np.sin(two_theta / 2.0), np.arctan2(up_mm, right_mm)


def lattice_spots(a1: float, a2: float, gamma_deg: float, psi_deg: float) -> list[tuple[float, float, float]]:
    """(q, phi, relative strength) of the first orders and of the diagonals, both signs of each.

    The reciprocal vectors come from inverting the 2 x 2 matrix of the lattice vectors (y up).
    """
    psi, end = math.radians(psi_deg), math.radians(psi_deg + gamma_deg)
    real = np.array([[a1 * math.cos(psi), a1 * math.sin(psi)], [a2 * math.cos(end), a2 * math.sin(end)]])
    b1, b2 = 2.0 * math.pi * np.linalg.inv(real).T
    spots = []
    for vector, strength in ((b1, 0.8), (b2, 1.0), (b1 + b2, 0.25), (b1 - b2, 0.08)):
        for sign in (1.0, -1.0):
            x, y = sign * vector
            spots.append((math.hypot(x, y), math.atan2(y, x), strength))
    return spots


def add_spot(
    frame: np.ndarray, q: np.ndarray, phi: np.ndarray, spot: tuple[float, float, float], *, setup: Setup
) -> None:
    """Add one Gaussian in (q, phi) with ``counts`` photons times its strength, in place."""
    q0, phi0, strength = spot
    sigma_q, sigma_phi = 0.014, math.radians(4.0)
    per_px = setup.distance_mm * setup.wavelength_nm / (2.0 * math.pi) / (setup.pixel_um / 1000.0)
    row = setup.beam_row - q0 * per_px * math.sin(phi0)
    col = setup.beam_col + q0 * per_px * math.cos(phi0)
    half = 6.0 * max(sigma_q, q0 * sigma_phi) * per_px
    window = (
        slice(max(0, int(row - half)), max(0, int(row + half) + 2)),
        slice(max(0, int(col - half)), max(0, int(col + half) + 2)),
    )
    turn = np.angle(np.exp(1j * (phi[window] - phi0)))
    area_px = 2.0 * math.pi * sigma_q * q0 * sigma_phi * per_px**2
    height = setup.counts * strength / area_px
    frame[window] += height * np.exp(-0.5 * ((q[window] - q0) / sigma_q) ** 2 - 0.5 * (turn / sigma_phi) ** 2)


def support_film(q: np.ndarray) -> np.ndarray:
    """What is scattered without a crystal, counts per second and pixel: a halo and a broad ring."""
    return 1.2 / (1.0 + (q / 0.35) ** 2) + 0.9 * np.exp(-0.5 * ((q - 0.55) / 0.12) ** 2) + 0.05


def detector_flaws(setup: Setup, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The file's own pixel_mask (bits) and the user's mask (true: not to be used), both (rows, columns)."""
    rows, cols = setup.detector
    bits = np.zeros(setup.detector, np.uint32)
    bits[int(0.55 * rows) : int(0.55 * rows) + 9, :] |= 1
    bits[:, int(0.5 * cols) - 2 : int(0.5 * cols) + 2] |= 1
    dead = rng.random(setup.detector) < 5e-4
    bits[dead] |= 2
    bits[5, 7] |= 1 << 31  # a virtual pixel: usable
    arm = np.zeros(setup.detector, bool)
    row = int(setup.beam_row)
    arm[row - 3 : row + 4, int(setup.beam_col) :] = True
    return bits, arm


def expected_frames(setup: Setup, truth: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Expected counts of each scan point, in the order of the scan's rows and columns."""
    q, phi = q_and_phi(setup)
    film = support_film(q) * setup.exposure_s
    film[q < 0.1] = 0.0
    frames = []
    for row in range(setup.points[0]):
        for col in range(setup.points[1]):
            frame = film.copy()
            lattice = [truth[name][row, col] for name in ("a1_nm", "a2_nm", "gamma_deg", "psi_deg")]
            for spot in lattice_spots(*lattice) if truth["coverage"][row, col] > 0 else []:
                add_spot(frame, q, phi, spot, setup=setup)
            frames.append(film + truth["coverage"][row, col] * (frame - film))
    return frames


def number_in_time(setup: Setup) -> list[int]:
    """For each frame as it was taken, the point it belongs to (row * columns + column)."""
    order = []
    for row in range(setup.points[0]):
        line = [row * setup.points[1] + col for col in range(setup.points[1])]
        order += line[::-1] if setup.serpentine and row % 2 else line
    return order


def write_scan(
    folder: Path, name: str, frames: np.ndarray, *, setup: Setup, bits: np.ndarray, count_s: float
) -> None:
    """A master file with metadata in NeXus units and the frames in data files, one frame a chunk."""
    with h5py.File(folder / f"{name}_master.h5", "w") as master:
        detector = master.create_group("entry/instrument/detector")
        for key, value, unit in (
            ("distance", setup.distance_mm, "mm"),
            ("x_pixel_size", setup.pixel_um, "um"),
            ("y_pixel_size", setup.pixel_um, "um"),
            ("beam_center_x", setup.beam_col, "pixel"),
            ("beam_center_y", setup.beam_row, "pixel"),
            ("count_time", count_s * 1000.0, "ms"),
        ):
            detector.create_dataset(key, data=np.float64(value)).attrs["units"] = unit
        detector["bit_depth_image"] = np.uint8(16)
        detector["pixel_mask"] = bits
        wavelength = master.create_dataset(
            "entry/instrument/beam/incident_wavelength", data=setup.wavelength_nm
        )
        wavelength.attrs["units"] = "nm"
        links = master.create_group("entry/data")
        for part, start in enumerate(range(0, len(frames), setup.frames_a_file), start=1):
            file = f"{name}_data_{part:06d}.h5"
            links[f"data_{part:06d}"] = h5py.ExternalLink(file, "/entry/data/data")
            _write_frames(
                folder / file, frames[start : start + setup.frames_a_file], first=start + 1, part=part
            )


def _write_frames(path: Path, frames: np.ndarray, *, first: int, part: int) -> None:
    """One data file: bslz4 in odd ones, gzip in even ones; a reader must take both."""
    filters = (
        hdf5plugin.Bitshuffle(cname="lz4") if part % 2 else {"compression": "gzip", "compression_opts": 1}
    )
    with h5py.File(path, "w") as file:
        data = file.create_dataset("entry/data/data", data=frames, chunks=(1, *frames.shape[1:]), **filters)
        data.attrs["image_nr_low"] = first
        data.attrs["image_nr_high"] = first + len(frames) - 1


def write_xray(folder: Path, setup: Setup, crystal: Crystal) -> dict[str, np.ndarray]:
    """Write the scan, its background and the user's mask into ``folder``; gives the truth."""
    rng = np.random.default_rng(setup.seed)
    truth = scan_truth(setup, crystal)
    bits, arm = detector_flaws(setup, rng)
    expected = expected_frames(setup, truth)
    frames = np.empty((len(expected), *setup.detector), np.uint16)
    for place, point in enumerate(number_in_time(setup)):
        frames[place] = rng.poisson(expected[point])
    q, _ = q_and_phi(setup)
    film = support_film(q) * setup.background_exposure_s
    film[q < 0.1] = 0.0
    background = rng.poisson(film, (6, *setup.detector)).astype(np.uint16)
    for stack in (frames, background):
        stack[:, arm] = 0
        stack[:, (bits & 0xFFFF) > 0] = FILLED_UINT16
    write_scan(folder, "scan", frames, setup=setup, bits=bits, count_s=setup.exposure_s)
    write_scan(folder, "film", background, setup=setup, bits=bits, count_s=setup.background_exposure_s)
    np.save(folder / "arm.npy", arm)
    return truth


def particle_image(
    shape: tuple[int, int], *, cell_px: tuple[float, float], gamma_deg: float, psi_deg: float, seed: int
) -> np.ndarray:
    """Particles of one lattice drawn one by one as round blobs, in grey levels (float)."""
    rng = np.random.default_rng(seed)
    grey = np.zeros(shape)
    psi, end = math.radians(psi_deg), math.radians(psi_deg + gamma_deg)
    reach = int(2.5 * max(shape) / min(cell_px))
    radius = 0.28 * min(cell_px)
    half = int(4 * radius)
    for m in range(-reach, reach + 1):
        for n in range(-reach, reach + 1):
            col = 0.5 * shape[1] + m * cell_px[0] * math.cos(psi) + n * cell_px[1] * math.cos(end)
            row = 0.5 * shape[0] - m * cell_px[0] * math.sin(psi) - n * cell_px[1] * math.sin(end)
            if not (-half < col < shape[1] + half and -half < row < shape[0] + half):
                continue
            col, row = col + rng.normal(0, 0.04 * cell_px[0]), row + rng.normal(0, 0.04 * cell_px[1])
            top, left = max(0, int(row) - half), max(0, int(col) - half)
            window = np.s_[top : max(0, int(row) + half + 1), left : max(0, int(col) + half + 1)]
            rows, cols = np.mgrid[window]
            blob = np.exp(-0.5 * ((rows - row) ** 2 + (cols - col) ** 2) / radius**2)
            part = grey[window]
            part += rng.normal(1.0, 0.1) * blob[: part.shape[0], : part.shape[1]]
    return grey


def _as_grey8(grey: np.ndarray, *, seed: int) -> np.ndarray:
    """Eight-bit grey with noise and a slow slope of brightness across the columns."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0.0, 25.0, grey.shape[1])
    return np.clip(60.0 + slope + 90.0 * grey + rng.normal(0, 14.0, grey.shape), 0, 255).astype(np.uint8)


STRIPS_NM = (12.6, 14.1, 15.9)
STRIP_PX, STRIP_PIXEL_NM = 256, 1.5


def write_square_strips(path: Path) -> None:
    """Three square lattices side by side, each 256 px wide, in a TIFF with a Zeiss tag.

    ``Pixel Size`` in the tag belongs to 1024 columns, as on the real instrument; the width is right.
    """
    strips = [
        particle_image(
            (STRIP_PX, STRIP_PX),
            cell_px=(a / STRIP_PIXEL_NM, a / STRIP_PIXEL_NM),
            gamma_deg=90.0,
            psi_deg=7.0,
            seed=number,
        )
        for number, a in enumerate(STRIPS_NM)
    ]
    image = _as_grey8(np.concatenate(strips, axis=1), seed=11)
    columns = image.shape[1]
    text = "\r\n".join(
        [
            "0",
            "AP_WIDTH",
            f"Width = {columns * STRIP_PIXEL_NM / 1000.0:.4f} µm",
            "AP_PIXEL_SIZE",
            f"Pixel Size = {columns * STRIP_PIXEL_NM / 1024.0:.4f} nm",
            "",
        ]
    )
    tag = (34118, "s", 0, text.encode("latin-1"), True)
    tifffile.imwrite(path, image, photometric="minisblack", metadata=None, extratags=[tag])


OBLIQUE = {"a1_nm": 14.0, "a2_nm": 17.0, "gamma_deg": 75.0, "psi_deg": 10.0}
OBLIQUE_PIXEL_NM = 1.1


def write_oblique(path: Path) -> None:
    """One oblique lattice over the whole image; nothing in the file says the size of a pixel."""
    grey = particle_image(
        (420, 560),
        cell_px=(OBLIQUE["a1_nm"] / OBLIQUE_PIXEL_NM, OBLIQUE["a2_nm"] / OBLIQUE_PIXEL_NM),
        gamma_deg=OBLIQUE["gamma_deg"],
        psi_deg=OBLIQUE["psi_deg"],
        seed=5,
    )
    tifffile.imwrite(path, _as_grey8(grey, seed=12), photometric="minisblack", metadata=None)


XRAY_TOML = """
[xray]
frames = "scan_master.h5"
background = "film_master.h5"
shape = [{rows}, {cols}]
step_um = [{slow}, {fast}]
serpentine = {serpentine}
scan_axes = ["-x", "+y"]
mask = "arm.npy"
q_min_per_nm = 0.15
saxs_q_max_per_nm = 1.3
"""

SEM_TOML = """
[[sem]]
image = "strips.tif"
view = "bottom"
edge_nm = [0.0, 192.0]
center_nm = [1152.0, 192.0]
rois = [
  {label = "first", x_nm = 30, y_nm = 30, size_nm = 320},
  {label = "second", x_nm = 414, y_nm = 30, size_nm = 320},
  {label = "third", x_nm = 798, y_nm = 30, size_nm = 320},
]

[[sem]]
image = "oblique.tif"
pixel_size_nm = 1.1
view = "bottom"
edge_nm = [0.0, 230.0]
center_nm = [616.0, 230.0]
"""


def xray_toml(setup: Setup) -> str:
    """Head of the sample file and its block of the scan."""
    xray = XRAY_TOML.format(
        rows=setup.points[0],
        cols=setup.points[1],
        slow=setup.step_um[0],
        fast=setup.step_um[1],
        serpentine=str(setup.serpentine).lower(),
    )
    return 'format = 1\ntitle = "An oblique crystal"\nmethod = "diffusion"\nsimulated = true\n' + xray


def write_sample(folder: Path) -> dict[str, np.ndarray]:
    """The whole sample, without AFM, with its sample.toml; gives the truth of the scan."""
    setup = Setup()
    folder.mkdir(parents=True)
    truth = write_xray(folder, setup, Crystal())
    write_square_strips(folder / "strips.tif")
    write_oblique(folder / "oblique.tif")
    (folder / "sample.toml").write_text(xray_toml(setup) + SEM_TOML, encoding="utf-8")
    return truth
