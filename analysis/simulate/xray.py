"""The raster of frames and its Kapton background, made by several threads and written in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from analysis.simulate.diffraction import Diffraction
from analysis.simulate.eiger_file import Frame, Series, write_series
from analysis.simulate.seeds import Stream, generator

FRAMES_NAME = "scan"
BACKGROUND_NAME = "kapton"


def scan_point(index: int, *, shape: tuple[int, int], serpentine: bool) -> tuple[int, int]:
    """Row and column of the ``index``-th frame (from 0): rows are slow; serpentine scans turn odd rows."""
    row, col = divmod(index, shape[1])
    return row, shape[1] - 1 - col if serpentine and row % 2 else col


def write_frames(
    folder: Path,
    diffraction: Diffraction,
    *,
    seed: int,
    series: Series,
    background: Series,
    serpentine: bool,
    workers: int,
    advanced: Callable[[], None],
) -> None:
    """Write the scan and its background into ``folder``; ``advanced`` is called after each frame."""
    shape = (diffraction.lattice.coverage.shape[0], diffraction.lattice.coverage.shape[1])

    def scan_frame(index: int) -> Frame:
        row, col = scan_point(index, shape=shape, serpentine=serpentine)
        return diffraction.frame(row, col, generator(seed, Stream.FRAMES, index))

    def kapton_frame(index: int) -> Frame:
        return diffraction.empty_frame(generator(seed, Stream.BACKGROUND, index))

    parts = ((FRAMES_NAME, series, scan_frame), (BACKGROUND_NAME, background, kapton_frame))
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for name, of, made in parts:
            frames = _in_order(pool, made, of.frames, ahead=2 * workers, advanced=advanced)
            write_series(folder, name, frames, series=of, detector=diffraction.detector)


def _in_order(
    pool: ThreadPoolExecutor,
    made: Callable[[int], Frame],
    count: int,
    *,
    ahead: int,
    advanced: Callable[[], None],
) -> Iterator[Frame]:
    """Frames 0 ... count - 1 in order, made in the pool; at most ``ahead`` wait, whatever their number."""
    waiting: deque[Future[Frame]] = deque()
    for index in range(count + ahead):
        if index < count:
            waiting.append(pool.submit(made, index))
        if index >= ahead:
            frame = waiting.popleft().result()
            advanced()
            yield frame


def background_series(frames: int) -> Series:
    """A series in one data file and one trigger."""
    return Series(frames=frames, triggers=1, frames_per_file=frames)
