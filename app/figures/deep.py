"""A large image at any scale without a second copy: coarse levels kept, fine ones made when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from app.figures.png import Pixels, grey, halved

KEPT_FROM = 2
"""Levels from this on are kept: an image of 20,000 x 20,000 px then costs 33 MB beside its own file."""

SMALLEST = 256
SAMPLED = 2_000_000
STRIP_BYTES = 16_000_000


class Level:
    """One level of a pyramid, 2^``number`` px of the image to a pixel; its slices are read as an array."""

    def __init__(self, deep: DeepImage, number: int) -> None:
        self._deep, self._number = deep, number
        rows, cols = deep.image.shape
        self.shape = (rows >> number, cols >> number)

    def __getitem__(self, where: tuple[slice, slice]) -> Pixels:
        """Pixels (h, w) of 8 bits of two slices without steps."""
        rows, cols = (range(*at.indices(n)) for at, n in zip(where, self.shape, strict=True))
        return self._deep.part(self._number, rows, cols)


class DeepImage(Sequence[Level]):
    """The levels of an image (rows, cols) of uint8 or uint16, 8 bits from 0.5th to 99.5th percentile."""

    def __init__(self, image: npt.NDArray[np.unsignedinteger]) -> None:
        self.image = image
        step = max(1, int(np.sqrt(image.size / SAMPLED)))
        low, high = (float(limit) for limit in np.percentile(image[::step, ::step], (0.5, 99.5)))
        self._limits = (low, max(high, low + 1.0))
        self._count = 1
        while min(image.shape) >> (self._count - 1) >= 2 * SMALLEST:
            self._count += 1
        self._kept = self._coarse() if self._count > KEPT_FROM else []

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> Level: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Level]: ...
    def __getitem__(self, number: int | slice) -> Level | Sequence[Level]:
        if isinstance(number, slice):
            return [Level(self, n) for n in range(*number.indices(self._count))]
        return Level(self, range(self._count)[number])

    @property
    def kept_bytes(self) -> int:
        """Memory that the kept levels take."""
        return sum(level.nbytes for level in self._kept)

    def part(self, number: int, rows: range, cols: range) -> Pixels:
        """Pixels of a level: means of 2^number x 2^number pixels of the image."""
        if number >= KEPT_FROM:
            return self._kept[number - KEPT_FROM][rows.start : rows.stop, cols.start : cols.stop]
        found = self.image[
            rows.start << number : rows.stop << number, cols.start << number : cols.stop << number
        ]
        return self._reduced(found, number)

    def _reduced(self, found: npt.NDArray[np.unsignedinteger], number: int) -> Pixels:
        pixels = grey(found, limits=self._limits)
        for _ in range(number):
            pixels = halved(pixels)
        return pixels

    def _coarse(self) -> list[Pixels]:
        """The kept levels, the first made strip by strip."""
        block = 1 << KEPT_FROM
        rows = self.image.shape[0] // block * block
        strip = max(block, STRIP_BYTES // max(1, self.image[0].nbytes) // block * block)
        cols = self.image.shape[1] // block * block
        parts = [
            self._reduced(self.image[row : min(row + strip, rows), :cols], KEPT_FROM)
            for row in range(0, rows, strip)
        ]
        levels = [np.concatenate(parts)]
        while len(levels) < self._count - KEPT_FROM:
            levels.append(halved(levels[-1]))
        return levels
