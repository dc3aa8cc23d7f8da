"""How a quantity changes along a coordinate: a straight line by weighted and by robust least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.records import Array
from analysis.registration.bootstrap import MIN_POINTS, NORMAL_BAND, bootstrap_errors, noise_field

HUBER = 1.345
"""Residuals beyond so many sigma weigh less; 95 % efficient for normal ones (P. J. Huber, 1981)."""

ROUNDS = 30


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """Slope of a straight line with 1 sigma from the block bootstrap, weighted and robust, from n points.

    Errors are so much larger for few independent blocks that 1.96 of them still cover 95 %.
    """

    value: float
    err: float
    robust: float
    robust_err: float
    n: int


def gradient(
    values: Array, place: Array, *, errors: Array | None = None, lowest: float = 0.0
) -> Gradient | None:
    """Slope of values (rows, cols) against places of the same shape from ``lowest`` on; None for too few.

    Weights are ``1 / (error^2 + scatter^2)``, scatter being what errors do not explain of the residuals.
    """
    used = np.isfinite(values) & np.isfinite(place) & (place >= lowest)
    x, y = place[used], values[used]
    if x.size < MIN_POINTS or float(np.ptp(x)) == 0.0:
        return None
    known = np.zeros_like(x) if errors is None else np.nan_to_num(errors[used], nan=0.0)
    weights = _weights(x, y, known)
    robust = _robust_weights(x, y, weights)
    slopes, errs = [], []
    for weight in (weights, robust):
        coefficients = _slope_coefficients(x, weight)
        slope = float(coefficients @ y)
        level = float(np.average(y - slope * x, weights=weight))
        residual = np.full(values.shape, np.nan)
        residual[used] = y - level - slope * x
        functional = np.zeros(values.shape)
        functional[used] = coefficients
        slopes.append(slope)
        field = noise_field(residual, lost=2)
        error = float(bootstrap_errors(field, functional[None])[0])
        errs.append(error * field.band / NORMAL_BAND)
    return Gradient(value=slopes[0], err=errs[0], robust=slopes[1], robust_err=errs[1], n=int(x.size))


def line_of_few(x: Array, y: Array, y_err: Array) -> tuple[float, float, float, float] | None:
    """Weighted straight line through a few points: slope, its error, value at x = 0, its error.

    Errors are scaled up by the root of chi-square per degree of freedom where the line explains less than
    the stated errors allow. None for fewer than three points.
    """
    used = np.isfinite(x) & np.isfinite(y) & np.isfinite(y_err) & (y_err > 0.0)
    if used.sum() < 3 or float(np.ptp(x[used])) == 0.0:
        return None
    design = np.column_stack([x[used], np.ones(int(used.sum()))]) / y_err[used][:, None]
    covariance = np.linalg.inv(design.T @ design)
    slope, level = covariance @ (design.T @ (y[used] / y_err[used]))
    pulls = (y[used] - level - slope * x[used]) / y_err[used]
    scale = max(1.0, float(np.sqrt(np.sum(pulls**2) / (used.sum() - 2))))
    errors = scale * np.sqrt(np.diag(covariance))
    return float(slope), float(errors[0]), float(level), float(errors[1])


def _slope_coefficients(x: Array, weights: Array) -> Array:
    """Coefficients c with slope = sum(c y): ``w (x - mean) / sum(w (x - mean)^2)``."""
    offset = x - np.average(x, weights=weights)
    return np.asarray(weights * offset / np.sum(weights * offset**2))


def _residuals(x: Array, y: Array, weights: Array) -> Array:
    slope = float(_slope_coefficients(x, weights) @ y)
    return np.asarray(y - np.average(y - slope * x, weights=weights) - slope * x)


def _weights(x: Array, y: Array, errors: Array) -> Array:
    if not np.any(errors > 0.0):
        return np.ones_like(x)
    left = _residuals(x, y, np.ones_like(x))
    scatter = max(float(np.median(left**2)) / 0.4549 - float(np.median(errors**2)), 0.0)
    variance = errors**2 + max(scatter, 1e-4 * float(np.median(errors[errors > 0.0] ** 2)))
    return np.asarray(1.0 / variance)


def _robust_weights(x: Array, y: Array, weights: Array) -> Array:
    robust = weights
    for _ in range(ROUNDS):
        left = np.abs(_residuals(x, y, robust)) * np.sqrt(weights)
        scale = float(np.median(left)) / 0.6745
        if scale == 0.0:
            return weights
        robust = weights * np.minimum(1.0, HUBER * scale / np.maximum(left, 1e-12 * scale))
    return np.asarray(robust)
