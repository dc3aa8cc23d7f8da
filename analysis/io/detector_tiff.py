"""Detector images in TIFF files: plain pixels of whole numbers, one image or many in a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from analysis.errors import InputError
from analysis.io.series import Span, checked_frames

logging.getLogger("tifffile").addHandler(logging.NullHandler())

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_PAGES = 100_000
NO_COMPRESSION = 1


@dataclass(frozen=True, kw_only=True)
class TiffHeader:
    """Shape and type of the images of a file, where each begins (bytes), what is written above the first."""

    text: str
    shape: tuple[int, int]
    dtype: np.dtype[np.integer]
    order: str
    starts: tuple[int, ...]


def read_tiff_header(path: Path) -> TiffHeader:
    """Header of a TIFF, held against the file's size; raises InputError before anything is allocated."""
    length = path.stat().st_size
    with _parsed(path) as tiff:
        first = tiff.pages.first
        if not isinstance(first, tifffile.TiffPage) or first.dtype is None:
            raise InputError(path, expected="a grey image of whole numbers", found=str(first)[:80])
        shape, dtype = checked_frames(path, first.shape, first.dtype)
        starts = []
        for page in tiff.pages:
            starts.append(_start(path, page, shape, dtype.itemsize, length))
            if len(starts) > MAX_PAGES:
                raise InputError(path, expected=f"at most {MAX_PAGES} images", found="more")
        return TiffHeader(
            text=str(first.description), shape=shape, dtype=dtype, order=tiff.byteorder, starts=tuple(starts)
        )


def read_tiff_region(
    path: Path, header: TiffHeader, index: int, rows: Span, cols: Span
) -> npt.NDArray[np.integer] | None:
    """Counts of a region of image ``index``; None where the region leaves it or the file has shrunk."""
    if rows[1] > header.shape[0] or cols[1] > header.shape[1] or index >= len(header.starts):
        return None
    width, count = header.shape[1], (rows[1] - rows[0]) * header.shape[1]
    stored = header.dtype.newbyteorder("<" if header.order == "<" else ">")
    with path.open("rb") as file:
        file.seek(header.starts[index] + rows[0] * width * stored.itemsize)
        raw = file.read(count * stored.itemsize)
    if len(raw) < count * stored.itemsize:
        return None
    values = np.frombuffer(raw, dtype=stored).reshape(-1, width)
    return np.asarray(values[:, slice(*cols)])


def _start(
    path: Path, page: tifffile.TiffPage | tifffile.TiffFrame, shape: tuple[int, int], item: int, length: int
) -> int:
    """Where a page's pixels begin; raises InputError unless they lie in the file, plain and in one piece."""
    keyed = page.keyframe
    if keyed is None:
        raise InputError(path, expected="whole images", found="a page without any")
    if int(keyed.compression) != NO_COMPRESSION or keyed.predictor != 1 or keyed.fillorder != 1:
        kind = getattr(keyed.compression, "name", str(keyed.compression))
        raise InputError(
            path,
            field="compression",
            expected="none",
            found=kind,
            remedy="save the images without compression",
        )
    ends = [start + size for start, size in zip(page.dataoffsets, page.databytecounts, strict=False)]
    whole = page.dataoffsets and page.dataoffsets[1:] == tuple(ends[:-1]) if ends else False
    begin = page.dataoffsets[0] if page.dataoffsets else 0
    needed = shape[0] * shape[1] * item
    if tuple(keyed.shape) != shape or not whole or keyed.is_tiled or begin <= 0:
        raise InputError(path, expected=f"images of {shape[0]} x {shape[1]} in one piece", found="others")
    if sum(page.databytecounts) < needed or begin + needed > length:
        raise InputError(
            path,
            field="pixels",
            expected=f"{begin + needed} bytes in the file",
            found=str(length),
            remedy="it is cut short: copy it again",
        )
    return int(begin)


@contextmanager
def _parsed(path: Path) -> Iterator[tifffile.TiffFile]:
    try:
        with tifffile.TiffFile(path) as tiff:
            yield tiff
    except InputError:
        raise
    except OSError as error:
        raise InputError(path, expected="a readable file", found=str(error.strerror or error)) from None
    except Exception as error:  # the parser raises whatever its tables lead it to
        text = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            path, expected="a whole TIFF image", found=f"one that cannot be read ({text})"
        ) from None
