"""Mosaic spread from rocking: how spots on opposite sides change as nanocrystals lean from point to point.

A spot's intensity is ``I = B exp(-(theta - L)^2 / (2 s^2))``, L being how far the nanocrystals lean to its
side and s their spread out of the plane. For a pair on opposite sides ``D = ln I+ / I- = 2 theta L / s^2``
and ``S = ln(I+ I-) / 2 = ln B - (theta^2 + L^2) / (2 s^2)``. Brightness B, the structure factor in it, is
the same for two pairs a and b of one reflection, a quarter turn apart, so over the points of a scan

``S_a - S_b = const + s^2 (D_b^2 - D_a^2) / (8 theta^2)``:

the slope is s^2, whatever the thickness. It needs all four spots, and nanocrystals that lean here and there.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from analysis.records import Measured
from analysis.units import two_theta_rad_from_q
from analysis.xray.wide_angle_lattice import SpotTable

Array = npt.NDArray[np.float64]

LEAST_POINTS = 30
LEAST_SIGNIFICANCE = 4.0


def rocking_mosaic(table: SpotTable, *, wavelength_nm: float) -> Measured | None:
    """Mosaic out of the plane in degrees, the size's part ``sigma_q / q`` taken off; None without it.

    The first reflection of which all four spots were found often enough gives it.
    """
    for name in dict.fromkeys(spot.reflection for spot in table.spots):
        found = _of_reflection(table, name, wavelength_nm)
        if found is not None:
            return found
    return None


def _of_reflection(table: SpotTable, name: str, wavelength_nm: float) -> Measured | None:
    members = [k for k, spot in enumerate(table.spots) if spot.reflection == name]
    if len(members) != 4:
        return None
    a_plus, b_plus, a_minus, b_minus = sorted(
        members, key=lambda k: table.spots[k].azimuth_rad % (2.0 * math.pi)
    )
    good = table.ok[:, members].all(axis=1)
    if np.count_nonzero(good) < LEAST_POINTS:
        return None
    log = np.log(table["photons"][good])
    noise = (table["photons_err"][good] / table["photons"][good]) ** 2
    q = float(np.median(table["q_per_nm"][good][:, members]))
    theta = 0.5 * float(two_theta_rad_from_q(q, wavelength_nm=wavelength_nm))
    parts = []
    for plus, minus in ((a_plus, a_minus), (b_plus, b_minus)):
        parts.append(
            (
                log[:, plus] - log[:, minus],
                0.5 * (log[:, plus] + log[:, minus]),
                noise[:, plus] + noise[:, minus],
            )
        )
    (d_a, s_a, v_a), (d_b, s_b, v_b) = parts
    scale = 1.0 / (8.0 * theta**2)
    x = scale * ((d_b**2 - v_b) - (d_a**2 - v_a))
    x_noise = scale**2 * np.mean(4.0 * (d_a**2 * v_a + d_b**2 * v_b) - 2.0 * (v_a**2 + v_b**2))
    square, error = _slope(x, s_a - s_b, max(float(x_noise), 0.0))
    size = (float(np.median(table["sigma_q_per_nm"][good][:, members])) / q) ** 2
    if not square > LEAST_SIGNIFICANCE * error or square <= size:
        return None
    mosaic = math.sqrt(square - size)
    return Measured(
        value=math.degrees(mosaic),
        unit="deg",
        err=math.degrees(0.5 * error / mosaic),
        n=int(np.count_nonzero(good)),
    )


def _slope(x: Array, y: Array, x_noise: float) -> tuple[float, float]:
    """Slope of y against x whose own noise has this variance; its error from the scatter about the line."""
    dx, dy = x - x.mean(), y - y.mean()
    variance = float(np.mean(dx**2)) - x_noise
    if variance <= 0.0:
        return 0.0, math.inf
    slope = float(np.mean(dx * dy)) / variance
    return slope, float(np.std(dx * (dy - slope * dx))) / (variance * math.sqrt(x.size))
