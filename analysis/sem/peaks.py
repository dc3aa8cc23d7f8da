"""Peaks of a power spectrum: found on its grid, refined below its resolution, with their uncertainty.

A lattice that is disturbed by noise n moves the maximum of |F|^2 from k0 by
``dk = -Re(exp(-i phi) N'(k0)) / (A W''(0))`` (first order in n; W the transform of the window, A exp(i phi)
the amplitude of the peak), so only the part of n in quadrature with the peak counts. Its power S_Q is
measured where the window's own lobe has died away, from pairs of frequencies k0 +- d, and

    var(dk) = S_Q <x^2>_{w^2} / (4 pi^2 P <x^2>_w^2)

along each axis, P the peak's power, <>_w the average over the window w. For white noise of power B this is
half of what pure phase noise (displaced particles) of the same power gives, as it must be. Displaced
particles shift the phases of all peaks together: products of two peaks' noise give the covariance of their
places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from analysis.sem.spectrum import PADDING, Spectrum, dft, hann

Array = npt.NDArray[np.float64]

FALSE_ALARM = 0.01
"""Chance that a spectrum of noise alone has one peak above the threshold."""

MAX_PEAKS = 30
STREAK_SHARE = 0.2
STREAK_DIRECTIONS = 16
"""A maximum from which, in one of these directions, both sides reach this share of it is on a streak."""

REFINE_ROUNDS = 12
NOISE_INNER, NOISE_OUTER = 2.5, 7.0
"""Distances from a peak, in periods per region, between which its noise is measured."""


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Maxima in the half plane ky < 0 (or ky = 0, kx > 0), strongest first: ``k`` (n, 2), ``ratio`` (n,)."""

    k: Array
    ratio: Array


def threshold(size: int) -> float:
    """Power over background that noise alone exceeds with the chance FALSE_ALARM in a region of ``size`` px.

    Powers of independent cells are exponential; half of the size^2 cells are independent (Friedel).
    """
    return float(np.log(0.5 * size**2 / FALSE_ALARM))


def find_peaks(spectrum: Spectrum) -> Peaks:
    """Local maxima of the background-divided power above the threshold, without streaks along the axes."""
    ratio = spectrum.ratio
    reach = 2 * PADDING + 1
    local = ndimage.maximum_filter(ratio, size=reach, mode="wrap")
    ky, kx = spectrum.k[:, None], spectrum.k[None, :]
    half = (ky < 0) | ((ky == 0) & (kx > 0))
    inside = (spectrum.radius >= spectrum.k_min) & (spectrum.radius <= spectrum.k_max)
    rows, cols = np.nonzero((ratio == local) & (ratio > threshold(spectrum.size)) & half & inside)
    order = np.argsort(-ratio[rows, cols], kind="stable")[:MAX_PEAKS]
    kept = [n for n in order if not _is_streak(ratio, rows[n], cols[n])]
    k = np.array([_vertex(spectrum, rows[n], cols[n]) for n in kept]).reshape(-1, 2)
    high = np.hypot(k[:, 0], k[:, 1]) >= spectrum.k_min
    return Peaks(k=k[high], ratio=ratio[rows[kept], cols[kept]][high])


def _is_streak(ratio: Array, row: int, col: int) -> bool:
    """Whether the maximum lies on a line of power (edges, scan lines), which goes on to both of its sides."""
    n = ratio.shape[0]
    rows = (row + STREAK_STEPS[0]) % n
    cols = (col + STREAK_STEPS[1]) % n
    sides = np.median(ratio[rows, cols], axis=2)
    return bool(sides.min(axis=1).max() > STREAK_SHARE * ratio[row, col])


def _streak_steps() -> npt.NDArray[np.int64]:
    """Steps in rows and columns (2, directions, 2 sides, distances) of the padded spectrum."""
    angle = np.pi * np.arange(STREAK_DIRECTIONS) / STREAK_DIRECTIONS
    away = PADDING * np.array([[3, 4, 5, 6, 7], [-3, -4, -5, -6, -7]])
    directions = np.array([np.sin(angle), np.cos(angle)])
    return np.asarray(np.rint(directions[:, :, None, None] * away), dtype=np.int64)


STREAK_STEPS = _streak_steps()


def _vertex(spectrum: Spectrum, row: int, col: int) -> Array:
    """Vertex of the parabolas through the logarithm along both axes, (kx, ky)."""
    logs = np.log(np.maximum(spectrum.ratio, 1e-300)[row - 1 : row + 2, col - 1 : col + 2])
    step = spectrum.k[1] - spectrum.k[0]
    if logs.shape != (3, 3):
        return np.array([spectrum.k[col], spectrum.k[row]])
    shift = [_parabola_vertex(logs[1, :]), _parabola_vertex(logs[:, 1])]
    return np.array([spectrum.k[col] + shift[0] * step, spectrum.k[row] + shift[1] * step])


def _parabola_vertex(three: Array) -> float:
    curvature = three[0] - 2.0 * three[1] + three[2]
    if not np.isfinite(curvature) or curvature >= 0.0:
        return 0.0
    return float(np.clip(0.5 * (three[0] - three[2]) / curvature, -0.5, 0.5))


def refine_peak(values: Array, k: npt.ArrayLike) -> tuple[Array, float]:
    """The maximum of |F|^2 nearest to ``k`` (2,) of a windowed region: its (kx, ky) and its power.

    Each round fits a parabola to ln |F|^2 along both axes at a third of a period per region, then nearer.
    """
    centre = np.array(k, dtype=np.float64)
    size = values.shape[0]
    step = 0.35 / size
    for _ in range(REFINE_ROUNDS):
        axis = np.array([-step, 0.0, step])
        power = np.abs(dft(values, kx=centre[0] + axis, ky=centre[1] + axis)) ** 2
        logs = np.log(np.maximum(power, 1e-300))
        row, col = divmod(int(np.argmax(logs)), 3)
        if (row, col) == (1, 1):
            move = np.array([_parabola_vertex(logs[1, :]), _parabola_vertex(logs[:, 1])])
            centre = centre + move * step
            if np.hypot(*move) < 0.02:
                step *= 0.3
            if step < 0.02 / size:
                break
        else:
            centre = centre + np.array([col - 1, row - 1]) * step
    peak = np.abs(dft(values, kx=centre[0], ky=centre[1])[0, 0]) ** 2
    return centre, float(peak)


def window_moments(size: int) -> tuple[float, float]:
    """``<x^2>`` in px^2 over the Hann window and over its square."""
    window = hann(size)
    x2 = (np.arange(size) - 0.5 * (size - 1)) ** 2
    return float(window @ x2 / window.sum()), float(window**2 @ x2 / (window**2).sum())


def phase_noise(values: Array, k: Array, *, outer: float) -> npt.NDArray[np.complex128]:
    """Noise in quadrature with the peak at ``k`` (2,), in units of its amplitude, at offsets around it: (n,).

    Offsets lie between NOISE_INNER and ``outer`` periods per region; they are the same for every
    peak of one region, so that products of two peaks' noise give their covariance.
    """
    size = values.shape[0]
    inner = min(NOISE_INNER, 0.7 * outer)
    reach = np.arange(-np.floor(outer), np.floor(outer) + 1)
    far = np.hypot(reach[:, None], reach[None, :])
    around = dft(values, kx=k[0] + reach / size, ky=k[1] + reach / size)
    middle = around[reach.size // 2, reach.size // 2]
    turned = around * np.conj(middle) / max(abs(middle) ** 2, 1e-300)
    quadrature = (turned - np.conj(turned[::-1, ::-1])) / 2j
    return np.asarray(quadrature[(far >= inner) & (far <= outer)])


def peak_covariance(noise: npt.NDArray[np.complex128], *, size: int) -> Array:
    """Covariance (m, m), along each axis, of m refined peaks with phase noise (m, n): cycles^2 per px^2."""
    x2_w, x2_w2 = window_moments(size)
    power = (noise @ noise.conj().T).real / noise.shape[1]
    return np.asarray(power * x2_w2 / (4.0 * np.pi**2 * x2_w**2))
