"""Pixels of the region in the order of their polar bins: what is near a peak stands in a few short runs.

Polar bins are folded by Friedel's law: phi and phi + 180 degrees share a bin. Bin ``(i, j)`` holds q from
``i`` to ``i + 1`` steps and the folded azimuth from ``j`` to ``j + 1`` steps; its flat number is
``i n_phi + j``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]


class PixelTable(NamedTuple):
    """What compiled loops need of a scan, the same for all frames.

    ``bins`` (h w,) is the bin of each pixel of the region, -1 where it does not count. The pixels that count,
    sorted by bin: ``places`` (n,) flat in the region, ``q`` nm^-1 (mean over the pixel), ``phi`` rad in
    [0, pi), ``efficiency``, ``background`` counts a frame; bin b holds those from ``starts[b]`` to
    ``starts[b + 1]``. ``expected`` and ``weight`` (n_q, n_phi) are background and efficiency summed by bin.
    First orders are looked for in rings ``first`` to ``stop``. ``q_step`` nm^-1 per ring, ``phi_step`` rad,
    ``pixel`` nm^-1; ``limit`` is the first count not to be trusted; ``background_share`` is the background's
    variance over its value; ``deviance`` (2, 141) mean and variance of a pixel's deviance at ``ln mu = -9,
    -8.9 ... 5``.
    """

    bins: Index
    starts: Index
    places: Index
    q: Array
    phi: Array
    efficiency: Array
    background: Array
    expected: Array
    weight: Array
    first: int
    stop: int
    q_step: float
    phi_step: float
    pixel: float
    limit: int
    background_share: float
    deviance: Array


def pixel_order(places: Index, bins: Index, *, pixels: int, n_bins: int) -> tuple[Index, Index, Index]:
    """(bin of each of ``pixels`` pixels or -1, start of each bin, ``places`` sorted by bin)."""
    every = np.full(pixels, -1, dtype=np.int32)
    every[places] = bins
    order = np.argsort(bins, kind="stable")
    starts = np.zeros(n_bins + 1, dtype=np.int32)
    np.cumsum(np.bincount(bins, minlength=n_bins), out=starts[1:])
    return every, starts, np.ascontiguousarray(places[order])
