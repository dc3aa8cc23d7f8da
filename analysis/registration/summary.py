"""The numbers of a sample: what a line of its table holds, each with error, systematic, spread and n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.records import AfmReduction, Array, Measured, XrayReduction
from analysis.registration.bootstrap import bootstrap_errors
from analysis.registration.gradient import Gradient, gradient
from analysis.registration.profiles import (
    CENTRE,
    EDGE,
    Bins,
    bin_edges,
    bin_numbers,
    residual_field,
    unwrapped,
)
from analysis.registration.sampled import sampled_field, sampled_scan

Numbers = dict[str, Measured | None]

XRAY_NAMES = (
    "a_sc_edge",
    "a_sc_centre",
    "a_sc_change",
    "a_sc_gradient_per_um",
    "a_sc_gradient_per_s",
    "a_sc_gradient_per_s_robust",
    "gamma",
    "psi",
)
ATOMIC_NAMES = ("atomic_orientation", "atomic_angle", "mosaic", "mosaic_rocking", "nc_size_scherrer")
"""Beside a_al, where wide angles were measured."""

AFM_NAMES = (
    "modulus",
    "modulus_median",
    "modulus_mad",
    "height",
    "modulus_gradient_per_s",
    "modulus_gradient_per_s_robust",
)


def summary_of(scans: Sequence[XrayReduction], fields: Sequence[AfmReduction]) -> Numbers:
    """Numbers of a sample, None where they could not be had.

    Several scans or fields count alike: the mean of their numbers, each from its own crystal first.
    """
    xray = [_scan_numbers(scan) for scan in scans]
    afm = [_field_numbers(field) for field in fields]
    numbers: Numbers = {name: _together([one.get(name) for one in xray]) for name in XRAY_NAMES}
    wide = [scan.wide_angle.quantities for scan in scans if scan.wide_angle is not None]
    numbers["a_al"] = _together([one.get("a_al") for one in wide])
    for name in ATOMIC_NAMES if wide else ():
        numbers[name] = _together([one.get(name) for one in wide])
    return numbers | {name: _together([one.get(name) for one in afm]) for name in AFM_NAMES}


def _together(found: Sequence[Measured | None]) -> Measured | None:
    """The mean of numbers from several crystals; its error from theirs, or from how they differ if larger."""
    known = [one for one in found if one is not None and np.isfinite(one.value)]
    if len(known) < 2:
        return known[0] if known else None
    values = np.array([one.value for one in known])
    k = len(known)
    stated = float(np.sqrt(sum((one.err or 0.0) ** 2 for one in known))) / k
    systematic = [one.sys for one in known if one.sys is not None]
    return Measured(
        value=float(values.mean()),
        unit=known[0].unit,
        err=max(stated, float(values.std(ddof=1)) / np.sqrt(k)),
        sys=max(systematic, key=abs) if systematic else None,
        std=float(values.std()),
        n=sum(one.n or 0 for one in known),
    )


# --- X-ray ----------------------------------------------------------------------------------------------


def _scan_numbers(scan: XrayReduction) -> Numbers:
    if scan.coordinate is None:
        return {}
    s = scan.coordinate.s["rectangle"]
    numbers = _edge_and_centre(scan, s)
    values, errors = sampled_scan(scan, "a_sc").values, scan.maps["a_sc"].errors
    per_um = gradient(
        values,
        np.where(np.isfinite(s), scan.coordinate.depth_um, np.nan),
        errors=errors,
        lowest=EDGE[0] * min(scan.outline.half_sides_um) if scan.outline is not None else 0.0,
    )
    per_s = gradient(values, s, errors=errors, lowest=EDGE[0])
    relative = _relative_systematic(scan)
    numbers["a_sc_gradient_per_um"] = _slope(per_um, "nm/um", relative)
    numbers["a_sc_gradient_per_s"] = _slope(per_s, "nm", relative)
    numbers["a_sc_gradient_per_s_robust"] = _slope(per_s, "nm", relative, robust=True)
    numbers["gamma"] = _mean_over_crystal(scan, "gamma", s)
    numbers["psi"] = _mean_over_crystal(scan, "psi", s)
    return numbers


def _edge_and_centre(scan: XrayReduction, s: Array) -> Numbers:
    """Means of <a_SC> near the edge and at the centre, and their difference, errors by block bootstrap."""
    sampled = sampled_scan(scan, "a_sc")
    values = sampled.values
    edges = bin_edges(s, "rectangle")
    number = bin_numbers(values, s, edges)
    field, scale = residual_field(values, s, number)
    zones = [(number >= 0) & (s > low) & (s <= high) for low, high in (EDGE, CENTRE)]
    weights = [np.where(zone, scale / max(1, int(zone.sum())), 0.0) for zone in zones]
    errors = bootstrap_errors(field, np.array([*weights, weights[1] - weights[0]]))
    relative = _relative_systematic(scan)
    means = []
    for zone, error in zip(zones, errors, strict=False):
        n = int(zone.sum())
        means.append(
            _measured(float(values[zone].mean()), sampled.unit, error, relative, float(values[zone].std()), n)
            if n
            else None
        )
    edge, centre = means
    change = None
    if edge is not None and centre is not None:
        change = _measured(centre.value - edge.value, sampled.unit, errors[2], relative, None, None)
    return {"a_sc_edge": edge, "a_sc_centre": centre, "a_sc_change": change}


def _mean_over_crystal(scan: XrayReduction, quantity: str, s: Array) -> Measured | None:
    """Mean and spread over the crystal's points, axial for an axis; its error by block bootstrap."""
    sampled = sampled_scan(scan, quantity)
    values, centre = unwrapped(sampled)
    number = bin_numbers(values, s, bin_edges(s, "rectangle"))
    counted = number >= 0
    n = int(counted.sum())
    if n == 0:
        return None
    kept = values[counted]
    error = _error_of_mean(values, s, number)
    return _measured(float(kept.mean()) + centre, sampled.unit, error, None, float(kept.std()), n)


def _error_of_mean(values: Array, s: Array, number: Bins) -> float:
    """Standard error of the mean over all bins, by block bootstrap of what is left beside the trend."""
    counted = number >= 0
    field, scale = residual_field(values, s, number)
    return float(bootstrap_errors(field, np.where(counted, scale / counted.sum(), 0.0)[None])[0])


def _relative_systematic(scan: XrayReduction) -> float | None:
    """Relative systematic error of lattice parameters: the stated one is that of the map's median."""
    values = scan.maps["a_sc"].values
    stated = scan.systematic.get("a_sc")
    if stated is None or not np.isfinite(values).any():
        return None
    return float(stated / np.median(values[np.isfinite(values)]))


def _slope(
    found: Gradient | None, unit: str, relative: float | None, *, robust: bool = False
) -> Measured | None:
    if found is None:
        return None
    value, err = (found.robust, found.robust_err) if robust else (found.value, found.err)
    return _measured(value, unit, err, relative, None, found.n)


def _measured(
    value: float, unit: str, err: float, relative: float | None, std: float | None, n: int | None
) -> Measured:
    return Measured(
        value=value,
        unit=unit,
        err=float(err) if np.isfinite(err) else None,
        sys=None if relative is None else abs(relative * value),
        std=std,
        n=n,
    )


# --- AFM ------------------------------------------------------------------------------------------------


def with_errors_along_s(field: AfmReduction) -> AfmReduction:
    """The field with errors of its means that know the coordinate: the trend with s is no noise.

    Without a coordinate every difference between far pixels has to count as chance; with one, only what is
    left beside the trend does.
    """
    if field.coordinate is None:
        return field
    s = field.coordinate.s["rectangle"]
    statistics = dict(field.statistics)
    for quantity in ("modulus", "height"):
        name = f"{quantity}_mean"
        values = sampled_field(field, quantity).values
        number = bin_numbers(values, s, bin_edges(s, "rectangle"))
        if name in statistics and (number >= 0).any():
            error = _error_of_mean(values, s, number)
            statistics[name] = replace(statistics[name], err=error if np.isfinite(error) else None)
    return replace(field, statistics=statistics)


def _field_numbers(field: AfmReduction) -> Numbers:
    statistics: Mapping[str, Measured] = field.statistics
    numbers: Numbers = {
        "modulus": statistics.get("modulus_mean"),
        "modulus_median": statistics.get("modulus_median"),
        "modulus_mad": statistics.get("modulus_mad"),
        "height": statistics.get("height_mean"),
    }
    if field.coordinate is not None:
        values, s = sampled_field(field, "modulus").values, field.coordinate.s["rectangle"]
        per_s = gradient(values, s, lowest=EDGE[0])
        numbers["modulus_gradient_per_s"] = _slope(per_s, "GPa", None)
        numbers["modulus_gradient_per_s_robust"] = _slope(per_s, "GPa", None, robust=True)
    return numbers
