"""Angular X-ray cross-correlation (AXCCA) of two rings: how their azimuthal structures are turned apart.

``C(q1, q2, Delta) = <I~(q1, phi) I~(q2, phi + Delta)>_phi / (<I(q1)> <I(q2)>)`` with ``I~ = I - <I>``
(Kurta et al., Adv. Condens. Matter Phys. 2013, 959835; Zaluzhnyy et al., Materials 2019, 12, 3464). A maximum
at Delta says that the second ring's structure lies Delta further on, counter-clockwise as displayed.

What a bin saw is its pixel weight ``w`` (number of pixels times their efficiency, 0 where it is masked), so
``I = n / w``. The mask is divided out: the products are averaged with the weights of both rings,

``C(Delta) = sum_phi d1(phi) d2(phi + Delta) / sum_phi w1(phi) w2(phi + Delta) / (m1 m2)``,

``d = n - b - w m``, ``m`` the ring's mean: an even ring gives none, whatever its mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PHI_BINS = 360
"""Bins of the azimuth: bin k holds phi from -180 + k to -180 + k + 1 degrees."""

DELTA_DEG = np.arange(-PHI_BINS // 2, PHI_BINS // 2, dtype=np.float64)
"""Angles Delta (PHI_BINS,) at which the correlation is given, in degrees."""

MIN_PAIRS = 10
"""Where fewer pairs of bins were seen by both rings, the correlation is not known."""


@dataclass(frozen=True, kw_only=True)
class MeanCorrelation:
    """Average over points, each (n_delta,): mean, spread, and two errors of the mean.

    ``std`` is the spread between points (ddof = 0), ``sem`` the standard error that follows from it (NaN for
    one point), ``counting_err`` what the photons alone account for, ``n`` the number of points.
    """

    mean: Array
    std: Array
    sem: Array
    counting_err: Array
    n: npt.NDArray[np.int64]


def cross_correlation(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    first_weight: npt.ArrayLike,
    second_weight: npt.ArrayLike,
    first_background: npt.ArrayLike = 0.0,
    second_background: npt.ArrayLike = 0.0,
) -> tuple[Array, Array]:
    """C(Delta) at ``DELTA_DEG`` and its 1 sigma from counting, both (..., PHI_BINS); NaN where not known.

    ``first, second`` (..., PHI_BINS) are counts of two rings that share no pixel, ``*_weight`` (PHI_BINS,)
    pixels times efficiency, ``*_background`` (PHI_BINS,) counts expected without a crystal: subtracted from
    the structure, kept in the mean that divides it. The error is that of independent Poisson counts,
    ``Var(xy) = x^2 Var(y) + y^2 Var(x) - Var(x) Var(y)`` summed over phi, the variances being the counts.
    """
    n1, w1, d1, mean1 = _ring(first, first_weight, first_background)
    n2, w2, d2, mean2 = _ring(second, second_weight, second_background)
    pairs = np.rint(_correlated((w1 > 0).astype(np.float64), (w2 > 0).astype(np.float64)))
    weight = np.where(pairs >= MIN_PAIRS, _correlated(w1, w2), np.nan)
    variance = _correlated(d1**2, n2) + _correlated(n1, d2**2) - _correlated(n1, n2)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1.0 / (weight * mean1 * mean2)
        scale = np.where(np.isfinite(scale), scale, np.nan)
    value = _correlated(d1, d2) * scale
    return value, np.sqrt(np.maximum(variance, 0.0)) * scale


def _ring(counts: npt.ArrayLike, weight: npt.ArrayLike, background: npt.ArrayLike) -> tuple[Array, ...]:
    """Counts and weights of the bins that were seen, what exceeds the mean, the mean intensity (..., 1)."""
    w = np.asarray(weight, dtype=np.float64)
    given = np.asarray(counts, dtype=np.float64)
    if w.shape != (PHI_BINS,) or given.shape[-1:] != (PHI_BINS,):
        raise ValueError(f"rings have {PHI_BINS} bins, not {given.shape} with weights {w.shape}")
    seen = w > 0
    n = np.where(seen, given, 0.0)
    total = w.sum() if seen.any() else np.nan
    above = n - np.where(seen, background, 0.0)
    structure = above - w * (above.sum(axis=-1, keepdims=True) / total)
    return n, np.where(seen, w, 0.0), structure, n.sum(axis=-1, keepdims=True) / total


def _correlated(first: Array, second: Array) -> Array:
    """``sum_phi first(phi) second(phi + Delta)`` at DELTA_DEG, over the last axis."""
    spectrum = np.conj(np.fft.rfft(first, axis=-1)) * np.fft.rfft(second, axis=-1)
    return np.asarray(np.fft.fftshift(np.fft.irfft(spectrum, n=PHI_BINS, axis=-1), axes=-1))


def mean_correlation(values: Array, errors: Array) -> MeanCorrelation:
    """Average of correlations (points, n_delta) with their counting errors, each point counted alike.

    Points without a value (NaN) are left out; where none is left, the mean is NaN.
    """
    known = np.isfinite(values)
    n = known.sum(axis=0)
    count = np.where(n > 0, n, np.nan)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    square = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    sem = np.sqrt(square / (count * np.where(n > 1, n - 1, np.nan)))
    counting = np.sqrt(np.where(known, errors**2, 0.0).sum(axis=0)) / count
    return MeanCorrelation(mean=mean, std=np.sqrt(square / count), sem=sem, counting_err=counting, n=n)


def mean_turn_deg(values: Array, *, fold: int) -> tuple[float, float]:
    """Angle of the ``fold``-fold part of the average of correlations (points, n_delta), and its 1 sigma.

    Each point gives ``z`` in ``C = c0 + Re(z exp(-i fold Delta))`` by least squares over the angles that all
    points know. ``Delta = arg(mean z) / fold`` in (-180 / fold, 180 / fold] degrees; its error follows from
    the scatter of ``z`` across the mean's direction between points, so it is NaN for one point. A mask that
    cuts through a peak pulls the angle by up to two degrees, which is not part of the error.
    """
    points = values[np.isfinite(values).any(axis=-1)]
    known = np.isfinite(points).all(axis=0)
    if points.shape[0] == 0 or known.sum() <= 3:
        return np.nan, np.nan
    angle = fold * np.radians(DELTA_DEG[known])
    terms = np.column_stack([np.ones(angle.size), np.cos(angle), np.sin(angle)])
    _, a, b = np.linalg.pinv(terms) @ points[:, known].T
    z = a + 1j * b
    mean = z.mean()
    if mean == 0.0:
        return np.nan, np.nan
    across = np.imag(z * np.conj(mean)) / np.abs(mean) ** 2
    error = across.std(ddof=1) / np.sqrt(z.size) if z.size > 1 else np.nan
    return float(np.degrees(np.angle(mean)) / fold), float(np.degrees(error) / fold)
