"""From the rows of all frames to maps, profiles and averages of one scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter

from analysis.records import XRAY_STATUS, Bytes, DetectorGeometry, Polar, QuantityMap
from analysis.xray.form_factor import spacing_shift_nm
from analysis.xray.frame_kernels import (
    COUNTED,
    COVARIANCE,
    DEVIANCE,
    EXPECTED_DEVIANCE,
    INTENSITY,
    OK,
    PARAMETERS,
    PHOTONS,
    STATUS,
    WIDTH_ERRORS,
)
from analysis.xray.gather_kernels import N_FAMILY
from analysis.xray.lattice import Cells, cells_from_peaks
from analysis.xray.rebin import mean_in_bins, polar_bins
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]

PARTIAL_BEAM = XRAY_STATUS.index("partial_beam")
PARTIAL_SHARE = 0.15
"""Fewer photons than this share of the best of eight neighbours: only the beam's tail meets the crystal."""

POLAR_PHI_BINS = 180

FIT_NAMES = tuple(
    f"{name}{k}{unit}"
    for k in (1, 2)
    for name, unit in (
        ("q", "_per_nm"),
        ("phi", "_deg"),
        ("sigma_q", "_per_nm"),
        ("sigma_phi", "_deg"),
        ("amplitude", ""),
        ("offset", ""),
    )
)
"""Columns of ``fit_parameters``: the fit as it is drawn on pixels. Widths are those of the pixelated peak,
amplitude and offset counts per pixel at full efficiency, without the scaled background."""


@dataclass(frozen=True, kw_only=True)
class PointMaps:
    """Maps (rows, cols) of everything that was measured point by point."""

    maps: dict[str, QuantityMap]
    status: Bytes
    fit_parameters: npt.NDArray[np.float32]
    radial: npt.NDArray[np.float32]
    radial_err: npt.NDArray[np.float32]


def marked_partial(status: npt.NDArray[np.int64], photons: Array) -> npt.NDArray[np.int64]:
    """Status (rows, cols) in which points that only the beam's tail reaches are ``partial_beam``."""
    ok = status == OK
    best = maximum_filter(np.where(ok, photons, 0.0), size=3, mode="constant")
    return np.where(ok & (photons < PARTIAL_SHARE * best), PARTIAL_BEAM, status)


def point_maps(
    rows: Array,
    rings: Array,
    setup: ScanSetup,
    *,
    shape: tuple[int, int],
    nanocrystal_size_nm: tuple[float, float] | None,
    exposures: Array | None = None,
) -> PointMaps:
    """Maps from ``rows`` (points, ROW_LENGTH) and ``rings`` (points, n_q), both in scan order.

    Intensities are those at an exposure of 1; ``exposures`` (points,) are relative, None: all are alike.
    """
    status = marked_partial(rows[:, STATUS].astype(np.int64).reshape(shape), rows[:, PHOTONS].reshape(shape))
    carries = np.isin(status, (OK, PARTIAL_BEAM)).ravel()
    cells, own_width, width_err = _cells(rows[carries], setup)
    size, spread = nanocrystal_size_nm or (np.nan, np.nan)
    good, errors = rows[carries], cells.errors
    fitted: tuple[tuple[str, str, Array, Array | None], ...] = (
        ("a1", "nm", cells.a1_nm, errors["a1"]),
        ("a2", "nm", cells.a2_nm, errors["a2"]),
        ("gamma", "deg", cells.gamma_deg, errors["gamma"]),
        ("psi", "deg", cells.psi_deg, errors["psi"]),
        ("a_sc", "nm", cells.a_sc_nm, errors["a_sc"]),
        ("a_sc_shift", "nm", _shift(cells, own_width, size_nm=size, spread_nm=spread), None),
        ("q1", "nm^-1", cells.q1_per_nm, errors["q1"]),
        ("q2", "nm^-1", cells.q2_per_nm, errors["q2"]),
        ("sigma_q", "nm^-1", own_width.mean(axis=1), width_err),
        ("photons", "counts", good[:, PHOTONS], None),
        ("goodness", "", good[:, DEVIANCE] / good[:, EXPECTED_DEVIANCE], None),
    )
    nothing = np.full(shape, np.nan)
    maps = (
        _intensity_map(rows, setup, shape, np.ones(len(rows)) if exposures is None else exposures),
        *(_on_grid(name, unit, values, errors_, carries, shape) for name, unit, values, errors_ in fitted),
        QuantityMap(name="a_al", unit="nm", values=nothing, errors=nothing.copy()),
    )
    radial, radial_err = radial_profiles(rings, setup, exposures)
    return PointMaps(
        maps={each.name: each for each in maps},
        status=status.astype(np.uint8),
        fit_parameters=_fit_parameters(rows, carries, cells.swapped).reshape(*shape, -1),
        radial=radial.astype(np.float32).reshape(*shape, -1),
        radial_err=radial_err.astype(np.float32).reshape(*shape, -1),
    )


def _intensity_map(rows: Array, setup: ScanSetup, shape: tuple[int, int], exposures: Array) -> QuantityMap:
    """Counts above the scaled background of every frame that was seen."""
    seen = np.isfinite(rows[:, INTENSITY])
    exposure = exposures[seen]
    variance = rows[seen, COUNTED] / exposure**2 + setup.background_share * float(setup.expected.sum())
    return _on_grid("intensity", "counts", rows[seen, INTENSITY] / exposure, np.sqrt(variance), seen, shape)


def _on_grid(
    name: str,
    unit: str,
    values: Array,
    errors: Array | None,
    where: npt.NDArray[np.bool_],
    shape: tuple[int, int],
) -> QuantityMap:
    """A map of ``shape`` from values at the points that ``where`` (points,) marks, NaN elsewhere."""

    def spread_out(given: Array) -> Array:
        full = np.full(where.size, np.nan)
        full[where] = given
        return full.reshape(shape)

    return QuantityMap(
        name=name,
        unit=unit,
        values=spread_out(values),
        errors=None if errors is None else spread_out(errors),
    )


def _cells(good: Array, setup: ScanSetup) -> tuple[Cells, Array, Array]:
    """Lattices of points that carry values, widths (n, 2) without the pixel's part, error of their mean."""
    parameters = good[:, PARAMETERS : PARAMETERS + 2 * N_FAMILY]
    covariance = good[:, COVARIANCE : COVARIANCE + 16].reshape(-1, 4, 4)
    cells = cells_from_peaks(parameters[:, (0, N_FAMILY)], parameters[:, (1, N_FAMILY + 1)], covariance)
    seen = np.exp(parameters[:, (2, N_FAMILY + 2)])
    own = np.sqrt(np.maximum(seen**2 - setup.place[2] ** 2 / 12.0, 0.0))
    relative = good[:, (WIDTH_ERRORS, WIDTH_ERRORS + 2)]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(own > 0.0, seen**2 * relative / own, np.nan)
    return cells, own, 0.5 * np.hypot(each[:, 0], each[:, 1])


def _shift(cells: Cells, own_width: Array, *, size_nm: float, spread_nm: float) -> Array:
    """By how much <a_SC> reads high because of the form factor, nm; NaN without a size of nanocrystals."""
    if not np.isfinite(size_nm):
        return np.full(cells.a1_nm.shape, np.nan)
    # The widths stand in the order of the fit's families, a1 and a2 in that of the labels.
    width = np.where(cells.swapped[:, None], own_width[:, ::-1], own_width)
    each = [
        spacing_shift_nm(a, q, width[:, k], size_nm=size_nm, spread_nm=spread_nm)
        for k, (a, q) in enumerate(((cells.a1_nm, cells.q1_per_nm), (cells.a2_nm, cells.q2_per_nm)))
    ]
    return 0.5 * (each[0] + each[1])


def _fit_parameters(
    rows: Array, carries: npt.NDArray[np.bool_], swapped: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    parameters = rows[carries, PARAMETERS : PARAMETERS + 2 * N_FAMILY].reshape(-1, 2, N_FAMILY)
    parameters = np.where(swapped[:, None, None], parameters[:, ::-1], parameters)
    shown = np.empty_like(parameters)
    shown[..., 0] = parameters[..., 0]
    shown[..., 1] = np.rad2deg(0.5 * np.pi - (0.5 * np.pi - parameters[..., 1]) % np.pi)
    shown[..., 2] = np.exp(parameters[..., 2])
    shown[..., 3] = np.rad2deg(np.exp(parameters[..., 3]))
    shown[..., 4] = np.exp(parameters[..., 4])
    shown[..., 5] = parameters[..., 5]
    full = np.full((rows.shape[0], 2 * N_FAMILY), np.nan, dtype=np.float32)
    full[carries] = shown.reshape(-1, 2 * N_FAMILY)
    return full


def radial_profiles(rings: Array, setup: ScanSetup, exposures: Array | None = None) -> tuple[Array, Array]:
    """Background-subtracted counts per pixel of each ring, (points, n_q), and 1 sigma; NaN where none counts.

    ``I = (sum n / m - sum B) / sum e``: the efficiency is in the denominator, counts are not weighted. The
    relative ``exposures`` m (points,) are 1 where none are given.
    """
    weight = setup.weight.sum(axis=1)
    background = setup.expected.sum(axis=1)
    each = np.ones((len(rings), 1)) if exposures is None else exposures[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(weight > 0.0, (rings / each - background) / weight, np.nan)
        spread = np.sqrt(rings / each**2 + setup.background_share * background) / weight
    return value, np.where(weight > 0.0, spread, np.nan)


def average_pattern(total: npt.NDArray[np.uint64], frames: float, setup: ScanSetup) -> Array:
    """Mean counts a frame (h, w), background subtracted; NaN where a pixel does not count.

    ``frames`` is how many were added up, or the sum of their relative exposures.
    """
    if frames == 0:
        return np.full(setup.shape, np.nan)
    return np.asarray(np.where(setup.usable, total / frames - setup.background, np.nan))


def polar_average(pattern: Array, setup: ScanSetup) -> Polar:
    """I(q, phi) of an averaged pattern (h, w): counts per pixel at full efficiency, rings of one pixel."""
    bins = polar_bins(
        setup,
        setup.usable & np.isfinite(pattern),
        q_range_per_nm=(0.0, float(setup.q_edges_per_nm[-1])),
        n_q=setup.q_edges_per_nm.size - 1,
        n_phi=POLAR_PHI_BINS,
    )
    return Polar(q_per_nm=bins.q_per_nm, phi_deg=bins.phi_deg, intensity=mean_in_bins(pattern, bins))


def systematic_errors(geometry: DetectorGeometry, maps: dict[str, QuantityMap]) -> dict[str, float]:
    """Error common to all points of a1, a2, a_sc in nm, from the distance and the pixel size; none: empty.

    ``delta a / a`` is ``delta L / L`` and ``delta p / p`` in quadrature.
    """
    parts = []
    if geometry.distance_err_mm is not None:
        parts.append(geometry.distance_err_mm / geometry.distance_mm)
    if geometry.pixel_size_err_pct is not None:
        parts.append(geometry.pixel_size_err_pct / 100.0)
    if not parts:
        return {}
    relative = float(np.sqrt(np.sum(np.square(parts))))
    return {
        name: relative * float(np.median(maps[name].values[np.isfinite(maps[name].values)]))
        for name in ("a1", "a2", "a_sc")
        if np.isfinite(maps[name].values).any()
    }
