"""From lattices under the beam to frames of the detector.

First order: reciprocal vectors ``|b1| = 2 pi / (a1 sin gamma)`` at azimuth ``psi + gamma - 90`` and
``|b2| = 2 pi / (a2 sin gamma)`` at ``psi + 90``. A peak is ``P(q)`` times a Gaussian of width sigma_q, then
blurred by the resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.simulate.background import background_counts, shadow
from analysis.simulate.detector import MASKED_COUNT, Detector, eiger_4m
from analysis.simulate.form_factor import CubeFormFactor
from analysis.simulate.kernels import Counts, poisson_counts, scatter_photons
from analysis.simulate.lattice import NEGLIGIBLE_COVERAGE, BeamLattice
from analysis.simulate.presets import XrayPreset
from analysis.simulate.wide_angle import WideAngle

Array = npt.NDArray[np.float64]

RESOLUTION_PER_NM = 0.005
"""Standard deviation of the instrument's resolution (divergence and point spread), along q and across."""

FIRST_ORDER = ((1, 0), (0, 1), (-1, 0), (0, -1))
SECOND_ORDER = ((1, 1), (1, -1), (-1, -1), (-1, 1), (2, 0), (0, 2), (-2, 0), (0, -2))
SECOND_ORDER_SHARE = 0.45
SECOND_ORDER_BROADENING = 1.4
POSITION_DISORDER_NM = 1.0
"""Displacement of nanocrystals from their sites, one component: a Debye-Waller factor of the peaks."""

DIFFUSE_COUNTS = 0.18
"""Counts per pixel at q = 0 of nanocrystals that scatter each for itself."""

IDEAL_DIFFUSE_COUNTS = 0.03
IDEAL_PHOTONS = 1500.0
"""Diffuse counts per pixel and photons of a first-order peak without a form factor, wherever it lies."""


@dataclass(frozen=True, kw_only=True)
class PeakShape:
    """Widths and strength of the superlattice's peaks; no form factor for ideal ones."""

    sigma_q_per_nm: float
    mosaic_rad: float
    photons: float
    form_factor: CubeFormFactor | None


@dataclass(frozen=True, kw_only=True)
class Diffraction:
    """Everything that makes the expected counts of a scan point.

    ``inner`` is the small-angle part of the detector, on which ``background``, ``efficiency`` and ``diffuse``
    lie; ``wide`` is all around it, None where only that part is read. The small-angle part of a frame is the
    same either way.
    """

    detector: Detector
    inner: Detector
    lattice: BeamLattice
    shape: PeakShape
    background: Array
    efficiency: Array
    diffuse: Array
    wide: WideAngle | None

    @classmethod
    def of_preset(
        cls,
        preset: XrayPreset,
        *,
        lattice: BeamLattice,
        form_factor: CubeFormFactor | None,
        size_nm: tuple[float, float],
        wide_angle: bool,
    ) -> Diffraction:
        """Precompute what all points share; without a form factor the peaks are ideal Gaussians."""
        shape = PeakShape(
            sigma_q_per_nm=preset.sigma_q_per_nm,
            mosaic_rad=float(np.deg2rad(preset.mosaic_deg)),
            photons=IDEAL_PHOTONS if form_factor is None else preset.photons,
            form_factor=form_factor,
        )
        inner = eiger_4m(whole=False)
        detector = eiger_4m(whole=True) if wide_angle else inner
        q, _ = inner.polar_grid
        seen = inner.efficiency * shadow(inner)
        diffuse = (
            np.full(q.shape, IDEAL_DIFFUSE_COUNTS)
            if form_factor is None
            else DIFFUSE_COUNTS * form_factor.relative(q)
        )
        wide = (
            WideAngle.of_preset(preset, detector=detector, lattice=lattice, size_nm=size_nm)
            if wide_angle
            else None
        )
        return cls(
            detector=detector,
            inner=inner,
            lattice=lattice,
            shape=shape,
            background=background_counts(inner),
            efficiency=seen,
            diffuse=diffuse * seen,
            wide=wide,
        )

    def frame(self, row: int, col: int, rng: np.random.Generator) -> Counts:
        """Counts (detector rows, cols) of the frame taken at scan point (row, col)."""
        apart = None if self.wide is None else rng.spawn(1)[0]
        on_crystal = self.lattice.coverage[row, col] >= NEGLIGIBLE_COVERAGE
        covered = float(self.lattice.coverage[row, col] * self.lattice.brightness[row, col])
        inner = self._inner_frame(row, col, covered, rng) if on_crystal else self._inner_empty(rng)
        if self.wide is None or apart is None:
            return inner
        return self.wide.around(inner, apart, at=(row, col), covered=covered if on_crystal else 0.0)

    def empty_frame(self, rng: np.random.Generator) -> Counts:
        """Counts (detector rows, cols) without a crystal in the beam."""
        apart = None if self.wide is None else rng.spawn(1)[0]
        inner = self._inner_empty(rng)
        if self.wide is None or apart is None:
            return inner
        return self.wide.around(inner, apart, at=(0, 0), covered=0.0)

    def _inner_empty(self, rng: np.random.Generator) -> Counts:
        return poisson_counts(rng, self.background, self.inner.masked, MASKED_COUNT)

    def _inner_frame(self, row: int, col: int, covered: float, rng: np.random.Generator) -> Counts:
        inner = self.inner
        smooth = self.background + covered * self.diffuse
        counts = poisson_counts(rng, smooth, inner.masked, MASKED_COUNT)
        peaks = superlattice_peaks(self.lattice, row, col, shape=self.shape)
        peaks[:, 4] *= covered
        beam_col, beam_row = inner.beam_center_px
        scatter_photons(
            rng,
            counts,
            inner.masked,
            self.efficiency,
            beam_col,
            beam_row,
            inner.distance_px,
            inner.wavelength_nm,
            peaks,
        )
        return counts


def superlattice_peaks(lattice: BeamLattice, row: int, col: int, *, shape: PeakShape) -> Array:
    """Peaks of one scan point, one for each part of the beam, (n, 5), for full coverage."""
    if shape.form_factor is None:
        return _peaks(_mean_lattice(lattice, row, col), FIRST_ORDER, shape=shape)
    parts = (
        lattice.a1_nm[row, col],
        lattice.a2_nm[row, col],
        lattice.gamma_rad[row, col],
        lattice.psi_rad[row, col],
        lattice.weights[row, col],
    )
    first = _peaks(parts, FIRST_ORDER, shape=shape)
    second = _peaks(parts, SECOND_ORDER, shape=shape)
    return np.concatenate([first, second])


Parts = tuple[Array, Array, Array, Array, Array]


def _mean_lattice(lattice: BeamLattice, row: int, col: int) -> Parts:
    """The footprint-weighted mean lattice as the only part of the beam."""
    weights = lattice.weights[row, col]
    a1, a2, gamma, psi = (
        np.array([np.sum(weights * values[row, col])])
        for values in (lattice.a1_nm, lattice.a2_nm, lattice.gamma_rad, lattice.psi_rad)
    )
    return a1, a2, gamma, psi, np.ones(1)


def reciprocal_vectors(parts: Parts, orders: tuple[tuple[int, int], ...]) -> tuple[Array, Array]:
    """Length in nm^-1 and azimuth in rad of ``h b1 + k b2``, each (orders, parts)."""
    a1, a2, gamma, psi, _ = parts
    b1 = 2.0 * np.pi / (a1 * np.sin(gamma)) * np.exp(1j * (psi + gamma - 0.5 * np.pi))
    b2 = 2.0 * np.pi / (a2 * np.sin(gamma)) * np.exp(1j * (psi + 0.5 * np.pi))
    vectors = np.array([h * b1 + k * b2 for h, k in orders])
    return np.abs(vectors), np.angle(vectors)


def _peaks(parts: Parts, orders: tuple[tuple[int, int], ...], *, shape: PeakShape) -> Array:
    q, phi = reciprocal_vectors(parts, orders)
    first = orders is FIRST_ORDER
    sigma = np.full_like(q, shape.sigma_q_per_nm * (1.0 if first else SECOND_ORDER_BROADENING))
    photons = np.full_like(q, shape.photons * (1.0 if first else SECOND_ORDER_SHARE))
    centre = q
    if shape.form_factor is not None:
        centre, sigma, photons = _under_form_factor(q, sigma, photons, shape.form_factor)
    sigma_q = np.hypot(sigma, RESOLUTION_PER_NM)
    sigma_phi = np.hypot(shape.mosaic_rad, RESOLUTION_PER_NM / q)
    return np.stack([centre, phi, sigma_q, sigma_phi, photons * parts[4]], axis=-1).reshape(-1, 5)


def _under_form_factor(
    q: Array, sigma: Array, photons: Array, form_factor: CubeFormFactor
) -> tuple[Array, Array, Array]:
    """Centre, width and photons of ``P(q')`` times a Gaussian at q, with ln P to second order about q.

    With slope g and curvature h of ln P: ``1/s^2 = 1/sigma^2 - h``, centre ``q + g s^2``, and the integral
    is ``P(q) s / sigma exp(g^2 s^2 / 2)`` times that of the Gaussian.
    """
    slope, curvature = form_factor.log_slope_nm(q), form_factor.log_curvature_nm2(q)
    narrowed = 1.0 / np.sqrt(1.0 / sigma**2 - curvature)
    strength = form_factor.relative(q) * narrowed / sigma * np.exp(0.5 * (slope * narrowed) ** 2)
    strength = strength * np.exp(-((q * POSITION_DISORDER_NM) ** 2))
    return q + slope * narrowed**2, narrowed, photons * strength
