r"""Bruker NanoScope images (``.spm``, ``.000`` ...): every channel with its unit, and the header's notes.

A file is a text header of ``\name: value`` lines in ``\*list`` sections, closed by ``\*File list end``, and
raw little-endian integers at each image's ``Data offset`` (NanoScope User Guide, "File format"). A value is
``counts * hard value / 2^(8 bytes) * sensitivity``: ``\@2:Z scale: V [Sens. Zsens] (... V/LSB) 10 V`` holds
the hard value and names the sensitivity, and ``Bytes/pixel`` the bytes of the range. From version 9.2 on
every count is stored in four bytes, whatever ``Bytes/pixel`` says. The first row stored is the lowest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.errors import InputError
from analysis.io.afm_file import UM_PER_LENGTH_UNIT, AfmChannel, AfmFile
from analysis.records import Array

MAGICS = (rb"\*File list", rb"\*EC File list")
FORCE_MAGIC = rb"\*Force file list"
END = r"\*File list end"
MAX_HEADER_BYTES = 2**20
MAX_FILE_BYTES = 2**31
MAX_IMAGES = 100
FOUR_BYTES_FROM = 0x09200000
COUNT_TYPES: dict[int, np.dtype[np.signedinteger]] = {2: np.dtype("<i2"), 4: np.dtype("<i4")}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SCALE = re.compile(rf"V\s*(?:\[(?P<sens>[^\]]*)\])?\s*(?:\(.*LSB\))?\s*(?P<value>{_NUMBER})\s*(?P<unit>.*)")
_SENSITIVITY = re.compile(rf"V\s+(?P<value>{_NUMBER})\s*(?P<unit>.*)")
_NAMED = re.compile(r'S\s*\[(?P<name>[^\]]*)\](?:\s*"(?P<title>[^"]*)")?')
_SIZE = re.compile(rf"({_NUMBER})(?:\s+({_NUMBER}))?\s*(\S*)")

Section = Mapping[str, str]


@dataclass(frozen=True)
class _Header:
    """Sections in order: (name without ``\\*``, its lines by name); of two with one name the last counts."""

    path: Path
    sections: tuple[tuple[str, Section], ...]

    @property
    def images(self) -> list[Section]:
        return [lines for name, lines in self.sections if name.casefold() == "ciao image list"]

    @property
    def notes(self) -> dict[str, str]:
        """What the sections say that are no image."""
        found: dict[str, str] = {}
        for name, lines in self.sections:
            if name.casefold() != "ciao image list":
                found |= lines
        return found

    def error(self, image: int, key: str, expected: str, found: object) -> InputError:
        return InputError(
            self.path, field=f"image {image} {key}", expected=expected, found=str(found)[:60] or "none"
        )


def read_nanoscope(path: Path) -> AfmFile:
    """Read a NanoScope image file; raises InputError naming the image and the line that cannot be used."""
    raw = _raw(path)
    header = _header(path, raw)
    images, notes = header.images, header.notes
    if not images or len(images) > MAX_IMAGES:
        raise InputError(
            path,
            expected=f"one to {MAX_IMAGES} images (Ciao image list)",
            found=str(len(images)),
            remedy="force curves and files older than NanoScope 4.2 are not read",
        )
    return AfmFile(
        path=path,
        channels=tuple(_channel(header, raw, notes, image, n) for n, image in enumerate(images)),
        others=tuple(f"{name.casefold()}" for name, _ in header.sections if "force image" in name.casefold()),
    )


def _raw(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                path, expected=f"a file of at most {MAX_FILE_BYTES} bytes", found=f"{size} bytes"
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(path, expected="a NanoScope file", found=error.strerror or "an error") from None


def _header(path: Path, raw: bytes) -> _Header:
    if not raw.startswith(MAGICS):
        raise InputError(path, expected=r"a NanoScope image (\*File list)", found=repr(raw[:20]))
    stop = raw.find(END.encode(), 0, MAX_HEADER_BYTES)
    if stop < 0:
        raise InputError(
            path,
            expected=rf"a header that ends with {END}",
            found=f"none in {min(len(raw), MAX_HEADER_BYTES)} bytes",
            remedy="the file is damaged or incomplete: copy it again",
        )
    sections: list[tuple[str, dict[str, str]]] = []
    for line in raw[:stop].decode("latin-1").splitlines():
        if line.startswith(r"\*"):
            sections.append((line[2:].strip(), {}))
        elif line.startswith("\\") and sections and ":" in line[1:]:
            key, value = _parted(line[1:])
            sections[-1][1][key] = value
    return _Header(path, tuple(sections))


def _parted(line: str) -> tuple[str, str]:
    """Name and value of ``name: value``, or of ``@2:name: value``, whose group number is no part of it."""
    line = re.sub(r"^@(?:\d+:)?", "@", line)
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _channel(header: _Header, raw: bytes, notes: Section, image: Section, number: int) -> AfmChannel:
    counts = _counts(header, raw, notes, image, number)
    factor, unit = _scale(header, notes, image, number)
    width, height, xy_unit = _size(header, notes, image, number, counts.shape)
    named = _NAMED.match(image.get("@Image Data", ""))
    title = ((named["title"] or named["name"]) if named else "").strip()
    line = image.get("Line Direction", image.get("Line direction", ""))
    return AfmChannel(
        number=number,
        title=title,
        values=counts[::-1] * factor,
        unit=unit,
        width=width,
        height=height,
        xy_unit=xy_unit,
        metadata={**notes, **image} | ({"Line direction": line} if line else {}),
    )


def _counts(header: _Header, raw: bytes, notes: Section, image: Section, number: int) -> Array:
    """Counts of one image (rows, cols) in the order stored; every length checked against the file."""
    cols = _whole(header, image, number, "Samps/line", most=65536)
    rows = _whole(header, image, number, "Number of lines", most=65536)
    offset = _whole(header, image, number, "Data offset", most=MAX_FILE_BYTES)
    length = _whole(header, image, number, "Data length", most=MAX_FILE_BYTES)
    each = 4 if _version(notes) >= FOUR_BYTES_FROM else _whole(header, image, number, "Bytes/pixel", most=4)
    if each not in COUNT_TYPES:
        raise header.error(number, "Bytes/pixel", "2 or 4", each)
    # An image that was stopped holds fewer rows than its frame, from the first on.
    held = min(rows, length // (cols * each))
    if held < 1:
        raise header.error(number, "Data length", f"at least one row of {cols * each} bytes", length)
    if offset + held * cols * each > len(raw):
        expected = f"{held} rows of {cols * each} bytes at byte {offset}"
        raise header.error(number, "Data offset", expected, f"a file of {len(raw)} bytes")
    stored = np.frombuffer(raw, COUNT_TYPES[each], held * cols, offset).reshape(held, cols)
    return np.asarray(stored, dtype=np.float64)


def _scale(header: _Header, notes: Section, image: Section, number: int) -> tuple[float, str]:
    """Factor from counts to the physical unit, and that unit: ``V`` or ``Arb`` where nothing says more."""
    text = image.get("@Z scale", "")
    found = _SCALE.match(text)
    if found is None:
        raise header.error(number, "Z scale", "V [sensitivity] (...) value unit", text)
    bytes_per_pixel = _whole(header, image, number, "Bytes/pixel", most=4)
    factor = float(found["value"]) / 2.0 ** (8 * bytes_per_pixel)
    hard_unit = found["unit"].strip()
    name = (found["sens"] or "").strip()
    if not name:
        return _finite(header, number, factor), _plain(hard_unit)
    sensitivity = _SENSITIVITY.match(notes.get(f"@{name}", ""))
    if sensitivity is None:
        raise header.error(number, "Z scale", f"a line {name} in the header", "none")
    factor *= float(sensitivity["value"])
    return _finite(header, number, factor), _plain(_multiplied(sensitivity["unit"].strip(), hard_unit))


def _finite(header: _Header, number: int, factor: float) -> float:
    if not math.isfinite(factor) or factor == 0.0:
        raise header.error(number, "Z scale", "a finite value that is not zero", factor)
    return factor


def _multiplied(sensitivity: str, hard: str) -> str:
    """Unit of a sensitivity ``nm/V`` times a hard value in ``V``; one without unit leaves the hard one."""
    if not sensitivity:
        return hard
    unit, slash, per = sensitivity.rpartition("/")
    return unit if slash and per == hard else f"{sensitivity} {hard}".strip()


def _plain(unit: str) -> str:
    return unit.replace("~m", "µm").replace("º", "deg")


def _size(
    header: _Header, notes: Section, image: Section, number: int, shape: tuple[int, ...]
) -> tuple[float, float, str]:
    """Width and height of the rows that are there, and their unit."""
    text = image.get("Scan Size", image.get("Scan size", notes.get("Scan Size", notes.get("Scan size", ""))))
    found = _SIZE.match(text)
    unit = _plain(found[3]) if found else ""
    if found is None or unit not in UM_PER_LENGTH_UNIT:
        raise header.error(number, "Scan Size", "lengths and their unit, as 500 500 nm", text)
    width, height = float(found[1]), float(found[2] or found[1])
    if not (0.0 < width < math.inf and 0.0 < height < math.inf):
        raise header.error(number, "Scan Size", "finite lengths above 0", text)
    rows = _whole(header, image, number, "Number of lines", most=65536)
    return width, height * shape[0] / rows, unit


def _whole(header: _Header, image: Section, number: int, key: str, *, most: int) -> int:
    text = image.get(key, "").split(" ")[0]
    if not (text.isascii() and text.isdigit() and len(text) < 12) or not 1 <= int(text) <= most:
        raise header.error(number, key, f"a whole number from 1 to {most}", image.get(key, "none"))
    return int(text)


def _version(notes: Section) -> int:
    text = notes.get("Version", "")
    try:
        return int(text.split()[0], 16) if text else 0
    except ValueError:
        return 0
