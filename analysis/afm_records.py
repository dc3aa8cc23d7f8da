"""Records of AFM that a reduced field is made of: what is seen along a line, how a part is distributed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AfmLine:
    """Height and modulus along one line; every array is (n,), positions from the field's top-left corner."""

    name: str
    source: str
    convention: str
    thickness_px: int
    thickness_nm: float
    ends_um: tuple[float, float, float, float]
    distance_um: Array
    x_um: Array
    y_um: Array
    height_nm: Array
    modulus_gpa: Array
    s: Array
    depth_um: Array


@dataclass(frozen=True, kw_only=True)
class AfmPart:
    """How one quantity is distributed over a part of a field.

    ``part`` is ``crystal`` (all pixels that count), ``edge`` (0.05 < s < 0.2), ``centre`` (s > 0.8),
    ``flank`` (left out for their slope) or ``substrate``. ``sem`` is the error of the mean with neighbours
    alike; ``std`` has ddof = 0, ``mad`` is unscaled. The lognormal (``median``, ``sigma`` of ln E,
    ``distance`` of the distribution functions) is fitted to the ``lognormal_n`` positive values; NaN for a
    height.
    """

    part: str
    quantity: str
    unit: str
    n: int
    mean: float
    sem: float
    std: float
    median: float
    mad: float
    p01: float
    p05: float
    p25: float
    p75: float
    p95: float
    p99: float
    lognormal_median: float
    lognormal_sigma: float
    lognormal_distance: float
    lognormal_n: int
