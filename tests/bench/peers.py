"""What a group would write today for SAXS maps: h5py, pyFAI and scipy; once naively, once tuned."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
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


def _a_sc(fitted: list[tuple[float, float]]) -> float:
    """<a_SC> in nm of a nearly square lattice from (q, phi in degrees) of peaks +b1, +b2, -b1, -b2."""
    q1, q2 = (fitted[0][0] + fitted[2][0]) / 2, (fitted[1][0] + fitted[3][0]) / 2
    angle = np.deg2rad((fitted[1][1] - fitted[0][1] + fitted[3][1] - fitted[2][1]) / 2)
    return float(np.pi * (1 / q1 + 1 / q2) / np.sin(angle))


def fit_naive(intensity: np.ndarray, q: np.ndarray) -> float:
    """<a_SC> by scipy's curve_fit of each of the four spots."""
    fitted = []
    for step, (rows, cols) in enumerate(_peaks(intensity)):
        window = intensity[rows][:, cols]
        phi = np.arange(cols.size, dtype=float) - WINDOW_PHI
        qq, pp = np.meshgrid(q[rows], phi, indexing="ij")
        start = (window.max(), qq.ravel()[window.argmax()], 0.02, pp.ravel()[window.argmax()], 5.0, 0.0)
        best, _ = curve_fit(_gauss, (qq.ravel(), pp.ravel()), window.ravel(), p0=start)
        fitted.append((best[1], best[3] + 90.0 * step))
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


def fit_tuned(intensity: np.ndarray, q: np.ndarray) -> float:
    """<a_SC> by least_squares with the analytic Jacobian."""
    fitted = []
    for step, (rows, cols) in enumerate(_peaks(intensity)):
        window = intensity[rows][:, cols].ravel()
        qq, pp = np.meshgrid(q[rows], np.arange(cols.size, dtype=float) - WINDOW_PHI, indexing="ij")
        qq, pp = qq.ravel(), pp.ravel()
        top = window.argmax()
        start = np.array((window[top], qq[top], 0.02, pp[top], 5.0, 0.0))
        best = least_squares(_residual, start, jac=_jacobian, method="lm", args=(qq, pp, window)).x
        fitted.append((best[1], best[3] + 90.0 * step))
    return _a_sc(fitted)


def naive(master: Path, count: int) -> list[float]:
    """One process: whole frames through h5py, integrate2d with its defaults, curve_fit."""
    ai, mask = geometry(), frames.pixel_mask()
    found = []
    for frame in _each_frame(master, 0, count):
        polar = ai.integrate2d(frame, N_Q, N_PHI, unit="q_nm^-1", radial_range=(0, Q_MAX), mask=mask)
        found.append(fit_naive(polar.intensity.T, polar.radial))
    return found


def _each_frame(master: Path, first: int, last: int):
    with h5py.File(master) as file:
        group = file["entry/data"]
        number = 0
        for name in sorted(group):
            data = group[name]
            for place in range(data.shape[0]):
                if first <= number < last:
                    yield data[place]
                number += 1


def _tuned_part(job: tuple[Path, int, int]) -> list[float]:
    master, first, last = job
    reach = 166
    row0, col0 = int(frames.CENTRE[1]) - reach, int(frames.CENTRE[0]) - reach
    part = np.s_[row0 : row0 + 2 * reach + 1, col0 : col0 + 2 * reach + 1]
    ai, mask = geometry(row0, col0), frames.pixel_mask()[part]
    buffer = np.empty(frames.SHAPE, dtype=np.uint32)
    found = []
    with h5py.File(master) as file:
        group = file["entry/data"]
        number = 0
        for name in sorted(group):
            data = group[name]
            for place in range(data.shape[0]):
                if first <= number < last:
                    data.read_direct(buffer, np.s_[place])
                    region = np.ascontiguousarray(buffer[part])
                    polar = ai.integrate2d(
                        region,
                        N_Q,
                        N_PHI,
                        unit="q_nm^-1",
                        radial_range=(0, Q_MAX),
                        mask=mask,
                        method=("no", "csc", "cython"),
                    )
                    found.append(fit_tuned(polar.intensity.T, polar.radial))
                number += 1
    return found


def tuned(master: Path, count: int) -> list[float]:
    """Two processes: a reused buffer, pyFAI's CSC on the SAXS region, least_squares with the Jacobian."""
    half = (count + 1) // 2
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_tuned_part, [(master, 0, half), (master, half, count)]))
    return parts[0] + parts[1]


VERSION = pyFAI.version
