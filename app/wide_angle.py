"""What the X-ray page derives from wide-angle rings: averages over points, correlations of two rings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import WIDE_ANGLE_STATUS, Array, Result, WideAngle, XrayReduction
from analysis.xray.cross_correlation import (
    MeanCorrelation,
    cross_correlation,
    mean_correlation,
    mean_turn_deg,
)
from app.library import library

Place = tuple[int, int]

EVERYWHERE, EDGE, CENTRE = "all", "edge", "centre"
RANGES = {EDGE: (0.05, 0.2), CENTRE: (0.8, 1.0)}
"""Ranges of s that are named so wherever a number is given for them."""

SAXS = "saxs"
FOLD = 4
"""A cubic lattice looked at along an edge comes back after a quarter of a turn."""


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """Correlation of two rings averaged over points; ``turn_deg`` is the angle of its four-fold part."""

    correlation: MeanCorrelation
    points: int
    turn_deg: float
    turn_err_deg: float


def pairs_of(wide: WideAngle) -> list[tuple[str, str]]:
    """Pairs of rings that can be correlated: the superlattice with each reflection first."""
    names = list(wide.ring_names)
    pairs = [(first, second) for number, first in enumerate(names) for second in names[number + 1 :]]
    return sorted(pairs, key=lambda pair: pair[0] != SAXS)


def pair_key(pair: tuple[str, str]) -> str:
    """What an address calls a pair."""
    return "-".join(pair)


def points_of(scan: XrayReduction, where: str) -> npt.NDArray[np.bool_]:
    """Points (rows, cols) with fitted spots, on the whole crystal or in a named range of s."""
    wide = scan.wide_angle
    if wide is None:
        return np.zeros(scan.grid.shape, dtype=np.bool_)
    chosen = np.asarray(wide.status == WIDE_ANGLE_STATUS.index("ok"))
    if where in RANGES and scan.coordinate is not None:
        low, high = RANGES[where]
        s = np.nan_to_num(scan.coordinate.s["rectangle"], nan=-1.0)
        chosen &= (s >= low) & (s <= high)
    return chosen


def correlation_of(
    wide: WideAngle, pair: tuple[str, str], points: Place | npt.NDArray[np.bool_]
) -> tuple[Array, Array]:
    """C(Delta) and its counting error at one point (360,) or at those of a mask (points, 360)."""
    first, second = (wide.ring_names.index(name) for name in pair)
    counts = wide.azimuthal[points]
    return cross_correlation(
        counts[..., first, :],
        counts[..., second, :],
        first_weight=wide.ring_pixels[first],
        second_weight=wide.ring_pixels[second],
        first_background=wide.ring_background[first],
        second_background=wide.ring_background[second],
    )


def averaged(sample_id: str, index: int, pair: tuple[str, str], where: str) -> Averaged | None:
    """The average of a pair over chosen points, made once for each version of a result; None without any."""

    def make(result: Result) -> Averaged | None:
        scan = result.xray[index]
        chosen = points_of(scan, where)
        if scan.wide_angle is None or not chosen.any():
            return None
        values, errors = correlation_of(scan.wide_angle, pair, chosen)
        turn, turn_err = mean_turn_deg(values, fold=FOLD)
        return Averaged(
            correlation=mean_correlation(values, errors),
            points=int(np.isfinite(values).any(axis=-1).sum()),
            turn_deg=turn,
            turn_err_deg=turn_err,
        )

    return library().derived(sample_id, ("correlation", index, pair, where), make)


def ring_total(sample_id: str, index: int, where: str) -> tuple[Array, int]:
    """Counts of all rings (n_rings, 360) summed over chosen points, and their number."""

    def make(result: Result) -> tuple[Array, int]:
        scan = result.xray[index]
        chosen = points_of(scan, where)
        if scan.wide_angle is None:
            return np.zeros((0, 360)), 0
        total = scan.wide_angle.azimuthal[chosen].sum(axis=0, dtype=np.float64)
        return total, int(chosen.sum())

    return library().derived(sample_id, ("rings", index, where), make)
