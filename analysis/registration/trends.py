"""Trends of every quantity of a scan or field: slopes along s and depth, and the likeliest shape along s."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.records import AfmReduction, Array, Coordinate, XrayReduction
from analysis.registration.gradient import gradient
from analysis.registration.profiles import EDGE, Sampled, unwrapped
from analysis.registration.sampled import sampled_field, sampled_scan
from analysis.registration.shapes import shapes_along
from analysis.registration_records import Trend

XRAY_QUANTITIES = ("a_sc", "a1", "a2", "gamma", "psi", "sigma_q")
AFM_QUANTITIES = ("modulus", "height")


def scan_trends(scan: XrayReduction) -> Iterator[Trend]:
    """Trends of a scan's maps; none without an outline."""
    if scan.coordinate is not None:
        for quantity in XRAY_QUANTITIES:
            if quantity in scan.maps:
                yield from _trends(sampled_scan(scan, quantity), scan.coordinate, scan.maps[quantity].errors)


def field_trends(field: AfmReduction) -> Iterator[Trend]:
    """Trends of modulus and height of a field; none without an outline."""
    if field.coordinate is not None:
        for quantity in AFM_QUANTITIES:
            yield from _trends(sampled_field(field, quantity), field.coordinate, None)


def _trends(sampled: Sampled, place: Coordinate, errors: Array | None) -> Iterator[Trend]:
    s = place.s["rectangle"]
    values, _ = unwrapped(sampled)
    shapes = shapes_along(np.where(s >= EDGE[0], values, np.nan), s)
    best = shapes[0] if shapes else None
    weights = {shape.name: shape.weight for shape in shapes}
    inside = np.where(s >= EDGE[0], place.depth_um, np.nan)
    for coordinate, along, per in (("rectangle", s, ""), ("depth", inside, "/um")):
        found = gradient(values, along, errors=errors, lowest=EDGE[0] if coordinate == "rectangle" else 0.0)
        if found is not None:
            yield Trend(
                modality=sampled.modality,
                index=sampled.index,
                crystal=sampled.crystal,
                quantity=sampled.quantity,
                coordinate=coordinate,
                unit=f"{sampled.unit}{per}",
                slope=found.value,
                slope_err=found.err,
                robust_slope=found.robust,
                robust_slope_err=found.robust_err,
                n=found.n,
                shape=best.name if best is not None else "",
                place=best.parameters.get("place", np.nan) if best is not None else np.nan,
                weight_constant=weights.get("constant", np.nan),
                weight_straight=weights.get("straight", np.nan),
                weight_plateau=weights.get("plateau", np.nan),
                weight_step=weights.get("step", np.nan),
            )
