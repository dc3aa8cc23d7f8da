"""Scattering of a cube, averaged over orientations and over a normal distribution of its edge.

For an edge L: ``P(q) = V^2 < prod_i sinc^2(q_i L / 2) >`` with V = L^3 and sinc x = sin x / x; for the
population the mean of P over edges. See Guinier and Fournet, Small-Angle Scattering of X-Rays (1955), ch. 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

Array = npt.NDArray[np.float64]

Q_MAX_PER_NM = 3.0


def cube_orientation_average(x: Array) -> Array:
    """Mean over all directions of ``prod sinc^2``, against ``x = q L / 2`` (n,)."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    cos_theta, w_theta = 0.5 * (nodes + 1.0), 0.5 * weights
    azimuth, w_azimuth = 0.25 * np.pi * (nodes + 1.0), 0.5 * weights
    sin_theta = np.sqrt(1.0 - cos_theta**2)[:, None]
    weight = w_theta[:, None] * w_azimuth[None, :]
    axes = (sin_theta * np.cos(azimuth), sin_theta * np.sin(azimuth), cos_theta[:, None])
    return np.array([float(np.sum(weight * _product(value, axes))) for value in x])


def _product(x: float, axes: tuple[Array, Array, Array]) -> Array:
    # numpy's sinc is sin(pi t) / (pi t)
    first, second, third = (np.sinc(x * axis / np.pi) ** 2 for axis in axes)
    return np.asarray(first * second * third)


@dataclass(frozen=True)
class CubeFormFactor:
    """``ln(P(q) / P(0))`` of a population of cubes as a smooth curve for 0 <= q <= 3 nm^-1."""

    curve: CubicSpline

    @classmethod
    def of_population(cls, *, mean_nm: float, std_nm: float) -> CubeFormFactor:
        """Cubes whose edge is normal with this mean and standard deviation."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(11)
        edges = mean_nm + std_nm * nodes
        q = np.linspace(0.0, Q_MAX_PER_NM, 151)
        x = np.linspace(0.0, 0.5 * Q_MAX_PER_NM * float(edges.max()), 401)
        single = CubicSpline(x, cube_orientation_average(x))
        powers = weights * edges**6
        total = sum(power * single(0.5 * q * edge) for power, edge in zip(powers, edges, strict=True))
        return cls(CubicSpline(q, np.log(np.asarray(total) / powers.sum())))

    def relative(self, q_per_nm: Array) -> Array:
        """P(q) / P(0); beyond the table it stays at its last value."""
        return np.asarray(np.exp(self.curve(np.minimum(q_per_nm, Q_MAX_PER_NM))))

    def log_slope_nm(self, q_per_nm: Array) -> Array:
        """d ln P / dq in nm."""
        return np.asarray(self.curve(np.minimum(q_per_nm, Q_MAX_PER_NM), 1))

    def log_curvature_nm2(self, q_per_nm: Array) -> Array:
        """d^2 ln P / dq^2 in nm^2."""
        return np.asarray(self.curve(np.minimum(q_per_nm, Q_MAX_PER_NM), 2))
