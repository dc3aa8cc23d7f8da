"""Distributions of modulus and height over the parts of a field: crystal, edge, centre, flank, substrate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from analysis.afm.crystal import ground_of
from analysis.afm.distribution import fitted_lognormal
from analysis.afm.statistics import sem_of_correlated
from analysis.afm.status import clipped_pixels
from analysis.records import AFM_STATUS, AfmPart, AfmReduction, Array

Mask = npt.NDArray[np.bool_]

EDGE = (0.05, 0.2)
CENTRE = 0.8
"""The bands of s that numbers for edge and centre are given for."""

SHARES = (1, 5, 25, 75, 95, 99)


def with_parts(field: AfmReduction) -> AfmReduction:
    """The field with the distributions over its parts; a part without pixels is left out.

    The crystal's error of the mean is the one that the field's statistics state.
    """
    made = []
    for quantity, unit, values in (
        ("modulus", "GPa", field.modulus_gpa),
        ("height", "nm", field.height_nm),
    ):
        for name, inside in part_masks(field).items():
            counted = inside & np.isfinite(values)
            if name in ("substrate", "flank"):
                counted &= ~clipped_pixels(values)
            if counted.any():
                made.append(_part(values, counted, name=name, quantity=quantity, unit=unit))
    stated = {name: field.statistics.get(f"{name}_mean") for name in ("modulus", "height")}
    return replace(
        field,
        parts=tuple(
            replace(part, sem=known.err)
            if part.part == "crystal" and (known := stated[part.quantity]) is not None and known.err
            else part
            for part in made
        ),
    )


def part_masks(field: AfmReduction) -> dict[str, Mask]:
    """Pixels (rows, cols) of each part; edge and centre only where the field has a coordinate."""
    counted = field.status == AFM_STATUS.index("ok")
    masks = {"crystal": counted}
    if field.coordinate is not None:
        s = np.nan_to_num(field.coordinate.s["rectangle"], nan=-1.0)
        masks["edge"] = counted & (s > EDGE[0]) & (s < EDGE[1])
        masks["centre"] = counted & (s > CENTRE)
    masks["flank"] = field.status == AFM_STATUS.index("edge")
    outside = field.status == AFM_STATUS.index("outside")
    if outside.any():
        masks["substrate"] = ground_of(~outside, np.ones(outside.shape, dtype=np.bool_))
    return masks


def _part(values: Array, counted: Mask, *, name: str, quantity: str, unit: str) -> AfmPart:
    kept = values[counted]
    median = float(np.median(kept))
    shares = np.percentile(kept, SHARES)
    sem = sem_of_correlated(values, counted)
    fitted = _lognormal(kept) if quantity == "modulus" else (np.nan, np.nan, np.nan, 0)
    return AfmPart(
        part=name,
        quantity=quantity,
        unit=unit,
        n=int(kept.size),
        mean=float(kept.mean()),
        sem=np.nan if sem is None else sem,
        std=float(kept.std()),
        median=median,
        mad=float(np.median(np.abs(kept - median))),
        **{f"p{share:02d}": float(value) for share, value in zip(SHARES, shares, strict=True)},
        lognormal_median=fitted[0],
        lognormal_sigma=fitted[1],
        lognormal_distance=fitted[2],
        lognormal_n=fitted[3],
    )


def _lognormal(values: Array) -> tuple[float, float, float, int]:
    try:
        fit = fitted_lognormal(values)
    except ValueError:
        return np.nan, np.nan, np.nan, 0
    return fit.median, fit.sigma, fit.distance, fit.n
