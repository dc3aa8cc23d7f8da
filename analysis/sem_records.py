"""Records of the parts of an SEM image: regions and particles; frozen and keyword-only as all records are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SemRegion:
    """One square region of an image and the lattice read from its power spectrum.

    ``row0, col0, size_px`` place it (top-left corner). ``k_per_nm`` (2, 2) holds the two lattice vectors in
    reciprocal space as (kx, ky) with y down, 1/nm without 2 pi; ``delta_k_per_nm`` is the mean of their
    lengths, ``delta_k_each_per_nm`` both. ``spacing_nm`` is the plane spacing 1/delta_k. ``spectrum`` is the
    background-divided power (n, n) around k = 0, from -``spectrum_k_max_per_nm`` to + it in both directions
    (centre at index n // 2). ``radial_k_per_nm``, ``radial_power`` (n_k,) are its radial average.
    """

    label: str
    row0: int
    col0: int
    size_px: int
    x_nm: float
    y_nm: float
    size_nm: float
    s: float
    s_err: float
    k_per_nm: Array
    delta_k_per_nm: float
    delta_k_err_per_nm: float
    delta_k_each_per_nm: tuple[float, float]
    spacing_nm: float
    spacing_err_nm: float
    a_sc_nm: float
    a_sc_err_nm: float
    a_sc_sys_nm: float
    gamma_deg: float
    lattice: str
    lattice_confidence: float
    n_periods: float
    status: str
    spectrum: npt.NDArray[np.float32]
    spectrum_k_max_per_nm: float
    radial_k_per_nm: Array
    radial_power: Array
    depth_um: float = np.nan
    height_um: float = np.nan
    annotated_px: int = 0


@dataclass(frozen=True, kw_only=True)
class ParticleSizes:
    """Edges in nm (n,) of the particles that were resolved in the middle ``shape_px`` of an image.

    ``rejected`` counts those left out for their shape; ``std_nm`` is the spread (ddof = 0); ``polarity`` says
    whether particles are ``bright`` or ``dark``.
    """

    edge_nm: Array
    mean_nm: float
    std_nm: float
    median_nm: float
    n: int
    rejected: int
    shape_px: tuple[int, int]
    polarity: str
