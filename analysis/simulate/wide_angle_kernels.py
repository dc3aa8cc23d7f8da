"""Compiled loops of the wide-angle part: few photons on many pixels, drawn one by one.

Both draw exactly from independent Poisson distributions of every pixel, in a time that goes with the photons
and not with the pixels.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int32]

FARTHEST_PHASE = 40.0
"""Shape transforms are cut at this phase ``dq L / 2``: 0.8 % of their photons lie beyond it."""


@njit(cache=True, nogil=True)
def scatter_smooth(
    rng: np.random.Generator,
    counts: Counts,
    places: Index,
    running_sum: Array,
    guide: Index,
    factor: float,
) -> None:
    """Add photons of a smooth expectation to ``counts`` (rows, cols): ``factor`` times it, in place.

    ``running_sum`` (n,) sums the expectations of the pixels ``places`` (n,), flat indices; ``guide`` (m,) is
    for each of m equal parts of the sum the first pixel that can hold it. Arrivals of a Poisson process are
    laid along the sum.
    """
    if factor <= 0.0 or running_sum.size == 0:
        return
    total = running_sum[-1]
    flat = counts.ravel()
    scale = guide.size / total
    arrival = rng.standard_exponential() / factor
    while arrival < total:
        at = guide[min(int(arrival * scale), guide.size - 1)]
        while running_sum[at] <= arrival:
            at += 1
        flat[places[at]] += 1
        arrival += rng.standard_exponential() / factor


@njit(cache=True, nogil=True)
def scatter_spots(
    rng: np.random.Generator,
    counts: Counts,
    masked: npt.NDArray[np.bool_],
    efficiency: Array,
    beam: tuple[float, float, float],
    wavelength_nm: float,
    spots: Array,
    crystal: tuple[float, float, float, float, float, float],
) -> None:
    """Add the photons of spots to ``counts`` (rows, cols) in place, where not masked.

    ``spots`` (n, 3) are Gx, Gy in nm^-1 in the nanocrystal's own axes, and the photons expected where the
    Bragg condition is met. ``beam`` is column, row, distance in pixels. ``crystal`` is the azimuth of the
    nanocrystals' first axis in rad, their lean to the right and up in rad, their mosaic in rad, and mean and
    standard deviation of their edges in nm.

    A photon comes from one nanocrystal: a cube of edge L, chosen by volume, turned by the mosaic. Its shape
    transform, the product of ``sinc^2(d L / 2)`` along its edges, takes the photon away from the reciprocal
    lattice point. Its vector must then rise from the plane by its own theta to meet the Ewald sphere: of all
    nanocrystals ``exp(-(theta - rise - lean)^2 / (2 mosaic^2))`` do, rise being what the shape gives.
    Cells of reciprocal space ``d^2 q`` are proportional to solid angle, so only polarization is left of
    ``efficiency`` (solid angle times polarization).
    """
    kappa = 4.0 * math.pi / wavelength_nm
    for k in range(spots.shape[0]):
        for _ in range(rng.poisson(spots[k, 2])):
            edge = _edge(rng, crystal[4], crystal[5])
            x = spots[k, 0] + 2.0 / edge * _sinc_squared(rng)
            y = spots[k, 1] + 2.0 / edge * _sinc_squared(rng)
            turn = crystal[0] + crystal[3] * rng.standard_normal()
            z = 2.0 / edge * _sinc_squared(rng)
            flat = math.hypot(x, y)
            q = math.hypot(flat, z)
            phi = math.atan2(y, x) + turn
            keep = rng.random()
            sine = q / kappa
            cosine = 1.0 - 2.0 * sine * sine
            if q <= 0.0 or cosine <= 0.1:
                continue
            radius = beam[2] * math.sqrt(1.0 - cosine * cosine) / cosine
            row = math.floor(beam[1] - radius * math.sin(phi) + 0.5)
            col = math.floor(beam[0] + radius * math.cos(phi) + 0.5)
            if row < 0 or row >= counts.shape[0] or col < 0 or col >= counts.shape[1] or masked[row, col]:
                continue
            lean = crystal[1] * math.cos(phi) + crystal[2] * math.sin(phi)
            missed = math.asin(sine) - math.atan2(z, flat) - lean
            met = math.exp(-0.5 * (missed / crystal[3]) ** 2)
            if keep < met * efficiency[row, col] / cosine**3:
                counts[row, col] += 1


@njit(cache=True, nogil=True)
def _edge(rng: np.random.Generator, mean: float, std: float) -> float:
    """Edge of a cube of a normal population, chosen in proportion to its volume."""
    largest = mean + 5.0 * std
    while True:
        edge = mean + std * rng.standard_normal()
        if 0.2 * mean < edge <= largest and rng.random() < (edge / largest) ** 3:
            return edge


@njit(cache=True, nogil=True)
def _sinc_squared(rng: np.random.Generator) -> float:
    """A phase t from the density ``sin^2 t / (pi t^2)``, cut at FARTHEST_PHASE; envelope min(1, 1 / t^2)."""
    while True:
        u = rng.random()
        t = 2.0 * u if u < 0.5 else 0.5 / (1.0 - u)
        if t > FARTHEST_PHASE:
            continue
        height = min(1.0, 1.0 / (t * t))
        value = 1.0 if t < 1e-6 else (math.sin(t) / t) ** 2
        if rng.random() * height < value:
            return t if rng.random() < 0.5 else -t
