"""Files of atomic force microscopes by their first bytes: one reader a format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from analysis.errors import InputError
from analysis.io.afm_file import AfmFile
from analysis.io.gwy import read_gwy
from analysis.io.gwy_container import MAGIC
from analysis.io.nanoscope import MAGICS, read_nanoscope

READERS: tuple[tuple[bytes, Callable[[Path], AfmFile]], ...] = (
    (MAGIC, read_gwy),
    *((magic, read_nanoscope) for magic in MAGICS),
)


def read_afm(path: Path) -> AfmFile:
    """Read a file of any known format; raises InputError where it is of none, or damaged."""
    longest = max(len(magic) for magic, _ in READERS)
    try:
        with path.open("rb") as file:
            first = file.read(longest)
    except OSError as error:
        raise InputError(path, expected="an AFM file", found=error.strerror or "an error") from None
    for magic, reader in READERS:
        if first.startswith(magic):
            return reader(path)
    raise InputError(
        path,
        expected=r"a Gwyddion file, which begins with GWYP, or a NanoScope image (\*File list)",
        found=repr(first) if first else "an empty file",
        remedy="open it in Gwyddion and save it as .gwy",
    )
