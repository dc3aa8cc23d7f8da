"""The superlattice on the scan grid: what the beam sees at every point, before any detector.

Angles are counter-clockwise as displayed; a1 points along psi, a2 along psi + gamma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.simulate.crystal import Rectangle, SmoothVariation
from analysis.simulate.presets import LinearLaw, XrayPreset
from analysis.units import FWHM_PER_SIGMA, UM_PER_NM

Array = npt.NDArray[np.float64]

FOOTPRINT_FWHM_NM = (240.0, 320.0)
"""Full widths of the beam, vertical and horizontal."""

VARIATION_LENGTH_SHARE = 0.3
"""Length over which the lattice varies at random, as a share of the half side."""

NEGLIGIBLE_COVERAGE = 1e-3
"""Below this share of the beam on the crystal no lattice is stated."""

A_AL_VARIATION_NM = 2e-4
ATOMIC_TURN_VARIATION_DEG = 0.8

MARGIN = 1.3
"""A grid of few points spans this many times the crystal's width as displayed."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Grid of scan points (rows, cols) with its step in um, and the crystal on it."""

    shape: tuple[int, int]
    step_um: float
    crystal: Rectangle

    @classmethod
    def of_preset(cls, preset: XrayPreset, *, shape: tuple[int, int]) -> Scan:
        """The preset's own grid, or ``shape`` points over the crystal and a margin around it.

        Positions count from the centre of the first cell.
        """
        step = preset.step_um
        if shape != preset.shape:
            turn = np.radians(preset.rotation_deg)
            across = 2.0 * max(preset.half_sides_um) * (abs(np.cos(turn)) + abs(np.sin(turn)))
            step = round(min(MARGIN * across, step * preset.shape[1]) / shape[1], 3)
        centre = tuple(
            0.5 * (n - 1) * step + offset for n, offset in zip(shape[::-1], preset.offset_um, strict=True)
        )
        crystal = Rectangle(
            centre_um=(centre[0], centre[1]),
            half_sides_um=preset.half_sides_um,
            rotation_deg=preset.rotation_deg,
        )
        return cls(shape=shape, step_um=step, crystal=crystal)

    def positions_um(self) -> tuple[Array, Array]:
        """x and y of every point, (rows, cols)."""
        row, col = np.indices(self.shape, dtype=np.float64)
        return col * self.step_um, row * self.step_um


@dataclass(frozen=True, kw_only=True)
class BeamLattice:
    """Lattices under the beam, each array (rows, cols, parts); ``weights`` sum to 1 where the crystal is hit.

    ``coverage`` (rows, cols) is the share of the beam on the crystal, ``s`` the coordinate of the beam's
    centre (NaN outside), ``brightness`` a slow variation of the scattering power about 1. ``tilt_rad`` (rows,
    cols, 2) is how far the nanocrystals lean to the right and up, ``atomic_psi_rad`` where [100] points.
    """

    a1_nm: Array
    a2_nm: Array
    gamma_rad: Array
    psi_rad: Array
    weights: Array
    coverage: Array
    s: Array
    brightness: Array
    a_al_nm: Array
    tilt_rad: Array
    atomic_psi_rad: Array

    def mean(self, name: str) -> Array:
        """Footprint-weighted mean (rows, cols) of one of the lattice's quantities, NaN off the crystal."""
        mean = np.sum(self.weights * getattr(self, name), axis=-1)
        return np.asarray(np.where(self.coverage >= NEGLIGIBLE_COVERAGE, mean, np.nan))


def spacing_nm(law: LinearLaw, s: Array) -> Array:
    """``a(s) = edge + rise * s``, s held within 0 ... 1."""
    return np.asarray(law.edge + law.rise * np.clip(s, 0.0, 1.0))


def beam_lattice(preset: XrayPreset, scan: Scan, rng: np.random.Generator) -> BeamLattice:
    """Draw the lattice's variations and evaluate it at 5 x 5 parts of the beam around each scan point."""
    crystal = scan.crystal
    x, y = scan.positions_um()
    dx, dy, share = _footprint(np.arange(-2.0, 2.5))
    u, v = crystal.own_axes(x[..., None] + dx, y[..., None] + dy)
    s = crystal.signed_s(u, v)
    length = VARIATION_LENGTH_SHARE * min(crystal.half_sides_um)

    def variation(std: float, at: tuple[Array, Array] = (u, v)) -> Array:
        drawn = SmoothVariation.drawn(rng, std=std, length_um=length, half_sides_um=crystal.half_sides_um)
        return drawn.at(*at)

    law = spacing_nm(preset.spacing_nm, s)
    centre = crystal.own_axes(x, y)
    s_centre = crystal.signed_s(*centre)
    lattice = BeamLattice(
        a1_nm=law + variation(preset.spacing_variation_nm),
        a2_nm=law + variation(preset.spacing_variation_nm),
        gamma_rad=np.deg2rad(90.0 + variation(preset.gamma_variation_deg)),
        psi_rad=np.deg2rad(preset.rotation_deg + variation(preset.psi_variation_deg)),
        weights=_weights_on_crystal(s, share),
        coverage=coverage(scan),
        s=np.where(s_centre >= 0.0, s_centre, np.nan),
        brightness=1.0 + variation(0.08, centre),
        a_al_nm=preset.a_al_nm + variation(A_AL_VARIATION_NM),
        tilt_rad=np.deg2rad(np.stack([variation(1.5, centre), variation(1.5, centre)], axis=-1)),
        atomic_psi_rad=np.empty(0),
    )
    # Drawn last, so that everything before it stays what a seed has always given.
    turn = np.deg2rad(preset.atomic_turn_deg + variation(ATOMIC_TURN_VARIATION_DEG))
    return replace(lattice, atomic_psi_rad=lattice.psi_rad + turn)


def coverage(scan: Scan) -> Array:
    """Share of the beam's Gaussian footprint on the crystal at every scan point, (rows, cols)."""
    dx, dy, share = _footprint(np.linspace(-3.5, 3.5, 42))
    x, y = scan.positions_um()
    result = np.zeros(scan.shape)
    for row in range(scan.shape[0]):
        u, v = scan.crystal.own_axes(x[row, :, None] + dx, y[row, :, None] + dy)
        result[row] = np.sum(share * (scan.crystal.signed_s(u, v) >= 0.0), axis=-1)
    return result


def _footprint(at_sigma: Array) -> tuple[Array, Array, Array]:
    """Offsets x, y in um of parts of the beam and the share of it in each (n,), on a square rule."""
    sigma_y, sigma_x = (width / FWHM_PER_SIGMA * UM_PER_NM for width in FOOTPRINT_FWHM_NM)
    gy, gx = np.meshgrid(at_sigma, at_sigma, indexing="ij")
    share = np.exp(-0.5 * (gx**2 + gy**2))
    return (gx * sigma_x).ravel(), (gy * sigma_y).ravel(), (share / share.sum()).ravel()


def _weights_on_crystal(s: Array, share: Array) -> Array:
    """Weights of the parts on the crystal, summing to 1; where none is, the part nearest to it has all."""
    weights = share * (s >= 0.0)
    nearest = np.zeros_like(s)
    np.put_along_axis(nearest, np.argmax(s, axis=-1)[..., None], 1.0, axis=-1)
    weights = np.where(weights.sum(axis=-1, keepdims=True) > 0.0, weights, nearest)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
