"""Micrographs in TIFF: checked against the file's size before anything is allocated, read as grey levels."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from analysis.errors import InputError
from analysis.io.lzw import lzw_page
from analysis.io.sem_vendors import PAGE_READERS, PixelSize, sidecar_path, sidecar_scale

logging.getLogger("tifffile").addHandler(logging.NullHandler())

Grey = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MAX_PAGES = 10_000
MAX_SIDE = 100_000
MAX_BYTES = 1_300_000_000
"""An image of 20,000 x 20,000 in 16 bits or in three colours of 8 bits."""

MAPPED_FROM_BYTES = 64_000_000
BLOCK_BYTES = 16_000_000
MAX_EXPANSION = 1500
"""No supported compression expands data more than this."""

MIN_SIDE = 16
COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32773: "PackBits", 32946: "Deflate", 34925: "LZMA"}
LUMINANCE = (0.299, 0.587, 0.114)
RAMP_SHARE = 0.9
"""A palette whose entries are grey = index in this share is a grey scale with a few colours for drawings."""


@dataclass(frozen=True, kw_only=True)
class MicrographHeader:
    """What a file says before its pixels are read. ``sizes`` best first; ``bar_row`` None if not told."""

    path: Path
    shape: tuple[int, int]
    dtype: str
    pages: int
    sizes: tuple[PixelSize, ...]
    bar_row: int | None
    sidecar: Path | None


@dataclass(frozen=True, kw_only=True)
class ChosenSize:
    """The pixel size in use, where it is from, and the audit (source, nm, used) of all that was said."""

    nm: float
    source: str
    nominal: bool
    audit: tuple[tuple[str, float, bool], ...]
    disagreement: float


def read_header(path: Path) -> MicrographHeader:
    """Shape, type and pixel sizes of the first page of a TIFF; raises InputError for what cannot be read."""
    with _opened(path) as tiff:
        page, pages = _first_page(path, tiff)
        _check_page(path, page)
        scales = [reader(page) for reader in PAGE_READERS]
        sidecar = sidecar_path(path)
        if sidecar is not None:
            scales.append(sidecar_scale(sidecar, columns=page.imagewidth))
        sizes = [size for scale in scales for size in scale.sizes]
        bars = [scale.bar_row for scale in scales if scale.bar_row is not None]
        return MicrographHeader(
            path=path,
            shape=(page.imagelength, page.imagewidth),
            dtype=str(page.dtype),
            pages=pages,
            sizes=tuple(sorted(sizes, key=lambda size: (not size.trusted, size.nominal))),
            bar_row=bars[0] if bars else None,
            sidecar=sidecar,
        )


def read_micrograph(path: Path) -> Grey:
    """Grey levels (rows, cols) of the first page, uint8 or uint16; raises InputError.

    A large one that lies in one piece in the file is mapped from it, read-only.
    """
    with _opened(path) as tiff:
        page, _ = _first_page(path, tiff)
        _check_page(path, page)
        mapped = _mapped(path, page)
        if mapped is not None:
            return mapped
        values = lzw_page(page) if int(page.compression) == 5 else page.asarray()
        if values.size != np.prod(page.shape):
            raise ValueError("fewer pixels than the header says")
        return _grey(page, np.asarray(values).reshape(page.shape))


def _mapped(path: Path, page: tifffile.TiffPage) -> Grey | None:
    """A plain grey page of MAPPED_FROM_BYTES and more as a map of the file; None where that cannot be."""
    plain = (
        page.dtype in (np.uint8, np.uint16)
        and page.axes == "YX"
        and page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        and page.is_memmappable
        and (page.dtype == np.uint8 or page.parent.byteorder == sys_byteorder())
    )
    if not plain or page.nbytes < MAPPED_FROM_BYTES:
        return None
    kind = np.uint8 if page.dtype == np.uint8 else np.uint16
    return np.memmap(path, dtype=kind, mode="r", offset=page.dataoffsets[0], shape=page.shape)


def sys_byteorder() -> str:
    """The byte order of this machine as TIFF files name it."""
    return "<" if sys.byteorder == "little" else ">"


def choose_pixel_size(path: Path, sizes: Sequence[PixelSize], *, override_nm: float | None) -> ChosenSize:
    """The override, or else the best of what the file says; raises InputError where there is nothing.

    ``disagreement`` is the largest relative difference of a trusted statement from the chosen one.
    """
    trusted = [size for size in sizes if size.trusted]
    if override_nm is not None:
        chosen = PixelSize(source="pixel_size_nm of the sample file", nm=override_nm)
        listed = [chosen, *sizes]
    elif trusted:
        chosen, listed = trusted[0], list(sizes)
    else:
        raise InputError(
            path,
            field="pixel size",
            expected="a pixel size in the tags of the microscope or in a .txt beside the image",
            found="none (dots per inch say nothing)",
            remedy="give pixel_size_nm",
        )
    firm = [size.nm for size in trusted if not size.nominal]
    return ChosenSize(
        nm=chosen.nm,
        source=chosen.source + (" (nominal)" if chosen.nominal else ""),
        nominal=chosen.nominal,
        audit=tuple((size.source, size.nm, size is chosen) for size in listed),
        disagreement=max((abs(nm / chosen.nm - 1.0) for nm in firm), default=0.0),
    )


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """The TIFF, with whatever its parser trips over turned into one sentence."""
    if not path.is_file():
        raise InputError(path, expected="a TIFF file", found="no such file")
    try:
        with tifffile.TiffFile(path) as tiff:
            yield tiff
    except InputError:
        raise
    except OSError as error:
        raise InputError(path, expected="a readable file", found=str(error.strerror or error)) from None
    except Exception as error:  # the parser raises whatever its tables lead it to
        raise InputError(
            path, expected="a whole TIFF image", found=f"one that cannot be read ({_one_line(error)})"
        ) from None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def _first_page(path: Path, tiff: tifffile.TiffFile) -> tuple[tifffile.TiffPage, int]:
    pages = 1
    try:
        tiff.pages.get(MAX_PAGES)
    except IndexError:
        pages = len(tiff.pages)
    else:
        raise InputError(path, expected=f"at most {MAX_PAGES} pages", found="more")
    page = tiff.pages.first
    if not isinstance(page, tifffile.TiffPage):
        raise InputError(path, expected="a TIFF page", found="none")
    return page, pages


def _check_page(path: Path, page: tifffile.TiffPage) -> None:
    """Refuse, from the header alone, what is too large, of an unknown kind, or longer than the file."""
    rows, cols = page.imagelength, page.imagewidth
    if min(rows, cols) < MIN_SIDE or max(rows, cols) > MAX_SIDE:
        raise InputError(
            path,
            field="image size",
            expected=f"{MIN_SIDE} to {MAX_SIDE} rows and columns",
            found=f"{rows} x {cols}",
        )
    if page.dtype is None or page.dtype.kind not in "uifb" or page.axes not in ("YX", "YXS", "SYX"):
        raise InputError(
            path,
            field="pixels",
            expected="grey, palette or RGB pixels of 1 to 64 bits in one plane",
            found=f"{page.dtype} with axes {page.axes}",
        )
    if int(page.compression) not in COMPRESSIONS:
        raise InputError(
            path,
            field="compression",
            expected=", ".join(dict.fromkeys(COMPRESSIONS.values())),
            found=getattr(page.compression, "name", str(page.compression)),
            remedy="save it without compression",
        )
    _check_bytes(path, page)


def _check_bytes(path: Path, page: tifffile.TiffPage) -> None:
    length = path.stat().st_size
    declared = int(np.prod(page.shape, dtype=object)) * int(page.dtype.itemsize if page.dtype else 1)
    if declared > MAX_BYTES:
        raise InputError(
            path, field="image size", expected=f"at most {MAX_BYTES} bytes of pixels", found=f"{declared}"
        )
    ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
    stored = sum(page.databytecounts)
    if not ends or max(ends) > length or min(page.dataoffsets) <= 0:
        raise InputError(
            path,
            field="pixels",
            expected=f"{max(ends, default=declared)} bytes in the file",
            found=f"{length}",
            remedy="it is cut short: copy it again",
        )
    bits = declared * 8 if page.bitspersample % 8 == 0 else declared
    plain = int(page.compression) == 1
    if (plain and 8 * stored < bits) or declared > MAX_EXPANSION * stored:
        raise InputError(
            path, field="pixels", expected=f"{declared} bytes of pixels", found=f"{stored} stored bytes"
        )


def _grey(page: tifffile.TiffPage, values: npt.NDArray[np.generic]) -> Grey:
    """Grey levels (rows, cols) of pixels of any kind."""
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3:
        values = _luminance(values) if values.shape[2] >= 3 else values[:, :, 0]
    elif page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        values = _from_palette(values, np.asarray(page.colormap))
    grey = _unsigned(values)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        return np.invert(grey)
    return grey


def _luminance(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Red where all three colours are alike, otherwise their weighted mean; in blocks of rows."""
    rows = max(1, BLOCK_BYTES // max(1, values[0].nbytes))
    blocks = [values[row : row + rows] for row in range(0, values.shape[0], rows)]
    if all(np.array_equal(block[:, :, 0], block[:, :, n]) for n in (1, 2) for block in blocks):
        return np.ascontiguousarray(values[:, :, 0])
    mixed = np.empty(values.shape[:2], dtype=values.dtype)
    for number, block in enumerate(blocks):
        weighted = np.asarray(block[:, :, :3] @ np.array(LUMINANCE, dtype=np.float32))
        mixed[number * rows : (number + 1) * rows] = (
            weighted if values.dtype.kind == "f" else np.rint(weighted)
        )
    return mixed


def _from_palette(
    values: npt.NDArray[np.generic], colormap: npt.NDArray[np.generic]
) -> npt.NDArray[np.generic]:
    """The index where the palette is a grey scale, otherwise the luminance of its colours, 0 to 255."""
    colours = colormap.astype(np.float64)
    entries = colours.shape[1]
    ideal = np.arange(entries) * (65535.0 / max(entries - 1, 1))
    ramp = np.all(np.abs(colours - ideal) <= 300.0, axis=0)
    if ramp.mean() >= RAMP_SHARE:
        return values
    grey = np.rint(np.array(LUMINANCE) @ colours / 257.0).astype(np.uint8)
    return np.asarray(grey[np.minimum(values.astype(np.int64), entries - 1)])


def _unsigned(values: npt.NDArray[np.generic]) -> Grey:
    """uint8 and uint16 as they are; other types spread linearly over 16 bits (not finite: 0)."""
    if values.dtype == np.uint8:
        return np.asarray(values, dtype=np.uint8)
    if values.dtype == np.uint16:
        return np.asarray(values, dtype=np.uint16)
    if values.dtype.kind == "b":
        return np.asarray(values, dtype=np.uint8) * np.uint8(255)
    grey = np.zeros(values.shape, dtype=np.uint16)
    rows = max(1, BLOCK_BYTES // max(1, values[0].nbytes))
    starts = range(0, values.shape[0], rows)
    finite = [block[np.isfinite(block)] for block in (values[row : row + rows] for row in starts)]
    if not any(block.size for block in finite):
        return grey
    low = min(float(block.min()) for block in finite if block.size)
    high = max(float(block.max()) for block in finite if block.size)
    factor = 65535.0 / (high - low) if high > low else 0.0
    for row in starts:
        real = values[row : row + rows].astype(np.float64)
        grey[row : row + rows] = np.rint((np.where(np.isfinite(real), real, low) - low) * factor)
    return grey
