"""What a whole scan says of the atomic lattice: averages with their errors, half-integer spots, rocking."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analysis.records import DetectorGeometry, Measured, QuantityMap
from analysis.xray.spot_window import OK
from analysis.xray.wide_angle_lattice import (
    SpotTable,
    curvature_shift_nm,
    ewald_shift_nm,
    geometry_parts_nm,
    lattice_constant,
    mean_of,
)
from analysis.xray.wide_angle_pass import WideAnglePass
from analysis.xray.wide_angle_rocking import rocking_mosaic
from analysis.xray.wide_angle_start import HALF_INTEGER, fit_spots, reflections_on_detector, spots_of

Array = npt.NDArray[np.float64]

HALF_INTEGER_SIGNAL = 6.0


def half_integer_seen(look: WideAnglePass, total: npt.NDArray[np.uint32], frames: int) -> tuple[str, ...]:
    """Half-integer reflections of which a spot stands out in ``total``, the sum of frames with spots."""
    if frames == 0:
        return ()
    names = reflections_on_detector(look.cells, tuple(HALF_INTEGER))
    layers = look.cells.layers.copy()
    layers[1] *= frames
    seen = []
    for name in names:
        spots = spots_of((name,))
        fitted = fit_spots(look.cells, layers, total, spots, look.start, look.start.psi_rad)
        if np.any((fitted[:, 0] == OK) & (fitted[:, 12] > HALF_INTEGER_SIGNAL)):
            seen.append(name)
    return tuple(seen)


def systematics_of(
    look: WideAnglePass, table: SpotTable, maps: Mapping[str, QuantityMap], geometry: DetectorGeometry
) -> dict[str, float]:
    """Systematic errors of a_AL averaged over the scan, nm, by cause: ``a_al.<cause>``.

    ``ewald`` and ``curvature`` have a sign and are not applied; ``background`` bounds what the background
    frames' own counting noise, common to all points, can do.
    """
    values, errors = maps["a_al"].values.ravel(), maps["a_al"].errors
    good = np.isfinite(values)
    if errors is None or not good.any():
        return {}
    a_al = float(np.median(values[good]))
    parts = geometry_parts_nm(table, a_al, geometry)
    shift = ewald_shift_nm(table, values, wavelength_nm=geometry.wavelength_nm)
    parts["ewald"] = float(np.median(shift[good]))
    parts["curvature"] = float(np.median(curvature_shift_nm(table, values)[good]))
    parts["background"] = float(np.median(errors.ravel()[good])) * float(np.sqrt(look.cells.background_share))
    return {f"a_al.{name}": value for name, value in parts.items()}


def quantities_of(
    look: WideAnglePass, table: SpotTable, maps: Mapping[str, QuantityMap], geometry: DetectorGeometry
) -> dict[str, Measured | None]:
    """Averages over all points that have spots, each with error, spread and number."""
    parts = systematics_of(look, table, maps, geometry)
    system = float(np.sqrt(np.sum(np.square(list(parts.values()))))) if parts else None
    values, errors = lattice_constant(table)
    found: dict[str, Measured | None] = {"a_al": mean_of(values, errors, unit="nm", systematic=system)}
    for name, shown in maps.items():
        if shown.errors is not None and name != "a_al":
            found[name] = mean_of(shown.values.ravel(), shown.errors.ravel(), unit=shown.unit)
    found["mosaic_rocking"] = rocking_mosaic(table, wavelength_nm=geometry.wavelength_nm)
    return found
