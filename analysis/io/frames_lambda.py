"""Lambda detectors: NeXus files with the frames in their NXdetector, one file a module or one for all.

Modules ``<name>_m01.nxs``, ``_m02`` ... (with ``_part00000`` where a module wrote several files) are put
together where ``translation/distance`` (x, y, in pixels) has them; what lies between them is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.errors import InputError
from analysis.io.frames import FrameReader, Region
from analysis.io.hdf5_safety import AuditedFile
from analysis.io.hdf5_stacks import parts_of, rejected_pixels
from analysis.io.hdf5_values import MM_BY_UNIT, S_BY_UNIT, UM_BY_UNIT, scalar, with_unit
from analysis.io.series import (
    MAX_SIDE_PX,
    NEGATIVE,
    DetectorMetadata,
    Part,
    RegionReader,
    Series,
    Span,
    checked_frames,
    nothing_to_read,
)

DETECTOR = "/entry/instrument/detector"
MODULE = re.compile(r"(?P<name>.+_)?m(?P<module>\d{1,2})(?P<rest>(?:_part\d+)?)")
PART = re.compile(r"(?P<name>.*)_part(?P<part>\d+)")
GAP = np.iinfo(np.uint32).max


@dataclass(frozen=True, kw_only=True)
class Module:
    """The frames of one module, and the row and column of its first pixel on the whole detector."""

    series: Series
    at: tuple[int, int]


@dataclass(frozen=True)
class Modules:
    """Frames put together from those of modules; between them pixels are masked."""

    modules: tuple[Module, ...]

    @contextmanager
    def opened(self, rows: Span, cols: Span) -> Iterator[RegionReader]:
        """See :class:`analysis.io.series.FrameSource`."""
        shape = rows[1] - rows[0], cols[1] - cols[0]
        with ExitStack() as stack:
            placed = []
            for module in self.modules:
                seen = [_overlap(span, at, side) for span, at, side in
                        zip((rows, cols), module.at, module.series.shape, strict=True)]  # fmt: skip
                if all(stop > start for start, stop in seen):
                    region = Region(
                        rows=_shifted(seen[0], -module.at[0]), cols=_shifted(seen[1], -module.at[1])
                    )
                    into = slice(*_shifted(seen[0], -rows[0])), slice(*_shifted(seen[1], -cols[0]))
                    placed.append((stack.enter_context(FrameReader(module.series, region)), into))

            def read(index: int) -> npt.NDArray[np.integer] | None:
                whole = np.full(shape, GAP, dtype=np.uint32)
                for reader, into in placed:
                    part = np.zeros(reader.shape, dtype=np.uint32)
                    if not reader.read(index + 1, part):
                        return None
                    masked = part >= reader.series.metadata.masked_value
                    whole[into] = np.where(masked, GAP, part)
                return whole

            yield read

    def stored_bytes(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """See :class:`analysis.io.series.FrameSource`."""
        total = np.zeros(count, dtype=np.int64)
        everywhere = np.ones(count, dtype=np.bool_)
        for module in self.modules:
            there = np.zeros(count, dtype=np.bool_)
            for part in module.series.parts:
                low, high = (
                    min(max(n - 1 - start, 0), count) for n in (part.first_number, part.last_number + 1)
                )
                there[low:high] = True
            everywhere &= there
            total += module.series.shape[0] * module.series.shape[1] * module.series.dtype.itemsize
        return np.where(everywhere, total, 0)


def is_lambda(file: AuditedFile) -> bool:
    """Whether the frames are in the NXdetector itself and nowhere where EIGER files have them."""
    return file.dataset(f"{DETECTOR}/data") is not None and file.get("/entry/data/data") is None


def read_lambda(path: Path) -> Series:
    """The series that a file belongs to, with its other parts and modules; raises InputError."""
    by_module = _siblings(path)
    modules = [_module(files) for files in by_module.values()]
    if len(modules) == 1:
        return replace(modules[0].series, path=path)
    low = [min(module.at[axis] for module in modules) for axis in (0, 1)]
    modules = [replace(m, at=(m.at[0] - low[0], m.at[1] - low[1])) for m in modules]
    return _stitched(path, modules, sorted(by_module))


def _siblings(path: Path) -> dict[int, list[Path]]:
    """Files of each module in the order of their parts, by module number (0 for a file of no module)."""
    match = MODULE.fullmatch(path.stem)
    if match is None:
        part = PART.fullmatch(path.stem)
        same = path.parent.glob(f"*{path.suffix}") if part else [path]
        alike = [p for p in same if p == path or (part and _name(p, PART) == part["name"])]
        return {0: sorted(alike)}
    found: dict[int, list[Path]] = {}
    for other in sorted(path.parent.glob(f"*{path.suffix}")):
        its = MODULE.fullmatch(other.stem)
        if its is not None and its["name"] == match["name"] and bool(its["rest"]) == bool(match["rest"]):
            found.setdefault(int(its["module"]), []).append(other)
    return dict(sorted(found.items()))


def _name(path: Path, pattern: re.Pattern[str]) -> str | None:
    match = pattern.fullmatch(path.stem)
    return match["name"] if match else None


def _module(files: list[Path]) -> Module:
    """Frames of one module from its files, one after the other."""
    parts: list[Part] = []
    missing: list[str] = []
    opened: list[Path] = []
    for path in files:
        with AuditedFile(path) as file:
            data = file.dataset(f"{DETECTOR}/data")
            if data is None or data.ndim != 3:
                raise InputError(
                    path, field=f"{DETECTOR}/data", expected="frames (n, rows, cols)", found="none"
                )
            shape, dtype = checked_frames(path, data.shape[1:], data.dtype)
            made, gone = parts_of(file, data, first=parts[-1].last_number + 1 if parts else 1)
            parts += made
            missing += gone
            opened += file.files
            if path == files[0]:
                first = _described(file, path, shape, dtype)
                at = _translation(file)
        if (shape, dtype) != (first.shape, first.dtype):
            raise InputError(path, expected=f"frames as in {files[0].name}", found=f"{dtype}, {shape}")
    parts = [part for part in parts if part.count > 0]
    if not parts:
        raise nothing_to_read(files[0], missing)
    series = replace(
        first,
        parts=tuple(parts),
        expected=parts[-1].last_number,
        missing_files=tuple(missing),
        files=tuple(dict.fromkeys(opened)),
    )
    return Module(series=series, at=at)


def _described(file: AuditedFile, path: Path, shape: tuple[int, int], dtype: np.dtype[np.integer]) -> Series:
    """A series without frames yet: what the detector's group says."""
    sizes = [with_unit(file.dataset(f"{DETECTOR}/{axis}_pixel_size"), UM_BY_UNIT, "m") for axis in "xy"]
    centre = [scalar(file.dataset(f"{DETECTOR}/beam_center_{axis}")) for axis in "xy"]
    saturation = scalar(file.dataset(f"{DETECTOR}/saturation_value"))
    pixel_size = (sizes[0], sizes[1]) if sizes[0] is not None and sizes[1] is not None else None
    beam = (centre[0], centre[1]) if centre[0] and centre[1] else None
    distance = with_unit(file.dataset(f"{DETECTOR}/distance"), MM_BY_UNIT, "m")
    known = {"pixel_size_um": pixel_size, "beam_center_px": beam, "distance_mm": distance}
    flat = file.dataset(f"{DETECTOR}/flatfield") is not None
    return Series(
        path=path,
        shape=shape,
        dtype=dtype,
        expected=None,
        parts=(),
        missing_files=(),
        metadata=DetectorMetadata(
            distance_mm=distance,
            pixel_size_um=pixel_size,
            beam_center_px=beam,
            exposure_s=with_unit(file.dataset(f"{DETECTOR}/count_time"), S_BY_UNIT, "s"),
            saturation=int(saturation) if saturation and saturation > 0 else None,
            masked_value=NEGATIVE if dtype.kind == "i" else int(np.iinfo(dtype).max),
            sources={name: path.name for name, value in known.items() if value is not None},
        ),
        rejected=rejected_pixels(file.dataset(f"{DETECTOR}/pixel_mask"), shape),
        files=(),
        layout="Lambda",
        notes=("the file's flat field is not applied: counts stay counts",) if flat else (),
    )


def _translation(file: AuditedFile) -> tuple[int, int]:
    """Row and column of a module's first pixel; (0, 0) where the file does not say."""
    distance = file.dataset(f"{DETECTOR}/translation/distance")
    if distance is None:
        return 0, 0
    values = np.asarray(distance[()], dtype=np.float64).ravel() if distance.size <= 3 else np.zeros(0)
    if values.size < 2 or not np.all(np.abs(values[:2]) <= MAX_SIDE_PX):
        raise InputError(
            file.path,
            field=distance.name,
            expected=f"x and y in pixels, at most {MAX_SIDE_PX}",
            found=f"{distance.shape} values" if values.size < 2 else str(values[:2].tolist()),
        )
    return int(np.rint(values[1])), int(np.rint(values[0]))


def _stitched(path: Path, modules: list[Module], numbers: list[int]) -> Series:
    shape = tuple(max(m.at[axis] + m.series.shape[axis] for m in modules) for axis in (0, 1))
    rows, cols = checked_frames(path, shape, np.dtype(np.uint32))[0]
    taken = np.zeros((rows, cols), dtype=np.bool_)
    rejected = np.ones((rows, cols), dtype=np.bool_)
    for module in modules:
        (row, col), (height, width) = module.at, module.series.shape
        place = slice(row, row + height), slice(col, col + width)
        if taken[place].any():
            raise InputError(
                module.series.path,
                field="translation/distance",
                expected="modules side by side",
                found=f"one over another at row {row}, column {col}",
            )
        taken[place] = True
        rejected[place] = module.series.rejected
    first = modules[0].series
    counts = [module.series.expected or 0 for module in modules]
    source = Modules(tuple(modules))
    absent = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    part = Part(path=first.path, dataset="", first_number=1, start=0, count=min(counts), source=source)
    notes = [f"{len(modules)} modules are put together, {int((~taken).sum())} pixels between them are masked"]
    notes += [f"there is no file of module {number}" for number in absent]
    if min(counts) != max(counts):
        notes.append(f"modules have {min(counts)} to {max(counts)} frames: a frame needs all of them")
    saturations = [m.series.metadata.saturation for m in modules if m.series.metadata.saturation is not None]
    return replace(
        first,
        path=path,
        shape=(rows, cols),
        dtype=np.dtype(np.uint32),
        expected=max(counts),
        parts=(part,),
        missing_files=tuple(name for module in modules for name in module.series.missing_files),
        metadata=replace(first.metadata, masked_value=int(GAP), saturation=min(saturations, default=None)),
        rejected=rejected,
        files=tuple(dict.fromkeys(file for module in modules for file in module.series.files)),
        notes=(*first.notes, *notes),
    )


def _overlap(span: Span, at: int, side: int) -> Span:
    return max(span[0], at), min(span[1], at + side)


def _shifted(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by
