"""The electron micrograph: cubes as bright squares on a slowly varying ground, shot noise, a bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.simulate.lettering import draw_text
from analysis.simulate.monolayer import Monolayer, monolayer
from analysis.simulate.presets import Preset

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

PIXEL_SIZE_NM = 1.2
BLUR_NM = 0.7
JITTER_NM = 0.45
MISSING_SHARE = 0.03
GROUND, CUBE = 62.0, 105.0
ELECTRONS_PER_GREY = 0.55
MARGIN_NM = 15.0


@dataclass(frozen=True, kw_only=True)
class SemFrame:
    """Size of an image: rows in all, columns, and how many of the last rows are the information bar."""

    rows: int
    columns: int
    bar_rows: int

    @property
    def edge_and_center_nm(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Left and right end (x, y) of the line along the middle of what is above the bar."""
        y = round(0.5 * (self.rows - self.bar_rows) * PIXEL_SIZE_NM, 1)
        return (0.0, y), (round(self.columns * PIXEL_SIZE_NM, 1), y)


def sem_image(preset: Preset, frame: SemFrame, rng: np.random.Generator) -> Image:
    """The micrograph of a preset, (rows, columns), its bar burned in."""
    rows = frame.rows - frame.bar_rows
    sites = _sites(preset, frame, rng)
    size = preset.nanocrystal_size_nm
    count = sites.along_nm.size
    edges = np.clip(rng.normal(*size, size=count), size[0] - 2.5 * size[1], size[0] + 2.5 * size[1])
    brightness = CUBE * rng.lognormal(0.0, 0.12, size=count) * (rng.random(count) >= MISSING_SHARE)
    signal = _ground((rows, frame.columns), rng)
    columns_px, rows_px = _in_pixels(preset, frame, sites, rng)
    draw_squares(
        signal,
        rows_px,
        columns_px,
        edges / PIXEL_SIZE_NM,
        sites.angle_rad + rng.normal(0.0, 0.06, size=count),
        brightness,
        BLUR_NM / PIXEL_SIZE_NM,
    )
    noisy = rng.poisson(signal * ELECTRONS_PER_GREY) / ELECTRONS_PER_GREY
    picture = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return np.vstack([picture, information_bar(frame)])


def _sites(preset: Preset, frame: SemFrame, rng: np.random.Generator) -> Monolayer:
    (x0, _), (x1, _) = frame.edge_and_center_nm
    reach = 0.5 * (frame.rows - frame.bar_rows) * PIXEL_SIZE_NM + MARGIN_NM
    return monolayer(
        preset.sem.spacing_nm,
        length_nm=x1 - x0,
        along_nm=(-MARGIN_NM, x1 - x0 + MARGIN_NM),
        across_nm=(-reach, reach),
        rotation_rad=float(np.deg2rad(preset.sem.rotation_deg)),
        origin=(float(rng.random()), float(rng.random())),
    )


def _in_pixels(
    preset: Preset, frame: SemFrame, sites: Monolayer, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Column and row (pixel centres at integers) of every site, each displaced at random."""
    (left, y), (right, _) = frame.edge_and_center_nm
    if preset.sem.edge_on_left:
        x, down = left + sites.along_nm, -sites.across_nm
    else:
        x, down = right - sites.along_nm, sites.across_nm
    jitter = rng.normal(0.0, JITTER_NM, size=(2, x.size))
    return (x + jitter[0]) / PIXEL_SIZE_NM - 0.5, (y + down + jitter[1]) / PIXEL_SIZE_NM - 0.5


def _ground(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Grey of the substrate: a slope and a few slow waves."""
    row, col = np.meshgrid(np.linspace(-0.5, 0.5, shape[0]), np.linspace(-0.5, 0.5, shape[1]), indexing="ij")
    ground = GROUND + 10.0 * col - 6.0 * row
    for _ in range(6):
        waves, phase = rng.normal(0.0, 2.5, size=2), rng.uniform(0.0, 2.0 * np.pi)
        ground += 2.0 * np.cos(2.0 * np.pi * (waves[0] * row + waves[1] * col) + phase)
    return np.asarray(ground)


@njit(cache=True, nogil=True)
def draw_squares(
    signal: Array, row: Array, col: Array, edge: Array, angle: Array, brightness: Array, blur: float
) -> None:
    """Add soft-edged squares to ``signal`` in place; places, edges and blur in pixels.

    Angles are in rad, counter-clockwise as displayed (rows run down).
    """
    rows, cols = signal.shape
    for k in range(row.size):
        reach = 0.75 * edge[k] + 4.0 * blur
        cosine, sine = np.cos(angle[k]), np.sin(angle[k])
        for r in range(max(0, int(row[k] - reach)), min(rows, int(row[k] + reach) + 2)):
            for c in range(max(0, int(col[k] - reach)), min(cols, int(col[k] + reach) + 2)):
                right, up = c - col[k], row[k] - r
                u = abs(right * cosine + up * sine)
                v = abs(up * cosine - right * sine)
                shape_u = 0.5 * (1.0 + np.tanh((0.5 * edge[k] - u) / blur))
                shape_v = 0.5 * (1.0 + np.tanh((0.5 * edge[k] - v) / blur))
                signal[r, c] += brightness[k] * shape_u * shape_v


def information_bar(frame: SemFrame) -> Image:
    """The black strip below the picture: conditions on the left, a scale of 500 nm on the right."""
    bar = np.zeros((frame.bar_rows, frame.columns), dtype=np.uint8)
    scale = max(1, frame.bar_rows // 14)
    top = (frame.bar_rows - 7 * scale) // 2
    draw_text(bar, "SIMULATED 2.0kV 3.1mm x51.7k SE(U)", row=top, col=4 * scale, scale=scale)
    ticks = 500.0 / PIXEL_SIZE_NM / 10.0
    start = frame.columns - 11.0 * ticks
    draw_text(bar, "500nm", row=top, col=int(start) - 40 * scale, scale=scale)
    for tick in range(11):
        column = round(start + tick * ticks)
        bar[top : top + 7 * scale, column : column + 2] = 255
    return bar
