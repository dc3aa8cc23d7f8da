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
from analysis.sem.peaks import Peaks, find_peaks, peak_sigma, refine_peak, threshold
from analysis.sem.spectrum import Spectrum, windowed

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MAX_WANDER_PERIODS = 1.5
"""A maximum further than this from where the lattice has it belongs to something else."""

RING_BAND = 0.15
RING_SHARE = 0.6
RING_PEAKS = 6
"""A ring: at least so many peaks within the band of |k| of which the lattice explains less than the share."""

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
    members: int


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
    """Indices (m, 2) of the lattice's points of first order, diagonals included, that show a peak."""
    known = explained_by(peaks.k, basis, size=size)
    indices, _ = lattice_indices(peaks.k[known], basis)
    indices = indices[np.abs(indices).max(axis=1) == 1]
    sign = np.where(indices[:, 0] != 0, np.sign(indices[:, 0]), np.sign(indices[:, 1]))
    return np.unique(indices * sign[:, None], axis=0)


def fit_lattice(values: Array, basis: Array, indices: Indices) -> LatticeFit | None:
    """Least squares of the refined peaks ``indices @ b`` (m, 2), weighted by their own errors.

    ``values`` (n, n) is a levelled, windowed region. None where fewer than two independent peaks are left.
    """
    used, found, sigma = [], [], []
    for index in indices:
        start = index @ basis
        place, power = refine_peak(values, start)
        if np.hypot(*(place - start)) > MAX_WANDER_PERIODS / values.shape[0]:
            continue
        used.append(index)
        found.append(place)
        sigma.append(max(peak_sigma(values, place, power), 1e-9))
    if len(used) < 2 or np.linalg.matrix_rank(np.array(used)) < 2:
        return None
    design = np.array(used, dtype=np.float64)
    weight = 1.0 / np.array(sigma) ** 2
    inverse = np.linalg.inv(design.T @ (design * weight[:, None]))
    b = inverse @ (design.T @ (np.array(found) * weight[:, None]))
    return LatticeFit(b=b, covariance=np.kron(inverse, np.eye(2)))


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

    delta_k of 3 x 3 sub-regions of half the side, minus the plane through them (an even gradient is no
    error), minus their noise; what is left varies from place to place and averages over the region. Zero
    where it is no more than noise makes.
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
    residual = y - base @ np.linalg.lstsq(base, y, rcond=None)[0]
    variance, expected = float(residual @ residual) / (len(y) - 3), float(np.mean(sigma**2))
    if variance < SPREAD_SIGNIFICANCE * expected:
        return 0.0
    return float(np.sqrt((variance - expected) / INDEPENDENT_SUBREGIONS) / delta_k_of(fit.b))


def measured(
    region: npt.NDArray[np.generic], spectrum: Spectrum, basis: Array, peaks: Peaks
) -> Values | None:
    """Values of a square region (n, n) whose peaks have the lattice ``basis``; None if they do not refine."""
    indices = members_of(basis, peaks, size=spectrum.size)
    fit = fit_lattice(spectrum.windowed, basis, indices)
    if fit is None:
        return None
    spread = relative_spread(region, fit, indices)
    geometry = labelled(reduced(fit.b))
    return Values(
        geometry=geometry,
        delta_k_err=float(np.hypot(propagated(delta_k_of, fit), spread * geometry.delta_k)),
        a_sc_err=float(np.hypot(propagated(a_sc_of, fit), spread * geometry.a_sc)),
        gamma_err_deg=propagated(gamma_of, fit),
        spread=spread,
        members=len(indices),
    )
