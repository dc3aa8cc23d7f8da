"""How the modulus is distributed: a lognormal fit, and how far the data are from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from analysis.records import Array


@dataclass(frozen=True, kw_only=True)
class LogNormal:
    """Maximum-likelihood lognormal: ``ln E`` is normal about ``ln median`` with spread ``sigma``.

    ``mean`` and ``std`` follow from both. ``distance`` is the largest difference between the distribution
    functions of data and fit (Kolmogorov-Smirnov), for judging by eye: the parameters come from the same
    data. ``n`` values are positive, ``left_out`` are not.
    """

    median: float
    sigma: float
    mean: float
    std: float
    distance: float
    n: int
    left_out: int


def fitted_lognormal(values: Array) -> LogNormal:
    """Fit a lognormal to positive values (n,), any unit; raises ValueError for fewer than two of them."""
    positive = np.sort(values[np.isfinite(values) & (values > 0.0)])
    n = positive.size
    if n < 2:
        raise ValueError("a lognormal needs two positive values")
    logs = np.log(positive)
    mu, sigma = float(logs.mean()), float(logs.std())
    fitted = ndtr((logs - mu) / sigma) if sigma > 0.0 else np.full(n, 0.5)
    below, above = np.arange(n) / n, np.arange(1, n + 1) / n
    mean = float(np.exp(mu + 0.5 * sigma**2))
    return LogNormal(
        median=float(np.exp(mu)),
        sigma=sigma,
        mean=mean,
        std=mean * float(np.sqrt(np.expm1(sigma**2))),
        distance=float(max(np.abs(fitted - below).max(), np.abs(fitted - above).max())),
        n=n,
        left_out=int(values.size - n),
    )
