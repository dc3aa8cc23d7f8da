"""From first-order peaks to the superlattice: ``a_i = 2 pi / (q_i sin gamma)``, angles, labels, errors.

a1 points along psi, a2 along psi + gamma; ``phi(b1) = psi + gamma - 90``, ``phi(b2) = psi + 90`` degrees.
(psi, gamma) and (psi + gamma, 180 - gamma) describe the same lattice: omega = psi + (gamma - 90)/2, taken
mod 180, decides which of the two is named. Peaks are axial: phi and phi + 180 are the same pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

QUANTITIES = ("a1", "a2", "gamma", "psi", "a_sc", "q1", "q2")
"""What :func:`cells_from_peaks` states errors of, in this order; lengths nm, angles degrees, q nm^-1."""

_DELTA = 1e-6


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Lattices of many points, each array (n,): lengths nm, angles degrees, with 1-sigma errors by name."""

    a1_nm: Array
    a2_nm: Array
    gamma_deg: Array
    psi_deg: Array
    a_sc_nm: Array
    q1_per_nm: Array
    q2_per_nm: Array
    errors: dict[str, Array]
    swapped: npt.NDArray[np.bool_]
    reduced: npt.NDArray[np.bool_]


def real_lattice(b1: npt.NDArray[np.complex128], b2: npt.NDArray[np.complex128]) -> tuple[Array, ...]:
    """(a1, a2 in nm, gamma in (0, 180), psi in (-90, 90] degrees) of reciprocal vectors ``q exp(i phi)``.

    b2 or -b2 is taken, whichever makes the pair right-handed; any shape.
    """
    b2 = np.where((np.conj(b1) * b2).imag < 0.0, -b2, b2)
    angle = np.angle(b2 / b1)
    gamma = np.pi - angle
    sine = np.sin(gamma)
    psi = np.angle(b2) - 0.5 * np.pi
    psi = 0.5 * np.pi - (0.5 * np.pi - psi) % np.pi
    return (
        2 * np.pi / (np.abs(b1) * sine),
        2 * np.pi / (np.abs(b2) * sine),
        np.rad2deg(gamma),
        np.rad2deg(psi),
    )


def omega_deg(gamma_deg: Array, psi_deg: Array) -> Array:
    """``psi + (gamma - 90) / 2`` in degrees, any shape."""
    return np.asarray(psi_deg + 0.5 * (gamma_deg - 90.0))


def circular_median_deg(angles_deg: Array, *, period_deg: float) -> float:
    """The angle that is least far from all others (sum of distances), mod the period; NaN without any."""
    angles = angles_deg[np.isfinite(angles_deg)] % period_deg
    if angles.size == 0:
        return float("nan")
    candidates = np.unique(np.round(angles, 6))
    if candidates.size > 400:
        candidates = candidates[:: candidates.size // 400 + 1]
    distances = np.abs(
        (angles[None, :] - candidates[:, None] + 0.5 * period_deg) % period_deg - 0.5 * period_deg
    )
    centre = float(candidates[int(np.argmin(distances.sum(axis=1)))])
    offsets = (angles - centre + 0.5 * period_deg) % period_deg - 0.5 * period_deg
    return float(centre + np.median(offsets))


def reduced_pair(
    b1: npt.NDArray[np.complex128], b2: npt.NDArray[np.complex128]
) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128], npt.NDArray[np.int64]]:
    """The two shortest vectors of the same reciprocal lattices (Lagrange-Gauss), and how they are made.

    A reduced reciprocal basis is the reduced real one: ``|a1 +- a2|`` is then not shorter than a1 and a2.
    ``integers`` (..., 2, 2): new vectors are ``integers @ (b1, b2)``. A tie of a part in a million is left.
    """
    b1, b2 = np.array(b1, dtype=np.complex128), np.array(b2, dtype=np.complex128)
    whole = np.zeros((*b1.shape, 2, 2), dtype=np.int64)
    whole[..., 0, 0] = whole[..., 1, 1] = 1
    for _ in range(8):
        along = (np.conj(b1) * b2).real
        for vector, other, row in ((b2, b1, 1), (b1, b2, 0)):
            share = (np.conj(other) * vector).real / np.abs(other) ** 2
            turns = np.where(np.abs(share) > 0.5 + 1e-6, np.round(share), 0.0)
            vector -= turns * other
            whole[..., row, :] -= turns[..., None].astype(np.int64) * whole[..., 1 - row, :]
        if np.array_equal(along, (np.conj(b1) * b2).real):
            break
    return b1, b2, whole


def cells_from_peaks(
    q_per_nm: Array, phi_rad: Array, covariance: Array, *, omega_centre_deg: float | None = None
) -> Cells:
    """Lattices of n points from their peak pairs, named alike over the whole map.

    ``q_per_nm, phi_rad`` (n, 2); ``covariance`` (n, 4, 4) of (q1, phi1, q2, phi2) in nm^-1 and rad. Labels
    follow the circular median of omega (mod 90) unless ``omega_centre_deg`` is given.
    """
    b = q_per_nm * np.exp(1j * phi_rad)
    first, second, whole = reduced_pair(b[:, 0], b[:, 1])
    changed = np.any(np.abs(whole) != np.eye(2, dtype=np.int64), axis=(1, 2))
    gamma, psi = real_lattice(first, second)[2:]
    omega = omega_deg(gamma, psi)
    centre = circular_median_deg(omega, period_deg=90.0) if omega_centre_deg is None else omega_centre_deg
    # The centre is known mod 90; of the two that are left, the one in (-45, 45] names a1.
    centre = 45.0 - (45.0 - centre) % 90.0 if np.isfinite(centre) else 0.0
    off = (omega - centre + 90.0) % 180.0 - 90.0
    swapped = (off > 45.0) | (off <= -45.0)
    integers = np.where(swapped[:, None, None], whole[:, ::-1, :], whole)
    values = _quantities(q_per_nm, phi_rad, integers)
    jacobian = np.stack(
        [
            _derivative(q_per_nm, phi_rad, integers, number, column)
            for number in range(2)
            for column in range(2)
        ],
        axis=-1,
    )
    # columns arrive as (q1, phi1, q2, phi2)
    variance = np.einsum("nij,njk,nik->ni", jacobian, covariance, jacobian)
    errors = {name: np.sqrt(np.maximum(variance[:, k], 0.0)) for k, name in enumerate(QUANTITIES)}
    psi_named = values[:, 3]
    return Cells(
        a1_nm=values[:, 0],
        a2_nm=values[:, 1],
        gamma_deg=values[:, 2],
        psi_deg=centre + (psi_named - centre + 90.0) % 180.0 - 90.0,
        a_sc_nm=values[:, 4],
        q1_per_nm=values[:, 5],
        q2_per_nm=values[:, 6],
        errors=errors,
        swapped=swapped,
        reduced=changed,
    )


def _quantities(q: Array, phi: Array, integers: npt.NDArray[np.int64]) -> Array:
    b = q * np.exp(1j * phi)
    vectors = np.einsum("nij,nj->ni", integers, b)
    a1, a2, gamma, psi = real_lattice(vectors[:, 0], vectors[:, 1])
    lengths = np.abs(vectors)
    return np.stack([a1, a2, gamma, psi, 0.5 * (a1 + a2), lengths[:, 0], lengths[:, 1]], axis=-1)


def _derivative(q: Array, phi: Array, integers: npt.NDArray[np.int64], number: int, column: int) -> Array:
    """Central difference (n, quantities) in q (column 0, relative steps) or phi (column 1) of one peak."""
    step = np.zeros_like(q)
    step[:, number] = _DELTA * (q[:, number] if column == 0 else 1.0)
    ends = [
        _quantities(q + sign * step, phi, integers)
        if column == 0
        else _quantities(q, phi + sign * step, integers)
        for sign in (1.0, -1.0)
    ]
    difference = ends[0] - ends[1]
    difference[:, 3] = (difference[:, 3] + 90.0) % 180.0 - 90.0
    return difference / (2.0 * step[:, number])[:, None]
