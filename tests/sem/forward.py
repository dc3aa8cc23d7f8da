"""Micrographs of known arrays, made from particle positions or from phases: the truth of these tests.

Nothing here comes from the code under test. Lengths are in pixels unless a name says otherwise; angles are
counter-clockwise as displayed, rows run down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A lattice: lengths of its two vectors, the angle between them, the direction of the first."""

    a1: float
    a2: float
    gamma_deg: float = 90.0
    psi_deg: float = 7.0

    def vectors(self) -> Array:
        """Rows a1, a2 as (x, y) with y down."""
        angles = radians(self.psi_deg), radians(self.psi_deg + self.gamma_deg)
        return np.array([[a * cos(t), -a * sin(t)] for a, t in zip((self.a1, self.a2), angles, strict=True)])

    @property
    def k(self) -> tuple[float, float]:
        """Lengths of the reciprocal vectors, 1 / (a sin gamma)."""
        sine = sin(radians(self.gamma_deg))
        return 1.0 / (self.a1 * sine), 1.0 / (self.a2 * sine)


def square(a: float, *, psi_deg: float = 7.0) -> Cell:
    return Cell(a1=a, a2=a, gamma_deg=90.0, psi_deg=psi_deg)


def sites(cell: Cell, shape: tuple[int, int], *, offset: tuple[float, float] = (0.3, 0.7)) -> Array:
    """Positions (n, 2) of x, y of all lattice points in and near an image of ``shape``."""
    vectors = cell.vectors()
    border = [(x, y) for x in (-20.0, shape[1] + 20.0) for y in (-20.0, shape[0] + 20.0)]
    indices = np.array(border) @ np.linalg.inv(vectors)
    low, high = np.floor(indices.min(axis=0)), np.ceil(indices.max(axis=0))
    m, n = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1), indexing="ij")
    places = np.stack([m.ravel() + offset[0], n.ravel() + offset[1]], axis=1) @ vectors
    near = (places > -20.0).all(axis=1) & (places < np.array(shape[::-1]) + 20.0).all(axis=1)
    return np.asarray(places[near])


def drawn(places: Array, shape: tuple[int, int], *, radius: float, weight: Array | None = None) -> Array:
    """Sum of Gaussian spots of this radius (1 sigma) at ``places`` (n, 2) of x, y; pixel centres at + 0.5."""
    reach = int(np.ceil(4.0 * radius))
    weight = np.ones(len(places)) if weight is None else weight
    steps = np.arange(-reach, reach + 2)
    cols, rows = (places[:, axis, None].astype(np.int64) + steps for axis in (0, 1))
    along, down = (
        np.exp(-0.5 * ((at + 0.5 - places[:, axis, None]) / radius) ** 2)
        for axis, at in ((0, cols), (1, rows))
    )
    for at, profile, extent in ((cols, along, shape[1]), (rows, down, shape[0])):
        profile[(at < 0) | (at >= extent)] = 0.0
    index = np.clip(rows, 0, shape[0] - 1)[:, :, None] * shape[1] + np.clip(cols, 0, shape[1] - 1)[:, None, :]
    height = weight[:, None, None] * down[:, :, None] * along[:, None, :]
    return np.bincount(index.ravel(), weights=height.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def array_image(
    cell: Cell,
    shape: tuple[int, int],
    *,
    seed: int,
    jitter: float = 0.03,
    missing: float = 0.02,
    noise: float = 12.0,
    radius: float = 0.24,
) -> Grey:
    """An array with displaced (``jitter`` a, 1 sigma) and missing particles, uneven grey and noise.

    ``radius`` is that of the spots in units of the smaller lattice constant.
    """
    rng = np.random.default_rng(seed)
    places = sites(cell, shape, offset=tuple(rng.random(2)))
    a = min(cell.a1, cell.a2)
    places = places + rng.normal(0.0, jitter * a, places.shape)
    weight = rng.normal(1.0, 0.1, len(places)) * (rng.random(len(places)) >= missing)
    return as_grey(drawn(places, shape, radius=radius * a, weight=weight), rng=rng, noise=noise)


def as_grey(signal: Array, *, rng: np.random.Generator, noise: float = 12.0) -> Grey:
    """Eight-bit grey of a signal of about 0 to 1, with a slope of brightness and noise."""
    rows, cols = signal.shape
    slope = np.linspace(-12.0, 12.0, cols)[None, :] + np.linspace(8.0, -8.0, rows)[:, None]
    return np.clip(70.0 + 90.0 * signal + slope + rng.normal(0.0, noise, signal.shape), 0, 255).astype(
        np.uint8
    )


def widening_image(
    shape: tuple[int, int], *, a_left: float, a_right: float, length: float, seed: int, noise: float = 25.0
) -> Grey:
    """A square array whose spacing is exactly ``a_left + (a_right - a_left) |z| / length`` on the middle row.

    With z = x + iy counted from where the law reaches zero, ``ln z / c`` counts cells: locally square of
    spacing c |z| (c = the slope of the law). Grey is a function of the two phases alone.
    """
    slope = (a_right - a_left) / length
    y, x = np.indices(shape) + 0.5
    z = x + a_left / slope + 1j * (0.5 * shape[0] - y)
    cells = np.log(z) / slope * np.exp(-0.1j)
    spots = np.exp(2.0 * (np.cos(2 * np.pi * cells.real) + np.cos(2 * np.pi * cells.imag) - 2.0))
    return as_grey(spots, rng=np.random.default_rng(seed), noise=noise)


def polycrystal_image(
    a: float, shape: tuple[int, int], *, grains: int, seed: int, noise: float = 12.0
) -> Grey:
    """Square arrays of one spacing in grains (nearest of random centres) turned at random."""
    rng = np.random.default_rng(seed)
    centres = rng.random((grains, 2)) * np.array(shape[::-1])
    parts = []
    for number, psi in enumerate(rng.uniform(-45.0, 45.0, grains)):
        places = sites(square(a, psi_deg=float(psi)), shape, offset=tuple(rng.random(2)))
        owner = np.argmin(np.hypot(*(places[:, None, :] - centres[None, :, :]).transpose(2, 0, 1)), axis=1)
        parts.append(places[owner == number])
    return as_grey(drawn(np.concatenate(parts), shape, radius=0.24 * a), rng=rng, noise=noise)
