"""Statistics of the pixels that count: mean, spread, median, and how sure the mean is.

Neighbouring pixels are alike, so the mean of n pixels is less sure than std / sqrt(n):
``sem^2 = std^2 / n * sum over lags of rho(lag) * pairs(lag) / n``, with the autocorrelation ``rho`` of the
counted pixels up to the distance where its average over directions first falls to zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from analysis.records import Array, Measured

Mask = npt.NDArray[np.bool_]

PERCENTILES = (5, 95)


def field_statistics(
    *, modulus_gpa: Array | None, height_nm: Array | None, counted: Mask
) -> dict[str, Measured]:
    """Statistics of modulus and height over the counted pixels, arrays (rows, cols), by name.

    ``modulus_mean`` and ``height_mean`` carry spread (ddof = 0), error and number; ``modulus_std``,
    ``modulus_median``, ``modulus_mad`` (unscaled) and the percentiles ``modulus_p05``, ``modulus_p95`` the
    number alone. What was not measured is left out.
    """
    found: dict[str, Measured] = {}
    if modulus_gpa is not None and counted.any():
        found["modulus_mean"] = _mean(modulus_gpa, counted, "GPa")
        found |= _distribution(modulus_gpa[counted], name="modulus", unit="GPa")
    if height_nm is not None and counted.any():
        found["height_mean"] = _mean(height_nm, counted, "nm")
    return found


def _distribution(values: Array, *, name: str, unit: str) -> dict[str, Measured]:
    median = float(np.median(values))
    numbers = {
        "std": float(values.std()),
        "median": median,
        "mad": float(np.median(np.abs(values - median))),
        **{f"p{share:02d}": float(np.percentile(values, share)) for share in PERCENTILES},
    }
    n = int(values.size)
    return {f"{name}_{what}": Measured(value=value, unit=unit, n=n) for what, value in numbers.items()}


def _mean(values: Array, counted: Mask, unit: str) -> Measured:
    kept = values[counted]
    return Measured(
        value=float(kept.mean()),
        unit=unit,
        err=sem_of_correlated(values, counted),
        std=float(kept.std()),
        n=int(kept.size),
    )


def sem_of_correlated(values: Array, counted: Mask) -> float | None:
    """Standard error of the mean over counted pixels that are alike near each other; None for under two.

    ``values`` and ``counted`` are (rows, cols). A trend across the crystal counts as likeness: the error is
    that of the mean as one draw of such a field, not of the digitisation of this one.
    """
    n = int(counted.sum())
    if n < 2:
        return None
    rest = np.where(counted, values - values[counted].mean(), 0.0)
    variance = float((rest**2).sum() / n)
    if variance == 0.0:
        return 0.0
    products, pairs = (_lag_sums(part) for part in (rest, counted.astype(np.float64)))
    inside = _before_first_zero(products, pairs)
    mean_product = products[inside] / np.maximum(pairs[inside], 1.0)
    weight = float((mean_product * pairs[inside]).sum() / (n * variance))
    return float(np.sqrt(variance / n * max(weight, 1.0)))


def _lag_sums(part: Array) -> Array:
    """Sums over all pairs of pixels by lag, (2 rows, 2 cols) with lag zero at (0, 0)."""
    shape = [fft.next_fast_len(2 * length, real=True) for length in part.shape]
    spectrum = fft.rfft2(part, s=shape)
    return np.asarray(fft.irfft2(np.abs(spectrum) ** 2, s=shape))


def _before_first_zero(products: Array, pairs: Array) -> Mask:
    """Lags nearer than the first distance at which like and unlike pairs balance."""
    row, col = (np.minimum(np.arange(length), length - np.arange(length)) for length in products.shape)
    ring = np.rint(np.hypot(row[:, None], col[None, :])).astype(np.int64)
    sums = np.bincount(ring.ravel(), weights=products.ravel())
    numbers = np.bincount(ring.ravel(), weights=pairs.ravel())
    fallen = np.flatnonzero((sums <= 0.0) | (numbers < 0.5))
    first = int(fallen[0]) if fallen.size else sums.size
    return np.asarray(ring < first)
