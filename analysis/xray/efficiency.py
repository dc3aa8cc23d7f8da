"""What share of the scattered photons a pixel counts: the factors that multiply the model, never the counts.

In the order in which a photon meets them: polarization of the beam (at the sample), absorption in the holder
behind it, solid angle of the pixel. Each is relative to the forward direction; the exposure, the monitor and
the direct beam's transmission are one factor for a whole frame and stand apart.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

HORIZONTAL_POLARIZATION = 0.99
"""Share of the horizontal component in a synchrotron's undulator beam, used where nothing else is said."""


def polarization_factor(
    two_theta_rad: Array, phi_rad: Array, *, horizontal: float = HORIZONTAL_POLARIZATION
) -> Array:
    """``P = h (1 - (sin 2theta cos phi)^2) + (1 - h) (1 - (sin 2theta sin phi)^2)``, any shape.

    ``horizontal`` h is the share of the horizontal component, 0 to 1; pyFAI's factor is ``2 h - 1``.
    """
    sine = np.sin(two_theta_rad)
    along, across = (sine * np.cos(phi_rad)) ** 2, (sine * np.sin(phi_rad)) ** 2
    return np.asarray(horizontal * (1.0 - along) + (1.0 - horizontal) * (1.0 - across))


def plate_transmission(cos_two_theta: Array, *, transmission: float) -> Array:
    """``exp(-mu t (1 / cos 2theta - 1))``: a flat plate behind the sample and square to the beam, any shape.

    ``transmission`` is ``exp(-mu t)``, what of the direct beam comes through, above 0 and at most 1. Oblique
    rays go a longer way, ``t / cos 2theta``; those that run along the plate or back do not come through.
    """
    forward = cos_two_theta > 0.0
    longer = 1.0 / np.where(forward, cos_two_theta, 1.0) - 1.0
    return np.where(forward, np.exp(math.log(transmission) * longer), 0.0)


def solid_angle(path_mm: Array, *, distance_mm: float) -> Array:
    """``(L / path)^3``: solid angle of a pixel of a flat detector over that at normal incidence, any shape.

    ``path_mm`` is the way from the sample to the pixel, ``distance_mm`` L the shortest one to the detector's
    plane: two powers for the distance, one for the slant.
    """
    return np.asarray((distance_mm / path_mm) ** 3)
