"""Every layout of detector files: frames where they belong, what is missing told from zeros, lies refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.detector_files import read_frames
from analysis.io.frames import FrameReader, Region
from analysis.io.series import Series
from tests.xray.frames import Instrument, write_data, write_series
from tests.xray.layouts import SHAPE, little_memory, numbered, put, stored, write_bliss, write_lambda


def seen(series: Series, count: int) -> list[int]:
    """The number that stands in each frame's region, 0 where it is missing."""
    region = Region(rows=(3, 9), cols=(5, 11))
    found = []
    with FrameReader(series, region) as reader:
        for number in range(1, count + 1):
            out = np.zeros(region.shape, np.uint32)
            whole = reader.read(number, out) and np.ptp(out) == 0
            found.append(int(out[0, 0]) if whole else 0)
    return found


# --- Lambda ---------------------------------------------------------------------------------------------


def test_a_lambda_file_says_where_it_stands(tmp_path: Path) -> None:
    write_lambda(tmp_path / "scan_00003.nxs", numbered(6, kind=np.uint16))
    series = read_frames(tmp_path, "scan_00003.nxs")
    assert (series.layout, series.shape, series.expected, series.present) == ("Lambda", SHAPE, 6, 6)
    found = series.metadata
    assert found.pixel_size_um == pytest.approx((55.0, 55.0))
    assert (found.distance_mm, found.exposure_s) == pytest.approx((400.0, 0.5))
    assert (found.saturation, found.masked_value) == (60_000, 65_535)
    assert series.rejected.sum() == 1
    assert any("flat field" in note for note in series.notes)
    assert seen(series, 7) == [1, 2, 3, 4, 5, 6, 0]
    with FrameReader(series, Region(rows=(0, 2), cols=(0, 2))) as reader:
        assert reader.fast


def test_lambda_parts_follow_one_another(tmp_path: Path) -> None:
    for part, first in enumerate((1, 5)):
        write_lambda(tmp_path / f"scan_part{part:05d}.nxs", numbered(4, first=first))
    assert seen(read_frames(tmp_path, "scan_part00000.nxs"), 9) == [1, 2, 3, 4, 5, 6, 7, 8, 0]


def test_lambda_modules_are_put_together(tmp_path: Path) -> None:
    """Three modules one above another with gaps of 4 rows, the middle one 2 columns to the left."""
    places = {1: (2, 0), 2: (0, 28), 3: (2, 56)}
    rng = np.random.default_rng(2)
    frames = {module: rng.integers(0, 60_000, (3, *SHAPE)).astype(np.uint16) for module in places}
    for module, at in places.items():
        write_lambda(tmp_path / f"scan_m{module:02d}.nxs", frames[module], at=at)
    series = read_frames(tmp_path.parent, tmp_path.name)
    assert (series.shape, series.present) == ((80, 42), 3)
    whole = np.full((3, 80, 42), 2**32 - 1, np.uint32)
    for module, (x, y) in places.items():
        whole[:, y : y + 24, x : x + 40] = frames[module]
    gaps = whole[0] == 2**32 - 1
    assert series.rejected[gaps].all()
    assert series.rejected.sum() == gaps.sum() + 3
    for rows, cols in (((0, 80), (0, 42)), ((20, 60), (1, 20)), ((25, 27), (0, 9)), ((60, 70), (41, 42))):
        region = Region(rows=rows, cols=cols, flip="vertical")
        with FrameReader(series, region) as reader:
            out = np.zeros(region.shape, np.uint32)
            for number in (1, 3):
                assert reader.read(number, out)
                np.testing.assert_array_equal(out, whole[number - 1, slice(*rows), slice(*cols)][::-1])
    (tmp_path / "scan_m02.nxs").unlink()
    assert any("no file of module 2" in note for note in read_frames(tmp_path, "scan_m01.nxs").notes)


def test_lambda_modules_that_cannot_be_placed_are_refused(tmp_path: Path) -> None:
    write_lambda(tmp_path / "a_m01.nxs", numbered(1), at=(0, 0))
    write_lambda(tmp_path / "a_m02.nxs", numbered(1), at=(10, 10))
    with pytest.raises(InputError, match="side by side"):
        read_frames(tmp_path, "a_m01.nxs")
    write_lambda(tmp_path / "a_m02.nxs", numbered(1), at=(10**9, 10))
    with pytest.raises(InputError, match="x and y in pixels"):
        read_frames(tmp_path, "a_m01.nxs")


def test_a_frame_needs_all_modules(tmp_path: Path) -> None:
    write_lambda(tmp_path / "a_m01.nxs", numbered(5), at=(0, 0))
    write_lambda(tmp_path / "a_m02.nxs", numbered(3), at=(0, 24))
    series = read_frames(tmp_path, "a_m01.nxs")
    assert (series.expected, series.present) == (5, 3)
    assert any("3 to 5 frames" in note for note in series.notes)


# --- ESRF -----------------------------------------------------------------------------------------------


def test_an_esrf_scan_is_read_from_its_sources(tmp_path: Path) -> None:
    path = write_bliss(tmp_path, 20)
    series = read_frames(tmp_path, path.name)
    assert (series.expected, series.present, series.layout) == (20, 20, "ESRF scan 1.1, eiger")
    assert series.metadata.exposure_s == 0.1
    assert series.metadata.pixel_size_um == pytest.approx((75.0, 75.0))
    assert {part.path.name for part in series.parts} == {f"eiger_{n:04d}.h5" for n in range(4)}
    assert seen(series, 21) == [*range(1, 21), 0]
    with FrameReader(series, Region(rows=(0, 2), cols=(0, 2))) as reader:
        assert reader.fast


def test_a_source_that_is_not_there_is_missing_not_zero(tmp_path: Path) -> None:
    path = write_bliss(tmp_path, 20)
    (tmp_path / "scan0001" / "eiger_0001.h5").unlink()
    series = read_frames(tmp_path, f"{path.name}#1.1")
    assert (series.expected, series.present) == (20, 15)
    assert series.missing_files == ("eiger_0001.h5",)
    assert seen(series, 20) == [*range(1, 6), *([0] * 5), *range(11, 21)]
    for file in (tmp_path / "scan0001").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"eiger_0000\.h5"):
        read_frames(tmp_path, path.name)


def test_scans_and_detectors_are_chosen_by_name(tmp_path: Path) -> None:
    path = write_bliss(tmp_path, 8)
    write_bliss(tmp_path, 6, scan="2.1")
    assert read_frames(tmp_path, f"{path.name}#2.1").present == 6
    with pytest.raises(InputError, match=r"2 \(1\.1, 2\.1\).*#1\.1"):
        read_frames(tmp_path, path.name)
    with pytest.raises(InputError, match=r"found scans 1\.1, 2\.1"):
        read_frames(tmp_path, f"{path.name}#3.1")
    with h5py.File(path, "r+") as file:
        stored(file, "2.1/measurement/camera", numbered(6))
    with pytest.raises(InputError, match=r"2 \(camera, eiger\)"):
        read_frames(tmp_path, f"{path.name}#2.1")
    assert seen(read_frames(tmp_path, f"{path.name}#2.1/camera"), 6) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match="a detector maxipix"):
        read_frames(tmp_path, f"{path.name}#2.1/maxipix")


def test_an_esrf_link_is_followed_or_its_target_named(tmp_path: Path) -> None:
    path = write_bliss(tmp_path, 4, link=True)
    assert seen(read_frames(tmp_path, path.name), 4) == [1, 2, 3, 4]
    (tmp_path / "scan0001" / "eiger_0000.h5").unlink()
    with pytest.raises(InputError, match=r"none of the files.*scan0001/eiger_0000\.h5"):
        read_frames(tmp_path, path.name)


def test_virtual_datasets_of_virtual_datasets_are_taken_apart(tmp_path: Path) -> None:
    write_bliss(tmp_path, 10)
    layout = h5py.VirtualLayout(shape=(7, *SHAPE), dtype=np.uint32)
    source = h5py.VirtualSource("sample_dataset.h5", "/1.1/instrument/eiger/data", shape=(10, *SHAPE))
    layout[:] = source[2:9]
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file.create_virtual_dataset("entry/data/data", layout)
    assert seen(read_frames(tmp_path, "all.h5"), 7) == list(range(3, 10))
    (tmp_path / "scan0001" / "eiger_0000.h5").unlink()
    assert seen(read_frames(tmp_path, "all.h5"), 7) == [0, 0, 0, 6, 7, 8, 9]


def test_virtual_parts_that_skip_or_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_data(tmp_path / "out.h5", numbered(6), first=1)
    write_data(tmp_path / "in" / "a.h5", numbered(6), first=1)
    for name, step, words in (("a.h5", 2, "skips"), ("../out.h5", 1, "below its own folder")):
        layout = h5py.VirtualLayout(shape=(3, *SHAPE), dtype=np.uint32)
        source = h5py.VirtualSource(name, "entry/data/data", shape=(6, *SHAPE))
        layout[:] = source[: 3 * step : step]
        with h5py.File(tmp_path / "in" / "v.h5", "w") as file:
            file.create_virtual_dataset("entry/data/data", layout)
        with pytest.raises(InputError, match=words):
            read_frames(tmp_path / "in", "v.h5")


# --- P10 ------------------------------------------------------------------------------------------------


def p10(root: Path, *, per_file: int) -> Path:
    folder = root / "wafer_00012"
    write_series(
        folder / "e4m", "wafer_00012", numbered(6), instrument=Instrument(shape=SHAPE), per_file=per_file
    )
    (folder / "wafer_00012.fio").write_text("!\n%c\nmesh piy 0 1 2 pix 0 1 1 0.5\n%p\n%d\n")
    return folder


@pytest.mark.parametrize("per_file", [1, 4])
def test_a_p10_scan_is_named_by_its_folder_or_its_fio(tmp_path: Path, per_file: int) -> None:
    folder = p10(tmp_path, per_file=per_file)
    for name in ("wafer_00012", "wafer_00012/wafer_00012.fio"):
        series = read_frames(tmp_path, name)
        assert series.path.name == "wafer_00012_master.h5"
        assert seen(series, 7) == [1, 2, 3, 4, 5, 6, 0]
    (folder / "wafer_00012.fio").rename(tmp_path / "wafer_00012.fio")
    assert read_frames(tmp_path, "wafer_00012.fio").present == 6


def test_p10_data_files_may_stand_alone_and_detectors_are_not_mixed(tmp_path: Path) -> None:
    folder = p10(tmp_path, per_file=1)
    (folder / "e4m" / "wafer_00012_master.h5").unlink()
    (folder / "e4m" / "wafer_00012_data_000003.h5").unlink()
    assert seen(read_frames(tmp_path, folder.name), 6) == [1, 2, 0, 4, 5, 6]
    write_series(folder / "e500", "wafer_00012", numbered(6), instrument=Instrument(shape=SHAPE))
    write_series(folder / "e4m", "wafer_00012", numbered(6), instrument=Instrument(shape=SHAPE))
    with pytest.raises(InputError, match="e4m, e500"):
        read_frames(tmp_path, folder.name)
    (tmp_path / "bare_00001" / "plots").mkdir(parents=True)
    (tmp_path / "bare_00001" / "bare_00001.fio").write_text("")
    with pytest.raises(InputError, match=r"as in e4m/, found folders plots without one"):
        read_frames(tmp_path, "bare_00001")


# --- any stack ------------------------------------------------------------------------------------------


def test_a_stack_is_found_where_the_file_points(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored(file, "run/camera/data", numbered(3))
        file["run/camera"].attrs["NX_class"] = "NXdetector"
        put(file["run/camera"], "distance", 120.0, "cm")
        put(file["run/camera"], "x_pixel_size", 50.0, "um")
        put(file["run/camera"], "y_pixel_size", 50.0, "um")
        file["run/camera/beam_center_x"], file["run/camera/beam_center_y"] = 20.0, 11.0
        file["run/other"] = np.zeros((3, 30, 30), np.int32)
        file["run/floats"] = np.zeros((3, 30, 30))
    series = read_frames(tmp_path, "a.h5")
    assert seen(series, 3) == [1, 2, 3]
    assert series.metadata.distance_mm == pytest.approx(1200.0)
    assert series.metadata.beam_center_px == (20.0, 11.0)
    assert read_frames(tmp_path, "a.h5#/run/other").shape == (30, 30)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["run/camera"].attrs["NX_class"]
    with pytest.raises(InputError, match=r"2 \(.*name it"):
        read_frames(tmp_path, "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs["default"] = "run"
        file["run"].attrs["signal"] = "other"
    assert read_frames(tmp_path, "a.h5").layout == "HDF5 stack /run/other"
    with pytest.raises(InputError, match="none there"):
        read_frames(tmp_path, "a.h5#/run/nothing")
    with pytest.raises(InputError, match="counts"):
        read_frames(tmp_path, "a.h5#/run/floats")


@pytest.mark.parametrize(
    "storage",
    [
        {"chunks": (1, 1, *SHAPE), **hdf5plugin.Bitshuffle(cname="lz4")},
        {"chunks": (1, 3, *SHAPE), "compression": "gzip", "shuffle": True},
        {},
    ],
)
def test_a_raster_of_frames_is_a_series_row_by_row(tmp_path: Path, storage: dict[str, object]) -> None:
    frames = numbered(6).reshape(2, 3, *SHAPE)
    frames[:, :, 4, 7] = 2**32 - 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("scan/frames", data=frames, **storage)
    series = read_frames(tmp_path, "a.h5")
    assert (series.shape, series.expected, series.present) == (SHAPE, 6, 6)
    assert any("raster of 2 x 3" in note for note in series.notes)
    region = Region(rows=(3, 9), cols=(5, 11))
    with FrameReader(series, region) as reader:
        out = np.zeros(region.shape, np.uint32)
        for number in range(1, 7):
            assert reader.read(number, out)
            np.testing.assert_array_equal(out, frames.reshape(6, *SHAPE)[number - 1, 3:9, 5:11])
        assert not reader.read(7, out)


def test_a_raster_tells_frames_that_were_never_written_and_damaged_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        stack = file.create_dataset(
            "frames", (2, 3, *SHAPE), np.uint32, chunks=(1, 1, *SHAPE), **hdf5plugin.Bitshuffle(cname="lz4")
        )
        for number in (0, 2, 3):
            stack[divmod(number, 3)] = number + 1
        offset = stack.id.get_chunk_info_by_coord((0, 2, 0, 0)).byte_offset
    raw = bytearray(path.read_bytes())
    raw[offset + 8 : offset + 16] = b"\xff" * 8
    path.write_bytes(bytes(raw))
    series = read_frames(tmp_path, "a.h5")
    assert seen(series, 6) == [1, 0, 0, 4, 0, 0]
    with FrameReader(series, Region(rows=(0, 2), cols=(0, 2))) as reader:
        assert reader.numbers().tolist() == [1, 3, 4]
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "frames", (2, 3, *SHAPE), np.uint32, **hdf5plugin.Bitshuffle(cname="lz4", nelems=0)
        )
    with pytest.raises(InputError, match="one frame a chunk"):
        read_frames(tmp_path, "a.h5")


# --- what is no series ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "chunks", "words"),
    [
        ((10**12, 24, 40), (1, 24, 40), "at most 10000000 frames"),
        ((3, 10**6, 10**6), (1, 24, 40), "pixels a side"),
        ((3, 19_000, 19_000), (2, 19_000, 19_000), "bytes in a chunk"),
    ],
)
@pytest.mark.parametrize("place", ["entry/data/data", "entry/instrument/detector/data", "else/where"])
def test_sizes_that_are_only_declared_are_refused_before_allocation(
    tmp_path: Path, place: str, shape: tuple[int, ...], chunks: tuple[int, ...], words: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(place, shape=shape, chunks=chunks, dtype=np.uint32)
    with little_memory(), pytest.raises(InputError, match=words):
        read_frames(tmp_path, "a.h5")


@pytest.mark.parametrize(
    ("shape", "chunks"), [((10**6, 10**6, 24, 40), (1, 1, 24, 40)), ((3, 9000, 240, 400), (3, 9000, 240, 40))]
)
def test_rasters_that_are_only_declared_are_refused_before_allocation(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("frames", shape=shape, chunks=chunks, dtype=np.uint32)
    with little_memory(), pytest.raises(InputError, match="at most 10000000 frames"):
        read_frames(tmp_path, "a.h5")


def test_files_of_no_kind_are_refused_with_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"EIGER.*CBF images.*begins with b'nothing '"):
        read_frames(tmp_path, "a.txt")
    (tmp_path / "a.h5").write_text("nothing of the kind")
    with pytest.raises(InputError, match="HDF5"):
        read_frames(tmp_path, "a.h5")
    (tmp_path / "empty").mkdir()
    for name in ("empty", "*.nothing"):
        with pytest.raises(InputError, match="0 of them"):
            read_frames(tmp_path, name)


@pytest.mark.parametrize("make", [write_lambda, None])
def test_files_cut_anywhere_are_read_or_told(tmp_path: Path, make: object) -> None:
    if make is None:
        path = write_bliss(tmp_path, 6)
    else:
        path = tmp_path / "a.nxs"
        write_lambda(path, numbered(6))
    whole = path.read_bytes()
    rng = np.random.default_rng(8)
    outcomes = set()
    for number in range(60):
        raw = bytearray(whole[: int(rng.integers(1, len(whole)))] if number % 2 else whole)
        for _ in range(3):
            raw[int(rng.integers(0, len(raw)))] = int(rng.integers(0, 256))
        path.write_bytes(bytes(raw))
        try:
            outcomes.add(sum(seen(read_frames(tmp_path, path.name), 6)) > 0)
        except InputError as error:
            outcomes.add("lines" if "\n" in str(error) else "sentence")
    assert "sentence" in outcomes
    assert "lines" not in outcomes
