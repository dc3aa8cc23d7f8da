"""The X-ray part of :mod:`tests.synthetic_result`: maps, patterns with Poisson noise, radial profiles."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from analysis.records import (
    PIXEL_VERDICTS,
    XRAY_STATUS,
    Array,
    BeamCenter,
    Bytes,
    DetectorGeometry,
    PatternStack,
    PixelGrid,
    Polar,
    Position,
    QuantityMap,
    XrayReduction,
)
from tests.synthetic_crystal import a_sc_nm, coordinate_at, outline_at

WAVELENGTH_NM, DISTANCE_MM, PIXEL_UM = 0.0954, 398.0, 300.0
BEAM_PX = (258.6, 470.8)
REGION, REGION_SHAPE = (430, 218), (81, 81)
PSI_DEG, SIGMA_Q, SIGMA_PHI_DEG = 8.0, 0.025, 7.0
Q_AXIS = np.linspace(0.15, 1.95, 91)

FIT_NAMES = (
    "q1_per_nm",
    "phi1_deg",
    "sigma_q1_per_nm",
    "sigma_phi1_deg",
    "amplitude1",
    "q2_per_nm",
    "phi2_deg",
    "sigma_q2_per_nm",
    "sigma_phi2_deg",
    "amplitude2",
)


def make_xray(
    sample_id: str, method: str, random: np.random.Generator, size: int, folder: Path | None
) -> XrayReduction:
    step = 14.0 / (size - 1)
    grid = PixelGrid(shape=(size, size), col_step_um=(step, 0.0), row_step_um=(0.0, step))
    x, y = grid.positions_um()
    coordinate = coordinate_at(x, y, (7.0, 7.0))
    s = coordinate.s["rectangle"]
    status = _xray_status(coordinate.depth_um)
    maps = _xray_maps(s, status, method, random)
    fits = _fit_parameters(maps)
    valid = _valid_pixels()
    patterns = np.zeros((size, size, *REGION_SHAPE), dtype=np.uint16)
    for row, col in np.ndindex(grid.shape):
        if status[row, col] != XRAY_STATUS.index("frame_missing"):
            patterns[row, col] = random.poisson(_pattern(fits[row, col])) * valid
    radial, radial_err = _radial_profiles(patterns, valid)
    inside = np.nan_to_num(s, nan=-1.0) >= 0
    return XrayReduction(
        index=0,
        crystal="A",
        frames_path="xray/scan_master.h5",
        grid=grid,
        geometry=_geometry(),
        maps=maps,
        status=status,
        frame_numbers=np.where(
            status == XRAY_STATUS.index("frame_missing"), -1, np.arange(size * size).reshape(size, size) + 1
        ).astype(np.int32),
        region=REGION,
        valid=valid,
        average_pattern=np.where(valid, patterns[inside].mean(axis=0), np.nan),
        polar=_polar(),
        q_per_nm=Q_AXIS,
        radial=radial.astype(np.float32),
        radial_err=radial_err.astype(np.float32),
        average_radial=np.nanmean(radial[inside], axis=0),
        average_radial_err=np.sqrt(np.nanmean(radial_err[inside] ** 2, axis=0) / inside.sum()),
        fit_names=FIT_NAMES,
        fit_parameters=fits.astype(np.float32),
        systematic={"a1": 0.04, "a2": 0.04, "a_sc": 0.04},
        notes=("Background scale 1.00 for the whole scan.",),
        patterns=_write_patterns(patterns, sample_id, folder),
        outline=outline_at((7.0, 7.0)),
        coordinate=coordinate,
        positions=_positions(grid, maps, radial, radial_err),
        pixel_verdict=_pixel_verdict(valid),
        beam_center=BeamCenter(
            column_px=BEAM_PX[0] + 0.02,
            row_px=BEAM_PX[1] - 0.01,
            column_err_px=0.004,
            row_err_px=0.005,
            shift_px=(0.02, -0.01),
            frames=400,
            applied=False,
        ),
    )


def _geometry() -> DetectorGeometry:
    return DetectorGeometry(
        wavelength_nm=WAVELENGTH_NM,
        distance_mm=DISTANCE_MM,
        pixel_size_um=(PIXEL_UM, PIXEL_UM),
        beam_center_px=BEAM_PX,
        shape=(542, 518),
        distance_err_mm=1.0,
        sources={
            "wavelength_nm": "sample.toml",
            "distance_mm": "master file",
            "beam_center_px": "sample.toml",
            "pixel_size_um": "master file",
        },
    )


def _xray_status(depth_um: Array) -> Bytes:
    status = np.full(depth_um.shape, XRAY_STATUS.index("no_signal"), dtype=np.uint8)
    status[depth_um >= 0] = XRAY_STATUS.index("ok")
    status[(depth_um > -0.4) & (depth_um < 0.3)] = XRAY_STATUS.index("partial_beam")
    middle = depth_um.shape[0] // 2
    status[middle, middle + 2] = XRAY_STATUS.index("no_convergence")
    status[middle - 2, middle + 1] = XRAY_STATUS.index("masked_peak")
    status[middle + 2, middle - 3] = XRAY_STATUS.index("frame_missing")
    status[0, 0] = XRAY_STATUS.index("frame_missing")
    return status


def _xray_maps(s: Array, status: Bytes, method: str, random: np.random.Generator) -> dict[str, QuantityMap]:
    carries = np.isin(status, [XRAY_STATUS.index("ok"), XRAY_STATUS.index("partial_beam")])
    known = np.where(carries, np.nan_to_num(s), np.nan)
    a_sc = a_sc_nm(known, method) + np.where(carries, random.normal(0.0, 0.05, s.shape), np.nan)
    a1, a2 = a_sc + 0.1, a_sc - 0.1
    gamma = np.where(carries, 90.0 + random.normal(0.0, 1.5, s.shape), np.nan)
    psi = np.where(carries, PSI_DEG + random.normal(0.0, 1.0, s.shape), np.nan)
    sine = np.sin(np.radians(gamma))
    error = np.where(carries, 0.02 + 0.05 * np.exp(-8 * np.nan_to_num(s)), np.nan)
    seen = status != XRAY_STATUS.index("frame_missing")
    intensity = np.where(
        seen, np.where(np.isfinite(s), 4000.0, 300.0) * random.uniform(0.9, 1.1, s.shape), np.nan
    )
    nothing = np.full(s.shape, np.nan)
    columns = {
        "intensity": ("counts", intensity, np.sqrt(intensity)),
        "a1": ("nm", a1, 1.4 * error),
        "a2": ("nm", a2, 1.4 * error),
        "gamma": ("deg", gamma, 8.0 * error),
        "psi": ("deg", psi, 6.0 * error),
        "a_sc": ("nm", a_sc, error),
        "a_sc_shift": ("nm", 0.02 + 0.01 * (a_sc - 11.0), None),
        "q1": ("nm^-1", 2 * np.pi / (a1 * sine), 0.001 * error / error),
        "q2": ("nm^-1", 2 * np.pi / (a2 * sine), 0.001 * error / error),
        "sigma_q": ("nm^-1", np.where(carries, SIGMA_Q, np.nan), None),
        "photons": ("counts", np.where(carries, 0.4 * intensity, np.nan), None),
        "goodness": ("", np.where(carries, random.normal(1.0, 0.1, s.shape), np.nan), None),
        "a_al": ("nm", nothing, nothing.copy()),
    }
    return {
        name: QuantityMap(name=name, unit=unit, values=values, errors=errors)
        for name, (unit, values, errors) in columns.items()
    }


def _fit_parameters(maps: dict[str, QuantityMap]) -> Array:
    gamma, psi = maps["gamma"].values, maps["psi"].values
    width, spread = np.full(gamma.shape, SIGMA_Q), np.full(gamma.shape, SIGMA_PHI_DEG)
    first = [maps["q1"].values, psi + gamma - 90.0, width, spread, np.full(gamma.shape, 6.0)]
    second = [maps["q2"].values, psi + 90.0, width, spread, np.full(gamma.shape, 5.0)]
    return np.where(np.isfinite(gamma)[..., None], np.stack([*first, *second], axis=-1), np.nan)


def q_phi_of_region() -> tuple[Array, Array]:
    """q in nm^-1 and phi in degrees, counter-clockwise as displayed, of the region's pixels (h, w)."""
    row, col = np.indices(REGION_SHAPE, dtype=np.float64)
    dx = (col + REGION[1] - BEAM_PX[0]) * PIXEL_UM * 1e-3
    dy = (row + REGION[0] - BEAM_PX[1]) * PIXEL_UM * 1e-3
    angle = np.arctan2(np.hypot(dx, dy), DISTANCE_MM)
    return 4 * np.pi / WAVELENGTH_NM * np.sin(angle / 2), np.degrees(np.arctan2(-dy, dx))


def _valid_pixels() -> np.ndarray:
    q, _ = q_phi_of_region()
    valid = q > 0.12
    valid[:, 62:65] = False
    return valid


def _pixel_verdict(valid: np.ndarray) -> Bytes:
    """The beamstop where nothing else is, the file's mask on the gap, one pixel of every other kind."""
    verdict = np.where(valid, 0, PIXEL_VERDICTS.index("beamstop")).astype(np.uint8)
    verdict[:, 62:65] = PIXEL_VERDICTS.index("file_mask")
    lost = np.argwhere(~valid)[: len(PIXEL_VERDICTS) - 1]
    for code, (row, col) in enumerate(lost, start=1):
        verdict[row, col] = code
    return verdict


def _pattern(fit: Array) -> Array:
    """Expected counts (h, w): a falling background and, where there is a fit, its four peaks."""
    q, phi = q_phi_of_region()
    counts = 0.4 + 2.0 * np.exp(-q / 0.15)
    if np.isfinite(fit).all():
        for q0, phi0, sigma_q, sigma_phi, amplitude in (fit[:5], fit[5:]):
            turn = (phi - phi0 + 90.0) % 180.0 - 90.0
            counts += amplitude * np.exp(-0.5 * ((q - q0) / sigma_q) ** 2 - 0.5 * (turn / sigma_phi) ** 2)
    return counts


def _radial_profiles(patterns: np.ndarray, valid: np.ndarray) -> tuple[Array, Array]:
    q, _ = q_phi_of_region()
    step = Q_AXIS[1] - Q_AXIS[0]
    ring = np.round((q[valid] - Q_AXIS[0]) / step).astype(int)
    kept = (ring >= 0) & (ring < Q_AXIS.size)
    number = np.bincount(ring[kept], minlength=Q_AXIS.size)
    counts = patterns[:, :, valid][:, :, kept].reshape(-1, int(kept.sum()))
    total = np.array([np.bincount(ring[kept], weights=one, minlength=Q_AXIS.size) for one in counts])
    total = total.reshape(*patterns.shape[:2], Q_AXIS.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / number, np.sqrt(total) / number


def _polar() -> Polar:
    phi = np.arange(-178.0, 181.0, 4.0)
    q = Q_AXIS[:, None]
    folded = (phi - PSI_DEG + 45.0) % 90.0 - 45.0
    peaks = 6.0 * np.exp(-0.5 * ((q - 0.45) / 0.05) ** 2 - 0.5 * (folded / 8.0) ** 2)
    intensity = 0.4 + 2.0 * np.exp(-q / 0.15) + peaks
    intensity[:, 3] = np.nan
    return Polar(q_per_nm=Q_AXIS, phi_deg=phi, intensity=intensity)


def _positions(
    grid: PixelGrid, maps: dict[str, QuantityMap], radial: Array, radial_err: Array
) -> tuple[Position, ...]:
    middle = grid.shape[0] // 2
    rows = np.linspace(middle, middle - 0.3 * grid.shape[0], 5).round().astype(int)
    x, y = grid.positions_um()
    return tuple(
        Position(
            name=f"Pos{number}",
            row=int(row),
            col=middle,
            x_um=float(x[row, middle]),
            y_um=float(y[row, middle]),
            q_per_nm=float(maps["q1"].values[row, middle]),
            a_sc_nm=float(maps["a_sc"].values[row, middle]),
            intensity=radial[row, middle],
            intensity_err=radial_err[row, middle],
        )
        for number, row in enumerate(rows, start=1)
    )


def _write_patterns(patterns: np.ndarray, sample_id: str, folder: Path | None) -> PatternStack | None:
    if folder is None:
        return None
    path = folder / f"{sample_id}_patterns.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("patterns", data=patterns, chunks=(1, 1, *REGION_SHAPE), compression="gzip")
    rows, cols, height, width = patterns.shape
    return PatternStack(path=str(path), dataset="patterns", shape=(rows, cols, height, width))
