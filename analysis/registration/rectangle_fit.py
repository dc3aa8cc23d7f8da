"""An oriented rectangle fitted to a map of coverage, sub-pixel, with the error of its edges.

The model is a rectangle seen through a Gaussian footprint: with (u, v) along its axes,
``c = (Phi((A - u)/w) - Phi((-A - u)/w)) (same in v with B)``, w the footprint's width across that edge. Where
the grid is coarse against the footprint most points are wholly in or out and a whole set of rectangles fits
alike: the estimate is then the mean over that set (posterior mean), and its spread the error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import ndtr

from analysis.records import Array
from analysis.registration.geometry import own_axes

OUTLIER_SHARE = 0.03
"""Points that the model need not explain: holes, debris, a missing corner."""

OUTLIER_DENSITY = 0.5
BLUR_PRIOR = 0.3
"""Standard deviation of the logarithm of the true blur over the stated footprint."""

MAX_SAMPLED = 700
"""Up to so many points near the edge rectangles are sampled; with more the fit's own error holds."""

LAST_BAND = 3.0
"""Half width in cells of the last and narrowest band about the edge that many points are fitted in."""

MAX_EVALUATIONS = 60
MAX_POINTS = 6000
MAX_STARTING = 600
"""So many points are enough to begin with."""

WALKERS, STEPS, SETTLING = 32, 240, 100
SEED = 20250711


@dataclass(frozen=True, kw_only=True)
class FittedRectangle:
    """Centre, half sides and angle of a rectangle, and 1 sigma of an edge's place, in um and rad."""

    centre_um: tuple[float, float]
    half_sides_um: tuple[float, float]
    angle_rad: float
    error_um: float


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Share of the footprint on the crystal at points (n,), and its noise off and on the crystal.

    ``footprint_um`` is 1 sigma of the footprint along x and y; ``cell_um`` the distance of points.
    """

    x_um: Array
    y_um: Array
    share: Array
    noise_off: float
    noise_on: float
    footprint_um: tuple[float, float]
    cell_um: float

    def near(self, parameters: Array, margin_um: float) -> Coverage:
        """Only the points within a margin of the rectangle's edge."""
        return self._only(np.abs(_chebyshev_depth(parameters, self)) <= margin_um)

    def thinned(self, most: int) -> Coverage:
        """At most about so many points, drawn at random with a fixed seed; cells grow accordingly."""
        n = self.x_um.size
        if n <= most:
            return self
        kept = np.random.default_rng(SEED).permutation(n)[:most]
        return replace(self._only(kept), cell_um=self.cell_um * float(np.sqrt(n / most)))

    def _only(self, kept: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Coverage:
        return replace(self, x_um=self.x_um[kept], y_um=self.y_um[kept], share=self.share[kept])


def fit_rectangle(coverage: Coverage, *, quick: bool = False) -> FittedRectangle:
    """The rectangle that the coverage shows; (n,) points of which some must be on the crystal.

    ``quick`` gives what the others begin with: good to a fraction of a cell, its error a third of one.
    """
    start = _best_start(coverage.thinned(MAX_STARTING))
    if quick:
        cx, cy, log_a, log_b, angle, _ = start
        return _normal((cx, cy, np.exp(log_a), np.exp(log_b), angle), coverage.cell_um / 3.0)
    near = coverage.near(start, coverage.cell_um + 3.0 * max(coverage.footprint_um))
    if near.x_um.size <= MAX_SAMPLED:
        return _from_samples(_sampled(near, start))
    return _from_optimum(coverage, start)


def coverage_model(parameters: Array, coverage: Coverage, *, blur_um: float | None = None) -> Array:
    """Modelled shares (k, n) of k rectangles (k, 6): centre x, y, ln A, ln B, angle, ln of the blur's factor.

    With ``blur_um`` that isotropic blur takes the place of the footprint.
    """
    cx, cy, log_a, log_b, angle, log_blur = (column[:, None] for column in np.atleast_2d(parameters).T)
    A, B = np.exp(log_a), np.exp(log_b)
    cos, sin = np.cos(angle), np.sin(angle)
    dx, up = coverage.x_um - cx, cy - coverage.y_um
    u, v = dx * cos + up * sin, up * cos - dx * sin
    if blur_um is None:
        sx, sy = coverage.footprint_um
        wide_u = np.exp(log_blur) * np.hypot(sx * cos, sy * sin)
        wide_v = np.exp(log_blur) * np.hypot(sx * sin, sy * cos)
    else:
        wide_u = wide_v = np.asarray(blur_um)
    across_u = ndtr((A - u) / wide_u) - ndtr((-A - u) / wide_u)
    across_v = ndtr((B - v) / wide_v) - ndtr((-B - v) / wide_v)
    return np.asarray(across_u * across_v)


def _chebyshev_depth(parameters: Array, coverage: Coverage) -> Array:
    cx, cy, log_a, log_b, angle, _ = parameters
    u, v = own_axes(coverage.x_um, coverage.y_um, centre_um=(cx, cy), angle_rad=angle)
    return np.asarray(np.minimum(np.exp(log_a) - np.abs(u), np.exp(log_b) - np.abs(v)))


def _best_start(coverage: Coverage) -> Array:
    """The best of several least-squares fits that begin at different angles, through a wide blur."""
    blur = _starting_blur_um(coverage)
    weight = np.clip(coverage.share, 0.0, 1.0)
    cx, cy = np.average(coverage.x_um, weights=weight), np.average(coverage.y_um, weights=weight)
    fits = []
    for angle in np.deg2rad(np.arange(-40.0, 50.0, 15.0)):
        u, v = own_axes(coverage.x_um, coverage.y_um, centre_um=(cx, cy), angle_rad=angle)
        # Over a rectangle the mean square of u is A^2 / 3.
        half = [np.sqrt(3.0 * np.average(w**2, weights=weight)) for w in (u, v)]
        start = np.array([cx, cy, *np.log(np.maximum(half, 0.5 * coverage.cell_um)), angle])
        fits.append(_least_squares(coverage, start, blur_um=blur, loss="soft_l1", f_scale=0.3))
    best = min(fits, key=_cost).parameters
    starts = [best, _bounding(coverage, float(best[4]))]
    refined = [_least_squares(coverage, p, blur_um=blur, loss="arctan", f_scale=0.3) for p in starts]
    return np.append(min(refined, key=_cost).parameters, 0.0)


def _bounding(coverage: Coverage, angle: float) -> Array:
    """Parameters of the rectangle about all covered points: a missing corner does not shrink it."""
    on = coverage.share > 0.5
    u, v = own_axes(coverage.x_um[on], coverage.y_um[on], centre_um=(0.0, 0.0), angle_rad=angle)
    (u0, u1), (v0, v1) = (np.percentile(values, [1.0, 99.0]) for values in (u, v))
    mid_u, mid_v, cos, sin = 0.5 * (u0 + u1), 0.5 * (v0 + v1), np.cos(angle), np.sin(angle)
    half = np.maximum([0.5 * (u1 - u0), 0.5 * (v1 - v0)], 0.5 * coverage.cell_um)
    return np.array([mid_u * cos - mid_v * sin, -mid_u * sin - mid_v * cos, *np.log(half), angle])


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Five parameters, the cost, the residuals (n,) and the information matrix (5, 5)."""

    parameters: Array
    cost: float
    residuals: Array
    information: Array


def _cost(fit: _Fit) -> float:
    return fit.cost


def _least_squares(
    coverage: Coverage, start: Array, *, blur_um: float, loss: Literal["soft_l1", "arctan"], f_scale: float
) -> _Fit:
    def left_over(parameters: Array) -> Array:
        model = coverage_model(np.append(parameters, 0.0), coverage, blur_um=blur_um)[0]
        return np.asarray(model - coverage.share)

    fit = least_squares(left_over, start, loss=loss, f_scale=f_scale, max_nfev=MAX_EVALUATIONS)
    jacobian = np.asarray(fit.jac, dtype=np.float64)
    return _Fit(parameters=fit.x, cost=float(fit.cost), residuals=fit.fun, information=jacobian.T @ jacobian)


def _log_likelihood(parameters: Array, coverage: Coverage) -> Array:
    """Logarithm of the posterior (k,) up to a constant; a share of points may be anything."""
    model = coverage_model(parameters, coverage)
    sigma = np.hypot(coverage.noise_off, coverage.noise_on * model)
    pull = (coverage.share - model) / sigma
    good = (1.0 - OUTLIER_SHARE) / (np.sqrt(2.0 * np.pi) * sigma) * np.exp(-0.5 * pull**2)
    prior = -0.5 * (parameters[:, 5] / BLUR_PRIOR) ** 2
    return np.asarray(np.sum(np.log(good + OUTLIER_SHARE * OUTLIER_DENSITY), axis=1) + prior)


def _sampled(coverage: Coverage, start: Array) -> Array:
    """Rectangles (m, 6) drawn from the posterior by differential evolution Markov chains, fixed seed.

    Source: C. J. F. ter Braak, Statistics and Computing 16 (2006) 239: a walker moves by a multiple of the
    difference of two others.
    """
    rng = np.random.default_rng(SEED)
    cell, half = coverage.cell_um, np.exp(start[2:4])
    spread = 0.2 * cell * np.array([1.0, 1.0, *(1.0 / half), 1.0 / float(half.mean()), 0.0])
    spread[5] = BLUR_PRIOR
    walkers = start + spread * rng.standard_normal((WALKERS, 6))
    score = _log_likelihood(walkers, coverage)
    kept = []
    for step in range(STEPS):
        first, second = (rng.permutation(WALKERS) for _ in range(2))
        jump = 1.0 if step % 8 == 7 else 2.38 / np.sqrt(2.0 * 6.0)
        moved = walkers + jump * (walkers[first] - walkers[second])
        moved += 1e-3 * spread * rng.standard_normal((WALKERS, 6))
        found = _log_likelihood(moved, coverage)
        taken = np.log(rng.random(WALKERS)) < found - score
        walkers, score = np.where(taken[:, None], moved, walkers), np.where(taken, found, score)
        if step >= SETTLING:
            kept.append(walkers.copy())
    return np.concatenate(kept)


def _from_samples(samples: Array) -> FittedRectangle:
    cx, cy, log_a, log_b, angle, _ = samples.T
    mean = tuple(float(np.mean(values)) for values in (cx, cy, np.exp(log_a), np.exp(log_b), angle))
    u, v = own_axes(cx, cy, centre_um=(mean[0], mean[1]), angle_rad=mean[4])
    edges = [u + np.exp(log_a), u - np.exp(log_a), v + np.exp(log_b), v - np.exp(log_b)]
    variance = float(np.mean([np.var(edge) for edge in edges]))
    # A tilt by d moves points of an edge by up to A d, by A d / sqrt(3) in the mean square.
    variance += float(np.var(angle)) * (mean[2] * mean[3]) / 3.0
    return _normal(mean, float(np.sqrt(variance)))


def _from_optimum(coverage: Coverage, start: Array) -> FittedRectangle:
    """Robust least squares on ever narrower bands about the edge; the error from what is left over.

    The loss levels off, so a missing corner or a hole weighs no more than the length of edge that it takes.
    """
    found = start[:5]
    for band in _bands(coverage, start):
        blur = max(band / 3.0, *coverage.footprint_um)
        near = coverage.near(np.append(found, 0.0), band).thinned(MAX_POINTS)
        fit = _least_squares(near, found, blur_um=blur, loss="arctan", f_scale=0.3)
        found = fit.parameters
    mean = (found[0], found[1], float(np.exp(found[2])), float(np.exp(found[3])), found[4])
    inverse = np.linalg.pinv(fit.information)
    place = 0.5 * float(np.trace(inverse[:2, :2])) + 0.5 * float(
        inverse[2, 2] * mean[2] ** 2 + inverse[3, 3] * mean[3] ** 2
    )
    left_over = float(np.mean(fit.residuals**2))
    # A third of a cell is what an edge in line with the grid leaves open.
    return _normal(mean, float(np.hypot(np.sqrt(left_over * place), coverage.cell_um / 3.0)))


def _bands(coverage: Coverage, start: Array) -> list[float]:
    """Half widths in um: from what the start may be off, but never over the middle, halved to the last."""
    off = 3.0 * _starting_blur_um(coverage.thinned(MAX_STARTING))
    width = min(off, 0.5 * float(np.exp(start[2:4].min())))
    last = LAST_BAND * coverage.cell_um
    bands = []
    while width > last:
        bands.append(width)
        width *= 0.5
    return [*bands, last]


def _starting_blur_um(coverage: Coverage) -> float:
    return 0.6 * coverage.cell_um + max(coverage.footprint_um)


def _normal(mean: tuple[float, ...], error_um: float) -> FittedRectangle:
    """The same rectangle with its angle in (-45, 45] degrees."""
    cx, cy, A, B, angle = mean
    turns = int(np.ceil(angle / (0.5 * np.pi) - 0.5))
    sides = (B, A) if turns % 2 else (A, B)
    return FittedRectangle(
        centre_um=(float(cx), float(cy)),
        half_sides_um=(float(sides[0]), float(sides[1])),
        angle_rad=float(angle - turns * 0.5 * np.pi),
        error_um=error_um,
    )
