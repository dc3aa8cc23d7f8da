"""Wide angles for :mod:`tests.synthetic_result`: spots at a known angle to the superlattice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.records import (
    SPOT_COLUMNS,
    WIDE_ANGLE_STATUS,
    Array,
    Measured,
    QuantityMap,
    Result,
    WideAngle,
    XrayReduction,
)

TURN_DEG = 12.0
"""From the superlattice's a1 to the atomic [100], counter-clockwise."""

A_AL_NM = 0.584
RINGS = ("saxs", "100", "110")
RING_Q = np.array([0.45, 2 * np.pi / A_AL_NM, 2 * np.pi * np.sqrt(2.0) / A_AL_NM])
PHI_DEG = np.arange(-179.5, 180.0)
SPOTS = ("1 0 0", "-1 0 0", "0 1 0", "0 -1 0")
LEVEL = 3.0


def with_wide_angle(result: Result, *, seed: int = 5) -> Result:
    """The same result with wide angles and maps of the atomic lattice on its first scan."""
    scan = result.xray[0]
    random = np.random.default_rng(seed)
    found = scan.status == 0
    turn = np.where(found, scan.maps["psi"].values + TURN_DEG, np.nan)
    known = np.where(found, 1.0, np.nan)
    maps = {
        "a_al": ("nm", A_AL_NM * known + random.normal(0.0, 1e-4, found.shape), 2e-4 * known),
        "atomic_orientation": ("deg", turn, 0.3 * known),
        "atomic_angle": ("deg", turn - scan.maps["psi"].values, 0.3 * known),
        "mosaic": ("deg", 4.0 * known, 0.4 * known),
        "nc_size_scherrer": ("nm", 7.4 * known, 0.2 * known),
    }
    made = {
        name: QuantityMap(name=name, unit=unit, values=values, errors=errors)
        for name, (unit, values, errors) in maps.items()
    }
    scan = replace(scan, wide_angle=_wide_angle(scan, turn, found, random), maps={**scan.maps, **made})
    return replace(result, xray=(scan, *result.xray[1:]))


def ring_weights() -> Array:
    """Pixel weights (3, 360): a gap in each ring, the third seen on an arc only."""
    weights = np.full((3, 360), 40.0)
    weights[0, 80:90] = 0.0
    weights[1, 200:215] = 0.0
    weights[2, :90], weights[2, 250:] = 0.0, 0.0
    return weights


def _ring(first_deg: Array, height: float, width_deg: float) -> Array:
    """Intensity (points, 360) with four peaks a quarter of a turn apart."""
    turn = (PHI_DEG - first_deg[:, None] + 45.0) % 90.0 - 45.0
    return LEVEL / 40.0 + height * np.exp(-0.5 * (turn / width_deg) ** 2)


def _wide_angle(
    scan: XrayReduction, turn: Array, found: np.ndarray, random: np.random.Generator
) -> WideAngle:
    weights, shape = ring_weights(), found.shape
    psi = np.nan_to_num(scan.maps["psi"].values).ravel()
    there = found.ravel()[:, None].astype(float)
    heights = ((psi, 1.0), (psi + TURN_DEG, 0.3), (psi + TURN_DEG + 45.0, 0.2))
    intensity = [there * _ring(first, height, 5.0) for first, height in heights]
    intensity = [one + (1.0 - there) * LEVEL / 40.0 for one in intensity]
    counts = random.poisson(np.stack(intensity, axis=1) * weights)
    spots = np.full((*shape, len(SPOTS), len(SPOT_COLUMNS)), np.nan, dtype=np.float32)
    for number in range(len(SPOTS)):
        phi = (turn + 90.0 * number + 180.0) % 360.0 - 180.0
        spots[..., number, SPOT_COLUMNS.index("phi_deg")] = phi
        spots[..., number, SPOT_COLUMNS.index("q_per_nm")] = RING_Q[1]
        spots[..., number, SPOT_COLUMNS.index("status")] = np.where(found, 0.0, np.nan)
    q = np.linspace(8.0, 16.0, 81)
    peaks = sum(np.exp(-0.5 * ((q - place) / 0.2) ** 2) for place in RING_Q[1:])
    radial = (0.02 + peaks)[None, None, :] * np.ones((*shape, 1))
    return WideAngle(
        q_per_nm=q,
        radial=radial.astype(np.float32),
        average_radial=0.02 + peaks,
        average_radial_err=np.full(q.size, 0.01),
        ring_names=RINGS,
        ring_q_per_nm=RING_Q,
        ring_half_width_per_nm=np.array([0.1, 0.6, 0.6]),
        azimuthal=counts.reshape(*shape, 3, 360).astype(np.uint16),
        ring_pixels=weights,
        ring_background=np.where(weights > 0, 1.0, 0.0),
        reflections=("100", "110"),
        spot_names=SPOTS,
        spots=spots,
        status=np.where(found, 0, WIDE_ANGLE_STATUS.index("no_signal")).astype(np.uint8),
        half_integer=("3/2 1/2",),
        quantities={"a_al": Measured(value=A_AL_NM, unit="nm", err=1e-5, sys=1.5e-3, std=1e-4, n=60)},
        systematic={"a_al.distance": 1.5e-3},
        notes=("wide angles: reflections 100, 110 lie on the detector",),
    )
