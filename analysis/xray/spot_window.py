"""Compiled: cut one spot's window out of a frame's cells, fit it, and say what the fit is worth."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.wide_angle_records import SPOT_COLUMNS, WIDE_ANGLE_STATUS
from analysis.xray.spot_kernels import (
    LEVEL,
    LN_A,
    LN_SP,
    LN_SQ,
    PHI0,
    Q0,
    SLOPE,
    N,
    covariance,
    maximize,
    start,
)
from analysis.xray.wide_angle_kernels import PHI_BINS, SATURATED

Array = npt.NDArray[np.float64]

OK = WIDE_ANGLE_STATUS.index("ok")
NO_SIGNAL = WIDE_ANGLE_STATUS.index("no_signal")
MASKED_PEAK = WIDE_ANGLE_STATUS.index("masked_peak")
NO_CONVERGENCE = WIDE_ANGLE_STATUS.index("no_convergence")
SATURATED_SPOT = WIDE_ANGLE_STATUS.index("saturated")
FRAME_MISSING = WIDE_ANGLE_STATUS.index("frame_missing")

N_COLUMNS = len(SPOT_COLUMNS)
BIN_RAD = 2.0 * math.pi / PHI_BINS
DEG = 180.0 / math.pi

SIGNAL_THRESHOLD = 4.5
LEAST_SHARE = 0.2
"""Of a spot's photons at least this share must fall on pixels that count."""

LEAST_CELLS = 16
MOST_MERGED = 8
REACH = 3.6
"""Windows reach so many widths to each side."""

LEAST_WIDTH, MOST_WIDTH = 0.25, 2.5
"""Bounds of a spot's widths in units of those it starts from."""


@njit(cache=True, nogil=True)
def gather(
    histogram: npt.NDArray[np.uint32],
    layers: Array,
    q_span: tuple[int, int, int],
    phi_span: tuple[int, int],
    cells: Array,
) -> tuple[int, bool]:
    """Cells of a window into ``cells`` (n, 5): q, phi from the window's middle, e, B, n; number, saturated.

    ``layers`` (4, n_q, 360) are efficiency, scaled background, q and phi - bin centre (rad) of each cell's
    centroid. ``q_span`` is first, stop, rows merged into one; ``phi_span`` is middle bin, bins to each side.
    """
    count, saturated = 0, False
    first, stop, merged = q_span
    for row in range(first, stop, merged):
        for away in range(-phi_span[1], phi_span[1] + 1):
            j = (phi_span[0] + away) % PHI_BINS
            e, back, q, phi, n = 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(row, min(row + merged, stop)):
                weight = layers[0, i, j]
                if weight <= 0.0:
                    continue
                held = histogram[i * PHI_BINS + j]
                if held & SATURATED:
                    saturated = True
                    continue
                e += weight
                back += layers[1, i, j]
                q += weight * layers[2, i, j]
                phi += weight * layers[3, i, j]
                n += held
            if e > 0.0 and count < cells.shape[0]:
                cells[count, 0], cells[count, 1] = q / e, BIN_RAD * away + phi / e
                cells[count, 2], cells[count, 3], cells[count, 4] = e, back, n
                count += 1
    return count, saturated


@njit(cache=True, nogil=True)
def fit_spot(
    histogram: npt.NDArray[np.uint32],
    layers: Array,
    q_axis: tuple[float, float],
    pixel_per_nm: float,
    expected: tuple[float, float, float, float],
    cells: Array,
    out: Array,
) -> None:
    """Fit the spot that is expected at ``expected`` (q, phi in rad, sigma_q, sigma_phi); fills ``out``.

    ``q_axis`` is the lower edge of the first cell row and the rows' step, nm^-1; ``pixel_per_nm`` nm^-1 per
    pixel near the beam. ``out`` (15,) is as SPOT_COLUMNS say; widths are without the cells' own part.
    """
    out[:] = np.nan
    q, phi, sigma_q, sigma_phi = expected
    merged = min(max(1, int(sigma_q / (3.0 * q_axis[1]))), MOST_MERGED)
    first = max(0, int((q - REACH * sigma_q - q_axis[0]) / q_axis[1]))
    stop = min(layers.shape[1], int((q + REACH * sigma_q - q_axis[0]) / q_axis[1]) + 1)
    middle = math.floor((phi / (2.0 * math.pi) + 0.5) * PHI_BINS) % PHI_BINS
    side = min(int(REACH * sigma_phi / BIN_RAD) + 1, PHI_BINS // 8)
    count, saturated = gather(histogram, layers, (first, stop, merged), (middle, side), cells)
    out[0] = MASKED_PEAK
    if count < LEAST_CELLS or saturated:
        out[0] = SATURATED_SPOT if saturated else MASKED_PEAK
        return
    p, lower, upper = np.empty(N), np.empty(N), np.empty(N)
    start(cells, count, q, sigma_q, sigma_phi, p)
    _bounds(cells, count, q, sigma_q, sigma_phi, lower, upper)
    p[LEVEL] = max(p[LEVEL], lower[LEVEL])
    held = np.zeros(N, dtype=np.bool_)
    fisher, variance = np.empty((N, N)), np.empty((N, N))
    converged, reached = maximize(cells, count, q, p, lower, upper, held, fisher)
    _describe(cells, count, q, p, pixel_per_nm, out)
    if out[13] < LEAST_SHARE:
        _forget(out, MASKED_PEAK)
        return
    out[12] = _signal(cells, count, q, p, lower, upper, reached)
    if out[12] < SIGNAL_THRESHOLD:
        _forget(out, NO_SIGNAL)
        return
    inside = True
    for a in (Q0, PHI0, LN_SQ, LN_SP):
        inside = inside and lower[a] < p[a] < upper[a]
    if not converged or not inside or not covariance(fisher, held, variance):
        _forget(out, NO_CONVERGENCE)
        return
    _tell(p, variance, middle, (merged * q_axis[1], BIN_RAD), out)


@njit(cache=True, nogil=True)
def _tell(p: Array, variance: Array, middle: int, cell: tuple[float, float], out: Array) -> None:
    """Fill ``out`` with values and errors; ``cell`` is q and phi of a cell, ``middle`` the window's bin."""
    own_q = p_width(p[LN_SQ], cell[0])
    own_phi = p_width(p[LN_SP], cell[1])
    out[0] = OK
    out[1], out[2] = p[Q0], math.sqrt(variance[Q0, Q0])
    centre = -math.pi + (middle + 0.5) * BIN_RAD
    out[3] = DEG * (math.pi - (math.pi - (centre + p[PHI0])) % (2.0 * math.pi))
    out[4] = DEG * math.sqrt(variance[PHI0, PHI0])
    out[5] = own_q
    out[6] = math.exp(2.0 * p[LN_SQ]) * math.sqrt(variance[LN_SQ, LN_SQ]) / max(own_q, 1e-9)
    out[7] = DEG * own_phi
    out[8] = DEG * math.exp(2.0 * p[LN_SP]) * math.sqrt(variance[LN_SP, LN_SP]) / max(own_phi, 1e-9)
    relative = 0.0
    for a in (LN_SQ, LN_SP, LN_A):
        for b in (LN_SQ, LN_SP, LN_A):
            relative += variance[a, b]
    out[10] = out[9] * math.sqrt(max(relative, 0.0))


@njit(cache=True, nogil=True)
def p_width(ln_width: float, cell: float) -> float:
    """Width without the part of a cell so wide: ``sqrt(w^2 - cell^2 / 12)``."""
    return math.sqrt(max(math.exp(2.0 * ln_width) - cell * cell / 12.0, 0.0))


@njit(cache=True, nogil=True)
def _forget(out: Array, status: int) -> None:
    """Keep only status, signal and share of a spot that carries no values."""
    for a in range(N_COLUMNS):
        if a not in (0, 12, 13):
            out[a] = np.nan
    out[0] = status


@njit(cache=True, nogil=True)
def _bounds(
    cells: Array, count: int, q: float, sigma_q: float, sigma_phi: float, lower: Array, upper: Array
) -> None:
    weakest = math.inf
    for i in range(count):
        weakest = min(weakest, cells[i, 3] / cells[i, 2])
    lower[Q0], upper[Q0] = q - 2.0 * sigma_q, q + 2.0 * sigma_q
    lower[PHI0], upper[PHI0] = -2.5 * sigma_phi, 2.5 * sigma_phi
    for a, width in ((LN_SQ, sigma_q), (LN_SP, sigma_phi)):
        lower[a], upper[a] = math.log(LEAST_WIDTH * width), math.log(MOST_WIDTH * width)
    lower[LN_A], upper[LN_A] = -30.0, 30.0
    lower[LEVEL], upper[LEVEL] = 1e-7 - 0.9 * weakest, math.inf
    lower[SLOPE], upper[SLOPE] = -math.inf, math.inf


@njit(cache=True, nogil=True)
def _signal(
    cells: Array, count: int, middle: float, p: Array, lower: Array, upper: Array, reached: float
) -> float:
    """Signed root of twice the likelihood that the spot gains over a level and a slope alone."""
    bare, held, fisher = p.copy(), np.zeros(N, dtype=np.bool_), np.empty((N, N))
    held[:LEVEL] = True
    bare[LN_A] = -60.0
    floor = lower.copy()
    floor[LN_A] = -60.0
    n, e, back = 0.0, 0.0, 0.0
    for i in range(count):
        n += cells[i, 4]
        e += cells[i, 2]
        back += cells[i, 3]
    bare[LEVEL], bare[SLOPE] = max((n - back) / e, lower[LEVEL]), 0.0
    _, null = maximize(cells, count, middle, bare, floor, upper, held, fisher)
    return math.sqrt(max(2.0 * (reached - null), 0.0))


@njit(cache=True, nogil=True)
def _describe(cells: Array, count: int, middle: float, p: Array, pixel_per_nm: float, out: Array) -> None:
    """Photons of the whole spot, background per pixel under it, share seen, Pearson's chi^2 a degree.

    A spot holds ``A 2 pi sigma_q sigma_phi q P / pixel^2`` photons: with solid angle in the efficiency,
    ``q / pixel^2`` is what a cell ``dq dphi`` weighs. P is the mean polarization, as in the cells seen.
    """
    seen, chi, under, weight = 0.0, 0.0, 0.0, 1e-30
    for i in range(count):
        u = (cells[i, 0] - p[Q0]) * math.exp(-p[LN_SQ])
        v = (cells[i, 1] - p[PHI0]) * math.exp(-p[LN_SP])
        shape = math.exp(-0.5 * (u * u + v * v))
        peak = cells[i, 2] * math.exp(p[LN_A]) * shape
        base = cells[i, 2] * (p[LEVEL] + p[SLOPE] * (cells[i, 0] - middle)) + cells[i, 3]
        seen += peak
        under += base * shape
        weight += cells[i, 2] * shape
        chi += (cells[i, 4] - peak - base) ** 2 / max(peak + base, 1e-12)
    whole = math.exp(p[LN_A] + p[LN_SQ] + p[LN_SP]) * 2.0 * math.pi * p[Q0] / pixel_per_nm**2
    out[9] = whole
    out[11] = under / weight
    out[13] = seen / whole
    out[14] = chi / max(1, count - N)
