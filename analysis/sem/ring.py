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

CELL_AREA = 2.25
"""Independent cell of a spectrum under a Hann window in both directions, in (1/size)^2."""

SECOND_RINGS = {"square": np.sqrt(2.0), "hexagonal": np.sqrt(3.0)}
LATTICE_PER_PLANE = {"square": 1.0, "hexagonal": 2.0 / np.sqrt(3.0)}
"""Ratio of the lattice constant to the first plane spacing."""

SECOND_RING_MARGIN = 1.25


@dataclass(frozen=True, kw_only=True)
class Ring:
    """Frequency of the first ring with 1 sigma, cycles per pixel, and the lattice that a second one names."""

    k: float
    k_err: float
    lattice: str


def first_ring(spectrum: Spectrum) -> Ring | None:
    """The first maximum of the radial average that stands above noise; None without one."""
    k, power = radial_average(spectrum)
    smooth = ndimage.gaussian_filter1d(power, 1.0)
    cells = np.pi * k * 0.5 * spectrum.size / CELL_AREA
    clear = (smooth > MIN_HEIGHT) & ((smooth - 1.0) * np.sqrt(np.maximum(cells, 1.0)) > MIN_SIGNIFICANCE)
    top = smooth == ndimage.maximum_filter1d(smooth, 7)
    rings = np.flatnonzero(top & clear & (k >= 1.3 * spectrum.k_min) & (k < spectrum.k_max))
    if rings.size == 0:
        return None
    excess = smooth[rings] - 1.0
    first = int(rings[np.flatnonzero(excess >= FIRST_SHARE * excess.max())[0]])
    centre, width = _centroid(k, power, first)
    count = max(2.0 * np.pi * centre * width * spectrum.size**2 / CELL_AREA, 1.0)
    return Ring(k=centre, k_err=float(width / np.sqrt(count)), lattice=_second(k, smooth, centre))


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
    heights = {}
    for name, factor in SECOND_RINGS.items():
        window = np.abs(k / (factor * first) - 1.0) < 0.04
        heights[name] = float(smooth[window].max()) if window.any() else 0.0
    best = max(heights, key=lambda name: heights[name])
    other = min(heights.values())
    valley = float(np.interp(1.2 * first, k, smooth))
    clear = heights[best] > SECOND_RING_MARGIN * max(other, valley)
    return best if clear else "unknown"
