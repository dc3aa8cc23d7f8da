"""The result file of a sample: NeXus HDF5, written whole or not at all, read with suspicion.

``/entry@triptych_format`` is 1. The chain of ``default`` attributes leads a NeXus viewer to the <a_SC> map.
Nothing in the file depends on when it was written.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from analysis.errors import InputError, ResultError
from analysis.io.result_fields import (
    LayoutError,
    clean,
    new_group,
    put,
    put_record,
    put_text,
    subgroup,
    take,
    take_record,
)
from analysis.io.result_maps import (
    put_afm,
    put_sem,
    put_xray,
    take_afm,
    take_sem,
    take_xray,
)
from analysis.io.result_patterns import (
    copy_patterns,
    one_line,
    open_file,
    read_pattern,
    same_patterns,
    stored_bytes,
)
from analysis.io.wide_angle_events import stored_photon_bytes
from analysis.records import EventStack, PatternStack, Provenance, Result

__all__ = ["read_header", "read_pattern", "read_result", "write_result"]

FORMAT = 1
COMPARED_BYTES = 2**24
SPARE_BYTES = 16_000_000
"""Room asked for beside the arrays: the file's own structure, and the next thing that wants to be written."""

WORDS = ("sample_id", "title", "composition", "method", "simulated", "nanocrystal_size_nm", "preparation")
UNREADABLE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    RuntimeError,
    OverflowError,
    RecursionError,
)


# --- writing --------------------------------------------------------------------------------------------


def write_result(path: Path, result: Result) -> None:
    """Write a result so that ``path`` holds either the whole new one or whatever was there before.

    It is written beside its place, closed, read back and compared, and only then moved there. Raises
    InputError where there is no room or the folder can't be written.
    """
    _check_room(path, result)
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with h5py.File(part, "x", locking=False) as file:
            _put_result(file, result)
        _verify(part, result)
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    except (OSError, RuntimeError) as error:
        raise InputError(
            path,
            expected="to write the result",
            found=one_line(error),
            remedy="make room or choose another folder; the old result is as it was",
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _check_room(path: Path, result: Result) -> None:
    stacks = sum(stored_bytes(scan.patterns) for scan in result.xray if scan.patterns is not None)
    wide = [scan.wide_angle for scan in result.xray if scan.wide_angle is not None]
    stacks += sum(stored_photon_bytes(each.events) for each in wide if each.events is not None)
    needed = _array_bytes(result) + stacks + SPARE_BYTES
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise InputError(
            path.parent, expected="a folder that can be written", found=one_line(error)
        ) from None
    if free < needed:
        raise InputError(
            path.parent,
            expected=f"{needed / 1e6:.0f} MB of free space for the result",
            found=f"{free / 1e6:.0f} MB",
            remedy="make room or choose another folder",
        )


def _array_bytes(value: object) -> int:
    """Bytes of all arrays that hang on a value."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return sum(_array_bytes(getattr(value, item.name)) for item in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return sum(_array_bytes(part) for part in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sum(_array_bytes(part) for part in value)
    return 0


def _sync(path: Path) -> None:
    """Have the system put a file, or a folder's entries, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_result(file: h5py.File, result: Result) -> None:
    file.attrs["NX_class"] = "NXroot"
    file.attrs["default"] = "entry"
    entry = new_group(file, "entry", "NXentry")
    entry.attrs["triptych_format"] = FORMAT
    entry.attrs["default"] = "xray" if result.xray else "afm" if result.afm else "sem"
    put_text(entry, "title", result.title)
    sample = new_group(entry, "sample", "NXsample")
    put_text(sample, "name", result.sample_id)
    for name in WORDS:
        put(sample, name, getattr(result, name))
    _put_process(entry, result.provenance)
    for number, scan in enumerate(result.xray):
        group = put_xray(entry, f"xray_{number}" if number else "xray", scan)
        if scan.patterns is not None:
            copy_patterns(scan.patterns, group)
    for name, reductions in (("sem", result.sem), ("afm", result.afm)):
        group = new_group(entry, name)
        group.attrs["n"] = len(reductions)
        group.attrs["default"] = "0"
    for number, image in enumerate(result.sem):
        put_sem(entry["sem"], str(number), image)
    for number, field in enumerate(result.afm):
        put_afm(entry["afm"], str(number), field)
    for name in ("profiles", "correlations", "summary", "transforms", "trends"):
        put(entry, name, getattr(result, name))


def _put_process(entry: h5py.Group, provenance: Provenance) -> None:
    process = new_group(entry, "process", "NXprocess")
    put_text(process, "program", "triptych")
    put_text(process, "version", provenance.software)
    put_record(process, provenance)


def _verify(part: Path, result: Result) -> None:
    """Raise OSError where what was written is not what was meant."""
    found = read_result(part)
    if not _same(result, found):
        raise OSError("what was written is not what is read back")
    for meant, scan in zip(result.xray, found.xray, strict=True):
        if meant.patterns is not None and (
            scan.patterns is None or not same_patterns(meant.patterns, scan.patterns)
        ):
            raise OSError("patterns were not written whole")


def _same(one: object, other: object) -> bool:
    """Whether two records hold the same: arrays bit by bit in value and type, NaN equal to NaN."""
    if isinstance(one, PatternStack | EventStack):
        return type(one) is type(other) and one.shape == other.shape
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and _same_array(one, other)
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            _same(getattr(one, item.name), getattr(other, item.name)) for item in dataclasses.fields(one)
        )
    if isinstance(one, str):
        return clean(one) == other
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and _same([*one, *one.values()], [*other, *other.values()])
    if isinstance(one, Sequence):
        return (
            isinstance(other, Sequence)
            and len(one) == len(other)
            and all(_same(a, b) for a, b in zip(one, other, strict=True))
        )
    return one == other or (one != one and other != other)


def _same_array(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays hold the same, compared in blocks of rows so that large ones cost no copy."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    rows = max(1, COMPARED_BYTES // max(1, one[:1].nbytes)) if one.ndim else 1
    return (
        all(
            np.array_equal(one[at : at + rows], other[at : at + rows], equal_nan=one.dtype.kind == "f")
            for at in range(0, one.shape[0], rows)
        )
        if one.ndim
        else np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    )


# --- reading --------------------------------------------------------------------------------------------


def read_result(path: Path) -> Result:
    """A result as it was written, its patterns left in the file; raises ResultError where it is none."""
    hints = typing.get_type_hints(Result)
    with _entry(path) as entry:
        sample = subgroup(entry, "sample")
        found: Result = take_record(
            entry,
            Result,
            **{name: take(sample, name, hints[name]) for name in WORDS},
            provenance=take_record(subgroup(entry, "process"), Provenance),
            xray=tuple(take_xray(group, str(path)) for group in _scans(entry)),
            sem=tuple(take_sem(group) for group in _numbered(entry, "sem")),
            afm=tuple(take_afm(group) for group in _numbered(entry, "afm")),
        )
        return found


def read_header(path: Path) -> Provenance:
    """What made a result, without reading the result itself; raises ResultError where it is none."""
    with _entry(path) as entry:
        header: Provenance = take_record(subgroup(entry, "process"), Provenance)
        return header


@contextmanager
def _entry(path: Path) -> Iterator[h5py.Group]:
    """The entry of a result file that holds no way out of itself; whatever it lacks is a ResultError."""
    with open_file(path) as file:
        try:
            entry = subgroup(file, "entry")
            made = entry.attrs.get("triptych_format")
            if made != FORMAT:
                raise LayoutError(f"format {made}")
            yield entry
        except UNREADABLE as error:
            raise ResultError(
                path,
                expected=f"a result of format {FORMAT}",
                found=one_line(error),
                remedy="reduce the sample again",
            ) from None


def _scans(entry: h5py.Group) -> list[h5py.Group]:
    names = ["xray", *(f"xray_{number}" for number in range(1, len(entry)))]
    return [subgroup(entry, name) for name in names if name in entry]


def _numbered(entry: h5py.Group, name: str) -> list[h5py.Group]:
    group = subgroup(entry, name)
    return [subgroup(group, str(number)) for number in range(int(group.attrs["n"]))]
