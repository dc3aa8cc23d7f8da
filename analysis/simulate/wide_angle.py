"""Wide-angle spots: the atomic lattice of the nanocrystals, which stand along the superlattice.

Untilted nanocrystals miss the Bragg condition by theta; their spread of orientations (mosaic) lets a part
of them meet it, more of them on the side to which they lean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.simulate.detector import Detector
from analysis.simulate.lattice import BeamLattice
from analysis.units import two_theta_rad_from_q

Array = npt.NDArray[np.float64]

REFLECTIONS = ((1.0, 0.0, 2600.0), (1.0, 1.0, 1500.0), (2.0, 0.0, 4200.0))
"""h, k, photons of a spot that meets the Bragg condition; all their turns by 90 degrees and mirrors."""

HALF_INTEGER_REFLECTIONS = ((1.5, 0.5, 160.0),)
SPREAD_RAD = float(np.deg2rad(6.0))
AZIMUTH_SPREAD_RAD = float(np.deg2rad(4.5))
SIZE_SIGMA_PER_NM = 0.24
"""Width of a spot along q that follows from the nanocrystals' size."""


def wide_angle_peaks(
    lattice: BeamLattice, row: int, col: int, *, detector: Detector, half_integer: bool
) -> Array:
    """Spots of one scan point, (n, 5) as ``scatter_photons`` takes them, for full coverage.

    A spot's photons fall as ``exp(-(theta - lean)^2 / (2 spread^2))``, ``lean`` being the mean tilt of the
    nanocrystals toward that spot.
    """
    weights = lattice.weights[row, col]
    a_al = float(np.sum(weights * lattice.a_al_nm[row, col]))
    psi = float(np.sum(weights * lattice.psi_rad[row, col]))
    lean = lattice.tilt_rad[row, col]
    hk, photons = _all_reflections(half_integer=half_integer)
    q = 2.0 * np.pi / a_al * np.hypot(hk[:, 0], hk[:, 1])
    phi = np.arctan2(hk[:, 1], hk[:, 0]) + psi
    theta = 0.5 * two_theta_rad_from_q(q, wavelength_nm=detector.wavelength_nm)
    toward = lean[0] * np.cos(phi) + lean[1] * np.sin(phi)
    met = np.exp(-0.5 * ((theta - toward) / SPREAD_RAD) ** 2)
    shape = np.ones_like(q)
    return np.stack([q, phi, SIZE_SIGMA_PER_NM * shape, AZIMUTH_SPREAD_RAD * shape, photons * met], axis=-1)


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
