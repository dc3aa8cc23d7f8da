"""Records of wide-angle scattering: :mod:`analysis.records` offers them with all others.

Arrays are (row, col), row 0 on top; angles are counter-clockwise as displayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.measured import Measured

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

WIDE_ANGLE_STATUS = ("ok", "no_signal", "masked_peak", "no_convergence", "saturated", "frame_missing")
"""Codes of a wide-angle spot, and of a scan point; only ``ok`` carries values."""

SPOT_COLUMNS = (
    "status",
    "q_per_nm",
    "q_err_per_nm",
    "phi_deg",
    "phi_err_deg",
    "sigma_q_per_nm",
    "sigma_q_err_per_nm",
    "sigma_phi_deg",
    "sigma_phi_err_deg",
    "photons",
    "photons_err",
    "background",
    "signal",
    "seen_share",
    "goodness",
)
"""What is kept of one wide-angle spot. ``status`` indexes WIDE_ANGLE_STATUS; ``photons`` is the whole
spot's, as if nothing cut it; ``background`` counts per pixel under it; ``signal`` the signed root of the
deviance that the spot explains; ``seen_share`` the part of its photons that fell on pixels that count."""


@dataclass(frozen=True, kw_only=True)
class EventStack:
    """The photons outside the small-angle region of every frame, compressed in a file, frame by frame.

    ``path`` is an HDF5 file, ``group`` the name of its group, ``shape`` (rows, cols) of the scan,
    ``detector`` that of the frames.
    """

    path: str
    group: str
    shape: tuple[int, int]
    detector: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class WideAngle:
    """What the detector sees beyond the small-angle region: rings, spots of the atomic lattice, photons.

    ``radial`` (rows, cols, n_q) is mean counts per pixel at full efficiency above the scaled background, at
    ``q_per_nm`` (n_q,); ``average_radial`` is its mean over the points in which spots were found.

    ``ring_names`` (n_rings) are ``saxs`` (the superlattice's first order, where it was found) and
    reflections (``100``, ``110``, ``200``) that lie on the detector, each ``ring_q_per_nm`` +-
    ``ring_half_width_per_nm``. ``azimuthal`` (rows, cols, n_rings, 360) are raw counts, 0 where the frame is
    missing; bin j holds phi from j - 180 to j - 179 degrees, counter-clockwise as displayed. ``ring_pixels``
    (n_rings, 360) is the weight of a bin: the efficiency (at most 1) summed over its pixels that count, 0 in
    a gap; ``ring_background`` is what a frame without a crystal counts there. So
    ``(azimuthal - ring_background) / ring_pixels`` is I(phi).

    ``spot_names`` (n_spots) are reflections with their signs, such as ``-1 0 0``; ``spots`` (rows, cols,
    n_spots, len(SPOT_COLUMNS)) what was fitted, NaN where none was. ``status`` (rows, cols) indexes
    WIDE_ANGLE_STATUS. ``half_integer`` names half-integer reflections that were seen in the average.
    ``systematic`` maps a quantity to its systematic error by cause, such as ``a_al.distance``, in nm.
    """

    q_per_nm: Array
    radial: npt.NDArray[np.float32]
    average_radial: Array
    average_radial_err: Array
    ring_names: tuple[str, ...]
    ring_q_per_nm: Array
    ring_half_width_per_nm: Array
    azimuthal: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    ring_pixels: Array
    ring_background: Array
    reflections: tuple[str, ...]
    spot_names: tuple[str, ...]
    spots: npt.NDArray[np.float32]
    status: Bytes
    half_integer: tuple[str, ...] = ()
    quantities: Mapping[str, Measured | None] = field(default_factory=dict)
    systematic: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    events: EventStack | None = None
