"""Master files: units, masks, image numbers, files that are missing; real files are read or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from analysis.errors import InputError
from analysis.io.detector_files import read_frames
from analysis.io.eiger import read_series
from analysis.io.frames import FrameReader, Region
from tests.xray.frames import Instrument, write_data, write_series

SMALL = Instrument(shape=(12, 80))


def numbered(count: int) -> np.ndarray:
    """Frames that carry their image number in every pixel."""
    return np.broadcast_to(
        np.arange(1, count + 1, dtype=np.uint32)[:, None, None], (count, *SMALL.shape)
    ).copy()


@pytest.fixture
def master(tmp_path: Path) -> Path:
    return write_series(tmp_path, "scan", numbered(25), instrument=SMALL, per_file=10)


def read_all(path: Path, count: int) -> list[int]:
    """What stands in each frame, 0 where it is missing."""
    region = Region(rows=(2, 9), cols=(3, 17))
    seen = []
    with FrameReader(read_series(path), region) as reader:
        for number in range(1, count + 1):
            out = np.zeros(region.shape, np.uint32)
            seen.append(int(out.max()) if reader.read(number, out) and np.ptp(out) == 0 else 0)
    return seen


def test_metadata_come_with_their_units_and_origin(master: Path) -> None:
    series = read_series(master)
    found = series.metadata
    assert found.wavelength_nm == pytest.approx(0.1)
    assert found.distance_mm == pytest.approx(400.0)
    assert found.pixel_size_um == pytest.approx((150.0, 150.0))
    assert found.beam_center_px == SMALL.beam_px
    assert found.exposure_s == 1.0
    assert set(found.sources.values()) == {"scan_master.h5"}
    assert series.expected == series.present == 25
    assert (series.shape, str(series.dtype)) == (SMALL.shape, "uint32")


@pytest.mark.parametrize(
    ("name", "value", "units", "attribute", "expected"),
    [
        ("detector_distance", 398.0, "mm", "distance_mm", 398.0),
        ("detector_distance", 398000.0, "um", "distance_mm", 398.0),
        ("detector_distance", 0.0, "m", "distance_mm", None),
        ("distance", 0.5, "m", "distance_mm", 500.0),
        ("x_pixel_size", 75.0, "um", "pixel_size_um", (75.0, 150.0)),
        ("beam_center_x", 0.0, "pixel", "beam_center_px", None),
        ("count_time", 500.0, "ms", "exposure_s", 0.5),
    ],
)
def test_units_are_those_of_the_file(
    master: Path, name: str, value: float, units: str, attribute: str, expected: object
) -> None:
    with h5py.File(master, "r+") as file:
        group = file["entry/instrument/detector"]
        group.pop(name, None)
        group[name] = value
        group[name].attrs["units"] = units
    found = getattr(read_series(master).metadata, attribute)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_an_unknown_unit_is_refused(master: Path) -> None:
    with h5py.File(master, "r+") as file:
        file["entry/instrument/detector/detector_distance"].attrs["units"] = "furlong"
    with pytest.raises(InputError, match="furlong"):
        read_series(master)


def test_the_wavelength_may_stand_with_the_sample(master: Path) -> None:
    with h5py.File(master, "r+") as file:
        file.move("entry/instrument/beam", "entry/sample/beam")
    assert read_series(master).metadata.wavelength_nm == pytest.approx(0.1)


def test_the_mask_rejects_low_bits_and_keeps_virtual_pixels(master: Path) -> None:
    rejected = read_series(master).rejected
    assert rejected[:, 70:72].all()
    assert rejected[10, 20]
    assert rejected.sum() == 2 * 12 + 1


@pytest.mark.parametrize("key", ["saturation_value", "countrate_correction_count_cutoff"])
def test_saturation_is_found_wherever_firmware_puts_it(master: Path, key: str) -> None:
    with h5py.File(master, "r+") as file:
        file[f"entry/instrument/detector/detectorSpecific/{key}"] = 5000
        file["entry/instrument/detector/bit_depth_image"][()] = 16
    found = read_series(master).metadata
    assert (found.saturation, found.masked_value) == (5000, 65535)


def test_a_file_missing_in_the_middle_moves_no_frame(master: Path) -> None:
    (master.parent / "scan_data_000002.h5").unlink()
    series = read_series(master)
    assert series.missing_files == ("scan_data_000002.h5",)
    assert (series.expected, series.present) == (25, 15)
    assert read_all(master, 26) == [*range(1, 11), *([0] * 10), *range(21, 26), 0]


def test_without_numbers_of_images_missing_files_are_placed_by_their_size(tmp_path: Path) -> None:
    master = write_series(tmp_path, "scan", numbered(25), instrument=SMALL, nimages_per_data_file=10)
    for path in tmp_path.glob("scan_data_*.h5"):
        with h5py.File(path, "r+") as file:
            for key in ("image_nr_low", "image_nr_high"):
                del file["entry/data/data"].attrs[key]
    assert read_all(master, 25) == list(range(1, 26))
    (tmp_path / "scan_data_000001.h5").unlink()
    assert read_all(master, 25) == [0] * 10 + list(range(11, 26))


def test_frames_are_images_times_triggers(tmp_path: Path) -> None:
    path = write_series(tmp_path, "scan", numbered(25), instrument=SMALL, nimages=5, ntrigger=6)
    assert read_series(path).expected == 30


def test_without_any_data_file_there_is_nothing_to_read(master: Path) -> None:
    for path in master.parent.glob("scan_data_*.h5"):
        path.unlink()
    with pytest.raises(InputError, match=r"scan_data_000001\.h5.*beside the master"):
        read_series(master)


def test_a_chunk_that_was_never_written_is_a_missing_frame(tmp_path: Path) -> None:
    path = tmp_path / "growing.h5"
    with h5py.File(path, "w") as file:
        stack = file.create_dataset(
            "entry/data/data",
            shape=(4, *SMALL.shape),
            dtype=np.uint32,
            chunks=(1, *SMALL.shape),
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        stack[0], stack[2] = 1, 3
    assert read_all(path, 4) == [1, 0, 3, 0]
    with FrameReader(read_series(path), Region(rows=(0, 12), cols=(0, 80))) as reader:
        assert reader.numbers().tolist() == [1, 3]


@pytest.mark.parametrize(
    "filters", [{"compression": "gzip"}, hdf5plugin.Bitshuffle(cname="zstd"), {"shuffle": True}]
)
def test_other_compressions_give_the_same_frames(tmp_path: Path, filters: dict[str, object]) -> None:
    write_data(tmp_path / "x.h5", numbered(4), first=1, **filters)
    with FrameReader(read_series(tmp_path / "x.h5"), Region(rows=(0, 2), cols=(0, 2))) as reader:
        assert not reader.fast
    assert read_all(tmp_path / "x.h5", 4) == [1, 2, 3, 4]


def test_virtual_datasets_tell_missing_sources_from_zeros(tmp_path: Path) -> None:
    write_data(tmp_path / "one.h5", numbered(3), first=1)
    layout = h5py.VirtualLayout(shape=(6, *SMALL.shape), dtype=np.uint32)
    for place, name in enumerate(("one.h5", "two.h5")):
        source = h5py.VirtualSource(name, "entry/data/data", shape=(3, *SMALL.shape))
        layout[3 * place : 3 * place + 3] = source
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("entry/data/data", layout)
    assert read_series(tmp_path / "v.h5").missing_files == ("two.h5",)
    assert read_all(tmp_path / "v.h5", 6) == [1, 2, 3, 0, 0, 0]


def test_frames_are_mirrored_as_asked(tmp_path: Path) -> None:
    frame = np.arange(12 * 80, dtype=np.uint32).reshape(1, 12, 80)
    write_data(tmp_path / "x.h5", frame, first=1)
    series = read_series(tmp_path / "x.h5")
    for flip, expected in (
        ("horizontal", frame[0, 1:5, 7:11][:, ::-1]),
        ("vertical", frame[0, 1:5, 7:11][::-1]),
    ):
        out = np.zeros((4, 4), np.uint32)
        with FrameReader(series, Region(rows=(1, 5), cols=(7, 11), flip=flip)) as reader:
            assert reader.read(1, out)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f["entry/data/data"].attrs.__setitem__("image_nr_low", 1), "image numbers above 10"),
        (lambda f: _replace(f, np.zeros((3, 4), np.uint32)), "frames"),
        (lambda f: _replace(f, np.zeros((3, 4, 4), np.uint32)), "one size"),
    ],
)
def test_data_files_that_do_not_fit_are_refused(master: Path, change: object, words: str) -> None:
    with h5py.File(master.parent / "scan_data_000002.h5", "r+") as file:
        change(file)
    with pytest.raises(InputError, match=words):
        read_series(master)


def _replace(file: h5py.File, values: np.ndarray) -> None:
    del file["entry/data/data"]
    file["entry/data/data"] = values


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint64])
def test_values_that_are_no_counts_are_refused(tmp_path: Path, kind: type) -> None:
    write_data(tmp_path / "x.h5", np.zeros((1, 4, 4), kind), first=1, compression="gzip")
    with pytest.raises(InputError, match="counts"):
        read_series(tmp_path / "x.h5")


def test_a_folder_or_a_pattern_may_stand_for_its_one_master(master: Path) -> None:
    folder = master.parent
    assert read_frames(folder.parent, folder.name).path == master
    assert read_frames(folder, "scan_*.h5").path == master
    shutil.copy(master, folder / "other_master.h5")
    with pytest.raises(InputError, match="2 of them"):
        read_frames(folder.parent, folder.name)
    with pytest.raises(InputError, match="nothing there"):
        read_frames(folder, "absent.h5")


def test_data_files_may_do_without_their_master(master: Path) -> None:
    master.unlink()
    series = read_frames(master.parent.parent, master.parent.name)
    assert (series.present, series.expected, series.shape) == (25, None, SMALL.shape)
    (master.parent / "scan_data_000002.h5").unlink()
    series = read_frames(master.parent, "scan_data_*.h5")
    assert [(part.first_number, part.count) for part in series.parts] == [(1, 10), (21, 5)]
    assert any("no master" in note for note in series.notes)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize("filters", [{}, {"compression": "gzip"}])
def test_counts_with_a_sign_are_masked_below_zero(
    tmp_path: Path, kind: type, filters: dict[str, object]
) -> None:
    frames = np.full((1, *SMALL.shape), 7, kind)
    frames[0, 1, :3] = (-1, -2, np.iinfo(kind).max)
    write_data(tmp_path / "x.h5", frames, first=1, **filters)
    series = read_series(tmp_path / "x.h5")
    out = np.zeros((2, 4), np.uint32)
    with FrameReader(series, Region(rows=(0, 2), cols=(0, 4))) as reader:
        assert reader.read(1, out)
    np.testing.assert_array_equal(out >= series.metadata.masked_value, [[0] * 4, [1, 1, 0, 0]])
    assert out[1, 2:].tolist() == [np.iinfo(kind).max, 7]


@pytest.mark.real
def test_real_files_are_read_or_refused_with_the_reason(real_data: Path) -> None:
    lone = read_series(real_data / "xray" / "eiger4m_one_frame.h5")
    assert (lone.shape, lone.expected, lone.present) == ((2167, 2070), 1, 1)
    arina = read_series(real_data / "xray" / "arina" / "test_00_master.h5")
    assert (arina.expected, arina.present, arina.shape) == (16, 16, (192, 192))
    assert arina.metadata.saturation == 8352
    assert arina.metadata.beam_center_px is None
    assert arina.metadata.distance_mm is None
    assert arina.metadata.wavelength_nm is None
    assert arina.metadata.pixel_size_um == (100.0, 100.0)
    with FrameReader(arina, Region(rows=(0, 192), cols=(0, 192))) as reader:
        out = np.ones((192, 192), np.uint32)
        assert reader.fast
        assert reader.read(16, out)
        assert out.max() == 0
    with pytest.raises(InputError, match=r"xrc_209_000001\.h5"):
        read_series(real_data / "xray" / "xrc_209_master.h5")
