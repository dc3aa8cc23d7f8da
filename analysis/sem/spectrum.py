"""Power spectra of square regions: window, background, radial average and DFT at any frequency.

Frequencies are (kx, ky) in cycles per pixel, x to the right along columns, y down along rows, without 2 pi.
Every window is a separable Hann window, symmetric about the centre of the region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from analysis.sem.tilt import Tilt

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex128]

PADDING = 2
"""The transform is zero-padded to this many times the region."""

MIN_PERIODS = 3.5
"""Frequencies with fewer periods than this in the region are shading, not lattice."""

NYQUIST_SHARE = 0.96
"""Frequencies above this share of the Nyquist limit are not looked at."""

HANN_STD = float(np.sqrt(1.0 / 12.0 - 1.0 / (2.0 * np.pi**2)))
"""Standard deviation of place under a Hann window, in units of its length."""

BACKGROUND_DEGREE = 4
BACKGROUND_BINS = 40
BACKGROUND_QUANTILE = 0.3
BACKGROUND_ROUNDS = 4
FLOOR = 1e-13
"""Smallest background, in units of the largest power: rounding of an image without noise lies below."""


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Power of one windowed region of ``size`` px, zero frequency in the middle.

    ``windowed`` (size, size) is the levelled region times the window; ``ratio`` (m, m) the power divided by
    its smooth background, with ``k`` (m,) the frequency of its rows and columns and ``radius`` (m, m) = |k|
    (on the surface, where it is tilted); ``background_log`` are the polynomial's coefficients in ln |k|.
    """

    size: int
    windowed: Array
    ratio: Array
    k: Array
    radius: Array
    background_log: Array
    tilt: Tilt | None = None

    @property
    def k_min(self) -> float:
        """Smallest frequency that is looked at, cycles per pixel."""
        return MIN_PERIODS / self.size

    @property
    def k_max(self) -> float:
        """Largest frequency that is looked at, cycles per pixel."""
        return 0.5 * NYQUIST_SHARE

    def background(self, radius: npt.ArrayLike) -> Array:
        """Smooth background power at frequencies of length ``radius``, any shape."""
        return _background_power(np.asarray(radius, dtype=np.float64), self.background_log, self.k_min)


def hann(size: int) -> Array:
    """Hann window ``sin^2(pi (j + 1/2) / size)``, shape (size,)."""
    return np.asarray(np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2)


def levelled(region: npt.NDArray[np.generic]) -> Array:
    """The region (n, m) minus the plane that fits it best by least squares."""
    values = region.astype(np.float64)
    rows, cols = values.shape
    y = np.arange(rows) - 0.5 * (rows - 1)
    x = np.arange(cols) - 0.5 * (cols - 1)
    values -= values.mean()
    slope_y = (y @ values.sum(axis=1)) / max(cols * float(y @ y), 1.0)
    slope_x = (values.sum(axis=0) @ x) / max(rows * float(x @ x), 1.0)
    return np.asarray(values - slope_y * y[:, None] - slope_x * x[None, :])


def windowed(region: npt.NDArray[np.generic]) -> Array:
    """The levelled square region (n, n) times the Hann window in both directions."""
    window = hann(region.shape[0])
    return np.asarray(levelled(region) * window[:, None] * window[None, :])


def spectrum_of(region: npt.NDArray[np.generic], *, tilt: Tilt | None = None) -> Spectrum:
    """Power spectrum of a square region (n, n), zero-padded, divided by a smooth log background.

    With a ``tilt`` the lengths of frequencies are those on the tilted surface.
    """
    size = region.shape[0]
    values = windowed(region)
    padded = fft.next_fast_len(PADDING * size)
    transform = fft.fftshift(fft.fft2(values, s=(padded, padded)))
    power = transform.real**2 + transform.imag**2
    k = fft.fftshift(fft.fftfreq(padded))
    radius = _radius(k, tilt)
    log_background = _fit_background(power, radius, k_min=MIN_PERIODS / size)
    background = _background_power(radius, log_background, MIN_PERIODS / size)
    return Spectrum(
        size=size,
        windowed=values,
        ratio=power / background,
        k=k,
        radius=radius,
        background_log=log_background,
        tilt=tilt,
    )


def _radius(k: Array, tilt: Tilt | None) -> Array:
    """|k| (m, m) of the mesh of ``k`` (m,) as rows and columns."""
    if tilt is None:
        return np.asarray(np.hypot(k[:, None], k[None, :]))
    s = tilt.shrink
    kx, ky = k[None, :], k[:, None]
    return np.asarray(np.hypot(s[0, 0] * kx + s[0, 1] * ky, s[1, 0] * kx + s[1, 1] * ky))


def _fit_background(power: Array, radius: Array, *, k_min: float) -> Array:
    """Polynomial in ln |k| through ln of the mean background power.

    A low quantile of each ring stands for its mean: for exponential power, mean = quantile / -ln(1 - q).
    Rings that stand above the curve hold the lattice and lose their weight in the next round.
    """
    floor = max(float(power.max()), np.finfo(np.float64).tiny / FLOOR) * FLOOR
    edges = np.geomspace(k_min, 0.5, BACKGROUND_BINS + 1)
    which = np.digitize(radius.ravel(), edges) - 1
    flat = power.ravel()
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(BACKGROUND_BINS + 1))
    x, y, weight = [], [], []
    for number in range(BACKGROUND_BINS):
        ring = flat[order[starts[number] : starts[number + 1]]]
        if ring.size < 8:
            continue
        level = np.quantile(ring, BACKGROUND_QUANTILE) / -np.log1p(-BACKGROUND_QUANTILE)
        x.append(0.5 * np.log(edges[number] * edges[number + 1]))
        y.append(np.log(max(float(level), floor)))
        weight.append(np.sqrt(ring.size))
    return _lower_polynomial(np.array(x), np.array(y), np.array(weight))


def _lower_polynomial(x: Array, y: Array, weight: Array) -> Array:
    degree = min(BACKGROUND_DEGREE, max(0, x.size - 2))
    middle = 0.5 * np.log(0.5 * 0.05)
    base = np.polynomial.polynomial.polyvander(x - middle, degree)
    use = np.sqrt(weight)
    for _ in range(BACKGROUND_ROUNDS):
        coefficients = np.linalg.lstsq(base * use[:, None], y * use, rcond=None)[0]
        above = np.maximum(y - base @ coefficients, 0.0)
        use = np.sqrt(weight) / (1.0 + (above / 0.5) ** 2)
    return np.asarray(np.concatenate([[middle], coefficients]))


def _background_power(radius: Array, log_background: Array, k_min: float) -> Array:
    x = np.log(np.clip(radius, k_min, 0.5)) - log_background[0]
    return np.asarray(np.exp(np.polynomial.polynomial.polyval(x, log_background[1:])))


def dft(values: Array, *, kx: npt.ArrayLike, ky: npt.ArrayLike) -> Complex:
    """Fourier sums ``sum f exp(-2 pi i (kx x + ky y))`` on the mesh of ``ky`` (a,) and ``kx`` (b,): (a, b).

    x and y count pixels from the centre of ``values`` (rows, cols).
    """
    rows, cols = values.shape
    y = np.arange(rows) - 0.5 * (rows - 1)
    x = np.arange(cols) - 0.5 * (cols - 1)
    turn = 2.0 * np.pi * np.outer(x, np.atleast_1d(kx))
    # Real products: the large array is not copied to complex.
    across = values @ np.concatenate([np.cos(turn), np.sin(turn)], axis=1)
    half = turn.shape[1]
    left = np.exp(-2j * np.pi * np.outer(np.atleast_1d(ky), y))
    return np.asarray(left @ (across[:, :half] - 1j * across[:, half:]))


def zoomed_ratio(spectrum: Spectrum, *, k_max: float, samples: int) -> Floats:
    """Background-divided power (samples, samples) from -k_max; k = 0 stands at index samples // 2."""
    axis = np.asarray((np.arange(samples) - samples // 2) * (k_max / (samples // 2)), dtype=np.float64)
    power = np.abs(dft(spectrum.windowed, kx=axis, ky=axis)) ** 2
    radius = _radius(axis, spectrum.tilt)
    return np.asarray(power / spectrum.background(radius), dtype=np.float32)


def radial_average(spectrum: Spectrum) -> tuple[Array, Array]:
    """Mean of the background-divided power in rings half a period per region wide: |k| and mean, (n,)."""
    step = 0.5 / spectrum.size
    which = (spectrum.radius / step).astype(np.int64).ravel()
    total = np.bincount(which, weights=spectrum.ratio.ravel())
    k_sum = np.bincount(which, weights=spectrum.radius.ravel())
    count = np.bincount(which)
    keep = (count > 0) & (np.arange(count.size) * step < spectrum.k_max)
    return k_sum[keep] / count[keep], total[keep] / count[keep]
