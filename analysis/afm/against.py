"""The modulus against height or slope: does it rise toward the centre because of the thickness?

Neighbouring pixels are alike, so the intervals come from resampling square blocks of the field (block
bootstrap), not pixels. What both have in common through the coordinate s is told apart by the partial
correlation given s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import Array

Mask = npt.NDArray[np.bool_]

RESAMPLES = 1000
BLOCKS_ACROSS = 8
MIN_BLOCKS = 10
SEED = 20250119


@dataclass(frozen=True, kw_only=True)
class Against:
    """How y goes with x over ``n`` pixels: line ``y = slope x + c``, correlations, 95 % intervals.

    ``partial_r_s`` is the correlation that is left given s (NaN without s). ``slope_err`` is 1 sigma. All
    intervals and the error are from ``blocks`` blocks of ``block_px`` squared; NaN for fewer than ten.
    """

    n: int
    slope: float
    slope_err: float
    pearson_r: float
    r_ci: tuple[float, float]
    partial_r_s: float
    partial_ci: tuple[float, float]
    blocks: int
    block_px: int


def modulus_against(modulus_gpa: Array, other: Array, counted: Mask, *, s: Array | None = None) -> Against:
    """Correlate modulus with another quantity over the counted pixels; all (rows, cols).

    Raises ValueError for fewer than three pixels.
    """
    columns = [other, modulus_gpa] if s is None else [other, modulus_gpa, s]
    counted = counted & np.logical_and.reduce([np.isfinite(column) for column in columns])
    n = int(counted.sum())
    if n < 3:
        raise ValueError("a correlation needs three pixels")
    block_px = max(2, round(np.sqrt(n) / BLOCKS_ACROSS))
    moments = _block_moments(columns, counted, block_px)
    whole = _numbers(moments.sum(axis=0)[None])[0]
    draws = _resampled(moments) if moments.shape[0] >= MIN_BLOCKS else np.full((2, 3), np.nan)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return Against(
        n=n,
        slope=float(whole[0]),
        slope_err=float(draws[:, 0].std()),
        pearson_r=float(whole[1]),
        r_ci=(float(low[1]), float(high[1])),
        partial_r_s=float(whole[2]),
        partial_ci=(float(low[2]), float(high[2])),
        blocks=int(moments.shape[0]),
        block_px=int(block_px),
    )


def _block_moments(columns: list[Array], counted: Mask, block_px: int) -> Array:
    """Sums of products of (1, x, y[, s]) in each block, (blocks, k, k); blocks without pixels left out."""
    row, col = np.nonzero(counted)
    values = np.stack([np.ones(row.size), *(_scaled(column[row, col]) for column in columns)])
    across = counted.shape[1] // block_px + 1
    _, block = np.unique((row // block_px) * across + col // block_px, return_inverse=True)
    k, blocks = values.shape[0], int(block.max()) + 1
    moments = np.empty((blocks, k, k))
    for i in range(k):
        for j in range(k):
            moments[:, i, j] = np.bincount(block, weights=values[i] * values[j], minlength=blocks)
    # The scales go back in, so that slopes are in the units of the columns.
    scales = np.array([1.0, *(_scale(column[row, col]) for column in columns)])
    return np.asarray(moments * scales[:, None] * scales[None, :])


def _scale(values: Array) -> float:
    return float(values.std()) or 1.0


def _scaled(values: Array) -> Array:
    """Values about their mean over their spread: sums of products then lose no digits."""
    return np.asarray((values - values.mean()) / _scale(values))


def _resampled(moments: Array) -> Array:
    """Numbers of each resample of blocks with replacement, (RESAMPLES, 3)."""
    blocks = moments.shape[0]
    draws = np.random.default_rng(SEED).multinomial(blocks, np.full(blocks, 1.0 / blocks), size=RESAMPLES)
    return _numbers(np.einsum("db,bij->dij", draws.astype(np.float64), moments))


def _numbers(sums: Array) -> Array:
    """Slope, Pearson r and partial r given s (NaN without s) of sums of products (m, k, k): (m, 3)."""
    mean = sums[:, 0, :] / sums[:, :1, 0]
    cov = sums / sums[:, :1, :1] - mean[:, :, None] * mean[:, None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = cov[:, 1, 2] / cov[:, 1, 1]
        spread = np.sqrt(np.einsum("mii->mi", cov))
        r = cov / (spread[:, :, None] * spread[:, None, :])
        partial = np.full(slope.shape, np.nan)
        if cov.shape[1] > 3:
            left = np.sqrt((1.0 - r[:, 1, 3] ** 2) * (1.0 - r[:, 2, 3] ** 2))
            partial = (r[:, 1, 2] - r[:, 1, 3] * r[:, 2, 3]) / left
    return np.stack([slope, r[:, 1, 2], partial], axis=1)
