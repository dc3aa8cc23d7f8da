"""Which shape a quantity takes along s: constant, straight, a plateau in the middle, or a step.

Each shape is fitted by least squares and weighed by Akaike's criterion with the number of independent values,
not of points: ``AICc = n ln(RSS / n) + 2 k + 2 k (k + 1) / (n - k - 1)``. Weights are the shares
``exp(-AICc / 2)`` that sum to 1. Source: K. P. Burnham, D. R. Anderson, Model Selection and Multimodel
Inference (2002), chapter 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from analysis.records import Array
from analysis.registration.bootstrap import noise_field

MIN_VALUES = 12.0
"""Fewer independent values can't tell shapes apart."""

MIN_REACH = 0.3
"""Nor can a shorter piece of s."""

PLACES = np.linspace(0.1, 0.9, 33)
"""Where a plateau may begin or a step may stand."""

STEP_COUNTS = 3
"""A step's place counts as so many parameters, as the likelihood is not smooth in it. Source: Y. Ninomiya,
Stat. Probab. Lett. 72 (2005) 237."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One fitted shape. ``parameters`` by name: values in the quantity's unit, places in s.

    ``delta`` is its AICc above the best one's, ``weight`` its Akaike weight, ``rms`` what it leaves.
    """

    name: str
    parameters: dict[str, float]
    delta: float
    weight: float
    rms: float


@dataclass(frozen=True, kw_only=True)
class _Fit:
    name: str
    parameters: dict[str, float]
    left: Array
    freedom: int


def shapes_along(values: Array, s: Array) -> tuple[Shape, ...]:
    """Shapes of a map along s, both (rows, cols), the likeliest first; () for too few values."""
    used = np.isfinite(values) & np.isfinite(s)
    if int(used.sum()) < MIN_VALUES or float(np.ptp(s[used])) < MIN_REACH:
        return ()
    fits = _fits(s[used], values[used])
    independent = _independent(min(fits, key=lambda fit: float(fit.left @ fit.left)).left, used)
    if independent < MIN_VALUES:
        return ()
    scores = np.array([_score(fit, independent) for fit in fits])
    weights = np.exp(-0.5 * (scores - scores.min()))
    found = (
        Shape(
            name=fit.name,
            parameters=fit.parameters,
            delta=float(score - scores.min()),
            weight=float(weight / weights.sum()),
            rms=float(np.sqrt(np.mean(fit.left**2))),
        )
        for fit, score, weight in zip(fits, scores, weights, strict=True)
    )
    return tuple(sorted(found, key=lambda shape: shape.delta))


def _score(fit: _Fit, independent: float) -> float:
    """Akaike's criterion for small samples; the noise's own variance is one parameter more."""
    k = fit.freedom + 1
    mean_square = max(float(np.mean(fit.left**2)), 1e-300)
    return independent * math.log(mean_square) + 2.0 * k + 2.0 * k * (k + 1) / (independent - k - 1)


def _independent(left: Array, used: np.ndarray) -> float:
    """About how many of the residuals are independent of each other: cells over the correlated area."""
    residual = np.full(used.shape, np.nan)
    residual[used] = left
    field = noise_field(residual, lost=0)
    return float(np.count_nonzero(field.weight)) / max(1.0, math.pi * field.correlation_cells**2)


def _fits(s: Array, values: Array) -> list[_Fit]:
    return [
        _best("constant", s, values, [(None, np.zeros_like(s))]),
        _best("straight", s, values, [(None, s)]),
        _best("plateau", s, values, ((float(place), np.minimum(s, place)) for place in PLACES)),
        _best("step", s, values, ((float(place), (s > place).astype(np.float64)) for place in PLACES)),
    ]


def _best(name: str, s: Array, values: Array, tried: Iterable[tuple[float | None, Array]]) -> _Fit:
    """The best of some curves ``level + rise * curve``, each with the place in s that it has."""
    best: _Fit | None = None
    for place, curve in tried:
        constant = not curve.any()
        design = np.column_stack([np.ones_like(s)] if constant else [np.ones_like(s), curve])
        found = np.linalg.lstsq(design, values, rcond=None)[0]
        left = np.asarray(values - design @ found, dtype=np.float64)
        if best is None or float(left @ left) < float(best.left @ best.left):
            named = {"level": float(found[0])} | ({} if constant else {"rise": float(found[1])})
            named |= {} if place is None else {"place": place}
            freedom = len(named) + (STEP_COUNTS - 1 if name == "step" else 0)
            best = _Fit(name=name, parameters=named, left=left, freedom=freedom)
    assert best is not None
    return best
