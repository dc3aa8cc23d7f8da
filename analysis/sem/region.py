"""One square region of an image as the record that the pages and tables show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.records import SemRegion
from analysis.sem.annotations import without_annotations
from analysis.sem.lattice import lattice_type
from analysis.sem.measure import Values, find_basis, measured
from analysis.sem.ring import LATTICE_PER_PLANE, Ring, first_ring
from analysis.sem.spectrum import Spectrum, radial_average, spectrum_of, zoomed_ratio
from analysis.sem.tilt import Tilt, height_of
from analysis.units import UM_PER_NM

Pixels = npt.NDArray[np.generic]

MIN_PERIODS_OK = 10.0
MIN_PX_PER_PERIOD = 4.0

SHOWN_ORDERS = 3.2
"""The spectrum that is kept reaches to so many times the first order,"""

SHOWN_PERIODS = 64.0
"""or, without one, to so many periods per region."""

SHOWN_MIN, SHOWN_MAX = 128, 256
"""Samples along a side of the spectrum that is kept."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a region lies: top-left corner and side in px, and its place between edge and centre."""

    label: str
    row0: int
    col0: int
    size_px: int
    s: float = np.nan
    s_err: float = np.nan


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Pixel size in nm and its relative 1-sigma error; the surface's tilt and the line of its foot in nm."""

    pixel_nm: float
    relative_err: float
    tilt: Tilt | None = None
    foot_nm: tuple[tuple[float, float], tuple[float, float]] | None = None


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a region's spectrum gave, in px and cycles per px; NaN where it gave nothing."""

    status: str
    k: npt.NDArray[np.float64]
    each: tuple[float, float] = (np.nan, np.nan)
    delta_k: float = np.nan
    delta_k_err: float = np.nan
    a_sc: float = np.nan
    a_sc_err: float = np.nan
    gamma_deg: float = np.nan
    lattice: str = "unknown"
    confidence: float = np.nan


def measure_region(image: Pixels, place: Place, *, scale: Scale, white: float | None = None) -> SemRegion:
    """The lattice in one square region of ``image`` (rows, cols), in nm and 1/nm, with its spectrum.

    Drawings burned into the image, of its brightest grey ``white``, are filled in. On a tilted surface
    lengths are those of the surface.
    """
    seen = image[place.row0 : place.row0 + place.size_px, place.col0 : place.col0 + place.size_px]
    white = float(image.max()) if white is None else white
    region, annotated = without_annotations(seen, white=white)
    spectrum = spectrum_of(region, tilt=scale.tilt)
    found = _find(region, spectrum)
    k_max, samples = _shown(found.delta_k, spectrum)
    radial_k, radial_power = radial_average(spectrum)
    pixel = scale.pixel_nm
    return _record(
        place,
        scale,
        found,
        spectrum=zoomed_ratio(spectrum, k_max=k_max, samples=samples),
        spectrum_k_max_per_nm=k_max / pixel,
        radial_k_per_nm=radial_k / pixel,
        radial_power=radial_power,
        annotated_px=annotated,
    )


def barred_region(place: Place, *, scale: Scale) -> SemRegion:
    """A region that reaches into the information bar: no values, and the reason."""
    return _record(
        place,
        scale,
        _Found(status="bar", k=np.full((2, 2), np.nan)),
        spectrum=np.full((SHOWN_MIN, SHOWN_MIN), np.nan, dtype=np.float32),
        spectrum_k_max_per_nm=0.5 / scale.pixel_nm,
        radial_k_per_nm=np.empty(0),
        radial_power=np.empty(0),
    )


def _record(
    place: Place,
    scale: Scale,
    found: _Found,
    *,
    spectrum: npt.NDArray[np.float32],
    spectrum_k_max_per_nm: float,
    radial_k_per_nm: npt.NDArray[np.float64],
    radial_power: npt.NDArray[np.float64],
    annotated_px: int = 0,
) -> SemRegion:
    pixel = scale.pixel_nm
    spacing = pixel / found.delta_k
    return SemRegion(
        label=place.label,
        row0=place.row0,
        col0=place.col0,
        size_px=place.size_px,
        x_nm=place.col0 * pixel,
        y_nm=place.row0 * pixel,
        size_nm=place.size_px * pixel,
        s=place.s,
        s_err=place.s_err,
        k_per_nm=found.k / pixel,
        delta_k_per_nm=found.delta_k / pixel,
        delta_k_err_per_nm=found.delta_k_err / pixel,
        delta_k_each_per_nm=(found.each[0] / pixel, found.each[1] / pixel),
        spacing_nm=spacing,
        spacing_err_nm=spacing * found.delta_k_err / found.delta_k,
        a_sc_nm=found.a_sc * pixel,
        a_sc_err_nm=found.a_sc_err * pixel,
        a_sc_sys_nm=found.a_sc * pixel * scale.relative_err,
        gamma_deg=found.gamma_deg,
        lattice=found.lattice,
        lattice_confidence=found.confidence,
        n_periods=place.size_px * found.delta_k,
        status=found.status,
        spectrum=spectrum,
        spectrum_k_max_per_nm=spectrum_k_max_per_nm,
        radial_k_per_nm=radial_k_per_nm,
        radial_power=radial_power,
        height_um=_height_um(place, scale),
        annotated_px=annotated_px,
    )


def _height_um(place: Place, scale: Scale) -> float:
    if scale.foot_nm is None:
        return np.nan
    half = 0.5 * place.size_px
    x, y = ((start + half) * scale.pixel_nm for start in (place.col0, place.row0))
    return height_of(x, y, foot=scale.foot_nm, tilt=scale.tilt) * UM_PER_NM


def _find(region: Pixels, spectrum: Spectrum) -> _Found:
    basis, peaks, on_ring = find_basis(spectrum)
    if basis is not None and not on_ring:
        values = measured(region, spectrum, basis, peaks)
        if values is not None:
            return _of_lattice(values, spectrum.size)
    ring = first_ring(spectrum)
    if ring is None:
        return _Found(status="no_peak", k=np.full((2, 2), np.nan))
    return _of_ring(ring)


def _of_lattice(values: Values, size: int) -> _Found:
    geometry = values.geometry
    each = np.hypot(geometry.b[:, 0], geometry.b[:, 1])
    lattice, confidence = lattice_type(float(each[0] / each[1]), geometry.gamma_deg)
    status = "ok"
    if each.max() * MIN_PX_PER_PERIOD > 1.0:
        status = "undersampled"
    elif each.min() * size < MIN_PERIODS_OK:
        status = "few_periods"
    return _Found(
        status=status,
        k=geometry.b,
        each=(float(each[0]), float(each[1])),
        delta_k=geometry.delta_k,
        delta_k_err=values.delta_k_err,
        a_sc=geometry.a_sc,
        a_sc_err=values.a_sc_err,
        gamma_deg=geometry.gamma_deg,
        lattice=lattice,
        confidence=confidence,
    )


def _of_ring(ring: Ring) -> _Found:
    factor = LATTICE_PER_PLANE.get(ring.lattice, np.nan)
    a_sc = factor / ring.k
    return _Found(
        status="ring",
        k=np.full((2, 2), np.nan),
        each=(ring.k, ring.k),
        delta_k=ring.k,
        delta_k_err=ring.k_err,
        a_sc=a_sc,
        a_sc_err=a_sc * ring.k_err / ring.k,
        lattice=ring.lattice,
    )


def _shown(delta_k: float, spectrum: Spectrum) -> tuple[float, int]:
    wanted = SHOWN_ORDERS * delta_k if np.isfinite(delta_k) else SHOWN_PERIODS / spectrum.size
    k_max = min(wanted, 0.5)
    samples = 2 * int(np.ceil(k_max * spectrum.size))
    return k_max, int(np.clip(samples, SHOWN_MIN, SHOWN_MAX))
