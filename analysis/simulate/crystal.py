"""The crystal's outline, a rotated rectangle, and smooth random variations on it.

Positions are (x, y) in um, x to the right, y down; angles are counter-clockwise as displayed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rectangle:
    """A rectangle with half sides A (along its first axis) and B, its centre, and its rotation."""

    centre_um: tuple[float, float]
    half_sides_um: tuple[float, float]
    rotation_deg: float

    def own_axes(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> tuple[Array, Array]:
        """Coordinates (u, v) in um along the rectangle's axes, u at ``rotation``, v at ``rotation + 90``."""
        angle = np.deg2rad(self.rotation_deg)
        dx = np.asarray(x_um, dtype=np.float64) - self.centre_um[0]
        up = self.centre_um[1] - np.asarray(y_um, dtype=np.float64)
        return dx * np.cos(angle) + up * np.sin(angle), up * np.cos(angle) - dx * np.sin(angle)

    def position(self, u_um: float, v_um: float) -> tuple[float, float]:
        """Position (x, y) of a point given along the rectangle's axes."""
        angle = np.deg2rad(self.rotation_deg)
        x = self.centre_um[0] + u_um * np.cos(angle) - v_um * np.sin(angle)
        y = self.centre_um[1] - u_um * np.sin(angle) - v_um * np.cos(angle)
        return float(x), float(y)

    def signed_s(self, u_um: Array, v_um: Array) -> Array:
        """``s = 1 - max(|u|/A, |v|/B)``: 1 at the centre, 0 on the edge, negative outside."""
        A, B = self.half_sides_um
        return 1.0 - np.maximum(np.abs(u_um) / A, np.abs(v_um) / B)

    def depth_um(self, u_um: Array, v_um: Array) -> Array:
        """Distance in um to the nearest side, negative beyond it (the Chebyshev one outside a corner)."""
        A, B = self.half_sides_um
        return np.minimum(A - np.abs(u_um), B - np.abs(v_um))


@dataclass(frozen=True, kw_only=True)
class SmoothVariation:
    """A random smooth function of (u, v) with zero mean and a given spread: a sum of plane waves.

    ``f = std * sum_k c_k cos(p_k u + r_k v + t_k) - mean``, with wave numbers drawn from a normal
    distribution of width 1/length.
    """

    waves_per_um: Array
    phases: Array
    scale: float
    offset: float

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, *, std: float, length_um: float, half_sides_um: tuple[float, float]
    ) -> SmoothVariation:
        """Draw one whose mean over the rectangle is 0 and whose standard deviation there is ``std``."""
        waves = rng.normal(scale=1.0 / length_um, size=(24, 2))
        phases = rng.uniform(0.0, 2.0 * np.pi, size=24)
        raw = cls(waves_per_um=waves, phases=phases, scale=1.0, offset=0.0)
        A, B = half_sides_um
        u, v = np.meshgrid(np.linspace(-A, A, 41), np.linspace(-B, B, 41))
        values = raw.at(u, v)
        scale = std / float(values.std())
        return cls(waves_per_um=waves, phases=phases, scale=scale, offset=-scale * float(values.mean()))

    def at(self, u_um: Array, v_um: Array) -> Array:
        """Values at (u, v), any shape."""
        total = np.zeros(np.broadcast(u_um, v_um).shape)
        for (p, r), phase in zip(self.waves_per_um, self.phases, strict=True):
            total += np.cos(p * u_um + r * v_um + phase)
        return np.asarray(self.offset + self.scale * total)
