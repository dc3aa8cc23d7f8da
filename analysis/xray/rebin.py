"""I(q) and I(q, phi) of counts on pixels: each pixel whole in one bin, ``I = sum counts / sum efficiency``.

The bin of every pixel is found once; a pattern is then one pass over its pixels. What does not count goes to
one bin behind the last, so that the pass asks nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

WHOLE_TURN = (-math.pi, math.pi)


class Directions(Protocol):
    """What is asked of pixels (h, w): q, phi and the efficiency that divides their counts."""

    @property
    def q_per_nm(self) -> Array: ...
    @property
    def phi_rad(self) -> Array: ...
    @property
    def efficiency(self) -> Array: ...


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The bins of a region's pixels: ``place`` (h, w) is the flat bin of each, or their number for none.

    ``q_edges_per_nm`` (n_q + 1,), ``phi_edges_rad`` (n_phi + 1,), counter-clockwise as displayed. ``weight``
    and ``pixels`` (n_q, n_phi) are the efficiency summed over the pixels of a bin, and their number.
    """

    q_edges_per_nm: Array
    phi_edges_rad: Array
    place: Index
    weight: Array
    pixels: npt.NDArray[np.int64]

    @property
    def q_per_nm(self) -> Array:
        """Centres of the bins in q, (n_q,)."""
        return 0.5 * (self.q_edges_per_nm[1:] + self.q_edges_per_nm[:-1])

    @property
    def phi_deg(self) -> Array:
        """Centres of the bins in azimuth, (n_phi,)."""
        return np.rad2deg(0.5 * (self.phi_edges_rad[1:] + self.phi_edges_rad[:-1]))


def polar_bins(
    directions: Directions,
    usable: Mask,
    *,
    q_range_per_nm: tuple[float, float],
    n_q: int,
    phi_range_rad: tuple[float, float] = WHOLE_TURN,
    n_phi: int = 1,
) -> Bins:
    """Even bins over a range of q and of phi, ends excluded; ``n_phi = 1`` is a radial profile.

    ``phi_range_rad`` may begin anywhere and be at most a turn long: a window across 180 degrees is
    ``(3.0, 3.3)``. Pixels (h, w) that are not ``usable`` have no bin.
    """
    q_lo, q_hi = q_range_per_nm
    phi_lo, phi_hi = phi_range_rad
    ring = np.floor((directions.q_per_nm - q_lo) / ((q_hi - q_lo) / n_q))
    phi = directions.phi_rad
    if phi_range_rad != WHOLE_TURN:
        phi = phi_lo + np.mod(phi - phi_lo, 2.0 * math.pi)
    turn = np.floor((phi - phi_lo) / ((phi_hi - phi_lo) / n_phi))
    if phi_range_rad == WHOLE_TURN:
        turn = np.minimum(turn, n_phi - 1)  # phi = 180 degrees belongs to the last
    inside = usable & (ring >= 0) & (ring < n_q) & (turn < n_phi)
    place = np.where(inside, ring * n_phi + turn, n_q * n_phi).astype(np.int32)
    length = n_q * n_phi + 1
    weight = np.bincount(place.ravel(), weights=directions.efficiency.ravel(), minlength=length)[:-1]
    pixels = np.bincount(place.ravel(), minlength=length)[:-1]
    return Bins(
        q_edges_per_nm=np.linspace(q_lo, q_hi, n_q + 1),
        phi_edges_rad=np.linspace(phi_lo, phi_hi, n_phi + 1),
        place=place,
        weight=weight.reshape(n_q, n_phi).astype(np.float64),
        pixels=pixels.reshape(n_q, n_phi).astype(np.int64),
    )


def total_in_bins(values: npt.NDArray[np.number], bins: Bins) -> Array:
    """Sum of the values (h, w) in each bin, (n_q, n_phi); values of pixels without a bin may be anything."""
    total = np.zeros(bins.weight.size + 1)
    add_up(np.ascontiguousarray(values).ravel(), bins.place.ravel(), total)
    return np.asarray(total[:-1].reshape(bins.weight.shape))


def mean_in_bins(values: npt.NDArray[np.number], bins: Bins) -> Array:
    """``sum values / sum efficiency`` of each bin (n_q, n_phi), NaN where no pixel lies."""
    total = total_in_bins(values, bins)
    return np.asarray(
        np.divide(total, bins.weight, out=np.full(total.shape, np.nan), where=bins.weight > 0.0)
    )


def mean_and_error(counts: npt.NDArray[np.number], bins: Bins) -> tuple[Array, Array]:
    """Mean of Poisson counts in each bin and its 1 sigma, ``sqrt(sum counts) / sum efficiency``."""
    total = total_in_bins(counts, bins)
    mean, error = (
        np.divide(top, bins.weight, out=np.full(total.shape, np.nan), where=bins.weight > 0.0)
        for top in (total, np.sqrt(total))
    )
    return mean, error


@njit(cache=True, nogil=True)
def add_up(values: npt.NDArray[np.number], place: Index, total: Array) -> None:
    """Add each of ``values`` (n,) to ``total`` at its ``place`` (n,)."""
    for i in range(values.size):
        total[place[i]] += values[i]
