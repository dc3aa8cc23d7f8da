"""What the tags and sidecar files of microscopes say of the pixel size and of the information bar.

Each reader takes the first page of a TIFF (or the text beside it) and lists what it found; none of them looks
at the resolution in dots per inch, which belongs to the printer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from analysis.units import NM_PER_M, NM_PER_MM, NM_PER_UM

ZEISS, FEI_SFEG, FEI_HELIOS, TESCAN, OLYMPUS = 34118, 34680, 34682, 50431, 33560

ZEISS_COLUMNS = 1024
"""Zeiss gives ``ap_pixel_size`` for an image of this many columns, whatever was stored."""

HITACHI_WIDTH_MM = 127.0
JEOL_WIDTH_MM = 128.0
"""Widths of the photograph that magnifications refer to."""

MAX_SIDECAR_BYTES = 1_000_000

NM_PER_UNIT = {
    "pm": 1e-3,
    "å": 0.1,
    "nm": 1.0,
    "um": NM_PER_UM,
    "µm": NM_PER_UM,
    "μm": NM_PER_UM,
    "\\u00b5m": NM_PER_UM,
    "micron": NM_PER_UM,
    "microns": NM_PER_UM,
    "mm": NM_PER_MM,
    "m": NM_PER_M,
}


@dataclass(frozen=True, kw_only=True)
class PixelSize:
    """One statement of the pixel size. ``trusted``: about this image; ``nominal``: from a magnification."""

    source: str
    nm: float
    trusted: bool = True
    nominal: bool = False


@dataclass(frozen=True, kw_only=True)
class Scale:
    """All statements, the best first, and the first row of the information bar where metadata tell it."""

    sizes: tuple[PixelSize, ...] = ()
    bar_row: int | None = None


def _number(value: object) -> float | None:
    """A positive finite number, or None."""
    try:
        number = float(str(value).strip().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0.0 else None


def _length_nm(value: object) -> float | None:
    """Length in nm of ``(name, number, unit)`` as Zeiss keeps it."""
    if not isinstance(value, tuple) or len(value) < 3:
        return None
    number, factor = _number(value[1]), NM_PER_UNIT.get(str(value[2]).strip().lower())
    return None if number is None or factor is None else number * factor


def _size(source: str, nm: float | None, **flags: bool) -> Iterator[PixelSize]:
    if nm is not None and math.isfinite(nm) and nm > 0.0:
        yield PixelSize(source=source, nm=nm, **flags)


def _tag(page: tifffile.TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def zeiss(page: tifffile.TiffPage) -> Scale:
    """Tag 34118: the width of the field over the columns; ``ap_pixel_size`` belongs to 1024 columns."""
    values = _tag(page, ZEISS)
    if not isinstance(values, Mapping):
        return Scale()
    columns = page.imagewidth
    width = _length_nm(values.get("ap_width"))
    raw = _length_nm(values.get("ap_pixel_size"))
    sizes = [
        *_size("Zeiss ap_width / columns", None if width is None else width / columns),
        *_size("Zeiss ap_image_pixel_size", _length_nm(values.get("ap_image_pixel_size"))),
        *_size(
            f"Zeiss ap_pixel_size x {ZEISS_COLUMNS} / columns",
            None if raw is None else raw * ZEISS_COLUMNS / columns,
        ),
        *_size(f"Zeiss ap_pixel_size as it stands ({ZEISS_COLUMNS} columns)", raw, trusted=False),
    ]
    return Scale(sizes=tuple(sizes))


def fei(page: tifffile.TiffPage) -> Scale:
    """Tags 34682, 34680 (FEI, Thermo Fisher): PixelWidth in m; rows below Image.ResolutionY are the bar."""
    values = _tag(page, FEI_HELIOS) or _tag(page, FEI_SFEG)
    if not isinstance(values, Mapping):
        return Scale()
    image = _section(values, "Image")
    rows, columns = _number(image.get("ResolutionY")), _number(image.get("ResolutionX"))
    same = columns is None or int(columns) == page.imagewidth
    sizes: list[PixelSize] = []
    for name in ("Scan", "EScan", "IScan"):
        scan = _section(values, name)
        width, field = _number(scan.get("PixelWidth")), _number(scan.get("HorFieldsize"))
        sizes += _size(f"FEI {name}.PixelWidth", _metres(width), trusted=same)
        sizes += _size(f"FEI {name}.HorFieldsize / columns", _metres(field, page.imagewidth))
    bar = int(rows) if rows is not None and same and rows < page.imagelength else None
    return Scale(sizes=tuple(sizes), bar_row=bar)


def _section(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def _metres(value: float | None, share: float = 1.0) -> float | None:
    return None if value is None else value * NM_PER_M / share


def tescan(page: tifffile.TiffPage) -> Scale:
    """Tag 50431: lines ``PixelSizeX=`` in m and ``ImageStripSize=`` (rows of the bar) after a thumbnail."""
    value = _tag(page, TESCAN)
    if not isinstance(value, bytes):
        return Scale()
    size = re.search(rb"PixelSizeX=([^\r\n\0]{1,40})", value)
    strip = re.search(rb"ImageStripSize=(\d{1,6})", value)
    found = None if size is None else _number(size.group(1).decode("ascii", "replace"))
    rows = 0 if strip is None else int(strip.group(1))
    bar = page.imagelength - rows if 0 < rows < page.imagelength else None
    return Scale(sizes=tuple(_size("TESCAN PixelSizeX", _metres(found))), bar_row=bar)


def olympus(page: tifffile.TiffPage) -> Scale:
    """Tag 33560 (Olympus Soft Imaging Solutions): pixelsizex in m."""
    values = _tag(page, OLYMPUS)
    found = _number(values.get("pixelsizex")) if isinstance(values, Mapping) else None
    return Scale(sizes=tuple(_size("Olympus SIS pixelsizex", _metres(found))))


def imagej(page: tifffile.TiffPage) -> Scale:
    """ImageJ: pixels per unit in XResolution, the unit in the description; inch and cm are a printer's."""
    text = page.description
    unit = re.search(r"^unit=(.{1,20})$", text, flags=re.MULTILINE)
    resolution = _tag(page, 282)
    if not text.startswith("ImageJ=") or unit is None or not isinstance(resolution, tuple):
        return Scale()
    factor = NM_PER_UNIT.get(unit.group(1).strip().lower())
    if factor is None or len(resolution) != 2 or not all(resolution):
        return Scale()
    return Scale(sizes=tuple(_size("ImageJ resolution", factor * resolution[1] / resolution[0])))


def ome(page: tifffile.TiffPage) -> Scale:
    """OME-XML in the description: PhysicalSizeX, in um unless PhysicalSizeXUnit says otherwise."""
    text = page.description
    size = re.search(r'\bPhysicalSizeX="([^"]{1,40})"', text)
    if "<OME" not in text or size is None:
        return Scale()
    unit = re.search(r'\bPhysicalSizeXUnit="([^"]{1,20})"', text)
    factor = NM_PER_UNIT.get("µm" if unit is None else unit.group(1).strip().lower())
    number = _number(size.group(1))
    found = None if factor is None or number is None else factor * number
    return Scale(sizes=tuple(_size("OME PhysicalSizeX", found)))


PAGE_READERS: tuple[Callable[[tifffile.TiffPage], Scale], ...] = (zeiss, fei, tescan, olympus, imagej, ome)


def sidecar_path(image: Path) -> Path | None:
    """The text file that lies beside ``image`` under the same name, or None."""
    for ending in (".txt", ".TXT", ".Txt"):
        path = image.with_suffix(ending)
        if path.is_file():
            return path
    return None


def decoded(content: bytes) -> str:
    """Text of a sidecar: UTF-16 or UTF-8 by its mark or its zeros, otherwise UTF-8, otherwise latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding, zeros in (("utf-16-le", content[1:400:2]), ("utf-16-be", content[:400:2])):
        if zeros and zeros.count(0) > len(zeros) // 2:
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def sidecar_scale(path: Path, *, columns: int) -> Scale:
    """What a Hitachi or JEOL text says of an image with ``columns`` columns; nothing if it is neither."""
    if path.stat().st_size > MAX_SIDECAR_BYTES:
        return Scale()
    text = decoded(path.read_bytes())
    if re.search(r"^\s*\[SemImageFile\]", text, flags=re.MULTILINE | re.IGNORECASE):
        return _hitachi(text, columns=columns)
    if re.search(r"^\$CM_", text, flags=re.MULTILINE):
        return _jeol(text, columns=columns)
    return Scale()


def _hitachi(text: str, *, columns: int) -> Scale:
    """``PixelSize=`` in nm for DataSize columns; without it the magnification of a 127 mm wide photograph."""
    values = {
        key.strip().lower(): value.strip()
        for key, separator, value in (line.partition("=") for line in text.splitlines())
        if separator
    }
    stored = re.match(r"(\d{1,6})\s*[xX*]\s*\d", values.get("datasize", ""))
    share = int(stored.group(1)) / columns if stored is not None else 1.0
    size, magnification = _number(values.get("pixelsize")), _number(values.get("magnification"))
    scaled = "" if share == 1.0 else f" x {share:g} (DataSize)"
    photograph = None if magnification is None else HITACHI_WIDTH_MM * NM_PER_MM / magnification / columns
    return Scale(
        sizes=(
            *_size(f"Hitachi sidecar PixelSize{scaled}", None if size is None else size * share),
            *_size("Hitachi sidecar Magnification", photograph, nominal=True),
        )
    )


def _jeol(text: str, *, columns: int) -> Scale:
    """The micron marker over the length of its bar in px; the magnification of a 128 mm wide photograph."""
    marker = re.search(r"SM_MICRON_MARKER\s+([\d.]+)\s*([a-zµμ]+)", text)
    bar = re.search(r"SM_MICRON_BAR\s+([\d.]+)", text)
    magnification = re.search(r"CM_MAG\s+([\d.]+)", text)
    full = re.search(r"CM_FULL_SIZE\s+(\d{1,6})\s+\d", text)
    share = int(full.group(1)) / columns if full is not None else 1.0
    sizes: list[PixelSize] = []
    if marker is not None and bar is not None:
        length, pixels = _number(marker.group(1)), _number(bar.group(1))
        factor = NM_PER_UNIT.get(marker.group(2).lower())
        if length is not None and pixels is not None and factor is not None:
            sizes += _size("JEOL sidecar micron marker / bar", length * factor / pixels * share)
    power = None if magnification is None else _number(magnification.group(1))
    if power is not None:
        photograph = JEOL_WIDTH_MM * NM_PER_MM / power / columns
        sizes += _size("JEOL sidecar magnification", photograph, nominal=True)
    return Scale(sizes=tuple(sizes))
