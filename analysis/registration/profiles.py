"""Quantities binned along the edge-to-centre coordinate, with spread, error of the mean and a 95 % band."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import Array, Profile
from analysis.registration.bootstrap import NORMAL_BAND, Field, bootstrap_errors, noise_field

Bins = npt.NDArray[np.int64]

BINS = 10
DEGREE = 3
"""Of the trend along the coordinate: enough for a plateau or a rounded step."""

MIN_IN_BIN = 3
"""A bin with fewer values has no error of its mean."""

EDGE = (0.05, 0.2)
CENTRE = (0.8, 1.0)
"""What ``edge`` and ``centre`` mean wherever a number is given for them."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One quantity on a grid (rows, cols), NaN where it does not count, of one reduction.

    ``axial`` is true for an angle that means the same after 180 degrees.
    """

    modality: str
    index: int
    crystal: str
    quantity: str
    unit: str
    values: Array
    axial: bool = False


def bin_edges(place: Array, coordinate: str, bins: int = BINS) -> Array:
    """Edges (bins + 1,) of the bins: of s from 0 to 1, of depth from 0 to the deepest place in um."""
    if coordinate != "depth":
        return np.linspace(0.0, 1.0, bins + 1)
    deep = place[np.isfinite(place) & (place >= 0.0)]
    return np.linspace(0.0, float(deep.max()) if deep.size and deep.max() > 0.0 else 1.0, bins + 1)


def profile(sampled: Sampled, place: Array, coordinate: str, bins: int = BINS) -> Profile:
    """Bin a quantity by the coordinate's values at the same points (NaN or negative: outside)."""
    edges = bin_edges(place, coordinate, bins)
    values, centre = unwrapped(sampled)
    number = bin_numbers(values, place, edges)
    error, factor = mean_errors(values, place, number, bins)
    return _assembled(sampled, coordinate, edges, values, number, centre=centre, error=error, band=factor)


def profile_of_regions(
    sampled: Sampled, errors: Array, place: Array, coordinate: str, bins: int = BINS
) -> Profile:
    """Bin values of a few regions (n,) with an error each; they count as independent of each other.

    The error of a bin's mean is what its regions' errors give, or what their spread gives where that is
    more and there are enough of them to tell.
    """
    edges = bin_edges(place, coordinate, bins)
    number = bin_numbers(sampled.values, place, edges)
    error = np.full(bins, np.nan)
    for k in range(bins):
        chosen = number == k
        n = int(chosen.sum())
        if n:
            stated = float(np.sqrt(np.sum(errors[chosen] ** 2))) / n
            spread = float(np.std(sampled.values[chosen], ddof=1)) / np.sqrt(n) if n >= MIN_IN_BIN else 0.0
            error[k] = max(stated, spread)
    return _assembled(
        sampled,
        coordinate,
        edges,
        sampled.values,
        number,
        centre=0.0,
        error=error,
        band=NORMAL_BAND,
        fewest=1,
    )


def _assembled(
    sampled: Sampled,
    coordinate: str,
    edges: Array,
    values: Array,
    number: Bins,
    *,
    centre: float,
    error: Array,
    band: float,
    fewest: int = MIN_IN_BIN,
) -> Profile:
    bins = edges.size - 1
    n = np.bincount(number[number >= 0], minlength=bins)
    parts = [values[number == k] for k in range(bins)]
    mean = _each(parts, _mean) + centre
    sem = np.where(n >= fewest, error, np.nan)
    return Profile(
        modality=sampled.modality,
        index=sampled.index,
        crystal=sampled.crystal,
        quantity=sampled.quantity,
        unit=sampled.unit,
        coordinate=coordinate,
        lo=edges[:-1],
        mid=0.5 * (edges[:-1] + edges[1:]),
        hi=edges[1:],
        mean=mean,
        std=_each(parts, _std),
        sem=sem,
        median=_each(parts, _median) + centre,
        ci_lo=mean - band * sem,
        ci_hi=mean + band * sem,
        n=n,
    )


def mean_errors(values: Array, place: Array, number: Bins, bins: int = BINS) -> tuple[Array, float]:
    """Standard errors (bins,) of the means of bins by block bootstrap, and how many of them make the band."""
    field, scale = residual_field(values, place, number, bins)
    functionals = []
    for k in range(bins):
        chosen = number == k
        functionals.append(np.where(chosen, scale / max(1, int(chosen.sum())), 0.0))
    return bootstrap_errors(field, np.array(functionals)), field.band


def residual_field(values: Array, place: Array, number: Bins, bins: int = BINS) -> tuple[Field, Array]:
    """Residuals about a smooth trend over their local spread, as a field, and that spread at every point.

    The trend is a polynomial in the place over the whole crystal: means of bins would take the noise of the
    few points near the centre for trend.
    """
    inside = number >= 0
    degree = min(DEGREE, max(0, np.unique(number[inside]).size - 2))
    residual = np.full(values.shape, np.nan)
    if inside.any():
        x = place[inside] / max(float(np.abs(place[inside]).max()), np.finfo(float).tiny)
        powers = np.polynomial.polynomial.polyvander(x, degree)
        fitted = np.linalg.lstsq(powers, values[inside], rcond=None)[0]
        residual[inside] = values[inside] - powers @ fitted
    spread = _local_spread(residual, number, bins)
    scale = np.where(inside, spread[np.maximum(number, 0)], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        standard = np.where(scale > 0.0, residual / scale, np.where(inside, 0.0, np.nan))
    return noise_field(standard, lost=degree + 1), scale


def _local_spread(residual: Array, number: Bins, bins: int) -> Array:
    """Root mean square of the residuals around each bin, its neighbours taken in so that few are enough."""
    squares = np.bincount(number[number >= 0], weights=residual[number >= 0] ** 2, minlength=bins)
    count = np.bincount(number[number >= 0], minlength=bins).astype(np.float64)
    window = np.array([0.5, 1.0, 0.5])
    total, n = np.convolve(squares, window, mode="same"), np.convolve(count, window, mode="same")
    everywhere = squares.sum() / max(count.sum(), 1.0)
    share = n / (n + 10.0)
    local = np.divide(total, n, out=np.full(bins, everywhere), where=n > 0.0)
    return np.asarray(np.sqrt(share * local + (1.0 - share) * everywhere))


def bin_numbers(values: Array, place: Array, edges: Array) -> Bins:
    """Bin of every point, -1 where the value or the place is not known or lies outside."""
    number = np.searchsorted(edges, place, side="right") - 1
    number = np.where(place == edges[-1], edges.size - 2, number)
    outside = ~np.isfinite(values) | ~np.isfinite(place) | (place < edges[0]) | (place > edges[-1])
    return np.where(outside, -1, number)


def unwrapped(sampled: Sampled) -> tuple[Array, float]:
    """Values as differences from a centre, which is the axial mean for an axis and 0 for others."""
    if not sampled.axial:
        return sampled.values, 0.0
    known = sampled.values[np.isfinite(sampled.values)]
    centre = axial_mean_deg(known)
    # The same axis, named as the map names it.
    centre += 180.0 * round((float(np.median(known)) - centre) / 180.0) if known.size else 0.0
    return (sampled.values - centre + 90.0) % 180.0 - 90.0, centre


def axial_mean_deg(angles_deg: Array) -> float:
    """Mean direction of axes: half the direction of the mean of exp(2 i angle), in (-90, 90] degrees."""
    known = angles_deg[np.isfinite(angles_deg)]
    if known.size == 0:
        return 0.0
    mean = float(np.degrees(np.angle(np.mean(np.exp(2j * np.radians(known))))) / 2.0)
    return mean if mean > -90.0 else mean + 180.0


def _each(parts: list[Array], what: Callable[[Array], float]) -> Array:
    return np.array([what(part) if part.size else np.nan for part in parts], dtype=np.float64)


def _mean(values: Array) -> float:
    return float(np.mean(values))


def _std(values: Array) -> float:
    return float(np.std(values))


def _median(values: Array) -> float:
    return float(np.median(values))
