"""Constants and conversions between units: the only powers of ten in the project.

Inside the code a dimensioned number carries its unit as a suffix of its name
(``distance_mm``, ``q_per_nm``, ``modulus_gpa``); where one unit becomes another,
a constant or a function from here does it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

HC_KEV_NM = 1.239841984
"""Planck constant times speed of light in keV nm (CODATA 2018, exact to the digits given)."""

NM_PER_UM = 1e3
UM_PER_NM = 1e-3
UM_PER_MM = 1e3
MM_PER_UM = 1e-3
NM_PER_M = 1e9
UM_PER_M = 1e6
MM_PER_M = 1e3
NM_PER_MM = 1e6
PA_PER_GPA = 1e9
GPA_PER_PA = 1e-9
GPA_PER_KPA = 1e-6
GPA_PER_MPA = 1e-3
NM_PER_ANGSTROM = 0.1
KEV_PER_EV = 1e-3
US_PER_S = 1e6

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian in units of its standard deviation."""

Array = npt.NDArray[np.float64]


def wavelength_nm_from_energy(energy_kev: float) -> float:
    """Photon wavelength in nm: ``lambda = h c / E``."""
    return HC_KEV_NM / energy_kev


def energy_kev_from_wavelength(wavelength_nm: float) -> float:
    """Photon energy in keV: ``E = h c / lambda``."""
    return HC_KEV_NM / wavelength_nm


def q_per_nm_from_two_theta(two_theta_rad: npt.ArrayLike, *, wavelength_nm: float) -> Array:
    """Momentum transfer in nm^-1: ``q = 4 pi / lambda * sin(two_theta / 2)``, any shape."""
    return np.asarray(4.0 * np.pi / wavelength_nm * np.sin(0.5 * np.asarray(two_theta_rad, dtype=np.float64)))


def two_theta_rad_from_q(q_per_nm: npt.ArrayLike, *, wavelength_nm: float) -> Array:
    """Scattering angle in radians, the inverse of :func:`q_per_nm_from_two_theta`, any shape."""
    sine = np.asarray(q_per_nm, dtype=np.float64) * wavelength_nm / (4.0 * np.pi)
    return np.asarray(2.0 * np.arcsin(sine))


def plane_spacing_nm_from_q(q_per_nm: npt.ArrayLike) -> Array:
    """Plane spacing in nm: ``d = 2 pi / q``, any shape."""
    return np.asarray(2.0 * np.pi / np.asarray(q_per_nm, dtype=np.float64))


def plane_spacing_nm_from_k(k_per_nm: npt.ArrayLike) -> Array:
    """Plane spacing in nm of a spatial frequency without 2 pi: ``d = 1 / k``, any shape."""
    return np.asarray(1.0 / np.asarray(k_per_nm, dtype=np.float64))
