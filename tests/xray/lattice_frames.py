"""Frames of the SAXS region of an EIGER X 4M drawn from a lattice, apart from everything under test.

Peaks are Gaussians in (q, phi), each integrated over every pixel by Gauss-Legendre points, with an efficiency
(solid angle and polarization), a film's background, a beamstop and a gap; counts are Poisson. Truth is what
is drawn: real-space cells turned into reciprocal ones by inverting a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WAVELENGTH_NM, DISTANCE_MM, PIXEL_MM = 0.0954, 398.0, 0.075
Q_MAX, BEAMSTOP_PX, GAP_PX = 2.0, 5.0, 10
SECOND_ORDERS = ((1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2), (2, -1), (1, -2))
REACH = 6.0


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """A real cell (nm, degrees); for b1 and b2 each: photons a peak, widths (nm^-1, degrees).

    ``falls``: further orders have ``exp(-falls ((q / q_first)^2 - 1))`` of the first orders' photons.
    """

    a1: float = 16.0
    a2: float = 15.0
    gamma: float = 86.0
    psi: float = 7.0
    photons: tuple[float, float] = (300.0, 300.0)
    sigma_q: tuple[float, float] = (0.014, 0.014)
    sigma_phi: tuple[float, float] = (5.0, 5.0)
    falls: float = 9.0

    @property
    def a_sc(self) -> float:
        return 0.5 * (self.a1 + self.a2)

    def reciprocal(self) -> np.ndarray:
        """Rows b1, b2 (x to the right, y up), nm^-1."""
        one, two = np.radians(self.psi), np.radians(self.psi + self.gamma)
        real = np.array(
            [
                [self.a1 * np.cos(one), self.a1 * np.sin(one)],
                [self.a2 * np.cos(two), self.a2 * np.sin(two)],
            ]
        )
        return 2.0 * np.pi * np.linalg.inv(real).T

    def spots(self) -> list[tuple[float, float, float, float, float]]:
        """(q, phi, sigma_q, sigma_phi in rad, photons a peak) of every pair +-(h b1 + k b2)."""
        b = self.reciprocal()
        spots = []
        for h, k in ((1, 0), (0, 1), *SECOND_ORDERS):
            x, y = h * b[0] + k * b[1]
            q, share = float(np.hypot(x, y)), np.array([h * h, k * k]) / (h * h + k * k)
            order = max(0.0, (q / float(np.linalg.norm(b, axis=1).max())) ** 2 - 1.0)
            first = (h, k) in ((1, 0), (0, 1))
            photons = float(share @ self.photons) * (1.0 if first else np.exp(-self.falls * order))
            widths = float(share @ self.sigma_q), float(np.radians(share @ self.sigma_phi))
            spots.append((q, float(np.arctan2(y, x)), *widths, photons))
        return spots


class Detector:
    """Pixels with q < 2 nm^-1 around the beam; ``side`` pixels a side."""

    def __init__(self, side: int = 330, beam: tuple[float, float] = (164.3, 165.2)) -> None:
        self.shape, self.beam = (side, side), beam
        self.step = 2.0 * np.pi / WAVELENGTH_NM * PIXEL_MM / DISTANCE_MM
        row, col = (axis.ravel().astype(float) for axis in np.indices(self.shape))
        q = self.q_phi(col, row)[0]
        order = np.argsort(q, kind="stable")
        self.places = order[(q[order] < Q_MAX) & (q[order] > BEAMSTOP_PX * self.step)]
        self.row, self.col = row[self.places], col[self.places]
        self.q, self.phi = self.q_phi(self.col, self.row)
        nodes, weights = np.polynomial.legendre.leggauss(3)
        self.points = [
            (*self.q_phi(self.col + 0.5 * dx, self.row + 0.5 * dy), 0.25 * wx * wy)
            for dx, wx in zip(nodes, weights, strict=True)
            for dy, wy in zip(nodes, weights, strict=True)
        ]
        two_theta = 2.0 * np.arcsin(self.q * WAVELENGTH_NM / (4.0 * np.pi))
        across, up = (np.sin(two_theta) * turn(self.phi) for turn in (np.cos, np.sin))
        self.efficiency = np.cos(two_theta) ** 3 * (0.99 * (1 - across**2) + 0.01 * (1 - up**2))
        self.film = self.efficiency * (0.03 + 0.25 * np.exp(-self.q / 0.35))

    def q_phi(self, col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """q (nm^-1) and phi (rad, counter-clockwise as displayed) of points in pixels."""
        right, up = (col - self.beam[0]) * PIXEL_MM, (self.beam[1] - row) * PIXEL_MM
        theta = 0.5 * np.arctan(np.hypot(right, up) / DISTANCE_MM)
        return 4.0 * np.pi / WAVELENGTH_NM * np.sin(theta), np.arctan2(up, right)

    def peaks(self, lattice: Lattice) -> np.ndarray:
        """Expected counts of all spots of a lattice, in the order of ``places``."""
        total = np.zeros(self.places.size)
        for q0, phi0, s, p, photons in lattice.spots():
            first, stop = np.searchsorted(self.q, (q0 - REACH * s, q0 + REACH * s))
            near = first + np.flatnonzero(np.abs(_axial(self.phi[first:stop] - phi0)) < REACH * p)
            height = photons * self.step**2 / (2.0 * np.pi * s * p * q0)
            shape = np.zeros(near.size)
            for q, phi, weight in self.points:
                u, v = (q[near] - q0) / s, _axial(phi[near] - phi0) / p
                shape += weight * np.exp(-0.5 * (u * u + v * v))
            total[near] += self.efficiency[near] * height * shape
        return total

    def drawn(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Counts (side, side) of one frame with these expected counts."""
        frame = np.zeros(self.shape, np.uint32)
        frame.ravel()[self.places] = rng.poisson(mean)
        return frame

    def image(self, values: np.ndarray, fill: float = 0.0) -> np.ndarray:
        """Values of ``places`` laid out as (side, side)."""
        full = np.full(self.shape, fill)
        full.ravel()[self.places] = values
        return full

    def gap_over_a_peak(self, lattice: Lattice, rng: np.random.Generator) -> np.ndarray:
        """Which of ``places`` lie in a gap of 10 px, along rows or columns, over one of the four peaks."""
        b = lattice.reciprocal() / self.step
        tips = np.concatenate([b, -b])
        for number in rng.permutation(4):
            axis = int(abs(tips[number, 1]) > abs(tips[number, 0]))
            others = np.delete(tips[:, axis], number)
            if np.all(np.abs(others - tips[number, axis]) > 0.5 * GAP_PX):
                break
        place = self.col - self.beam[0] if axis == 0 else self.beam[1] - self.row
        return np.abs(place - tips[number, axis]) <= 0.5 * GAP_PX


def _axial(angle: np.ndarray) -> np.ndarray:
    return angle - np.pi * np.round(angle / np.pi)


def random_lattice(rng: np.random.Generator, photons: float = 300.0) -> Lattice:
    """A reduced cell: a 6 to 40 nm, 0.7 < a1/a2 < 1.4, gamma 60 to 120, any psi, widths by a factor of 4."""
    while True:
        a1 = float(np.exp(rng.uniform(np.log(6.0), np.log(40.0))))
        a2, gamma = a1 / float(rng.uniform(0.7, 1.4)), float(rng.uniform(60.0, 120.0))
        reduced = abs(np.cos(np.radians(gamma))) <= 0.5 * min(a1, a2) / max(a1, a2)
        if 6.0 <= a2 <= 40.0 and reduced:
            break
    width, spread = (0.008 * 4.0 ** rng.random(2), 2.5 * 4.0 ** rng.random(2))
    return Lattice(
        a1=a1,
        a2=a2,
        gamma=gamma,
        psi=float(rng.uniform(-90.0, 90.0)),
        photons=(photons, photons),
        sigma_q=(float(width[0]), float(width[1])),
        sigma_phi=(float(spread[0]), float(spread[1])),
        falls=float(rng.uniform(0.5, 2.0)),
    )
