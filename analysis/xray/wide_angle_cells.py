"""Cells of (q, phi) over the whole detector: which pixel belongs to which, and what each cell sees.

A cell is 1 degree wide and ``ROW_PIXELS`` pixels high in q; it is a sum of whole pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.records import DetectorGeometry
from analysis.xray.geometry import pixel_directions
from analysis.xray.wide_angle_kernels import PHI_BINS

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ROW_PIXELS = 3.0
BAND_ROWS = 128
SMOOTHED_BINS = 10
"""The background of a cell is that of its row within so many degrees to each side."""

HOT_SIGMA = 8.0


@dataclass(frozen=True, kw_only=True)
class CellMap:
    """``cell`` (rows, cols) int32 of the mirrored detector, -1 where a pixel does not count, and the cells.

    ``layers`` (4, n_q, 360): summed efficiency, counts a frame without a crystal (scaled), q of the centroid
    in nm^-1, phi of the centroid minus that of the bin's centre in rad. Row i holds q from
    ``q_first_per_nm + i q_step_per_nm``; bin j holds phi from j - 180 degrees. ``limit`` is the first count
    that is not trusted; ``background_share`` the variance of the background over its value.
    """

    cell: npt.NDArray[np.int32]
    layers: Array
    q_first_per_nm: float
    q_step_per_nm: float
    pixel_per_nm: float
    limit: int
    background_share: float = 0.0

    @property
    def rows(self) -> int:
        """Number of rows of cells."""
        return int(self.layers.shape[1])

    @property
    def q_per_nm(self) -> Array:
        """Centres of the rows (n_q,)."""
        return np.asarray(self.q_first_per_nm + self.q_step_per_nm * (np.arange(self.rows) + 0.5))

    def row_of(self, q_per_nm: float) -> int:
        """Row that holds q, at the border where there is none."""
        row = int((q_per_nm - self.q_first_per_nm) / self.q_step_per_nm)
        return min(max(row, 0), self.rows - 1)


def cell_map(
    geometry: DetectorGeometry, *, usable: Mask, q_first_per_nm: float, limit: int
) -> CellMap | None:
    """Cells of all pixels beyond ``q_first_per_nm`` that ``usable`` (rows, cols) allows; None without any."""
    rows, cols = geometry.shape
    cell = np.full((rows, cols), -1, dtype=np.int32)
    corner_q, pixel = _largest_q(geometry)
    step = ROW_PIXELS * pixel
    n_q = math.ceil((corner_q - q_first_per_nm) / step)
    if n_q < 8:
        return None
    sums = np.zeros((3, n_q * PHI_BINS))
    for top in range(0, rows, BAND_ROWS):
        band = slice(top, min(rows, top + BAND_ROWS))
        seen = pixel_directions(geometry, origin=(top, 0), shape=(band.stop - top, cols))
        good = usable[band] & (seen.q_per_nm >= q_first_per_nm)
        row = ((seen.q_per_nm[good] - q_first_per_nm) / step).astype(np.int32)
        turn = (seen.phi_rad[good] + math.pi) * (PHI_BINS / (2.0 * math.pi))
        column = np.minimum(turn.astype(np.int32), PHI_BINS - 1)
        index = np.minimum(row, n_q - 1) * PHI_BINS + column
        cell[band][good] = index
        away = (turn - column - 0.5) * (2.0 * math.pi / PHI_BINS)
        efficiency = seen.efficiency[good]
        weighted = (efficiency, efficiency * seen.q_per_nm[good], efficiency * away)
        for into, values in zip(sums, weighted, strict=True):
            into += np.bincount(index, weights=values, minlength=into.size)
    if not sums[0].any():
        return None
    layers = np.zeros((4, n_q, PHI_BINS))
    weight = np.maximum(sums[0], 1e-30)
    layers[0] = sums[0].reshape(n_q, PHI_BINS)
    layers[2] = (sums[1] / weight).reshape(n_q, PHI_BINS)
    layers[3] = (sums[2] / weight).reshape(n_q, PHI_BINS)
    return CellMap(
        cell=cell,
        layers=layers,
        q_first_per_nm=q_first_per_nm,
        q_step_per_nm=step,
        pixel_per_nm=pixel,
        limit=limit,
    )


def _largest_q(geometry: DetectorGeometry) -> tuple[float, float]:
    """Largest q at a corner of the detector, and nm^-1 per pixel near the beam."""
    rows, cols = geometry.shape
    corners = [
        pixel_directions(geometry, origin=(row, col), shape=(1, 1))
        for row in (0, rows - 1)
        for col in (0, cols - 1)
    ]
    return max(float(corner.q_per_nm[0, 0]) for corner in corners), corners[0].step_per_nm


def largest_q_per_nm(geometry: DetectorGeometry) -> float:
    """Largest q that the detector reaches, nm^-1."""
    return _largest_q(geometry)[0]


def with_background(cells: CellMap, total: npt.NDArray[np.uint32], frames: int, beta: float) -> CellMap:
    """The same cells with a background: ``beta`` times the mean of ``frames`` frames summed to ``total``.

    It is averaged along phi over 21 degrees, over cells that count: halos are smooth, and its noise is common
    to all points of a scan.
    """
    if frames == 0:
        return cells
    good = cells.cell >= 0
    sums = np.bincount(cells.cell[good], weights=total[good], minlength=cells.layers[0].size)
    counts = sums.astype(np.float64).reshape(cells.layers[0].shape)
    near = _running(counts) / np.maximum(_running(cells.layers[0]), 1e-30)
    layers = cells.layers.copy()
    layers[1] = beta / frames * near * layers[0]
    return replace(cells, layers=layers, background_share=beta / frames / (2 * SMOOTHED_BINS + 1))


def _running(values: Array) -> Array:
    """Sum over 2 SMOOTHED_BINS + 1 bins of phi around each, (n_q, 360)."""
    around = np.pad(values, ((0, 0), (SMOOTHED_BINS + 1, SMOOTHED_BINS)), mode="wrap")
    sums = np.cumsum(around, axis=1)
    return np.asarray(sums[:, 2 * SMOOTHED_BINS + 1 :] - sums[:, : -(2 * SMOOTHED_BINS + 1)])


def without_hot(cells: CellMap, total: npt.NDArray[np.uint32]) -> tuple[Mask, int]:
    """Pixels (rows, cols) that count after hot ones are left out, and how many those are.

    A pixel of ``total``, counts of many frames, is hot where it is far above what the rest of its cell says.
    """
    good = cells.cell >= 0
    index, counts = cells.cell[good], total[good].astype(np.float64)
    size = cells.layers[0].size
    number = np.bincount(index, minlength=size)
    rest = np.bincount(index, weights=counts, minlength=size)[index] - counts
    mean = rest / np.maximum(number[index] - 1, 1)
    hot = counts > 2.0 * mean + HOT_SIGMA * np.sqrt(mean + 1.0)
    usable = good.copy()
    usable[good] = ~hot
    return usable, int(np.count_nonzero(hot))
