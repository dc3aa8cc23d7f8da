"""Series of single images: a folder or a pattern of CBF or TIFF files, one frame a file, by their numbers.

The number that counts the images is the last group of digits in the names. What is masked carries -1 or -2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.cbf import read_cbf_header, read_cbf_region
from analysis.io.detector_tiff import TiffHeader, read_tiff_header, read_tiff_region
from analysis.io.mini_header import header_metadata
from analysis.io.series import NEGATIVE, FrameSource, Mask, Part, RegionReader, Series, Span

NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
MAX_IMAGES = 1_000_000
Region = npt.NDArray[np.integer]


@dataclass(frozen=True)
class CbfFiles:
    """Images in CBF files, None where there is no file of that number."""

    paths: tuple[Path | None, ...]
    shape: tuple[int, int]

    @contextmanager
    def opened(self, rows: Span, cols: Span) -> Iterator[RegionReader]:
        """See :class:`analysis.io.series.FrameSource`."""

        def read(path: Path) -> Region | None:
            header = read_cbf_header(path)
            return read_cbf_region(path, header, rows, cols) if header.shape == self.shape else None

        yield lambda index: _unless_damaged(read, self.paths[index])

    def stored_bytes(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """See :class:`analysis.io.series.FrameSource`."""
        return _sizes(self.paths[start : start + count])


@dataclass(frozen=True)
class TiffFiles:
    """Images in TIFF files of one image each, None where there is no file of that number."""

    paths: tuple[Path | None, ...]
    shape: tuple[int, int]

    @contextmanager
    def opened(self, rows: Span, cols: Span) -> Iterator[RegionReader]:
        """See :class:`analysis.io.series.FrameSource`."""

        def read(path: Path) -> Region | None:
            header = read_tiff_header(path)
            return read_tiff_region(path, header, 0, rows, cols) if header.shape == self.shape else None

        yield lambda index: _unless_damaged(read, self.paths[index])

    def stored_bytes(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """See :class:`analysis.io.series.FrameSource`."""
        return _sizes(self.paths[start : start + count])


@dataclass(frozen=True)
class TiffStack:
    """All images of one TIFF file."""

    path: Path
    header: TiffHeader

    @contextmanager
    def opened(self, rows: Span, cols: Span) -> Iterator[RegionReader]:
        """See :class:`analysis.io.series.FrameSource`."""
        yield lambda index: _unless_damaged(
            lambda path: read_tiff_region(path, self.header, index, rows, cols), self.path
        )

    def stored_bytes(self, start: int, count: int) -> npt.NDArray[np.int64]:  # noqa: ARG002
        """See :class:`analysis.io.series.FrameSource`."""
        each = self.header.shape[0] * self.header.shape[1] * self.header.dtype.itemsize
        return np.full(count, each, dtype=np.int64)


def _unless_damaged(read: Callable[[Path], Region | None], path: Path | None) -> Region | None:
    try:
        return None if path is None else read(path)
    except (InputError, OSError):
        return None


@dataclass(frozen=True, kw_only=True)
class _Numbered:
    """Files in the order of their numbers; ``paths`` has None where a number between them is missing."""

    first: int
    paths: tuple[Path | None, ...]

    @cached_property
    def there(self) -> list[Path]:
        return [path for path in self.paths if path is not None]


def read_cbf_images(path: Path, files: list[Path]) -> Series:
    """Series of CBF images; ``path`` is the folder or pattern that means ``files``. Raises InputError."""
    numbered = _by_number(path, files)
    first = numbered.there[0]
    header = read_cbf_header(first)
    source = CbfFiles(numbered.paths, header.shape)
    return _series(path, numbered, source, header.shape, header.dtype, header.text, layout="CBF images")


def read_tiff_images(path: Path, files: list[Path]) -> Series:
    """Series of TIFF files of one image each, or the one file of many. Raises InputError."""
    numbered = _by_number(path, files)
    first = numbered.there[0]
    header = read_tiff_header(first)
    many = len(header.starts) > 1
    if many and len(numbered.there) > 1:
        raise InputError(
            path, expected="one file of many images, or many of one", found=f"{len(files)} files of many"
        )
    if many:
        stack = _Numbered(first=1, paths=(first,) * len(header.starts))
        source: FrameSource = TiffStack(first, header)
        return _series(path, stack, source, header.shape, header.dtype, header.text, layout="TIFF stack")
    source = TiffFiles(numbered.paths, header.shape)
    return _series(path, numbered, source, header.shape, header.dtype, header.text, layout="TIFF images")


def _series(
    path: Path,
    numbered: _Numbered,
    source: FrameSource,
    shape: tuple[int, int],
    dtype: np.dtype[np.integer],
    text: str,
    *,
    layout: str,
) -> Series:
    first = numbered.there[0]
    masked_value = NEGATIVE if dtype.kind == "i" else int(np.iinfo(dtype).max)
    notes = []
    if numbered.first > 1:
        notes.append(f"image numbers begin with {numbered.first}: that one is taken as the first")
    missing = len(numbered.paths) - len(numbered.there)
    if missing:
        notes.append(f"{missing} numbers between the first and the last image have no file")
    return Series(
        path=path,
        shape=shape,
        dtype=dtype,
        expected=None,
        parts=_runs(numbered, source),
        missing_files=(),
        metadata=header_metadata(text, source=first.name, masked_value=masked_value),
        rejected=_masked(source, numbered, shape, masked_value),
        files=tuple(dict.fromkeys(numbered.there)),
        layout=layout,
        notes=tuple(notes),
    )


def _runs(numbered: _Numbered, source: FrameSource) -> tuple[Part, ...]:
    """Parts of consecutive images that are there."""
    there = np.flatnonzero([path is not None for path in numbered.paths])
    parts = []
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        begin = int(run[0])
        path = numbered.paths[begin]
        if path is not None:
            parts.append(
                Part(
                    path=path,
                    dataset="",
                    first_number=begin + 1,
                    start=begin,
                    count=int(run.size),
                    source=source,
                )
            )
    return tuple(parts)


def _masked(source: FrameSource, numbered: _Numbered, shape: tuple[int, int], masked_value: int) -> Mask:
    """Pixels that the first image marks as masked."""
    first = next(index for index, path in enumerate(numbered.paths) if path is not None)
    with source.opened((0, shape[0]), (0, shape[1])) as read:
        values = read(first)
    if values is None:
        return np.zeros(shape, dtype=np.bool_)
    return np.asarray(values.astype(np.uint32) >= masked_value)


def _by_number(path: Path, files: list[Path]) -> _Numbered:
    """Files by the last number in their names; raises InputError where they are no single series."""
    if len(files) == 1:
        return _Numbered(first=1, paths=tuple(files))
    by_number: dict[int, Path] = {}
    names = set()
    for file in files:
        match = NUMBERED.fullmatch(file.stem)
        if match is None:
            raise InputError(path, expected="images with a number in their names", found=file.name)
        names.add((match[1], match[3]))
        if len(match[2]) > 12 or int(match[2]) in by_number:
            raise InputError(path, expected="one image of a number", found=file.name)
        by_number[int(match[2])] = file
    if len(names) > 1:
        listed = ", ".join(sorted(f"{before}*{after}" for before, after in names)[:3])
        raise InputError(
            path,
            expected="images of one series",
            found=f"{len(names)} ({listed})",
            remedy="name one as a pattern",
        )
    low, high = min(by_number), max(by_number)
    if high - low >= MAX_IMAGES:
        raise InputError(path, expected=f"at most {MAX_IMAGES} images", found=f"numbers from {low} to {high}")
    first = 1 if low in (0, 1) else low
    return _Numbered(first=first, paths=tuple(by_number.get(number) for number in range(low, high + 1)))


def _sizes(paths: tuple[Path | None, ...]) -> npt.NDArray[np.int64]:
    """Bytes of each file, 0 where there is none."""
    sizes = np.zeros(len(paths), dtype=np.int64)
    for at, path in enumerate(paths):
        try:
            sizes[at] = path.stat().st_size if path is not None else 0
        except OSError:
            sizes[at] = 0
    return sizes
