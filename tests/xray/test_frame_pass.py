"""A further pass sees each frame whole, once, in order; what it keeps survives an interruption."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from analysis.io.eiger import read_series
from analysis.io.frames import FrameReader, Region
from analysis.io.pattern_store import PatternStore
from analysis.pipeline.executors import threads
from analysis.pipeline.xray_stream import Streamed, batches_of, stream
from analysis.xray.frame_kernels import COUNTED
from analysis.xray.frame_pass import CLIPPED, PassBatch
from tests.xray.frames import SmallScan
from tests.xray.scan_setups import setup_of

SCAN = SmallScan()
NUMBERS = np.arange(1, 21).reshape(4, 5)
NUMBERS[2, 3] = -1


@dataclass(frozen=True)
class Bright:
    """Keeps the sum of each frame, the sum of frames, and where pixels have three counts or more."""

    name: str = "bright"

    def begin(self, points: int) -> BrightTask:
        return BrightTask(sums=np.full(points, -1, np.int64), number=np.zeros(points, np.int64))


@dataclass
class BrightTask:
    sums: np.ndarray
    number: np.ndarray
    places: list[np.ndarray] = field(default_factory=list)
    total: np.ndarray | None = None

    def take(self, place: int, whole: np.ndarray, region: np.ndarray, row: np.ndarray) -> None:
        assert row[COUNTED] > 0
        assert region.shape == SCAN.instrument.shape
        good = np.where(whole == CLIPPED, 0, whole).astype(np.int64)
        bright = np.flatnonzero(good >= 3)
        self.sums[place], self.number[place] = good.sum(), bright.size
        self.places.append(bright)
        self.total = good if self.total is None else self.total + good

    def finish(self) -> PassBatch:
        return PassBatch(
            points={"sums": self.sums, "number": self.number},
            totals={"total": self.total},
            stored={"places": np.concatenate(self.places)},
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scan")
    SCAN.write(made)
    return made


def run(
    folder: Path, scratch: Path, *, workers: int = 2, passes: tuple[Bright, ...] = (Bright(),)
) -> Streamed:
    rows, cols = SCAN.instrument.shape
    region = Region(rows=(0, rows), cols=(0, cols))
    with FrameReader(read_series(folder / "scan_master.h5"), region) as reader:
        store = PatternStore(scratch, (4, 5, rows, cols))
        batches = batches_of(NUMBERS)
        with threads(workers) as crew:
            return stream(reader, setup_of(SCAN.instrument), batches, store, crew=crew, passes=passes)


def test_a_pass_sees_every_pixel_of_every_frame(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("analysis.pipeline.xray_stream.BATCH_POINTS", 5)
    frames = SCAN.frames().astype(np.int64)
    frames[frames >= CLIPPED] = 0
    frames[13] = 0
    streamed = run(folder, tmp_path)
    made = streamed.passes["bright"]
    expected = frames.sum(axis=(1, 2))
    expected[13] = -1
    np.testing.assert_array_equal(made.points["sums"], expected)
    np.testing.assert_array_equal(made.totals["total"], frames.sum(axis=0))
    places = np.concatenate([part["places"] for part in streamed.stored("bright")])
    ends = np.cumsum(made.points["number"])
    for point, end in enumerate(ends):
        found = places[end - made.points["number"][point] : end]
        np.testing.assert_array_equal(found, np.flatnonzero(frames[point] >= 3))


def test_a_pass_that_an_earlier_run_lacked_makes_its_batches_anew(folder: Path, tmp_path: Path) -> None:
    plain = run(folder, tmp_path, passes=())
    assert plain.passes == {}
    both = run(folder, tmp_path, workers=1)
    assert (both.passes["bright"].points["sums"] > 0).sum() == 19
    assert both.rows.tobytes() == plain.rows.tobytes()
    kept = (tmp_path / "batch_000000.h5").stat().st_mtime_ns
    again = run(folder, tmp_path)
    assert (tmp_path / "batch_000000.h5").stat().st_mtime_ns == kept
    np.testing.assert_array_equal(again.passes["bright"].points["sums"], both.passes["bright"].points["sums"])


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical"])
def test_whole_frames_are_mirrored_as_regions_are(folder: Path, flip: str) -> None:
    region = Region(rows=(5, 60), cols=(11, 90), flip=flip)
    counts, alone = np.zeros((2, *region.shape), np.uint32)
    whole = np.zeros(SCAN.instrument.shape, np.uint16)
    with FrameReader(read_series(folder / "scan_master.h5"), region) as reader:
        assert reader.read(3, alone)
        assert reader.read_whole(3, counts, whole)
        assert not reader.read_whole(21, counts, whole)
    np.testing.assert_array_equal(counts, alone)
    frame = np.minimum(SCAN.frames()[2], CLIPPED)
    turned = {"none": frame, "horizontal": frame[:, ::-1], "vertical": frame[::-1]}[flip]
    np.testing.assert_array_equal(whole, turned)
