"""The container of a Gwyddion file: every length checked against what is left of the file, then read.

A file is ``GWYP`` and one object: name, NUL, size (uint32), components. A component is name, NUL, a letter
for its type and its value; all little-endian (Gwyddion user guide, "Gwyddion file format"). Nothing is
allocated that the file does not hold, and nesting and the number of components are bounded. Text is UTF-8,
or latin-1 where it is not.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError

MAGIC = b"GWYP"
ROOT = "GwyContainer"
MAX_FILE_BYTES = 2**31
MAX_NESTING = 16
MAX_COMPONENTS = 100_000
MAX_NAME_BYTES = 1000

_NUMBERS = {"b": "<?", "c": "<b", "i": "<i", "q": "<q", "d": "<d"}
_ARRAYS: dict[str, np.dtype[np.generic]] = {
    "C": np.dtype("u1"),
    "I": np.dtype("<i4"),
    "Q": np.dtype("<i8"),
    "D": np.dtype("<f8"),
}

Numbers: TypeAlias = npt.NDArray[np.float64] | npt.NDArray[np.int64] | npt.NDArray[np.uint8]
Value: TypeAlias = "bool | int | float | str | Numbers | GwyNode | list[str] | list[GwyNode]"


@dataclass(frozen=True)
class GwyNode:
    """One object: the name of its type and its components; of two with one name the last counts."""

    name: str
    items: Mapping[str, Value]


def read_container(path: Path) -> GwyNode:
    """Read a whole file; raises InputError, with the place in the file, where a length is not true."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                path, expected=f"a file of at most {MAX_FILE_BYTES} bytes", found=f"{size} bytes"
            )
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(path, expected="a Gwyddion file", found=error.strerror or "an error") from None
    if raw[:4] != MAGIC:
        raise InputError(
            path,
            expected="a Gwyddion file, which begins with GWYP",
            found=f"{raw[:4]!r}" if raw else "an empty file",
            remedy="export it from Gwyddion as .gwy",
        )
    return _Walk(path, raw).root()


class _Walk:
    """A pass over the bytes, in which ``end`` is always the end of the object that is being read."""

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path = path
        self.raw = raw
        self.left = MAX_COMPONENTS

    def root(self) -> GwyNode:
        node, pos = self.object_at(len(MAGIC), len(self.raw), depth=0)
        if node.name != ROOT:
            raise self.error(len(MAGIC), f"an object {ROOT}", repr(node.name))
        if pos != len(self.raw):
            raise self.error(pos, "the end of the file", f"{len(self.raw) - pos} bytes more")
        return node

    def error(self, pos: int, expected: str, found: str) -> InputError:
        return InputError(
            self.path,
            field=f"byte {pos}",
            expected=expected,
            found=found,
            remedy="the file is damaged or incomplete: copy it again",
        )

    def room(self, pos: int, size: int, end: int, what: str) -> int:
        """The position ``size`` bytes on, if that is still inside."""
        if size > end - pos:
            raise self.error(pos, f"{what} of {size} bytes", f"{end - pos} bytes left")
        return pos + size

    def text(self, pos: int, end: int, what: str, longest: int | None = None) -> tuple[str, int]:
        limit = end if longest is None else min(end, pos + longest + 1)
        stop = self.raw.find(b"\0", pos, limit)
        if stop < 0:
            raise self.error(pos, f"{what} that ends with NUL", f"none in {limit - pos} bytes")
        piece = self.raw[pos:stop]
        try:
            return piece.decode("utf-8"), stop + 1
        except UnicodeDecodeError:
            return piece.decode("latin-1"), stop + 1

    def length(self, pos: int, end: int, what: str) -> tuple[int, int]:
        after = self.room(pos, 4, end, f"the length of {what}")
        return int(struct.unpack_from("<I", self.raw, pos)[0]), after

    def count(self, pos: int, number: int) -> None:
        self.left -= number
        if self.left < 0:
            raise self.error(pos, f"at most {MAX_COMPONENTS} components", "more")

    def object_at(self, pos: int, end: int, depth: int) -> tuple[GwyNode, int]:
        if depth > MAX_NESTING:
            raise self.error(pos, f"objects nested at most {MAX_NESTING} deep", "deeper ones")
        name, pos = self.text(pos, end, "the name of an object", MAX_NAME_BYTES)
        size, pos = self.length(pos, end, f"object {name[:40]!r}")
        stop = self.room(pos, size, end, f"object {name[:40]!r}")
        items: dict[str, Value] = {}
        while pos < stop:
            self.count(pos, 1)
            key, pos = self.text(pos, stop, "the name of a component", MAX_NAME_BYTES)
            items[key], pos = self.value_at(pos, stop, depth)
        return GwyNode(name, items), pos

    def value_at(self, pos: int, end: int, depth: int) -> tuple[Value, int]:
        start, pos = pos, self.room(pos, 1, end, "a type")
        kind = chr(self.raw[start])
        if kind in _NUMBERS:
            after = self.room(pos, struct.calcsize(_NUMBERS[kind]), end, "a number")
            number: bool | int | float = struct.unpack_from(_NUMBERS[kind], self.raw, pos)[0]
            return number, after
        if kind == "s":
            return self.text(pos, end, "text")
        if kind == "o":
            return self.object_at(pos, end, depth + 1)
        if kind in _ARRAYS:
            return self.array_at(pos, end, _ARRAYS[kind])
        if kind in {"S", "O"}:
            return self.list_at(pos, end, depth, kind)
        raise self.error(start, "a type out of bcidqsoCIQDSO", repr(kind))

    def array_at(self, pos: int, end: int, dtype: np.dtype[np.generic]) -> tuple[Value, int]:
        number, pos = self.length(pos, end, "an array")
        after = self.room(pos, number * dtype.itemsize, end, f"an array of {number} numbers")
        values: Numbers = np.frombuffer(self.raw, dtype=dtype, count=number, offset=pos)
        return values, after

    def list_at(self, pos: int, end: int, depth: int, kind: str) -> tuple[Value, int]:
        number, pos = self.length(pos, end, "a list")
        self.count(pos, number)
        if kind == "S":
            texts: list[str] = []
            for _ in range(number):
                text, pos = self.text(pos, end, "text")
                texts.append(text)
            return texts, pos
        nodes: list[GwyNode] = []
        for _ in range(number):
            node, pos = self.object_at(pos, end, depth + 1)
            nodes.append(node)
        return nodes, pos
