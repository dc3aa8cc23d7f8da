"""Slopes, shapes and the agreement of X-ray and SEM, as lines of text beside the co-profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.records import Result, Trend
from analysis.registration.agreement import Agreement
from app.figures.words import with_error, with_minus

SHOWN = {("xray", "a_sc"): "⟨a_SC⟩", ("afm", "modulus"): "E"}
"""The quantities of the co-profile whose trends stand beside it."""

SEES = (
    "X-rays average through the thickness, SEM sees the bottom layer: a difference may be the crystal's own."
)


@dataclass(frozen=True, kw_only=True)
class TrendLine:
    """What is said of one quantity: its slopes per unit of s and per um, and the likeliest shape."""

    name: str
    along_s: str
    along_depth: str
    shape: str


def trend_lines(result: Result) -> list[tuple[str, TrendLine]]:
    """One line for <a_SC> of every scan and E of every field that has trends, with its modality."""
    found: dict[tuple[str, int], dict[str, Trend]] = {}
    for trend in result.trends:
        if (trend.modality, trend.quantity) in SHOWN:
            found.setdefault((trend.modality, trend.index), {})[trend.coordinate] = trend
    return [(modality, _line(index, kinds)) for (modality, index), kinds in found.items()]


def _line(index: int, kinds: dict[str, Trend]) -> TrendLine:
    one = next(iter(kinds.values()))
    number = f" {index + 1}" if index else ""
    return TrendLine(
        name=SHOWN[one.modality, one.quantity] + number,
        along_s=_slope(kinds.get("rectangle"), per=" per s"),
        along_depth=_slope(kinds.get("depth"), per=""),
        shape=_shape(one),
    )


def _slope(trend: Trend | None, *, per: str) -> str:
    if trend is None:
        return ""
    value = with_error(trend.slope, trend.slope_err, trend.unit)
    return f"{value}{per}, robust {with_error(trend.robust_slope, trend.robust_slope_err)}"


def _shape(trend: Trend) -> str:
    """The likeliest shape with its Akaike weight, and the s at which it bends or steps."""
    if not trend.shape:
        return "too few values for a shape"
    weight = getattr(trend, f"weight_{trend.shape}")
    place = f" at s = {trend.place:.2f}" if np.isfinite(trend.place) else ""
    return f"{trend.shape}{place}, weight {weight:.2f}"


def agreement_words(found: Sequence[Agreement]) -> str:
    """SEM minus X-ray at the same s: over all regions in sigmas, and the region that differs most."""
    known = [one for one in found if np.isfinite(one.sigmas)]
    if not known:
        return ""
    sizes = np.abs([one.sigmas for one in known])
    most = known[int(np.argmax(sizes))]
    regions = "1 region" if len(known) == 1 else f"{len(known)} regions"
    difference = with_error(most.difference_nm, most.difference_err_nm, "nm")
    return (
        f"SEM − X-ray ⟨a_SC⟩ at the same s, {regions}: median {np.median(sizes):.1f} σ, most "
        f"{with_minus(f'{most.sigmas:.1f}')} σ ({most.label}, s = {most.s:.2f}: {difference})"
    )
