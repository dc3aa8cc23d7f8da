"""One detector image in a CBF file: text, a binary section of declared size, byte-offset compression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.byte_offset import OK, decode_rows
from analysis.io.series import Span, checked_frames

SIGNATURE = b"###CBF"
STARTER = b"\x0c\x1a\x04\xd5"
HEADER_BYTES = 65_536
COMPRESSION = "x-CBF_BYTE_OFFSET"
ELEMENTS = {
    "signed 8-bit integer": "i1",
    "signed 16-bit integer": "i2",
    "signed 32-bit integer": "i4",
    "unsigned 8-bit integer": "u1",
    "unsigned 16-bit integer": "u2",
    "unsigned 32-bit integer": "u4",
}
FIELD = re.compile(r"^\s*(X-Binary-[\w-]+|conversions)\s*[:=]\s*\"?([^\"\r\n]*)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class CbfHeader:
    """What stands above the pixels: ``start`` and ``size`` of the compressed image in the file, in bytes."""

    text: str
    shape: tuple[int, int]
    dtype: np.dtype[np.integer]
    start: int
    size: int


def read_cbf_header(path: Path) -> CbfHeader:
    """Header of a CBF image, held against the file's size; raises InputError before anything is allocated."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    start = head.find(STARTER)
    if not head.startswith(SIGNATURE) or start < 0:
        raise InputError(path, expected="a CBF image", found="no binary section in its beginning")
    text = head[:start].decode("latin-1")
    fields = {name: value.strip() for name, value in FIELD.findall(text)}
    if fields.get("conversions") != COMPRESSION:
        raise InputError(
            path, field="conversions", expected=COMPRESSION, found=fields.get("conversions", "none")[:80]
        )
    cols, rows, size = (
        _whole(fields, name, path=path)
        for name in ("X-Binary-Size-Fastest-Dimension", "X-Binary-Size-Second-Dimension", "X-Binary-Size")
    )
    element = fields.get("X-Binary-Element-Type", "")
    if element not in ELEMENTS:
        raise InputError(
            path, field="X-Binary-Element-Type", expected=", ".join(ELEMENTS), found=element[:80] or "none"
        )
    shape, dtype = checked_frames(path, (rows, cols), np.dtype(ELEMENTS[element]))
    begin, length = start + len(STARTER), path.stat().st_size
    # A pixel takes a byte at the least.
    if begin + size > length or rows * cols > size:
        raise InputError(
            path,
            field="X-Binary-Size",
            expected=f"at least {rows * cols} bytes, all in the file",
            found=f"{size} declared, {max(0, length - begin)} there",
            remedy="it is cut short: copy it again",
        )
    return CbfHeader(text=text, shape=shape, dtype=dtype, start=begin, size=size)


def read_cbf_region(path: Path, header: CbfHeader, rows: Span, cols: Span) -> npt.NDArray[np.uint32] | None:
    """Counts of a region, values below zero as 32 bits without sign; None where the image is damaged."""
    if rows[1] > header.shape[0] or cols[1] > header.shape[1]:
        return None
    with path.open("rb") as file:
        file.seek(header.start)
        raw = np.frombuffer(file.read(header.size), dtype=np.uint8)
    out = np.zeros((rows[1] - rows[0], cols[1] - cols[0]), dtype=np.uint32)
    return out if decode_rows(raw, header.shape[1], (*rows, *cols), out) == OK else None


def _whole(fields: dict[str, str], name: str, *, path: Path) -> int:
    value = fields.get(name, "")
    if not re.fullmatch(r"\d{1,12}", value):
        raise InputError(path, field=name, expected="a whole number", found=value[:80] or "none")
    return int(value)
