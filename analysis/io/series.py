"""A series of detector frames: what every reader of frames gives, whatever the files are.

Image numbers count from 1; arrays are (row, col) as stored; beam centres are (column, row), pixel centres at
integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError

Mask = npt.NDArray[np.bool_]
Span = tuple[int, int]

REJECT_BITS = 0xFFFF
"""Bits of ``pixel_mask`` that make a pixel unusable; bit 31 marks a virtual pixel, which is usable."""

MAX_SIDE_PX = 20_000
MAX_FRAMES = 10_000_000
NEGATIVE = 2**31
"""Counts with a sign are read as 32 bits without: what was below zero, a masked pixel, is at least this."""


RegionReader = Callable[[int], npt.NDArray[np.integer] | None]
"""Gives a region of frame ``index`` (from 0); None where it is missing or damaged. From any thread."""


class FrameSource(Protocol):
    """Frames that are not one dataset of an HDF5 file; a record that can be sent to other processes."""

    def opened(self, rows: Span, cols: Span) -> AbstractContextManager[RegionReader]:
        """A reader of one region, stops excluded, for as long as the context lasts."""

    def stored_bytes(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """Bytes (count,) that frames from ``start`` on take in their files, 0 for a missing one."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Consecutive frames: images ``first_number`` ... lie at ``start`` ... of a dataset, or of ``source``."""

    path: Path
    dataset: str
    first_number: int
    start: int
    count: int
    source: FrameSource | None = None

    @property
    def last_number(self) -> int:
        """Image number of the last frame."""
        return self.first_number + self.count - 1


@dataclass(frozen=True, kw_only=True)
class DetectorMetadata:
    """What the file says of the detector; None where it says nothing (0 for a distance or centre is nothing).

    ``saturation`` is the first count that is not trusted, ``masked_value`` the least that masked pixels
    carry.
    """

    wavelength_nm: float | None = None
    distance_mm: float | None = None
    pixel_size_um: tuple[float, float] | None = None
    beam_center_px: tuple[float, float] | None = None
    exposure_s: float | None = None
    saturation: int | None = None
    masked_value: int = 2**32 - 1
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Frames of one run: ``shape`` (rows, cols) of each, where they are, how many there should be.

    ``expected`` is None where nothing says it. ``missing_files`` names files that are linked but not there.
    ``rejected`` (rows, cols) marks pixels that the file's own mask rejects. ``files`` lists all files read.
    ``layout`` is what the files are, ``notes`` what is to be known of how they were read.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[np.integer]
    expected: int | None
    parts: tuple[Part, ...]
    missing_files: tuple[str, ...]
    metadata: DetectorMetadata
    rejected: Mask
    files: tuple[Path, ...]
    layout: str = "EIGER"
    notes: tuple[str, ...] = ()

    @property
    def highest_number(self) -> int:
        """Largest image number that is there."""
        return max(part.last_number for part in self.parts)

    @property
    def present(self) -> int:
        """Number of frames that are there."""
        return sum(part.count for part in self.parts)


def checked_frames(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> tuple[tuple[int, int], np.dtype[np.integer]]:
    """Shape and type of a frame, once they can be a detector's counts; raises InputError otherwise."""
    counts = np.dtype(f"{dtype.kind}{dtype.itemsize}") if dtype.kind in "iu" else None
    if counts is None or counts.itemsize > 4:
        raise InputError(path, expected="counts of 8, 16 or 32 bits", found=str(dtype))
    if len(shape) != 2 or not all(1 <= side <= MAX_SIDE_PX for side in shape):
        raise InputError(path, expected=f"frames of at most {MAX_SIDE_PX} pixels a side", found=str(shape))
    return (int(shape[0]), int(shape[1])), counts


def nothing_to_read(path: Path, missing: list[str]) -> InputError:
    """The refusal of files that hold no frame; ``missing`` names those that should."""
    return InputError(
        path,
        expected="detector frames",
        found=f"none of the files that hold them is there ({', '.join(missing[:3])})" if missing else "none",
        remedy="put the data files beside the master file, where its links lead" if missing else None,
    )
