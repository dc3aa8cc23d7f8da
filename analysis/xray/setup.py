"""Everything that all frames of a scan share: pixel directions, polar bins, scaled background, limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from analysis.xray.geometry import PixelDirections
from analysis.xray.pixel_table import PixelTable, pixel_order

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

PHI_BINS = 60
"""Bins of the folded azimuth (180 degrees) that peaks are looked for in: 3 degrees each."""


@dataclass(frozen=True, kw_only=True)
class ScanSetup:
    """Arrays of the region (h, w), and polar bins (n_q, n_phi) folded by Friedel's law.

    ``q_mean_per_nm`` is q averaged over the pixel: ``q + step^2 / 24 q``, what a peak's counts tell of.
    ``background`` is the expected count of a frame without a crystal, ``background_share`` its variance over
    its value. ``place`` is (beam column, beam row, nm^-1 per pixel) in the region. ``window`` are the q bins
    (first, stop) in which first orders are looked for. ``limit`` is the first count that is not trusted.
    ``places`` and ``bins`` list the flat indices of the pixels that count and their polar bins.
    ``exposures`` (n,) is the relative exposure of images 1 ... n by the monitor; None: all are alike.
    """

    usable: Mask
    q_per_nm: Array
    q_mean_per_nm: Array
    phi_rad: Array
    efficiency: Array
    background: Array
    background_share: float
    place: tuple[float, float, float]
    limit: int
    q_edges_per_nm: Array
    window: tuple[int, int]
    places: Index
    bins: Index
    expected: Array
    weight: Array
    ring_pixels: Array
    deviance_table: Array
    exposures: Array | None = None

    def exposures_of(self, numbers: npt.ArrayLike) -> Array:
        """Relative exposure of images with these numbers, 1 where there is none or it is not known."""
        wanted = np.asarray(numbers, dtype=np.int64)
        found = np.ones(wanted.shape)
        if self.exposures is not None:
            there = (wanted >= 1) & (wanted <= self.exposures.size)
            found[there] = self.exposures[wanted[there] - 1]
        return np.where(np.isfinite(found), found, 1.0)

    def table_at(self, exposure: float) -> PixelTable:
        """The table of a frame with this relative exposure, which multiplies all that the model expects."""
        if exposure == 1.0:
            return self.table
        return self.table._replace(
            efficiency=exposure * self.table.efficiency,
            background=exposure * self.table.background,
            expected=exposure * self.table.expected,
            weight=exposure * self.table.weight,
            background_share=exposure * self.table.background_share,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the region."""
        return self.usable.shape[0], self.usable.shape[1]

    @property
    def q_centres_per_nm(self) -> Array:
        """Centres of the rings, (n_q,)."""
        return 0.5 * (self.q_edges_per_nm[1:] + self.q_edges_per_nm[:-1])

    @property
    def steps(self) -> tuple[float, float, float]:
        """nm^-1 per ring, rad per phi bin, nm^-1 per pixel."""
        return float(self.q_edges_per_nm[1]), math.pi / PHI_BINS, self.place[2]

    @cached_property
    def table(self) -> PixelTable:
        """The same, laid out for the compiled loops."""
        every, starts, places = pixel_order(
            self.places, self.bins, pixels=self.usable.size, n_bins=self.expected.size
        )
        sorted_ = [
            np.ascontiguousarray(values.ravel()[places])
            for values in (self.q_mean_per_nm, self.phi_rad, self.efficiency, self.background)
        ]
        q_step, phi_step, pixel = self.steps
        return PixelTable(
            bins=every,
            starts=starts,
            places=places,
            q=sorted_[0],
            phi=np.mod(sorted_[1], math.pi),
            efficiency=sorted_[2],
            background=sorted_[3],
            expected=self.expected,
            weight=self.weight,
            first=self.window[0],
            stop=self.window[1],
            q_step=q_step,
            phi_step=phi_step,
            pixel=pixel,
            limit=self.limit,
            background_share=self.background_share,
            deviance=self.deviance_table,
        )


def scan_setup(
    directions: PixelDirections,
    *,
    usable: Mask,
    background: Array,
    background_share: float,
    beam_px: tuple[float, float],
    limit: int,
    q_min_per_nm: float,
    q_max_per_nm: float,
    first_order_q_per_nm: tuple[float, float] | None,
) -> ScanSetup:
    """Put a setup together; pixels outside ``q_min ... q_max`` do not count.

    ``beam_px`` is (column, row) in the region, ``background`` (h, w) counts a frame.
    """
    q = directions.q_per_nm
    counted = usable & (q >= q_min_per_nm) & (q < q_max_per_nm)
    n_q = max(4, math.ceil(q_max_per_nm / directions.step_per_nm))
    edges = np.linspace(0.0, q_max_per_nm, n_q + 1)
    places = np.flatnonzero(counted).astype(np.int32)
    ring = np.minimum((q.ravel()[places] / edges[1]).astype(np.int32), n_q - 1)
    turn = np.mod(directions.phi_rad.ravel()[places], math.pi) * (PHI_BINS / math.pi)
    bins = (ring * PHI_BINS + np.minimum(turn.astype(np.int32), PHI_BINS - 1)).astype(np.int32)
    length = n_q * PHI_BINS
    expected, weight, pixels = (
        np.bincount(bins, weights=values.ravel()[places], minlength=length)
        .astype(np.float64)
        .reshape(n_q, PHI_BINS)
        for values in (background, directions.efficiency, np.ones_like(q))
    )
    low, high = first_order_q_per_nm or (q_min_per_nm, q_max_per_nm)
    low = max(low, q_min_per_nm)
    window = (int(low / edges[1]), min(n_q, math.ceil(high / edges[1])))
    return ScanSetup(
        usable=counted,
        q_per_nm=np.ascontiguousarray(q),
        q_mean_per_nm=q + directions.step_per_nm**2 / (24.0 * np.maximum(q, directions.step_per_nm)),
        phi_rad=np.ascontiguousarray(directions.phi_rad),
        efficiency=np.ascontiguousarray(directions.efficiency),
        background=np.ascontiguousarray(np.where(counted, background, 0.0)),
        background_share=background_share,
        place=(float(beam_px[0]), float(beam_px[1]), directions.step_per_nm),
        limit=limit,
        q_edges_per_nm=edges,
        window=window,
        places=places,
        bins=bins,
        expected=expected,
        weight=weight,
        ring_pixels=pixels.sum(axis=1),
        deviance_table=mean_deviance_table(),
    )


def mean_deviance_table() -> Array:
    """Mean and variance (2, 141) of ``2 (n ln(n/mu) - n + mu)`` at ``ln mu = -9, -8.9 ... 5``."""
    log_mu = np.arange(-90, 51) / 10.0
    n = np.arange(400.0)
    mu = np.exp(log_mu)[:, None]
    share = np.exp(n * log_mu[:, None] - mu - gammaln(n + 1.0))
    deviance = 2.0 * (mu - n + np.where(n > 0, n * np.log(np.maximum(n, 1.0) / mu), 0.0))
    mean = (share * deviance).sum(axis=1)
    return np.stack([mean, (share * deviance**2).sum(axis=1) - mean**2])
