"""What a group would write today for SAXS maps: h5py, pyFAI and scipy; once naively, once tuned."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pyFAI
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
from scipy.ndimage import gaussian_filter
from scipy.optimize import curve_fit, least_squares

from tests.bench import frames

N_Q, N_PHI, Q_MAX = 200, 360, 2.0
N_Q_WAXS = 1000
WINDOW_Q, WINDOW_PHI = 20, 30


def geometry(row0: int = 0, col0: int = 0) -> AzimuthalIntegrator:
    """pyFAI's geometry of the detector, or of its part that begins at ``row0, col0``."""
    pixel = frames.PIXEL_UM * 1e-6
    return AzimuthalIntegrator(
        dist=frames.DISTANCE_MM * 1e-3,
        poni1=(frames.CENTRE[1] - row0 + 0.5) * pixel,
        poni2=(frames.CENTRE[0] - col0 + 0.5) * pixel,
        pixel1=pixel,
        pixel2=pixel,
        wavelength=frames.WAVELENGTH_NM * 1e-9,
    )


def _peaks(intensity: np.ndarray) -> list[tuple[slice, np.ndarray]]:
    """Windows (rows of q, columns of phi, periodic) around the four strongest spots 90 degrees apart."""
    smooth = gaussian_filter(intensity, (1.5, 3), mode=("nearest", "wrap"))
    smooth[:15] = 0
    row, col = np.unravel_index(np.argmax(smooth), smooth.shape)
    rows = slice(max(row - WINDOW_Q, 0), row + WINDOW_Q)
    return [
        (rows, np.arange(col + step - WINDOW_PHI, col + step + WINDOW_PHI) % N_PHI)
        for step in range(0, N_PHI, N_PHI // 4)
    ]


def _gauss(points: tuple[np.ndarray, np.ndarray], *p: float) -> np.ndarray:
    q, phi = points
    return p[0] * np.exp(-0.5 * ((q - p[1]) / p[2]) ** 2 - 0.5 * ((phi - p[3]) / p[4]) ** 2) + p[5]


def _a_sc(fitted: list[tuple[float, float, float]]) -> tuple[float, float]:
    """<a_SC> in nm and 1 sigma of a nearly square lattice from (q, phi in degrees, sigma of q) of the peaks
    +b1, +b2, -b1, -b2."""
    q1, q2 = (fitted[0][0] + fitted[2][0]) / 2, (fitted[1][0] + fitted[3][0]) / 2
    angle = np.deg2rad((fitted[1][1] - fitted[0][1] + fitted[3][1] - fitted[2][1]) / 2)
    s1, s2 = np.hypot(fitted[0][2], fitted[2][2]) / 2, np.hypot(fitted[1][2], fitted[3][2]) / 2
    error = np.pi * np.hypot(s1 / q1**2, s2 / q2**2)
    return float(np.pi * (1 / q1 + 1 / q2) / np.sin(angle)), float(error)


def fit_naive(intensity: np.ndarray, q: np.ndarray) -> tuple[float, float]:
    """<a_SC> by scipy's curve_fit of each of the four spots."""
    fitted = []
    for step, (rows, cols) in enumerate(_peaks(intensity)):
        window = intensity[rows][:, cols]
        phi = np.arange(cols.size, dtype=float) - WINDOW_PHI
        qq, pp = np.meshgrid(q[rows], phi, indexing="ij")
        start = (window.max(), qq.ravel()[window.argmax()], 0.02, pp.ravel()[window.argmax()], 5.0, 0.0)
        best, covariance = curve_fit(_gauss, (qq.ravel(), pp.ravel()), window.ravel(), p0=start)
        fitted.append((best[1], best[3] + 90.0 * step, np.sqrt(covariance[1, 1])))
    return _a_sc(fitted)


def _residual(p: np.ndarray, q: np.ndarray, phi: np.ndarray, window: np.ndarray) -> np.ndarray:
    return _gauss((q, phi), *p) - window


def _jacobian(p: np.ndarray, q: np.ndarray, phi: np.ndarray, _window: np.ndarray) -> np.ndarray:
    u, v = (q - p[1]) / p[2], (phi - p[3]) / p[4]
    shape = np.exp(-0.5 * u * u - 0.5 * v * v)
    peak = p[0] * shape
    columns = (
        shape,
        peak * u / p[2],
        peak * u * u / p[2],
        peak * v / p[4],
        peak * v * v / p[4],
        np.ones_like(q),
    )
    return np.stack(columns, axis=1)


def fit_tuned(intensity: np.ndarray, seen: np.ndarray, q: np.ndarray) -> tuple[float, float]:
    """<a_SC> by least_squares with the analytic Jacobian; ``seen`` are the bins that hold a pixel."""
    fitted = []
    for step, (rows, cols) in enumerate(_peaks(intensity)):
        there = seen[rows][:, cols]
        window = intensity[rows][:, cols][there]
        qq, pp = np.meshgrid(q[rows], np.arange(cols.size, dtype=float) - WINDOW_PHI, indexing="ij")
        qq, pp = qq[there], pp[there]
        top = window.argmax()
        start = np.array((window[top], qq[top], 0.02, pp[top], 5.0, 0.0))
        made = least_squares(_residual, start, jac=_jacobian, method="lm", args=(qq, pp, window))
        variance = np.linalg.inv(made.jac.T @ made.jac)[1, 1] * 2 * made.cost / (window.size - 6)
        fitted.append((made.x[1], made.x[3] + 90.0 * step, np.sqrt(variance)))
    return _a_sc(fitted)


@dataclass
class Run:
    """<a_SC> in nm of each frame with 1 sigma; when (seconds of the clock) the first and last were done."""

    a_sc_nm: list[tuple[float, float]] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0
    cpu_first: float = 0.0
    cpu_last: float = 0.0

    def done(self, a_sc_nm: tuple[float, float]) -> None:
        """One more frame."""
        self.a_sc_nm.append(a_sc_nm)
        self.last, self.cpu_last = time.time(), time.process_time()
        self.first, self.cpu_first = self.first or self.last, self.cpu_first or self.cpu_last

    @property
    def cpu_s(self) -> float:
        """Processor seconds between the first and the last frame."""
        return self.cpu_last - self.cpu_first


def naive(master: Path, count: int, waxs: bool) -> Run:
    """One process: whole frames through h5py, integrate2d with its defaults, curve_fit."""
    ai, whole, mask = geometry(), geometry(), frames.pixel_mask()  # one for each binning: both are kept
    run = Run()
    for frame in _each_frame(master, 0, count):
        polar = ai.integrate2d(frame, N_Q, N_PHI, unit="q_nm^-1", radial_range=(0, Q_MAX), mask=mask)
        found = fit_naive(polar.intensity.T, polar.radial)
        if waxs:
            far = whole.integrate2d(frame, N_Q_WAXS, N_PHI, unit="q_nm^-1", mask=mask)
            _fit_spots(far.intensity.T, far.radial, far.azimuthal, tuned=False)
        run.done(found)
    return run


def _fit_spots(intensity: np.ndarray, q: np.ndarray, phi: np.ndarray, *, tuned: bool) -> list[float]:
    """q of each 100 spot from a window of 0.8 nm^-1 by 24 degrees."""
    rows = np.flatnonzero(np.abs(q - frames.SPOT_Q) < 0.4)
    found = []
    for angle in [-up for up in frames.SPOTS_DEG]:  # pyFAI's azimuth grows downwards
        cols = np.flatnonzero(np.abs(phi - angle) < 12.0)
        window = intensity[np.ix_(rows, cols)].ravel()
        qq, pp = (part.ravel() for part in np.meshgrid(q[rows], phi[cols], indexing="ij"))
        start = np.array((window.max(), frames.SPOT_Q, 0.1, angle, 3.0, window.min()))
        if tuned:
            fitted = least_squares(_residual, start, jac=_jacobian, method="lm", args=(qq, pp, window)).x
        else:
            try:
                fitted, _ = curve_fit(_gauss, (qq, pp), window, p0=start)
            except RuntimeError:  # it gives up on some weak spots
                fitted = start
        found.append(float(fitted[1]))
    return found


def _each_frame(master: Path, first: int, last: int):
    for data, place in _places(master, first, last):
        yield data[place]


def _places(master: Path, first: int, last: int):
    """Dataset and index in it of each frame from ``first`` until ``last``."""
    with h5py.File(master) as file:
        group = file["entry/data"]
        number = 0
        for name in sorted(group):
            data = group[name]
            for place in range(data.shape[0]):
                if first <= number < last:
                    yield data, place
                number += 1


def _tuned_part(job: tuple[Path, int, int, bool]) -> Run:
    master, first, last, waxs = job
    reach = 166
    row0, col0 = int(frames.CENTRE[1]) - reach, int(frames.CENTRE[0]) - reach
    part = np.s_[row0 : row0 + 2 * reach + 1, col0 : col0 + 2 * reach + 1]
    ai, whole, mask = geometry(row0, col0), geometry(), frames.pixel_mask()
    buffer = np.empty(frames.SHAPE, dtype=np.uint32)
    how = {"unit": "q_nm^-1", "method": ("no", "csc", "cython")}
    run = Run()
    for data, place in _places(master, first, last):
        data.read_direct(buffer, np.s_[place])
        region = np.ascontiguousarray(buffer[part])
        near = ai.integrate2d(region, N_Q, N_PHI, radial_range=(0, Q_MAX), mask=mask[part], **how)
        found = fit_tuned(near.intensity.T, near.count.T > 0, near.radial)
        if waxs:
            far = whole.integrate2d(buffer, N_Q_WAXS, N_PHI, mask=mask, **how)
            _fit_spots(far.intensity.T, far.radial, far.azimuthal, tuned=True)
        run.done(found)
    return run


def tuned(master: Path, count: int, waxs: bool) -> Run:
    """Two processes: a reused buffer, pyFAI's CSC on the SAXS region, least_squares with the Jacobian."""
    half = (count + 1) // 2
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        one, two = pool.map(_tuned_part, [(master, 0, half, waxs), (master, half, count, waxs)])
    return Run(
        one.a_sc_nm + two.a_sc_nm,
        max(one.first, two.first),
        max(one.last, two.last),
        cpu_last=one.cpu_s + two.cpu_s,
    )


VERSION = pyFAI.version
