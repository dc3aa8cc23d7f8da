"""Pictures as PNG bytes: coloured maps, grey images, and the pyramid from which crops of an image come."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from plotly.colors import sample_colorscale, unlabel_rgb

from analysis.records import Array

Pixels = npt.NDArray[np.uint8]

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}


def png_bytes(pixels: Pixels, *, level: int = 3) -> bytes:
    """PNG file of grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4) pixels of 8 bits (PNG specification, 2003)."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)
    rows[:, 1:] = np.ascontiguousarray(pixels).reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), level)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@lru_cache(maxsize=16)
def lookup_table(scale: str) -> Pixels:
    """The 256 RGB colours (256, 3) of a named colour scale."""
    colours = sample_colorscale(scale, np.linspace(0.0, 1.0, 256).tolist())
    return np.array([unlabel_rgb(colour) for colour in colours]).round().astype(np.uint8)


def coloured(values: Array, *, limits: tuple[float, float], scale: str) -> Pixels:
    """RGBA pixels (h, w, 4) of values (h, w) between two limits; transparent where NaN."""
    seen = np.isfinite(values)
    pixels = np.zeros((*values.shape, 4), dtype=np.uint8)
    pixels[seen, :3] = lookup_table(scale)[grey(values[seen], limits=limits)]
    pixels[seen, 3] = 255
    return pixels


def grey(values: npt.NDArray[np.generic], *, limits: tuple[float, float]) -> Pixels:
    """Values scaled between two limits to 0 ... 255, clipped, any shape; NaN becomes 0."""
    low, high = limits
    scaled = (np.asarray(values, dtype=np.float32) - low) * (255.0 / (high - low))
    return np.nan_to_num(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)


def pyramid(image: npt.NDArray[np.unsignedinteger], *, smallest: int = 256) -> tuple[Pixels, ...]:
    """The image in 8 bits, then halved again and again (means of 2 x 2) until a side is ``smallest``."""
    low, high = (float(limit) for limit in np.percentile(image, (0.5, 99.5)))
    levels = [grey(image, limits=(low, max(high, low + 1.0)))]
    while min(levels[-1].shape) >= 2 * smallest:
        levels.append(halved(levels[-1]))
    return tuple(levels)


def halved(pixels: Pixels) -> Pixels:
    """Means of 2 x 2 pixels, an odd last row or column dropped."""
    rows, cols = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    even = pixels[:rows, :cols].astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def crop(levels: Sequence[Any], *, col0: int, col1: int, row0: int, row1: int, width: int) -> Pixels:
    """Pixels of a region of the full image, from the coarsest level with at least ``width`` columns there."""
    rows, cols = levels[0].shape
    col0, row0 = min(max(col0, 0), cols - 1), min(max(row0, 0), rows - 1)
    col1, row1 = min(max(col1, col0 + 1), cols), min(max(row1, row0 + 1), rows)
    level = 0
    while level + 1 < len(levels) and (col1 - col0) >> (level + 1) >= width:
        level += 1
    step = 1 << level
    return levels[level][row0 // step : -(-row1 // step), col0 // step : -(-col1 // step)]
