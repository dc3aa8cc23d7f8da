"""The scan's grid on the crystal, and which image belongs to which of its points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.records import PixelGrid

AXES = {"+x": (1.0, 0.0), "-x": (-1.0, 0.0), "+y": (0.0, 1.0), "-y": (0.0, -1.0)}
"""Directions on the crystal as displayed: x to the right, y down."""


def scan_grid(shape: tuple[int, int], step_um: tuple[float, float], scan_axes: tuple[str, str]) -> PixelGrid:
    """Grid whose origin is the centre of the first point's cell; ``step_um`` is (slow, fast), signed.

    ``scan_axes`` is (fast, slow): where each runs on the crystal.
    """
    fast, slow = (AXES[name] for name in scan_axes)
    return PixelGrid(
        shape=shape,
        col_step_um=(fast[0] * step_um[1], fast[1] * step_um[1]),
        row_step_um=(slow[0] * step_um[0], slow[1] * step_um[0]),
    )


def image_numbers(shape: tuple[int, int], *, serpentine: bool) -> npt.NDArray[np.int64]:
    """Image number (from 1) of every point (rows, cols): fast axis first, odd rows back where serpentine."""
    numbers = np.arange(1, shape[0] * shape[1] + 1, dtype=np.int64).reshape(shape)
    if serpentine:
        numbers[1::2] = numbers[1::2, ::-1]
    return numbers
