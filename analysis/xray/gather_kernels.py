"""Compiled loops that collect the pixels around the four peaks of a frame, from the table sorted by bins.

The window of a family is an ellipse in (q, phi mod 180) around its peak. Columns of the room ``pixels``
(5, n): q, phi (unwrapped around the own peak), efficiency, background, counts; the first family's pixels come
first.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from analysis.xray.pixel_table import PixelTable

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]

N_FAMILY = 6
FARTHEST = 36.0
"""Squared distance in widths beyond which the other family's peak adds nothing (2e-8 of its height)."""

FIRST_OF_SECOND, ALL, SATURATED_PIXELS, COUPLED = 0, 1, 2, 3
"""Numbers that :func:`gather` fills: pixels of the first family, of both, saturated ones within 3 widths of a
peak, and whether a family's peak is felt in the other's window."""


@njit(cache=True, nogil=True)
def axial(angle: float) -> float:
    """An angle in rad wrapped into (-pi/2, pi/2]: difference of two axes."""
    return angle - math.pi * math.ceil(angle / math.pi - 0.5)


@njit(cache=True, nogil=True)
def widths_of(parameters: Array, k: int) -> tuple[float, float, float, float]:
    """(q, phi, sigma_q, sigma_phi) of family ``k`` from the 12 parameters."""
    at = N_FAMILY * k
    return parameters[at], parameters[at + 1], math.exp(parameters[at + 2]), math.exp(parameters[at + 3])


@njit(cache=True, nogil=True)
def gather(
    counts: Counts,
    table: PixelTable,
    parameters: Array,
    reach: float,
    others: Array,
    pixels: Array,
    numbers: Numbers,
) -> None:
    """Collect both windows of a frame; ``counts`` is flat.

    A pixel belongs to the family it is nearer to, in units of that family's widths, when it is nearer than
    ``reach``. ``others`` (m, 2) holds q and phi of further lattice points: what lies nearer than 3 widths to
    one, and farther than 2 from its own peak, or nearer to the other than to its own, is left out.
    """
    numbers[:] = 0
    for k in range(2):
        _gather_family(counts, table, parameters, k, reach, others, pixels, numbers)
        if k == 0:
            numbers[FIRST_OF_SECOND] = numbers[ALL]


@njit(cache=True, nogil=True)
def _gather_family(
    counts: Counts,
    table: PixelTable,
    parameters: Array,
    k: int,
    reach: float,
    others: Array,
    pixels: Array,
    numbers: Numbers,
) -> None:
    q0, phi0, s, p = widths_of(parameters, k)
    near_other = _meets(parameters, k, reach)
    n_q, n_phi = table.expected.shape
    lowest = max(0, int((q0 - reach * s) / table.q_step - 0.05))
    highest = min(n_q - 1, int((q0 + reach * s) / table.q_step + 0.05))
    # One bin more at either end: q of a bin's pixels is a mean over each and may lie past the bin's edge.
    folded = phi0 - math.pi * math.floor(phi0 / math.pi)
    for ring in range(lowest, highest + 1):
        u = max(0.0, (ring - 0.05) * table.q_step - q0, q0 - (ring + 1.05) * table.q_step) / s
        if u >= reach:
            continue
        half = p * math.sqrt(reach * reach - u * u)
        first, stop = 0, n_phi
        if 2.0 * half + 2.0 * table.phi_step < math.pi:
            first = math.floor((folded - half) / table.phi_step)
            stop = math.floor((folded + half) / table.phi_step) + 1
        at = ring * n_phi
        for lo, hi in (
            (max(first, 0), min(stop, n_phi)),
            (max(first + n_phi, 0), n_phi),
            (0, min(stop - n_phi, n_phi)),
        ):
            if lo < hi:
                start, end = table.starts[at + lo], table.starts[at + hi]
                _take(counts, table, start, end, parameters, k, reach, near_other, others, pixels, numbers)


@njit(cache=True, nogil=True)
def _take(
    counts: Counts,
    table: PixelTable,
    start: int,
    end: int,
    parameters: Array,
    k: int,
    reach: float,
    near_other: bool,
    others: Array,
    pixels: Array,
    numbers: Numbers,
) -> None:
    """Append those of a run of the table's pixels that belong to family ``k``."""
    q0, phi0, s, p = widths_of(parameters, k)
    q1, phi1, s1, p1 = widths_of(parameters, 1 - k)
    inverse_s, inverse_p = 1.0 / s, 1.0 / p
    for i in range(start, end):
        q, off = table.q[i], axial(table.phi[i] - phi0)
        u, v = (q - q0) * inverse_s, off * inverse_p
        own = u * u + v * v
        if own > reach * reach:
            continue
        if near_other:
            u, v = (q - q1) / s1, axial(table.phi[i] - phi1) / p1
            other = u * u + v * v
            if other < own or (other == own and k == 1):
                continue
            if other < FARTHEST:
                numbers[COUPLED] = 1
        if others.shape[0] > 0 and _belongs_elsewhere(q, phi0 + off, own, s, p, others):
            continue
        count = counts[table.places[i]]
        if count >= table.limit:
            if own < 9.0:
                numbers[SATURATED_PIXELS] += 1
            continue
        n = numbers[ALL]
        if n >= pixels.shape[1]:
            return
        pixels[0, n], pixels[1, n] = q, phi0 + off
        pixels[2, n], pixels[3, n], pixels[4, n] = table.efficiency[i], table.background[i], count
        numbers[ALL] = n + 1


@njit(cache=True, nogil=True)
def _meets(parameters: Array, k: int, reach: float) -> bool:
    """Whether any pixel of family k's window may feel the other family's peak."""
    q0, phi0, s, p = widths_of(parameters, k)
    q1, phi1, s1, p1 = widths_of(parameters, 1 - k)
    felt = math.sqrt(FARTHEST)
    return abs(q1 - q0) < reach * s + felt * s1 and abs(axial(phi1 - phi0)) < reach * p + felt * p1


@njit(cache=True, nogil=True)
def _belongs_elsewhere(q: float, phi: float, own: float, s: float, p: float, others: Array) -> bool:
    for m in range(others.shape[0]):
        u = (q - others[m, 0]) / s
        v = axial(phi - others[m, 1]) / p
        distance = u * u + v * v
        if distance < own or (distance < 9.0 and own > 4.0):
            return True
    return False
