"""Two-dimensional lattices: from peaks of a spectrum to a reduced, labelled basis and its type.

Vectors are (x, y) with y down; angles are counter-clockwise as displayed. Reciprocal vectors b have no 2 pi:
``a_i . b_j = delta_ij``, so |a_i| = 1 / (|b_i| sin gamma).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MIN_SINE = 0.4
"""Two first-order vectors stand at least this sine apart; a reduced basis has 60 to 120 degrees."""

MAX_ORDER = 4
TOLERANCE_PERIODS = 0.6
TOLERANCE_SHARE = 0.012
"""A peak belongs to a lattice point when it is this near: periods per region, and share of |k|."""

MISSING_PENALTY = 1.5
"""Weight of a low point without a peak: more than that of a peak that noise can make."""

MIN_EXPLAINED = 0.45
REDUCTION_ROUNDS = 12
RATIO_WIDTH = 0.03
GAMMA_WIDTH_DEG = 2.0
"""How far |k1|/|k2| and gamma of real arrays stray from their type's ideal (drift, tilt, disorder)."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A labelled lattice: ``b`` (2, 2) rows b1, b2 in the unit given; a1, a2 in its inverse; degrees."""

    b: Array
    a1: float
    a2: float
    gamma_deg: float
    psi_deg: float

    @property
    def a_sc(self) -> float:
        """Mean of a1 and a2."""
        return 0.5 * (self.a1 + self.a2)

    @property
    def delta_k(self) -> float:
        """Mean length of the two first-order vectors."""
        return float(np.hypot(self.b[:, 0], self.b[:, 1]).mean())


def lattice_indices(k: Array, bases: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Nearest integers (..., n, 2) of peaks ``k`` (n, 2) in ``bases`` (..., 2, 2); how far off, (..., n)."""
    indices = np.rint(k @ np.linalg.inv(bases))
    off = k - indices @ bases
    return indices.astype(np.int64), np.hypot(off[..., 0], off[..., 1])


def explained_by(k: Array, bases: Array, *, size: int) -> npt.NDArray[np.bool_]:
    """Which peaks ``k`` (n, 2) of ``size`` px are points of each of the lattices (..., 2, 2): (..., n)."""
    indices, off = lattice_indices(k, bases)
    near = off <= TOLERANCE_PERIODS / size + TOLERANCE_SHARE * np.hypot(k[:, 0], k[:, 1])
    order = np.abs(indices).max(axis=-1)
    return np.asarray(near & (order > 0) & (order <= MAX_ORDER))


def find_lattice(k: Array, ratio: Array, *, size: int, floor: float, k_max: float) -> Array | None:
    """The pair of peaks (2, 2) whose lattice explains most of the others, reduced; None without one.

    A peak weighs ``1 + ln(ratio / floor)``. A lattice is charged for each of its low points within ``k_max``
    that shows no peak, so that the coarsest lattice wins that explains what is there: the strongest peak may
    be a harmonic, and is then explained by a weaker one at lower k. A lattice that explains less than
    MIN_EXPLAINED of all the weight is none.
    """
    pairs = np.array(list(combinations(range(len(k)), 2)), dtype=np.int64).reshape(-1, 2)
    bases = k[pairs]
    area = np.abs(_determinant(bases))
    wide = area >= MIN_SINE * np.hypot(bases[..., 0], bases[..., 1]).prod(axis=1)
    if not wide.any():
        return None
    bases, area = _all_reduced(bases[wide]), area[wide]
    weight = 1.0 + np.log(np.maximum(ratio / floor, 1.0))
    explained = explained_by(k, bases, size=size) @ weight
    # Two lattices with one score differ by less than their tolerance: the coarser reciprocal one.
    score = explained - MISSING_PENALTY * _missing(k, bases, size=size, k_max=k_max) + 1e-6 * area * size
    best = int(np.argmax(score))
    if explained[best] < MIN_EXPLAINED * weight.sum():
        return None
    return np.asarray(bases[best])


def _determinant(bases: Array) -> Array:
    return np.asarray(bases[..., 0, 0] * bases[..., 1, 1] - bases[..., 0, 1] * bases[..., 1, 0])


def _missing(k: Array, bases: Array, *, size: int, k_max: float) -> Array:
    """Number of low points of each lattice (m, 2, 2), +-k once, without a peak among ``k`` (n, 2): (m,)."""
    low = np.array([(1, 0), (0, 1), (1, 1), (1, -1)]) @ bases
    length = np.hypot(low[..., 0], low[..., 1])
    off = np.full(length.shape, np.inf)
    for sign in (1.0, -1.0):
        apart = low[:, :, None, :] - sign * k[None, None, :, :]
        off = np.minimum(off, np.hypot(apart[..., 0], apart[..., 1]).min(axis=2))
    absent = (length <= k_max) & (off > TOLERANCE_PERIODS / size + TOLERANCE_SHARE * length)
    return np.asarray(absent.sum(axis=1))


def _all_reduced(bases: Array) -> Array:
    """Each of the bases (m, 2, 2) Gauss-reduced."""
    u, v = bases[:, 0], bases[:, 1]
    for _ in range(REDUCTION_ROUNDS):
        swap = (np.sum(u * u, axis=1) > np.sum(v * v, axis=1))[:, None]
        u, v = np.where(swap, v, u), np.where(swap, u, v)
        turns = np.rint(np.sum(u * v, axis=1) / np.sum(u * u, axis=1))[:, None]
        v = v - turns * u
    swap = (np.sum(u * u, axis=1) > np.sum(v * v, axis=1))[:, None]
    return np.stack([np.where(swap, v, u), np.where(swap, u, v)], axis=1)


def reduced(basis: Array) -> Array:
    """Gauss-reduced basis (2, 2) of the same lattice: the two shortest independent vectors, shorter first."""
    return np.asarray(_all_reduced(np.asarray(basis, dtype=np.float64)[None])[0])


def labelled(basis: Array) -> Geometry:
    """Name the vectors of a reciprocal basis (2, 2) as the project does.

    a1 points along psi, a2 along psi + gamma with gamma in (0, 180); of the two labels of one lattice the
    one whose omega = psi + (gamma - 90)/2 (mod 180) lies in (-45, 45] degrees names a1.
    """
    real = np.linalg.inv(basis).T
    b = np.array(basis, dtype=np.float64)
    if real[0, 0] * -real[1, 1] + real[0, 1] * real[1, 0] < 0.0:
        real, b = real * np.array([[1.0], [-1.0]]), b * np.array([[1.0], [-1.0]])
    lengths = np.hypot(real[:, 0], real[:, 1])
    angles = np.degrees(np.arctan2(-real[:, 1], real[:, 0]))
    gamma = (angles[1] - angles[0]) % 360.0
    psi = float(angles[0])
    omega = _half_turn(psi + 0.5 * (gamma - 90.0))
    if not -45.0 < omega <= 45.0:
        psi, gamma, lengths, b = float(angles[1]), 180.0 - gamma, lengths[::-1], np.array([b[1], -b[0]])
    return Geometry(
        b=b, a1=float(lengths[0]), a2=float(lengths[1]), gamma_deg=float(gamma), psi_deg=_half_turn(psi)
    )


def _half_turn(angle_deg: float) -> float:
    """The axial angle in (-90, 90] degrees."""
    return float(90.0 - (90.0 - angle_deg) % 180.0)


def lattice_type(ratio: float, gamma_deg: float) -> tuple[str, float]:
    """Most probable type (square, rectangular, oblique, hexagonal) and its probability.

    Evidence of each type for ln(|k1|/|k2|) and gamma with equal prior: an ideal value is spread by a Gaussian
    of the widths above, a free one evenly over what a reduced basis allows.
    """
    log_ratio = abs(np.log(ratio))
    equal = _gaussian(log_ratio, RATIO_WIDTH)
    right = _gaussian(gamma_deg - 90.0, GAMMA_WIDTH_DEG)
    sixty = _gaussian(gamma_deg - 60.0, GAMMA_WIDTH_DEG) + _gaussian(gamma_deg - 120.0, GAMMA_WIDTH_DEG)
    evidence = {
        "square": equal * right,
        "rectangular": 1.0 * right,
        "oblique": 1.0 / 60.0,
        "hexagonal": equal * sixty,
    }
    name = max(evidence, key=lambda key: evidence[key])
    return name, float(evidence[name] / sum(evidence.values()))


def _gaussian(value: float, width: float) -> float:
    return float(np.exp(-0.5 * (value / width) ** 2) / (np.sqrt(2.0 * np.pi) * width))
