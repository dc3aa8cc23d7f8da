"""Two maps of one crystal compared point by point, once one frame is laid upon the other.

Neighbouring points are alike, so they are not so many independent pairs: errors and p-values come from the
block bootstrap of what s does not explain. Two quantities that both rise to the centre correlate through s
alone; what they have in common beyond that is the partial correlation given s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from analysis.records import Array, Correlation, PixelGrid
from analysis.registration.bootstrap import (
    MIN_FREEDOM,
    NORMAL_BAND,
    Field,
    autocorrelation,
    bootstrap_errors,
    noise_field,
)
from analysis.registration.correlation import LARGEST_R, pearson
from analysis.registration_records import Transform

Mask = npt.NDArray[np.bool_]

DEGREE = 3
"""Of the trend with s that a partial correlation takes off: enough for a plateau or a rounded step."""

MIN_PAIRS = 12
MIN_COVERED = 0.5
"""A point counts where at least this share of its footprint lies on fine pixels that count."""

REACH = 4.0
"""The footprint is followed to so many sigma."""

LEAST_SIGMA_CELLS = 0.5
"""No footprint is narrower than half a fine pixel."""

ROUNDS = 50


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """A fine map as a coarser instrument would see it: each (rows, cols) of the coarse grid.

    ``error`` is the standard error of the footprint's mean (pixels taken as independent of each other where
    their own errors are not known), ``covered`` the share of the footprint that was seen.
    """

    values: Array
    error: Array
    covered: Array


def under_footprint(
    fine: Array,
    fine_grid: PixelGrid,
    coarse_grid: PixelGrid,
    transform: Transform,
    sigma_um: tuple[float, float],
) -> Resampled:
    """Average a fine map (NaN where it does not count) under the Gaussian footprint of each coarse point.

    ``transform`` goes from the coarse frame to the fine one; ``sigma_um`` is the footprint along x and y of
    the coarse frame.
    """
    shape = coarse_grid.shape
    values, error, covered = (np.full(shape, np.nan) for _ in range(3))
    x, y = coarse_grid.positions_um()
    at_row, at_col = fine_grid.indices_at(*transform.apply(x, y))
    cell = max(fine_grid.cell_um) / transform.scale
    sigma = tuple(max(side, LEAST_SIGMA_CELLS * cell) for side in sigma_um)
    reach = [math.ceil(REACH * max(sigma) * transform.scale / side) for side in fine_grid.cell_um[::-1]]
    share_of_cell = math.prod(fine_grid.cell_um) / transform.scale**2 / (2.0 * math.pi * sigma[0] * sigma[1])
    for row, col in np.ndindex(shape):
        window = tuple(
            slice(max(0, int(at[row, col]) - n), max(0, int(at[row, col]) + n + 2))
            for at, n in zip((at_row, at_col), reach, strict=True)
        )
        across, down = _offsets(
            fine_grid, window, fine.shape, transform, (float(x[row, col]), float(y[row, col]))
        )
        taken = fine[window]
        weight = np.exp(-0.5 * ((across / sigma[0]) ** 2 + (down / sigma[1]) ** 2)) * np.isfinite(taken)
        share = float(weight.sum()) * share_of_cell
        covered[row, col] = min(1.0, share)
        if share >= MIN_COVERED:
            weight /= weight.sum()
            mean = float(np.sum(weight * np.nan_to_num(taken)))
            spread = float(np.sum(weight * (np.nan_to_num(taken) - mean) ** 2))
            values[row, col], error[row, col] = mean, math.sqrt(spread * float(np.sum(weight**2)))
    return Resampled(values=values, error=error, covered=covered)


def _offsets(
    fine_grid: PixelGrid,
    window: tuple[slice, ...],
    shape: tuple[int, ...],
    transform: Transform,
    point: tuple[float, float],
) -> tuple[Array, Array]:
    """Offsets (x, y) in the coarse frame of a window's pixels from a coarse point."""
    rows, cols = (np.arange(size, dtype=np.float64)[part] for size, part in zip(shape, window, strict=True))
    col, row = np.meshgrid(cols, rows)
    there_x = fine_grid.x0_um + col * fine_grid.col_step_um[0] + row * fine_grid.row_step_um[0]
    there_y = fine_grid.y0_um + col * fine_grid.col_step_um[1] + row * fine_grid.row_step_um[1]
    m = transform.inverse()
    return (
        m[0, 0] * there_x + m[0, 1] * there_y + m[0, 2] - point[0],
        m[1, 0] * there_x + m[1, 1] * there_y + m[1, 2] - point[1],
    )


@dataclass(frozen=True, kw_only=True)
class Association:
    """A correlation with its 95 % interval, two-sided p under no association, and effective pairs."""

    r: float
    ci_lo: float
    ci_hi: float
    p: float
    pairs: float


NOTHING = Association(r=math.nan, ci_lo=math.nan, ci_hi=math.nan, p=math.nan, pairs=math.nan)


def association(x: Array, y: Array, *, s: Array | None = None) -> Association:
    """Pearson's r of two maps (rows, cols), NaN where they do not count; with ``s`` the partial one given s.

    The numerator ``sum (x - mean) y`` is a linear functional of y: its error under no association is what the
    block bootstrap of y gives with x held fixed. Of the two the one with the shorter memory is redrawn, as
    more of its blocks fit on the crystal. That error means so many independent pairs (``1 + 1 / error^2``):
    p is Student's and the interval Fisher's for them. Source: P. Dutilleul, Biometrics 49 (1993) 305.
    """
    used = np.isfinite(x) & np.isfinite(y) & (np.isfinite(s) if s is not None else True)
    if int(used.sum()) < MIN_PAIRS:
        return NOTHING
    trend = np.ones((int(used.sum()), 1)) if s is None else np.vander(s[used], DEGREE + 1)
    basis = np.asarray(np.linalg.qr(trend)[0], dtype=np.float64)
    left = [values[used] - basis @ (basis.T @ values[used]) for values in (x, y)]
    if min(float(np.std(part)) for part in left) <= 1e-12:
        return NOTHING
    r = pearson(*left)
    fields = [noise_field(_on_map(part, used), lost=0) for part in left]
    redrawn = int(np.argmax([field.blocks for field in fields]))
    field, held = fields[redrawn], left[1 - redrawn]
    functional = held / math.sqrt(float(left[0] @ left[0]) * float(left[1] @ left[1]))
    sigma = float(bootstrap_errors(field, np.nan_to_num(_on_map(functional, used))[None])[0])
    sigma *= _lost_by_blocks(field, functional, basis, used)
    pairs = 1.0 + 1.0 / sigma**2
    freedom = max(MIN_FREEDOM, pairs - 2.0)
    p = 2.0 * float(stdtr(freedom, -abs(r) * math.sqrt(freedom / max(1.0 - r * r, 1e-15))))
    z, half = math.atanh(min(max(r, -LARGEST_R), LARGEST_R)), NORMAL_BAND / math.sqrt(max(pairs - 3.0, 1.0))
    return Association(r=r, ci_lo=math.tanh(z - half), ci_hi=math.tanh(z + half), p=p, pairs=pairs)


def _on_map(values: Array, used: Mask) -> Array:
    """Values (n,) at their places on the map, NaN elsewhere."""
    placed = np.full(used.shape, np.nan)
    placed[used] = values
    return placed


def _lost_by_blocks(field: Field, functional: Array, basis: Array, used: Mask) -> float:
    """True standard error over what redrawn blocks give, for the field's own autocorrelation.

    Blocks lose what points in different blocks have in common, and residuals what the trend took with it:
    with R the correlation matrix, M the projection off the trend and K the chance of two points to lie in one
    block, the ratio is ``sqrt(c R c / c (K o M R M) c)``.
    """
    cells, of_cell = np.unique(_cell_numbers(used, field.factor), return_inverse=True)
    size = cells.size
    row, col = np.divmod(cells, used.shape[1] // field.factor + 1)
    c = np.bincount(of_cell, weights=functional, minlength=size)
    number = np.bincount(of_cell, minlength=size)
    q = np.column_stack([np.bincount(of_cell, weights=part, minlength=size) / number for part in basis.T])
    q = np.asarray(np.linalg.qr(q)[0], dtype=np.float64)
    down, across = np.abs(row[:, None] - row), np.abs(col[:, None] - col)
    rho = autocorrelation(field.residual, field.weight > 0.0)
    correlation = np.interp(np.hypot(down, across), np.arange(rho.size), rho, right=0.0)
    side = field.block_side
    together = np.clip(1.0 - down / side, 0.0, 1.0) * np.clip(1.0 - across / side, 0.0, 1.0)
    shared = correlation @ q
    cleaned = correlation - q @ shared.T - shared @ q.T + q @ (q.T @ shared) @ q.T
    true, drawn = float(c @ correlation @ c), float(c @ (together * cleaned) @ c)
    return math.sqrt(true / drawn) if true > 0.0 and drawn > 0.0 else 1.0


def _cell_numbers(used: Mask, factor: int) -> npt.NDArray[np.int64]:
    row, col = np.nonzero(used)
    return np.asarray(row // factor * (used.shape[1] // factor + 1) + col // factor, dtype=np.int64)


def errors_in_variables(
    x: Array, y: Array, x_err: Array, y_err: Array, *, pairs: float | None = None
) -> tuple[float, float, float, float]:
    """Straight line through pairs (n,) that both have errors: slope, its error, level at x = 0, its error.

    D. York et al., Am. J. Phys. 72 (2004) 367, without correlation of errors. Errors are scaled up by the
    root of chi-square per degree of freedom where the line leaves more than they allow, and for pairs that
    are alike: ``pairs`` is how many of them are independent.
    """
    wx, wy = 1.0 / x_err**2, 1.0 / y_err**2
    slope = float(np.sign(pearson(x, y)) * np.std(y) / np.std(x))
    for _ in range(ROUNDS):
        weight = wx * wy / (wx + slope**2 * wy)
        middle_x, middle_y = np.average(x, weights=weight), np.average(y, weights=weight)
        u, v = x - middle_x, y - middle_y
        beta = weight * (u / wy + slope * v / wx)
        before, slope = slope, float(np.sum(weight * beta * v) / np.sum(weight * beta * u))
        if abs(slope - before) <= 1e-12 * abs(slope):
            break
    level = float(middle_y - slope * middle_x)
    adjusted = middle_x + beta
    centre = float(np.average(adjusted, weights=weight))
    slope_err = 1.0 / math.sqrt(float(np.sum(weight * (adjusted - centre) ** 2)))
    level_err = math.sqrt(1.0 / float(weight.sum()) + centre**2 * slope_err**2)
    left = float(np.sum(weight * (y - level - slope * x) ** 2)) / max(1, x.size - 2)
    scale = math.sqrt(max(1.0, left))
    if pairs is not None:
        scale *= math.sqrt(max(1.0, x.size / max(pairs, 3.0)))
    return slope, scale * slope_err, level, scale * level_err


def pixel_correlation(
    x: Array,
    y: Array,
    x_err: Array,
    y_err: Array,
    s: Array,
    *,
    crystal: str,
    x_quantity: str,
    y_quantity: str,
) -> Correlation | None:
    """Everything about two maps (rows, cols) of one registered crystal; None for too few pairs."""
    used = np.isfinite(x) & np.isfinite(y) & np.isfinite(s) & (x_err > 0.0) & (y_err > 0.0)
    if int(used.sum()) < MIN_PAIRS:
        return None
    x, y = (np.where(used, values, np.nan) for values in (x, y))
    from scipy.stats import rankdata  # takes half a second, and few reductions need it

    raw, given_s = association(x, y), association(x, y, s=s)
    ranked = [np.full(used.shape, np.nan) for _ in range(2)]
    for ranks, values in zip(ranked, (x, y), strict=True):
        ranks[used] = rankdata(values[used])
    spearman = association(*ranked)
    slope, slope_err, _, _ = errors_in_variables(x[used], y[used], x_err[used], y_err[used], pairs=raw.pairs)
    return Correlation(
        crystal=crystal,
        x_quantity=x_quantity,
        y_quantity=y_quantity,
        pairing="pixel",
        n=int(used.sum()),
        n_crystals=1,
        pearson_r=raw.r,
        r_ci_lo=raw.ci_lo,
        r_ci_hi=raw.ci_hi,
        spearman_rho=spearman.r,
        partial_r_s=given_s.r,
        p_block_bootstrap=spearman.p,
        p_partial=given_s.p,
        slope=slope,
        slope_err=slope_err,
        x=x[used],
        y=y[used],
        x_err=x_err[used],
        y_err=y_err[used],
        s=s[used],
    )
