"""How two quantities go together.

Across crystals, or instruments that never saw the same point, both are functions of s: two that rise to the
centre correlate through s alone (r = 0.83 for independent noise). So that pairing (``coordinate``) is a
co-trend: two slopes against s and their ratio, without p.
"""

from __future__ import annotations

import numpy as np

from analysis.records import Array, Correlation, Profile
from analysis.registration.gradient import line_of_few

DRAWS = 2000
SEED = 18960101
CONFIDENCE = 0.95
LARGEST_R = 1.0 - 1e-12
MIN_PAIRS = 3
SIGNIFICANT = 3.0
"""A slope is a divisor only where it is so many sigma from nothing."""


def co_trend(x: Profile, y: Profile, *, x_quantity: str, y_quantity: str) -> Correlation | None:
    """The pairs of two profiles bin by bin of s; None where fewer than three bins hold both.

    ``slope`` is the ratio of the two slopes against s, ``(dy/ds) / (dx/ds)``, NaN where x has no slope to
    speak of. The interval of r comes from redrawing the bins' means within their errors.
    """
    both = np.isfinite(x.mean) & np.isfinite(y.mean)
    if both.sum() < MIN_PAIRS:
        return None
    xs, ys, s = x.mean[both], y.mean[both], x.mid[both]
    x_err, y_err = _known_errors(x, both), _known_errors(y, both)
    low, high = _interval(xs, ys, x_err, y_err)
    slope, slope_err = _ratio_of_slopes(xs, ys, x_err, y_err, s)
    from scipy.stats import rankdata  # takes half a second, and few reductions need it

    return Correlation(
        crystal=x.crystal,
        x_quantity=x_quantity,
        y_quantity=y_quantity,
        pairing="coordinate",
        n=int(both.sum()),
        n_crystals=1,
        pearson_r=pearson(xs, ys),
        r_ci_lo=low,
        r_ci_hi=high,
        spearman_rho=pearson(rankdata(xs), rankdata(ys)),
        partial_r_s=partial_correlation(xs, ys, s),
        p_block_bootstrap=np.nan,
        slope=slope,
        slope_err=slope_err,
        x=xs,
        y=ys,
        x_err=x_err,
        y_err=y_err,
        s=s,
    )


def pearson(x: Array, y: Array) -> float:
    """Pearson's r of pairs (n,); NaN where one of them does not vary."""
    dx, dy = x - x.mean(), y - y.mean()
    norm = float(np.sqrt(np.sum(dx**2) * np.sum(dy**2)))
    return float(np.sum(dx * dy) / norm) if norm > 0.0 else float("nan")


def partial_correlation(x: Array, y: Array, s: Array) -> float:
    """Correlation of x and y (n,) after a straight line in s is taken from each; NaN below four pairs."""
    if x.size < MIN_PAIRS + 1 or float(np.ptp(s)) == 0.0:
        return float("nan")
    design = np.column_stack([np.ones_like(s), s])
    left = [values - design @ np.linalg.lstsq(design, values, rcond=None)[0] for values in (x, y)]
    # What a straight line leaves of a straight line is rounding, and correlates with nothing.
    if float(np.std(left[0])) <= 1e-9 * float(np.std(x)) or float(np.std(left[1])) <= 1e-9 * float(np.std(y)):
        return float("nan")
    return pearson(left[0], left[1])


def _known_errors(profile: Profile, chosen: np.ndarray) -> Array:
    """Errors of the chosen bins' means; where a bin is too small for one, the largest of the others."""
    errors = profile.sem[chosen]
    known = errors[np.isfinite(errors)]
    return np.where(np.isfinite(errors), errors, known.max() if known.size else np.nan)


def _interval(x: Array, y: Array, x_err: Array, y_err: Array) -> tuple[float, float]:
    if not (np.isfinite(x_err).all() and np.isfinite(y_err).all()):
        return float("nan"), float("nan")
    rng = np.random.default_rng(SEED)
    xs = x + x_err * rng.standard_normal((DRAWS, x.size))
    ys = y + y_err * rng.standard_normal((DRAWS, y.size))
    dx, dy = xs - xs.mean(axis=1, keepdims=True), ys - ys.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.sum(dx**2, axis=1) * np.sum(dy**2, axis=1))
    if not np.all(norm > 0.0):
        return float("nan"), float("nan")
    # Redrawn pairs are noisier than the pairs themselves, so r is lower on the whole: only the width counts.
    z = np.arctanh(np.clip(np.sum(dx * dy, axis=1) / norm, -LARGEST_R, LARGEST_R))
    centre = np.arctanh(np.clip(pearson(x, y), -LARGEST_R, LARGEST_R)) - np.median(z)
    low, high = np.tanh(np.quantile(z + centre, [0.5 - 0.5 * CONFIDENCE, 0.5 + 0.5 * CONFIDENCE]))
    return float(low), float(high)


def _ratio_of_slopes(x: Array, y: Array, x_err: Array, y_err: Array, s: Array) -> tuple[float, float]:
    line_x, line_y = line_of_few(s, x, x_err), line_of_few(s, y, y_err)
    if line_x is None or line_y is None or abs(line_x[0]) < SIGNIFICANT * line_x[1]:
        return float("nan"), float("nan")
    ratio = line_y[0] / line_x[0]
    return ratio, float(np.hypot(line_y[1], ratio * line_x[1]) / abs(line_x[0]))
