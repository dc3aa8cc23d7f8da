"""How well lattices come back: bounds from the truth alone, verdicts on fits, frames with two domains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.records import XRAY_STATUS, DetectorGeometry
from analysis.xray.frame_kernels import COVARIANCE, PARAMETERS, STATUS
from analysis.xray.geometry import pixel_directions
from analysis.xray.lattice import cells_from_peaks
from analysis.xray.setup import ScanSetup, scan_setup
from tests.xray.lattice_frames import (
    BEAMSTOP_PX,
    DISTANCE_MM,
    PIXEL_MM,
    Q_MAX,
    WAVELENGTH_NM,
    Detector,
    Lattice,
    random_lattice,
)
from tests.xray.scan_setups import reduced

QUANTITIES = ("a1", "a2", "gamma", "psi", "a_sc")
DETECTOR = Detector()
_GEOMETRY = DetectorGeometry(
    wavelength_nm=WAVELENGTH_NM,
    distance_mm=DISTANCE_MM,
    pixel_size_um=(1e3 * PIXEL_MM, 1e3 * PIXEL_MM),
    beam_center_px=DETECTOR.beam,
    shape=DETECTOR.shape,
)
_DIRECTIONS = pixel_directions(_GEOMETRY)


def setup_with(gap: np.ndarray | None = None) -> ScanSetup:
    """The scan's setup with its film known; pixels of ``gap`` (of the detector's ``places``) do not count."""
    usable = DETECTOR.image(np.ones(DETECTOR.places.size)) > 0
    if gap is not None:
        usable.ravel()[DETECTOR.places[gap]] = False
    return scan_setup(
        _DIRECTIONS,
        usable=usable,
        background=DETECTOR.image(DETECTOR.film),
        background_share=0.0,
        beam_px=DETECTOR.beam,
        limit=2**32 - 1,
        q_min_per_nm=(BEAMSTOP_PX + 1.0) * DETECTOR.step,
        q_max_per_nm=Q_MAX,
        first_order_q_per_nm=None,
    )


def _numbers(lattice: Lattice) -> np.ndarray:
    logs = np.log([*lattice.photons, *lattice.sigma_q, *lattice.sigma_phi])
    return np.array([lattice.a1, lattice.a2, lattice.gamma, lattice.psi, *logs])


def _lattice(numbers: np.ndarray, like: Lattice) -> Lattice:
    photons, sigma_q, sigma_phi = (tuple(np.exp(numbers[k : k + 2])) for k in (4, 6, 8))
    a1, a2, gamma, psi = numbers[:4]
    return replace(
        like, a1=a1, a2=a2, gamma=gamma, psi=psi, photons=photons, sigma_q=sigma_q, sigma_phi=sigma_phi
    )


def cramer_rao(lattice: Lattice) -> np.ndarray:
    """Least standard deviation of the five quantities, from differences of the simulator's own mean.

    ``F = sum (d mu / d x)(d mu / d y) / mu`` over all pixels, for the cell, photons and widths; the film is
    known, which no fit does better than.
    """
    numbers, mean = _numbers(lattice), DETECTOR.film + DETECTOR.peaks(lattice)
    slopes = []
    for k in range(numbers.size):
        ends = []
        step = 1e-5 * max(1.0, abs(numbers[k])) if k < 4 else 1e-4
        for sign in (1.0, -1.0):
            moved = numbers.copy()
            moved[k] += sign * step
            ends.append(DETECTOR.peaks(_lattice(moved, lattice)))
        slopes.append((ends[0] - ends[1]) / (2.0 * step))
    jacobian = np.array(slopes)
    covariance = np.linalg.inv((jacobian / mean) @ jacobian.T)[:4, :4]
    wanted = np.vstack([np.eye(4), [0.5, 0.5, 0.0, 0.0]])
    return np.sqrt(np.diag(wanted @ covariance @ wanted.T))


def many_fits(lattice: Lattice, number: int, seed: int) -> np.ndarray:
    """Rows of ``number`` frames of one lattice."""
    rng, mean, setup = np.random.default_rng(seed), DETECTOR.film + DETECTOR.peaks(lattice), setup_with()
    parts = []
    for first in range(0, number, 50):
        frames = [DETECTOR.drawn(mean, rng) for _ in range(min(50, number - first))]
        parts.append(reduced(np.stack(frames), setup).rows)
    return np.concatenate(parts)


def errors_and_stated(rows: np.ndarray, lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Found minus true and the stated 1 sigma of the five quantities, each (5, fits)."""
    fit = rows[:, PARAMETERS : PARAMETERS + 12]
    covariance = rows[:, COVARIANCE : COVARIANCE + 16].reshape(-1, 4, 4)
    found = cells_from_peaks(fit[:, (0, 6)], fit[:, (1, 7)], covariance, omega_centre_deg=0.0)
    values = np.array(
        [getattr(found, name) for name in ("a1_nm", "a2_nm", "gamma_deg", "psi_deg", "a_sc_nm")]
    )
    truth = np.array([getattr(lattice, name) for name in QUANTITIES])
    return values - truth[:, None], np.array([found.errors[name] for name in QUANTITIES])


def _cell(b: np.ndarray) -> np.ndarray:
    """(|a1|, |a2|, angle between, direction of a1 in degrees) of rows b1, b2."""
    a = 2.0 * np.pi * np.linalg.inv(b).T
    lengths = np.linalg.norm(a, axis=1)
    angle = np.degrees(np.arccos(a[0] @ a[1] / lengths.prod()))
    return np.array([*lengths, angle, np.degrees(np.arctan2(a[0, 1], a[0, 0]))])


def is_wrong(row: np.ndarray, truth: Lattice) -> bool:
    """Whether a fit is off by over 5 sigma and over 1 % (angles: of 90), in any basis of the truth."""
    places = row[[PARAMETERS, PARAMETERS + 1, PARAMETERS + 6, PARAMETERS + 7]]

    def vectors(numbers: np.ndarray) -> np.ndarray:
        (q1, phi1), (q2, phi2) = numbers[:2], numbers[2:]
        return np.array([[q1 * np.cos(phi1), q1 * np.sin(phi1)], [q2 * np.cos(phi2), q2 * np.sin(phi2)]])

    whole = np.round(vectors(places) @ np.linalg.inv(truth.reciprocal()))
    if abs(round(float(np.linalg.det(whole)))) != 1:
        return True
    found, true = _cell(vectors(places)), _cell(whole @ truth.reciprocal())
    jacobian = np.array([(_cell(vectors(places + 1e-6 * unit)) - found) / 1e-6 for unit in np.eye(4)]).T
    covariance = row[COVARIANCE : COVARIANCE + 16].reshape(4, 4)
    off = found - true
    off[3] = (off[3] + 180.0) % 360.0 - 180.0
    sigmas = np.abs(off) / np.sqrt(np.diag(jacobian @ covariance @ jacobian.T))
    relative = np.abs(off) / np.array([true[0], true[1], 90.0, 90.0])
    return bool(np.any((sigmas > 5.0) & (relative > 0.01)))


def status_of(row: np.ndarray, truths: tuple[Lattice, ...]) -> str:
    """Status of a row; ``wrong`` where it is ok and none of the ``truths``."""
    status = XRAY_STATUS[int(row[STATUS])]
    return "wrong" if status == "ok" and all(is_wrong(row, truth) for truth in truths) else status


def one_random_lattice(number: int) -> tuple[Lattice, str]:
    """A random reduced lattice under a gap at 300 photons a peak, and what became of it."""
    rng = np.random.default_rng((101, number))
    lattice = random_lattice(rng)
    gap = DETECTOR.gap_over_a_peak(lattice, rng)
    frame = DETECTOR.drawn(DETECTOR.film + DETECTOR.peaks(lattice), rng)
    return lattice, status_of(reduced(frame[None], setup_with(gap)).rows[0], (lattice,))


def two_domains(rng: np.random.Generator) -> tuple[Lattice, Lattice]:
    """Two domains of nearly one cell, turned by 10 to 80 degrees, the second with half to all the photons.

    Each has a first-order pair that lies three widths from every spot of the other: otherwise they cannot be
    told from one mosaic crystal.
    """
    while True:
        one = random_lattice(rng)
        stretch, share = rng.uniform(0.95, 1.05, 2), float(rng.uniform(0.5, 1.0))
        other = replace(
            one,
            psi=one.psi + float(rng.uniform(10.0, 80.0)),
            a1=one.a1 * float(stretch[0]),
            a2=one.a2 * float(stretch[1]),
            photons=(share * one.photons[0], share * one.photons[1]),
        )
        if _stands_out(one, other) and _stands_out(other, one):
            return one, other


def _stands_out(one: Lattice, other: Lattice) -> bool:
    for q, phi, s, p, _ in one.spots()[:2]:
        away = []
        for q2, phi2, s2, p2, _ in other.spots():
            turn = phi - phi2 - np.pi * np.round((phi - phi2) / np.pi)
            away.append(np.hypot((q - q2) / max(s, s2), turn / max(p, p2)))
        if min(away) > 3.0:
            return True
    return False


def one_frame_of_two(number: int, setup: ScanSetup) -> str:
    """What became of a frame with two domains."""
    rng = np.random.default_rng((202, number))
    both = two_domains(rng)
    frame = DETECTOR.drawn(DETECTOR.film + sum(DETECTOR.peaks(domain) for domain in both), rng)
    return status_of(reduced(frame[None], setup).rows[0], both)
