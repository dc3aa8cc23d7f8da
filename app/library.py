"""Cached access to result files: the only door from the pages to the data."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import flask
import numpy as np
import numpy.typing as npt

from analysis.errors import TriptychError
from analysis.io.pattern_rows import over_patterns
from analysis.io.results import read_pattern, read_result
from analysis.io.sample_file import FILE_NAME, ID_PATTERN, read_sample
from analysis.io.wide_angle_events import read_photons
from analysis.records import XRAY_STATUS, Array, Measured, Result, XrayReduction
from analysis.xray.geometry import pixel_directions
from analysis.xray.pattern_window import ScanCells, Window, cell_plan, scan_cells, window_counts

RESULTS = "results"
MAX_CACHED = 16
"""Results that are kept open at once; a result of a full scan holds some 20 MB."""

MAX_CELL_BYTES = 512 * 2**20
"""What the patterns kept for windows of q and phi may take up; one scan is kept whatever it takes."""

Fingerprint = tuple[int, int, int]
T = TypeVar("T")
Status = Literal["reduced", "not reduced", "error"]


class UnknownSampleError(TriptychError):
    """No sample of that name stands in the workspace."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the list of samples says of one: ``error`` is a sentence where ``status`` is ``error``."""

    sample_id: str
    status: Status
    title: str
    composition: str = ""
    method: str = ""
    simulated: bool = False
    error: str = ""
    modalities: tuple[str, ...] = ()
    summary: Mapping[str, Measured | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A result file as read: the result or a sentence, and what was made from it."""

    fingerprint: Fingerprint
    found: Result | str
    derived: dict[Hashable, Any] = field(default_factory=dict)

    def shown(self) -> Result:
        """The result; raises TriptychError with the sentence where there is none."""
        if isinstance(self.found, str):
            raise TriptychError(self.found)
        return self.found


class Library:
    """Samples of one workspace, read again when their files change.

    A result is known by (inode, size, mtime_ns) of its file; whoever asks at the same time waits for
    the one reading.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace.resolve()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.RLock()
        self._cells: OrderedDict[Hashable, ScanCells] = OrderedDict()
        self._cells_lock = threading.Lock()

    def sample_ids(self) -> list[str]:
        """Ids of all samples, sorted: folders with a sample file and result files."""
        return sorted(self._result_paths() | self._sample_paths())

    def cards(self) -> list[Card]:
        """One card a sample, sorted by id."""
        samples = self._sample_paths()
        results = self._result_paths()
        return [
            self._result_card(name) if name in results else _sample_card(name, samples[name])
            for name in sorted(samples | results)
        ]

    def result(self, sample_id: str) -> Result:
        """The result of a sample; raises TriptychError with a sentence when there is none to show."""
        return self._read(sample_id).shown()

    def derived(self, sample_id: str, key: Hashable, make: Callable[[Result], T]) -> T:
        """What ``make`` gives for a sample's result, made once for each version of it.

        Two who ask at the same time may both make it; the lock is not held meanwhile.
        """
        kept = self._read(sample_id)
        if key not in kept.derived:
            kept.derived[key] = make(kept.shown())
        found: T = kept.derived[key]
        return found

    def sample_folder(self, sample_id: str) -> Path:
        """The folder of a sample, in the workspace itself; raises UnknownSampleError where there is none."""
        path = self._sample_paths().get(sample_id)
        if path is None or not path.parent.resolve().is_relative_to(self.workspace):
            raise UnknownSampleError(
                f"The folder of {sample_id} is not in this workspace: there is no place to keep an edit."
            )
        return path.parent

    def result_path(self, sample_id: str) -> Path:
        """The result file of a sample; raises TriptychError where there is none."""
        return self._path(sample_id)

    def error(self, sample_id: str) -> str | None:
        """Why a sample's result cannot be shown, or None when it can."""
        try:
            self.result(sample_id)
        except TriptychError as error:
            return str(error)
        return None

    def version(self, sample_id: str) -> str:
        """A short word that changes whenever the sample's result file does."""
        return f"{hash(_fingerprint(self._path(sample_id))) & 0xFFFFFFFFFFFF:012x}"

    def pattern(self, sample_id: str, *, index: int, row: int, col: int) -> npt.NDArray[np.unsignedinteger]:
        """Counts (h, w) of the SAXS region at one scan point; raises IndexError outside the grid."""
        scan = self.result(sample_id).xray[index]
        rows, cols = scan.grid.shape
        if scan.patterns is None or not (0 <= row < rows and 0 <= col < cols):
            raise IndexError(f"no pattern at row {row}, column {col}")
        return read_pattern(scan.patterns, row, col)

    def photons(self, sample_id: str, *, index: int, row: int, col: int) -> npt.NDArray[np.int64]:
        """Flat pixels of the detector of the photons beyond the small angles at one scan point.

        Raises IndexError outside the grid, and where they were not kept.
        """
        wide = self.result(sample_id).xray[index].wide_angle
        if wide is None or wide.events is None:
            raise IndexError("the photons of this scan were not kept")
        return read_photons(wide.events, row, col)

    def window(self, sample_id: str, *, index: int, window: Window) -> tuple[Array, int]:
        """Counts (rows, cols) of every pattern of a scan in a window, NaN where the frame is missing, and the
        number of pixels that count in it; raises IndexError where the scan has no patterns.

        The first call for a scan reads all its patterns, which are kept for the next ones.
        """
        kept = self._read(sample_id)
        scan = kept.shown().xray[index]
        counts, pixels = window_counts(self._scan_cells((sample_id, kept.fingerprint, index), scan), window)
        counts[scan.status == XRAY_STATUS.index("frame_missing")] = np.nan
        return counts, pixels

    def _scan_cells(self, key: Hashable, scan: XrayReduction) -> ScanCells:
        """The cells of a scan, made once; whoever asks meanwhile waits for them."""
        with self._cells_lock:
            if key not in self._cells:
                self._cells[key] = _cells_of(scan)
            self._cells.move_to_end(key)
            while len(self._cells) > 1 and sum(one.n_bytes for one in self._cells.values()) > MAX_CELL_BYTES:
                self._cells.popitem(last=False)
            return self._cells[key]

    def _sample_paths(self) -> dict[str, Path]:
        if not self.workspace.is_dir():
            return {}
        return {
            folder.name: folder / FILE_NAME
            for folder in self.workspace.iterdir()
            if _is_id(folder.name) and folder.name != RESULTS and (folder / FILE_NAME).is_file()
        }

    def _result_paths(self) -> dict[str, Path]:
        folder = self.workspace / RESULTS
        if not folder.is_dir():
            return {}
        return {
            path.stem: path for path in folder.glob("*.h5") if _is_id(path.stem) and self._is_own_file(path)
        }

    def _is_own_file(self, path: Path) -> bool:
        """Whether a path is a plain file that really lies in the workspace."""
        try:
            return path.is_file() and path.resolve().is_relative_to(self.workspace)
        except (OSError, RuntimeError):
            return False

    def _path(self, sample_id: str) -> Path:
        if not _is_id(sample_id):
            raise UnknownSampleError("There is no sample of that name here.")
        path = self.workspace / RESULTS / f"{sample_id}.h5"
        if self._is_own_file(path):
            return path
        if sample_id in self._sample_paths():
            raise TriptychError(f"{sample_id} is not reduced yet: run triptych reduce on it.")
        raise UnknownSampleError(f"There is no sample {sample_id} here.")

    def _read(self, sample_id: str) -> Kept:
        path = self._path(sample_id)
        with self._lock:
            try:
                fingerprint = _fingerprint(path)
            except OSError:
                raise UnknownSampleError(f"There is no sample {sample_id} here.") from None
            kept = self._kept.get(sample_id)
            if kept is None or kept.fingerprint != fingerprint:
                kept = Kept(fingerprint=fingerprint, found=_result_or_sentence(path))
                self._kept[sample_id] = kept
            self._kept.move_to_end(sample_id)
            while len(self._kept) > MAX_CACHED:
                self._kept.popitem(last=False)
        return kept

    def _result_card(self, sample_id: str) -> Card:
        try:
            result = self.result(sample_id)
        except TriptychError as error:
            return Card(sample_id=sample_id, status="error", title=sample_id, error=str(error))
        present = {"xray": result.xray, "sem": result.sem, "afm": result.afm}
        return Card(
            sample_id=sample_id,
            status="reduced",
            title=result.title or sample_id,
            composition=result.composition,
            method=result.method,
            simulated=result.simulated,
            modalities=tuple(name for name, reductions in present.items() if reductions),
            summary=result.summary,
        )


def _cells_of(scan: XrayReduction) -> ScanCells:
    if scan.patterns is None:
        raise IndexError("the patterns of this scan were not kept")
    rows, cols = scan.grid.shape
    directions = pixel_directions(scan.geometry, origin=scan.region, shape=scan.valid.shape)
    plan = cell_plan(
        directions,
        scan.valid,
        q_max_per_nm=q_most_per_nm(scan),
        points=rows * cols,
        counts=float(np.nansum(scan.average_pattern)) * rows * cols,
    )
    made = over_patterns(scan.patterns, plan.gather)
    return scan_cells(plan, [one for row in made for one in row], (rows, cols))


def q_most_per_nm(scan: XrayReduction) -> float:
    """Where the kept patterns end: the outer edge of the last ring of the radial profiles, to 0.01 nm^-1."""
    step = float(scan.q_per_nm[1] - scan.q_per_nm[0])
    return round(float(scan.q_per_nm[-1]) + 0.5 * step, 2)


def library() -> Library:
    """The library of the application that is answering the current request."""
    found: Library = flask.current_app.extensions["triptych"]
    return found


def _is_id(name: str) -> bool:
    """Whether a name may be a sample's; hidden ones belong to work that is under way."""
    return ID_PATTERN.fullmatch(name) is not None and not name.startswith(".")


def _fingerprint(path: Path) -> Fingerprint:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _result_or_sentence(path: Path) -> Result | str:
    """The result, or one sentence that says why it cannot be read.

    Whatever a damaged file makes the reader raise becomes an error card: one bad file must not take the
    other samples' pages with it.
    """
    try:
        return read_result(path)
    except TriptychError as error:
        return str(error).replace(str(path), path.name)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, IndexError) as error:
        return f"{path.name} cannot be read ({type(error).__name__}): reduce the sample again."


def _sample_card(sample_id: str, path: Path) -> Card:
    try:
        sample = read_sample(path)
    except (TriptychError, OSError) as error:
        sentence = str(error).replace(str(path), f"{sample_id}/{FILE_NAME}")
        return Card(sample_id=sample_id, status="error", title=sample_id, error=sentence)
    present = {"xray": sample.xray, "sem": sample.sem, "afm": sample.afm}
    return Card(
        sample_id=sample_id,
        status="not reduced",
        title=sample.title or sample_id,
        composition=sample.composition,
        method=sample.method,
        simulated=sample.simulated,
        modalities=tuple(name for name, blocks in present.items() if blocks),
    )
