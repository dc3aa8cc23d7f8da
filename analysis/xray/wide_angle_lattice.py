"""From fitted spots to the atomic lattice of each point: a_AL, orientation, mosaic, size of nanocrystals.

Every spot counts singly. A nanocrystal meets the Bragg condition only when it is turned by theta about the
axis across the spot, so spots on both sides come from different nanocrystals and share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import SPOT_COLUMNS, DetectorGeometry, Measured, QuantityMap
from analysis.units import FWHM_PER_SIGMA, two_theta_rad_from_q
from analysis.xray.spot_window import FRAME_MISSING, NO_SIGNAL, OK
from analysis.xray.wide_angle_start import HALF_INTEGER, Spot

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SCHERRER_K = 0.886
"""Full width at half maximum times L over 2 pi of a cube of edge L, cut along its edge: of ``sinc^2``."""

EDGE_REFLECTIONS = ("100", "200")
"""Reflections whose q runs along a cube's edge: only those give its length."""

COLUMN = {name: number for number, name in enumerate(SPOT_COLUMNS)}


@dataclass(frozen=True, kw_only=True)
class SpotTable:
    """Columns of all spots, each (points, n_spots); ``ok`` where a spot carries values."""

    values: Array
    spots: tuple[Spot, ...]

    @property
    def ok(self) -> Mask:
        """Spots that carry values."""
        return np.asarray(self.values[..., 0] == OK)

    @property
    def integer(self) -> Mask:
        """Spots of the cubic lattice, (n_spots,): only those give a_AL."""
        return np.array([spot.reflection not in HALF_INTEGER for spot in self.spots])

    @property
    def order(self) -> Array:
        """``sqrt(h^2 + k^2)`` of each spot, (n_spots,)."""
        return np.array([spot.order for spot in self.spots])

    def __getitem__(self, name: str) -> Array:
        return np.asarray(self.values[..., COLUMN[name]])


def weighted(values: Array, errors: Array, where: Mask) -> tuple[Array, Array]:
    """Mean over spots (points,) with weights 1 / err^2, and its error; NaN without a spot."""
    weight = np.where(where, 1.0 / np.where(where, errors, 1.0) ** 2, 0.0)
    total = weight.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(total > 0.0, np.sum(weight * np.where(where, values, 0.0), axis=1) / total, np.nan)
        return mean, np.where(total > 0.0, 1.0 / np.sqrt(total), np.nan)


def lattice_constant(table: SpotTable) -> tuple[Array, Array]:
    """a_AL in nm and 1 sigma, (points,): ``a = 2 pi sqrt(h^2 + k^2) / q`` of every spot, weighted."""
    use = table.ok & table.integer
    with np.errstate(divide="ignore", invalid="ignore"):
        each = 2.0 * np.pi * table.order / table["q_per_nm"]
        error = each * table["q_err_per_nm"] / table["q_per_nm"]
    return weighted(each, error, use)


def orientation_deg(table: SpotTable) -> tuple[Array, Array]:
    """Where [100] points, in (-45, 45] degrees, and 1 sigma, (points,)."""
    use = table.ok & table.integer
    azimuth = np.rad2deg([spot.azimuth_rad for spot in table.spots])
    each = table["phi_deg"] - azimuth
    reference = _axis_of(each, use)
    near = reference[:, None] + folded_deg(each - reference[:, None])
    mean, error = weighted(near, table["phi_err_deg"], use)
    return folded_deg(mean), error


def _axis_of(angle_deg: Array, use: Mask) -> Array:
    """Any spot's angle of each point, to unwrap the others by."""
    first = np.argmax(use, axis=1)
    return np.asarray(np.where(use.any(axis=1), angle_deg[np.arange(len(use)), first], 0.0))


def folded_deg(angle_deg: Array) -> Array:
    """The same direction of a fourfold axis in (-45, 45] degrees."""
    return np.asarray(45.0 - (45.0 - angle_deg) % 90.0)


def mosaic_deg(table: SpotTable) -> tuple[Array, Array]:
    """Spread of orientations about the beam in degrees (1 sigma of a Gaussian), and its error, (points,).

    ``mosaic^2 = sigma_phi^2 - (sigma_q / q)^2``: the size of the nanocrystals broadens a spot across as it
    does along q. NaN where nothing is left.
    """
    use = table.ok & table.integer
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.rad2deg(table["sigma_q_per_nm"] / table["q_per_nm"])
        square = table["sigma_phi_deg"] ** 2 - size**2
        error = 2.0 * np.hypot(
            table["sigma_phi_deg"] * table["sigma_phi_err_deg"],
            size**2 * table["sigma_q_err_per_nm"] / table["sigma_q_per_nm"],
        )
    mean, mean_error = weighted(square, error, use & (error > 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mosaic = np.sqrt(np.where(mean > 0.0, mean, np.nan))
        return mosaic, 0.5 * mean_error / mosaic


def scherrer_nm(table: SpotTable) -> tuple[Array, Array]:
    """Edge of the nanocrystals in nm and 1 sigma, (points,): ``L = K 2 pi / FWHM_q`` of h00 spots.

    K = 0.886 (cubes); nothing is taken off for resolution, so L is a lower bound.
    """
    use = table.ok & np.array([spot.reflection in EDGE_REFLECTIONS for spot in table.spots])
    width, error = weighted(table["sigma_q_per_nm"], table["sigma_q_err_per_nm"], use)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = SCHERRER_K * 2.0 * np.pi / (FWHM_PER_SIGMA * width)
        return size, size * error / width


def point_status(table: SpotTable) -> npt.NDArray[np.uint8]:
    """Status of each point (points,): ok with one spot of the cubic lattice, otherwise why there is none."""
    status = table.values[..., 0]
    found = np.full(status.shape[0], NO_SIGNAL, dtype=np.uint8)
    if status.shape[1]:
        found[(status == FRAME_MISSING).all(axis=1)] = FRAME_MISSING
    found[(table.ok & table.integer).any(axis=1)] = OK
    return found


def ewald_shift_nm(table: SpotTable, a_al_nm: Array, *, wavelength_nm: float) -> Array:
    """By how much a_AL reads high because the Ewald sphere cuts each spot aslant, nm, (points,).

    Of a spot's photons more come from smaller q, where theta is smaller and more nanocrystals meet the Bragg
    condition: ``dq = -sigma_q^2 theta / sigma^2 dtheta/dq``, with the out-of-plane spread sigma taken as the
    azimuthal one, and nanocrystals that do not lean on the average.
    """
    use = table.ok & table.integer
    q = table["q_per_nm"]
    theta = 0.5 * two_theta_rad_from_q(q, wavelength_nm=wavelength_nm)
    slope = wavelength_nm / (4.0 * np.pi * np.cos(theta))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = table["sigma_q_per_nm"] ** 2 * theta / np.deg2rad(table["sigma_phi_deg"]) ** 2 * slope
        relative, _ = weighted(shift / q, table["q_err_per_nm"] / q, use)
    return np.asarray(a_al_nm * relative)


def curvature_shift_nm(table: SpotTable, a_al_nm: Array) -> Array:
    """By how much a_AL reads low (negative) because a spot is flat and a ring is not, nm, (points,).

    The finite size spreads a reciprocal lattice point by sigma_q in both directions across it too, which
    makes its |q| longer: ``dq = 2 sigma_q^2 / (2 q)``.
    """
    use = table.ok & table.integer
    q = table["q_per_nm"]
    relative, _ = weighted((table["sigma_q_per_nm"] / q) ** 2, table["q_err_per_nm"] / q, use)
    return np.asarray(-a_al_nm * relative)


def geometry_parts_nm(table: SpotTable, a_al_nm: float, geometry: DetectorGeometry) -> dict[str, float]:
    """What errors of distance and pixel size do to a_AL, nm, by cause.

    ``d ln a / d ln L = cos^2 theta cos 2 theta`` averaged over the spots used; the pixel size likewise.
    """
    use = table.ok & table.integer
    q = table["q_per_nm"][use]
    two_theta = two_theta_rad_from_q(q, wavelength_nm=geometry.wavelength_nm)
    weight = (q / table["q_err_per_nm"][use]) ** 2
    lever = float(np.average(np.cos(0.5 * two_theta) ** 2 * np.cos(two_theta), weights=weight))
    parts = {}
    if geometry.distance_err_mm is not None:
        parts["distance"] = a_al_nm * lever * geometry.distance_err_mm / geometry.distance_mm
    if geometry.pixel_size_err_pct is not None:
        parts["pixel_size"] = a_al_nm * lever * geometry.pixel_size_err_pct / 100.0
    return parts


def mean_of(values: Array, errors: Array, *, unit: str, systematic: float | None = None) -> Measured | None:
    """Weighted mean over points with its error, raised where points differ by more than their errors say."""
    good = np.isfinite(values) & np.isfinite(errors) & (errors > 0.0)
    n = int(np.count_nonzero(good))
    if n == 0:
        return None
    weight = 1.0 / errors[good] ** 2
    mean = float(np.average(values[good], weights=weight))
    chi = float(np.sum(weight * (values[good] - mean) ** 2) / max(1, n - 1))
    return Measured(
        value=mean,
        unit=unit,
        err=math.sqrt(max(chi, 1.0) / float(weight.sum())),
        sys=systematic,
        std=float(np.std(values[good])),
        n=n,
    )


def atomic_maps(
    table: SpotTable, *, shape: tuple[int, int], psi_deg: Array, psi_err_deg: Array
) -> dict[str, QuantityMap]:
    """Maps (rows, cols) of everything that is known of the atomic lattice point by point.

    ``psi_deg`` and its error (rows, cols) are the superlattice's; ``atomic_angle`` is [100] minus a1, in
    (-45, 45] degrees.
    """
    a_al, a_err = lattice_constant(table)
    turn, turn_err = orientation_deg(table)
    mosaic, mosaic_err = mosaic_deg(table)
    size, size_err = scherrer_nm(table)
    photons = np.where(table.ok & table.integer, table["photons"], 0.0).sum(axis=1)
    photons = np.where(np.isfinite(a_al), photons, np.nan)
    angle = folded_deg(turn - psi_deg.ravel())
    angle_err = np.hypot(turn_err, psi_err_deg.ravel())
    listed: Sequence[tuple[str, str, Array, Array | None]] = (
        ("a_al", "nm", a_al, a_err),
        ("atomic_orientation", "deg", turn, turn_err),
        ("atomic_angle", "deg", angle, np.where(np.isfinite(angle), angle_err, np.nan)),
        ("mosaic", "deg", mosaic, mosaic_err),
        ("nc_size_scherrer", "nm", size, size_err),
        ("atomic_photons", "counts", photons, None),
    )
    return {
        name: QuantityMap(
            name=name,
            unit=unit,
            values=values.reshape(shape),
            errors=None if errors is None else errors.reshape(shape),
        )
        for name, unit, values, errors in listed
    }
