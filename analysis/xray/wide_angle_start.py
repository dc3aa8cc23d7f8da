"""Where the atomic lattice's spots are looked for: its lattice constant and orientation from summed frames.

The lattice is pseudo-cubic, seen along [001]: a spot hk lies at ``q = 2 pi sqrt(h^2 + k^2) / a_AL`` and at
the azimuth ``psi_AL + atan2(k, h)``, psi_AL being where [100] points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.xray.spot_window import N_COLUMNS, OK, fit_spot
from analysis.xray.wide_angle_cells import CellMap
from analysis.xray.wide_angle_kernels import PHI_BINS, orientation

Array = npt.NDArray[np.float64]

REFLECTIONS: dict[str, tuple[float, float]] = {"100": (1.0, 0.0), "110": (1.0, 1.0), "200": (2.0, 0.0)}
HALF_INTEGER: dict[str, tuple[float, float]] = {
    "1/2 1/2 0": (0.5, 0.5),
    "3/2 1/2 0": (1.5, 0.5),
    "3/2 3/2 0": (1.5, 1.5),
}
"""Reflections of the orthorhombic cell that a cubic one has not."""

SPACING_RANGE_NM = (0.50, 0.70)
"""Where a_AL is looked for: lead halide perovskites have 0.56 to 0.63 nm."""

FIRST_WIDTH_PER_NM, FIRST_WIDTH_RAD = 0.3, math.radians(4.0)
LEAST_SIGNAL = 7.0
REFINEMENTS = 3


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One spot by its indices; ``azimuth_rad`` counts from [100]."""

    reflection: str
    h: float
    k: float

    @property
    def name(self) -> str:
        """Indices with their signs, such as ``-1 0 0``."""
        return " ".join(_index(value) for value in (self.h, self.k, 0.0))

    @property
    def order(self) -> float:
        """``sqrt(h^2 + k^2)``."""
        return math.hypot(self.h, self.k)

    @property
    def azimuth_rad(self) -> float:
        """Angle from [100], counter-clockwise."""
        return math.atan2(self.k, self.h)


def _index(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{2.0 * value:.0f}/2"


def spots_of(reflections: Sequence[str]) -> tuple[Spot, ...]:
    """All spots of these reflections: turns by 90 degrees and mirrors of each."""
    found = {}
    for name in reflections:
        h, k = (REFLECTIONS | HALF_INTEGER)[name]
        for a, b in ((h, k), (k, h)):
            for x, y in ((a, b), (-a, b), (a, -b), (-a, -b)):
                spot = Spot(reflection=name, h=x + 0.0, k=y + 0.0)
                found[(round(spot.order, 6), spot.azimuth_rad % (2.0 * math.pi))] = spot
    return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, kw_only=True)
class Start:
    """Lattice constant, azimuth of [100] in (-45, 45] degrees and widths of spots that fits begin from."""

    a_al_nm: float
    psi_rad: float
    sigma_q_per_nm: float
    sigma_phi_rad: float
    signal: float

    def q_per_nm(self, spot: Spot) -> float:
        """Where a spot lies."""
        return 2.0 * math.pi * spot.order / self.a_al_nm


def reflections_on_detector(
    cells: CellMap, names: Sequence[str], *, spacing_range_nm: tuple[float, float] = SPACING_RANGE_NM
) -> tuple[str, ...]:
    """Those reflections whose ring meets pixels over at least 20 degrees, at the middle of the range."""
    a_al = math.sqrt(spacing_range_nm[0] * spacing_range_nm[1])
    on = []
    for name in names:
        q = 2.0 * math.pi * math.hypot(*(REFLECTIONS | HALF_INTEGER)[name]) / a_al
        inside = cells.q_first_per_nm <= q < cells.q_per_nm[-1]
        if inside and np.count_nonzero(cells.layers[0, cells.row_of(q)]) >= 20:
            on.append(name)
    return tuple(on)


def find_start(
    cells: CellMap,
    histogram: npt.NDArray[np.uint32],
    names: Sequence[str],
    *,
    frames: int,
    spacing_range_nm: tuple[float, float] = SPACING_RANGE_NM,
) -> Start | None:
    """Look through lattice constants for the one whose rings stand out in azimuth; None where none does.

    ``histogram`` (n_q * 360,) sums ``frames`` frames; ``names`` are reflections that lie on the detector.
    """
    if not names or frames == 0:
        return None
    best = (0.0, 0.0, 0.0)
    low, high = spacing_range_nm
    for a_al in np.geomspace(low, high, max(2, int(math.log(high / low) / 0.004))):
        place, signal = _standing_out(cells, histogram, names, frames, float(a_al))
        if signal > best[0]:
            best = (signal, float(a_al), math.radians(place + 0.5))
    if best[0] < LEAST_SIGNAL:
        return None
    start = Start(
        a_al_nm=best[1],
        psi_rad=_within_45(best[2]),
        sigma_q_per_nm=FIRST_WIDTH_PER_NM,
        sigma_phi_rad=FIRST_WIDTH_RAD,
        signal=best[0],
    )
    for _ in range(REFINEMENTS):
        start = _refined(cells, histogram, names, frames, start)
    return start


def _within_45(angle_rad: float) -> float:
    quarter = 0.5 * math.pi
    return quarter * 0.5 - (quarter * 0.5 - angle_rad) % quarter


def _standing_out(
    cells: CellMap, histogram: npt.NDArray[np.uint32], names: Sequence[str], frames: int, a_al_nm: float
) -> tuple[int, float]:
    counts = histogram.reshape(cells.rows, PHI_BINS)
    rings, expected, weight = [], [], []
    for name in names:
        q = 2.0 * math.pi * math.hypot(*REFLECTIONS[name]) / a_al_nm
        span = slice(cells.row_of(q - FIRST_WIDTH_PER_NM), cells.row_of(q + FIRST_WIDTH_PER_NM) + 1)
        rings.append(counts[span].sum(axis=0, dtype=np.uint32))
        expected.append(frames * cells.layers[1, span].sum(axis=0))
        weight.append(cells.layers[0, span].sum(axis=0))
    place, signal = orientation(np.array(rings), np.array(expected), np.array(weight), ring_offsets(names), 4)
    return int(place), float(signal)


def ring_offsets(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Degrees from [100] to a spot of each reflection, (n,)."""
    angles = [math.degrees(math.atan2(REFLECTIONS[name][1], REFLECTIONS[name][0])) for name in names]
    return np.rint(angles).astype(np.int64)


def _refined(
    cells: CellMap, histogram: npt.NDArray[np.uint32], names: Sequence[str], frames: int, start: Start
) -> Start:
    """The start after fits of all spots to the sum of frames; as it was where none can be fitted."""
    layers = cells.layers.copy()
    layers[1] *= frames
    spots = spots_of(names)
    found = fit_spots(cells, layers, histogram, spots, start, start.psi_rad)
    good = found[:, 0] == OK
    if not good.any():
        return start
    order = np.array([spot.order for spot in spots])[good]
    azimuth = np.array([spot.azimuth_rad for spot in spots])[good]
    weight = (found[good, 1] / found[good, 2]) ** 2
    psi = np.angle(np.sum(weight * np.exp(4j * (np.deg2rad(found[good, 3]) - azimuth)))) / 4.0
    return Start(
        a_al_nm=float(np.average(2.0 * np.pi * order / found[good, 1], weights=weight)),
        psi_rad=float(psi),
        sigma_q_per_nm=max(float(np.average(found[good, 5], weights=weight)), 0.5 * cells.q_step_per_nm),
        sigma_phi_rad=max(math.radians(float(np.average(found[good, 7], weights=weight))), math.radians(0.5)),
        signal=start.signal,
    )


def fit_spots(
    cells: CellMap,
    layers: Array,
    histogram: npt.NDArray[np.uint32],
    spots: Sequence[Spot],
    start: Start,
    psi_rad: float,
) -> Array:
    """Every spot fitted singly, (n_spots, columns): see SPOT_COLUMNS."""
    out, room = np.full((len(spots), N_COLUMNS), np.nan), np.empty((4096, 5))
    for into, spot in zip(out, spots, strict=True):
        fit_spot(
            histogram,
            layers,
            (cells.q_first_per_nm, cells.q_step_per_nm),
            cells.pixel_per_nm,
            (start.q_per_nm(spot), psi_rad + spot.azimuth_rad, start.sigma_q_per_nm, start.sigma_phi_rad),
            room,
            into,
        )
    return out
