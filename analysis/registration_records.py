"""The record of two frames laid upon each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def _no_places() -> Array:
    return np.empty((0, 4))


@dataclass(frozen=True, kw_only=True)
class Transform:
    """``matrix`` (3, 3) takes (x, y, 1) in um of the source's frame to the target's; y points down in both.

    ``kind`` is translation, rigid, similarity or affine; with ``mirrored`` the source is mirrored (x to -x)
    first. ``covariance`` is that of the kind's parameters, NaN where nothing tells it. ``residuals_um``
    (n, 2) is target minus transformed source of each pair of landmarks, ``leave_one_out_um`` (n,) the
    distance by which a transform made without a pair misses it (NaN where too few are left).
    ``landmarks_um`` (n, 4) holds x, y in the source and x, y in the target; there are none where outlines
    were laid upon each other. ``source`` and ``target`` name reductions as ``afm.0``.
    """

    kind: str
    mirrored: bool
    matrix: Array
    covariance: Array
    residuals_um: Array
    leave_one_out_um: Array
    landmarks_um: Array = field(default_factory=_no_places)
    source: str = ""
    target: str = ""

    def apply(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> tuple[Array, Array]:
        """Places in the target's frame, of the same shape."""
        x, y = np.asarray(x_um, dtype=np.float64), np.asarray(y_um, dtype=np.float64)
        m = self.matrix
        return m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]

    def inverse(self) -> Array:
        """The matrix (3, 3) from target to source."""
        return np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)

    @property
    def scale(self) -> float:
        """Root of the area ratio, target over source."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How one quantity changes along one coordinate, and which shape that takes.

    ``slope`` per unit of s, or per um for ``depth``, by weighted and by robust least squares, each with
    1 sigma from the block bootstrap; ``unit`` is the slope's. ``shape`` is the likeliest of constant,
    straight, plateau and step along s, ``place`` the s where its plateau begins or its step stands (NaN
    otherwise); the weights of all four sum to 1 and are NaN, with ``shape`` empty, where too few values are
    independent.
    """

    modality: str
    index: int
    crystal: str
    quantity: str
    coordinate: str
    unit: str
    slope: float
    slope_err: float
    robust_slope: float
    robust_slope_err: float
    n: int
    shape: str
    place: float
    weight_constant: float
    weight_straight: float
    weight_plateau: float
    weight_step: float
