"""Everything beyond the small-angle region: background, ligands, and spots of the atomic lattice.

The nanocrystals stand along the superlattice, each turned a little (mosaic). Untilted ones miss the Bragg
condition by theta; the mosaic and the finite size let a part of them meet it, more on the side to which they
lean. So a spot is brighter where its crystals lean to it, and its photons come from the side of its shape
that is nearer to the Ewald sphere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.simulate.background import background_counts
from analysis.simulate.detector import MASKED_COUNT, Detector, small_angle_part
from analysis.simulate.kernels import Counts
from analysis.simulate.lattice import BeamLattice
from analysis.simulate.presets import XrayPreset
from analysis.simulate.wide_angle_kernels import scatter_smooth, scatter_spots

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]

REFLECTIONS = ((1.0, 0.0, 2600.0), (1.0, 1.0, 1500.0), (2.0, 0.0, 4200.0))
"""h, k, photons of a spot that meets the Bragg condition; all their turns by 90 degrees and mirrors."""

HALF_INTEGER_REFLECTIONS = ((1.5, 0.5, 160.0),)

LIGAND_COUNTS, LIGAND_Q_PER_NM, LIGAND_WIDTH_PER_NM = 0.008, 14.0, 2.5
"""Halo of the ligands' chains: counts per pixel at its top, place and width."""

GUIDE_PIXELS = 8
TURNS = np.radians(np.arange(-20.0, 21.0, 2.5))


@dataclass(frozen=True, kw_only=True)
class SmoothLight:
    """Expected counts of many pixels, made ready for :func:`scatter_smooth`."""

    places: Index
    running_sum: Array
    guide: Index

    @classmethod
    def of(cls, expected: Array) -> SmoothLight:
        """From expectations (rows, cols); pixels without any are left out."""
        places = np.flatnonzero(expected > 0.0).astype(np.int32)
        running_sum = np.cumsum(expected.ravel()[places])
        parts = max(1, places.size // GUIDE_PIXELS)
        total = float(running_sum[-1]) if places.size else 0.0
        bounds = np.arange(parts) * (total / parts)
        # A rounding of the last place must not lead past the pixel that holds a bound.
        guide = np.maximum(np.searchsorted(running_sum, bounds, side="right") - 1, 0)
        return cls(places=places, running_sum=running_sum, guide=guide.astype(np.int32))


@dataclass(frozen=True, kw_only=True)
class WideAngle:
    """The detector outside of its small-angle part."""

    detector: Detector
    lattice: BeamLattice
    empty: Counts
    background: SmoothLight
    ligands: SmoothLight
    mosaic_rad: float
    size_nm: tuple[float, float]
    half_integer: bool

    @classmethod
    def of_preset(
        cls, preset: XrayPreset, *, detector: Detector, lattice: BeamLattice, size_nm: tuple[float, float]
    ) -> WideAngle:
        """``size_nm``: mean and standard deviation of the nanocrystals' edges."""
        outside = ~detector.masked
        outside[small_angle_part()] = False
        q, _ = detector.polar_grid
        halo = np.exp(-0.5 * ((q - LIGAND_Q_PER_NM) / LIGAND_WIDTH_PER_NM) ** 2)
        return cls(
            detector=detector,
            lattice=lattice,
            empty=np.where(detector.masked, np.uint32(MASKED_COUNT), np.uint32(0)),
            background=SmoothLight.of(np.where(outside, background_counts(detector), 0.0)),
            ligands=SmoothLight.of(np.where(outside, LIGAND_COUNTS * halo * detector.efficiency, 0.0)),
            mosaic_rad=float(np.deg2rad(preset.atomic_mosaic_deg)),
            size_nm=size_nm,
            half_integer=preset.half_integer_peaks,
        )

    def around(
        self, inner: Counts, rng: np.random.Generator, *, at: tuple[int, int], covered: float
    ) -> Counts:
        """A whole frame: ``inner``, the counts of the small-angle part, and all around it.

        ``covered`` is the share of the beam on the crystal times its brightness; 0: nothing but background.
        """
        counts = self.empty.copy()
        _scatter(rng, counts, self.background, 1.0)
        if covered > 0.0:
            _scatter(rng, counts, self.ligands, covered)
            self._add_spots(rng, counts, at, covered)
        counts[small_angle_part()] = inner
        return counts

    def _add_spots(
        self, rng: np.random.Generator, counts: Counts, at: tuple[int, int], covered: float
    ) -> None:
        detector = self.detector
        azimuth = float(np.sum(self.lattice.weights[at] * self.lattice.atomic_psi_rad[at]))
        lean = self.lattice.tilt_rad[at]
        spots = wide_angle_spots(self.lattice, *at, half_integer=self.half_integer)
        spots = spots[_on_detector(spots, azimuth, detector)]
        spots[:, 2] *= covered
        scatter_spots(
            rng,
            counts,
            detector.masked,
            detector.efficiency,
            (*detector.beam_center_px, detector.distance_px),
            detector.wavelength_nm,
            spots,
            (azimuth, float(lean[0]), float(lean[1]), self.mosaic_rad, *self.size_nm),
        )


def _scatter(rng: np.random.Generator, counts: Counts, light: SmoothLight, factor: float) -> None:
    scatter_smooth(rng, counts, light.places, light.running_sum, light.guide, factor)


def wide_angle_spots(lattice: BeamLattice, row: int, col: int, *, half_integer: bool) -> Array:
    """Spots of one scan point, (n, 3): Gx, Gy in nm^-1 in the crystals' axes, photons if all met it."""
    a_al = float(np.sum(lattice.weights[row, col] * lattice.a_al_nm[row, col]))
    hk, photons = _all_reflections(half_integer=half_integer)
    return np.column_stack([2.0 * np.pi / a_al * hk, photons])


def _on_detector(spots: Array, azimuth: float, detector: Detector) -> npt.NDArray[np.bool_]:
    """Which spots come within some 20 degrees and 1.5 nm^-1 of a pixel."""
    q = np.hypot(spots[:, 0], spots[:, 1])[:, None, None] + np.array([-1.5, 0.0, 1.5])[:, None]
    phi = np.arctan2(spots[:, 1], spots[:, 0])[:, None, None] + azimuth + TURNS
    sine = np.clip(q * detector.wavelength_nm / (4.0 * np.pi), 0.0, 0.6)
    radius = detector.distance_px * np.tan(2.0 * np.arcsin(sine))
    row = detector.beam_center_px[1] - radius * np.sin(phi)
    col = detector.beam_center_px[0] + radius * np.cos(phi)
    rows, cols = detector.shape
    inside = (row > 0) & (row < rows) & (col > 0) & (col < cols)
    return np.asarray(inside.any(axis=(1, 2)))


def _all_reflections(*, half_integer: bool) -> tuple[Array, Array]:
    """Indices (n, 2) and photons (n,) of all spots of the square lattice seen along [001]."""
    listed = REFLECTIONS + (HALF_INTEGER_REFLECTIONS if half_integer else ())
    turned = {
        (sign_h * a, sign_k * b): photons
        for h, k, photons in listed
        for a, b in ((h, k), (k, h))
        for sign_h in (1.0, -1.0)
        for sign_k in (1.0, -1.0)
    }
    order = sorted(turned)
    return np.array(order) + 0.0, np.array([turned[hk] for hk in order])
