"""Polycrystalline regions: the first ring of the radial average, and the lattice that a second one names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.sem.spectrum import Spectrum, radial_average

Array = npt.NDArray[np.float64]

MIN_HEIGHT = 1.6
"""A ring rises to this over the smooth background at least,"""

MIN_SIGNIFICANCE = 8.0
"""and by so many standard errors of the mean over its independent cells."""

FIRST_SHARE = 0.25
"""The first ring is the one of lowest k with this share of the highest ring's excess."""

VALLEY_REACH = 1.7
SECTORS, MIN_SECTORS, SECTOR_SHARE = 12, 6, 0.3
"""A ring has this share of its mean excess in at least so many of the sectors of the half plane."""

CELL_AREA = 2.25
"""Independent cell of a spectrum under a Hann window in both directions, in (1/size)^2."""

LATTICE_PER_PLANE = {"square": 1.0, "hexagonal": 2.0 / np.sqrt(3.0)}
"""Ratio of the lattice constant to the first plane spacing; second rings lie at sqrt 2 and sqrt 3."""

SECOND_RING_MARGIN = 1.08


@dataclass(frozen=True, kw_only=True)
class Ring:
    """Frequency of the first ring with 1 sigma, cycles per pixel, and the lattice that a second one names."""

    k: float
    k_err: float
    lattice: str


def first_ring(spectrum: Spectrum) -> Ring | None:
    """The first maximum of the radial average that stands above noise, all around; None without one."""
    k, power = radial_average(spectrum)
    smooth = ndimage.gaussian_filter1d(power, 1.0)
    cells = np.pi * k * 0.5 * spectrum.size / CELL_AREA
    clear = (smooth > MIN_HEIGHT) & ((smooth - 1.0) * np.sqrt(np.maximum(cells, 1.0)) > MIN_SIGNIFICANCE)
    top = smooth == ndimage.maximum_filter1d(smooth, 7)
    rings = np.flatnonzero(top & clear & (k >= 1.3 * spectrum.k_min) & (k < spectrum.k_max))
    rings = rings[[_stands_out(k, smooth, int(n)) for n in rings]] if rings.size else rings
    if rings.size == 0:
        return None
    excess = smooth[rings] - 1.0
    first = int(rings[np.flatnonzero(excess >= FIRST_SHARE * excess.max())[0]])
    centre, width = _centroid(k, power, first)
    weight, moment = _by_sector(spectrum, centre, width)
    if np.sum(weight > SECTOR_SHARE * weight.mean()) < MIN_SECTORS:
        return None
    lattice = _second(k, smooth, centre)
    return Ring(k=centre, k_err=_jackknife_sigma(weight, moment), lattice=lattice)


def _stands_out(k: Array, smooth: Array, top: int) -> bool:
    """Whether the average falls, on both sides within a factor VALLEY_REACH of k, to half of the excess."""
    half = 1.0 + 0.5 * (smooth[top] - 1.0)
    below = smooth[(k < k[top]) & (k > k[top] / VALLEY_REACH)]
    above = smooth[(k > k[top]) & (k < k[top] * VALLEY_REACH)]
    return bool(below.size and above.size and below.min() < half and above.min() < half)


def _by_sector(spectrum: Spectrum, centre: float, width: float) -> tuple[Array, Array]:
    """Excess power of a ring and its first moment in |k| in each sector of the half plane, (SECTORS,).

    Streaks of edges and scan lines keep to a few sectors; a ring goes round.
    """
    ring = np.abs(spectrum.radius - centre) < max(1.5 * width, 1.0 / spectrum.size)
    angle = np.arctan2(spectrum.k[:, None], spectrum.k[None, :])
    sector = (np.floor(angle[ring] / np.pi * SECTORS) % SECTORS).astype(np.int64)
    excess = spectrum.ratio[ring] - 1.0
    weight = np.bincount(sector, weights=excess, minlength=SECTORS)
    moment = np.bincount(sector, weights=excess * spectrum.radius[ring], minlength=SECTORS)
    return np.asarray(weight, dtype=np.float64), np.asarray(moment, dtype=np.float64)


def _jackknife_sigma(weight: Array, moment: Array) -> float:
    """1 sigma of the centroid by leaving out one sector at a time: grains are counted, not pixels."""
    without = (moment.sum() - moment) / (weight.sum() - weight)
    return float(np.sqrt((SECTORS - 1) / SECTORS * np.sum((without - without.mean()) ** 2)))


def _centroid(k: Array, power: Array, first: int) -> tuple[float, float]:
    """Centroid and standard deviation of the ring above half of its height."""
    excess = power - 1.0
    low = high = first
    half = 0.5 * excess[first]
    while low > 0 and excess[low - 1] > half:
        low -= 1
    while high < k.size - 1 and excess[high + 1] > half:
        high += 1
    part = slice(max(low - 1, 0), high + 2)
    weight = np.maximum(excess[part] - 0.3 * half, 0.0)
    # Per frequency, not per ring: a ring's mean needs no weight by its circumference.
    centre = float(weight @ k[part] / weight.sum())
    variance = float(weight @ (k[part] - centre) ** 2 / weight.sum())
    return centre, float(np.sqrt(max(variance, (0.5 * (k[1] - k[0])) ** 2)))


def _second(k: Array, smooth: Array, first: float) -> str:
    """Lattice whose second ring rises over the valley before it; "unknown" where none does."""

    def highest(low: float, high: float) -> float:
        part = smooth[(k > low * first) & (k < high * first)]
        return float(part.max()) if part.size else 0.0

    def lowest(low: float, high: float) -> float:
        part = smooth[(k > low * first) & (k < high * first)]
        return float(part.min()) if part.size else np.inf

    at_square, at_hexagonal = highest(1.37, 1.46), highest(1.68, 1.78)
    if at_square > SECOND_RING_MARGIN * lowest(1.12, 1.37) and at_square > at_hexagonal:
        return "square"
    if at_hexagonal > SECOND_RING_MARGIN * lowest(1.3, 1.6) and at_hexagonal > at_square:
        return "hexagonal"
    return "unknown"
