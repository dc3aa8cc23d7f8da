"""Scattering of cubes and how its slope pulls a broad peak inward.

A nanocrystal is a cube of edge L whose orientation is not known: ``<F^2>(q)`` is the mean over directions of
``L^6 prod_i sinc^2(q_i L / 2)``, sinc x = sin x / x, then over a normal distribution of L (Guinier and
Fournet, Small-Angle Scattering of X-Rays, 1955). A peak ``<F^2>(q) exp(-(q - q0)^2 / 2 sigma^2)`` has its
maximum at ``q0 + sigma^2 d ln<F^2>/dq`` to first order.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

Array = npt.NDArray[np.float64]

_DIRECTIONS = 40
_EDGES = 15
_TABLE = 240


def _cube_table(x: Array) -> Array:
    """Mean over directions of ``prod sinc^2(x n_i)``, against x = q L / 2 (n,): one octant suffices."""
    nodes, weights = np.polynomial.legendre.leggauss(_DIRECTIONS)
    upper = 0.5 * (nodes + 1.0)
    cosine, azimuth = upper[:, None], 0.5 * np.pi * upper[None, :]
    sine = np.sqrt(1.0 - cosine**2)
    share = 0.25 * weights[:, None] * weights[None, :]
    total = np.empty_like(x)
    for number, value in enumerate(x / np.pi):
        factors = np.sinc(value * cosine) * np.sinc(value * sine * np.cos(azimuth))
        factors = factors * np.sinc(value * sine * np.sin(azimuth))
        total[number] = np.sum(share * factors**2)
    return total


@lru_cache(maxsize=16)
def _log_intensity(size_nm: float, spread_nm: float, q_max_per_nm: float) -> CubicSpline:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_EDGES)
    edges = size_nm + spread_nm * nodes
    weights, edges = weights[edges > 0.0], edges[edges > 0.0]
    single = CubicSpline(
        x := np.linspace(0.0, 0.5 * q_max_per_nm * float(edges.max()) + 1e-9, _TABLE), _cube_table(x)
    )
    q = np.linspace(0.0, q_max_per_nm, _TABLE)
    total = sum(w * edge**6 * single(0.5 * q * edge) for w, edge in zip(weights, edges, strict=True))
    return CubicSpline(q, np.log(np.maximum(np.asarray(total), 1e-300)))


def log_slope_nm(q_per_nm: Array, *, size_nm: float, spread_nm: float) -> Array:
    """``d ln<F^2>/dq`` in nm at q (any shape) for cubes of this mean edge and standard deviation."""
    finite = q_per_nm[np.isfinite(q_per_nm)]
    if finite.size == 0:
        return np.full_like(q_per_nm, np.nan)
    top = max(2.0, np.ceil(float(finite.max())))
    return np.asarray(_log_intensity(size_nm, spread_nm, top)(q_per_nm, 1))


def spacing_shift_nm(
    a_nm: Array, q_per_nm: Array, sigma_q_per_nm: Array, *, size_nm: float, spread_nm: float
) -> Array:
    """By how much a spacing reads high because of the form factor: ``-a sigma^2 (d ln<F^2>/dq) / q`` in nm.

    ``sigma_q_per_nm`` is the peak's own width. All of one shape; NaN where they are.
    """
    slope = log_slope_nm(q_per_nm, size_nm=size_nm, spread_nm=spread_nm)
    return np.asarray(-a_nm * sigma_q_per_nm**2 * slope / q_per_nm)
