"""Where the direct beam is, from the pairs of peaks +b and -b of many frames.

Both peaks of a pair lie at the same distance from the beam (Friedel). The place of the beam that makes the
counts of all frames most likely is found by Fisher scoring, the parameters of each frame's peaks set free
beside it: with score U and information J, split into the beam's part d and the peaks' part n,
``J_d = J_dd - J_dn J_nn^-1 J_nd`` and ``U_d = U_d - J_dn J_nn^-1 U_n`` are summed over the frames and the
beam moves by ``J_d^-1 U_d``. The errors are widened by what the frames differ from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.records import BeamCenter, DetectorGeometry
from analysis.xray.frame_kernels import AMBIGUOUS, OK, PARAMETERS, STATUS
from analysis.xray.geometry import PixelDirections, direct_beam_px, pixel_directions
from analysis.xray.pair_kernels import N_ALL, N_PEAKS, information, near_peaks
from analysis.xray.setup import ScanSetup

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int32]

MOST_FRAMES = 80
LEAST_FRAMES = 4
REACH = 3.0
MOST_ROUNDS, SETTLED_PX, MOST_STEP_PX = 8, 2e-3, 3.0
ODD = 40.0
"""A frame whose own opinion differs by this chi-square (2 degrees of freedom) is not asked."""

WORST_PX = 2.0
"""A place that is known no better than this is not known."""


@dataclass(frozen=True, kw_only=True)
class NearPeaks:
    """Of one frame: the parameters of its peaks (12,), pixels near them (flat indices) and their counts.

    ``exposure`` is relative to that of the setup."""

    parameters: Array
    places: Index
    counts: Array
    exposure: float = 1.0


def chosen_frames(rows: Array, most: int = MOST_FRAMES) -> npt.NDArray[np.int64]:
    """Indices of at most ``most`` points with fitted peaks, evenly over ``rows`` (points, ROW_LENGTH).

    A beam taken to be elsewhere splits each pair, which may look like two lattices: those count as well.
    """
    fitted = np.isin(rows[:, STATUS], (OK, AMBIGUOUS)) & np.isfinite(
        rows[:, PARAMETERS : PARAMETERS + N_PEAKS]
    ).all(axis=1)
    good = np.flatnonzero(fitted)
    return good[np.unique(np.linspace(0, good.size - 1, min(most, good.size)).astype(np.int64))]


def near_peaks_of(
    rows: Array, patterns: Sequence[Counts], setup: ScanSetup, exposures: Array | None = None
) -> list[NearPeaks]:
    """What frames with these ``rows`` (n, ROW_LENGTH) and counts (h, w) hold near their peaks."""
    room = np.empty(setup.places.size, dtype=np.int32)
    q, phi = setup.q_mean_per_nm.ravel(), setup.phi_rad.ravel()
    kept = []
    each = np.ones(len(rows)) if exposures is None else exposures
    for row, pattern, exposure in zip(rows, patterns, each, strict=True):
        parameters = row[PARAMETERS : PARAMETERS + N_PEAKS].copy()
        found = room[: near_peaks(q, phi, setup.places, parameters, REACH, room)]
        counts = pattern.ravel()[found]
        trusted = counts < setup.limit
        kept.append(
            NearPeaks(
                parameters=parameters,
                places=found[trusted],
                counts=counts[trusted].astype(np.float64),
                exposure=float(exposure),
            )
        )
    return kept


def beam_from_pairs(
    frames: Sequence[NearPeaks],
    setup: ScanSetup,
    geometry: DetectorGeometry,
    *,
    origin: tuple[int, int],
    applied: bool = False,
) -> BeamCenter | None:
    """The beam's place that all frames agree on best; None where too few tell it.

    ``geometry`` is the one that the frames were fitted with, ``origin`` the region's first (row, col).
    """
    if len(frames) < LEAST_FRAMES:
        return None
    parameters = np.array([frame.parameters for frame in frames])
    shift, opinions = np.zeros(2), _Opinions(np.zeros((0, 2)), np.zeros((0, 2, 2)))
    for _ in range(MOST_ROUNDS):
        moved = moved_beam(geometry, (float(shift[0]), float(shift[1])))
        directions = pixel_directions(moved, origin=origin, shape=setup.shape)
        opinions, steps = _asked(frames, parameters, setup, directions)
        try:
            step = np.linalg.solve(opinions.information.sum(axis=0), opinions.score.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        shift = shift + np.clip(step, -MOST_STEP_PX, MOST_STEP_PX)
        if not np.isfinite(shift).all() or np.abs(shift).max() > 0.25 * min(setup.shape):
            return None
        if np.abs(step).max() < SETTLED_PX:
            break
        parameters = parameters + steps
    error = opinions.error_px()
    if not np.isfinite(error).all() or error.max() > WORST_PX:
        return None
    col, row = direct_beam_px(geometry)
    return BeamCenter(
        column_px=float(col + shift[0]),
        row_px=float(row + shift[1]),
        column_err_px=float(error[0]),
        row_err_px=float(error[1]),
        shift_px=(float(shift[0]), float(shift[1])),
        frames=len(opinions.score),
        applied=applied,
    )


def moved_beam(geometry: DetectorGeometry, shift_px: tuple[float, float]) -> DetectorGeometry:
    """The same detector, moved so that the beam meets it ``shift_px`` (columns, rows) farther on."""
    col, row = geometry.beam_center_px
    return replace(geometry, beam_center_px=(col + shift_px[0], row + shift_px[1]))


@dataclass(frozen=True)
class _Opinions:
    """What each frame says of the beam's place: score (n, 2) and information (n, 2, 2)."""

    score: Array
    information: Array

    def error_px(self) -> Array:
        """1 sigma (column, row), widened by the frames' scatter where that is larger than likely."""
        try:
            covariance = np.linalg.inv(self.information.sum(axis=0))
        except np.linalg.LinAlgError:
            return np.full(2, np.nan)
        scatter = float(np.mean(_chi_square(self.score, self.information))) / 2.0
        return np.asarray(np.sqrt(np.diag(covariance) * max(1.0, scatter)))


def _chi_square(score: Array, information_: Array) -> Array:
    return np.asarray(np.einsum("ni,nij,nj->n", score, np.linalg.pinv(information_), score))


def _asked(
    frames: Sequence[NearPeaks], parameters: Array, setup: ScanSetup, directions: PixelDirections
) -> tuple[_Opinions, Array]:
    """Opinions of the frames that are not odd, and by how much their peaks' parameters should move."""
    q = directions.q_per_nm
    q_mean = (q + directions.step_per_nm**2 / (24.0 * np.maximum(q, directions.step_per_nm))).ravel()
    phi, slopes = directions.phi_rad.ravel(), _slopes(directions)
    efficiency, background = setup.efficiency.ravel(), setup.background.ravel()
    score, fisher = np.empty(N_ALL), np.empty((N_ALL, N_ALL))
    told, known, steps = [], [], np.zeros_like(parameters)
    for index, frame in enumerate(frames):
        information(
            q_mean,
            phi,
            slopes,
            frame.exposure * efficiency,
            frame.exposure * background,
            frame.places,
            frame.counts,
            parameters[index],
            score,
            fisher,
        )
        inner, outer = fisher[:N_PEAKS, :N_PEAKS], fisher[N_PEAKS:, :N_PEAKS]
        try:
            through = np.linalg.solve(inner, outer.T).T
            steps[index] = np.linalg.solve(inner, score[:N_PEAKS])
        except np.linalg.LinAlgError:
            continue
        told.append(score[N_PEAKS:] - through @ score[:N_PEAKS])
        known.append(fisher[N_PEAKS:, N_PEAKS:] - through @ outer.T)
    opinions = _Opinions(np.array(told).reshape(-1, 2), np.array(known).reshape(-1, 2, 2))
    return _without_odd(opinions), _careful(steps, parameters)


def _without_odd(opinions: _Opinions) -> _Opinions:
    """The frames whose own step from the common one is within what is likely."""
    together = opinions.information.sum(axis=0)
    common = np.linalg.pinv(together) @ opinions.score.sum(axis=0)
    left = opinions.score - np.einsum("nij,j->ni", opinions.information, common)
    kept = _chi_square(left, opinions.information) < ODD
    return _Opinions(opinions.score[kept], opinions.information[kept]) if kept.any() else opinions


def _careful(steps: Array, parameters: Array) -> Array:
    """Steps of the peaks' parameters, none larger than a part of a width; offsets stay."""
    bounded = steps.copy()
    for at in (0, 6):
        for k in (0, 1):
            most = np.exp(parameters[:, at + 2 + k])
            bounded[:, at + k] = np.clip(steps[:, at + k], -most, most)
        bounded[:, at + 2 : at + 5] = np.clip(steps[:, at + 2 : at + 5], -0.4, 0.4)
        bounded[:, at + 5] = 0.0
    return bounded


def _slopes(directions: PixelDirections) -> Array:
    """Derivatives (4, pixels) of q and phi by the beam's column and row: a pixel's, with the other sign."""
    q, phi = directions.q_per_nm, directions.phi_rad
    x, y = q * np.cos(phi), q * np.sin(phi)
    square = np.maximum(q, 1e-9) ** 2
    out = np.empty((4, q.size))
    for d, axis in enumerate((1, 0)):
        dx, dy = np.gradient(x, axis=axis), np.gradient(y, axis=axis)
        out[d] = -((x * dx + y * dy) / np.sqrt(square)).ravel()
        out[2 + d] = -((x * dy - y * dx) / square).ravel()
    return out


def beam_of_scan(
    rows: Array,
    pattern: Callable[[int], Counts],
    setup: ScanSetup,
    geometry: DetectorGeometry,
    *,
    origin: tuple[int, int],
    exposures: Array | None = None,
    applied: bool = False,
) -> BeamCenter | None:
    """The beam's place from a reduced scan; ``pattern`` gives the counts (h, w) of a point by its index."""
    chosen = chosen_frames(rows)
    patterns = [pattern(int(point)) for point in chosen]
    each = None if exposures is None else exposures[chosen]
    frames = near_peaks_of(rows[chosen], patterns, setup, each)
    return beam_from_pairs(frames, setup, geometry, origin=origin, applied=applied)
