"""The lattice of one region: its peaks, their joint fit, and the uncertainty from fit and sub-regions.

Units are pixels and cycles per pixel. A region's value belongs to its centre: the window is symmetric, so
a spacing that changes evenly across the region moves the maximum only in second order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sem.lattice import (
    Geometry,
    explained_by,
    find_lattice,
    labelled,
    lattice_indices,
    reduced,
)
from analysis.sem.peaks import (
    NOISE_OUTER,
    Peaks,
    find_peaks,
    peak_covariance,
    phase_noise,
    refine_peak,
    threshold,
)
from analysis.sem.spectrum import HANN_STD, Spectrum, windowed
from analysis.sem.tilt import Tilt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MAX_WANDER_PERIODS = 1.5
"""A maximum further than this from where the lattice has it belongs to something else."""

RING_BAND = 0.15
RING_SHARE = 0.6
RING_PEAKS = 6
"""A ring: at least so many peaks within the band of |k| of which the lattice explains less than the share."""

READ_ORDER = [(1, 0), (0, 1), (1, 1), (1, -1)]
NOISE_SHARE = 0.4
"""Noise is measured no further from a peak than this share of the way to k = 0."""

MAX_PHASE_NOISE = 0.1
"""Mean squared phase noise of a cell above which a maximum is not the lattice's (first order fails)."""

SUBREGIONS = 3
"""Sub-regions of half the side in each direction, half overlapping."""

SUBREGION_MIN_PX = 24
SPREAD_SIGNIFICANCE = 2.1
"""Noise alone exceeds its expected variance by this factor once in twenty times (6 degrees of freedom)."""

INDEPENDENT_SUBREGIONS = 4.0
"""A region holds so many sub-regions that do not overlap: its mean varies by that much less than theirs."""


@dataclass(frozen=True, kw_only=True)
class LatticeFit:
    """Reciprocal basis ``b`` (2, 2) of a windowed region and the covariance (4, 4) of its elements."""

    b: Array
    covariance: Array


@dataclass(frozen=True, kw_only=True)
class Values:
    """Lattice of a region with 1-sigma errors; ``spread`` is the part that sub-regions tell."""

    geometry: Geometry
    delta_k_err: float
    a_sc_err: float
    gamma_err_deg: float
    spread: float


def find_basis(spectrum: Spectrum) -> tuple[Array | None, Peaks, bool]:
    """Reduced reciprocal basis from the peaks, the peaks, and whether they stand on a ring instead."""
    peaks = find_peaks(spectrum)
    basis = find_lattice(
        peaks.k,
        peaks.ratio,
        size=spectrum.size,
        floor=threshold(spectrum.size),
        k_max=spectrum.k_max,
    )
    return basis, peaks, basis is not None and _on_a_ring(peaks, basis, size=spectrum.size)


def _on_a_ring(peaks: Peaks, basis: Array, *, size: int) -> bool:
    first = np.hypot(basis[:, 0], basis[:, 1])
    length = np.hypot(peaks.k[:, 0], peaks.k[:, 1])
    band = (length > (1 - RING_BAND) * first.min()) & (length < (1 + RING_BAND) * first.max())
    if band.sum() < RING_PEAKS:
        return False
    own = np.zeros(band.shape, dtype=bool)
    for point in np.vstack([basis, basis[0] + basis[1], basis[0] - basis[1]]):
        near = np.minimum(np.hypot(*(peaks.k - point).T), np.hypot(*(peaks.k + point).T))
        own |= near < 2.5 / size
    return bool(peaks.ratio[band & own].sum() < RING_SHARE * peaks.ratio[band].sum())


def members_of(basis: Array, peaks: Peaks, *, size: int) -> Indices:
    """Indices (2, 2) of the two peaks that the lattice is read from: first order, or a diagonal for one.

    Two and no more: displaced particles move a third peak with the first two, so it says nothing new.
    """
    known = explained_by(peaks.k, basis, size=size)
    indices, _ = lattice_indices(peaks.k[known], basis)
    sign = np.where(indices[:, 0] != 0, np.sign(indices[:, 0]), np.sign(indices[:, 1]))
    seen = {tuple(pair) for pair in (indices * sign[:, None]).tolist()}
    chosen = [pair for pair in READ_ORDER if pair in seen]
    return np.array(chosen[:2] if len(chosen) > 1 else READ_ORDER[:2], dtype=np.int64)


def fit_lattice(values: Array, basis: Array, indices: Indices) -> LatticeFit | None:
    """Basis b (2, 2) for which the two refined peaks stand at ``indices @ b``, with its covariance.

    ``values`` (n, n) is a levelled, windowed region. None where a peak has wandered off or drowns in noise.
    """
    size = values.shape[0]
    starts = indices @ basis
    places = np.array([refine_peak(values, start)[0] for start in starts])
    if np.hypot(*(places - starts).T).max() > MAX_WANDER_PERIODS / size:
        return None
    nearest = float(np.hypot(places[:, 0], places[:, 1]).min()) * size
    outer = min(NOISE_OUTER, max(NOISE_SHARE * nearest, 1.0))
    noise = np.array([phase_noise(values, place, outer=outer) for place in places])
    if np.mean(np.abs(noise) ** 2, axis=1).max() > MAX_PHASE_NOISE:
        return None
    inverse = np.linalg.inv(indices.astype(np.float64))
    covariance = inverse @ peak_covariance(noise, size=size) @ inverse.T
    both_axes = np.asarray(np.kron(covariance, np.eye(2)), dtype=np.float64)
    return LatticeFit(b=inverse @ places, covariance=both_axes)


def propagated(quantity: Callable[[Array], float], fit: LatticeFit) -> float:
    """1 sigma of a quantity of the basis from the fit's covariance (central differences)."""
    flat = fit.b.ravel()
    step = 1e-5 * float(np.hypot(fit.b[:, 0], fit.b[:, 1]).min())
    gradient = [
        (quantity((flat + step * unit).reshape(2, 2)) - quantity((flat - step * unit).reshape(2, 2)))
        / (2.0 * step)
        for unit in np.eye(4)
    ]
    return float(np.sqrt(np.array(gradient) @ fit.covariance @ np.array(gradient)))


def delta_k_of(b: Array) -> float:
    """Mean length of the two vectors."""
    return float(np.hypot(b[:, 0], b[:, 1]).mean())


def a_sc_of(b: Array) -> float:
    """Mean of a1 and a2 of the reciprocal basis."""
    real = np.linalg.inv(b)
    return float(np.hypot(real[0], real[1]).mean())


def gamma_of(b: Array) -> float:
    """Angle between a1 and a2 in degrees."""
    real = np.linalg.inv(b).T
    return float(np.degrees(np.arccos(real[0] @ real[1] / np.prod(np.hypot(real[:, 0], real[:, 1])))))


def relative_spread(region: npt.NDArray[np.generic], fit: LatticeFit, indices: Indices) -> float:
    """Relative 1 sigma of the region's spacing that its sub-regions tell beyond their own noise.

    delta_k of 3 x 3 sub-regions of half the side, minus the plane through them, minus their noise: what is
    left varies from place to place and averages over the region (zero where noise makes as much). An even
    gradient g (relative change across the region) moves the maximum in second order: (0.18 g)^2 is added,
    0.18 being the standard deviation of place under the window.
    """
    size = region.shape[0]
    half = size // 2
    if half < SUBREGION_MIN_PX:
        return 0.0
    offsets = np.linspace(0, size - half, SUBREGIONS).round().astype(int)
    place, value, noise = [], [], []
    for row in offsets:
        for col in offsets:
            part = fit_lattice(windowed(region[row : row + half, col : col + half]), fit.b, indices)
            if part is not None:
                place.append((1.0, row / size - 0.25, col / size - 0.25))
                value.append(delta_k_of(part.b))
                noise.append(propagated(delta_k_of, part))
    if len(value) < 6:
        return 0.0
    base, y, sigma = np.array(place), np.array(value), np.array(noise)
    plane = np.linalg.lstsq(base, y, rcond=None)[0]
    residual = y - base @ plane
    delta_k = delta_k_of(fit.b)
    gradient = float(np.hypot(plane[1], plane[2])) / delta_k
    variance, expected = float(residual @ residual) / (len(y) - 3), float(np.mean(sigma**2))
    excess = variance - expected if variance > SPREAD_SIGNIFICANCE * expected else 0.0
    uneven = np.sqrt(excess / INDEPENDENT_SUBREGIONS) / delta_k
    return float(np.hypot(uneven, (HANN_STD * gradient) ** 2))


def on_the_surface(fit: LatticeFit, tilt: Tilt | None) -> LatticeFit:
    """The basis as it is on a tilted surface, K = S k, with its covariance."""
    if tilt is None:
        return fit
    both = np.kron(np.eye(2), tilt.shrink)
    return LatticeFit(b=fit.b @ tilt.shrink, covariance=both @ fit.covariance @ both.T)


def measured(
    region: npt.NDArray[np.generic], spectrum: Spectrum, basis: Array, peaks: Peaks
) -> Values | None:
    """Values of a square region (n, n) whose peaks have the lattice ``basis``; None if they do not refine."""
    indices = members_of(basis, peaks, size=spectrum.size)
    fit = fit_lattice(spectrum.windowed, basis, indices)
    if fit is None:
        return None
    spread = relative_spread(region, fit, indices)
    fit = on_the_surface(fit, spectrum.tilt)
    geometry = labelled(reduced(fit.b))
    return Values(
        geometry=geometry,
        delta_k_err=float(np.hypot(propagated(delta_k_of, fit), spread * geometry.delta_k)),
        a_sc_err=float(np.hypot(propagated(a_sc_of, fit), spread * geometry.a_sc)),
        gamma_err_deg=propagated(gamma_of, fit),
        spread=spread,
    )
