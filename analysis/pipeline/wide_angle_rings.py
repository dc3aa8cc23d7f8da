"""The ring of the superlattice's first order by azimuth, from the patterns that the stream kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.pipeline.xray_stream import Streamed
from analysis.records import QuantityMap
from analysis.xray.setup import ScanSetup
from analysis.xray.wide_angle_kernels import PHI_BINS

Array = npt.NDArray[np.float64]

MOST_RELATIVE_WIDTH = 0.17
"""Half width of the ring over its q at most: the second order of a square lattice begins at 1.41 q."""


@dataclass(frozen=True, kw_only=True)
class Rings:
    """No ring or one: names, q and half width (n,), counts (points, n, 360), efficiency and background."""

    names: tuple[str, ...]
    q_per_nm: Array
    half_width_per_nm: Array
    azimuthal: npt.NDArray[np.uint32]
    pixels: Array
    background: Array


def saxs_ring(streamed: Streamed, setup: ScanSetup, maps: Mapping[str, QuantityMap], *, points: int) -> Rings:
    """Counts on the first order's ring, one width for the whole scan: all q1 and q2 and two peak widths."""
    q = np.concatenate([maps[name].values.ravel() for name in ("q1", "q2")])
    q = q[np.isfinite(q)]
    if q.size == 0:
        none = np.empty((0, PHI_BINS))
        counts = np.zeros((points, 0, PHI_BINS), dtype=np.uint32)
        return Rings(
            names=(),
            q_per_nm=np.empty(0),
            half_width_per_nm=np.empty(0),
            azimuthal=counts,
            pixels=none,
            background=none,
        )
    low, high = np.quantile(q, (0.02, 0.98))
    middle = 0.5 * float(low + high)
    width = float(np.nanmedian(maps["sigma_q"].values))
    half = min(0.5 * float(high - low) + 2.0 * width, MOST_RELATIVE_WIDTH * middle)
    places = np.flatnonzero(setup.usable & (np.abs(setup.q_per_nm - middle) < half))
    turn = (setup.phi_rad.ravel()[places] + np.pi) * (PHI_BINS / (2.0 * np.pi))
    bins = np.minimum(turn.astype(np.int64), PHI_BINS - 1)

    def by_azimuth(values: npt.NDArray[np.generic]) -> Array:
        weights = values.ravel()[places].astype(np.float64)
        return np.bincount(bins, weights=weights, minlength=PHI_BINS).astype(np.float64)

    azimuthal = np.empty((points, 1, PHI_BINS), dtype=np.uint32)
    for point in range(points):
        azimuthal[point, 0] = by_azimuth(streamed.pattern(point))
    return Rings(
        names=("saxs",),
        q_per_nm=np.array([middle]),
        half_width_per_nm=np.array([half]),
        azimuthal=azimuthal,
        pixels=by_azimuth(setup.efficiency)[None],
        background=by_azimuth(setup.background)[None],
    )
