"""From the bases that a sliding fit found to maps: lengths, angles and order, each with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import QuantityMap
from analysis.sem.region import Scale
from analysis.sem.sliding import Raster, SlidingFit
from analysis.sem.spectrum import HANN_STD

Array = npt.NDArray[np.float64]

HEXAGONAL_RATIO, HEXAGONAL_DEG = 0.06, 4.0
STEP = 1e-5
"""Relative step of the derivatives that carry an uncertainty from a basis to a length or an angle."""


@dataclass(frozen=True, kw_only=True)
class Lattices:
    """Vectorised geometry (rows, cols): lengths in px, degrees; of the two labels the one near the median."""

    a1: Array
    a2: Array
    gamma_deg: Array
    psi_deg: Array


def labelled_map(b: Array) -> Lattices:
    """Named lattices of reciprocal bases (rows, cols, 2, 2), labels alike over the map.

    omega = psi + (gamma - 90)/2 (mod 90) has a circular median; each region takes the label nearest to it, so
    that a crystal near 45 degrees does not flip from region to region.
    """
    real = _inverse(b).swapaxes(-1, -2)
    turned = real[..., 0, 0] * -real[..., 1, 1] + real[..., 0, 1] * real[..., 1, 0] < 0.0
    real = np.where(turned[..., None, None], real * np.array([[1.0], [-1.0]]), real)
    lengths = np.hypot(real[..., 0], real[..., 1])
    angles = np.degrees(np.arctan2(-real[..., 1], real[..., 0]))
    gamma = (angles[..., 1] - angles[..., 0]) % 360.0
    omega = angles[..., 0] + 0.5 * (gamma - 90.0)
    seen = omega[np.isfinite(omega)]
    middle = _circular_median(seen, 90.0) if seen.size else 0.0
    middle = (middle + 45.0) % 90.0 - 45.0
    swapped = np.abs((omega - middle + 90.0) % 180.0 - 90.0) > 45.0
    psi = np.where(swapped, angles[..., 1], angles[..., 0])
    gamma = np.where(swapped, 180.0 - gamma, gamma)
    psi, gamma = _hexagonal_alike(psi, gamma, lengths)
    return Lattices(
        a1=np.where(swapped, lengths[..., 1], lengths[..., 0]),
        a2=np.where(swapped, lengths[..., 0], lengths[..., 1]),
        gamma_deg=gamma,
        psi_deg=90.0 - (90.0 - psi) % 180.0,
    )


def _hexagonal_alike(psi: Array, gamma: Array, lengths: Array) -> tuple[Array, Array]:
    """psi and gamma with hexagonal regions described alike: gamma near 60, psi nearest to the median mod 60.

    Any two of the three shortest vectors describe them equally well.
    """
    acute = np.minimum(gamma, 180.0 - gamma)
    alike = np.abs(lengths[..., 0] / lengths[..., 1] - 1.0) < HEXAGONAL_RATIO
    hexagonal = alike & (np.abs(acute - 60.0) < HEXAGONAL_DEG)
    if not hexagonal.any():
        return psi, gamma
    middle = _circular_median(psi[hexagonal], 60.0)
    turned = middle + (psi - middle + 30.0) % 60.0 - 30.0
    return np.where(hexagonal, turned, psi), np.where(hexagonal, acute, gamma)


def _inverse(b: Array) -> Array:
    """Inverses of (..., 2, 2); NaN stays NaN."""
    determinant = b[..., 0, 0] * b[..., 1, 1] - b[..., 0, 1] * b[..., 1, 0]
    out = np.empty_like(b)
    out[..., 0, 0], out[..., 1, 1] = b[..., 1, 1], b[..., 0, 0]
    out[..., 0, 1], out[..., 1, 0] = -b[..., 0, 1], -b[..., 1, 0]
    return np.asarray(out / determinant[..., None, None])


def _circular_median(angles_deg: Array, turn_deg: float) -> float:
    """The angle from which the others (n,) are least far away in sum, among a fine set, mod ``turn_deg``."""
    candidates = np.arange(0.0, turn_deg, 0.5)
    sample = angles_deg[:: max(1, angles_deg.size // 2000)]
    off = (sample[:, None] - candidates[None, :] + 0.5 * turn_deg) % turn_deg - 0.5 * turn_deg
    return float(candidates[np.abs(off).sum(axis=0).argmin()])


def delta_k_map(b: Array) -> Array:
    """Mean length of the two vectors, (rows, cols)."""
    return np.asarray(np.hypot(b[..., 0], b[..., 1]).mean(axis=-1))


def a_sc_map(b: Array) -> Array:
    """Mean of a1 and a2, (rows, cols)."""
    real = _inverse(b)
    return np.asarray(np.hypot(real[..., 0, :], real[..., 1, :]).mean(axis=-1))


def _gamma_map(b: Array) -> Array:
    real = _inverse(b).swapaxes(-1, -2)
    cosine = (real[..., 0, :] * real[..., 1, :]).sum(axis=-1) / np.hypot(real[..., 0], real[..., 1]).prod(
        axis=-1
    )
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _psi_map(b: Array) -> Array:
    real = _inverse(b).swapaxes(-1, -2)
    return np.asarray(np.degrees(np.arctan2(-real[..., 0, 1], real[..., 0, 0])))


def propagated_map(quantity: Callable[[Array], Array], fit: SlidingFit) -> Array:
    """1 sigma (rows, cols) of a length or angle (mod 180 degrees) of the bases, from their covariance."""
    step = STEP * np.hypot(fit.b[..., 0], fit.b[..., 1]).min(axis=-1)
    variance = np.zeros(fit.order.shape)
    for axis in range(2):
        gradient = []
        for vector in range(2):
            moved = np.zeros((2, 2))
            moved[vector, axis] = 1.0
            shift = step[..., None, None] * moved
            difference = quantity(fit.b + shift) - quantity(fit.b - shift)
            gradient.append(((difference + 90.0) % 180.0 - 90.0) / (2.0 * step))
        for one in range(2):
            for two in range(2):
                variance += gradient[one] * gradient[two] * fit.covariance[..., one, two]
    return np.asarray(np.sqrt(variance))


def sliding_maps(fit: SlidingFit, *, scale: Scale) -> dict[str, QuantityMap]:
    """Maps of a_sc, spacing, gamma, psi and order, with 1-sigma errors where they have one.

    Where a region is a ring only its plane spacing is known. The error of a length has the part that an even
    gradient makes in second order, (HANN_STD g)^2 of it for a relative change g across a region.
    """
    pixel = scale.pixel_nm
    surface = np.eye(2) if scale.tilt is None else scale.tilt.shrink

    def err(quantity: Callable[[Array], Array]) -> Array:
        return propagated_map(lambda b: quantity(b @ surface), fit)

    b = fit.b @ surface
    delta_k, a_sc = delta_k_map(b), a_sc_map(b)
    bend = _bend(a_sc, fit.raster)
    spacing, spacing_err = 1.0 / delta_k, err(delta_k_map) / delta_k
    ring = np.isfinite(fit.ring_k)
    spacing = np.where(ring, 1.0 / fit.ring_k, spacing)
    spacing_err = np.where(ring, fit.ring_err / fit.ring_k, np.hypot(spacing_err, bend)) * spacing
    named = labelled_map(b)
    made = (
        ("a_sc", "nm", a_sc * pixel, np.hypot(err(a_sc_map), bend * a_sc) * pixel),
        ("spacing", "nm", spacing * pixel, spacing_err * pixel),
        ("gamma", "deg", named.gamma_deg, err(_gamma_map)),
        ("psi", "deg", named.psi_deg, err(_psi_map)),
        ("order", "", fit.order, None),
    )
    return {
        name: QuantityMap(name=name, unit=unit, values=values, errors=errors)
        for name, unit, values, errors in made
    }


def _bend(a_sc: Array, raster: Raster) -> Array:
    """(HANN_STD g)^2 with g the relative change of a_sc across a region, from neighbours; 0 where unknown."""
    slopes = []
    for axis, at in enumerate((raster.rows, raster.cols)):
        if at.size < 3:
            slopes.append(np.zeros(a_sc.shape))
            continue
        per_region = raster.size_px / float(at[1] - at[0])
        slopes.append(np.nan_to_num(np.gradient(a_sc, axis=axis)) * per_region)
    relative = np.hypot(*slopes) / np.where(np.isfinite(a_sc), a_sc, 1.0)
    return np.asarray((HANN_STD * np.minimum(relative, 1.0)) ** 2)
