"""Errors of averages over a map whose neighbouring points are alike: the block bootstrap of residuals.

What is left of a quantity after its trend with the coordinate is a field of noise with some correlation
length. It is redrawn by laying blocks of it, larger than that length, at random places over the crystal
(moving blocks), and every average is taken again. The trend and the places of the points stay fixed.
Source: S. N. Lahiri, Resampling Methods for Dependent Data (2003), chapters 2 and 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.special import ndtri, stdtrit

from analysis.records import Array

Indices = npt.NDArray[np.int64]

CONFIDENCE = 0.95
NORMAL_BAND = float(ndtri(0.5 + 0.5 * CONFIDENCE))

MAX_CELLS = 48
"""A map with more points a side is averaged down before its blocks are drawn."""

DRAWS, SHIFTS = 192, 16
SEED = 19790126
BLOCK_PER_LENGTH = 2.5
"""Side of a block over the correlation length."""

MIN_FREEDOM = 3.0
"""No error is trusted less than one from so many independent values."""

MIN_POINTS = 4
"""With fewer points there is no telling how they vary together."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Residuals (rows, cols) with their weights, 0 where there is none; a cell is ``factor`` x ``factor``.

    ``lost`` is the number of parameters of the trend that was taken off.
    """

    residual: Array
    weight: Array
    factor: int
    correlation_cells: float
    lost: int

    @property
    def block_side(self) -> int:
        """Side in cells of the blocks that are drawn."""
        return max(1, round(BLOCK_PER_LENGTH * self.correlation_cells))

    @property
    def blocks(self) -> float:
        """How many blocks the crystal holds: about so many values are independent of each other."""
        return float(np.count_nonzero(self.weight)) / self.block_side**2

    @property
    def freedom(self) -> float:
        """Blocks that the trend leaves free, at least ``MIN_FREEDOM``."""
        return max(MIN_FREEDOM, self.blocks - self.lost)

    @property
    def band(self) -> float:
        """Half width of a 95 % band over the standard error: Student's t for the free blocks."""
        return float(stdtrit(self.freedom, 0.5 + 0.5 * CONFIDENCE))


def noise_field(residual: Array, *, lost: int) -> Field:
    """The field of residuals of a map (rows, cols), NaN where there is none, coarsened where it is large."""
    factor = max(1, -(-max(residual.shape) // MAX_CELLS))
    known = np.isfinite(residual)
    weight = _summed(known.astype(np.float64), factor)
    total = _summed(np.where(known, residual, 0.0), factor)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.0)
    return Field(
        residual=mean,
        weight=weight,
        factor=factor,
        correlation_cells=correlation_length(mean, weight > 0.0),
        lost=lost,
    )


def correlation_length(residual: Array, known: npt.NDArray[np.bool_]) -> float:
    """Distance in cells over which residuals (rows, cols) are alike; 0 where neighbours already differ.

    The autocorrelation at lag 1 is what is correlated (the rest is noise of single cells); the length is
    where it has fallen to 1/e of that, on the average over directions.
    """
    if int(known.sum()) < 3 * MIN_POINTS:
        return 0.0
    rho, least = _radial_autocorrelation(residual, known)
    if rho.size == 0 or rho[1] < least:
        return 0.0
    level = rho[1] / np.e
    below = np.flatnonzero(rho[1:] < level)
    if below.size == 0:
        return float(rho.size - 1)
    lag = int(below[0]) + 1
    return float(lag - 1 + (rho[lag - 1] - level) / (rho[lag - 1] - rho[lag]))


def autocorrelation(residual: Array, known: npt.NDArray[np.bool_]) -> Array:
    """How alike residuals (rows, cols) are at distances of 0, 1, 2 ... cells, as far as that is not chance.

    The first value is 1; only it is left where neighbours do not resemble each other.
    """
    rho, least = _radial_autocorrelation(residual, known)
    if rho.size == 0:
        return np.ones(1)
    below = np.flatnonzero(rho[1:] < min(least, 0.1))
    return np.asarray(rho[: int(below[0]) + 1] if below.size else rho)


def _radial_autocorrelation(residual: Array, known: npt.NDArray[np.bool_]) -> tuple[Array, float]:
    """Autocorrelation at lags 0, 1, 2 ... cells, averaged over directions, and what chance alone may give."""
    centred = np.where(known, residual - residual[known].mean(), 0.0)
    shape = [fft.next_fast_len(2 * size) for size in residual.shape]
    products = fft.irfft2(np.abs(fft.rfft2(centred, shape)) ** 2, shape)
    pairs = fft.irfft2(np.abs(fft.rfft2(known.astype(np.float64), shape)) ** 2, shape)
    reach = max(2, min(residual.shape) // 2)
    row, col = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1), indexing="ij")
    lag = np.rint(np.hypot(row, col)).astype(np.int64).ravel()
    total = np.bincount(lag, weights=products[row, col].ravel())
    number = np.bincount(lag, weights=pairs[row, col].ravel())
    rho = np.divide(total, number, out=np.zeros_like(total), where=number > 0.5)
    if rho[0] <= 0.0:
        return np.empty(0), 0.0
    return rho[: reach + 1] / rho[0], max(0.1, 3.0 / np.sqrt(number[1]))


def bootstrap_errors(field: Field, functionals: Array) -> Array:
    """Standard errors (k,) of k linear functionals of the field, each (rows, cols) of coefficients.

    A functional is ``sum(c * value)`` over the fine map; here ``c`` is summed over each coarse cell.
    """
    held = field.weight > 0.0
    rows, cols = np.nonzero(held)
    if rows.size < MIN_POINTS:
        return np.full(len(functionals), np.nan)
    coarse = np.array([_summed(one, field.factor)[held] for one in functionals])
    side = field.block_side
    inflated = np.sqrt((field.freedom + field.lost) / field.freedom)
    if side == 1:
        # Cells that are drawn each for itself: what the redrawing tends to, in closed form.
        variance = np.average(_centred(field)[held] ** 2 * field.weight[held]) * (1.0 / field.weight[held])
        return np.asarray(np.sqrt(coarse**2 @ variance) * inflated)
    drawn, known = _draws(field, held, rows, cols, side)
    # A redrawn cell for which there was no residual counts as its functional's mean, that is, not at all.
    covered = np.abs(coarse) @ known.T
    total = np.abs(coarse).sum(axis=1)[:, None]
    value = (coarse @ drawn.T) * np.divide(total, covered, out=np.ones_like(covered), where=covered > 0.0)
    return np.asarray(value.std(axis=1) * inflated)


def _centred(field: Field) -> Array:
    mean = np.average(field.residual, weights=field.weight)
    return np.where(field.weight > 0.0, field.residual - mean, 0.0)


def _draws(
    field: Field, held: npt.NDArray[np.bool_], rows: Indices, cols: Indices, side: int
) -> tuple[Array, Array]:
    """Redrawn residuals (DRAWS, n) and whether each is one (1.0 or 0.0).

    Blocks lie on a lattice that is shifted at random from one group of draws to the next.
    """
    rng = np.random.default_rng(SEED)
    padded = np.pad(_centred(field), side)
    known = np.pad(held, side).astype(np.float64)
    filled = _window_sums(known, side)
    sources = np.flatnonzero(filled.ravel() >= 0.5 * float(filled.max()))
    sources = sources // filled.shape[1] * padded.shape[1] + sources % filled.shape[1]
    across = held.shape[1] // side + 2
    number = (held.shape[0] // side + 2) * across
    drawn, drawn_known = [], []
    for _ in range(SHIFTS):
        shift = rng.integers(0, side, size=2)
        down, right = rows + shift[0], cols + shift[1]
        block = down // side * across + right // side
        inner = down % side * padded.shape[1] + right % side
        origins = sources[rng.integers(0, len(sources), size=(DRAWS // SHIFTS, number))]
        at = origins[:, block] + inner
        drawn.append(padded.ravel()[at])
        drawn_known.append(known.ravel()[at])
    return np.concatenate(drawn), np.concatenate(drawn_known)


def _window_sums(values: Array, side: int) -> Array:
    """Sums over every side x side window that lies wholly in the array."""
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    down = total[side:] - total[:-side]
    return np.asarray(down[:, side:] - down[:, :-side])


def _summed(values: Array, factor: int) -> Array:
    """Sums over factor x factor cells; the last ones may be partial."""
    if factor == 1:
        return values
    padded = np.pad(values, [(0, -size % factor) for size in values.shape])
    rows, cols = padded.shape[0] // factor, padded.shape[1] // factor
    return np.asarray(padded.reshape(rows, factor, cols, factor).sum(axis=(1, 3)))
