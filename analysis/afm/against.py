"""The modulus against height or slope: does it rise toward the centre because of the thickness?

Neighbouring pixels are alike, so the intervals come from resampling square blocks of the field (block
bootstrap), not pixels. What both have in common through the coordinate s is told apart by the partial
correlation given s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.afm.status import slope_of
from analysis.records import AFM_STATUS, AfmReduction, Array, Correlation
from analysis.units import NM_PER_UM

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

RESAMPLES = 1000
BLOCKS_ACROSS = 8
MIN_BLOCKS = 10
MIN_PIXELS = 3
BINS = 20
SEED = 20250119


def modulus_relations(field: AfmReduction) -> tuple[Correlation, ...]:
    """Modulus against height and against slope over the pixels that count; none without modulus or height."""
    counted = (field.status == AFM_STATUS.index("ok")) & np.isfinite(field.modulus_gpa)
    dx, dy = field.grid.cell_um
    slope = slope_of(field.height_nm, dx_nm=dx * NM_PER_UM, dy_nm=dy * NM_PER_UM)
    found = []
    for quantity, other in (("height", field.height_nm), ("slope", slope)):
        kept = counted & np.isfinite(other)
        if kept.sum() >= MIN_PIXELS and np.ptp(other[kept]) > 0.0 < np.ptp(field.modulus_gpa[kept]):
            found.append(_relation(field, quantity, other, kept))
    return tuple(found)


def _relation(field: AfmReduction, quantity: str, other: Array, counted: Mask) -> Correlation:
    s = None if field.coordinate is None else field.coordinate.s["rectangle"]
    held = modulus_against(field.modulus_gpa, other, counted, s=s)
    if s is not None:
        counted = counted & np.isfinite(s)
    x, y = other[counted], field.modulus_gpa[counted]
    from scipy.stats import rankdata  # takes half a second, and X-ray alone does not need it

    binned = _binned(field.modulus_gpa, other, s, counted, held.block_px)
    return Correlation(
        crystal=field.crystal,
        x_quantity=quantity,
        y_quantity="modulus",
        pairing="pixel",
        n=held.n,
        n_crystals=1,
        pearson_r=held.pearson_r,
        r_ci_lo=held.r_ci[0],
        r_ci_hi=held.r_ci[1],
        spearman_rho=float(np.corrcoef(rankdata(x), rankdata(y))[0, 1]),
        partial_r_s=held.partial_r_s,
        p_block_bootstrap=held.p,
        slope=held.slope,
        slope_err=held.slope_err,
        x=binned[0],
        y=binned[1],
        x_err=binned[2],
        y_err=binned[3],
        s=binned[4],
        index=field.index,
        partial_r_ci_lo=held.partial_ci[0],
        partial_r_ci_hi=held.partial_ci[1],
        blocks=held.blocks,
        block_px=held.block_px,
    )


@dataclass(frozen=True, kw_only=True)
class Against:
    """How y goes with x over ``n`` pixels: line ``y = slope x + c``, correlations, 95 % intervals.

    ``partial_r_s`` is the correlation that is left given s (NaN without s). ``slope_err`` is 1 sigma, ``p``
    the two-sided share of resamples whose r has the other sign. All intervals, the error and p are from
    ``blocks`` blocks of ``block_px`` squared; NaN for fewer than ten.
    """

    n: int
    slope: float
    slope_err: float
    pearson_r: float
    r_ci: tuple[float, float]
    p: float
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
    if n < MIN_PIXELS:
        raise ValueError("a correlation needs three pixels")
    block_px = max(2, round(np.sqrt(n) / BLOCKS_ACROSS))
    moments = _block_moments(columns, counted, block_px)
    whole = _numbers(moments.sum(axis=0)[None])[0]
    many = moments.shape[0] >= MIN_BLOCKS
    draws = _resampled(moments) if many else np.full((2, 3), np.nan)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return Against(
        n=n,
        slope=float(whole[0]),
        slope_err=float(draws[:, 0].std()),
        pearson_r=float(whole[1]),
        r_ci=(float(low[1]), float(high[1])),
        p=_two_sided(draws[:, 1]) if many else float("nan"),
        partial_r_s=float(whole[2]),
        partial_ci=(float(low[2]), float(high[2])),
        blocks=int(moments.shape[0]),
        block_px=int(block_px),
    )


def _two_sided(draws: Array) -> float:
    """Twice the share of draws beyond zero, never below what so many draws can tell."""
    beyond = min(int((draws <= 0.0).sum()), int((draws >= 0.0).sum()))
    return float(min(1.0, 2.0 * (beyond + 1) / (draws.size + 1)))


def _blocks_of(counted: Mask, block_px: int) -> tuple[Indices, Indices, Indices]:
    """Rows and columns of the counted pixels, and the number of the block that each lies in."""
    row, col = np.nonzero(counted)
    across = counted.shape[1] // block_px + 1
    _, block = np.unique((row // block_px) * across + col // block_px, return_inverse=True)
    return row, col, block


def _block_moments(columns: list[Array], counted: Mask, block_px: int) -> Array:
    """Sums of products of (1, x, y[, s]) in each block, (blocks, k, k); blocks without pixels left out."""
    row, col, block = _blocks_of(counted, block_px)
    values = np.stack([np.ones(row.size), *(_scaled(column[row, col]) for column in columns)])
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


def _binned(
    modulus_gpa: Array, other: Array, s: Array | None, counted: Mask, block_px: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Mean x, mean y, spread of x, error of mean y and mean s in bins of x with equally many pixels.

    The error of a mean is that of a ratio of sums over blocks, ``sqrt(sum over blocks of (S - mean N)^2)``
    over the number of pixels: pixels of one block may be alike as they will. NaN for bins of one block.
    """
    row, col, block = _blocks_of(counted, block_px)
    x, y = other[row, col], modulus_gpa[row, col]
    edges = np.unique(np.quantile(x, np.linspace(0.0, 1.0, BINS + 1)))
    bins = max(edges.size - 1, 1)
    number = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, bins - 1)
    n = np.bincount(number, minlength=bins)
    kept = n > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y, square = (
            np.bincount(number, weights=values, minlength=bins) / n for values in (x, y, (x - x.mean()) ** 2)
        )
        mean_s = np.full(bins, np.nan)
        if s is not None:
            mean_s = np.bincount(number, weights=s[row, col], minlength=bins) / n
        spread_x = np.sqrt(np.maximum(square - (mean_x - x.mean()) ** 2, 0.0))
        cell, blocks = block * bins + number, int(block.max()) + 1
        rest = np.bincount(cell, weights=y - mean_y[number], minlength=blocks * bins).reshape(blocks, bins)
        filled = (np.bincount(cell, minlength=blocks * bins).reshape(blocks, bins) > 0).sum(axis=0)
        error = np.sqrt((rest**2).sum(axis=0) * filled / (filled - 1.0)) / n
    error = np.where(filled > 1, error, np.nan)
    return mean_x[kept], mean_y[kept], spread_x[kept], error[kept], mean_s[kept]
