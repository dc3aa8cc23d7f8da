"""The lattice in many overlapping regions of an image: maps of <a_SC>, orientation and order.

Every region goes the way of :mod:`analysis.sem.measure`, with what a map of thousands of them can afford: the
transform is not padded, maxima are refined by the vertex in ln power (corrected for the Hann window), and the
uncertainty is that of the phase noise around the peaks with the second-order effect of the gradient that
the map itself shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from analysis.records import SEM_STATUS, PixelGrid
from analysis.sem.peaks import threshold, window_moments
from analysis.sem.region import MIN_PERIODS_OK, MIN_PX_PER_PERIOD
from analysis.sem.sliding_kernels import (
    LATTICE,
    RING,
    band_table,
    search_regions,
    window_regions,
)
from analysis.sem.spectrum import MIN_PERIODS, NYQUIST_SHARE, hann
from analysis.units import UM_PER_NM

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

MAX_ACROSS = 128
"""Regions of a map along either direction."""

STEP_SHARE = 0.25
"""Regions follow each other by this share of their side, or by more where there would be too many."""

BATCH = 32
WAVES = 51
OFF = SEM_STATUS.index("no_peak")


@dataclass(frozen=True, kw_only=True)
class Raster:
    """Regions of ``size_px`` whose top-left corners stand at ``rows`` x ``cols``, both rising by one step."""

    size_px: int
    rows: Places
    cols: Places

    @property
    def shape(self) -> tuple[int, int]:
        """Number of regions down and across."""
        return self.rows.size, self.cols.size

    def grid(self, *, pixel_nm: float) -> PixelGrid:
        """Centres of the regions in um from the image's top-left corner."""
        step_y, step_x = (float(at[1] - at[0]) if at.size > 1 else 1.0 for at in (self.rows, self.cols))
        um = pixel_nm * UM_PER_NM
        return PixelGrid(
            shape=self.shape,
            col_step_um=(step_x * um, 0.0),
            row_step_um=(0.0, step_y * um),
            x0_um=(float(self.cols[0]) + 0.5 * self.size_px) * um,
            y0_um=(float(self.rows[0]) + 0.5 * self.size_px) * um,
        )


@dataclass(frozen=True, kw_only=True)
class SlidingFit:
    """What each region (rows, cols) gave, in px: ``b`` (rows, cols, 2, 2) cycles per px, NaN without one.

    ``covariance`` (rows, cols, 2, 2) is that of the two vectors along either axis; ``ring_k``, ``ring_err`` a
    ring's frequency; ``order`` the peaks' power over background; ``status`` indexes SEM_STATUS.
    """

    raster: Raster
    b: Array
    covariance: Array
    ring_k: Array
    ring_err: Array
    order: Array
    status: Bytes


def raster_over(*, shape: tuple[int, int], size_px: int, step_px: int | None = None) -> Raster | None:
    """Overlapping regions over an image of ``shape``, at most MAX_ACROSS either way; None where none fits."""
    if size_px > min(shape):
        return None
    rows, cols = (_corners(extent - size_px, size_px, step_px) for extent in shape)
    return Raster(size_px=size_px, rows=rows, cols=cols)


def _corners(room: int, size_px: int, step_px: int | None) -> Places:
    wanted = step_px if step_px is not None else max(1, round(STEP_SHARE * size_px))
    step = max(wanted, -(-room // (MAX_ACROSS - 1)), 1)
    count = room // step + 1
    return (room - (count - 1) * step) // 2 + step * np.arange(count)


def sliding_fit(
    image: npt.NDArray[np.unsignedinteger], raster: Raster, *, k_limit: float = 0.5, workers: int = 2
) -> SlidingFit:
    """Lattice of every region of the raster in ``image`` (rows, cols), by ``workers`` threads.

    Nothing above ``k_limit`` (cycles per px) is looked at.
    """
    size, count = raster.size_px, raster.shape
    width = int(min(np.ceil(min(k_limit, 0.5 * NYQUIST_SHARE) * size) + 2, size // 2 + 1))
    kind = np.zeros(count, dtype=np.uint8)
    basis, noise = (np.full((*count, 2, 2), np.nan) for _ in range(2))
    order = np.ones(count)
    window = hann(size).astype(np.float32)
    bands = band_table(size, width, MIN_PERIODS)
    correction = vertex_correction(size)
    least = threshold(size)

    def search(task: tuple[int, slice]) -> None:
        row, part = task
        cols = raster.cols[part]
        windowed = np.empty((cols.size, size, size), dtype=np.float32)
        window_regions(np.asarray(image), int(raster.rows[row]), cols, window, windowed)
        half = fft.rfft(windowed, axis=2, workers=1)[:, :, :width]
        transforms = fft.fft(half, axis=1, workers=1)
        found = (kind[row, part], basis[row, part], noise[row, part], order[row, part])
        search_regions(windowed, transforms, bands, correction, least, *found)

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for _ in pool.map(search, _tasks(count)):
            pass
    return _fit(raster, kind, basis, noise, order)


def _tasks(count: tuple[int, int]) -> Iterator[tuple[int, slice]]:
    for row in range(count[0]):
        for start in range(0, count[1], BATCH):
            yield row, slice(start, min(start + BATCH, count[1]))


def _fit(raster: Raster, kind: Bytes, basis: Array, noise: Array, order: Array) -> SlidingFit:
    size = raster.size_px
    lattice, ring = kind == LATTICE, kind == RING
    x2_w, x2_w2 = window_moments(size)
    b = np.where(lattice[..., None, None], basis / size, np.nan)
    lengths = np.hypot(b[..., 0], b[..., 1])
    status = np.full(kind.shape, OFF, dtype=np.uint8)
    status[lattice] = SEM_STATUS.index("ok")
    status[lattice & (lengths.min(axis=-1) * size < MIN_PERIODS_OK)] = SEM_STATUS.index("few_periods")
    status[lattice & (lengths.max(axis=-1) * MIN_PX_PER_PERIOD > 1.0)] = SEM_STATUS.index("undersampled")
    status[ring] = SEM_STATUS.index("ring")
    return SlidingFit(
        raster=raster,
        b=b,
        covariance=np.where(lattice[..., None, None], noise * x2_w2 / (4.0 * np.pi**2 * x2_w**2), np.nan),
        ring_k=np.where(ring, basis[..., 0, 0] / size, np.nan),
        ring_err=np.where(ring, noise[..., 0, 0] / size, np.nan),
        order=order,
        status=status,
    )


def vertex_correction(size: int) -> Array:
    """True offset of a pure wave from the grid, for vertex offsets of ln power 0 ... 1/2, (WAVES,)."""
    true = np.linspace(0.0, 0.5, 4 * WAVES)
    window, x = hann(size), np.arange(size) - 0.5 * (size - 1)
    logs = np.log(
        np.array(
            [
                np.abs(np.exp(-2j * np.pi * np.outer(at - true, x) / size) @ window) ** 2
                for at in (-1.0, 0.0, 1.0)
            ]
        )
    )
    vertex = 0.5 * (logs[0] - logs[2]) / (logs[0] - 2.0 * logs[1] + logs[2])
    return np.asarray(np.interp(np.linspace(0.0, 0.5, WAVES), vertex, true))
