"""Compiled loops that decide which two of several candidate peaks span a lattice, and what it leaves over.

A candidate is a row (q bin, phi bin, width in q bins, width in phi bins, excess counts, significance); both
bins are fractional, azimuths are folded.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]

ORDERS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2), (2, -1), (1, -2), (2, 2), (2, -2))
"""Spots +-(h, k) that a lattice explains."""

ROUGH = (2.0, 2.5, 0.1)
"""How far off a spot may lie from where two candidates put it: q bins (times its order), phi bins, rad."""


@njit(cache=True, nogil=True)
def choose_lattice(
    candidates: Array, found: int, bin_rad: float, chosen: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Choose the pair of candidates whose lattice explains most; gives (explained, strongest unexplained).

    Only first and second orders are asked for. Vectors of a pair must be the two shortest of their lattice
    (within a tenth). Among pairs that explain about the same the one with the larger reciprocal cell, that
    is the sparser set of spots, is taken. ``chosen`` (2,) gets the candidates' numbers, -1 where there is
    none.
    """
    chosen[:] = -1
    best_score, best_explained, best_left = -1.0, 0.0, 0.0
    for i in range(found):
        for j in range(i + 1, found):
            q1, q2 = candidates[i, 0], candidates[j, 0]
            p1, p2 = candidates[i, 1] * bin_rad, candidates[j, 1] * bin_rad
            cross = abs(math.sin(p2 - p1))
            cosine = abs(math.cos(p2 - p1))
            if cross < 0.5 or max(q1, q2) > 3.0 * min(q1, q2):
                continue
            if cosine * max(q1, q2) > 0.6 * min(q1, q2):
                continue
            explained, left = _explained(candidates, found, i, j, bin_rad)
            score = explained * explained + 1e-3 * q1 * q2 * cross
            if score > best_score:
                best_score, best_explained, best_left = score, explained, left
                chosen[0], chosen[1] = i, j
    return best_explained, best_left


@njit(cache=True, nogil=True)
def _explained(candidates: Array, found: int, i: int, j: int, bin_rad: float) -> tuple[float, float]:
    """Root of the summed squares of explained significances, and the largest unexplained one."""
    explained, left = 0.0, 0.0
    p1, p2 = candidates[i, 1] * bin_rad, candidates[j, 1] * bin_rad
    x1, y1 = candidates[i, 0] * math.cos(p1), candidates[i, 0] * math.sin(p1)
    x2, y2 = candidates[j, 0] * math.cos(p2), candidates[j, 0] * math.sin(p2)
    turn = math.tan(min(ROUGH[1] * bin_rad + ROUGH[2], 1.0))
    for n in range(found):
        z = candidates[n, 5]
        matched = n in (i, j)
        if not matched:
            along, up = math.cos(candidates[n, 1] * bin_rad), math.sin(candidates[n, 1] * bin_rad)
            for h, k in ORDERS:
                radial, tangential = _in_frame(h * x1 + k * x2, h * y1 + k * y2, along, up)
                q = math.sqrt(radial * radial + tangential * tangential)
                order = math.sqrt(float(h * h + k * k))
                if abs(q - candidates[n, 0]) < ROUGH[0] * order and tangential < turn * radial:
                    matched = True
                    break
        if matched:
            explained += z * z
        elif z > left:
            left = z
    return math.sqrt(explained), left


@njit(cache=True, nogil=True, inline="always")
def _in_frame(x: float, y: float, along: float, up: float) -> tuple[float, float]:
    """Sizes of the parts of +-(x, y) along and across a direction."""
    return abs(x * along + y * up), abs(y * along - x * up)


@njit(cache=True, nogil=True)
def strongest_left(
    candidates: Array, found: int, q_step: float, bin_rad: float, parameters: Array, slack: float
) -> float:
    """Largest significance among candidates that are not where the fitted lattice has a spot.

    ``parameters`` (12,) of the fit: q, phi at 0, 1 and 6, 7. A candidate may lie off its spot by ``slack``
    of its own widths and one bin.
    """
    x1, y1 = parameters[0] * math.cos(parameters[1]), parameters[0] * math.sin(parameters[1])
    x2, y2 = parameters[6] * math.cos(parameters[7]), parameters[6] * math.sin(parameters[7])
    left = 0.0
    for n in range(found):
        if candidates[n, 5] <= left:
            continue
        phi = candidates[n, 1] * bin_rad
        along, up = math.cos(phi), math.sin(phi)
        off_q = (slack * candidates[n, 2] + 1.0) * q_step
        off_phi = min((slack * candidates[n, 3] + 1.0) * bin_rad, 0.7)
        matched = False
        for h, k in ORDERS:
            radial, tangential = _in_frame(h * x1 + k * x2, h * y1 + k * y2, along, up)
            q = math.sqrt(radial * radial + tangential * tangential)
            if abs(q - candidates[n, 0] * q_step) < off_q and tangential < math.tan(off_phi) * radial:
                matched = True
                break
        if not matched:
            left = candidates[n, 5]
    return left
