"""Nanocrystals of the bottom layer: where they sit, so that the local spacing follows a law exactly.

A spacing that rises linearly along the line from edge to centre is a conformal crystal: with the complex
coordinate z counted from the point where the law would reach zero, ``ln z`` runs over a square lattice, so
the local lattice is square everywhere and its spacing is ``rise / length * |z|``. A constant law is a plain
square lattice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.simulate.presets import LinearLaw

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Monolayer:
    """Sites of the lattice: ``along_nm`` from the edge toward the centre, ``across_nm`` to its left.

    ``angle_rad`` is the local lattice's first direction, counter-clockwise from the line.
    """

    along_nm: Array
    across_nm: Array
    angle_rad: Array


def monolayer(
    law: LinearLaw,
    *,
    length_nm: float,
    along_nm: tuple[float, float],
    across_nm: tuple[float, float],
    rotation_rad: float,
    origin: tuple[float, float],
) -> Monolayer:
    """All sites within a rectangle; ``length_nm`` from edge to centre, ``origin`` (0 ... 1) a shift."""
    turn = np.exp(1j * rotation_rad)
    if law.rise == 0.0:
        corners = np.array([a + 1j * c for a in along_nm for c in across_nm])
        z = _lattice_around(corners, law.edge * turn, origin)
        angle = np.full(z.shape, rotation_rad)
        offset = 0.0
    else:
        offset = law.edge / law.rise * length_nm
        border = np.array([a + offset + 1j * c for a in along_nm for c in np.linspace(*across_nm, 9)])
        z = np.exp(_lattice_around(np.log(border), law.rise / length_nm * turn, origin))
        angle = rotation_rad + np.angle(z)
    along, across = z.real - offset, z.imag
    inside = (
        (along >= along_nm[0]) & (along <= along_nm[1]) & (across >= across_nm[0]) & (across <= across_nm[1])
    )
    return Monolayer(along_nm=along[inside], across_nm=across[inside], angle_rad=angle[inside])


def _lattice_around(
    points: npt.NDArray[np.complex128], vector: complex, origin: tuple[float, float]
) -> npt.NDArray[np.complex128]:
    """Points ``vector * (m + i n)`` of a square lattice that cover the convex hull of ``points``."""
    indices = points / vector
    m = np.arange(np.floor(indices.real.min()) - 1.0, np.ceil(indices.real.max()) + 2.0) + origin[0]
    n = np.arange(np.floor(indices.imag.min()) - 1.0, np.ceil(indices.imag.max()) + 2.0) + origin[1]
    grid = m[:, None] + 1j * n[None, :]
    return np.asarray(vector * grid.ravel())
