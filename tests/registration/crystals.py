"""Crystals whose coordinate and coverage are known, drawn by counting points: truth for these tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.records import Array, PixelGrid

BEAM_SIGMA_UM = (0.136, 0.102)


@dataclass(frozen=True)
class Square:
    """A rectangle turned counter-clockwise as displayed; ``cut`` takes one corner off (leg in half sides)."""

    centre: tuple[float, float] = (0.0, 0.0)
    half: tuple[float, float] = (5.0, 5.0)
    turn_deg: float = 0.0
    cut: float = 0.0

    def own(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Coordinates along the sides in half sides, each -1 to 1 inside."""
        turn = math.radians(self.turn_deg)
        right, up = x - self.centre[0], self.centre[1] - y
        along = right * math.cos(turn) + up * math.sin(turn)
        return along / self.half[0], (up * math.cos(turn) - right * math.sin(turn)) / self.half[1]

    def s(self, x: Array, y: Array) -> Array:
        u, v = self.own(x, y)
        return 1.0 - np.maximum(np.abs(u), np.abs(v))

    def inside(self, x: Array, y: Array) -> np.ndarray:
        u, v = self.own(x, y)
        return (np.maximum(np.abs(u), np.abs(v)) <= 1.0) & (u + v <= 2.0 - self.cut)

    def corners(self) -> Array:
        """Corners (n, 2), in order around; five where one is cut off."""
        own = [(1.0 - self.cut, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)]
        own += [(1.0, 1.0 - self.cut)] if self.cut else []
        turn = math.radians(self.turn_deg)
        placed = []
        for a, b in own:
            u, v = a * self.half[0], b * self.half[1]
            placed.append(
                (
                    self.centre[0] + u * math.cos(turn) - v * math.sin(turn),
                    self.centre[1] - u * math.sin(turn) - v * math.cos(turn),
                )
            )
        return np.array(placed)


def grid_of(points: int, step_um: float) -> PixelGrid:
    return PixelGrid(shape=(points, points), col_step_um=(step_um, 0.0), row_step_um=(0.0, step_um))


def coverage(crystal: Square, grid: PixelGrid, sigma_um: tuple[float, float]) -> Array:
    """Share of a Gaussian footprint on the crystal, by adding up 21 x 21 places of it."""
    x, y = grid.positions_um()
    at = np.linspace(-3.0, 3.0, 21)
    weight = np.exp(-0.5 * at**2)
    total = np.zeros(grid.shape)
    for dx, wx in zip(at * sigma_um[0], weight, strict=True):
        for dy, wy in zip(at * sigma_um[1], weight, strict=True):
            total += wx * wy * crystal.inside(x + dx, y + dy)
    return total / weight.sum() ** 2


def intensity(crystal: Square, grid: PixelGrid, *, rise: float, seed: int) -> Array:
    """Counts (rows, cols) that grow by exp(rise) from edge to centre, with 8 % texture and Poisson noise."""
    random = np.random.default_rng(seed)
    level = 4000.0 * np.exp(rise * np.clip(crystal.s(*grid.positions_um()), 0.0, 1.0))
    texture = random.normal(1.0, 0.08, grid.shape)
    expected = 300.0 + level * np.clip(texture, 0.5, 1.5) * coverage(crystal, grid, BEAM_SIGMA_UM)
    return random.poisson(expected) - 300.0
