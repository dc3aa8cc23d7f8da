"""Fields that are known everywhere: a block on tilted ground, as a height map in nm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block ``height`` high over ground tilted by ``tilt`` (whole field, along columns and rows)."""

    shape: tuple[int, int] = (72, 96)
    height: float = 800.0
    half_px: tuple[float, float] = (27.0, 20.0)
    centre_px: tuple[float, float] = (45.0, 37.0)
    angle_deg: float = 17.0
    tilt: tuple[float, float] = (0.0, 0.0)
    offset: float = 0.0
    noise: float = 0.0
    row_noise: float = 0.0
    dome: float = 0.0

    def inside(self) -> npt.NDArray[np.bool_]:
        u, v = self._own_axes()
        return (np.abs(u) < self.half_px[0]) & (np.abs(v) < self.half_px[1])

    def plane(self) -> np.ndarray:
        row, col = np.indices(self.shape)
        return self.offset + self.tilt[0] * col / self.shape[1] + self.tilt[1] * row / self.shape[0]

    def top(self) -> np.ndarray:
        u, v = self._own_axes()
        bent = 1.0 - 0.5 * self.dome * ((u / self.half_px[0]) ** 2 + (v / self.half_px[1]) ** 2)
        return np.where(self.inside(), self.height * bent, 0.0)

    def measured(self, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rows = rng.normal(0.0, self.row_noise, (self.shape[0], 1))
        return self.top() + self.plane() + rows + rng.normal(0.0, self.noise, self.shape)

    def _own_axes(self) -> tuple[np.ndarray, np.ndarray]:
        row, col = np.indices(self.shape, dtype=np.float64)
        x, y, turn = col - self.centre_px[0], row - self.centre_px[1], np.radians(self.angle_deg)
        return x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
